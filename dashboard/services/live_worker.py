"""The process for live views: ``python -m dashboard.services.live_worker FD``, one for all tabs.

It answers one frame after the other on the socket with that number and ends with it. Networks are loaded in a thread of
their own, and until they are there every answer says so. Frames are forgotten once they are answered.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if hasattr(os, "nice"):
    os.nice(5)  # after the pages, before analyses

from dashboard.services import live_wire, places, warm
from fer_core.errors import FerError
from fer_core.faces.detectors import DEFAULT_DETECTOR
from fer_core.models.folders import DEFAULT_CHECKPOINT, checkpoint_folders, runnable_names, weights_in

if TYPE_CHECKING:
    from fer_core.faces import Detector
    from fer_core.live.live_view import LiveView

STARTING, DROPPED = {"state": "starting"}, {"state": "dropped"}
MIN_FACE_PX = 40
KEPT = 4
"""So many pairs of checkpoint and detector stay loaded."""
BACK_S = 1.0
"""A frame that is older than the last by no more comes too late; by more, and the tab's clock was set anew."""
Chosen = tuple[str, str]
"""Names of a checkpoint and a detector; empty for the default one."""
Key = tuple[str, tuple[int, ...], str]
"""The same, with the version of the checkpoint's files."""
Make = Callable[[], "LiveView"]


@dataclass
class _Tab:
    chosen: Chosen
    view: LiveView


class Desk:
    """Answers the frames of several tabs, each of which has its own view."""

    def __init__(self) -> None:
        self._tabs: dict[str, _Tab] = {}
        self._loading: dict[Chosen, Future[tuple[Key, Make]]] = {}
        self._loaded: dict[Key, Make] = {}
        self._loader = ThreadPoolExecutor(1)

    def forget(self, session: str) -> None:
        self._tabs.pop(session, None)

    def answer(self, asked: dict[str, Any], data: bytes) -> dict[str, Any]:
        """What is seen in the picture ``data``; ``asked`` says ``session``, ``time_ms``, ``checkpoint`` and
        ``detector``."""
        began = time.perf_counter()
        try:
            found = self._answer(asked, data)
        except FerError as error:
            return {"error": str(error)}
        except Exception:  # one frame, or one network, must not end the views of all tabs
            logging.exception("A frame could not be answered")
            return {"error": "This frame could not be looked at. Choose another checkpoint or detector."}
        return found | {"work_ms": round(1000 * (time.perf_counter() - began), 2)}

    def _answer(self, asked: dict[str, Any], data: bytes) -> dict[str, Any]:
        view = self._view(asked["session"], (asked["checkpoint"], asked["detector"]), asked["time_ms"] / 1000)
        if view is None:
            return STARTING
        from fer_core.live.pictures import picture_of

        image, time_s = picture_of(data), asked["time_ms"] / 1000
        if time_s <= view.last_s:
            return DROPPED
        seen = view.see(image, time_s)
        return {"state": "ok", "width": seen.width, "height": seen.height, "faces": seen.plain()}

    def _view(self, session: str, chosen: Chosen, time_s: float) -> LiveView | None:
        """The view of a tab, begun anew when it chooses otherwise or its clock was set back; None while its networks
        are loaded."""
        tab = self._tabs.get(session)
        if tab is None or tab.chosen != chosen or time_s < tab.view.last_s - BACK_S:
            make = self._made(chosen)
            if make is None:
                return None
            tab = self._tabs[session] = _Tab(chosen, make())
        return tab.view

    def _made(self, chosen: Chosen) -> Make | None:
        """What makes a view with these networks; None while they are loaded.

        Raises:
            FerError: they cannot be used.
        """
        if (loading := self._loading.get(chosen)) is None:
            checkpoint, detector = chosen[0] or _default_checkpoint(), chosen[1] or DEFAULT_DETECTOR
            key = (checkpoint, warm.version(checkpoint), detector)
            if key in self._loaded:
                return self._loaded[key]
            loading = self._loading[chosen] = self._loader.submit(lambda: (key, _load(checkpoint, detector)))
        if not loading.done():  # nothing else is done, so that loading has the time
            return None
        key, make = self._loading.pop(chosen).result()
        for old in [*self._loaded][: len(self._loaded) - KEPT + 1]:
            del self._loaded[old]
        self._loaded[key] = make
        return make


def _default_checkpoint() -> str:
    folder = checkpoint_folders().get(DEFAULT_CHECKPOINT)
    is_there = folder is not None and weights_in(folder) is not None
    return DEFAULT_CHECKPOINT if is_there else next(iter(runnable_names()), DEFAULT_CHECKPOINT)


def _load(checkpoint: str, detector: str) -> Make:
    from fer_core.quick_start import import_torchvision

    import_torchvision()
    from fer_core.live.live_view import LiveView
    from fer_core.signals.emotion import EmotionScores

    classifier = warm.classifier(checkpoint)
    scores, finder = EmotionScores.of_checkpoint(classifier), _detector(detector, str(classifier.device))
    LiveView(finder, scores).warm_up()
    return lambda: LiveView(finder, scores)


@lru_cache(maxsize=KEPT)
def _detector(name: str, device: str) -> Detector:
    from fer_core.faces import make_detector

    return make_detector(name, min_face_px=MIN_FACE_PX, device=device)


def serve(connection: socket.socket) -> None:
    """Answer frames until the other side is gone."""
    desk = Desk()
    while True:
        try:
            asked, data = live_wire.receive(connection)
        except (EOFError, OSError):
            return
        if "forget" in asked:
            desk.forget(asked["forget"])
        else:
            live_wire.send(connection, desk.answer(asked, data))


def main(descriptor: int) -> None:
    logging.basicConfig(
        filename=places.logs() / "live.log", level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        serve(socket.socket(fileno=descriptor))
    finally:
        os._exit(0)  # whatever is being loaded


if __name__ == "__main__":
    main(int(sys.argv[1]))
