"""Pictures of a data set as crops of one size, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data import FaceSet
from fer_core.data.pictures import square
from fer_core.data.records import Picture
from fer_core.errors import Cancelled, DataError
from fer_core.faces import DEFAULT_DETECTOR, CropGeometry, Detector, Faces, crop_faces, make_detector

if TYPE_CHECKING:
    from fer_core.models.classifier import Classifier

MAX_PHOTO_PX = 1280
"""Photos are made smaller to this longer side before a face is looked for."""
Crops = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""Crops (n, s, s) or (n, s, s, 3), and (n,) whether each shows a face that was found."""


class Reader:
    """Reads pictures in order, a batch at a time; ``unreadable`` collects messages, None where one is an error."""

    def __init__(self, faces: FaceSet, should_stop: Callable[[], bool], unreadable: list[str] | None) -> None:
        self.faces, self.should_stop, self.unreadable = faces, should_stop, unreadable
        self.done = 0

    def batches(self, size: int) -> Iterator[tuple[list[int], list[Picture]]]:
        """Rows and pictures."""
        for start in range(0, len(self.faces), size):
            read = {i: self._read(i) for i in range(start, min(start + size, len(self.faces)))}
            there = {i: picture for i, picture in read.items() if picture is not None}
            self.done = start + len(read)
            yield list(there), list(there.values())

    def _read(self, i: int) -> Picture | None:
        if self.should_stop():
            raise Cancelled("The evaluation was stopped.")
        try:
            return self.faces.picture(i)
        except DataError as error:
            if self.unreadable is None:
                raise
            self.unreadable.append(str(error))
            return None


@dataclass(frozen=True)
class Squares:
    """Cut faces as crops of one size."""

    side_px: int

    def __call__(self, pictures: Sequence[Picture]) -> Crops:
        crops = [square(picture, self.side_px) for picture in pictures]
        if len({crop.ndim for crop in crops}) > 1:
            crops = [as_rgb(crop) for crop in crops]
        return np.stack(crops), np.ones(len(crops), np.bool_)


@dataclass(frozen=True)
class FaceFinder:
    """The largest face of every photo as a crop; the whole photo where there is none."""

    detector: Detector
    geometry: CropGeometry

    @classmethod
    def of(cls, classifier: Classifier) -> FaceFinder:
        name = str(classifier.card.data.get("detector") or DEFAULT_DETECTOR)
        return cls(_detector(name, str(classifier.device)), classifier.card.crop)

    def __call__(self, pictures: Sequence[Picture]) -> Crops:
        photos = [_smaller(as_rgb(picture)) for picture in pictures]
        seen = self.detector.detect(photos)
        crops = [self._crop(photo, faces) for photo, faces in zip(photos, seen, strict=True)]
        return np.stack(crops), np.array([len(faces) > 0 for faces in seen])

    def _crop(self, photo: Picture, faces: Faces) -> Picture:
        if not len(faces):
            return square(photo, self.geometry.size)
        areas = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
        return crop_faces(photo, faces[np.array([areas.argmax()])], self.geometry)[0]


@lru_cache(maxsize=1)
def _detector(name: str, device: str) -> Detector:
    return make_detector(name, device=device)


def as_rgb(picture: Picture) -> Picture:
    """A grey or RGB picture as RGB."""
    return np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture


def _smaller(photo: Picture) -> Picture:
    share = MAX_PHOTO_PX / max(photo.shape[:2])
    if share >= 1:
        return photo
    size = [max(round(side * share), 1) for side in photo.shape[1::-1]]
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
