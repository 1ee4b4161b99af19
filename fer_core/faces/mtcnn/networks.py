"""MTCNN's three networks (Zhang et al. 2016) on a CPU, without what slows the library down.

Weights, scales, thresholds and every rounding are those of facenet-pytorch; tests hold the faces to its own. What is
different: the pyramid is made from one table of sums; the first network goes over strips that stay in the processor's
cache, and turns only promising places into boxes; one thread works on one picture, so that
several pictures go side by side. ``refine`` starts from boxes instead of a pyramid.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torchvision.ops import nms

from fer_core.faces.records import RGB, ArrayF, Faces, suppressed

THRESHOLDS = (0.6, 0.7, 0.7)
"""Scores that a candidate needs after P-, R- and O-Net, as published."""
FACTOR, CELL, STRIDE = 0.709, 12, 2
"""Step of the pyramid; side in px and distance of the windows that P-Net judges."""
STRIP_PX = 48_000
"""Pixels of a strip: what P-Net makes of it stays in the cache."""
ENOUGH = 2
SMALL_CHUNK, LARGE_CHUNK = 32, 8
"""Crops that R-Net and O-Net see at once: what they make of them stays in the cache."""
WIDE = 16
"""Channels of P-Net's first layer, of which 10 are its own and the rest zero: it takes a sixth less time, as processors
go over 8 or 16 numbers at once."""
_MEAN, _SCALE = np.float32(127.5), np.float32(0.0078125)


Sums = NDArray[np.int32]
"""Of all pixels above and to the left of each of a picture (h, w, 3), (h + 1, w + 1, 3). Sums may overflow: their
differences do not."""


class Networks:
    """The three networks, on the CPU, in the calling thread.

    Args:
        pnet, rnet, onet: the networks, as facenet-pytorch builds them.
        min_face_px: smallest face that is looked for; the cost grows with its inverse square.
    """

    def __init__(self, pnet: Any, rnet: nn.Module, onet: nn.Module, *, min_face_px: int) -> None:
        self.min_face_px = min_face_px
        self._own = threading.local()
        self._rnet, self._onet = rnet.eval(), onet.eval()
        first = _widened(pnet.conv1, pnet.conv1.in_channels, WIDE), _widened(pnet.prelu1, WIDE)
        second = _widened(pnet.conv2, WIDE, pnet.conv2.out_channels)
        self._trunk = nn.Sequential(*first, pnet.pool1, second, pnet.prelu2, pnet.conv3, pnet.prelu3).to(
            memory_format=torch.channels_last
        )
        scores = pnet.conv4_1  # softmax over two is the logistic function of their difference
        self._score = nn.Conv2d(scores.in_channels, 1, 1)
        with torch.no_grad():
            self._score.weight.copy_(scores.weight[1:] - scores.weight[:1])
            assert scores.bias is not None and self._score.bias is not None
            self._score.bias.copy_(scores.bias[1:] - scores.bias[:1])
        self._score.to(memory_format=torch.channels_last)
        self._offsets: Tensor = pnet.conv4_2.weight[:, :, 0, 0].detach()
        self._offsets_bias: Tensor = pnet.conv4_2.bias.detach()

    @torch.inference_mode()
    def detect(self, image: RGB) -> Faces:
        """All faces of an RGB picture uint8 (h, w, 3), in no order."""
        sums = self._sums(image)
        boxes = self._candidates(sums)
        boxes = self._judged_small(sums, boxes)
        return self._judged_large(sums, boxes)

    def _sums(self, image: RGB) -> Sums:
        """In memory that this thread keeps for pictures of one size; a large table takes long to lay out."""
        found = cv2.integral(image, getattr(self._own, "sums", None), cv2.CV_32S)
        self._own.sums = found
        return np.asarray(found)

    @torch.inference_mode()
    def refine(self, images: Sequence[RGB], boxes: ArrayF) -> Faces:
        """The faces at boxes (n, 4), each in its own one of n pictures; a score of 0 where there is none.

        R-Net moves each box, whatever it thinks of it, and O-Net judges. Boxes need not be square.
        """
        squares = _squares(torch.from_numpy(np.ascontiguousarray(boxes, np.float32)))
        small, rows = _cut_each(images, squares, 24)
        if not len(rows):
            return _no_faces(len(boxes))
        offsets, _ = _in_chunks(self._rnet, small, SMALL_CHUNK)
        squares[rows] = _squares(_moved(squares[rows], offsets))
        large, rows = _cut_each(images, squares, 48)
        found = _no_faces(len(boxes))
        if len(rows):
            faces = self._answers(squares[rows], large)
            found.boxes[rows], found.scores[rows], found.landmarks[rows] = faces.boxes, faces.scores, faces.landmarks
        return found

    @torch.inference_mode()
    def glance(self, images: Sequence[RGB], boxes: ArrayF) -> ArrayF:
        """How sure R-Net is (n,) that boxes (n, 4), each in its own one of n pictures, show a face; 0-1."""
        squares = _squares(torch.from_numpy(np.ascontiguousarray(boxes, np.float32)))
        small, rows = _cut_each(images, squares, 24)
        found = np.zeros(len(boxes), np.float32)
        if len(rows):
            found[rows] = _in_chunks(self._rnet, small, SMALL_CHUNK)[1][:, 1].numpy()
        return found

    # P-Net

    def _candidates(self, sums: Sums) -> Tensor:
        """Squares (n, 4) in which P-Net sees a face."""
        found = [self._at_scale(small, scale) for scale, small in pyramid(sums, self.min_face_px)]
        rows = torch.cat(found) if found else torch.zeros(0, 9)
        rows = rows[nms(rows[:, :4], rows[:, 4], 0.7)]
        sides = (rows[:, 2:4] - rows[:, :2]).repeat(1, 2)
        return _squares(rows[:, :4] + rows[:, 5:] * sides)

    def _at_scale(self, small: ArrayF, scale: float) -> Tensor:
        """Rows (n, 9) of box, score and offsets, in pixels of the picture; the best of those that overlap."""
        rows = torch.cat([self._of_strip(strip, top, scale) for top, strip in strips(small)])
        return rows[nms(rows[:, :4], rows[:, 4], 0.5)]

    def _of_strip(self, strip: ArrayF, top: int, scale: float) -> Tensor:
        maps = self._trunk(_as_input(strip[None]))
        logits = self._score(maps)[0, 0]
        y, x = torch.nonzero(logits >= _LOGIT, as_tuple=True)
        scores = logits[y, x].sigmoid()
        offsets = maps[0, :, y, x].T @ self._offsets.T + self._offsets_bias
        corner = torch.stack([x, y + top // STRIDE], dim=1).float() * STRIDE
        low, high = ((corner + 1) / scale).floor(), ((corner + CELL) / scale).floor()
        return torch.cat([low, high, scores[:, None], offsets], dim=1)

    # R-Net and O-Net

    def _judged_small(self, sums: Sums, boxes: Tensor) -> Tensor:
        """Squares (n, 4) that R-Net keeps, moved as it says."""
        boxes, crops = _cut(sums, boxes, 24)
        if not len(boxes):
            return boxes
        offsets, scores = _in_chunks(self._rnet, crops, SMALL_CHUNK)
        kept = scores[:, 1] > THRESHOLDS[1]
        boxes, offsets, score = boxes[kept], offsets[kept], scores[kept, 1]
        best = nms(boxes, score, 0.7)
        return _squares(_moved(boxes[best], offsets[best]))

    def _judged_large(self, sums: Sums, boxes: Tensor) -> Faces:
        """Faces that O-Net keeps."""
        boxes, crops = _cut(sums, boxes, 48)
        if not len(boxes):
            return Faces.none()
        faces = self._answers(boxes, crops)
        faces = faces[faces.scores > THRESHOLDS[2]]
        return faces[suppressed(faces.boxes, faces.scores, 0.7)]

    def _answers(self, boxes: Tensor, crops: ArrayF) -> Faces:
        """What O-Net makes of boxes (n, 4), n > 0."""
        offsets, points, scores = _in_chunks(self._onet, crops, LARGE_CHUNK)
        sides, low = (boxes[:, 2:] - boxes[:, :2] + 1)[:, None], boxes[:, None, :2]
        landmarks = torch.stack([points[:, :5], points[:, 5:]], dim=2) * sides + low - 1
        return Faces(_moved(boxes, offsets).numpy(), scores[:, 1].numpy(), landmarks.numpy())


_LOGIT = float(np.log(THRESHOLDS[0] / (1 - THRESHOLDS[0])))


def pyramid(sums: Sums, min_face_px: int) -> Iterator[tuple[float, ArrayF]]:
    """Scales and pictures (h, w, 3) in which a face of 12 px is one of ``min_face_px`` and more in the picture with
    these sums."""
    height, width = (each - 1 for each in sums.shape[:2])
    scale = CELL / min_face_px
    while min(height, width) * scale >= CELL:
        yield scale, means(sums, int(height * scale + 1), int(width * scale + 1))
        scale *= FACTOR


def means(sums: Sums, height: int, width: int) -> ArrayF:
    """The picture (h, w, 3) with these ``sums`` as (height, width, 3).

    Every new pixel is the mean of all old ones that it touches, as torch's ``area``.
    """
    (top, bottom), (left, right) = _bins(sums.shape[0] - 1, height), _bins(sums.shape[1] - 1, width)
    rows = sums.take(bottom, axis=0) - sums.take(top, axis=0)
    totals = (rows.take(right, axis=1) - rows.take(left, axis=1)).astype(np.float32)
    totals *= (1 / np.outer(bottom - top, right - left)).astype(np.float32)[:, :, None]
    return totals


def _bins(n: int | NDArray[np.int64], side: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel and end of each of ``side`` bins of n pixels, or of each of n (m, 1): floor(i n / side) and
    ceil((i + 1) n / side)."""
    i = np.arange(side)
    return i * n // side, -(-(i + 1) * n // side)


