"""The class prior of a checkpoint's card, by the command that writes it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.evaluation import fit_halfway, read_evaluation
from fer_core.models.card import read_card
from fer_core.models.folders import checkpoint_folders, checkpoints_folder
from training import class_prior
from training.data import vote_targets

CARDS = sorted(name for name in checkpoint_folders(checkpoints_folder()))


def copied(name: str, tmp_path: Path, *, weights: bool = True, reference: bool = True) -> Path:
    folder = tmp_path / name
    shutil.copytree(checkpoints_folder() / name, folder)
    (folder / "model.safetensors").unlink() if not weights else None
    (folder / "reference.safetensors").unlink() if not reference else None
    card = read_card(folder / "card.json")
    (folder / "card.json").write_text(dataclasses.replace(card, prior=None).to_json(), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", CARDS)
def test_halfway_of_a_shipped_card_is_that_of_its_public_test(name: str) -> None:
    folder = checkpoints_folder() / name
    card = read_card(folder / "card.json")
    assert card.prior is not None and card.prior.fitted_on == "fer2013 public_test"
    table = read_evaluation(folder / "evaluations" / "fer2013-public_test.parquet", name)
    labels = table.labels[card.data["labels"]]
    assert fit_halfway(table.probabilities[labels >= 0], labels[labels >= 0], card.prior) == card.prior.halfway


def test_of_votes_it_is_their_mean_over_the_pictures_that_teach() -> None:
    votes = np.zeros((4, 10), np.int64)
    votes[0, 3], votes[1, [3, 6]], votes[2, [0, 8]], votes[3, 9] = 10, 5, [4, 6], 10  # the last two are dropped
    np.testing.assert_allclose(vote_targets(votes)[:2], [np.eye(7)[3], (np.eye(7)[3] + np.eye(7)[6]) / 2])
    card = read_card(checkpoints_folder() / "mobilenetv2-ferplus" / "card.json")
    found = class_prior._taught(card, votes, np.array([3, 3, 0, 0]))
    assert found is not None
    assert list(found.shares) == [0, 0, 0, 0.75, 0, 0, 0.25]
    assert found.source == "the FER+ votes for its 2 training pictures"


def test_the_command_takes_the_votes_where_they_are_and_else_the_answers(
    fer2013_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = read_card(checkpoints_folder() / "mobilenetv2-ferplus" / "card.json").prior
    assert shipped is not None
    folder = copied("mobilenetv2-ferplus", tmp_path)
    assert class_prior.main([str(folder), "--data", str(fer2013_dir)]) == 0
    assert read_card(folder / "card.json").prior == shipped
    assert "neutral 32.7%" in capsys.readouterr().out
    card = read_card(folder / "card.json")
    for reference, source in (
        (True, "its mean answer to 2,000 of its training pictures"),
        (False, "its mean answer on fer2013 p"),
    ):
        if not reference:
            (folder / "reference.safetensors").unlink()
        found = class_prior.write_prior(folder, np.zeros((0, 0), np.int64), np.zeros(0, np.int64))
        assert found == read_card(folder / "card.json").prior
        assert found.source.startswith(source)
        assert 0.3 <= found.halfway <= 0.8 and found.fitted_on == "fer2013 public_test"
        np.testing.assert_allclose(found.shares, shipped.shares, atol=0.05)  # calibrated on labels, not on votes
    assert dataclasses.replace(read_card(folder / "card.json"), prior=None) == dataclasses.replace(card, prior=None)


def test_what_balances_the_classes_counts() -> None:
    card = read_card(checkpoints_folder() / "mru-2025-cnn" / "card.json")
    none = np.zeros((0, 0), np.int64), np.zeros(0, np.int64)
    counts = card.data["counts"]
    plain = class_prior._taught(card, *none)
    assert plain is not None
    np.testing.assert_allclose(plain.shares, [counts[name] / sum(counts.values()) for name in EMOTIONS], atol=1e-5)
    even = dataclasses.replace(card, data={**card.data, "balance": "loss"})
    shown = dataclasses.replace(card, data={**card.data, "counts_balanced": {"angry": 30, "happy": 10}})
    for each, shares in ((even, [1 / 7] * 7), (shown, [0.75, 0, 0, 0.25, 0, 0, 0])):
        found = class_prior._taught(each, *none)
        assert found is not None
        np.testing.assert_allclose(found.shares, shares, atol=1e-5)


def test_a_network_of_which_nothing_is_known_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied("mru-2025-cnn", tmp_path, weights=False, reference=False)
    card = read_card(folder / "card.json")
    data = {key: value for key, value in card.data.items() if key not in ("train", "counts")}
    (folder / "card.json").write_text(dataclasses.replace(card, data=data).to_json(), encoding="utf-8")
    assert class_prior.main([str(folder)]) == 2
    assert "tells nothing of how common" in capsys.readouterr().err
    assert read_card(folder / "card.json").prior is None


def test_training_writes_it(run_tiny: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert run_tiny()[0] == 0
    (card,) = (read_card(path) for path in (tmp_path / "out").glob("*/card.json"))
    assert card.prior is not None and card.prior.fitted_on == "drawn held_out"
    counts = [card.data["counts"].get(name, 0) for name in EMOTIONS8[: len(card.labels)]]
    np.testing.assert_allclose(card.prior.shares, np.array(counts) / sum(counts), atol=1e-5)
