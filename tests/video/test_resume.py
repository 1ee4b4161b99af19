"""An analysis that was cut off goes on where it was, and its result is that of one that nothing interrupted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_core.errors import StoreError, TakenOver
from fer_core.faces.tracking import Tracker
from fer_core.files import TEMPORARY
from fer_core.models.classifier import Classifier
from fer_core.progress import Progress
from fer_core.video import pipeline, resume
from fer_core.video.in_making import STATE, last_kept
from fer_core.video.packed import packed, unpacked
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import open_analysis
from tests.support import ROOT
from tests.support.interrupted import FRAMES, PER_S, Killed, assert_same, cut_off, kept_often, kept_s, moving_clip
from tests.support.people import Colours


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clips") / "c.mp4")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("fer_core.video.run.make_describer", Colours)
    with kept_often():
        yield


SETTINGS = {
    "fast": Settings(mode="fast"),
    "exact": Settings(mode="exact"),
    "people": Settings(mode="fast", identity=True),
    "range": Settings(mode="exact", start_s=2.1, end_s=4.6, per_second=7.0),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_cut_off_three_times_it_is_as_if_nothing_had_happened(
    tmp_path: Path, clip: Path, classifier: Classifier, name: str
) -> None:
    how: dict[str, Any] = {"checkpoint": classifier, "settings": SETTINGS[name]}
    whole = analyze(clip, tmp_path / "whole", **how)
    n = open_analysis(whole).record["time_check"]["frames_analysed"]
    told: list[Progress] = []
    before_s = 0.0
    for share in (0.35, 0.6, 0.95):
        cut_off(clip, tmp_path / "cut", round(share * n), progress=told.append, **how)
        assert kept_s(tmp_path / "cut") > before_s
        assert not before_s or told[-1].went_on_s == before_s, "from what was kept last, not from the start"
        before_s = kept_s(tmp_path / "cut")
    assert_same(analyze(clip, tmp_path / "cut", progress=told.append, **how), whole)
    assert told[-1].went_on_s == before_s
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_small_batches_and_parts_are_cut_by_the_video_alone(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faces wait for their scores when the run dies, and pass into the next one with the state."""
    monkeypatch.setattr("fer_core.video.parts.BATCH_FACES", 25)
    monkeypatch.setattr("fer_core.video.parts.PART_FRAMES", 28)
    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier)
    for frame in (19, 24, 41):
        cut_off(clip, tmp_path / "cut", frame, checkpoint=classifier)
    assert_same(analyze(clip, tmp_path / "cut", checkpoint=classifier), whole)


@pytest.mark.parametrize("stage", ["write_record", "tree_to_disk", "moved"])
def test_cut_off_at_its_end_it_need_not_read_the_video_again(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def dies(*_: object) -> None:
        raise Killed

    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, stage, dies)
        with pytest.raises(Killed):
            analyze(clip, tmp_path / "cut", checkpoint=classifier)
    frames, read = VideoReader.frames, []
    monkeypatch.setattr(VideoReader, "frames", lambda self, **how: read.append(how) or frames(self, **how))
    assert_same(analyze(clip, tmp_path / "cut", checkpoint=classifier), whole)
    assert read == []


@pytest.mark.parametrize("ending", ["mkv", "avi", "ts"])
def test_where_a_file_cannot_be_sought_it_is_read_from_the_start(
    tmp_path: Path, classifier: Classifier, ending: str
) -> None:
    clip = moving_clip(tmp_path / f"c.{ending}", codec="libx264" if ending == "mkv" else "mpeg4")
    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier)
    cut_off(clip, tmp_path / "cut", 40, checkpoint=classifier)
    assert_same(analyze(clip, tmp_path / "cut", checkpoint=classifier), whole)