def strips(picture: ArrayF) -> Iterator[tuple[int, ArrayF]]:
    """First row and rows of strips whose windows, together, are those of the whole picture, each once."""
    height, width = picture.shape[:2]
    n_windows = (height - 1) // STRIDE - 4  # from top to bottom; the pool takes half a row at the end
    rows = max(STRIP_PX // width // STRIDE * STRIDE, STRIDE)
    for top in range(0, n_windows * STRIDE, rows):
        yield top, picture[top : top + rows + CELL - STRIDE]


def _as_input(pictures: ArrayF) -> Tensor:
    """RGB (n, h, w, 3), 0-255 → (n, 3, h, w), channels last, about -1 to 1."""
    return torch.from_numpy((pictures - _MEAN) * _SCALE).permute(0, 3, 1, 2)


def _widened(layer: Any, *widths: int) -> Any:
    """A convolution or PReLU with more channels ``widths`` (in, out, as its kind has them), those added all zero."""
    wide = type(layer)(*widths, *([layer.kernel_size] if isinstance(layer, nn.Conv2d) else []))
    with torch.no_grad():
        for new, old in zip(wide.parameters(), layer.parameters(), strict=True):
            new.zero_()[tuple(slice(n) for n in old.shape)] = old
    return wide


def _in_chunks(net: nn.Module, crops: ArrayF, n: int) -> list[Tensor]:
    """Answers of a network to crops (m, h, w, 3), m > 0, of which it sees n at once."""
    found = [net(chunk) for chunk in torch.split(_as_input(crops), n)]
    return [torch.cat(each) for each in zip(*found, strict=True)]


def _squares(boxes: Tensor) -> Tensor:
    """Squares of the longer side around the middle of boxes (n, 4)."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.amax(dim=1, keepdim=True)
    corner = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return torch.cat([corner, corner + longer], dim=1)


def _moved(boxes: Tensor, offsets: Tensor) -> Tensor:
    """Boxes (n, 4) moved by offsets (n, 4) in units of their sides."""
    return boxes + offsets * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def windows(boxes: ArrayF, size: ArrayLike) -> NDArray[np.int64]:
    """The pixels of boxes (n, 4) that lie in a picture, ends exclusive; what is cut off at its edge is not filled up.

    ``size`` is width and height of the picture, or (n, 2) of each box's own.
    """
    whole = boxes.astype(np.int64)  # towards 0
    low = np.maximum(whole[:, :2], 1) - 1
    high = np.minimum(whole[:, 2:], size)
    return np.concatenate([low, high], axis=1)


def _cut(sums: Sums, boxes: Tensor, side: int) -> tuple[Tensor, ArrayF]:
    """The boxes that show anything of the picture with these sums, and their crops (n, side, side, 3), as ``means``
    makes them."""
    found = windows(boxes.numpy(), (sums.shape[1] - 1, sums.shape[0] - 1))
    kept = (found[:, :2] < found[:, 2:]).all(axis=1)
    x0, y0, x1, y1 = found[kept].T[:, :, None]
    (left, right), (top, bottom) = _bins(x1 - x0, side), _bins(y1 - y0, side)
    columns = np.stack([left, right]) + x0
    rows = np.stack([top, bottom]) + y0
    corners = sums.reshape(-1, 3).take(rows[:, None, :, :, None] * sums.shape[1] + columns[None, :, :, None], axis=0)
    totals = ((corners[1, 1] - corners[0, 1]) - (corners[1, 0] - corners[0, 0])).astype(np.float32)
    areas = (bottom - top)[:, :, None] * (right - left)[:, None]
    return boxes[torch.from_numpy(kept)], totals * (1 / areas).astype(np.float32)[..., None]


def _cut_each(images: Sequence[RGB], boxes: Tensor, side: int) -> tuple[ArrayF, NDArray[np.int64]]:
    """Crops (m, side, side, 3) of the boxes that show anything of their pictures, and which these are (m,)."""
    found = windows(boxes.numpy(), np.array([image.shape[1::-1] for image in images]).reshape(-1, 2))
    rows = np.flatnonzero((found[:, :2] < found[:, 2:]).all(axis=1))
    crops = [_scaled(images[i], found[i], side) for i in rows.tolist()]
    return np.stack(crops) if crops else np.zeros((0, side, side, 3), np.float32), rows


def _scaled(image: RGB, window: NDArray[np.int64], side: int) -> ArrayF:
    """Of large windows every k-th pixel is enough."""
    x0, y0, x1, y1 = window.tolist()
    step = max(min(x1 - x0, y1 - y0) // (ENOUGH * side), 1)
    return means(cv2.integral(image[y0:y1:step, x0:x1:step], sdepth=cv2.CV_32S), side, side)


def _no_faces(n: int) -> Faces:
    """n rows of no face."""
    return Faces(np.zeros((n, 4), np.float32), np.zeros(n, np.float32), np.zeros((n, 5, 2), np.float32))
