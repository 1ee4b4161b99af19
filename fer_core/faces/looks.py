"""What a face and a whole picture look like, in few numbers that changing light leaves nearly as they are.

They are compared between frames of one video and then forgotten: nothing of them is stored. A face is known by the
directions of its edges in blocks (histograms of oriented gradients, Dalal and Triggs 2005) and a little by its tint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces.crops import crop_squares
from fer_core.faces.records import RGB, ArrayF, Faces

SIDE, MARGIN, CELL = 48, 1.3, 8
"""A face is cut as a square with this side in px, with a little hair and collar around it; blocks have two by two cells
and stand by columns."""
ROW = SIDE // CELL - 1
MIDDLE = slice(ROW, -ROW)
"""The blocks that have no backdrop in them."""
HALF, THIRD = 2, 3
LEAST_TEXTURE, FEW_BLOCKS = 1.5, 4
"""A block with a smaller standard deviation of grey values shows nothing; fewer than so many blocks are no look."""
FREE_TINT, TINT_WEIGHT = 0.2, 0.15
"""What a foreign tint takes from the likeness: per unit of log colour ratio above the free part."""
SCENE_SIZE, LEAST_CONTRAST, COLOUR_STEP = (32, 18), 5.0, 60.0
"""Size of the tiny picture of a scene; a channel with a smaller standard deviation is flat; flat pictures whose colours
differ by so much are nothing alike."""
GLANCE, GLANCE_SAMPLES = 8, 24
"""Side of a glance at a face, and so many pixels of it, per side, that it is a mean of."""
_EDGES = cv2.HOGDescriptor((SIDE, SIDE), (2 * CELL, 2 * CELL), (CELL, CELL), (CELL, CELL), 9)


@dataclass(frozen=True)
class SceneLook:
    """A whole picture.

    Attributes:
        shape: (3, p), each colour channel of a tiny picture, with mean 0 and norm 1.
        contrast: (3,), standard deviation of each channel on the 0-255 scale.
        colour: (3,), mean red, green and blue, 0-255.
    """

    shape: ArrayF
    contrast: ArrayF
    colour: ArrayF

    @property
    def is_flat(self) -> bool:
        """Whether nothing is seen, as in a flash or in the dark."""
        return bool((self.contrast < LEAST_CONTRAST).all())


def scene_look(image: RGB) -> SceneLook:
    """How a picture (h, w, 3) looks as a whole, from some of its pixels."""
    height, width = image.shape[:2]
    some = np.ascontiguousarray(image[:: max(height // 72, 1), :: max(width // 128, 1)])
    tiny = cv2.resize(some, SCENE_SIZE, interpolation=cv2.INTER_AREA).reshape(-1, 3).T.astype(np.float32)
    colour = tiny.mean(axis=1)
    tiny -= colour[:, None]
    norm = np.linalg.norm(tiny, axis=1)
    return SceneLook(tiny / np.maximum(norm, 1e-3)[:, None], norm / np.sqrt(tiny.shape[1]), colour)


def scene_likeness(a: SceneLook, b: SceneLook) -> float:
    """How alike two pictures are laid out, at most 1: their correlation, whatever light is on them. Of two flat
    pictures the colours are compared."""
    if a.is_flat and b.is_flat:
        return float(1 - np.abs(a.colour - b.colour).max() / COLOUR_STEP)
    seen = (a.contrast >= LEAST_CONTRAST) & (b.contrast >= LEAST_CONTRAST)
    return float((a.shape * b.shape).sum(axis=1)[seen].mean()) if seen.any() else 0.0


@dataclass(frozen=True)
class FaceLooks:
    """The looks of n faces.

    Attributes:
        edges: (n, b, d), histogram of edge directions in each of b blocks, with mean 0 and norm 1.
        textured: bool (n, b), whether a block shows anything.
        tint: (n, 2, 3), logarithms of red, green and blue with mean 0: as they are, and over those of the picture.
    """

    edges: ArrayF
    textured: NDArray[np.bool_]
    tint: ArrayF

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self, index: slice | NDArray) -> FaceLooks:
        return FaceLooks(self.edges[index], self.textured[index], self.tint[index])

    @classmethod
    def joined(cls, parts: list[FaceLooks]) -> FaceLooks:
        """The looks of all parts, of which there is at least one."""
        edges, textured, tint = zip(*((part.edges, part.textured, part.tint) for part in parts), strict=True)
        return cls(np.concatenate(edges), np.concatenate(textured), np.concatenate(tint))


def looks_at(image: RGB, squares: NDArray[np.float64], scene: SceneLook) -> FaceLooks:
    """The looks of what is in ``squares`` (n, 3, 2) of ``image``, whose own look is ``scene``; see ``crop_squares``."""
    crops = np.array([_cut(image, square) for square in squares], np.uint8).reshape(len(squares), SIDE, SIDE, 3)
    greys = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    blocks = np.array([_EDGES.compute(grey) for grey in greys], np.float32).reshape(len(crops), ROW**2, 36)
    blocks -= blocks.mean(axis=2, keepdims=True)
    blocks /= np.maximum(np.linalg.norm(blocks, axis=2, keepdims=True), 1e-3)
    logs = np.log(np.array([cv2.mean(crop)[:3] for crop in crops], np.float32).reshape(-1, 3) + 16)
    tint = np.stack([logs, logs - np.log(scene.colour + 16)], axis=1)
    return FaceLooks(blocks, _textured(greys), np.asarray(tint - tint.mean(axis=2, keepdims=True), np.float32))


def _cut(image: RGB, square: NDArray[np.float64]) -> RGB:
    """What is in a square; of a large face every so many pixels, which tell as much as all."""
    times = 1 if math.hypot(*square[1]) <= SIDE else 2
    step = square[1:].T / (times * SIDE)
    start = square[0] + step.sum(axis=1) / 2 - 0.5  # from middles of pixels to middles of pixels
    size, flags = (times * SIDE, times * SIDE), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, np.column_stack([step, start]), size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut if times == 1 else cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def look_squares(faces: Faces) -> NDArray[np.float64]:
    """Where n faces are cut, (n, 3, 2): by their landmarks, or by their box if those lie in a heap."""
    squares = crop_squares(faces.landmarks, MARGIN)
    size = np.sqrt(np.maximum((faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1), 1))
    for i in np.flatnonzero(np.linalg.norm(squares[:, 1], axis=1) < 0.5 * size):
        middle = (faces.boxes[i, :2] + faces.boxes[i, 2:]) / 2
        squares[i] = [middle - size[i] * MARGIN / 2, (size[i] * MARGIN, 0), (0, size[i] * MARGIN)]
    return squares


def glances(image: RGB, boxes: ArrayF) -> ArrayF:
    """What is in boxes (n, 4) of ``image``, (n, 8, 8, 3) from 0 to 255: enough to see that nothing has changed."""
    height, width = image.shape[:2]
    low = np.clip(boxes[:, :2], 0, (width - 1, height - 1)).astype(int)
    high = np.clip(boxes[:, 2:], low + 1, (width, height)).astype(int)
    found = np.empty((len(boxes), GLANCE, GLANCE, 3), np.float32)
    for i, (x0, y0, x1, y1) in enumerate(np.hstack([low, high]).tolist()):
        some = cv2.resize(image[y0:y1, x0:x1], (GLANCE_SAMPLES, GLANCE_SAMPLES))
        found[i] = cv2.resize(some, (GLANCE, GLANCE), interpolation=cv2.INTER_AREA)
    return found


def _textured(greys: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Whether a block of each grey picture shows anything, (n, b), in the order of the histograms: by columns."""
    floats = [grey.astype(np.float32) for grey in greys]
    cells = np.array([_cells(each) for each in floats] + [_cells(each * each) for each in floats], np.float32)
    cells = cells.reshape(2, len(greys), ROW + 1, ROW + 1)
    blocks = (cells[..., :-1, :-1] + cells[..., 1:, :-1] + cells[..., :-1, 1:] + cells[..., 1:, 1:]) / 4
    variance = blocks[1] - blocks[0] ** 2
    return np.asarray(variance.transpose(0, 2, 1).reshape(len(greys), ROW**2) > LEAST_TEXTURE**2)


