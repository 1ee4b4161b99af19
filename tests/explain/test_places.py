"""A heatmap lies where its cause lies: padding, strides, kernels that look aside, and what is cropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_core.emotions import EMOTIONS
from fer_core.explain import heatmaps
from fer_core.explain.placing import hot_spots, placing
from fer_core.models.classifier import Classifier
from fer_core.models.registry import EmotionNetwork
from tests.support.networks import classifier_of

FIELD = 44 / 48


class Brightest(EmotionNetwork):
    """Finds light: happy is the mean of a map of two layers, each the mean of squares of ``kernel`` pixels, two apart,
    with ``padding`` around; ``aside`` moves what it looks at by so many pixels to the right, and twice as far down."""

    def __init__(self, kernel: int, padding: int, aside: int) -> None:
        super().__init__()
        self.aside = aside
        convs = [nn.Conv2d(1, 1, kernel, 2, padding, bias=False) for _ in range(2)]
        for conv in convs:
            nn.init.constant_(conv.weight, 1 / kernel**2)
        self.blocks = nn.Sequential(*convs)
        self.head = nn.Linear(1, len(EMOTIONS), bias=False)
        nn.init.zeros_(self.head.weight)
        nn.init.ones_(self.head.weight[EMOTIONS.index("happy")])

    def features(self, x: Tensor) -> Tensor:
        moved = x.roll((-2 * self.aside, -self.aside), dims=(2, 3))
        mean: Tensor = self.blocks(moved).square().mean(dim=(2, 3))
        return mean


def network(kernel: int, padding: int, aside: int, *, field: float = 1.0) -> Classifier:
    made = classifier_of(Brightest(kernel, padding, aside), size=44)
    card = replace(made.card, input=replace(made.card.input, field=field), crop=replace(made.card.crop, size=48))
    return Classifier(made.net, card, device="cpu")


def dot(y: float, x: float) -> np.ndarray:
    """A light dot on grey, (1, 48, 48, 3)."""
    rows, columns = np.mgrid[:48, :48] + 0.5
    light = 128 + 127 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8)
    return np.repeat(light.astype(np.uint8)[None, ..., None], 3, axis=3)


@pytest.mark.parametrize("field", [1.0, FIELD])
@pytest.mark.parametrize("aside", [0, 2])
@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (4, 0), (4, 1), (4, 2), (5, 1)])
def test_heat_lies_on_the_dot_that_caused_it(kernel: int, padding: int, aside: int, field: float) -> None:
    """Cells are 4 px apart. As if they tiled the picture, padding and strides would move the heat by up to 3 px."""
    classifier = network(kernel, padding, aside, field=field)
    for method in ("hirescam", "layercam"):
        places = np.array([(y, x) for y in (17.0, 23.5, 29.0) for x in (18.0, 25.0, 30.5)])
        maps = np.concatenate(
            [heatmaps(classifier, dot(*each), "happy", method=method, layer="blocks.1") for each in places]
        )
        away = hot_spots(maps) - places
        assert np.abs(away.mean(axis=0)).max() < 1
        assert np.hypot(*away.T).max() < 2  # half a cell


def test_cells_are_a_stride_apart() -> None:
    found = placing(network(4, 0, 0), "blocks.1")
    assert found.pitch == 4  # 9 cells of 44 px, because nothing is padded: tiles would be 4.9 px wide
    np.testing.assert_allclose((found.y, found.x), 5, atol=0.4)  # the first cell sees 10 px
    aside = placing(network(4, 1, 2), "blocks.1")
    np.testing.assert_allclose((aside.y - aside.x), 2, atol=0.4)


def test_a_layer_that_nothing_moves_is_laid_evenly() -> None:
    dead = network(4, 1, 0)
    with torch.no_grad():
        for weights in dead.net.blocks.parameters():  # type: ignore[union-attr]
            weights.zero_()
    found = placing(dead, "blocks.1")
    assert (found.pitch, found.y, found.x) == (4, 2, 2)  # eleven cells of 4 px around the middle


def test_hot_spots_of_empty_maps_are_nowhere() -> None:
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, 2, 5] = 1
    np.testing.assert_array_equal(hot_spots(maps), [[np.nan, np.nan], [2.5, 5.5]])
