"""Classes that are named too rarely are raised after training, as far as the choosing split asks for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fer_core.errors import RecipeError
from fer_core.models import registry
from training.floor import MOST, STEP, add_offsets, recall_offsets


def two_classes(margin: float, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Half of the pictures are of class 1; of these, half are taken for class 0 by ``margin``."""
    labels = np.repeat([0, 1], n // 2)
    logits = np.where(labels[:, None] == [0, 1], 2.0, 0.0)
    logits[n // 2 : 3 * n // 4] = [margin, 0.0]
    return np.column_stack([logits, np.full(n, -5.0)]), labels


def test_a_class_is_raised_no_further_than_the_floor() -> None:
    logits, labels = two_classes(0.12)
    assert recall_offsets(logits, labels, 0.5).tolist() == [0, 0, 0]
    offsets = recall_offsets(logits, labels, 0.6)
    np.testing.assert_allclose(offsets, [0, 0.15, 0])
    assert ((logits + offsets).argmax(axis=1) == labels).all()


def test_a_class_far_off_is_raised_to_the_limit() -> None:
    offsets = recall_offsets(*two_classes(0.9), 0.6)
    np.testing.assert_allclose(offsets, [0, MOST, 0])
    assert offsets[1] / STEP == pytest.approx(10)


def test_classes_without_pictures_and_pictures_without_classes_do_not_count() -> None:
    logits, labels = two_classes(0.12)
    more = np.concatenate([labels, [-1, 7]]), np.concatenate([logits, np.full((2, 3), 3.0)])
    np.testing.assert_array_equal(recall_offsets(more[1], more[0], 0.6), recall_offsets(logits, labels, 0.6))


def test_a_floor_that_cannot_be_reached_ends_too() -> None:
    logits, labels = np.zeros((100, 2)), np.repeat([0, 1], 50)
    logits[:50, 0], logits[50:, 1] = np.linspace(-0.1, 0.2, 50), np.linspace(-0.3, 0.1, 50)
    np.testing.assert_allclose(recall_offsets(logits, labels, 0.9), [MOST, MOST])


def test_the_bias_of_the_last_layer_takes_the_offsets() -> None:
    torch.manual_seed(0)
    net = registry.build("shsu-cnn", n_labels=7, channels=1, widths=[4, 8], kernels=[3, 3], cells=2, hidden=[8]).eval()
    x, offsets, temperature = torch.rand(3, 1, 48, 48), np.array([0, 0.5, 0, 0, 0, 0, 0.1]), 1.7
    with torch.inference_mode():
        before = net(x) / temperature
        add_offsets(net, offsets, temperature)
        after = net(x) / temperature
    np.testing.assert_allclose((after - before).numpy(), np.tile(offsets, (3, 1)), atol=1e-6)


def test_a_last_layer_without_a_bias_is_refused() -> None:
    net = registry.build("shsu-cnn", n_labels=7, channels=1, widths=[4, 8], kernels=[3, 3], cells=2, hidden=[8])
    for head in (nn.Linear(8, 7, bias=False), nn.Identity()):
        net.head = head
        with pytest.raises(RecipeError, match="last layer"):
            add_offsets(net, np.zeros(7), 1.0)
