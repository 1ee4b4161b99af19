"""One view of a camera: a picture in, who is there and with which expression out, by what an analysis is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, HALFWAY, check_choice
from fer_core.errors import InputError
from fer_core.faces import Detector, Faces, Tracker, crop_faces
from fer_core.faces.records import RGB, check_rgb
from fer_core.live.follower import Follower
from fer_core.signals import QUALITY, VALENCE, Column, Seen
from fer_core.signals.emotion import EmotionScores
from fer_core.signals.scores import DOUBTS
from fer_core.video.reader import Frame
from fer_core.video.reasons import REASONS, Limits
from fer_core.video.trust import face_measures, holding

WARM_SIZE = (480, 640, 3)


@dataclass(frozen=True)
class LiveFrame:
    """What is seen in one frame: n faces, 0 where nobody is there.

    Attributes:
        time_s: of the frame, by the clock of whoever gave it.
        width, height: of its picture, in px.
        tracks: int32 (n,), numbers of the people from 0, rising.
        faces: where they are, in px of the picture.
        labels: the k emotions.
        probabilities: float32 (n, k), calibrated and under the class prior.
        valence: float32 (n,), see ``fer_core.signals.VALENCE``.
        doubts: bool (n, r), which of ``fer_core.video.reasons.REASONS`` hold.
    """

    time_s: float
    width: int
    height: int
    tracks: NDArray[np.int32]
    faces: Faces
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    valence: NDArray[np.float32]
    doubts: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n, k = len(self.tracks), len(self.labels)
        shapes = (len(self.faces), self.probabilities.shape, self.valence.shape, self.doubts.shape)
        if shapes != (n, (n, k), (n,), (n, len(REASONS))):
            raise InputError(f"Expected values of {n} faces and {k} emotions, got {shapes}.")

    def plain(self) -> list[dict[str, Any]]:
        """Each face as plain values for JSON: ``track``, ``box`` (left, top, right, bottom), ``emotion``, ``group`` and
        ``confidence`` of the most probable emotion, ``p`` by emotion, ``valence``, ``reasons`` (codes)."""
        top = self.probabilities.argmax(axis=1).tolist()
        return [
            {
                "track": int(self.tracks[i]),
                "box": [round(each, 2) for each in self.faces.boxes[i].tolist()],
                "emotion": self.labels[best],
                "group": DEFAULT_GROUP_MAP[self.labels[best]],
                "confidence": float(self.probabilities[i, best]),
                "p": dict(zip(self.labels, self.probabilities[i].tolist(), strict=True)),
                "valence": float(self.valence[i]),
                "reasons": [reason.code for reason, holds in zip(REASONS, self.doubts[i], strict=True) if holds],
            }
            for i, best in enumerate(top)
        ]


class LiveView:
    """What is known of one camera from frame to frame: where faces were and what they looked like, nothing else.

    Detection, following, crops, calibration, class prior and reasons for doubt are those of an analysis. Nothing is
    smoothed, as what comes next is not known. A number may turn out to be of somebody who was there before, and then
    changes to the older one.

    Args:
        detector: finds faces; views that are asked in one thread may share it.
        scores: of the checkpoint that is asked, likewise.
        prior: how common each emotion is taken to be, one of ``fer_core.emotions.PRIORS``; a checkpoint that knows
            none answers as trained.
        limits: from where on a face is not to be trusted.

    Raises:
        InputError: an unknown prior.
    """

    def __init__(
        self, detector: Detector, scores: EmotionScores, *, prior: str = HALFWAY, limits: Limits = Limits()
    ) -> None:
        check_choice(prior)
        self._follower, self._tracker, self._scores, self._limits = Follower(detector), Tracker(), scores, limits
        self._prior, self._frames, self.last_s = prior, 0, -np.inf

    def warm_up(self) -> None:
        """Do once what else the first frame would wait for."""
        import scipy.optimize  # noqa: F401  (the tracker imports it late)

        self._follower.detector.detect([np.zeros(WARM_SIZE, np.uint8)])
        size = self._scores.crop.size
        self._scores.of(Seen(crops=np.zeros((1, size, size, 3), np.uint8)))

    def see(self, image: RGB, time_s: float) -> LiveFrame:
        """Who is there in an RGB picture uint8 (h, w, 3) at ``time_s`` by a clock that only goes on.

        Raises:
            InputError: another kind of picture, or a time that is not later than the last one.
        """
        check_rgb(image)
        if not (np.isfinite(time_s) and time_s > self.last_s):
            raise InputError(f"Expected a frame later than {self.last_s:.3f} s, got one at {time_s} s.")
        frame = Frame(self._frames, time_s, image)
        self._frames, self.last_s = self._frames + 1, time_s
        faces = self._follower.find(frame).faces
        tracks = self._tracker.update(time_s, faces, image, frame.look)
        tracks = np.array([self._tracker.oldest(each) for each in tracks.tolist()], np.int32)
        order = np.argsort(tracks, kind="stable")
        return self._scored(frame, faces[order], tracks[order])

    def _scored(self, frame: Frame, faces: Faces, tracks: NDArray[np.int32]) -> LiveFrame:
        height, width = frame.image.shape[:2]
        labels = self._scores.classifier.labels
        seen = Seen(crops=crop_faces(frame.image, faces, self._scores.crop))
        values = self._scores.of(seen) if len(faces) else np.zeros((0, len(self._scores.columns)), np.float32)
        probabilities, doubts = values[:, : len(labels)], values[:, len(labels) :]
        if (prior := self._scores.prior) is not None:
            probabilities = np.asarray(prior.adjusted(probabilities, prior.tau(self._prior)), np.float32)
        kept = _by_name((*QUALITY.columns, *DOUBTS), np.column_stack([QUALITY.of(seen), doubts]))
        seen = Seen(landmarks=faces.landmarks, probabilities=probabilities, labels=labels)
        return LiveFrame(
            frame.time_s,
            width,
            height,
            tracks,
            faces,
            labels,
            probabilities,
            VALENCE.of(seen)[:, 0],
            holding(face_measures(seen, kept, width=width, height=height), self._limits),
        )


def _by_name(columns: tuple[Column, ...], values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    return dict(zip((column.name for column in columns), values.T, strict=True))


__all__ = ["LiveFrame", "LiveView"]