def _cells(grey: ArrayF) -> ArrayF:
    """Mean of each cell."""
    return np.asarray(cv2.resize(grey, (ROW + 1, ROW + 1), interpolation=cv2.INTER_AREA), np.float32)


def likeness(a: FaceLooks, b: FaceLooks) -> ArrayF:
    """How alike faces look, (n, m), at most 1.

    It is the mean correlation of the better half of the blocks, so that a hand before the face or another expression
    cost little, less something for a foreign tint. Faces without any texture are only told by their tint.
    """
    return _best_blocks(a.edges, a.textured, b.edges, b.textured, HALF) - _foreign(a, b)


def likeness_of_rest(a: FaceLooks, b: FaceLooks) -> ArrayF:
    """The same for faces of which more than half may be covered: the better third of the blocks in the middle."""
    parts = (a.edges[:, MIDDLE], a.textured[:, MIDDLE], b.edges[:, MIDDLE], b.textured[:, MIDDLE])
    return _best_blocks(*parts, THIRD) - _foreign(a, b)


def _best_blocks(a: ArrayF, is_a: NDArray[np.bool_], b: ArrayF, is_b: NDArray[np.bool_], share: int) -> ArrayF:
    """Mean correlation (n, m) of one in ``share`` of the blocks in which at least one of two faces shows something."""
    alike = np.matmul(a.transpose(1, 0, 2), b.transpose(1, 2, 0)).transpose(1, 2, 0)
    shown = is_a[:, None] | is_b[None]
    counts = shown.sum(axis=2)
    alike = np.sort(np.where(shown, alike, -2), axis=2)[:, :, ::-1]
    used = np.maximum(-(-counts // share), 1)
    best = np.where(np.arange(alike.shape[2]) < used[:, :, None], alike, 0).sum(axis=2) / used
    return np.asarray(np.where(counts < FEW_BLOCKS, 1.0, best), np.float32)


def _foreign(a: FaceLooks, b: FaceLooks) -> ArrayF:
    """What a foreign tint takes (n, m)."""
    tints = np.ptp(a.tint[:, None] - b.tint[None], axis=3).min(axis=2)
    return np.asarray(TINT_WEIGHT * np.maximum(tints - FREE_TINT, 0), np.float32)
