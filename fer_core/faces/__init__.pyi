"""What ``fer_core.faces`` gives, and which module has it; see ``fer_core.lazy``."""

from fer_core.faces.crops import crop_faces as crop_faces
from fer_core.faces.crops import crop_qualities as crop_qualities
from fer_core.faces.crops import crop_squares as crop_squares
from fer_core.faces.crops import cut_squares as cut_squares
from fer_core.faces.crops import fitted_squares as fitted_squares
from fer_core.faces.detectors import DEFAULT_DETECTOR as DEFAULT_DETECTOR
from fer_core.faces.detectors import DETECTORS as DETECTORS
from fer_core.faces.detectors import Detector as Detector
from fer_core.faces.detectors import DetectorKind as DetectorKind
from fer_core.faces.detectors import Refiner as Refiner
from fer_core.faces.detectors import can_refine as can_refine
from fer_core.faces.detectors import make_detector as make_detector
from fer_core.faces.geometry import CropGeometry as CropGeometry
from fer_core.faces.records import LANDMARKS as LANDMARKS
from fer_core.faces.records import QUALITIES as QUALITIES
from fer_core.faces.records import Faces as Faces
from fer_core.faces.tracking import Tracker as Tracker
from fer_core.faces.tracking import iou_matrix as iou_matrix
