"""How thoroughly a video is looked at. Needs no torch, so that forms can list the modes."""

from __future__ import annotations

from fer_core.errors import InputError
from fer_core.faces.detectors import DETECTORS

_REFINING = ", ".join(kind.title for kind in DETECTORS.values() if kind.refines)

MODES: dict[str, str] = {
    "fast": f"looks anew a few times a second and at every cut, and refines the faces in between (with {_REFINING})",
    "exact": "looks for faces anew in every frame",
    "preview": "looks at two frames a second, or as many as you say",
}
"""Name and promise of each mode, the default first."""
PREVIEW_PER_SECOND = 2.0


def check_mode(mode: str) -> None:
    """Raise ``InputError`` unless it is one of ``MODES``."""
    if mode not in MODES:
        raise InputError(f"Unknown mode {mode!r}; expected one of {', '.join(MODES)}.")
