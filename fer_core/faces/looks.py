"""What a face and a whole picture look like, in few numbers that changing light leaves nearly as they are.

They are compared between frames of one video and then forgotten: nothing of them is stored. A face is known by the
directions of its edges in blocks (histograms of oriented gradients, Dalal and Triggs 2005) and a little by its tint.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.faces.crops import crop_squares, cut_squares
from fer_core.faces.records import RGB, ArrayF, Faces

SIDE, MARGIN, CELL = 48, 1.3, 8
"""A face is cut with this side in px, with a little hair and collar around it; blocks have two by two cells."""
BLOCKS = (SIDE // CELL - 1) ** 2
LEAST_TEXTURE, FEW_BLOCKS = 1.5, 4
"""A block with a smaller standard deviation of grey values shows nothing; fewer than so many blocks are no look."""
FREE_TINT, TINT_WEIGHT = 0.2, 0.15
"""What a foreign tint takes from the likeness: per unit of log colour ratio above the free part."""
SCENE_SIZE, LEAST_CONTRAST, COLOUR_STEP = (32, 18), 3.0, 60.0
"""Size of the tiny picture of a scene; a channel with a smaller standard deviation is flat; flat pictures whose colours
differ by so much are nothing alike."""
AROUND, FEW_CELLS = 0.25, 16
"""How far around a face a scene is looked at, in sizes of its box, and the fewest pixels of the tiny picture for it."""
_EDGES = cv2.HOGDescriptor((SIDE, SIDE), (2 * CELL, 2 * CELL), (CELL, CELL), (CELL, CELL), 9)


@dataclass(frozen=True)
class SceneLook:
    """A whole picture.

    Attributes:
        shape: (3, p), each colour channel of a tiny picture, with mean 0 and norm 1.
        contrast: (3,), standard deviation of each channel on the 0-255 scale.
        colour: (3,), mean red, green and blue, 0-255.
        size: width and height of the picture in px.
    """

    shape: ArrayF
    contrast: ArrayF
    colour: ArrayF
    size: tuple[int, int]

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
    return SceneLook(tiny / np.maximum(norm, 1e-3)[:, None], norm / np.sqrt(tiny.shape[1]), colour, (width, height))


def scene_likeness(a: SceneLook, b: SceneLook) -> float:
    """How alike two pictures are laid out, at most 1: their correlation, whatever light is on them. Of two flat pictures
    the colours are compared."""
    if a.is_flat and b.is_flat:
        return float(1 - np.abs(a.colour - b.colour).max() / COLOUR_STEP)
    seen = (a.contrast >= LEAST_CONTRAST) & (b.contrast >= LEAST_CONTRAST)
    return float((a.shape * b.shape).sum(axis=1)[seen].mean()) if seen.any() else 0.0


def likeness_around(a: SceneLook, b: SceneLook, box: ArrayF) -> float:
    """How alike two pictures are in and around a box (4,): their correlation there, 0 if that is too little to tell."""
    scale = np.array(SCENE_SIZE) / a.size
    margin = AROUND * (box[2:] - box[:2])
    x0, y0 = np.maximum(np.floor((box[:2] - margin) * scale), 0).astype(int)
    x1, y1 = np.ceil((box[2:] + margin) * scale).astype(int)
    parts = [each.shape.reshape(3, *SCENE_SIZE[::-1])[:, y0:y1, x0:x1].reshape(3, -1) for each in (a, b)]
    if parts[0].shape[1] < FEW_CELLS:
        return 0.0
    first, second = (part - part.mean(axis=1, keepdims=True) for part in parts)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(((first * second).sum(axis=1) / np.maximum(norms, 1e-6)).mean())


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
        fields = [[part.edges for part in parts], [part.textured for part in parts], [part.tint for part in parts]]
        return cls(*(np.concatenate(field) for field in fields))


def face_looks(image: RGB, faces: Faces, scene: SceneLook) -> FaceLooks:
    """The looks of ``faces`` (n) in ``image``, whose own look is ``scene``."""
    crops = cut_squares(image, _squares(faces), SIDE)
    greys = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
    edges = [_EDGES.compute(grey) for grey in greys]
    blocks = np.asarray(edges, np.float32).reshape(len(crops), BLOCKS, 36)
    blocks = blocks - blocks.mean(axis=2, keepdims=True)
    blocks /= np.maximum(np.linalg.norm(blocks, axis=2, keepdims=True), 1e-3)
    logs = np.log(crops.reshape(len(crops), SIDE * SIDE, 3).mean(axis=1, dtype=np.float32) + 16)
    tint = np.stack([logs, logs - np.log(scene.colour + 16)], axis=1)
    return FaceLooks(blocks, _textured(greys), np.asarray(tint - tint.mean(axis=2, keepdims=True), np.float32))


def _squares(faces: Faces) -> NDArray[np.float64]:
    """Where each face is cut: by its landmarks, or by its box if they lie in a heap."""
    squares = crop_squares(faces.landmarks, MARGIN)
    size = np.sqrt(np.maximum((faces.boxes[:, 2:] - faces.boxes[:, :2]).prod(axis=1), 1))
    for i in np.flatnonzero(np.linalg.norm(squares[:, 1], axis=1) < 0.5 * size):
        middle = (faces.boxes[i, :2] + faces.boxes[i, 2:]) / 2
        squares[i] = [middle - size[i] * MARGIN / 2, (size[i] * MARGIN, 0), (0, size[i] * MARGIN)]
    return squares


def _textured(greys: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Whether a block of each grey picture shows anything, (n, b), in the order of the histograms: by columns."""
    n = SIDE // CELL
    cells = np.asarray(greys, np.float32).reshape(len(greys), n, CELL, n, CELL)
    sums, squares = cells.sum(axis=(2, 4)), (cells**2).sum(axis=(2, 4))
    sums, squares = (
        each[:, :-1, :-1] + each[:, 1:, :-1] + each[:, :-1, 1:] + each[:, 1:, 1:] for each in (sums, squares)
    )
    area = 4 * CELL**2
    variance = squares / area - (sums / area) ** 2
    return np.asarray(variance.transpose(0, 2, 1).reshape(len(greys), BLOCKS) > LEAST_TEXTURE**2)


def likeness(a: FaceLooks, b: FaceLooks) -> ArrayF:
    """How alike faces look, (n, m), at most 1.

    It is the mean correlation of the better half of the blocks, so that a hand before the face or another expression
    cost little, less something for a foreign tint. Faces without any texture are only told by their tint.
    """
    alike = np.matmul(a.edges.transpose(1, 0, 2), b.edges.transpose(1, 2, 0)).transpose(1, 2, 0)
    shown = a.textured[:, None] | b.textured[None]
    counts = shown.sum(axis=2)
    alike = np.sort(np.where(shown, alike, -2), axis=2)[:, :, ::-1]
    half = np.maximum((counts + 1) // 2, 1)
    best = np.where(np.arange(alike.shape[2]) < half[:, :, None], alike, 0).sum(axis=2) / half
    best = np.where(counts < FEW_BLOCKS, 1.0, best)
    tints = np.ptp(a.tint[:, None] - b.tint[None], axis=3).min(axis=2)
    return np.asarray(best - TINT_WEIGHT * np.maximum(tints - FREE_TINT, 0), np.float32)
