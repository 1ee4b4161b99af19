"""People by their faces: strips are cut, joined and proposed as a describer of colours says, by hand; what is kept, and
that it goes nowhere else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.services import playback
from fer_core import cli
from fer_core.errors import InputError, StoreError
from fer_core.faces.identity import describers
from fer_core.models.classifier import Classifier
from fer_core.video import people, strips
from fer_core.video.dictionary import dictionary
from fer_core.video.export import KINDS, export
from fer_core.video.people import Recognised, Recogniser
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.proposals import Proposal, proposals
from fer_core.video.reader import Frame
from fer_core.video.store import Analysis, AnalysisStore, open_analysis
from fer_core.video.view import Lens, view
from tests.support.people import (
    BLUE,
    GREEN,
    NEARLY,
    RED,
    REDDISH,
    Colour,
    Colours,
    faces_at,
    painted,
    painted_analysis,
)  # fmt: skip

Seen = tuple[int, float, Colour]
"""A face: its track, where it is, its colour."""


def recognised(
    frames: Sequence[Sequence[Seen]], describer: Colours | None = None, per_second: float = 10
) -> Recognised:
    recogniser, rows = Recogniser(describer or Colours()), []
    for index, seen in enumerate(frames):
        image = painted([(x, colour) for _, x, colour in seen])
        faces, tracks = faces_at([x for _, x, _ in seen]), np.array([track for track, _, _ in seen], np.int32)
        crops = np.stack([image[30:78, int(x) : int(x) + 48] for _, x, _ in seen]) if seen else np.zeros((0, 48, 48, 3))
        frame = Frame(index, index / per_second, image)
        recogniser.see(frame, faces, tracks, [1.0] * len(seen), crops.astype(np.uint8))
        rows += [(index, track) for track, _, _ in seen]
    return recogniser.settle(pd.DataFrame(rows, columns=["frame", "track"]))


def people_of(found: Recognised, frames: Sequence[Sequence[Seen]]) -> list[list[int]]:
    """Who is in every frame."""
    rows = pd.DataFrame([(i, t) for i, seen in enumerate(frames) for t, *_ in seen], columns=["frame", "track"])
    who = pd.Series(found.strips(rows)).map(found.numbers)
    return [who[rows["frame"] == i].tolist() for i in range(len(frames))]


def shots(*seen: tuple[int, Sequence[Seen]]) -> list[Sequence[Seen]]:
    return [faces for n, faces in seen for _ in range(n)]


# who is who


def test_a_strip_is_cut_at_the_very_frame_where_it_becomes_somebody_else() -> None:
    frames = shots((13, [(0, 100, RED)]), (18, [(0, 100, BLUE)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0]] * 13 + [[1]] * 18
    assert found.record["strips"] == 1 and found.record["cut"] == 1 and found.record["people"] == 2


def test_who_comes_back_within_a_strip_is_the_same_person_again() -> None:
    frames = shots((20, [(0, 100, RED)]), (20, [(0, 100, BLUE)]), (20, [(0, 100, RED)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0]] * 20 + [[1]] * 20 + [[0]] * 20


def test_people_who_changed_places_are_followed() -> None:
    frames = shots((20, [(0, 30, RED), (1, 200, BLUE)]), (20, [(0, 30, BLUE), (1, 200, RED)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0, 1]] * 20 + [[1, 0]] * 20
    assert found.record["people"] == 2 and found.record["proposals"] == []


def test_strips_of_one_person_are_joined_and_numbered_in_order_of_appearance() -> None:
    frames = shots((9, [(0, 100, GREEN)]), (9, [(1, 100, RED)]), (9, [(2, 100, GREEN)]), (9, [(3, 100, REDDISH)]))
    assert people_of(recognised(frames), frames) == [[0]] * 9 + [[1]] * 9 + [[0]] * 9 + [[1]] * 9


def test_a_strip_that_is_a_part_of_another_is_of_its_person() -> None:
    """Strip 1 is red as strip 0 is, whose part it is; in its own middle it is blue."""
    recogniser, rows = Recogniser(Colours()), []
    colours = [RED] * 10 + [BLUE] * 10 + [RED] * 20
    for index, colour in enumerate(colours):
        image, track = painted([(100, colour)]), int(5 <= index < 25)
        crops = image[None, 30:78, 100:148]
        recogniser.see(Frame(index, index / 10, image), faces_at([100]), np.array([track]), [1.0], crops)
        rows.append((index, 0))
    seen = pd.DataFrame(rows, columns=["frame", "track"])
    found = recogniser.settle(seen, {1: 0})
    assert [found.numbers[strip] for strip in found.strips(seen)] == [0] * 10 + [1] * 10 + [0] * 20
    assert found.record["strips"] == 1


def test_strips_that_are_seen_together_are_never_one_person_nor_proposed() -> None:
    frames = shots((9, [(0, 30, RED), (1, 200, RED)]), (9, [(1, 200, RED)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0, 1]] * 9 + [[1]] * 9
    assert found.record["proposals"] == []


def test_nobody_is_joined_by_way_of_a_third() -> None:
    """Each step is small enough, both together are not; the nearer two are joined, the rest is proposed."""
    far = (176, 40, 40)  # 0.094 from reddish, 0.173 from red
    frames = shots((9, [(0, 100, RED)]), (9, [(1, 100, REDDISH)]), (9, [(2, 100, far)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0]] * 9 + [[0]] * 9 + [[1]] * 9
    (proposal,) = found.record["proposals"]
    assert (proposal["person"], proposal["other"]) == (0, 1)
    assert proposal["distance"] == pytest.approx(0.094 + 0.1 / 4, abs=0.01)


def test_two_faces_that_are_nearer_than_needed_speak_for_their_strips() -> None:
    """The first strip begins dark red, 0.27 from the second, which is red: in the mean they are too far apart."""
    other = (150, 40, 40)
    for first, is_joined in ((RED, True), ((205, 40, 40), True), (NEARLY, False)):
        frames = shots((60, [(0, 100, other)]), (60, [(0, 100, first)]), (60, [(1, 100, RED)]))
        found = recognised(frames)
        assert found.record["cut"] == 0
        assert (people_of(found, frames)[-1] == [0]) == is_joined


def test_between_sure_and_different_lies_a_proposal() -> None:
    frames = shots((9, [(0, 100, RED)]), (9, [(1, 100, NEARLY)]), (9, [(2, 100, BLUE)]))
    found = recognised(frames)
    assert people_of(found, frames) == [[0]] * 9 + [[1]] * 9 + [[2]] * 9
    assert [(each["person"], each["other"]) for each in found.record["proposals"]] == [(0, 1)]


# what is described


@pytest.mark.parametrize(("n", "wanted"), [(1, 1), (12, 1), (30, 2), (120, 3), (400, 3)])
def test_of_a_strip_at_most_three_faces_are_described_from_its_whole_time(n: int, wanted: int) -> None:
    describer = Colours()
    found = recognised(shots((n, [(0, 100, RED)])), describer)
    assert describer.described == len(found.descriptors) == wanted
    if wanted == 3:
        shares = found.descriptors["frame"].to_numpy() / n
        assert (np.diff(shares) > 0.1).all() and shares[0] < 0.4 and shares[-1] > 0.6


def test_the_best_picture_of_its_time_is_the_one_described() -> None:
    recogniser = Recogniser(Colours())
    for index, quality in enumerate([1.0, 5.0, 1.0]):
        image = painted([(100, (70 * (index + 1), 60, 60))])
        crops = np.full((1, 48, 48, 3), 90, np.uint8)
        recogniser.see(Frame(index, index / 100, image), faces_at([100]), np.array([0]), [quality], crops)
    found = recogniser.settle(pd.DataFrame({"frame": [0, 1, 2], "track": 0}))
    assert found.descriptors["frame"].tolist() == [1]


@pytest.mark.parametrize("kind", ["small", "dark", "profile"])
def test_faces_that_say_too_little_are_not_described_and_join_nobody(kind: str) -> None:
    recogniser = Recogniser(Colours())
    faces = faces_at([100], side=40 if kind == "small" else 60)
    if kind == "profile":
        faces.landmarks[:, 2] = faces.landmarks[:, 1] + 5
    crops = np.full((1, 48, 48, 3), 20 if kind == "dark" else 120, np.uint8)
    for index, track in enumerate([0, 0, 1, 1]):
        recogniser.see(Frame(index, index / 10, painted([(100, RED)])), faces, np.array([track]), [1.0], crops)
    found = recogniser.settle(pd.DataFrame({"frame": range(4), "track": [0, 0, 1, 1]}))
    assert found.numbers == {0: 0, 1: 1} and found.record["described"] == 0
    assert found.descriptors.columns.tolist() == ["strip", "person", "frame", "time_s"]


def test_pictures_of_those_who_are_long_gone_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = shots(*((9, [(track, 100, RED if track % 2 else BLUE)]) for track in range(12)))
    whole = recognised(frames)
    monkeypatch.setattr(people, "MAX_CHIPS", 8)
    describer, held = Colours(), []
    monkeypatch.setattr(strips.Strip, "keep", _noting(strips.Strip.keep, held))
    small = recognised(frames, describer)
    assert people_of(small, frames) == people_of(whole, frames) and whole.record["people"] == 2
    assert small.record["described"] == whole.record["described"] == describer.described


def test_a_strip_that_jumps_all_the_time_keeps_few_pictures() -> None:
    """As under a strobe, or where few frames a second are looked at; the greatest jumps are kept."""
    frames = shots(*((8, [(0, 100, (RED, BLUE, GREEN)[turn % 3])]) for turn in range(30)))
    describer = Colours()
    found = recognised(frames, describer)
    assert describer.described <= strips.MAX_STRETCHES * strips.SPANS // 2
    assert found.record["people"] <= 3 and len(people_of(found, frames)) == 240


def _noting(keep, held):  # type: ignore[no-untyped-def]
    def noted(self, picture) -> None:  # type: ignore[no-untyped-def]
        keep(self, picture)
        held.append(self.kept)
        assert held[-1] <= strips.SPANS

    return noted


def test_a_frame_without_faces_has_no_looks() -> None:
    looks, bright = strips.strip_looks(np.zeros((0, 112, 112, 3), np.uint8))
    assert looks.shape == (0, 256) and bright.shape == (0,)


def test_nobody_at_all() -> None:
    found = Recogniser(Colours()).settle(pd.DataFrame({"frame": [], "track": []}, dtype=np.int64))
    assert found.numbers == {} and found.record["people"] == 0 and found.record["proposals"] == []


# through an analysis


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Analysis:
    return painted_analysis(tmp_path_factory.mktemp("painted") / ("ab" * 16), classifier)


@pytest.fixture
def found(tmp_path: Path, whole: Analysis) -> Analysis:
    """Three people: red and blue, who were one strip, and a nearly red one. A copy that may be changed."""
    return open_analysis(shutil.copytree(whole.folder, tmp_path / "store" / whole.id))


def test_every_table_has_the_same_people(found: Analysis) -> None:
    expected = [0] * 15 + [1] * 15 + [0] * 15 + [2] * 15
    timeline = found.timeline()
    assert timeline["track"].tolist() == expected
    assert found.scores(found.models[0])["track"].tolist() == expected
    assert pd.read_csv(found.folder / "timeline.csv")["track"].tolist() == expected
    features = pd.read_parquet(found.folder / "features.parquet")
    assert features["track"].tolist() == [expected[frame] for frame in features["frame"]]
    assert [person["track"] for person in found.people] == [0, 1, 2]
    assert found.record["settings"]["identity"] is True


def test_every_person_has_a_picture_of_the_own(found: Analysis) -> None:
    import cv2

    assert sorted(path.name for path in (found.folder / "crops").iterdir()) == [f"track_{i}.jpg" for i in range(3)]
    colours = [cv2.imread(str(found.thumbnail(track))).mean(axis=(0, 1))[::-1] for track in range(3)]
    assert colours[0][0] > 150 > colours[0][2] and colours[1][2] > 150 > colours[1][0] and colours[2][0] > 100


def test_descriptors_are_kept_with_the_analysis_alone(found: Analysis) -> None:
    kept = pd.read_parquet(found.folder / "descriptors.parquet")
    assert kept.columns.tolist() == ["strip", "person", "frame", "time_s", "d_000", "d_001", "d_002"]
    assert kept["d_000"].dtype == np.float32 and set(kept["person"]) == {0, 1, 2}
    recognition = found.recognition
    assert recognition is not None and recognition["describer"]["name"] == "colours"
    numbers = [f"{value:.4f}"[1:] for value in kept[["d_000", "d_001", "d_002"]].to_numpy().ravel()]
    for name in sorted(path.name for path in found.folder.iterdir() if path.suffix in (".json", ".csv")):
        text = (found.folder / name).read_text(encoding="utf-8")
        assert "d_000" not in text and (name == "people.json" or 'distance": 0' not in text)
    assert numbers


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_export_has_anything_of_a_descriptor(found: Analysis, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export is made without a look at what the descriptors are in, and has none of their names."""
    opened: list[str] = []
    read = pd.read_parquet
    monkeypatch.setattr(pd, "read_parquet", lambda path, *a, **k: (opened.append(str(path)), read(path, *a, **k))[1])
    made = export(found, kind)
    assert not any("descriptors" in path for path in opened)
    (found.folder / "descriptors.parquet").unlink()
    (found.folder / "people.json").unlink()
    assert export(open_analysis(found.folder), kind) == made
    assert b"d_000" not in made and b"descriptor" not in made and b"proposals" not in made


