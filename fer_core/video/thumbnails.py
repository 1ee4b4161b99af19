"""The best picture of every strip's face, and how often and how surely it was seen: kept while frames go by."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.video.reader import RGB, Frame

THUMBNAIL = CropGeometry(size=112, margin=1.3)


@dataclass
class Sighting:
    """How often and how surely a strip was seen so far; the quality of its thumbnail."""

    faces: int = 0
    score: float = 0.0
    thumbnail: float = 0.0


class Thumbnails:
    """``seen`` says of every strip how it was seen; pictures lie in ``folder`` until ``give`` copies the best ones, or
    nowhere, where nobody is to be kept."""

    def __init__(self, folder: Path, *, keep: bool = True) -> None:
        self.folder, self.keep = folder, keep
        self.fresh: set[Path] = set()
        """Pictures that were saved since this was emptied, and may not be on the disk yet."""
        self.seen: defaultdict[int, Sighting] = defaultdict(Sighting)

    def meet(self, frame: Frame, faces: Faces, strips: NDArray, qualities: Sequence[float]) -> None:
        """Note who was seen; save a face's picture whenever it is clearly better than the strip's last one."""
        for i, strip in enumerate(strips.tolist()):
            known, score = self.seen[strip], float(faces.scores[i])
            known.faces, known.score = known.faces + 1, max(known.score, score)
            if qualities[i] > 1.1 * known.thumbnail or known.faces == 1:
                self.save(strip, qualities[i], crop_faces(frame.image, faces[np.array([i])], THUMBNAIL)[0])

    def save(self, strip: int, quality: float, picture: RGB) -> None:
        """Keep a picture as a strip's thumbnail."""
        self.seen[strip].thumbnail = quality
        if not self.keep:
            return
        small = picture if len(picture) == THUMBNAIL.size else cv2.resize(picture, (THUMBNAIL.size, THUMBNAIL.size))
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        new = self._of(strip).with_suffix(".new")
        new.write_bytes(jpeg.tobytes())
        self.fresh.add(new.replace(self._of(strip)))

    def unite(self, same: Mapping[int, int]) -> None:
        """Count what was seen of a part of a strip for the whole."""
        for young, old in same.items():
            if young in self.seen:
                part, whole = self.seen.pop(young), self.seen[old]
                whole.faces, whole.score = whole.faces + part.faces, max(whole.score, part.score)

    def give(self, numbers: Mapping[int, int], folder: Path) -> None:
        """Each person has the best picture of all strips; those of who is left out stay behind."""
        best: dict[int, int] = {}
        for strip, person in numbers.items():
            if self._of(strip).is_file():
                best[person] = max(best.get(person, strip), strip, key=lambda each: self.seen[each].thumbnail)
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier try
        folder.mkdir()
        for person, strip in best.items():
            shutil.copyfile(self._of(strip), folder / f"track_{person}.jpg")

    def state(self) -> dict[str, Any]:
        """What is known, for ``going_on``; the pictures are in the folder."""
        rows = [(each.faces, each.score, each.thumbnail) for each in self.seen.values()]
        return {
            "strips": np.array(list(self.seen), np.int64),
            "faces": np.array([row[0] for row in rows], np.int64),
            "measures": np.array([row[1:] for row in rows], np.float64).reshape(-1, 2),
        }

    def going_on(self, state: Mapping[str, Any]) -> None:
        """Know what another one did; a picture that was saved after that is saved anew when its frame comes."""
        rows = zip(state["strips"].tolist(), state["faces"].tolist(), state["measures"].tolist(), strict=True)
        self.seen.update({strip: Sighting(faces, *measures) for strip, faces, measures in rows})

    def _of(self, strip: int) -> Path:
        return self.folder / f"strip_{strip}.jpg"
