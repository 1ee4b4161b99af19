"""What limits of doubt rest on: where errors begin to double, and how many faces stay usable."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.doubts import begins, bins_of, cut_off, gain_interval, rising, risk, shifted, show, study, times_for
from fer_core.evaluation.corruptions import CORRUPTIONS
from fer_core.models.reference import EDGES, Reference
from fer_core.video.reasons import Limits


def test_a_limit_begins_where_errors_reach_so_many_times_those_of_all() -> None:
    doubt = np.arange(1000) / 1000
    wrong = (np.arange(1000) % 10 == 0) | ((doubt >= 0.8) & (np.arange(1000) % 2 == 0))  # a tenth, from 0.8 on half
    errors = rising(doubt, wrong, 1)
    assert (np.diff(errors) >= -1e-12).all() and wrong.mean() == pytest.approx(0.18)
    assert begins(doubt, errors, 2 * wrong.mean(), 1) == pytest.approx(0.8, abs=0.02)
    assert np.isnan(begins(doubt, errors, 1.0, 1))
    assert begins(1 - doubt, rising(1 - doubt, wrong, -1), 2 * wrong.mean(), -1) == pytest.approx(0.2, abs=0.02)
    starts, shares = zip(*bins_of(doubt, wrong, 1), strict=True)
    assert len(starts) == 12 and starts[0] == 0 and shares[0] == pytest.approx(0.1, abs=0.02) and shares[-1] > 0.4


def test_so_many_times_that_enough_stay_usable() -> None:
    wrong = np.zeros(100, bool)
    wrong[:20] = True
    one, other = np.full(100, 0.1), np.full(100, 0.1)
    one[:10], other[5:20] = 0.9, 0.8  # a fifth is marked by either
    times = times_for({"one": one, "other": other}, wrong)
    assert ((one >= times * 0.2) | (other >= times * 0.2)).mean() <= 0.2 and times >= 2
    assert times_for({"one": np.full(100, 0.2)}, wrong) == 2.0


def test_how_well_doubt_finds_what_is_wrong() -> None:
    wrong = np.arange(100) >= 80
    perfect, useless = risk(np.arange(100.0), wrong), risk(np.zeros(100), wrong)
    assert perfect["auroc"] == 1.0 and perfect["right_of_85"] == pytest.approx(80 / 85) and useless["auroc"] == 0.5
    assert perfect["aurc"] < useless["aurc"] + 1e-9
    low, high = gain_interval(wrong, ~wrong, np.arange(100))
    assert 0.1 < low < 0.2 < high < 0.3


def test_faces_that_reach_over_an_edge_are_filled_as_cutting_fills_them() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48), dtype=np.uint8)
    made = cut_off(images, 0.25, np.random.default_rng(1))
    sides = 0
    for image, other in zip(images, made, strict=True):
        kept = image == other
        left, right, top = (kept[:, 12:].all(), kept[:, :36].all(), kept[12:].all())
        sides |= left + 2 * right + 4 * top
        if left:
            assert (other[:, :12] == other[:, 12:13]).all()
    assert sides == 7 and made.dtype == np.uint8


def test_every_corruption_is_among_the_shifts() -> None:
    images = np.full((2, 48, 48), 128, np.uint8)
    found = {name: outside for name, _, outside in shifted(images, np.arange(2))}
    assert {f"{name} 4" for name in CORRUPTIONS} <= set(found) and found["outside 0.3"] == 0.3


class Brightness:
    """Answers by how bright a picture is: dark ones by chance."""

    def predict(self, pictures: np.ndarray) -> SimpleNamespace:
        light = pictures.reshape(len(pictures), -1).mean(axis=1, keepdims=True) / 255
        logits = np.concatenate([4 * light, np.zeros((len(pictures), 6))], axis=1).astype(np.float32)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return SimpleNamespace(probabilities=shares, logits=logits, features=np.concatenate([light, 1 - light], axis=1))


def test_everything_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(0).integers(100, 256, (8, 48, 48), dtype=np.uint8)
    reference = Reference(np.eye(12, 2, dtype=np.float32) + 1, np.zeros(EDGES, np.float32), np.zeros(1, np.float32))
    truth = np.arange(8) % 2
    limits = Limits(min_brightness=0.2, max_distance=9.0, max_entropy=1.0, max_occlusion=1.0)
    found = study(Brightness(), reference, images, truth, np.arange(8), limits)  # type: ignore[arg-type]
    assert found["right"]["as they are"] == 0.5 and found["reasons"]["flat"]["share"] == 0
    assert 0 < found["reasons"]["dark"]["share"] < 0.2 and set(found["bins"]) < set(found["limits"])
    show(found)
    said = capsys.readouterr().out
    assert all(f"| {name} |" in said for name in (*found["limits"], *found["measures"])) and "usable: " in said
