"""Which way the head faces, from the five landmarks and a mean face in three dimensions.

The landmarks are taken for a scaled orthographic picture of ``MEAN_FACE`` (the face is small beside its distance from
the camera). The best linear map from the mean face to the landmarks is found by least squares and its nearest rotation
by polar decomposition, both in closed form, so that hours of video take a moment. As only the nose stands out of the
plane of eyes and mouth, yaw and pitch are as good as the mean nose fits; ``docs/signals.md`` gives the errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.signals.base import LANDMARKS, Seen, register
from fer_core.signals.column import Column

MEAN_FACE = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.58, 0.42], [-0.42, 1.1, 0.04], [0.42, 1.1, 0.04]])
"""Eyes, nose and corners of the mouth in eye distances: x to the right, y down, z towards the camera. In the picture
plane as ``python -m benchmarks.haar_geometry`` finds them on average; the depths are rounded from adults, whose nose
ends about 27 mm before the eyes, which are 63 mm apart."""
_FROM_CENTRE = np.linalg.pinv(MEAN_FACE - MEAN_FACE.mean(axis=0)).astype(np.float32)
_LEAST = 1e-6


class HeadPose:
    """Yaw, pitch and roll in degrees, 0 for a face that looks into the camera.

    Positive yaw: the nose points to the right of the picture. Positive pitch: upwards. Positive roll: turned clockwise
    in the picture, so that the eye on the right lies lower. Turns are applied in the order yaw, pitch, roll.
    """

    name, needs = "pose", LANDMARKS
    columns = (
        Column("yaw", "how far the head is turned: positive to the right of the picture", unit="degrees",
               least=-90, most=90, averages=True),
        Column("pitch", "how far the head is raised: positive upwards", unit="degrees",
               least=-90, most=90, averages=True),
        Column("roll", "how far the head leans: positive clockwise in the picture", unit="degrees",
               least=-180, most=180, averages=True),
    )  # fmt: skip

    def of(self, seen: Seen) -> NDArray[np.float32]:
        """Float32 (n, 3)."""
        assert seen.landmarks is not None
        return head_pose(seen.landmarks)


def head_pose(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Yaw, pitch and roll in degrees, float32 (n, 3), of landmarks (n, 5, 2); NaN where all lie on one line."""
    points = landmarks.astype(np.float32) - landmarks.mean(axis=1, keepdims=True, dtype=np.float32)
    fitted = np.einsum("ij,njk->nki", _FROM_CENTRE, points)  # (n, 2, 3): rows are the picture's axes in the face
    right, down = _nearest_rotation(fitted)
    towards = np.cross(right, down)
    yaw = np.arctan2(-towards[:, 0], towards[:, 2])
    pitch = np.arcsin(np.clip(towards[:, 1], -1, 1))
    roll = np.arctan2(-right[:, 1], down[:, 1])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1)).astype(np.float32)


def _nearest_rotation(fitted: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The first two rows (n, 3) of the rotations nearest to maps (n, 2, 3): each map times the inverse square root of
    its 2 by 2 Gram matrix, which has a closed form."""
    a = (fitted[:, 0] ** 2).sum(axis=1)
    b = (fitted[:, 0] * fitted[:, 1]).sum(axis=1)
    c = (fitted[:, 1] ** 2).sum(axis=1)
    root = np.sqrt(np.maximum(a * c - b * b, 0))
    trace = np.sqrt(a + c + 2 * root)
    scale = np.where(root > _LEAST, root * trace, np.nan)
    one, both, other = (c + root) / scale, -b / scale, (a + root) / scale
    right = one[:, None] * fitted[:, 0] + both[:, None] * fitted[:, 1]
    down = both[:, None] * fitted[:, 0] + other[:, None] * fitted[:, 1]
    return right, down


POSE = register(HeadPose())
