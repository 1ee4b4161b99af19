"""The table of jobs: what waits, runs and has ended. The truth about every job, for all pages and workers.

    ready ──► queued ──► running ──► done
      └─────────┴───────────┴──────► cancelled, failed

A worker that dies leaves a ``running`` row whose ``beat`` grows old; ``stale`` finds it, and it is queued again.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dashboard.services import places

_TABLE = """
create table if not exists jobs (
    id text primary key, kind text not null, target text not null, name text not null, state text not null,
    settings text not null, info text not null, stage text not null default '', share real not null default 0,
    frames integer not null default 0, faces integer not null default 0, error text not null default '',
    cancel integer not null default 0, attempts integer not null default 0,
    created real not null, started real, beat real, finished real
)"""
STALE_S = 15.0
ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """A row. ``kind`` says what is done (``kinds`` has them all), ``settings`` what was asked, as the kind reads it;
    ``target`` is what it belongs to: the analysis it makes or explains, the evaluated checkpoint, the key of a map;
    times are seconds since 1970; ``share`` is 0-1."""

    id: str
    kind: str
    target: str
    name: str
    state: str
    settings: dict[str, Any]
    info: dict[str, Any]
    stage: str
    share: float
    frames: int
    faces: int
    error: str
    cancel: bool
    attempts: int
    created: float
    started: float | None
    beat: float | None
    finished: float | None

    @property
    def remaining_s(self) -> float | None:
        """Guess of the seconds left, or None while there is too little to go by."""
        if self.state != "running" or self.started is None or self.share < 0.02:
            return None
        return (time.time() - self.started) * (1 - self.share) / self.share


@contextmanager
def _table() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(places.home() / "jobs.sqlite", timeout=30, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("pragma journal_mode=wal")
        connection.execute(_TABLE)
        yield connection
    finally:
        connection.close()


def add(
    job_id: str, *, kind: str, name: str, target: str = "", state: str = "ready",
    settings: dict[str, Any] | None = None, info: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Insert a job, unless there is one of this id, as when two pages ask the same at once."""
    values = (
        job_id,
        kind,
        target or job_id,
        name,
        state,
        json.dumps(settings or {}),
        json.dumps(info or {}),
        time.time(),
    )
    with _table() as table:
        table.execute(
            "insert or ignore into jobs (id, kind, target, name, state, settings, info, created) "
            "values (?,?,?,?,?,?,?,?)",
            values,
        )


def get(job_id: str) -> Job | None:
    found = _select("where id = ?", (job_id,))
    return found[0] if found else None


def with_state(*states: str) -> list[Job]:
    """Jobs in any of ``states``, oldest first."""
    return _select(f"where state in ({','.join('?' * len(states))}) order by created", states)


def of_target(target: str, kind: str, state: str = "%") -> Job | None:
    """The newest job of a kind for an analysis, in any state or in one."""
    found = _select(
        "where target = ? and kind = ? and state like ? order by created desc limit 1", (target, kind, state)
    )
    return found[0] if found else None


def recent(since: float) -> list[Job]:
    """Jobs that wait, run, or ended after ``since``; oldest first."""
    return _select("where state in ('queued', 'running') or finished > ? order by created", (since,))


def plan(job_id: str, settings: dict[str, Any]) -> None:
    """Keep the settings that were chosen for a file that waits for its start."""
    with _table() as table:
        table.execute("update jobs set settings=? where id=? and state='ready'", (json.dumps(settings), job_id))


def queue(job_id: str, settings: dict[str, Any] | None = None) -> bool:
    """From ready to queued; False if it was not ready."""
    with _table() as table:
        done = table.execute(
            "update jobs set state='queued', beat=?, settings=coalesce(?, settings) where id=? and state='ready'",
            (time.time(), None if settings is None else json.dumps(settings), job_id),
        )
        return done.rowcount == 1


def requeue(job_id: str) -> bool:
    """From a dead worker's running, or from a queue that lost it, to queued; False if somebody works on it."""
    with _table() as table:
        now = time.time()
        done = table.execute(
            "update jobs set state='queued', share=0, stage='', started=null, beat=? "
            "where id=? and state in ('queued', 'running') and beat < ?",
            (now, job_id, now - STALE_S),
        )
        return done.rowcount == 1


