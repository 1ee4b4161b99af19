"""RetinaFace behind the interface of detectors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from fer_core.faces.records import RGB, Faces, check_rgb
from fer_core.faces.retinaface.boxes import SIDES, anchors, best, decode_boxes, decode_landmarks
from fer_core.faces.retinaface.network import RetinaFace

MEAN_BGR = (104.0, 117.0, 123.0)
"""Subtracted from the pixels (0-255), blue first, as where the weights were trained."""
MIN_SCORE = 0.6
"""Faces below this are dropped: the threshold at which the publishers of the weights draw a face."""
MAX_SIDE = 1600
"""Longer pictures are made smaller, as the publishers do; but the smallest wanted face never below an anchor."""


class RetinaFaceDetector:
    """The network behind our interface.

    Args:
        net: the network with its weights; goes to ``device`` and into evaluation mode.
        min_face_px: faces with a shorter side below this are dropped.
        min_score: faces below this probability are dropped (0-1).
        max_side: see ``MAX_SIDE``, in pixels.
        device: torch device. On a CPU pictures go one by one; elsewhere pictures of one size go together.
    """

    def __init__(
        self, net: RetinaFace, *, min_face_px: int = 40, min_score: float = MIN_SCORE, max_side: int = MAX_SIDE,
        device: str = "cpu",
    ) -> None:  # fmt: skip
        self.name = f"retinaface-{net.backbone}"
        self.min_face_px, self.min_score, self.max_side = min_face_px, min_score, max_side
        self.device = torch.device(device)
        self._net = net.to(self.device).eval()

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """See ``Detector.detect``."""
        for image in images:
            check_rgb(image)
        if self.device.type != "cpu" and len({image.shape for image in images}) == 1:
            return self._detect_batch(list(images))
        return [self._detect_batch([image])[0] for image in images]

    def _detect_batch(self, images: list[RGB]) -> list[Faces]:
        """Pictures of one size in one pass."""
        height, width = images[0].shape[:2]
        if min(height, width) < self.min_face_px:
            return [Faces.none() for _ in images]
        x = self._input(images)
        with torch.inference_mode():
            logits, boxes, landmarks = self._net(x)
            around = anchors(*x.shape[-2:]).to(self.device)
            scale = x.new_tensor([width / x.shape[-1], height / x.shape[-2]])  # pixels of the picture per pixel of x
            boxes = decode_boxes(boxes, around) * scale.repeat(2)
            landmarks = decode_landmarks(landmarks, around) * scale
            scores = logits.softmax(dim=-1)[..., 1]
        return [self._keep(*each) for each in zip(boxes, scores, landmarks, strict=True)]

    def _input(self, images: list[RGB]) -> Tensor:
        """Float (n, 3, h, w): blue first, less the mean, made smaller where the pictures are long."""
        height, width = images[0].shape[:2]
        scale = shrink(height, width, min_face_px=self.min_face_px, max_side=self.max_side)
        if scale < 1:
            size = (max(round(width * scale), 1), max(round(height * scale), 1))
            images = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
        x = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2).flip(1).float()
        return x - x.new_tensor(MEAN_BGR).view(3, 1, 1)

    def _keep(self, boxes: Tensor, scores: Tensor, landmarks: Tensor) -> Faces:
        kept = best(boxes, scores, self.min_score)
        kept = kept[(boxes[kept, 2:] - boxes[kept, :2]).amin(dim=1) >= self.min_face_px]
        return Faces(*(values[kept].cpu().numpy() for values in (boxes, scores, landmarks)))


def shrink(height: int, width: int, *, min_face_px: int, max_side: int = MAX_SIDE) -> float:
    """Factor (0-1] that brings the longer side to ``max_side``, while the smallest face stays as large as an anchor."""
    return min(1.0, max(max_side / max(height, width), SIDES[0][0] / min_face_px))
