"""What of a video is analysed, and how thoroughly. Needs no torch, so that forms and jobs can name it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fer_core.emotions import HALFWAY
from fer_core.errors import InputError
from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS

_REFINING = ", ".join(kind.title for kind in DETECTORS.values() if kind.refines)

MODES: dict[str, str] = {
    "fast": f"looks anew a few times a second and at every cut, and refines the faces in between (with {_REFINING})",
    "exact": "looks for faces anew in every frame",
    "preview": "looks at two frames a second, or as many as you say",
}
"""Name and promise of each mode, the default first."""
PREVIEW_PER_SECOND = 2.0


@dataclass(frozen=True)
class Settings:
    """What is analysed and how.

    Attributes:
        detector: name of the face detector, one of ``fer_core.faces.DETECTORS``.
        min_face_px: smallest face looked for, shorter side in pixels of the video.
        per_second: frames analysed per second; None takes every frame, or two a second in ``preview``.
        mode: ``exact`` looks for faces anew in every frame, ``fast`` a few times a second and refines them in between
            (see ``fer_core.video.scan``), ``preview`` takes few frames.
        start_s, end_s: clip range in seconds of the video's own time; ``end_s`` None is its end.
        track: number of the picture track, from 1; None is the one that players show.
        identity: recognise people by their faces (an extra), see ``fer_core.video.people``; descriptors of their faces,
            which are biometric data, are kept in the analysis folder.
        prior: how common each emotion is taken to be where the results are looked at, until a reviewer chooses
            otherwise: one of ``fer_core.emotions.PRIORS``. What is stored is as trained.
        keep_pictures: keep a picture of every person, and, in the workbench, the video; else tables alone.
    """

    detector: str = DEFAULT_DETECTOR
    min_face_px: int = 40
    per_second: float | None = None
    start_s: float = 0.0
    end_s: float | None = None
    mode: str = "fast"
    track: int | None = None
    identity: bool = False
    prior: str = HALFWAY
    keep_pictures: bool = True

    @property
    def rate(self) -> float | None:
        """Frames analysed per second; None for every one."""
        return PREVIEW_PER_SECOND if self.mode == "preview" and self.per_second is None else self.per_second


def check_mode(mode: str) -> None:
    """Raise ``InputError`` unless it is one of ``MODES``."""
    if mode not in MODES:
        raise InputError(f"Unknown mode {mode!r}; expected one of {', '.join(MODES)}.")


def check_range(start_s: float, end_s: float | None, per_second: float | None, *, name: str, length_s: float) -> None:
    """Whether a part of a video can be asked for, of which ``length_s`` is known for sure; 0 where it is not.

    Raises:
        InputError: the range or the rate makes no sense, or the range lies behind the end.
    """
    if not (math.isfinite(start_s) and start_s >= 0) or (end_s is not None and not end_s > start_s):
        raise InputError(f"A range must start at 0 s or later and end after its start, got {start_s} to {end_s} s.")
    if length_s and start_s >= length_s:
        raise InputError(f"The range starts at {start_s:g} s, but {name} is only {length_s:.2f} s long.")
    if per_second is not None and not 0 < per_second <= 1000:
        raise InputError(f"Frames per second must be above 0 and at most 1000, got {per_second}.")
