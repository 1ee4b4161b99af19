"""Reading the pictures of a data set: by one process or many, and what the others do meanwhile."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_core.data import FaceSet, open_dataset
from fer_core.data.drawn import draw_dataset
from fer_core.errors import DataError
from tests.support import ROOT
from training import reading
from training.prepare import choose_pictures, find_all, prepare
from training.reading import HowToRead, Side, read_side, take_rows
from training.recipe import network_recipe
from training.settings import Crop
from training.summary import tell_reading
from training.team import in_order

CROP = Crop(40, 44)
HAAR = Crop(40, 44, detector="haar")


@pytest.fixture
def parts(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> list[FaceSet]:
    """Two parts that are read in nine batches."""
    monkeypatch.setattr(reading, "_BATCH", 8)
    data = open_dataset(drawn)
    return [data.read("training"), data.read("test")]


def spoil(folder: Path) -> list[str]:
    """Two training pictures of a drawn data set are none any more; their names."""
    pictures = sorted(folder.glob("train*/*/*"))
    bad = [pictures[3], pictures[-2]]
    for path in bad:
        path.write_bytes(b"no picture")
    return [path.name for path in bad]


@pytest.mark.parametrize(
    ("crop", "workers"), [(HAAR, 2), pytest.param(CROP, 3, marks=pytest.mark.nightly)]
)  # fmt: skip
def test_any_number_of_processes_reads_the_same(crop: Crop, workers: int, parts: list[FaceSet], tmp_path: Path) -> None:
    draw_dataset("folders", tmp_path / "bad", per_class=8, seed=1)
    bad = spoil(tmp_path / "bad")
    spoilt = [dataclasses.replace(open_dataset(tmp_path / "bad").read("training"), name="other"), *parts]
    told: list[tuple[str, int, int]] = []
    sides: list[Side] = []
    for n in (1, workers):
        how = HowToRead(skip_unreadable=True, workers=n, progress=lambda *now: told.append(now))
        sides.append(read_side(spoilt, crop, 1, tmp_path / str(n) / "train.npy", how))
    one, many = sides
    total = sum(len(part) for part in spoilt)
    assert len(one) == total - 2 and np.ptp(one.images.astype(float), axis=(1, 2)).min() > 20, "there are pictures"
    for field in dataclasses.fields(Side):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(many, field.name))
    wrong = [reading.unreadable_in(tmp_path / str(n) / "train.npy") for n in (1, workers)]
    assert wrong[0] == wrong[1] and [name for name, each in zip(bad, wrong[0], strict=True) if name in each] == bad
    half = len(told) // 2
    assert [now[1] for now in told[:half]] == [now[1] for now in told[half:]] and told[-1] == ("train", total, total)


def work(job: int) -> int:
    """Jobs that end in other orders than they began, fail, or kill the process."""
    if job == -1:
        raise DataError("Picture -1 cannot be read.")
    if job == -2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02 * (job % 3))
    return job * job


def test_a_team_keeps_the_order_and_tells_the_first_error_in_it() -> None:
    found = in_order(work, [*range(20), -1, 5, -2], 2)
    assert [next(found) for _ in range(20)] == [i * i for i in range(20)]
    with pytest.raises(DataError, match="Picture -1"):
        next(found)
    assert not multiprocessing.active_children()


def test_a_killed_process_ends_it_in_one_sentence_and_leaves_nothing(
    parts: list[FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(side: str, done: int, total: int) -> None:
        for process in multiprocessing.active_children():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(DataError, match=r"was ended \(exit status -9\).*--workers 1") as error:
        read_side(parts, CROP, 1, tmp_path / "train.npy", HowToRead(workers=2, progress=kill))
    assert str(error.value).count(". ") == 1
    assert list(tmp_path.iterdir()) == [] and not multiprocessing.active_children()


def test_a_wish_to_stop_leaves_nothing_half_written(parts: list[FaceSet], tmp_path: Path) -> None:
    def stop(side: str, done: int, total: int) -> None:
        if done > 16:
            raise KeyboardInterrupt

    (tmp_path / "train.npy.1-1.tmp").write_bytes(b"left by a process that was killed")
    with pytest.raises(KeyboardInterrupt):
        read_side(parts, CROP, 1, tmp_path / "train.npy", HowToRead(workers=1, progress=stop))
    assert list(tmp_path.iterdir()) == []


def living(group: int) -> list[str]:
    """Processes of a group that are not over."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state not in "ZX":
            found.append(path.parent.name)
    return found


