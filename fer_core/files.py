"""Files that are there whole or not at all, also after a power cut; and folders that keep only the newest ones.

What takes a name is on the disk before it does, and the name before anybody is told: ``replacing`` and
``replacing_folder`` do so by themselves, ``to_disk`` and ``moved`` for what is written otherwise.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows, where only the threads of one process wait for each other
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".tmp"
"""How the name of a file ends that is not whole; one that is old was left by a process that died."""

_alone = threading.RLock()
_may_write: ContextVar[Callable[[], None] | None] = ContextVar("may_write", default=None)


@contextmanager
def fenced(check: Callable[[], None]) -> Iterator[None]:
    """Within the block, ``check`` is called before anything takes its place, in this thread. It raises where the work
    has meanwhile become somebody else's, whose results must stay."""
    token = _may_write.set(check)
    try:
        yield
    finally:
        _may_write.reset(token)


def to_disk(*paths: Path) -> None:
    """Wait until files and folders are on the disk: the content of a file, the names in a folder.

    Raises:
        OSError: it could not be written, as on a full disk.
    """
    for path in paths:
        is_folder = path.is_dir()
        if is_folder and os.name == "nt":
            continue  # names are written with their files there, and folders cannot be opened
        handle = os.open(path, os.O_RDONLY if is_folder or os.name != "nt" else os.O_RDWR)
        try:
            os.fsync(handle)
        except OSError as error:
            if not (is_folder and error.errno in (errno.EINVAL, errno.ENOTSUP)):  # a network's file system
                raise
        finally:
            os.close(handle)


def tree_to_disk(folder: Path) -> None:
    """``to_disk`` of a folder and everything below it."""
    for where, _, names in os.walk(folder, topdown=False):
        to_disk(*(Path(where, name) for name in names), Path(where))


def moved(old: Path, new: Path) -> Path:
    """Give a file or a folder, which is on the disk already, another name for good; returns ``new``.

    Raises:
        OSError: the place cannot be taken.
    """
    _check()
    old.replace(new)
    to_disk(*dict.fromkeys((new.parent, old.parent)))
    return new


def _check() -> None:
    check = _may_write.get()
    if check is not None:
        check()


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Wait until nobody else, in this process or in another, is in such a block with the same file; it is not touched.

    Raises:
        OSError: there is no such file, or it cannot be opened.
    """
    with _alone, path.open("rb") as file:
        if fcntl is not None:
            with suppress(OSError):  # some network's file systems know no locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def replacing(path: Path, *, at_once: bool = True) -> Iterator[Path]:
    """A path beside ``path`` to write to, which takes its place in one step when the block ends well; or else ``path``
    stays as it was, and nothing is left of the other. Readers never see half a file, and neither processes nor threads
    that write the same file disturb each other: the last one stays. The folder must be there. Who writes many and calls
    ``to_disk`` for all of them need not wait for the disk ``at_once``.

    Raises:
        OSError: the block wrote nothing there, or the place cannot be taken.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}")
    try:
        yield new
        if at_once:
            to_disk(new)
            moved(new, path)
        else:
            new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path``, which takes its place whole when the block ends well, whatever was there; or
    else ``path`` stays as it was, and nothing is left of the other. Its name ends in ``TEMPORARY`` until then.

    Raises:
        OSError: it cannot be made, or the place cannot be taken.
    """
    new, old = (path.with_name(f"{path.name}.{os.getpid()}{end}{TEMPORARY}") for end in ("", "-old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        tree_to_disk(new)
        if path.exists():
            path.rename(old)
        moved(new, path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_tree(path: Path) -> None:
    """Remove a folder with all that is in it, also where it may not be read; of a link or a file, that alone.

    Raises:
        OSError: something in it cannot be removed.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    path.chmod(0o700)
    for folder, folders, _ in os.walk(path):
        for name in folders:  # before it is their turn
            if not os.path.islink(inner := os.path.join(folder, name)):
                os.chmod(inner, 0o700)
    shutil.rmtree(path)


def keep_newest(folder: Path, pattern: str, n: int) -> list[Path]:
    """Remove all but the ``n`` files of a folder that fit ``pattern`` and were written or touched last; returns those
    that were removed."""
    old = sorted(folder.glob(pattern), key=_changed_ns, reverse=True)[n:]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # somebody else removed it meanwhile
        return 0


__all__ = [
    "TEMPORARY",
    "alone_with",
    "fenced",
    "keep_newest",
    "moved",
    "remove_tree",
    "replacing",
    "replacing_folder",
    "to_disk",
    "tree_to_disk",
]