def test_what_the_pages_are_told_has_nothing_of_a_descriptor_either(found: Analysis) -> None:
    told = json.dumps([playback.overview(found, Lens()), playback.frames(found, Lens(), 0)])
    told += dictionary(found, view(found).columns.tolist(), Lens()).to_csv()
    told += playback.figure_svg(found, Lens(), track=0, start_s=0.0, end_s=6.0)
    assert "d_000" not in told and "proposals" not in told and "descriptor" not in told


def test_descriptors_go_with_the_analysis(found: Analysis) -> None:
    AnalysisStore(found.folder.parent).delete(found.id)
    assert not found.folder.exists() and list(found.folder.parent.rglob("descriptors*")) == []


def test_proposals_are_decided_by_edits_and_come_back(found: Analysis) -> None:
    (proposal,) = proposals(found)
    assert proposal == Proposal(0, 2, pytest.approx(0.157, abs=0.03))
    merged = found.do({"do": "merge", "person": 2, "into": 0})
    assert proposals(merged) == [] and merged.tracks == [0, 1]
    assert proposals(merged.undo()) == [proposal]
    parted = found.do({"do": "apart", "person": 2, "other": 0})
    assert proposals(parted) == [] and parted.tracks == [0, 1, 2]
    assert proposals(parted.undo()) == [proposal] and proposals(found.redo()) == []


