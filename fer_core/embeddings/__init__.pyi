"""What ``fer_core.embeddings`` gives, and which module has it; see ``fer_core.lazy``."""

from fer_core.embeddings.maps import Map as Map
from fer_core.embeddings.maps import load_map as load_map
from fer_core.embeddings.maps import make_map as make_map
from fer_core.embeddings.maps import map_key as map_key
from fer_core.embeddings.maps import save_map as save_map
from fer_core.embeddings.measures import quality as quality
from fer_core.embeddings.nearest import neighbours as neighbours
from fer_core.embeddings.nearest import place as place
from fer_core.embeddings.projection import METHODS as METHODS
from fer_core.embeddings.projection import project as project
