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
from fer_core.faces import DEFAULT_DETECTOR, CropGeometry, Detector, Faces, crop_faces, iou_matrix, make_detector

if TYPE_CHECKING:
    from fer_core.models.classifier import Classifier

PHOTO_PX = (1280, 3840)
"""Photos are made smaller to this longer side before a face is looked for; to the second where none is found."""
BATCH_PIXELS = 64_000_000
"""So many pixels of a batch are enough, or the memory of small machines is not."""
SAME_FACE = 0.3
"""A face that was found is the one that a box means where they overlap so far (intersection over union)."""


@dataclass(frozen=True)
class CutFaces:
    """One face of each of n pictures.

    Attributes:
        crops: uint8 (n, s, s) or (n, s, s, 3), what the network gets.
        n_faces: int64 (n,), faces among which it was chosen; 0 where none was found, and the whole picture (or the box
            that was told) is taken; 1 where the picture is a cut face or the box says which one is meant.
        boxes: float32 (n, 4), x0 y0 x1 y1 in pixels of the picture; the whole picture where nothing was looked for.
    """

    crops: NDArray[np.uint8]
    n_faces: NDArray[np.int64]
    boxes: NDArray[np.float32]


class Reader:
    """Reads pictures in order, a batch at a time; ``unreadable`` collects messages, None where one is an error."""

    def __init__(self, faces: FaceSet, should_stop: Callable[[], bool], unreadable: list[str] | None) -> None:
        self.faces, self.should_stop, self.unreadable = faces, should_stop, unreadable
        self.done = 0

    def batches(self, size: int) -> Iterator[tuple[list[int], list[Picture]]]:
        """Rows and pictures: ``size`` of them, or fewer where they are huge."""
        there: dict[int, Picture] = {}
        start = n_pixels = 0
        for i in range(len(self.faces)):
            if (picture := self._read(i)) is not None:
                there[i] = picture
                n_pixels += picture.shape[0] * picture.shape[1]
            self.done = i + 1
            if self.done in (start + size, len(self.faces)) or n_pixels >= BATCH_PIXELS:
                yield list(there), list(there.values())
                there, start, n_pixels = {}, self.done, 0

    def batch(self, start: int, size: int) -> tuple[list[int], list[Picture]]:
        """Rows and pictures from ``start`` on, those that can be read."""
        read = {i: self._read(i) for i in range(start, min(start + size, len(self.faces)))}
        there = {i: picture for i, picture in read.items() if picture is not None}
        self.done = start + len(read)
        return list(there), list(there.values())

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

    def __call__(self, pictures: Sequence[Picture], meant: NDArray[np.float32] | None = None) -> CutFaces:
        crops = [square(picture, self.side_px) for picture in pictures]
        if len({crop.ndim for crop in crops}) > 1:
            crops = [as_rgb(crop) for crop in crops]
        boxes = np.stack([_whole(picture) for picture in pictures])
        return CutFaces(np.stack(crops), np.ones(len(crops), np.int64), boxes)


@dataclass(frozen=True)
class FaceFinder:
    """A face of every photo as a crop, cut as in videos: the one in the box that is ``meant`` (n, 4), else the largest;
    the box or the whole photo where none is found."""

    detector: Detector
    geometry: CropGeometry

    @classmethod
    def of(cls, classifier: Classifier) -> FaceFinder:
        name = str(classifier.card.data.get("detector") or DEFAULT_DETECTOR)
        return cls(_detector(name, str(classifier.device)), classifier.card.crop)

    def __call__(self, pictures: Sequence[Picture], meant: NDArray[np.float32] | None = None) -> CutFaces:
        photos = [as_rgb(picture) for picture in pictures]
        wanted = np.full((len(photos), 4), np.nan, np.float32) if meant is None else meant
        found = [
            self._cut(photo, faces, box) for photo, faces, box in zip(photos, self._seen(photos), wanted, strict=True)
        ]
        crops, counts, boxes = zip(*found, strict=True)
        return CutFaces(np.stack(crops), np.array(counts, np.int64), np.stack(boxes))

    def _seen(self, photos: Sequence[Picture]) -> list[Faces]:
        """Faces of each photo, in its own pixels."""
        first, second = PHOTO_PX
        seen = [_enlarged(*each) for each in self._detected(photos, first)]
        again = [i for i, photo in enumerate(photos) if not len(seen[i]) and max(photo.shape[:2]) > first]
        for i in again:  # one at a time: these are large
            seen[i] = _enlarged(*self._detected([photos[i]], second)[0])
        return seen

    def _detected(self, photos: Sequence[Picture], longest_px: int) -> list[tuple[Faces, float]]:
        """Faces of photos made smaller, and by how much they were."""
        small = [_smaller(photo, longest_px) for photo in photos]
        times = [photo.shape[1] / each.shape[1] for photo, each in zip(photos, small, strict=True)]
        return list(zip(self.detector.detect(small), times, strict=True))

    def _cut(
        self, photo: Picture, faces: Faces, meant: NDArray[np.float32]
    ) -> tuple[Picture, int, NDArray[np.float32]]:
        is_told = bool(np.isfinite(meant).all())
        fits = iou_matrix(meant[None], faces.boxes)[0] if is_told and len(faces) else np.zeros(0)
        if is_told and not (fits >= SAME_FACE).any():
            return _part(photo, meant, self.geometry.size), 0, meant
        if not len(faces):
            return square(photo, self.geometry.size), 0, _whole(photo)
        areas = (faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1)
        chosen = int((fits if is_told else areas).argmax())
        crop = crop_faces(photo, faces[np.array([chosen])], self.geometry)[0]
        return crop, 1 if is_told else len(faces), faces.boxes[chosen]


@lru_cache(maxsize=1)
def _detector(name: str, device: str) -> Detector:
    return make_detector(name, device=device)


def as_rgb(picture: Picture) -> Picture:
    """A grey or RGB picture as RGB."""
    return np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture


def _whole(picture: Picture) -> NDArray[np.float32]:
    """A picture's own box."""
    return np.array([0, 0, picture.shape[1], picture.shape[0]], np.float32)


def _part(photo: Picture, box: NDArray[np.float32], side_px: int) -> Picture:
    """The square around a box, as far as the photo reaches."""
    half = float((box[2:] - box[:2]).max()) / 2
    middle, limit = (box[:2] + box[2:]) / 2, np.array(photo.shape[1::-1])
    low = np.clip(np.floor(middle - half).astype(int), 0, limit - 1)
    high = np.clip(np.ceil(middle + half).astype(int), low + 1, limit)
    return square(photo[low[1] : high[1], low[0] : high[0]], side_px)


def _enlarged(faces: Faces, times: float) -> Faces:
    """Faces of a photo that had been made smaller, in its own pixels."""
    return Faces((faces.boxes * times).astype(np.float32), faces.scores, (faces.landmarks * times).astype(np.float32))


def _smaller(photo: Picture, longest_px: int) -> Picture:
    share = longest_px / max(photo.shape[:2])
    if share >= 1:
        return photo
    size = [max(round(side * share), 1) for side in photo.shape[1::-1]]
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
