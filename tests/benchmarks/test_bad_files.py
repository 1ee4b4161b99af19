"""The corpus of damaged files: the same for the same seed, large enough, and none of it breaks anything."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from benchmarks import bad_files
from benchmarks.bad_files import BROKEN, HARMS, Outcome, bad_ones, corpus, read_in_child, table


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    return list(corpus(tmp_path_factory.mktemp("corpus"), 0))


def test_a_seed_makes_the_same_files_and_another_one_others(files: list[tuple[Path, str]], tmp_path: Path) -> None:
    assert len(files) >= 130 and {harm for _, harm in files} == set(HARMS)
    kept = [path for path, harm in files if harm == "cut off" and path.suffix in (".jpg", ".gif", ".tif", ".bmp")]
    for seed, is_same in ((0, True), (1, False)):
        again = {path.name: path for path, _ in corpus(tmp_path / str(seed), seed)}
        assert len(kept) == 4
        assert all(filecmp.cmp(path, again[path.name], shallow=False) == is_same for path in kept)


def test_what_breaks_off_or_says_nothing_is_bad() -> None:
    fine = [Outcome("a", "cut off", "", 3, 0.1, 60.0), Outcome("b", "cut off", "It is cut off.", 0, 0.1, 60.0)]
    bad = [Outcome("c", "cut off", BROKEN, 0, 0.1, 0.0), Outcome("d", "cut off", "KeyError", 0, 0.1, 60.0)]
    assert bad_ones(fine + bad) == bad


def test_a_child_reads_a_file_and_tells_what_became_of_it(
    files: list[tuple[Path, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [read_in_child(path, harm) for path, harm in files if path.stem in ("h08", "k00")]
    assert bad_ones(found) == [] and next(each.frames for each in found) == 4
    monkeypatch.setattr(bad_files, "HARMS", {harm: HARMS[harm] for harm in {each.harm for each in found}})
    assert table(found).count("\n") == 1 + len(found)
    monkeypatch.setattr(bad_files.sys, "executable", "false")
    assert read_in_child(*files[0]).said == BROKEN


@pytest.mark.nightly
def test_no_damaged_file_breaks_anything(files: list[tuple[Path, str]], tmp_path: Path) -> None:
    outcomes = [read_in_child(path, harm) for path, harm in files]
    assert bad_ones(outcomes) == []
    assert max(each.peak_mb for each in outcomes) < 1000
    read = next(path for path, _ in files for each in outcomes if each.name == path.name and not each.said)
    assert bad_files.analysed_in_child(read, tmp_path / "out")
