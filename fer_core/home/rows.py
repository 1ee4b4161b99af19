"""Rows of the list of jobs that lead nowhere: their file, their analysis or their answer is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from fer_core.home.findings import Finding

UPLOADED = ("video", "picture")
"""Kinds of jobs that analyse a file that was sent."""
OF_AN_ANALYSIS = ("annotate", "copy", "why", "why_span", "why_clip")
"""Kinds of jobs whose target is an analysis."""
EXPLAIN = "explain"
ACTIVE = ("queued", "running")
AWAITED = ("ready", *ACTIVE)
"""States of jobs that somebody waits for: what was kept of them may be gone on with."""
Row = tuple[str, str, str, str]
"""Id, kind, target and state."""


def rows(home: Path) -> list[Row]:
    """Every job; none where the table is missing or damaged."""
    path = home / "jobs.sqlite"
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(path, timeout=30)) as table:
            found = table.execute("select id, kind, target, state from jobs").fetchall()
            return [(str(a), str(b), str(c), str(d)) for a, b, c, d in found]
    except sqlite3.DatabaseError:
        return []


def check_rows(home: Path) -> Iterator[Finding]:
    """Rows without what they are about, and answers of Try a face without their row, which nobody finds any more."""
    known = rows(home)
    for job_id, kind, target, state in known:
        if what := _lacks(home, job_id, kind, target, state):
            yield Finding(
                home / "jobs.sqlite",
                f"job {job_id} ({kind}, {state}) is without its {what}",
                "Repair removes the row.",
                partial(_remove, home, job_id),
            )
    answered = {job_id for job_id, kind, _, _ in known if kind == EXPLAIN}
    for path in sorted((home / "explained").glob("*.json")):
        if path.stem not in answered:
            yield Finding(path, "an answer that no job asked for", "Repair removes it.", path.unlink)


def _lacks(home: Path, job_id: str, kind: str, target: str, state: str) -> str:
    """What a row is about and what is not there, in a word; empty where all is well."""
    if kind in UPLOADED and state in AWAITED:
        folders = (home / "uploads" / job_id, home / "analyses" / job_id)
        return "" if any(any(folder.glob("source.*")) for folder in folders) else "file"
    if kind in OF_AN_ANALYSIS:
        return "" if (home / "analyses" / target).is_dir() else "analysis"
    if kind == EXPLAIN and state == "done":
        return "" if (home / "explained" / f"{job_id}.json").is_file() else "answer"
    return ""


def _remove(home: Path, job_id: str) -> None:
    with closing(sqlite3.connect(home / "jobs.sqlite", timeout=30, isolation_level=None)) as table:
        table.execute("pragma secure_delete=on")
        table.execute("delete from jobs where id=?", (job_id,))
