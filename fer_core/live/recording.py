"""What a camera gave as a video of its own times, and the analysis of that, as of any other video."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import av

from fer_core.errors import VideoError
from fer_core.models.classifier import Classifier
from fer_core.progress import OnProgress
from fer_core.video.annotate import Mp4, written
from fer_core.video.modes import Settings
from fer_core.video.pipeline import analyze, check_free
from fer_core.video.reader import Frame

SOURCE = "source.mp4"
"""Its name in the analysis folder, where pages look for the video."""


class Recording:
    """Frames of a camera on their way into an analysis folder; a context manager around the time in which they come.

    Args:
        out: the folder that ``analyze`` writes; the video is written beside it first.

    Raises:
        StoreError: ``out`` is taken, or cannot be written.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.absolute()
        check_free(self.out)
        self.path = self.out.with_name(f"{self.out.name}.recording.mp4")
        self.frames = 0
        self._files = ExitStack()
        self._video: Mp4 | None = None

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()
        if not self.frames:
            self.path.unlink(missing_ok=True)

    def add(self, frame: Frame) -> None:
        """Write the next frame.

        Raises:
            VideoError: it cannot be written.
        """
        try:
            if self._video is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._video = self._files.enter_context(written(self.path, frame.image.shape[1::-1], 0))
            self._video.add(frame.image, frame.time_s, frame.lasts_s)
        except av.FFmpegError as error:
            raise VideoError(f"{self.path} cannot be written ({error}). Is there enough space?") from error
        self.frames += 1

    def analyze(self, name: str, classifier: Classifier, settings: Settings, progress: OnProgress | None) -> Path:
        """Analyse what was recorded; the video becomes a part of the folder. See ``fer_core.video.pipeline.analyze``.

        Where that fails the video stays where it was recorded.
        """
        analyze(self.path, self.out, checkpoint=classifier, settings=settings, name=name, progress=progress)
        self.path.rename(self.out / SOURCE)
        return self.out


__all__ = ["SOURCE", "Recording"]
