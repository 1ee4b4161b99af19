"""The data folder: its version, its groups of files, what the doctor finds and mends, and a copy as a backup."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from dashboard.services import jobs, kinds, places
from fer_core.cli import main
from fer_core.errors import StoreError
from fer_core.home import doctor, layout, rows, version
from fer_core.home.analyses import check_analysis, savable, saved_edits
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.store import Analysis, open_analysis
from tests.support import ROOT
from tests.support.damage import hurt
from tests.support.reading import copied

EDITS = [{"do": "rename", "person": 0, "name": "Ada"}, {"do": "exclude", "person": None, "start_s": 1.0, "end_s": 1.2},
         {"do": "rename", "person": 0, "name": "Eve"}]  # fmt: skip


def written_by_0_9(home: Path) -> None:
    """A data folder of version 0.9: queues with pickles, and pictures by the endings of their files."""
    with closing(sqlite3.connect(home / "queue-analyses.sqlite")) as table, table:
        table.execute("create table task (id integer primary key, queue text, data blob, priority real)")
        table.execute("insert into task (queue, data) values ('analyses', ?)", (b"\x80\x05\x95pickled",))
        table.execute("insert into task (queue, data) values ('analyses', ?)", (b'{"id": 1}',))
    (home / "pictures").mkdir()
    (home / "pictures" / "abc.jpg").write_bytes(b"a face")


def test_an_old_data_folder_is_brought_to_today_step_by_step(tmp_path: Path) -> None:
    written_by_0_9(tmp_path)
    assert version.migrate(tmp_path) == [1, 2] and version.version_of(tmp_path) == version.VERSION == 2
    with closing(sqlite3.connect(tmp_path / "queue-analyses.sqlite")) as table:
        assert table.execute("select data from task").fetchall() == [(b'{"id": 1}',)]
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["abc.picture"]
    assert version.migrate(tmp_path) == []


def test_a_migration_that_broke_off_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_by_0_9(tmp_path)

    def broken(_: Path) -> None:
        raise OSError("the disk is full")

    steps = version.STEPS
    monkeypatch.setattr(version, "STEPS", (steps[0], broken))
    with pytest.raises(OSError, match="full"):
        version.migrate(tmp_path)
    assert version.version_of(tmp_path) == 1
    monkeypatch.setattr(version, "STEPS", steps)
    assert version.migrate(tmp_path) == [2]


@pytest.mark.parametrize("text", ["", "x", "-1", "\0" * 9, "1.5"])
def test_a_damaged_number_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "version").write_text(text)
    assert version.migrate(tmp_path) == [1, 2]


def test_a_newer_data_folder_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "version").write_text("3\n")
    with pytest.raises(StoreError, match=r"newer workbench .* number 3, this one knows up to 2\).*FER_HOME"):
        version.migrate(tmp_path)
    assert main(["doctor", str(tmp_path)]) == 1 and main(["doctor", "--repair", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.err.count("newer workbench") == 2 and "Traceback" not in said.err
    assert (tmp_path / "version").read_text() == "3\n"


def test_the_workbench_does_not_start_on_a_newer_one(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("99")
    started = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.headless=true"],
        cwd=ROOT, env=os.environ | {"FER_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    said = started.stdout + started.stderr
    assert "newer workbench" in said and "Traceback" not in said and os.listdir(tmp_path) == ["version"]


def test_every_file_is_of_one_group(tmp_path: Path) -> None:
    told = {
        "uploads/a/source.mp4": "uploads", "analyses/ab/source.mp4": "videos", "analyses/ab/proxy.mp4": "copies",
        "analyses/ab/annotated.mp4": "annotated", "analyses/ab/crops/track_0.jpg": "faces",
        "analyses/ab/why/a.mp4": "why",
        "analyses/ab/views/a.json": "views", "analyses/ab/scores/a.parquet": "tables",
        "analyses/ab/edits.json": "tables",
        "analyses/ab.tmp/parts/a.parquet": "unfinished", "analyses/ab.unfinished-2/crops/a.jpg": "unfinished",
        "analyses/ab/edits.json.damaged-1": "damaged", "jobs.sqlite.damaged-1": "damaged", "jobs.sqlite-wal": "queue",
        "queue-analyses.sqlite": "queue", "explained/a.json": "explained", "pictures/a.picture": "pictures",
        "evaluations/a/b.parquet": "evaluations", "maps/a.safetensors": "maps",
        "checkpoints/a/card.json": "checkpoints",
        "detectors/a.safetensors": "weights", "keeping.json": "choices", "logs/a.log": "logs", "version": "other",
        "demo/a": "other", "runtimes/a.json": "runtimes",
    }  # fmt: skip
    for path in told:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"1234")
    (tmp_path / "link").symlink_to(ROOT)
    found = {path.relative_to(tmp_path).as_posix(): group.name for group, path, _ in layout.files(tmp_path)}
    assert found.pop("link") == "other" and found == told
    sizes = layout.sizes(tmp_path)
    assert sizes["tables"] == 8 and list(sizes) == [group.name for group in layout.GROUPS]
    assert set(told.values()) == set(sizes)


def test_kinds_of_jobs_are_those_of_the_workbench() -> None:
    assert set(rows.UPLOADED) == kinds.UPLOADED and kinds.EXPLAIN.name == rows.EXPLAIN and rows.ACTIVE == jobs.ACTIVE
    of_analyses = {kinds.ANNOTATE, kinds.COPY, kinds.WHY, kinds.WHY_SPAN, kinds.WHY_CLIP}
    assert set(rows.OF_AN_ANALYSIS) == {kind.name for kind in of_analyses}


# edits


def test_the_good_beginning_of_damaged_edits_is_kept() -> None:
    whole = json.dumps({"format": "fer-workbench-edits/1", "name": "Mine", "done": EDITS, "undone": []}, indent=1)
    kept = [len(saved_edits(whole[:end])["done"]) for end in range(len(whole) + 1)]
    assert kept[0] == 0 and kept[-1] == 3 and kept == sorted(kept) and set(kept) == {0, 1, 2, 3}
    assert saved_edits(whole[: whole.index('"undone"')]) == {
        "format": "fer-workbench-edits/1",
        "name": "Mine",
        "done": EDITS,
    }
    assert saved_edits(whole.replace('"Eve"', "5, 6"))["done"] == EDITS[:2]
    assert saved_edits(whole.replace('"exclude"', '"explode"'))["done"] == EDITS[:1], "what follows may rest on it"
    assert saved_edits(whole.replace("fer-workbench-edits/1", "x"))["done"] == EDITS
    for nothing in ("", "\0" * 50, "[" * 100_000, '"done": [[', "{}", "[1]"):
        assert saved_edits(nothing)["done"] == []


# tables


def mended(folder: Path) -> list[str]:
    """What was wrong with an analysis; it is whole afterwards, as far as it can be."""
    found = list(check_analysis(folder, "now"))
    assert [why for finding, why in doctor.repair(iter(found)) if finding.repair and why] == []
    return [finding.path.relative_to(folder).as_posix() for finding in found]


@pytest.mark.parametrize("how", ["cut", "zeroed", "missing", "wrong columns", "folder"])
@pytest.mark.parametrize("name", ["timeline.parquet", "timeline.csv", f"scores/{DEFAULT_CHECKPOINT}.parquet"])
def test_a_table_is_made_anew_from_the_one_that_says_the_same(mine: Analysis, name: str, how: str) -> None:
    path = mine.folder / name
    before = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
    assert mended(mine.folder) == []
    hurt(path, how)
    if how == "missing" and name.endswith("csv"):
        assert mended(mine.folder) == [], "an earlier version wrote none"
        return
    if how == "folder":
        shutil.rmtree(path)
    assert mended(mine.folder) == ([] if how == "folder" and name.endswith("csv") else [name])
    if path.exists():
        after = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
        pd.testing.assert_frame_equal(after, before)
    assert mended(mine.folder) == []


def test_damage_in_the_middle_of_a_table_is_found(mine: Analysis) -> None:
    path = mine.folder / "timeline.parquet"
    data = bytearray(path.read_bytes())
    data[8:400] = bytes(392)
    path.write_bytes(data)
    assert list(check_analysis(mine.folder, "now", deep=False)) == []
    assert mended(mine.folder) == ["timeline.parquet"]


def test_a_damaged_plan_or_notice_is_put_aside_and_an_agreement_is_saved(mine: Analysis) -> None:
    (mine.folder / "plan.yaml").write_text("models: [")
    (mine.folder / "notice.json").write_text('{"format": "fer-workbench-notice/1", "who": 5}')
    assert set(mended(mine.folder)) == {"plan.yaml", "notice.json"}
    assert list(check_analysis(mine.folder, "now")) == []
    said = {
        "format": "fer-workbench-edits/1",
        "agreed": {"date": "2026-12-01", "note": ""},
        "done": [{"do": "nothing"}],
    }
    assert saved_edits(json.dumps(said))["agreed"] == said["agreed"]


def test_what_cannot_be_made_anew_is_said(mine: Analysis) -> None:
    for name in ("timeline.parquet", "timeline.csv"):
        (mine.folder / name).unlink()
    told = [finding.sentence(mine.folder) for finding in check_analysis(mine.folder, "now")]
    assert any("timeline.parquet: missing or damaged. Analyze the file again" in each for each in told)
    (mine.folder / "analysis.json").unlink()
    assert savable(mine.folder) == {}
    (told_record,) = [each for each in check_analysis(mine.folder, "now") if each.path.name == "analysis.json"]
    assert "Nothing of it can be saved" in told_record.remedy


# the folder


@pytest.fixture
def ill(tmp_path: Path, analysis: Analysis) -> Path:
    """A data folder with something wrong in every respect."""
    home = tmp_path / "home"
    folder = home / "analyses" / ("ab" * 16)
    shutil.copytree(analysis.folder, folder)
    opened = open_analysis(folder)
    opened.do(EDITS[0])
    hurt(folder / "edits.json", "cut")
    hurt(folder / "crops" / "track_0.jpg", "cut")
    (folder / "edits.json.9.tmp").write_text("x")
    for name in (
        "analyses/0123456789ab.tmp/crops/a.jpg",
        "uploads/g/source.mp4",
        "analyses/g.tmp/state.safetensors",  # of an analysis that broke off and can go on
        "uploads/u/part.tmp",
        "explained/no-row.json",
        "reviews/a.json",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("{" if "reviews" in name else "{}")
    (home / "maps").write_text("no folder")
    (home / "analyses" / "cdcdcdcdcdcd").write_text("no folder")
    (home / "keeping.json").write_text("{")
    (home / "queue-inspector.sqlite").write_bytes(b"SQLite format 3\0 and garbage" * 200)
    with closing(sqlite3.connect(home / "jobs.sqlite")) as table, table:
        table.execute("create table jobs (id text, kind text, target text, state text)")
        table.executemany(
            "insert into jobs values (?,?,?,?)",
            [("v", "video", "v", "ready"), ("e", "explain", "e", "done"), ("w", "why", "gone", "done"),
             ("x", "why", "ab" * 16, "done"), ("d", "video", "ab" * 16, "done"), ("g", "video", "g", "ready")],
        )  # fmt: skip
    for path in (home, folder, folder / "timeline.csv"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return home


@pytest.mark.skipif(os.name == "nt", reason="needs permissions of POSIX")
def test_the_doctor_finds_and_mends(ill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0123456789ab.tmp", "g.tmp"):
        os.utime(ill / "analyses" / name, (0, 0))
    os.utime(ill / "uploads" / "u" / "part.tmp", (0, 0))
    before = {path: path.read_bytes() for path in ill.rglob("*") if path.is_file()}
    assert main(["doctor", str(ill)]) == 1
    said = capsys.readouterr().out
    assert {path: path.read_bytes() for path in ill.rglob("*") if path.is_file()} == before, "nothing is changed"
    for told in (
        "laid out as number 0", "maps: no folder", "may read or change it", "queue-inspector.sqlite: damaged",
        "job v (video, ready) is without its file", "job e (explain, done) is without its answer",
        "job w (why, done) is without its analysis", "no-row.json: an answer that no job asked for",
        "reviews/a.json: damaged", "keeping.json",
        "0123456789ab.tmp: not written to its end", "part.tmp: not written",
        "cdcdcdcdcdcd: no folder",
        "edits.json: ", "track_0.jpg: no whole picture", "edits.json.9.tmp: not written", "MB  Tables",
    ):  # fmt: skip
        assert told in said, told
    assert "job x" not in said and "job d" not in said and "g.tmp" not in said
    main(["doctor", "--repair", str(ill)])
    assert "Still there" not in capsys.readouterr().out
    assert not [path for path in ill.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    left = [finding.what for finding in doctor.check(ill)]
    assert set(left) == {"was put aside"}, left
    for path in ill.rglob("*.damaged-*"):
        doctor.remove_tree(path)
    assert main(["doctor", str(ill)]) == 0 and "All is well." in capsys.readouterr().out


def test_nothing_is_mended_while_the_workbench_is_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = doctor.take(tmp_path)
    assert lock is not None
    code = f"from fer_core.cli import main; raise SystemExit(main(['doctor', '--repair', {str(tmp_path)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    lock.release()
    assert done.returncode == 1 and "Close it before" in done.stderr and not (tmp_path / "version").exists()
    assert main(["doctor", str(tmp_path / "not-there")]) == 1 and "There is no data folder" in capsys.readouterr().err


def test_a_copy_made_while_it_works_is_a_backup(home: Path, analysis: Analysis, tmp_path: Path) -> None:
    """Jobs are written and an analysis is edited and renamed all the while."""
    shutil.copytree(analysis.folder, places.store().folder("ab" * 16))
    is_over, n = threading.Event(), 0

    def work() -> None:
        nonlocal n
        while not is_over.is_set():
            n += 1
            jobs.add(f"{n:032x}", kind="explain", name=f"job {n}")
            places.store().rename("ab" * 16, f"Name {n}")
            places.store().open("ab" * 16).do({"do": "rename", "person": 0, "name": f"Ada {n}"})

    worker = threading.Thread(target=work)
    worker.start()
    copies = []
    try:
        for i in range(5):
            until = time.monotonic() + 20
            while n <= 2 * i and time.monotonic() < until:
                time.sleep(0.01)
            copies.append(copied(home, tmp_path / str(i)))
    finally:
        is_over.set()
        worker.join()
    assert n >= 5
    for copy in copies:
        for each in list(doctor.check(copy)):  # what was just being written is left behind by its temporary name
            if each.what == "not written to its end" and each.repair is not None:
                each.repair()
        found = [each for each in doctor.check(copy) if "laid out" not in each.what and "accounts" not in each.what]
        assert [each.sentence(copy) for each in found if each.path.suffix != ".sqlite" or each.what != "damaged"] == []
        opened = open_analysis(copy / "analyses" / ("ab" * 16))
        assert opened.name == analysis.name or opened.name.startswith("Name ")
        assert len(opened.timeline()) == 16
