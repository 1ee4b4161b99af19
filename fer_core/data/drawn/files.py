"""Writing pictures."""

from __future__ import annotations

from pathlib import Path

import cv2

from fer_core.data.records import Picture


def save_picture(path: Path, picture: Picture) -> Path:
    """Write a grey (h, w) or RGB (h, w, 3) picture; the ending of ``path`` is the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    path.write_bytes(cv2.imencode(path.suffix.lower(), bgr)[1].tobytes())
    return path
