"""A plan says everything, is read strictly, gives the same tables again, and every deviation from it is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from fer_core import cli
from fer_core.emotions import AS_TRAINED, DEFAULT_GROUP_MAP
from fer_core.errors import InputError, StoreError
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.modes import Settings
from fer_core.video.plan import FILE, Plan, PlannedView, deviations, keep_plan, kept_plan, open_plan, plan_of, read_plan
from fer_core.video.reasons import Limits
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens

PLAN = Plan(
    models=("a", "b"),
    title="Smiles: before & after",
    weights={"a": "0" * 64},
    analysis=Settings(min_face_px=60, mode="exact", start_s=0.5, end_s=1.5, prior=AS_TRAINED),
    view=PlannedView(0.5, {**DEFAULT_GROUP_MAP, "surprise": "positive"}, Limits(min_side_px=30)),
)


def test_a_plan_is_read_as_it_was_written_and_says_everything() -> None:
    text = PLAN.to_yaml()
    assert read_plan(text) == PLAN
    named = {each.name for kind in (Settings, Limits) for each in dataclasses.fields(kind)}
    assert {name for name in named if f"  {name}:" not in text} == set()


def test_the_hash_is_of_what_it_says() -> None:
    assert read_plan("# a remark\n" + PLAN.to_yaml()).sha256 == PLAN.sha256
    other = dataclasses.replace(PLAN, view=dataclasses.replace(PLAN.view, limits=Limits(min_side_px=31)))
    assert other.sha256 != PLAN.sha256


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "models: [a]\nanalysis: {mod: fast}",
            r"plan.yaml.analysis: unknown key 'mod'; the nearest known key is 'mode'",
        ),
        ("models: [a]\nview: {limits: {min_sid_px: 3}}", r"plan.yaml.view.limits: unknown key 'min_sid_px'"),
        ("models: [a]\nanalysis: {mode: quick}", "plan.yaml: Unknown mode 'quick'; expected one of fast"),
        ("models: [a]\nanalysis: {detector: eyes}", "plan.yaml: analysis.detector is 'eyes'; expected one of mtcnn"),
        ("models: [a]\nanalysis: {min_face_px: big}", "plan.yaml.analysis.min_face_px: expected int, got 'big'"),
        ("models: [a]\nanalysis: {min_face_px: 0}", "analysis.min_face_px is 0"),
        ("models: [a]\nanalysis: {per_second: -1.0}", "Frames per second must be above 0"),
        ("models: [a]\nanalysis: {start_s: 3.0, end_s: 2.0}", "got 3.0 to 2.0 s"),
        ("models: [a]\nanalysis: {track: 0}", "analysis.track is 0"),
        ("models: [a]\nanalysis: {start_s: .nan}", "A range must start at 0 s"),
        ("models: [a]\nanalysis: {end_s: .inf}", "analysis.end_s is inf"),
        ("models: [a]\nview: {limits: {max_occlusion: 50}}", "The limit max_occlusion is 50"),
        ("title: 2026-13-45", "is not valid yaml"),
        ("models: [a]\nanalysis: {min_face_px: " + "9" * 5000 + "}", "is not valid yaml"),
        ("models: [a]\nanalysis: {start_s: " + "9" * 400 + "}", "holds a value that is none"),
        ("title: " + "[" * 3000, "is not valid yaml"),
        ("title: !!bool x", "is not valid yaml"),
        ("title: !!int ''", "is not valid yaml"),
        ("models: [a]\nanalysis: {prior: mine}", "mine"),
        ("models: [a]\nview: {groups: {happy: fun}}", "group of 'angry' is None"),
        ("models: [a]\nview: {smoothing_s: .inf}", "view.smoothing_s is inf"),
        ("models: [a]\nview: {limits: {min_side_px: .nan}}", "min_side_px"),
        ("models: [a]\nweights: {b: x}", "weights names 'b'"),
        ("models: [a]\nformat: other/2", "format is 'other/2'"),
        ("models: []", "models are none"),
        ("models: [a, a]", "models are a, a"),
        ("models: a", "plan.yaml.models: expected a list, got 'a'"),
        ("title: x", "missing models"),
        ("[1]", "expected keys and values"),
        ("", "expected keys and values"),
        ("models: [a", "is not valid yaml"),
        ("models: &x [a]\ntitle: *x", "uses anchors"),
        ("!!python/object/apply:os.system [ls]", "is not valid yaml"),
        ("x" * 300_000, "is too large for a plan"),
    ],
)
def test_what_is_no_plan_is_told_by_name(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        read_plan(text)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml cannot be read"):
        open_plan(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("title: Größe".encode("latin-1"))
    with pytest.raises(InputError, match="no text in UTF-8"):
        open_plan(tmp_path / "latin.yaml")


def test_the_mean_of_all_is_no_view_of_the_first(mine: Analysis) -> None:
    from fer_core.video.view import MEAN

    assert deviations(mine, plan_of(mine), Lens(0.0, MEAN)) == [f"view model: planned , here {MEAN}."]


def test_old_analyses_have_a_plan_too(mine: Analysis) -> None:
    mine.record["settings"].pop("mode")
    mine.record["settings"]["min_face_px"] = 0
    assert plan_of(mine).analysis.mode == "exact"


def test_what_follows_its_own_plan_deviates_nowhere(mine: Analysis) -> None:
    assert kept_plan(mine) is None
    plan = plan_of(mine)
    assert plan.models == (DEFAULT_CHECKPOINT,) and set(plan.weights) == {DEFAULT_CHECKPOINT}
    kept = keep_plan(mine, plan)
    assert kept_plan(kept) == plan and deviations(kept, plan, Lens()) == [] and kept.edits.done == ()
    (kept.folder / FILE).write_text("models: [", encoding="utf-8")
    with pytest.raises(StoreError, match="is not valid yaml"):
        kept_plan(kept)


def test_groups_and_limits_of_a_plan_are_set(mine: Analysis) -> None:
    plan = dataclasses.replace(plan_of(mine), view=PLAN.view)
    kept = keep_plan(mine, plan)
    assert kept.state.groups["surprise"] == "positive" and kept.state.limits.min_side_px == 30
    assert deviations(kept, plan) == [] and deviations(kept, plan, Lens(0.5)) == []


def test_every_deviation_is_named(mine: Analysis) -> None:
    plan = dataclasses.replace(
        plan_of(mine), models=("x",), weights={},
        analysis=Settings(min_face_px=60, per_second=2.0), view=dataclasses.replace(PLAN.view, smoothing_s=1.0),
    )  # fmt: skip
    mine = mine.do({"do": "exclude", "person": None, "start_s": 0.0, "end_s": 0.1})
    assert deviations(mine, plan, Lens(0.2)) == [
        f"models: planned x, here {DEFAULT_CHECKPOINT}.",
        "analysis min_face_px: planned 60, here 40.",
        "analysis per_second: planned 2, here none.",
        "view smoothing_s: planned 1, here 0.2.",
        "group of surprise: planned positive, here neutral.",
        "limit small: side of the face below (px): planned 30, here 20.",
        "Something was excluded after the analysis: 1 time.",
    ]
    other = dataclasses.replace(plan_of(mine), weights={DEFAULT_CHECKPOINT: "f" * 64})
    (told, _) = deviations(mine, other)
    assert told.startswith(f"weights of {DEFAULT_CHECKPOINT}: planned ffffffffffff…, here ")


def test_a_plan_gives_its_tables_again(
    clip: Path, analysis: Analysis, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The whole way: a plan of one analysis, applied to the same video by the command line."""
    (tmp_path / "plan.yaml").write_text(plan_of(analysis, title="Again").to_yaml(), encoding="utf-8")
    given = ["analyze", str(clip), "--plan", str(tmp_path / "plan.yaml"), "--out"]
    assert cli.main([*given, str(tmp_path / "again")]) == 0
    again = open_analysis(tmp_path / "again")
    pd.testing.assert_frame_equal(again.timeline(), analysis.timeline())
    assert kept_plan(again) == plan_of(analysis, title="Again") and "Not as planned" not in capsys.readouterr().err

    assert cli.main([*given, str(tmp_path / "other"), "--min-face", "50", "--smooth", "0.5"]) == 0
    told = capsys.readouterr().err
    assert "Not as planned: analysis min_face_px: planned 40, here 50." in told
    assert "Not as planned: view smoothing_s: planned 0, here 0.5." in told

    (tmp_path / "plan.yaml").write_text("models: [a]\nanalysis: {mod: fast}", encoding="utf-8")
    assert cli.main([*given, str(tmp_path / "none")]) == 1
    assert "unknown key 'mod'" in capsys.readouterr().err and not (tmp_path / "none").exists()
