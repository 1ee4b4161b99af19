"""The table of jobs: what waits, runs and has ended. The truth about every job, for all pages and workers.

    ready ──► queued ──► running ──► done
      ▲ └───────┴───────────┴──────► cancelled, failed
      └─────────────────────┘        a file that could not be analysed waits again, with the reason

A worker that dies leaves a ``running`` row whose ``beat`` grows old; ``stale`` finds it, and it is queued again. Every
claim has a ``token`` of its own: what a worker writes with an earlier one, as after it was stopped and replaced, counts
for nothing.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dashboard.services import places
from fer_core.errors import TakenOver
from fer_core.home import tables

_TABLE = """
create table if not exists jobs (
    id text primary key, kind text not null, target text not null, name text not null, state text not null,
    settings text not null, info text not null, stage text not null default '', share real not null default 0,
    frames integer not null default 0, faces integer not null default 0, error text not null default '',
    cancel integer not null default 0, attempts integer not null default 0,
    created real not null, started real, beat real, finished real,
    token integer not null default 0, interrupted integer not null default 0
)"""
_SINCE = ("token", "interrupted")
"""Columns that earlier versions did not have."""
STALE_S = 15.0
ACTIVE = ("queued", "running")


@dataclass(frozen=True)
class Job:
    """A row. ``kind`` says what is done (``kinds`` has them all), ``settings`` what was asked, as the kind reads it;
    ``target`` is what it belongs to: the analysis it makes or explains, the evaluated checkpoint, the key of a map;
    times are seconds since 1970; ``share`` is 0-1. ``cancel``: somebody wants it to stop; ``answers``: its worker knows
    and does so. ``attempts`` counts claims since something new was kept, ``interrupted`` how often a worker did not
    come to the end."""

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
    token: int
    interrupted: int
    answers: bool

    @property
    def remaining_s(self) -> float | None:
        """Guess of the seconds left, or None while there is too little to go by."""
        done = self.share - float(self.info.get("went_on_share", 0.0))
        if self.state != "running" or self.started is None or done < 0.02:
            return None
        return (time.time() - self.started) * (1 - self.share) / done


@contextmanager
def _table() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(places.home() / "jobs.sqlite", timeout=30, isolation_level=None)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("pragma journal_mode=wal")
        connection.execute(_TABLE)
        _bring_up_to_date(connection)
        yield connection
    finally:
        connection.close()


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Give a table of an earlier version what it lacks."""
    known = {row["name"] for row in connection.execute("pragma table_info(jobs)")}
    for name in set(_SINCE) - known:
        with suppress(sqlite3.OperationalError):  # another process was faster
            connection.execute(f"alter table jobs add column {name} integer not null default 0")


_OWN = "id=? and (token=? or ? is null)"
"""A job, and the claim that somebody writes for; None: whoever has it."""


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
            "update jobs set state='queued', error='', interrupted=0, beat=?, settings=coalesce(?, settings) "
            "where id=? and state='ready'",
            (time.time(), None if settings is None else json.dumps(settings), job_id),
        )
        return done.rowcount == 1


def requeue(job_id: str, *, came_further: bool = False) -> bool:
    """From a dead worker's running, or from a queue that lost it, to queued; False if somebody works on it. Attempts
    are counted anew where the last one ``came_further``."""
    with _table() as table:
        now = time.time()
        done = table.execute(
            "update jobs set interrupted=interrupted + (state='running'), state='queued', share=0, stage='', "
            "started=null, beat=?, cancel=2 * (cancel > 0), attempts=case when ? then 0 else attempts end "
            "where id=? and state in ('queued', 'running') and beat < ?",
            (now, came_further, job_id, now - STALE_S),
        )
        return done.rowcount == 1


def claim(job_id: str) -> Job | None:
    """From queued to running, for one worker only."""
    with _table() as table:
        now = time.time()
        done = table.execute(
            "update jobs set state='running', attempts=attempts+1, token=token+1, started=?, beat=? "
            "where id=? and state='queued'",
            (now, now, job_id),
        )
    return get(job_id) if done.rowcount == 1 else None


def report(job_id: str, *, stage: str, share: float, frames: int, faces: int, token: int | None = None) -> bool:
    """Write how far a running job is; True if it should stop.

    Raises:
        TakenOver: another worker has it by now, or it was deleted.
    """
    with _table() as table:
        done = table.execute(
            f"update jobs set stage=?, share=?, frames=?, faces=?, beat=? where {_OWN}",
            (stage, share, frames, faces, time.time(), job_id, token, token),
        )
        row = table.execute("select cancel from jobs where id=?", (job_id,)).fetchone()
    if done.rowcount == 0:
        raise TakenOver("Another worker goes on with this job.")
    return bool(row["cancel"])


