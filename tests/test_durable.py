"""What is told to be stored is on the disk: content before it takes its name, and the name before anybody relies on it.

A power cut cannot be tried here; what can be is the order of what is asked of the system.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dashboard.services import places, uploads
from fer_core.files import TEMPORARY, moved, replacing, replacing_folder
from fer_core.models.card import read_card, write_card
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT, find_checkpoint
from fer_core.video.in_making import STATE
from fer_core.video.pipeline import analyze
from fer_core.video.store import open_analysis
from tests.support.interrupted import kept_often, moving_clip

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="a handle's file can be told on Linux alone")


@dataclass
class Asked:
    """What was asked of the system, in order: ``sync`` of a path, or ``move`` to a path; a move knows the files that it
    gave their name."""

    steps: list[tuple[str, Path]] = field(default_factory=list)
    given: list[list[Path]] = field(default_factory=list)

    def of(self, place: Path) -> int:
        """The last move to a place: its index."""
        return max(i for i, step in enumerate(self.steps) if step == ("move", place))

    def assert_safe(self, place: Path) -> None:
        """All that took a place was on the disk by then, and the place itself soon after."""
        at = self.of(place)
        synced = {path for what, path in self.steps[:at] if what == "sync"}
        assert self.given[at] and not [path for path in self.given[at] if path not in synced]
        assert ("sync", place.parent) in self.steps[at:]


@contextmanager
def watched() -> Iterator[Asked]:
    asked, fsync, replace = Asked(), os.fsync, os.replace

    def syncs(handle: int) -> None:
        fsync(handle)
        asked.steps.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}"))))
        asked.given.append([])

    def moves(old: Any, new: Any) -> None:
        old, new = Path(old), Path(new)
        files = [path for path in old.rglob("*") if path.is_file()] if old.is_dir() else [old]
        replace(old, new)
        asked.steps.append(("move", new))
        asked.given.append(files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", syncs)
        patch.setattr(os, "replace", moves)
        yield asked


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path) -> None:
    with watched() as asked, replacing(tmp_path / "a") as new:
        new.write_text("x")
    assert asked.steps == [("sync", new), ("move", tmp_path / "a"), ("sync", tmp_path)]


def test_a_folder_takes_its_name_with_everything_in_it(tmp_path: Path) -> None:
    with watched() as asked, replacing_folder(tmp_path / "a") as new:
        (new / "b").mkdir()
        (new / "b" / "c").write_text("x")
    asked.assert_safe(tmp_path / "a")
    assert asked.steps[:3] == [("sync", new / "b" / "c"), ("sync", new / "b"), ("sync", new)]


def test_both_folders_know_of_a_move(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "old" / "a").touch()
    with watched() as asked:
        moved(tmp_path / "old" / "a", tmp_path / "new" / "a")
    assert {path for what, path in asked.steps[1:] if what == "sync"} == {tmp_path / "old", tmp_path / "new"}


def test_edits_cards_and_uploads_survive_a_power_cut(home: Path, tmp_path: Path, analysis: Any, clip: Path) -> None:
    folder = shutil.copytree(analysis.folder, tmp_path / "a")
    with watched() as asked:
        open_analysis(folder).rename("Ann")
        write_card(tmp_path, read_card(find_checkpoint(DEFAULT_CHECKPOINT) / "card.json"))
        job = uploads.add_copy(clip, "talk.mp4")
    for place in (folder / "edits.json", tmp_path / "card.json"):
        asked.assert_safe(place)
    source = places.upload_of(job.id)
    assert source is not None
    asked.assert_safe(source)
    assert ("sync", places.uploads()) in asked.steps, "the folder of the upload is new, too"


def test_an_analysis_is_on_the_disk_when_it_appears_and_so_is_all_that_a_state_leans_on(
    tmp_path: Path, classifier: Classifier
) -> None:
    clip, out = moving_clip(tmp_path / "c.mp4"), tmp_path / "a"
    with kept_often(), watched() as asked:
        analyze(clip, out, checkpoint=classifier)
    asked.assert_safe(out)
    state = tmp_path / f"a{TEMPORARY}" / STATE
    states = [i for i, step in enumerate(asked.steps) if step == ("move", state)]
    assert len(states) > 3
    for at in states[:-1]:
        before = asked.steps[:at]
        synced = {path for what, path in before if what == "sync"}
        parts = {path for what, path in before if what == "move" and path.parent.name in ("parts", "pictures")}
        assert not {path for path in parts if path.suffix != ".new"} - synced
