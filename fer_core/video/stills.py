"""Still pictures that are analysed like videos of one frame: what they are, and their pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fer_core.errors import VideoError

PICTURES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",), "BMP": (".bmp",)}
"""Kinds that are read, and the endings of their files."""
MAX_PIXELS = 8192 * 8192


def picture_kind(path: Path, name: str) -> str | None:
    """``JPEG``, ``PNG``, … by content, or None if it is none of ``PICTURES``.

    Raises:
        VideoError: it has more than ``MAX_PIXELS``.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise VideoError(f"{name} is too large ({picture.width}×{picture.height}); scale it down.")
            kind = {"MPO": "JPEG"}.get(picture.format or "", picture.format)  # two-picture JPEGs of phones and cameras
            return kind if kind in PICTURES else None
    except VideoError:
        raise
    except Image.DecompressionBombError as error:
        raise VideoError(f"{name} is too large a picture; scale it down to less than 8192×8192 pixels.") from error
    except Exception:  # Pillow raises many kinds for what is no picture; then it may be a video
        return None


def read_picture(path: Path, name: str, kind: str | None) -> NDArray[np.uint8]:
    """RGB uint8 (h, w, 3) of a file called ``name`` in messages, whose content is of a ``kind``.

    Raises:
        VideoError: it is of none, called like another kind, or damaged.
    """
    if kind is None:
        raise VideoError(f"{name} is not a readable picture. Supported are JPEG, PNG, WebP and BMP.")
    if path.suffix.lower() not in PICTURES[kind]:
        ending = PICTURES[kind][0]
        raise VideoError(f"{name} is not a video but a {kind} picture. Rename it to end in {ending}.")
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise VideoError(f"{name} is a damaged {kind} picture. Save or copy it again.")
    return np.asarray(image, np.uint8)
