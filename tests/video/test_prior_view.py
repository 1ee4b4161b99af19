"""How common each emotion is taken to be, as a view: what is stored stays as trained, everything shown follows."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.services import playback
from dashboard.services.prepared import version
from fer_core.emotions import ALL_ALIKE, AS_TRAINED, HALFWAY, PRIORS, Prior
from fer_core.errors import InputError, StoreError
from fer_core.models.card import read_card
from fer_core.models.folders import checkpoint_named
from fer_core.video.dictionary import dictionary
from fer_core.video.export import export
from fer_core.video.moments import moments_in, pair_moments
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.timeline import people_summary, smooth_scores, with_labels
from fer_core.video.view import MEAN, Lens, edited, opinions, prior_in_words, priors_of, view
from tests.support.tables import COLUMNS

SHARES = {"a": (0.1, 0.05, 0.05, 0.3, 0.1, 0.1, 0.3), "b": (0.2, 0.02, 0.18, 0.2, 0.1, 0.1, 0.2)}
TAU = {"a": 0.4, "b": 0.6}


def write(folder: Path, *, prior: str | None = HALFWAY, known: tuple[str, ...] = ("a", "b")) -> Analysis:
    """A made-up analysis of 40 frames of one face, one of them without it, by models of known priors."""
    rng, n = np.random.default_rng(5), 40
    place = {
        "frame": np.arange(n, dtype=np.int32), "time_s": np.arange(n) / 10, "track": np.zeros(n, np.int32),
        **dict.fromkeys(("x0", "y0"), np.full(n, 10, np.float32)),
        **dict.fromkeys(("x1", "y1"), np.full(n, 110, np.float32)),
        "detection": np.full(n, 0.99, np.float32), "source": np.array(["detected"] * n),
        **{f"lm{i}_{axis}": np.full(n, 30 + 10 * i, np.float32) for i in range(5) for axis in "xy"},
        **dict.fromkeys(("sharpness", "brightness"), np.full(n, 100, np.float32)),
    }  # fmt: skip
    (folder / "scores").mkdir(parents=True)
    for name in ("a", "b"):
        p = pd.DataFrame(rng.dirichlet(np.full(7, 0.5), n).astype(np.float32), columns=COLUMNS)
        scores = pd.concat([pd.DataFrame(place)[["frame", "track"]], p], axis=1)
        if name == "a":
            table = with_labels(pd.concat([pd.DataFrame(place), p], axis=1))
            table.loc[7, [name for name in table.columns if name not in ("frame", "time_s", "track")]] = None
            table.loc[7, "track"] = -1
            table.to_parquet(folder / "timeline.parquet", index=False)
        scores.drop(index=7).to_parquet(folder / "scores" / f"{name}.parquet", index=False)
    described = [
        {
            "name": name, "sha256": "0" * 64, "labels": [each.removeprefix("p_") for each in COLUMNS],
            **({"prior": {"shares": SHARES[name], "halfway": TAU[name]}} if name in known else {}),
        }
        for name in ("a", "b")
    ]  # fmt: skip
    record = {
        "format": "fer-workbench-analysis/1", "created": "2026-01-01T00:00:00+00:00", "complete": True,
        "source": {"name": "a.mp4", "width": 640, "height": 360, "is_picture": False, "plays_in_browser": True},
        "settings": {"mode": "fast", **({} if prior is None else {"prior": prior})},
        "checkpoint": described[0], "other_checkpoints": described[1:], "messages": [],
        "time_check": {"frames_analysed": n}, "summary": {"people": [{"track": 0, "frames": n - 1}], "duration_s": 4.0},
    }  # fmt: skip
    (folder / "analysis.json").write_text(json.dumps(record), encoding="utf-8")
    return open_analysis(folder)


@pytest.fixture
def made(tmp_path: Path) -> Analysis:
    return write(tmp_path / "a")


def by_hand(p: pd.DataFrame, model: str, tau: float) -> np.ndarray:
    raised = p[COLUMNS].to_numpy(np.float64) / np.array(SHARES[model]) ** tau
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def chosen(analysis: Analysis, choice: str) -> Analysis:
    return analysis.do({"do": "prior", "choice": choice})


@pytest.mark.parametrize(("choice", "tau"), [(HALFWAY, TAU["a"]), (ALL_ALIKE, 1.0)])
def test_probabilities_are_those_of_a_computation_by_hand(made: Analysis, choice: str, tau: float) -> None:
    stored = made.timeline()
    shown, seen = view(chosen(made, choice)), (stored["track"] >= 0).to_numpy()
    np.testing.assert_allclose(shown.loc[seen, COLUMNS], by_hand(stored[seen], "a", tau), rtol=1e-5)
    np.testing.assert_allclose(shown.loc[seen, COLUMNS].sum(axis=1), 1, atol=1e-6)
    assert shown.loc[~seen, COLUMNS].isna().all(axis=None)
    top = by_hand(stored[seen], "a", tau).argmax(axis=1)
    assert shown.loc[seen, "emotion"].tolist() == [COLUMNS[i].removeprefix("p_") for i in top]
    assert (shown.loc[seen, "emotion"] != stored.loc[seen, "emotion"]).any()
    valence = shown["p_happy"] - shown[["p_angry", "p_disgust", "p_fear", "p_sad"]].sum(axis=1)
    np.testing.assert_allclose(shown.loc[seen, "valence"], valence[seen], atol=1e-6)


def test_as_trained_is_the_stored_table_to_the_bit_and_no_choice_touches_it(made: Analysis) -> None:
    files = {path: path.read_bytes() for path in made.folder.rglob("*.parquet")}
    for choice in (ALL_ALIKE, HALFWAY, AS_TRAINED):
        made = chosen(made, choice)
        view(made), export(made, "csv")
    same = [*COLUMNS, "emotion", "group"]
    pd.testing.assert_frame_equal(view(made)[same], made.timeline()[same], check_exact=True)
    assert {path: path.read_bytes() for path in made.folder.rglob("*.parquet")} == files


def test_the_record_decides_until_somebody_chooses(made: Analysis, tmp_path: Path) -> None:
    assert made.prior == HALFWAY and chosen(made, ALL_ALIKE).prior == ALL_ALIKE
    assert open_analysis(made.folder).prior == ALL_ALIKE, "kept with the analysis"
    assert open_analysis(made.folder).undo().prior == HALFWAY
    before = write(tmp_path / "before", prior=None)
    assert before.prior == AS_TRAINED
    assert view(before)[COLUMNS].equals(before.timeline()[COLUMNS])
    with pytest.raises(InputError, match="expected one of as_trained"):
        chosen(made, "none")


def test_the_prior_comes_before_smoothing_and_smoothing_before_the_groups(made: Analysis) -> None:
    made = made.do({"do": "groups", "map": {"surprise": "positive"}})
    shown = view(made, Lens(0.5))
    table = made.timeline()
    seen = (table["track"] >= 0).to_numpy()
    table.loc[seen, COLUMNS] = by_hand(table[seen], "a", TAU["a"]).astype(np.float32)
    smoothed = with_labels(smooth_scores(table, 0.5), made.state.groups)
    np.testing.assert_allclose(shown.loc[seen, COLUMNS], smoothed.loc[seen, COLUMNS], atol=1e-6)
    assert shown["group"].equals(smoothed["group"]) and (shown["group"] == "positive").any()


def test_each_model_has_its_own_and_their_mean_is_of_what_they_say_under_it(made: Analysis) -> None:
    seen = made.timeline()["track"] >= 0
    alone = {name: by_hand(made.scores(name), name, TAU[name]) for name in made.models}
    np.testing.assert_allclose(view(made, Lens(model="b")).loc[seen, COLUMNS], alone["b"], rtol=1e-5)
    np.testing.assert_allclose(
        view(made, Lens(model=MEAN)).loc[seen, COLUMNS], (alone["a"] + alone["b"]) / 2, atol=1e-6
    )
    said = opinions(made)[0][seen]
    assert (said == np.stack([alone[name].argmax(axis=1) for name in made.models], axis=1)).all()


def test_what_knows_no_prior_stays_as_trained_and_says_so(tmp_path: Path) -> None:
    made = write(tmp_path / "a", known=("b",))
    assert list(priors_of(made)) == ["b"]
    assert view(made)[COLUMNS].equals(made.timeline()[COLUMNS])
    assert prior_in_words(made) == "how common emotions are: as in the training pictures"
    assert prior_in_words(made, "b") == "how common emotions are: halfway"
    assert prior_in_words(made, MEAN) == "how common emotions are: halfway (for b)"


def test_everything_that_leaves_the_analysis_follows_and_says_what_holds(made: Analysis) -> None:
    for choice in PRIORS:
        made = chosen(made, choice)
        told, words = json.loads(export(made, "json", Lens(model="b"))), f"how common emotions are: {PRIORS[choice]}"
        held = (
            {} if choice == AS_TRAINED else {name: Prior(SHARES[name], TAU[name]).tau(choice) for name in made.models}
        )
        assert told["prior"]["choice"] == choice and told["prior"]["tau"] == held
        assert set(told["prior"]["shares"]) == set(held)
        shown = view(made, Lens(model="b"))
        face = told["frames"][0]["faces"][0]
        assert face["emotion"] == shown["emotion"].iloc[0]
        assert told["summary"]["people"][0]["emotion_share"] == people_summary(shown)[0]["emotion_share"]
        meanings = dictionary(made, COLUMNS, Lens(model="b"))["meaning"]
        assert meanings.str.contains(f"by b; {words}", regex=False).all()
        svg = playback.figure_svg(made, Lens(), track=0, start_s=0.0, end_s=4.0)
        assert words in re.sub(r"</text>\s*<text[^>]*>", " ", svg)


def test_the_player_and_the_moments_follow(made: Analysis) -> None:
    kinds = {}
    for choice in PRIORS:
        made = chosen(made, choice)
        person = playback.frames(made, Lens(0.5), 0)["people"]["0"]
        kinds[choice] = (version(made), person["p"], person["raw"])
        table = view(made)
        for first, second in (("happy", "neutral"), ("angry", "sad")):
            assert moments_in(made, Lens(), first, second) == pair_moments(table, first, second)
    assert all(len(set(each)) == len(PRIORS) for each in zip(*kinds.values(), strict=True))
    assert version(chosen(made, HALFWAY)) == kinds[HALFWAY][0], "so that what was prepared is used again"


def test_an_older_analysis_takes_the_prior_of_the_checkpoint_with_its_very_weights(
    tmp_path: Path, analysis: Analysis
) -> None:
    folder = Path(shutil.copytree(analysis.folder, tmp_path / "a", ignore=shutil.ignore_patterns("views")))
    record = json.loads((folder / "analysis.json").read_text())
    del record["settings"]["prior"], record["checkpoint"]["prior"]
    (folder / "analysis.json").write_text(json.dumps(record))
    old = open_analysis(folder)
    name, card = old.models[0], read_card(checkpoint_named(old.models[0]) / "card.json")
    assert old.prior == AS_TRAINED and view(old)[COLUMNS].equals(old.timeline()[COLUMNS])
    assert priors_of(old) == {name: card.prior}
    assert view(chosen(old, HALFWAY))[COLUMNS].equals(view(analysis)[COLUMNS])
    record["checkpoint"]["sha256"] = "0" * 64
    (folder / "analysis.json").write_text(json.dumps(record))
    assert priors_of(open_analysis(folder)) == {}, "another network of that name"


def test_a_damaged_prior_is_named(made: Analysis) -> None:
    text = (made.folder / "analysis.json").read_text()
    (made.folder / "analysis.json").write_text(text.replace('"halfway": 0.4', '"halfway": 40'))
    with pytest.raises(StoreError, match=r"analysis.json: Halfway lies from 0 to 1, got 40"):
        view(open_analysis(made.folder))


def test_an_analysis_writes_down_what_its_checkpoint_was_taught(analysis: Analysis, clip: Path, tmp_path: Path) -> None:
    card = read_card(checkpoint_named(analysis.models[0]) / "card.json")
    assert priors_of(analysis) == {analysis.models[0]: card.prior}
    assert analysis.record["settings"]["prior"] == analysis.prior == HALFWAY
    stored = pd.read_parquet(analysis.folder / "scores" / f"{analysis.models[0]}.parquet")[COLUMNS]
    seen = analysis.timeline()["track"] >= 0
    assert stored.equals(analysis.timeline().loc[seen, COLUMNS].reset_index(drop=True))
    assert not view(analysis).loc[seen, COLUMNS].reset_index(drop=True).equals(stored)
    assert edited(analysis)[COLUMNS].equals(view(analysis)[COLUMNS])
    with pytest.raises(InputError, match="Unknown prior 'x'"):
        analyze(clip, tmp_path / "x", settings=Settings(prior="x"))
