"""How a decoded frame stands: turned and mirrored by its display matrix, with square pixels, one size for a video."""

from __future__ import annotations

import math
import mmap
import struct
import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
MAX_TILT_DEG = 10.0
"""A matrix that is this close to quarter turns stands for them; one that is farther off is not followed."""


@dataclass(frozen=True)
class Turn:
    """What brings a stored picture upright: quarter turns clockwise, and then mirroring from left to right.

    ``is_plain``: a browser follows the matrix in the same way, for it takes only exact quarter turns.
    """

    rotation_deg: int = 0
    mirrored: bool = False
    is_plain: bool = True

    @property
    def lies(self) -> bool:
        """Whether width and height change places."""
        return self.rotation_deg % 180 != 0

    def of(self, image: RGB) -> RGB:
        """A view of an image (h, w, 3), turned."""
        turned = np.rot90(image, -self.rotation_deg // 90)
        return turned[:, ::-1] if self.mirrored else turned


@dataclass(frozen=True)
class Shape:
    """How a frame is stored: its size in pixels, and how it is brought upright."""

    width: int
    height: int
    turn: Turn


def stored_as(frame: Any) -> tuple[int, int, int]:
    """Another one whenever ``shape_of`` may be; cheap enough for every frame."""
    return frame.width, frame.height, frame.rotation


def shape_of(frame: Any) -> Shape:
    """How a decoded PyAV frame is stored. It keeps the frame's memory until the next garbage collection."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    return Shape(frame.width, frame.height, _AS_STORED if matrix is None else turn_of(bytes(matrix)))


_AS_STORED = Turn()


@lru_cache(maxsize=64)
def turn_of(matrix: bytes) -> Turn:
    """What a display matrix says: nine 32-bit numbers, of which x' = a x + c y and y' = b x + d y, y downwards."""
    a, b, _, c, d = struct.unpack("=9i", matrix)[:5]
    area = a * d - b * c
    if not area:
        return _AS_STORED
    if area < 0:  # mirrored last, so x' changes its sign
        a, c = -a, -c
    angle = math.degrees(math.atan2(b - c, a + d))
    nearest = round(angle / 90)
    off = abs(angle - 90 * nearest)
    if off > MAX_TILT_DEG:
        return Turn(is_plain=False)
    turn = Turn(nearest * 90 % 360, area < 0)
    return turn if off < 0.01 or turn == _AS_STORED else Turn(turn.rotation_deg, turn.mirrored, is_plain=False)


class Upright:
    """Makes RGB pictures of decoded frames: upright, with square pixels, all of the size of the first one.

    A frame that is stored in another size, or turned otherwise, is fitted into that size between black bars.

    Args:
        first: the shape of the video's first frame.
        ratio: width of a stored pixel by its height.
    """

    def __init__(self, first: Shape, ratio: float) -> None:
        self.first, self._ratio = first, ratio if 0.1 < ratio < 10 else 1.0
        self._memory = _Memory()
        self._stored = self._square(first)
        self.size = self.upright_size(first)

    def picture(self, frame: Any, shape: Shape) -> RGB:
        """RGB uint8 (h, w, 3) of a decoded frame of that shape."""
        if shape == self.first:
            return self._memory.copy(shape.turn.of(_rgb(frame, self._stored)))
        return self._memory.copy(self._fitted(frame, shape))

    def upright_size(self, shape: Shape) -> tuple[int, int]:
        """Width and height of a frame of that shape, upright and with square pixels, before it is fitted."""
        width, height = self._square(shape)
        return (height, width) if shape.turn.lies else (width, height)

    def _square(self, shape: Shape) -> tuple[int, int]:
        return max(round(shape.width * self._ratio), 1), shape.height

    def _fitted(self, frame: Any, shape: Shape) -> RGB:
        scale = min(room / side for room, side in zip(self.size, self.upright_size(shape), strict=True))
        width, height = (max(round(side * scale), 1) for side in self._square(shape))
        image = shape.turn.of(_rgb(frame, (width, height)))
        canvas = np.zeros((*self.size[::-1], 3), np.uint8)
        top, left = ((room - side) // 2 for room, side in zip(canvas.shape, image.shape[:2], strict=False))
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
        return canvas


def _rgb(frame: Any, size: tuple[int, int]) -> RGB:
    return np.asarray(frame.to_ndarray(format="rgb24", width=size[0], height=size[1], threads=1))


class _Memory:
    """Room for pictures; that of pictures which nobody holds any more is used again.

    Pictures live in one thread and die in others, of which the usual allocator makes twice the memory.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[mmap.mmap]] = {}

    def copy(self, image: RGB) -> RGB:
        """The same picture, C-contiguous; what is cut from it keeps it, too."""
        free = self._free.setdefault(image.nbytes, [])
        try:
            room = free.pop()
        except IndexError:
            room = mmap.mmap(-1, image.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        flat = np.frombuffer(room, np.uint8)
        weakref.finalize(flat, free.append, room).atexit = False
        picture = flat.reshape(image.shape)
        picture[:] = image
        return picture


__all__ = ["MAX_TILT_DEG", "RGB", "Shape", "Turn", "Upright", "shape_of", "stored_as", "turn_of"]
