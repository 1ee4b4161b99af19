"""Frames that come by themselves: of a camera, or of a file at its own pace; who is too slow misses some."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator

import cv2

from fer_core.errors import InputError
from fer_core.video.reader import Frame, VideoReader


class Camera:
    """A camera of this machine, through OpenCV; a context manager.

    Args:
        number: which one, from 0.

    Raises:
        InputError: there is none of this number.
    """

    def __init__(self, number: int) -> None:
        cv2.utils.logging.setLogLevel(0)  # OpenCV tells of cameras that are not there in words of its own
        self.number, self._device = number, cv2.VideoCapture(number)
        if not self._device.isOpened():
            raise InputError(self._missing("is not there"))

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self._device.release()

    def frames(self) -> Iterator[Frame]:
        """Its pictures for as long as it gives any; times are from the first one on, by this machine's clock.

        Raises:
            InputError: it gives none.
        """
        began, n = 0.0, 0
        while True:
            is_there, picture = self._device.read()
            now = time.monotonic()
            if not is_there:
                break
            began = began if n else now
            yield Frame(n, now - began, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
            n += 1
        if not n:
            raise InputError(self._missing("gives no pictures"))

    def _missing(self, what: str) -> str:
        return (
            f"Camera {self.number} {what}. Is it plugged in, and does no other program use it? Cameras are numbered "
            f"from 0; choose another one with --camera, or give a file."
        )


def paced_frames(reader: VideoReader) -> Iterator[Frame]:
    """Frames of a file, each no sooner than its time comes, as if a camera gave them."""
    began = time.monotonic()
    for frame in reader.frames():
        time.sleep(max(began + frame.time_s - time.monotonic(), 0))
        yield frame


def newest(frames: Iterator[Frame]) -> Generator[Frame]:
    """The newest of frames that are taken in a thread of their own, whenever the next one is asked for; the others are
    missed. Errors of theirs come out here; closing this ends the thread with the next frame."""
    change, stopped = threading.Condition(), threading.Event()
    found: list[Frame] = []
    ended: list[BaseException | None] = []

    def take() -> None:
        error: BaseException | None = None
        try:
            for frame in frames:
                with change:
                    found[:] = [frame]
                    change.notify()
                if stopped.is_set():
                    break
        except BaseException as raised:  # raised again where frames are asked for
            error = raised
        with change:
            ended.append(error)
            change.notify()

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        while True:
            with change:
                while not found and not ended:
                    change.wait()
                if not found:
                    break
                frame = found.pop()
            yield frame
    finally:
        stopped.set()
        thread.join()
    if (error := ended[0]) is not None:
        raise error


__all__ = ["Camera", "newest", "paced_frames"]
