"""One pass over a video: frames, faces, people and their scores, into parts on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import Cancelled, StoreError, VideoError, sentence
from fer_core.faces import Faces, Tracker, make_detector
from fer_core.faces.identity.describers import make_describer
from fer_core.progress import OnProgress, Progress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.modes import Settings
from fer_core.video.parts import SURE_SCORE, PartWriter
from fer_core.video.people import Recogniser
from fer_core.video.reader import RGB, Frame, VideoReader
from fer_core.video.scan import Scanned, scan


class Run:
    """One pass over a video."""

    def __init__(
        self, reader: VideoReader, scores: list[EmotionScores], settings: Settings, folder: Path,
        fingerprint: Fingerprint, progress: OnProgress | None, should_stop: ShouldStop,
    ) -> None:  # fmt: skip
        self.fingerprint, self.broken, self.turned = fingerprint, "", ""
        self.reader, self.scores, self.settings = reader, scores, settings
        self.device = str(scores[0].classifier.device)
        self.detector = make_detector(settings.detector, min_face_px=settings.min_face_px, device=self.device)
        with_people = settings.identity and not reader.info.is_picture  # nobody comes back in a picture
        self.parts = PartWriter(folder, scores, Recogniser(make_describer()) if with_people else None)
        self.repeated = 0
        self._before: Frame | None = None
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
            for frame, faces, sources in self._until_broken(scanned):
                tracks = tracker.update(frame.time_s, faces, frame.image, frame.look)
                order = np.argsort(tracks)
                if not self._keep(frame, faces[order], tracks[order], sources[order]):
                    break
                self._compare(frame)
                self._tell("analysing", frame.time_s - settings.start_s)
                if self.should_stop():
                    self.stopped = True
                    break
        if self.broken and not self.parts.frames:
            raise StoreError(f"Nothing could be written: {self.broken} Free some space, or choose another folder.")
        if not self.parts.frames:
            raise Cancelled("The analysis was stopped before the first frame.")
        self._tell("comparing faces" if self.parts.recognises else "writing", self.total_s, always=True)
        self._finish(tracker.same)

    def _finish(self, same: Mapping[int, int]) -> None:
        """Join the parts; those before the last one where the disk does not take that."""
        try:
            self.parts.finish(same)
        except OSError as error:
            if self.broken or not self.parts.frames:
                raise
            self.broken = sentence(error)
            self.parts.finish(same)

    def _until_broken(self, scanned: Iterator[Scanned]) -> Iterator[Scanned]:
        """What is scanned, until the source cannot be read any further; with nothing before that, its error."""
        try:
            yield from scanned
        except (OSError, VideoError) as error:
            if not self.parts.frames:
                raise
            self.broken = sentence(error)

    def _keep(self, frame: Frame, faces: Faces, tracks: NDArray, sources: NDArray) -> bool:
        """Add a frame to the parts; false where the disk takes no more, of which ``broken`` then tells."""
        try:
            self.parts.add(frame, faces, tracks, sources)
        except OSError as error:
            self.broken = sentence(error)
            return False
        self.last_s = frame.time_s
        if self.reader.info.is_picture and not len(faces):
            self.turned = self._found_when_turned(frame.image)
        return True

    def _found_when_turned(self, image: RGB) -> str:
        """How a picture without faces must be turned so that there is one; empty where none is found so, either."""
        for quarters, way in ((1, "by 90° to the left"), (3, "by 90° to the right"), (2, "upside down")):
            found = self.detector.detect([np.ascontiguousarray(np.rot90(image, quarters))])[0]
            if len(found) and found.scores.max() >= SURE_SCORE:
                return way
        return ""

    def _compare(self, frame: Frame) -> None:
        """Count a frame whose picture is the one before once more; few need to be compared as a whole."""
        before, self._before = self._before, frame
        if before is not None and np.array_equal(before.look.shape, frame.look.shape):
            self.repeated += np.array_equal(before.image[::8], frame.image[::8])

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