@pytest.mark.nightly
def test_ctrl_c_ends_the_command_and_its_processes_in_one_sentence(tiny: Path, tmp_path: Path) -> None:
    draw_dataset("folders", tmp_path / "drawn", per_class=400, seed=0)
    runs = tmp_path / "runs"
    command = subprocess.Popen(
        [
            sys.executable, "-m", "training.train", str(tiny), "--data", str(tmp_path / "drawn"), "--workers", "2",
            "--out", str(tmp_path / "out"), "--set", "crop.detector=haar",
        ],
        env=os.environ | {"FER_RUNS": str(runs), "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    until = time.monotonic() + 120
    while not (found := list(runs.rglob("*.progress"))):
        assert command.poll() is None and time.monotonic() < until, command.communicate()[1]
        time.sleep(0.05)
    os.killpg(command.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, complaint = command.communicate(timeout=60)
    assert command.returncode == 130 and complaint.strip().splitlines()[-1] == "error: Stopped."
    assert "Traceback" not in complaint
    assert list(found[0].parent.iterdir()) == []
    until = time.monotonic() + 20
    while living(command.pid):
        assert time.monotonic() < until, "a process of the command goes on"
        time.sleep(0.1)


def test_what_takes_seconds_is_read_by_one_process(
    parts: list[FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def others(cut: Any, jobs: Any, n: int) -> Any:
        asked.append(len(jobs))
        return map(cut, jobs)

    monkeypatch.setattr(reading, "in_order", others)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    read_side(parts, CROP, 1, tmp_path / "a" / "train.npy", HowToRead(workers=None))
    assert asked == []
    monkeypatch.setattr(reading, "ALONE_S", 0.0)
    read_side(parts, CROP, 1, tmp_path / "b" / "train.npy", HowToRead(workers=None))
    assert asked == [9]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    read_side(parts, CROP, 1, tmp_path / "c" / "train.npy", HowToRead(workers=None))
    assert asked == [9], "one core has nobody to help"


def test_a_data_set_that_cannot_be_sent_is_read_here(
    parts: list[FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Locked:
        def __init__(self, source: Any) -> None:
            self.source, self.lock = source, threading.Lock()

        def picture(self, i: int) -> Any:
            return self.source.picture(i)

    monkeypatch.setattr(reading, "in_order", None)
    locked = [dataclasses.replace(part, source=Locked(part.source)) for part in parts]
    side = read_side(locked, CROP, 1, tmp_path / "train.npy", HowToRead(workers=2))
    assert len(side) == sum(len(part) for part in parts)


def test_other_processes_wait_as_long_as_the_first_one_moves(
    parts: list[FaceSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "STILL_MINUTES", 0.5 / 60)
    monkeypatch.setattr(reading, "_WRITE_S", 0.0)
    path = tmp_path / "train.npy"

    def slow(side: str, done: int, total: int) -> None:
        time.sleep(0.2)

    first = threading.Thread(target=read_side, args=(parts, CROP, 1, path, HowToRead(progress=slow)))
    began = time.monotonic()
    first.start()
    side = read_side(parts, CROP, 1, path, HowToRead(decodes=False))
    assert time.monotonic() - began > 1.5, "three times as long as it waits for nothing"
    first.join()
    assert len(side) == sum(len(part) for part in parts)
    assert "Waiting for the first process to read train" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"read no picture into other.npy"):
        read_side(parts, CROP, 1, tmp_path / "other.npy", HowToRead(decodes=False))


def test_sides_lie_in_files_whatever_is_taken_of_them(drawn: Path, tmp_path: Path) -> None:
    """So that a set may be larger than memory, and a resumed run, and other processes, find what was taken."""
    recipe = network_recipe("demo")
    recipe = dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, drop_copies=True))
    chosen = choose_pictures(recipe, find_all(recipe.data, {"drawn": drawn}))
    first = prepare(recipe, chosen, tmp_path)
    for side in (first.train, first.choose):
        assert isinstance(side.images, np.memmap)
    other = prepare(recipe, chosen, tmp_path, how=HowToRead(decodes=False))
    np.testing.assert_array_equal(first.train.images, other.train.images)
    whole = read_side(chosen.train, recipe.crop, 1, tmp_path / "train.npy", HowToRead(decodes=False))
    rows = np.array([5, 2, 9])
    taken = take_rows(whole, rows, tmp_path / "train.npy", tmp_path / "some.npy")
    for field in dataclasses.fields(Side):
        np.testing.assert_array_equal(getattr(taken, field.name), getattr(whole, field.name)[rows])
    again = take_rows(whole, rows[:2], tmp_path / "train.npy", tmp_path / "some.npy")
    np.testing.assert_array_equal(again.images, whole.images[rows[:2]])


def test_how_far_it_is_is_told_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell = tell_reading(every_s=0.0)
    tell("train", 64, 100)
    tell("train", 100, 100)
    assert capsys.readouterr().err == "reading train: 64 of 100\nreading train: 100 of 100\n"
    quiet = tell_reading()
    quiet("train", 64, 100)
    assert capsys.readouterr().err == ""
