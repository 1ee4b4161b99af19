"""What ``fer_core.explain`` gives, and which module has it; see ``fer_core.lazy``."""

from fer_core.explain.checks import Curves as Curves
from fer_core.explain.checks import Sanity as Sanity
from fer_core.explain.checks import sanity as sanity
from fer_core.explain.earned import Figures as Figures
from fer_core.explain.earned import doubt_of as doubt_of
from fer_core.explain.gradcam import Target as Target
from fer_core.explain.gradcam import contrast as contrast
from fer_core.explain.gradcam import heatmaps as heatmaps
from fer_core.explain.methods import METHODS as METHODS
from fer_core.explain.methods import in_words as in_words
from fer_core.explain.network import feature_maps as feature_maps
from fer_core.explain.network import layers as layers
from fer_core.explain.network import pick_layer as pick_layer
from fer_core.explain.network import pick_method as pick_method
from fer_core.explain.pictures import feature_sheet as feature_sheet
from fer_core.explain.pictures import overlay as overlay
from fer_core.explain.pictures import overlay_signed as overlay_signed
from fer_core.explain.regions import REGIONS as REGIONS
from fer_core.explain.regions import attention_shares as attention_shares
from fer_core.explain.regions import landmarks_in_crop as landmarks_in_crop
from fer_core.explain.regions import region_masks as region_masks