def test_proposals_follow_other_edits(found: Analysis) -> None:
    assert [(p.person, p.other) for p in proposals(found.do({"do": "merge", "person": 2, "into": 1}))] == [(0, 1)]
    told = found.do({"do": "apart", "person": 0, "other": 1})
    assert proposals(told) == []
    assert told.undo().undo() and proposals(open_analysis(found.folder))
    assert proposals(found.do({"do": "exclude", "person": 2})) == []


def test_those_who_were_told_apart_stay_so_when_one_is_merged(found: Analysis) -> None:
    found.do({"do": "apart", "person": 2, "other": 0})
    assert proposals(found.do({"do": "merge", "person": 2, "into": 1})) == []


def test_the_command_line_says_who_may_be_one_person(found: Analysis, capsys: pytest.CaptureFixture[str]) -> None:
    cli._tell(found.record, found.folder)
    assert "Person 1 and Person 3 may be one person by their faces (distance 0.1" in capsys.readouterr().out


def test_words_for_distances() -> None:
    assert [Proposal(0, 1, d).likeness(0.4, 0.6) for d in (0.41, 0.5, 0.59)] == [
        "very much alike", "much alike", "somewhat alike",
    ]  # fmt: skip


def test_a_damaged_record_of_people_says_so(found: Analysis) -> None:
    path = found.folder / "people.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"proposals": [{"person": 0}]}))
    with pytest.raises(StoreError, match=r"people\.json is damaged"):
        proposals(found)
    path.write_text("{")
    with pytest.raises(StoreError, match=r"people\.json is damaged"):
        proposals(found)


