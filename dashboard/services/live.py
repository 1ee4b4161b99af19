"""Frames of live views on their way to the process that looks at them, and its answers back.

The process starts with the first frame, ends when none came for a while, and is started anew when it died or hung. It
works on one frame at a time. Of each tab the newest frame waits, an older one that nobody has begun with is dropped,
and tabs take turns: a machine that is too slow answers fewer frames, and not later ones.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from dashboard.services import live_wire, processes
from fer_core.errors import InputError

HANG_S = 60.0
"""A frame that takes longer is not waited for: the process is ended, and another one started."""
IDLE_S = 300.0
AWAY_S, CHECK_S = 30.0, 5.0
"""A tab that sends nothing for so long is forgotten; so often that is looked at."""
MAX_TABS = 8
SHORT_LIFE_S, REST_S = 5.0, 1.0
"""After a process that died younger than this the next one is started only after a rest."""
STARTING, DROPPED = {"state": "starting"}, {"state": "dropped"}
_SESSION = re.compile(r"[a-z0-9]{8,32}")
Answer = dict[str, Any]


@dataclass
class _Waiting:
    asked: dict[str, Any]
    data: bytes
    came: float = field(default_factory=time.monotonic)
    answer: Future[Answer] = field(default_factory=Future)

    def drop(self) -> None:
        if self.answer.set_running_or_notify_cancel():
            self.give(DROPPED, time.monotonic())

    def give(self, answer: Answer, began: float) -> None:
        """Answer what was begun with at that time."""
        waited_ms = round(1000 * (began - self.came), 2)
        self.answer.set_result({"time_ms": self.asked["time_ms"], "waited_ms": waited_ms} | answer)


class LiveProcess:
    """The process, and the frames that wait for it. Everything may be called from any thread."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._waiting: dict[str, _Waiting] = {}
        self._seen: dict[str, float] = {}
        self._forgotten: set[str] = set()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._is_ready, self._is_stopped, self._began, self._rests_until = False, False, 0.0, 0.0

    @property
    def state(self) -> str:
        """``off``, ``starting`` or ``ready``."""
        process = self._process
        if process is None or process.poll() is not None:
            return "off"
        return "ready" if self._is_ready else "starting"

    def ask(self, session: str, data: bytes, **asked: Any) -> Future[Answer]:
        """Have a frame looked at; the answer comes when it is its turn, or a newer one comes before that.

        Raises:
            InputError: no session, or there are too many.
        """
        check_session(session)
        frame = _Waiting(asked | {"session": session}, data)
        with self._change:
            self._drop_absent(frame.came)
            if session not in self._seen and len(self._seen) >= MAX_TABS:
                raise InputError(f"{MAX_TABS} live views are open already; close one of them.")
            self._seen[session] = frame.came
            self._forgotten.discard(session)
            if (older := self._waiting.get(session)) is not None:
                older.drop()
            self._waiting[session] = frame  # in the place of the older one, so that turns stay turns
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._change.notify_all()
        return frame.answer

    def forget(self, session: str) -> None:
        """A tab was closed.

        Raises:
            InputError: that is no session.
        """
        check_session(session)
        with self._change:
            self._drop(session)
            self._change.notify_all()

    def stop(self) -> None:
        """End the process; the next frame starts another one."""
        with self._change:
            thread, self._is_stopped = self._thread, self._thread is not None
            self._change.notify_all()
            if self._process is not None:
                self._process.kill()  # nobody waits for its last answer
        if thread is not None:
            thread.join()

    # in the thread that speaks to the process

    def _work(self) -> None:
        while (frame := self._next()) is not None:
            if not frame.answer.set_running_or_notify_cancel():
                continue  # nobody waits for it any more
            began = time.monotonic()
            try:
                answer = self._answered(frame)
            except (OSError, EOFError, ValueError):  # it died, hangs, or speaks nonsense
                answer = STARTING
                self._end()
                lived_s = time.monotonic() - self._began
                self._rests_until = time.monotonic() + REST_S if lived_s < SHORT_LIFE_S else 0.0
            except Exception as error:  # a mistake of ours: who asked is told, and the next frame has its turn
                self._end()
                frame.answer.set_exception(error)
                continue
            frame.give(answer, began)

    def _next(self) -> _Waiting | None:
        """The frame whose turn it is; None when this thread shall end."""
        idle_since = time.monotonic()
        with self._change:
            while not self._is_stopped and (self._waiting or time.monotonic() - idle_since < IDLE_S):
                self._drop_absent(time.monotonic())
                self._tell_forgotten()
                if self._waiting:
                    return self._waiting.pop(next(iter(self._waiting)))
                self._change.wait(CHECK_S)
            for session in [*self._seen]:
                self._drop(session)
            self._end()
            self._thread, self._is_stopped = None, False
        return None

    def _tell_forgotten(self) -> None:
        gone, self._forgotten = self._forgotten, set()
        if self._connection is None:
            return
        try:
            for session in gone:
                live_wire.send(self._connection, {"forget": session})
        except OSError:
            self._end()

    def _answered(self, frame: _Waiting) -> Answer:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._connection is None:
            if time.monotonic() < self._rests_until:
                return STARTING
            self._start()
        assert self._connection is not None
        live_wire.send(self._connection, frame.asked, frame.data)
        answer, _ = live_wire.receive(self._connection)
        self._is_ready = self._is_ready or answer.get("state") == "ok"
        return answer

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(HANG_S)
        with theirs:
            number = theirs.fileno()
            threads = max((os.cpu_count() or 1) // 2, 1)
            self._process = processes.start(
                "dashboard.services.live_worker", str(number), log="live", threads=threads, passed=[number]
            )
        self._connection, self._is_ready, self._began = ours, False, time.monotonic()

    def _end(self) -> None:
        process, self._process, self._is_ready = self._process, None, False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is not None:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()

    # with the lock held

    def _drop_absent(self, now: float) -> None:
        for session in [each for each, seen in self._seen.items() if now - seen > AWAY_S]:
            self._drop(session)

    def _drop(self, session: str) -> None:
        self._seen.pop(session, None)
        self._forgotten.add(session)
        if (frame := self._waiting.pop(session, None)) is not None:
            frame.drop()


def check_session(session: str) -> None:
    """Raise ``InputError`` unless it is 8 to 32 small letters and digits."""
    if not _SESSION.fullmatch(session):
        raise InputError("That is not the name of a live view: 8 to 32 small letters and digits.")


def choices() -> dict[str, Any]:
    """What a page can offer: ``checkpoints`` that can be asked, and ``detectors`` with what they lack."""
    from fer_core.faces.detectors import DETECTORS
    from fer_core.models.folders import runnable_names, titled

    return {
        "checkpoints": [{"name": name, "title": titled(name)} for name in runnable_names()],
        "detectors": [
            {"name": kind.name, "title": kind.title, "usable": not kind.missing, "why": kind.missing}
            for kind in DETECTORS.values()
        ],
    }


PROCESS = LiveProcess()
