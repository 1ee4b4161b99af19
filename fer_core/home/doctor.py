"""Looks over a data folder: what is wrong in it, what of that can be mended, and mends it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from fer_core.errors import StoreError, sentence
from fer_core.files import TEMPORARY, remove_tree
from fer_core.home import rights, tables, version
from fer_core.home.analyses import check_analysis, is_json
from fer_core.home.findings import Finding, put_aside
from fer_core.home.layout import DAMAGED
from fer_core.home.rows import AWAITED, check_rows, rows
from fer_core.video import keeping

LOCK = "running.lock"
LEFT_AFTER_S = 24 * 3600.0
FOLDERS = (
    "uploads", "analyses", "checkpoints", "detectors", "pretrained", "evaluations", "maps", "explained", "pictures",
    "selections", "reviews", "runtimes", "logs",
)  # fmt: skip
_CHOSEN = ("datasets.json", "reviews/*.json")
_MADE = ("selections/*.json", "runtimes/*.json", "explained/*.json", "pictures/*.json")


def take(home: Path) -> FileLock | None:
    """Take a data folder for this process until it ends, or until the lock is released; None where a workbench has it.

    Raises:
        StoreError: the file of the lock cannot be written.
    """
    lock = FileLock(home / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        raise StoreError(f"{home / LOCK} cannot be used: {sentence(error)} Move it away.") from error
    return lock


def check(home: Path, now_s: float | None = None) -> Iterator[Finding]:
    """Everything that is wrong in a data folder. Nothing is changed, so it may be asked while a workbench runs; what
    that is writing just now may then be told as damaged.

    Raises:
        StoreError: a newer workbench has laid it out.
    """
    now_s = time.time() if now_s is None else now_s
    time_name = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
    yield from _version(home, time_name)
    yield from _folders(home, time_name)
    yield from _rights(home)
    yield from _sqlite(home)
    yield from check_rows(home)
    yield from _choices(home, time_name)
    yield from _left(home, now_s)
    yield from _analyses(home, time_name)


def repair(findings: Iterator[Finding]) -> Iterator[tuple[Finding, str]]:
    """Mend what can be mended, one after the other; each finding with an empty text, or with why it is still there."""
    for finding in findings:
        if finding.repair is None:
            yield finding, finding.remedy
            continue
        try:
            finding.repair()
        except (OSError, StoreError) as error:
            yield finding, str(error)
        else:
            yield finding, ""


def _version(home: Path, time_name: str) -> Iterator[Finding]:
    path = home / version.FILE
    if path.exists() and not path.is_file():
        yield Finding(path, "no file", "Repair puts it aside.", partial(put_aside, path, time_name))
    elif (found := version.check_version(home)) < version.VERSION:
        yield Finding(
            home / version.FILE, f"the folder is laid out as number {found}, today it is {version.VERSION}",
            "Repair, or the next start, brings it there.", partial(version.migrate, home),
        )  # fmt: skip


def _folders(home: Path, time_name: str) -> Iterator[Finding]:
    for name in FOLDERS:
        path = home / name
        if os.path.lexists(path) and not path.is_dir():
            yield Finding(path, "no folder", "Repair puts it aside.", partial(put_aside, path, time_name))


def _rights(home: Path) -> Iterator[Finding]:
    if found := list(rights.loose(home)):
        yield Finding(
            found[0][0], f"other accounts of this machine may read or change it (and {len(found) - 1:,} more)",
            "Repair takes that from them.", partial(rights.tighten, home),
        )  # fmt: skip


def _sqlite(home: Path) -> Iterator[Finding]:
    for path in tables.sqlite_files(home):
        if not tables.is_whole(path):
            yield Finding(
                path, "damaged", "Repair puts it aside; the next start begins an empty one, and finds analyses and "
                "files that wait again.", partial(tables.set_aside, path),
            )  # fmt: skip
    for path in sorted(home.glob(f"*{DAMAGED}*")):
        yield Finding(path, "was put aside", "Remove it when you need it no more.")


def _choices(home: Path, time_name: str) -> Iterator[Finding]:
    try:
        keeping.read_rule(home / keeping.FILE)
    except (StoreError, OSError) as error:
        yield Finding(
            home / keeping.FILE, str(error).rstrip("."), "Nothing is deleted by itself until then. Repair puts it "
            "aside; choose again on the page Settings.", partial(put_aside, home / keeping.FILE, time_name),
        )  # fmt: skip
    for pattern in _CHOSEN:
        for path in sorted(home.glob(pattern)):
            if not is_json(path):
                yield Finding(path, "damaged", "Repair puts it aside.", partial(put_aside, path, time_name))
    for pattern in _MADE:
        for path in sorted(home.glob(pattern)):
            if not is_json(path):
                yield Finding(path, "damaged", "Repair removes it; it can be made anew.", partial(remove_tree, path))


def _left(home: Path, now_s: float) -> Iterator[Finding]:
    """What was not written to its end: files and folders of processes that died."""
    awaited = {target for _, _, target, state in rows(home) if state in AWAITED}
    for folder, folders, names in os.walk(home):
        inside = Path(folder).relative_to(home).parts[:1] == ("analyses",) and Path(folder) != home / "analyses"
        for name in (*folders, *names):
            path = Path(folder, name)
            is_old = now_s - path.lstat().st_mtime > LEFT_AFTER_S if os.path.lexists(path) else False
            if name.endswith(TEMPORARY) and is_old and name.split(".")[0] not in awaited and not inside:
                yield Finding(path, "not written to its end", "Repair removes it.", partial(remove_tree, path))
        folders[:] = [name for name in folders if not name.endswith(TEMPORARY)]
    for path in sorted((home / "analyses").glob("*.unfinished*")):
        yield Finding(
            path, "an analysis that broke off; what was analysed until then is in it as Parquet tables",
            "Remove it when you need it no more.",
        )  # fmt: skip


def _analyses(home: Path, time_name: str) -> Iterator[Finding]:
    for folder in sorted((home / "analyses").glob("*")):
        if "." in folder.name:  # told as left over
            continue
        if not folder.is_dir():
            yield Finding(folder, "no folder", "Repair puts it aside.", partial(put_aside, folder, time_name))
        else:
            yield from check_analysis(folder, time_name)