# off, or not there


def test_without_the_switch_nothing_is_described(analysis: Analysis) -> None:
    assert analysis.record["settings"]["identity"] is False and analysis.recognition is None
    assert proposals(analysis) == []
    assert not any((analysis.folder / name).exists() for name in ("people.json", "descriptors.parquet"))


def test_in_a_picture_nobody_comes_back(
    tmp_path: Path, portrait: np.ndarray, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.fromarray(portrait).save(tmp_path / "a.png")
    monkeypatch.setattr("fer_core.video.run.make_describer", lambda: pytest.fail("a describer was loaded"))
    folder = analyze(tmp_path / "a.png", tmp_path / "a", checkpoint=classifier, settings=Settings(identity=True))
    assert open_analysis(folder).recognition is None


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is not installed."""
    monkeypatch.setattr(describers, "find_spec", lambda _: None)


def test_without_the_extra_the_message_says_what_to_install(
    bare: None, tmp_path: Path, clip: Path, classifier: Classifier
) -> None:
    with pytest.raises(InputError, match=re.escape(describers.INSTALL)):
        analyze(clip, tmp_path / "a", checkpoint=classifier, settings=Settings(identity=True))
    assert not (tmp_path / "a").exists() and not (tmp_path / "a.tmp").exists()


def test_the_command_line_says_it_too(
    bare: None, tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["analyze", str(clip), "--out", str(tmp_path / "a"), "--identity"]) != 0
    assert "face_recognition_models==0.3.0" in capsys.readouterr().err


def test_the_line_to_install_is_the_extra_of_the_project() -> None:
    import tomllib

    from tests.support import ROOT

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert all(f'"{each}"' in describers.INSTALL for each in project["optional-dependencies"]["identity"])