def test_a_key_frame_that_shows_another_picture_is_not_trusted(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a cut that a file does not tell of: what was seen last is compared before anything is added."""
    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier)
    cut_off(clip, tmp_path / "cut", 40, checkpoint=classifier)
    frames, sought = VideoReader.frames, []

    def otherwise(self: VideoReader, **how: object) -> object:
        sought.append(how.get("seek"))
        for frame in frames(self, **how):  # type: ignore[arg-type]
            if how.get("seek"):
                frame.image[:] = 0
            yield frame

    monkeypatch.setattr(VideoReader, "frames", otherwise)
    assert_same(analyze(clip, tmp_path / "cut", checkpoint=classifier), whole)
    assert sought == [True, False]


@pytest.mark.parametrize("change", ["settings", "source", "code", "part", "state", "picture"])
def test_what_does_not_fit_any_more_begins_anew(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    source, settings = tmp_path / "c.mp4", Settings(identity=True)
    source.write_bytes(clip.read_bytes())
    cut_off(source, tmp_path / "cut", 40, checkpoint=classifier, settings=settings)
    folder = tmp_path / "cut.tmp"
    if change == "settings":
        settings = Settings(mode="exact", identity=True)
    elif change == "source":
        source.write_bytes(clip.read_bytes() + b"\0")
    elif change == "code":
        monkeypatch.setattr(resume, "_code", lambda: "another")
    elif change == "part":
        next(folder.glob("parts/timeline-*")).unlink()
    elif change == "picture":
        next(folder.glob("pictures/chips-*")).write_bytes(b"")
    else:
        (folder / STATE).write_bytes((folder / STATE).read_bytes()[:-9])
    told: list[Progress] = []
    out = analyze(source, tmp_path / "cut", checkpoint=classifier, settings=settings, progress=told.append)
    assert told[-1].went_on_s is None
    assert_same(out, analyze(source, tmp_path / "whole", checkpoint=classifier, settings=settings))


def test_a_wish_to_stop_keeps_what_was_kept_without_reading_on(
    tmp_path: Path, clip: Path, classifier: Classifier
) -> None:
    cut_off(clip, tmp_path / "cut", 40, checkpoint=classifier)
    until_s = kept_s(tmp_path / "cut")
    record = open_analysis(analyze(clip, tmp_path / "cut", checkpoint=classifier, should_stop=lambda: True)).record
    assert record["complete"] is False and record["time_check"]["last_s"] == pytest.approx(until_s, abs=1e-6)
    assert any("Stopped by request" in message for message in record["messages"])
    assert last_kept(tmp_path / "cut") is None


def test_a_later_run_takes_the_work_from_an_earlier_one(tmp_path: Path, clip: Path, classifier: Classifier) -> None:
    """The earlier one was stopped in the middle, and wakes when the later one has ended."""
    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier)
    ended: list[Path] = []

    def sleeps() -> bool:
        folder = next(iter(tmp_path.glob("cut.1.tmp")), None)
        if not ended and folder is not None and (folder / STATE).is_file():
            ended.append(analyze(clip, tmp_path / "cut", checkpoint=classifier, token="2"))
        return False

    with pytest.raises(TakenOver):
        analyze(clip, tmp_path / "cut", checkpoint=classifier, should_stop=sleeps, token="1")
    assert_same(ended[0], whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


def test_a_run_that_hears_that_it_was_replaced_leaves_all_as_it_is(
    tmp_path: Path, clip: Path, classifier: Classifier
) -> None:
    def replaced() -> bool:
        if last_kept(tmp_path / "cut"):
            raise TakenOver
        return False

    with pytest.raises(TakenOver):
        analyze(clip, tmp_path / "cut", checkpoint=classifier, should_stop=replaced, token="1")
    assert last_kept(tmp_path / "cut") and not (tmp_path / "cut").exists()


def test_an_error_does_not_cost_what_was_kept(
    tmp_path: Path, clip: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "write_record", broken)
        with pytest.raises(StoreError, match="goes on from there"):
            analyze(clip, tmp_path / "cut", checkpoint=classifier, token="1")
    told: list[Progress] = []
    analyze(clip, tmp_path / "cut", checkpoint=classifier, token="2", progress=told.append)
    assert told[-1].went_on_s == pytest.approx((FRAMES - 1) / PER_S, abs=1e-3)


def test_what_is_packed_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    value = {
        "a": [1, 0.1, float("inf"), None, True, "é"],
        "b": {"x": np.float32([[0.1]]), "none": np.zeros((0, 3), np.int64)},
    }
    (tmp_path / "f").write_bytes(packed(value))
    again = unpacked(tmp_path / "f")
    assert again["a"] == value["a"] and again["b"]["none"].shape == (0, 3)
    assert again["b"]["x"].dtype == np.float32 and again["b"]["x"] == value["b"]["x"]  # type: ignore[index]
    again["b"]["x"] += 1
    with pytest.raises(StoreError, match="damaged"):
        unpacked(tmp_path / "none")


def test_a_tracker_that_goes_on_knows_everything_that_the_other_knew(tmp_path: Path) -> None:
    """So that a field that is added some day is not forgotten."""
    state = Tracker().state()
    assert set(state) == {name.removeprefix("_") for name in vars(Tracker())}
    (tmp_path / "f").write_bytes(packed(state))
    assert vars(Tracker.going_on(unpacked(tmp_path / "f"))) == vars(Tracker())


# killed


FORKS = """
import os, sys
from pathlib import Path
from tests.support.interrupted import kept_often
from tests.support.people import Colours
import fer_core.video.run as run
from fer_core.video.pipeline import Settings, analyze
run.make_describer = Colours
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        with kept_often(0.1):
            analyze(sys.argv[1], sys.argv[2], settings=Settings(identity=True), token=line.strip())
        os._exit(0)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""
"""Analyses, each in a process of its own that has everything loaded already; tells which, and how it ended."""


@pytest.mark.nightly
def test_killed_at_random_the_result_is_the_same(
    tmp_path: Path, clip: Path, classifier: Classifier, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGKILL of the process, twenty times in all, at random moments of the work; every other one not before something
    was kept, however slow the machine is. The seed is printed."""
    seed = int(os.environ.get("FER_SEED", random.SystemRandom().randrange(10**6)))
    rng, out, killed, went_on = random.Random(seed), tmp_path / "cut", 0, 0
    began = time.monotonic()
    whole = analyze(clip, tmp_path / "whole", checkpoint=classifier, settings=Settings(identity=True))
    takes_s = time.monotonic() - began
    with subprocess.Popen(
        [sys.executable, "-c", FORKS, str(clip), str(out)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as zygote:  # fmt: skip
        assert zygote.stdin is not None and zygote.stdout is not None
        for token in range(1, 100):
            print(token, file=zygote.stdin, flush=True)
            pid = int(zygote.stdout.readline())
            if killed < 20:
                waits_until = time.monotonic() + 60 * (killed % 2)
                while time.monotonic() < waits_until and last_kept(out) is None and not out.exists():
                    time.sleep(0.005)
                time.sleep(rng.uniform(0, takes_s / (1 + killed % 2)))
                with suppress(ProcessLookupError):  # it was through already
                    os.kill(pid, signal.SIGKILL)
            status = int(zygote.stdout.readline())
            killed += os.WIFSIGNALED(status)
            went_on += last_kept(out) is not None
            if out.exists():
                assert_same(out, whole)
                out.rename(tmp_path / f"done-{token}")
                if killed == 20:
                    break
        zygote.stdin.close()
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}: {killed} times killed, {went_on} times with something kept, {token} runs\n")
    assert killed == 20 and went_on > 5 and (tmp_path / f"done-{token}").exists()
    assert not list(tmp_path.glob(f"*{TEMPORARY}"))
