"""Pictures as a browser sends them, from bytes that may be anything."""

from __future__ import annotations

import io

from PIL import Image

from fer_core.errors import InputError
from fer_core.live import MAX_BYTES
from fer_core.video.stills import RGB, to_8_bits, upright

KINDS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS, MIN_SIDE = 4_200_000, 16
"""Larger pictures, and those with a shorter side, are refused before they are decoded."""


def picture_of(data: bytes) -> RGB:
    """RGB uint8 (h, w, 3) of a JPEG, PNG or WebP, upright; of an animated one the first picture.

    Raises:
        InputError: another kind, damaged, or too large or small; said before anything is decoded where the head tells.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"A frame may have at most {MAX_BYTES // 10**6} MB; send a smaller picture.")
    try:
        picture = Image.open(io.BytesIO(data), formats=KINDS)
        width, height = picture.size
    except Exception as error:  # Pillow raises many kinds for what is no picture
        raise InputError("The frame is no JPEG, PNG or WebP picture.") from error
    if width * height > MAX_PIXELS or min(width, height) < MIN_SIDE:
        raise InputError(
            f"A frame of {width}×{height} px cannot be used; send one of at least {MIN_SIDE} px a side and at most "
            f"{MAX_PIXELS / 1e6:g} million pixels."
        )
    try:
        return to_8_bits(upright(picture))[0]
    except Exception as error:  # as above, for what is damaged
        raise InputError("The frame is a damaged picture.") from error


__all__ = ["picture_of"]
