"""Faces: detectors behind one interface, people over time, and the crops that the networks see."""

from fer_core.faces.crops import CropGeometry, crop_faces, crop_squares, sharpness_and_brightness
from fer_core.faces.detectors import DETECTORS, Detector, make_detector
from fer_core.faces.records import LANDMARKS, Faces
from fer_core.faces.tracking import Tracker, iou_matrix

__all__ = [
    "DETECTORS",
    "LANDMARKS",
    "CropGeometry",
    "Detector",
    "Faces",
    "Tracker",
    "crop_faces",
    "crop_squares",
    "iou_matrix",
    "make_detector",
    "sharpness_and_brightness",
]
