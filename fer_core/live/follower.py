"""Faces of frames as they come, of which the next is not known yet.

As in the mode ``fast`` of ``fer_core.video.scan``, faces are looked for a few times a second and at every cut, and
followed in between; but from the frame before alone, so a face that comes in between is not seen before the next look.
"""

from __future__ import annotations

import numpy as np

from fer_core.faces import Detector, Faces, can_refine
from fer_core.faces.detectors import Refiner
from fer_core.faces.looks import scene_likeness
from fer_core.faces.records import suppressed
from fer_core.faces.tracking import CHANGED
from fer_core.video.columns import REFINED
from fer_core.video.reader import Frame
from fer_core.video.scan import KEY_FRAMES, KEY_S, Scanned, judged, looked_at

SOON_S = 0.2
"""Where a face was lost, or nobody is there, the next look comes as soon."""


class Follower:
    """Finds the faces of successive frames, the faster the fewer looks it needs; with a detector that is no
    ``Refiner`` every frame is looked at."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self._before: Scanned | None = None
        self._looked_s, self._since = 0.0, 0

    def find(self, frame: Frame) -> Scanned:
        """Faces of a frame that is later than the one before."""
        found = self._followed(frame)
        if found is None:
            found = looked_at(frame, self.detector.detect([frame.image])[0])
            self._looked_s, self._since = frame.time_s, 0
        self._since += 1
        self._before = found
        return found

    def _followed(self, frame: Frame) -> Scanned | None:
        """The faces of the frame before in this one; None where it is time to look anew."""
        before, passed_s = self._before, frame.time_s - self._looked_s
        if before is None or not can_refine(self.detector) or self._is_other(frame, before.frame):
            return None
        if self._since >= KEY_FRAMES or passed_s > KEY_S - 1e-6:
            return None
        found = _refined(self.detector, frame, before.faces)
        is_lost = len(found.faces) < max(len(before.faces), 1)
        return None if is_lost and passed_s > SOON_S - 1e-6 else found

    def _is_other(self, frame: Frame, before: Frame) -> bool:
        return frame.image.shape != before.image.shape or scene_likeness(before.look, frame.look) < CHANGED


def _refined(refiner: Refiner, frame: Frame, before: Faces) -> Scanned:
    """Those of the faces of the frame before that are still there; of two that became one the better."""
    if not len(before):
        return Scanned(frame, before, np.zeros(0, object))
    found, sure = judged(refiner, [frame.image] * len(before), before.boxes)
    faces = found[np.flatnonzero(sure)]
    faces = faces[suppressed(faces.boxes, faces.scores, 0.7)]
    return Scanned(frame, faces, np.full(len(faces), REFINED, object))


__all__ = ["SOON_S", "Follower"]