def check(job: Job) -> None:
    """Make sure that a claim still holds.

    Raises:
        TakenOver: it does not.
    """
    now = get(job.id)
    if now is None or now.token != job.token or now.state != "running":
        raise TakenOver("Another worker goes on with this job.")


def answer(job_id: str, token: int | None = None) -> None:
    """Say that the worker of a job knows that it should stop, and does."""
    with _table() as table:
        table.execute(f"update jobs set cancel=2 where cancel=1 and {_OWN}", (job_id, token, token))


def forgive_restart() -> None:
    """At the start of the server: jobs that its end interrupted have not failed by themselves."""
    with _table() as table:
        table.execute("update jobs set attempts = max(attempts - 1, 0) where state = 'running'")


def forget_cancel(job_id: str) -> None:
    """The wish to stop has been fulfilled; what follows can be stopped anew."""
    with _table() as table:
        table.execute("update jobs set cancel=0 where id=?", (job_id,))


def beat(job_id: str, token: int | None = None) -> None:
    """Say that the worker of a job is alive."""
    with _table() as table:
        table.execute(f"update jobs set beat=? where {_OWN}", (time.time(), job_id, token, token))


def tell(job_id: str, info: dict[str, Any], token: int | None = None) -> None:
    """Add to what is known about a job and its outcome."""
    with _table() as table:
        table.execute("begin immediate")
        row = table.execute(f"select info from jobs where {_OWN}", (job_id, token, token)).fetchone()
        if row is not None:
            known = json.dumps(_object(row["info"]) | info)
            table.execute("update jobs set info=? where id=?", (known, job_id))
        table.execute("commit")


def remove(job_id: str) -> None:
    """Remove the row of an ended job, so that its id can be used again."""
    with _table() as table:
        table.execute("delete from jobs where id=? and state not in ('queued', 'running')", (job_id,))


def finish(job_id: str, state: str, error: str = "", token: int | None = None) -> bool:
    """End a job; False if it is somebody else's by now."""
    with _table() as table:
        done = table.execute(
            "update jobs set state=?, error=?, finished=?, share=case when ?='done' then 1 else share end "
            f"where {_OWN} and (? is null or state='running')",
            (state, error, time.time(), state, job_id, token, token, token),
        )
        return done.rowcount == 1


def give_back(job_id: str, error: str, token: int | None = None) -> bool:
    """From queued or running to ready, as if nothing had been tried, but for the reason why it went wrong; False if it
    is somebody else's by now."""
    with _table() as table:
        done = table.execute(
            "update jobs set state='ready', error=?, stage='', share=0, frames=0, faces=0, cancel=0, attempts=0, "
            f"started=null, beat=null where {_OWN} and state in ('queued', 'running')",
            (error, job_id, token, token),
        )
        return done.rowcount == 1


def cancel(job_id: str) -> None:
    """Ask a running job to stop (what it has is kept), also one that waits to go on; another that waits is dropped with
    its file."""
    with _table() as table:
        table.execute("begin immediate")  # no worker takes the job between the two
        table.execute(
            "update jobs set cancel=1 where id=? and cancel=0 "
            "and (state='running' or (state='queued' and interrupted))",
            (job_id,),
        )
        waiting = table.execute(
            "update jobs set state='cancelled', finished=? where id=? and cancel=0 and state in ('ready', 'queued')",
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


def of_kind(kind: str) -> list[Job]:
    """All jobs of a kind, in any state, oldest first."""
    return _select("where kind = ? order by created", (kind,))


def forget(*targets: str, kinds: Sequence[str] = ()) -> None:
    """Remove every row of what is deleted, or those of some kinds alone; who is at work on one stops. ``scrub`` sees to
    what stays of them in the file."""
    if not targets:
        return
    of_kind = f" and kind in ({','.join('?' * len(kinds))})" if kinds else ""
    with _table() as table:
        table.execute("pragma secure_delete=on")
        table.execute(f"delete from jobs where target in ({','.join('?' * len(targets))}){of_kind}", (*targets, *kinds))


def forget_ended(kinds: Sequence[str], before: float) -> None:
    """Remove the rows of some kinds that ended before a time."""
    with _table() as table:
        table.execute("pragma secure_delete=on")
        table.execute(
            f"delete from jobs where finished < ? and state not in ('ready', 'queued', 'running') "
            f"and kind in ({','.join('?' * len(kinds))})",
            (before, *kinds),
        )


def scrub() -> bool:
    """Write the file anew without what was deleted; false where somebody is at work in it, so that it is to be tried
    again."""
    return tables.scrub(places.home() / "jobs.sqlite")


def _select(clause: str, values: Sequence[Any]) -> list[Job]:
    with _table() as table:
        rows = table.execute(f"select * from jobs {clause}", tuple(values)).fetchall()
    return [
        Job(**(dict(row) | {
            "settings": _object(row["settings"]), "info": _object(row["info"]), "cancel": bool(row["cancel"]),
            "answers": row["cancel"] > 1,
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
