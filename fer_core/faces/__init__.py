"""Faces: detectors behind one interface, people over time, and the crops that the networks see.

Names are imported when they are first used, so that a page can list the detectors without loading OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_core.faces.crops import crop_faces, crop_qualities, crop_squares, cut_squares, sharpness_and_brightness
    from fer_core.faces.detectors import (
        DEFAULT_DETECTOR,
        DETECTORS,
        Detector,
        DetectorKind,
        Refiner,
        can_refine,
        make_detector,
    )
    from fer_core.faces.geometry import CropGeometry
    from fer_core.faces.records import LANDMARKS, QUALITIES, Faces
    from fer_core.faces.tracking import Tracker, iou_matrix

__all__ = [
    "DEFAULT_DETECTOR",
    "DETECTORS",
    "LANDMARKS",
    "QUALITIES",
    "CropGeometry",
    "Detector",
    "DetectorKind",
    "Faces",
    "Refiner",
    "Tracker",
    "can_refine",
    "crop_faces",
    "crop_qualities",
    "crop_squares",
    "cut_squares",
    "iou_matrix",
    "make_detector",
    "sharpness_and_brightness",
]
_MODULES = {
    "crops": ("crop_faces", "crop_qualities", "crop_squares", "cut_squares", "sharpness_and_brightness"),
    "detectors": (
        "DEFAULT_DETECTOR",
        "DETECTORS",
        "Detector",
        "DetectorKind",
        "Refiner",
        "can_refine",
        "make_detector",
    ),
    "geometry": ("CropGeometry",),
    "records": ("LANDMARKS", "QUALITIES", "Faces"),
    "tracking": ("Tracker", "iou_matrix"),
}
_LAZY = {name: f"fer_core.faces.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core.faces' has no attribute {name!r}")
