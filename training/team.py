"""Work shared among processes beside this one, its results in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from fer_core.errors import DataError

Job = TypeVar("Job")
Found = TypeVar("Found")
_AHEAD = 4
"""Jobs for each process that may be done before the one whose turn it is."""


def in_order(work: Callable[[Job], Found], jobs: Sequence[Job], n: int) -> Iterator[Found]:
    """``map(work, jobs)`` by ``n`` processes of one thread each, which all end with it.

    Processes are started anew and import what they need, as forked ones would share the locks of this one's threads.

    Raises:
        DataError: a process was killed.
        Exception: what ``work`` raises for a job, when it is that one's turn.
    """
    with _team(work, n) as team:
        done: dict[int, tuple[Any, Exception | None]] = {}
        busy: dict[Connection, int] = {}
        idle, given = list(team), 0
        for turn in range(len(jobs)):
            while turn not in done:
                while idle and given < min(len(jobs), turn + _AHEAD * n):
                    connection = idle.pop()
                    busy[connection], given = given, given + 1
                    _ask(team, connection, jobs[busy[connection]])
                for ready in wait(list(busy)):
                    assert isinstance(ready, Connection)
                    done[busy.pop(ready)] = _answer(team, ready)
                    idle.append(ready)
            found, error = done.pop(turn)
            if error is not None:
                raise error
            yield found


Team = dict[Connection, Any]


@contextmanager
def _team(work: Callable[..., Any], n: int) -> Iterator[Team]:
    context, team = get_context("spawn"), {}
    resource_tracker.ensure_running()  # which would let signals through again, once it has started
    try:
        with _no_interrupt():
            for _ in range(n):
                here, there = context.Pipe()
                process = context.Process(target=_serve, args=(there, work), daemon=True)
                process.start()
                there.close()  # so that its end is seen here
                team[here] = process
        yield team
    finally:
        for process in team.values():
            process.terminate()
        for connection, process in team.items():
            process.join()
            connection.close()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes that are started now are not told of Ctrl-C; this one is, afterwards, and ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ask(team: Team, connection: Connection, job: Any) -> None:
    try:
        connection.send(job)
    except OSError as error:
        raise _ended(team, connection) from error


def _answer(team: Team, connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError) as error:
        raise _ended(team, connection) from error


def _ended(team: Team, connection: Connection) -> DataError:
    team[connection].join(5)
    return DataError(
        f"One of {len(team)} processes that read pictures was ended (exit status {team[connection].exitcode}), perhaps "
        "for want of memory. Run the command again, with fewer of them: --workers 1."
    )


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """What a process does until nobody asks any more; also if whoever asked was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with one_thread():
        while True:
            try:
                job = connection.recv()
            except (EOFError, OSError):
                return
            answer: tuple[Any, Exception | None]
            try:
                answer = work(job), None
            except Exception as error:
                answer = None, error
            try:
                connection.send(answer)
            except OSError:
                return


@contextmanager
def one_thread() -> Iterator[None]:
    """torch and OpenCV compute with one thread, here as in every process of a team: equal sums, whoever adds them."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
