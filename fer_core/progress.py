"""How far a longer piece of work is, and whether it goes on: one record, told by everything that takes its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fer_core.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """How far some work is. What it has no count of is 0.

    Attributes:
        stage: what is being done, for people to read.
        share: of the whole work, 0-1.
        frames: frames or pictures so far.
        total_frames: frames or pictures in all, where they can be counted beforehand.
        faces: faces so far.
        done_s, total_s: seconds of video so far and in all.
        went_on_s: the second of the video at which an interrupted analysis was taken up; None where nothing was.
    """

    stage: str
    share: float
    frames: int = 0
    total_frames: int = 0
    faces: int = 0
    done_s: float = 0.0
    total_s: float = 0.0
    went_on_s: float | None = None

    @classmethod
    def along(cls, stage: str, done_s: float, total_s: float, *, frames: int = 0, faces: int = 0) -> Progress:
        """Of work along a video; the length of a container is a claim, so its share is never above 1."""
        share = min(done_s / total_s, 1.0) if total_s > 0 else 0.0
        return cls(stage, share, frames=frames, faces=faces, done_s=done_s, total_s=total_s)

    @classmethod
    def counted(cls, stage: str, frames: int, total_frames: int) -> Progress:
        """Of work on one picture after the other."""
        return cls(stage, frames / max(total_frames, 1), frames=frames, total_frames=total_frames)


OnProgress = Callable[[Progress], None]
"""What ``progress=`` takes everywhere: called now and then with a ``Progress``. ``progress_bar()`` makes one."""
ShouldStop = Callable[[], bool]
"""What ``should_stop=`` takes: asked now and then, answers whether to give up."""


def progress_bar(title: str = "") -> OnProgress:
    """Something to give as ``progress=``: draws a bar, in a notebook as in a terminal, and closes it at the end."""
    from tqdm.auto import tqdm  # chooses between the two

    bar: Any = tqdm(total=100, desc=title or None, bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}")

    def tell(now: Progress) -> None:
        bar.n = round(100 * now.share, 1)
        counted = f", {now.frames} of {now.total_frames}" if now.total_frames else ""
        bar.set_postfix_str(now.stage + counted)
        if now.share >= 1:
            bar.close()

    return tell


@dataclass(frozen=True)
class Stage:
    """Part of a longer piece of work, from ``start`` to ``end`` of the whole (0-1).

    Attributes:
        name: what is being done, for people to read: ``projecting``.
        progress: is told how far the whole is.
        should_stop: is asked whether to give up.
    """

    name: str
    progress: OnProgress | None = None
    should_stop: ShouldStop | None = None
    start: float = 0.0
    end: float = 1.0

    def at(self, share: float) -> None:
        """Report that ``share`` (0-1) of this part is done.

        Raises:
            Cancelled: the caller asked to stop.
        """
        if self.should_stop is not None and self.should_stop():
            raise Cancelled(f"Stopped while {self.name}.")
        if self.progress is not None:
            self.progress(Progress(self.name, self.start + share * (self.end - self.start)))

    def part(self, start: float, end: float) -> Stage:
        """The part of this part between two shares of it."""
        length = self.end - self.start
        return replace(self, start=self.start + start * length, end=self.start + end * length)


__all__ = ["OnProgress", "Progress", "ShouldStop", "Stage", "progress_bar"]
