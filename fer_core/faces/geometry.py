"""How faces are cut, without the cutting: cards and pages need no OpenCV to know it."""

from __future__ import annotations

from dataclasses import dataclass

from fer_core.errors import CheckpointError

ALIGNMENTS = ("eyes-mouth",)


@dataclass(frozen=True)
class CropGeometry:
    """How faces are cut for a model.

    Attributes:
        size: side of the crop in pixels.
        margin: 1.0 is the size of faces in FER2013 pictures; larger shows more around the face.
        align: ``eyes-mouth``, the only way so far: upright by the eyes, size and place by eyes and mouth.
    """

    size: int = 48
    margin: float = 1.0
    align: str = "eyes-mouth"

    def __post_init__(self) -> None:
        if self.align not in ALIGNMENTS:
            raise CheckpointError(f"Unknown face alignment {self.align!r}; known are {', '.join(ALIGNMENTS)}.")
        if not (8 <= self.size <= 1024 and 0.5 <= self.margin <= 3.0):
            raise CheckpointError(f"Crop size {self.size} px, margin {self.margin} are outside 8-1024 px and 0.5-3.")
