"""Files are there whole or not at all, and only the newest are kept."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fer_core.files import TEMPORARY, keep_newest, replacing


def test_a_file_takes_the_place_of_the_old_one_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with replacing(path) as new:
        new.write_text("new")
        assert path.read_text() == "old" and new.parent == path.parent and new.name.endswith(TEMPORARY)
        assert list(tmp_path.glob("*.json")) == [path], "who looks for files of this kind does not find half of one"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("crash", [ValueError, KeyboardInterrupt])
def test_a_crash_leaves_the_old_file_and_nothing_else(tmp_path: Path, crash: type[BaseException]) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as new:
            new.write_text("hal")
            raise crash

    with pytest.raises(crash):
        write()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.json"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_two_threads_at_once_do_not_meet(tmp_path: Path) -> None:
    path, both_write = tmp_path / "a.txt", threading.Barrier(2)

    def write(letter: str) -> None:
        with replacing(path) as new:
            both_write.wait(timeout=30)
            new.write_text(letter * 100_000)
            both_write.wait(timeout=30)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("a" * 100_000, "b" * 100_000) and list(tmp_path.iterdir()) == [path]


def test_only_the_newest_files_of_a_kind_are_kept(tmp_path: Path) -> None:
    for i, name in enumerate(("c.json", "a.json", "b.json", "old.txt")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (i, i))
    assert keep_newest(tmp_path, "*.json", 2) == [tmp_path / "c.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json", "old.txt"]
    assert keep_newest(tmp_path, "*.json", 5) == []
    assert len(keep_newest(tmp_path, "*.json", 0)) == 2
