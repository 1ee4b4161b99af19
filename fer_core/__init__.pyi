"""What ``fer_core`` gives, and which module has it; see ``fer_core.lazy``."""

from fer_core.errors import FerError as FerError
from fer_core.evaluation import evaluate as evaluate
from fer_core.models.classifier import load as load
from fer_core.progress import progress_bar as progress_bar
from fer_core.video.modes import Settings as Settings
from fer_core.video.pipeline import analyze as analyze
from fer_core.video.store import open_analysis as open_analysis

__version__: str
