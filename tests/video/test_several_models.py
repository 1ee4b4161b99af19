"""Several models in one pass: each scores every face as it would alone; where they differ, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import InputError, StoreError
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.agreement import agreement, disagreements
from fer_core.video.pipeline import analyze
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.timeline import score_columns
from fer_core.video.view import MEAN, Lens, choices, opinions, view
from tests.support.tables import COLUMNS, table

MODELS = (DEFAULT_CHECKPOINT, "mobilenetv2-fer2013")


@pytest.fixture(scope="module")
def second() -> Classifier:
    """Runs the same way each time: another one may find another way the fastest, whose scores differ a little."""
    return load(MODELS[1])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, clip: Path, classifier: Classifier, second: Classifier) -> Analysis:
    return open_analysis(analyze(clip, tmp_path_factory.mktemp("both") / "a", checkpoint=[classifier, second]))


def test_each_model_says_what_it_says_alone(
    both: Analysis, analysis: Analysis, second: Classifier, clip: Path, tmp_path: Path
) -> None:
    alone = view(open_analysis(analyze(clip, tmp_path / "a", checkpoint=second)))
    assert both.models == list(MODELS)
    pd.testing.assert_frame_equal(both.timeline(), analysis.timeline(), atol=1e-5)
    pd.testing.assert_frame_equal(view(both, Lens(model=MODELS[1]))[COLUMNS], alone[COLUMNS], atol=1e-5)
    assert not np.allclose(both.scores(MODELS[0])[COLUMNS], both.scores(MODELS[1])[COLUMNS], atol=1e-3)


def test_the_ensemble_is_the_mean_of_the_probabilities(both: Analysis, analysis: Analysis) -> None:
    assert choices(both) == [*MODELS, MEAN] and choices(analysis) == [MODELS[0]]
    seen = view(both)["track"] >= 0
    mean = (view(both)[COLUMNS] + view(both, Lens(model=MODELS[1]))[COLUMNS]) / 2
    np.testing.assert_allclose(view(both, Lens(model=MEAN)).loc[seen, COLUMNS], mean[seen], atol=1e-6)
    with pytest.raises(InputError, match="two or more"):
        view(analysis, Lens(model=MEAN))
    with pytest.raises(StoreError, match="no scores of 'x'"):
        view(both, Lens(model="x"))


def test_models_of_one_name_are_refused(clip: Path, tmp_path: Path, classifier: Classifier) -> None:
    for models in ([classifier, classifier], []):
        with pytest.raises(InputError, match="different names"):
            analyze(clip, tmp_path / "a", checkpoint=models)
    assert list(tmp_path.iterdir()) == []


def test_opinions_have_a_row_for_every_row_of_the_view(both: Analysis) -> None:
    emotions, groups = opinions(both, 0.5)
    shown = view(both, Lens(0.5))
    assert emotions.shape == groups.shape == (len(shown), 2)
    named = [EMOTIONS8[i] if i >= 0 else None for i in emotions[:, 0]]
    assert named == [None if pd.isna(name) else name for name in shown["emotion"]]


@pytest.fixture
def story() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Seven frames of 0.1 s: agree; sad-angry twice; nobody; happy-sad; agree; sad-fear."""
    happy, sad, angry, fear = (EMOTIONS.index(name) for name in ("happy", "sad", "angry", "fear"))
    rows = table([(i, i / 10, -1 if i == 3 else 0, {"sad": 0.9}) for i in range(7)])
    emotions = np.array([[sad, sad], [sad, angry], [sad, angry], [-1, -1], [happy, sad], [sad, sad], [sad, fear]])
    to_group = np.array([0, 0, 0, 2, 0, 1, 1])
    return rows, emotions, np.where(emotions >= 0, to_group[emotions], -1)


def test_agreement_by_hand(story: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    found = agreement(*story)
    assert found == pytest.approx({"emotions": 2 / 6, "groups": 5 / 6, "settled": 3 / 4})
    nobody = table([(0, 0.0, -1, {}), (1, 0.1, -1, {})])
    assert all(np.isnan(value) for value in agreement(nobody, *[np.full((2, 2), -1)] * 2).values())


def test_disagreements_by_hand(story: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    found = disagreements(*story, models=["a", "b"], labels=EMOTIONS)
    rows = [(row.start_s, round(row.end_s, 6), row.a, row.b, row.settled) for row in found.itertuples()]
    assert rows[0] == (0.1, 0.3, "sad", "angry", True)
    assert set(rows[1:]) == {(0.4, 0.5, "happy", "sad", False), (0.6, 0.7, "sad", "fear", True)}
    rows, emotions, groups = story
    none = disagreements(rows, emotions[:, :1], groups[:, :1], models=["a"], labels=EMOTIONS)
    assert none.empty and none.columns.tolist() == ["track", "start_s", "end_s", "duration_s", "a", "settled"]


def test_a_long_disagreement_is_split_where_a_model_changes_its_mind() -> None:
    """Three that say sad, fear, fear agree about the group, whatever one of them says a moment later."""
    happy, sad, fear = (EMOTIONS.index(name) for name in ("happy", "sad", "fear"))
    rows = table([(i, i / 10, 0, {"sad": 0.9}) for i in range(5)])
    emotions = np.array([[sad, fear, fear]] * 3 + [[sad, fear, happy]] * 2)
    groups = np.where(emotions == happy, 1, 0)
    found = disagreements(rows, emotions, groups, models=["a", "b", "c"], labels=EMOTIONS)
    told = [(round(row.duration_s, 6), row.a, row.b, row.c, row.settled) for row in found.itertuples()]
    assert told == [(0.3, "sad", "fear", "fear", True), (0.2, "sad", "fear", "happy", False)]


def test_tables_of_all_models_have_their_doubts(both: Analysis) -> None:
    for name in MODELS:
        scores = both.scores(name)
        assert scores.columns.tolist() == ["frame", "track", *COLUMNS, "distance", "occlusion"]
        assert scores["distance"].gt(0).all() and scores["occlusion"].between(0, 1).all()
    assert score_columns(both.timeline()) == COLUMNS
