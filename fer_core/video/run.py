"""One pass over a video: frames, faces, people and their scores, into parts on disk."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import numpy as np

from fer_core.errors import Cancelled
from fer_core.faces import Tracker, make_detector
from fer_core.faces.identity.describers import make_describer
from fer_core.progress import OnProgress, Progress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video.modes import Settings
from fer_core.video.parts import PartWriter
from fer_core.video.people import Recogniser
from fer_core.video.reader import RGB, VideoReader
from fer_core.video.scan import scan


class Run:
    """One pass over a video."""

    def __init__(
        self, reader: VideoReader, scores: list[EmotionScores], settings: Settings, folder: Path,
        progress: OnProgress | None, should_stop: ShouldStop,
    ) -> None:  # fmt: skip
        self.reader, self.scores, self.settings = reader, scores, settings
        self.device = str(scores[0].classifier.device)
        self.detector = make_detector(settings.detector, min_face_px=settings.min_face_px, device=self.device)
        with_people = settings.identity and not reader.info.is_picture  # nobody comes back in a picture
        self.parts = PartWriter(folder, scores, Recogniser(make_describer()) if with_people else None)
        self.repeated = 0
        self._last_look: RGB = np.zeros((0, 0, 3), np.uint8)
        self.progress, self.should_stop = progress, should_stop
        self.stopped, self.last_s = False, settings.start_s
        self.started, self._told = time.monotonic(), -1.0
        end_s = reader.info.duration_s if settings.end_s is None else min(settings.end_s, reader.info.duration_s)
        self.total_s = max(end_s - settings.start_s, 0.0)

    def go(self) -> None:
        tracker, settings = Tracker(), self.settings
        frames = self.reader.frames(
            start_s=settings.start_s, end_s=settings.end_s, per_second=settings.rate, goes_on=self._goes_on
        )
        self._tell("reading", 0.0)
        with closing(scan(frames, self.detector, settings.mode)) as scanned:
            for frame, faces, sources in scanned:
                tracks = tracker.update(frame.time_s, faces, frame.image, frame.look)
                order = np.argsort(tracks)
                self.parts.add(frame, faces[order], tracks[order], sources[order])
                self._compare(frame.image)
                self.last_s = frame.time_s
                self._tell("analysing", frame.time_s - settings.start_s)
                if self.should_stop():
                    self.stopped = True
                    break
        if not self.parts.frames:
            raise Cancelled("The analysis was stopped before the first frame.")
        self._tell("comparing faces" if self.parts.recognises else "writing", self.total_s, always=True)
        self.parts.finish(tracker.same)

    def _compare(self, image: RGB) -> None:
        """Count a frame whose picture is the one before once more."""
        look = image[::8].copy()  # whole rows: single pixels take longer to gather
        self.repeated += np.array_equal(look, self._last_look)
        self._last_look = look

    def _goes_on(self) -> bool:
        before = self.settings.start_s and not self.parts.frames
        self._tell("looking for the start" if before else "analysing", self.last_s - self.settings.start_s)
        self.stopped = self.stopped or self.should_stop()
        return not self.stopped

    def _tell(self, stage: str, done_s: float, always: bool = False) -> None:
        now = time.monotonic()
        if self.progress is not None and (always or now - self._told > 0.5):
            self._told = now
            counts = {"frames": self.parts.frames, "faces": self.parts.faces}
            self.progress(Progress.along(stage, max(done_s, 0.0), self.total_s, **counts))
