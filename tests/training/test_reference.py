"""What a checkpoint keeps of its training pictures stands for all of them, in whatever order they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fer_core.emotions import EMOTIONS
from fer_core.models.reference import EDGES, load_reference
from fer_core.models.registry import EmotionNetwork
from tests.support.networks import classifier_of
from training import reference

SHARES = (0.5, 0.3, 0.2)
"""Of the first three classes."""


class Brightness(EmotionNetwork):
    """Its one feature is how bright a picture is."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, len(EMOTIONS))

    def features(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize("n", [60, 700])
def test_kept_features_are_of_every_class_in_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    """Of 700 pictures in the order of folders, all of a class before the next one's, 100 features are kept."""
    monkeypatch.setattr(reference, "N_REFERENCE", 100)
    monkeypatch.setattr(reference, "fit_probe", lambda *_: (np.zeros(EDGES), np.zeros(1)))
    labels = np.repeat(np.arange(3), [round(n * share) for share in SHARES])
    pictures = np.broadcast_to((labels * 100).astype(np.uint8)[:, None, None], (n, 48, 48)).copy()
    with torch.inference_mode():
        reference.write_reference(tmp_path, classifier_of(Brightness()), pictures, labels, 0)
    found = load_reference(tmp_path)
    assert found is not None and len(found.features) == min(n, 100)
    brightness = np.round(found.features[:, 0], 1)
    shares = [(brightness == value).mean() for value in np.unique(brightness)]
    np.testing.assert_allclose(shares, SHARES, atol=0.03)
