"""One pass over a video: frames, faces, people and their scores, into parts on disk."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import Cancelled, StoreError, VideoError, sentence
from fer_core.faces import Faces, Tracker, make_detector
from fer_core.faces.identity.describers import make_describer
from fer_core.progress import OnProgress, Progress, ShouldStop
from fer_core.signals.emotion import EmotionScores
from fer_core.video import resume
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.modes import Settings
from fer_core.video.parts import SURE_SCORE, PartWriter
from fer_core.video.people import Recogniser
from fer_core.video.reader import RGB, Frame, VideoReader
from fer_core.video.scan import Scanned, scan

KEEP_S, FEW_WAITING = 4.0, 64
"""So often a run keeps what another one needs to go on; half as often where the pictures of more faces wait for scores,
which has to be kept, too."""


class Run:
    """One pass over a video. ``key`` is what its result depends on, see ``fer_core.video.resume``."""

    def __init__(
        self, reader: VideoReader, scores: list[EmotionScores], settings: Settings, folder: Path,
        fingerprint: Fingerprint, key: dict[str, Any], progress: OnProgress | None, should_stop: ShouldStop,
    ) -> None:  # fmt: skip
        self.fingerprint, self.broken, self.turned = fingerprint, "", ""
        self.folder, self.key = folder, key
        self.reader, self.scores, self.settings = reader, scores, settings
        self.device = str(scores[0].classifier.device)
        self.detector = make_detector(settings.detector, min_face_px=settings.min_face_px, device=self.device)
        with_people = settings.identity and not reader.info.is_picture  # nobody comes back in a picture
        self.parts = PartWriter(
            folder, scores, Recogniser(make_describer()) if with_people else None, keep_pictures=settings.keep_pictures
        )
        self.repeated = self._passed = 0
        self._before: Frame | None = None
        self.tracker = Tracker()
        self.went_on_s: float | None = None
        self._kept, self._keeps = time.monotonic(), not reader.info.is_picture
        self.progress, self.should_stop = progress, should_stop
        self.stopped, self.last_s = False, settings.start_s
        self.started, self._told = time.monotonic(), -1.0
        end_s = reader.info.duration_s if settings.end_s is None else min(settings.end_s, reader.info.duration_s)
        self.total_s = max(end_s - settings.start_s, 0.0)

    def go(self, state: resume.Standing | None = None) -> None:
        """Analyse the video, from its start or from where another run was.

        Raises:
            StoreError: nothing can be written, or one cannot go on from ``state``.
            Cancelled: stopped before the first frame.
        """
        self._tell("reading", 0.0)
        frames = self._frames() if state is None else self._go_on(state)
        with closing(scan(frames, self.detector, self.settings.mode)) as scanned:
            for frame, faces, sources, begins in self._until_broken(scanned):
                if begins and self._is_due():
                    self._keep_state()
                    if self.broken:
                        break
                tracks = self.tracker.update(frame.time_s, faces, frame.image, frame.look)
                order = np.argsort(tracks)
                if not self._keep(frame, faces[order], tracks[order], sources[order]):
                    break
                self._compare(frame)
                self._tell("analysing", frame.time_s - self.settings.start_s)
                if self.should_stop():
                    self.stopped = True
                    break
        self._keep_state(ended=not self.stopped)
        if self.broken and not self.parts.frames:
            raise StoreError(f"Nothing could be written: {self.broken} Free some space, or choose another folder.")
        if not self.parts.frames:
            raise Cancelled("The analysis was stopped before the first frame.")
        self._tell("comparing faces" if self.parts.recognises else "writing", self.total_s, always=True)
        self._finish(self.tracker.same)

    def _frames(self, **more: Any) -> Iterator[Frame]:
        settings = self.settings
        return self.reader.frames(
            start_s=settings.start_s, end_s=settings.end_s, per_second=settings.rate, goes_on=self._goes_on, **more
        )

    def _go_on(self, state: resume.Standing) -> Iterator[Frame]:
        """Be where another run was; returns the frames that follow."""
        self.parts.going_on(state.parts)
        self.tracker = Tracker.going_on(state.tracker)
        self.repeated, self.started = state.repeated, self.started - state.spent_s
        self.last_s = self.went_on_s = state.place.time_s
        self._tell("looking for where it stopped", self.last_s - self.settings.start_s, always=True)
        if state.ended:
            self.reader.stats.become(state.place.stats)
            return iter(())
        for seek in (True, False):
            frames = self._frames(after=state.place, seek=seek)
            try:
                self._before = None if self.stopped or self.should_stop() else next(frames, None)
            except VideoError:
                continue
            if self._before is None:
                self.stopped = True
                self.reader.stats.become(state.place.stats)
                return iter(())
            if resume.digest(self._before.image) == state.picture:
                return frames
        raise StoreError(f"{self.reader.name} shows another picture where its analysis was interrupted.")

    def _is_due(self) -> bool:
        """Whether it is time to keep what has been done."""
        patience_s = KEEP_S if self.parts.waiting <= FEW_WAITING else 2 * KEEP_S
        return self._keeps and self._before is not None and time.monotonic() - self._kept >= patience_s

    def _keep_state(self, ended: bool = False) -> None:
        """Keep what another run needs to go on from the last frame, or, where all have ``ended``, to join the parts;
        where the disk does not take it, the run is ``broken``."""
        frame = self._before
        if not self._keeps or self.broken or frame is None or frame.place is None:
            return
        place = dataclasses.replace(frame.place, stats=self.reader.stats.copied()) if ended else frame.place
        try:
            resume.Standing(
                place,
                ended,
                resume.digest(frame.image),
                time.monotonic() - self.started,
                self.repeated,
                self.tracker.state(),
                self.parts.state(),
            ).write(self.folder, self.key)
        except OSError as error:
            self._keeps, self.broken = False, sentence(error)
            return
        self._kept = time.monotonic()

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
        stage = "analysing"
        if self._before is None and self.last_s:
            self._passed += 1  # told, so that nobody takes a long way there for standing still
            where = "the start" if self.went_on_s is None else "where it stopped"
            stage = f"looking for {where}, {self._passed} frames so far"
        self._tell(stage, self.last_s - self.settings.start_s)
        self.stopped = self.stopped or self.should_stop()
        return not self.stopped

    def _tell(self, stage: str, done_s: float, always: bool = False) -> None:
        now = time.monotonic()
        if self.progress is not None and (always or now - self._told > 0.5):
            self._told = now
            now_at = Progress.along(
                stage, max(done_s, 0.0), self.total_s, frames=self.parts.frames, faces=self.parts.faces
            )
            self.progress(dataclasses.replace(now_at, went_on_s=self.went_on_s))
