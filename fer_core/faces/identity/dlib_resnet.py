"""dlib's face recognition network (29 layers, 128 numbers a face), by Davis King, 2017.

Its maker's notes (https://github.com/davisking/dlib-models) say what it was trained on and that two faces nearer than
0.6 are taken for one person's. It was trained on chips that dlib's own five points (corners of the eyes, base of the
nose) align; ours are aligned by the five landmarks that every detector here gives, put where they lie in dlib's chips
(``python -m benchmarks.descriptors places``).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import dlib
import numpy as np

from fer_core.faces.identity.likeness import Likeness
from fer_core.faces.records import RGB, ArrayF

SIZE = 150
PLACES = np.array([[47.5, 46.5], [102.5, 46.5], [75.0, 78.0], [52.0, 105.0], [98.0, 105.0]]) / SIZE


class DlibResnet:
    """See ``Describer``; runs on one core, about 75 ms a face, and holds Python's lock meanwhile."""

    name, size, places = "dlib-resnet", SIZE, PLACES
    likeness = Likeness(joined=0.4, jump=0.6, threshold=0.6, cut=0.7)

    def __init__(self, weights: Path) -> None:
        self._network = dlib.face_recognition_model_v1(str(weights))
        with weights.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.version = f"dlib {dlib.__version__}, weights {sha256[:12]}"

    def describe(self, chips: RGB) -> ArrayF:
        if not len(chips):
            return np.zeros((0, 128), np.float32)
        found = self._network.compute_face_descriptor([np.ascontiguousarray(chip) for chip in chips])
        return np.array([np.asarray(each) for each in found], np.float32)