def claim(job_id: str) -> Job | None:
    """From queued to running, for one worker only."""
    with _table() as table:
        now = time.time()
        done = table.execute(
            "update jobs set state='running', attempts=attempts+1, started=?, beat=? where id=? and state='queued'",
            (now, now, job_id),
        )
    return get(job_id) if done.rowcount == 1 else None


def report(job_id: str, *, stage: str, share: float, frames: int, faces: int) -> bool:
    """Write how far a running job is; True if it should stop."""
    with _table() as table:
        table.execute(
            "update jobs set stage=?, share=?, frames=?, faces=?, beat=? where id=?",
            (stage, share, frames, faces, time.time(), job_id),
        )
        row = table.execute("select cancel from jobs where id=?", (job_id,)).fetchone()
    return row is None or bool(row["cancel"])


def forgive_restart() -> None:
    """At the start of the server: jobs that its end interrupted have not failed by themselves."""
    with _table() as table:
        table.execute("update jobs set attempts = max(attempts - 1, 0) where state = 'running'")


def forget_cancel(job_id: str) -> None:
    """The wish to stop has been fulfilled; what follows can be stopped anew."""
    with _table() as table:
        table.execute("update jobs set cancel=0 where id=?", (job_id,))


def beat(job_id: str) -> None:
    """Say that the worker of a job is alive."""
    with _table() as table:
        table.execute("update jobs set beat=? where id=?", (time.time(), job_id))


def tell(job_id: str, info: dict[str, Any]) -> None:
    """Replace what is known about a job's outcome."""
    with _table() as table:
        table.execute("update jobs set info=? where id=?", (json.dumps(info), job_id))


def remove(job_id: str) -> None:
    """Remove the row of an ended job, so that its id can be used again."""
    with _table() as table:
        table.execute("delete from jobs where id=? and state not in ('queued', 'running')", (job_id,))


def finish(job_id: str, state: str, error: str = "") -> None:
    with _table() as table:
        table.execute(
            "update jobs set state=?, error=?, finished=?, share=case when ?='done' then 1 else share end where id=?",
            (state, error, time.time(), state, job_id),
        )


def cancel(job_id: str) -> None:
    """Ask a running job to stop (what it has is kept); a waiting one is dropped with its file."""
    with _table() as table:
        table.execute("begin immediate")  # no worker takes the job between the two
        table.execute("update jobs set cancel=1 where id=? and state='running'", (job_id,))
        waiting = table.execute(
            "update jobs set state='cancelled', finished=? where id=? and state in ('ready', 'queued')",
            (time.time(), job_id),
        )
        table.execute("commit")
    if waiting.rowcount:
        places.drop_upload(job_id)


def lose(job_ids: Sequence[str]) -> None:
    """Say that the worker of these jobs has ended: those that run are stale at once."""
    with _table() as table:
        table.execute(
            f"update jobs set beat=0 where state='running' and id in ({','.join('?' * len(job_ids))})", tuple(job_ids)
        )


def stale() -> list[Job]:
    """Running or queued jobs that no worker has touched for ``STALE_S``."""
    return _select("where state in ('queued', 'running') and beat < ?", (time.time() - STALE_S,))


def forget(target: str) -> None:
    """Remove the rows of a deleted analysis."""
    with _table() as table:
        table.execute("delete from jobs where target=? and state not in ('queued', 'running')", (target,))


def _select(clause: str, values: Sequence[Any]) -> list[Job]:
    with _table() as table:
        rows = table.execute(f"select * from jobs {clause}", tuple(values)).fetchall()
    return [
        Job(**(dict(row) | {
            "settings": _object(row["settings"]), "info": _object(row["info"]), "cancel": bool(row["cancel"]),
        }))
        for row in rows
    ]  # fmt: skip


def _object(text: str) -> dict[str, Any]:
    """Keys and values of a cell. One damaged cell must not close the pages that list all rows: it has a key that no
    kind of job knows, so that its job is refused when its turn comes."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        found = None
    return found if isinstance(found, dict) else {"damaged": text}
