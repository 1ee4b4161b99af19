"""Emotion scores: calibrated probabilities by a checkpoint, and what it says about how far to trust them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import Prior
from fer_core.faces.geometry import CropGeometry
from fer_core.models.classifier import Classifier
from fer_core.models.runtime import Runtime, fastest
from fer_core.models.taught import prior_of
from fer_core.signals.base import CROPS, Seen
from fer_core.signals.scores import DOUBTS, probability


class EmotionScores:
    """The scores of one checkpoint, run the fastest way that gives them; as trained, whatever its class prior."""

    needs = CROPS

    def __init__(self, classifier: Classifier, runtime: Runtime, prior: Prior | None) -> None:
        self.classifier, self.runtime, self.prior = classifier, runtime, prior
        self.columns = (*map(probability, classifier.labels), *DOUBTS)

    @classmethod
    def of_checkpoint(cls, classifier: Classifier) -> EmotionScores:
        """Those of a classifier, the fastest way here."""
        return cls(*fastest(classifier), prior_of(classifier))

    @property
    def name(self) -> str:
        return self.classifier.name

    @property
    def crop(self) -> CropGeometry:
        """How the crops must be cut."""
        return self.classifier.card.crop

    def of(self, seen: Seen) -> NDArray[np.float32]:
        """Float32 (n, labels + 2)."""
        return self.with_features(seen)[0]

    def with_features(self, seen: Seen) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (n, labels + 2), and the features (n, d) that they come from."""
        assert seen.crops is not None
        scores = self.classifier.predict(seen.crops)
        doubts = np.full((len(scores), len(DOUBTS)), np.nan, np.float32)
        if (reference := self.classifier.reference) is not None:
            doubts[:, 0] = reference.distance(scores.features)
            doubts[:, 1] = reference.occlusion(seen.crops)
        return np.column_stack([scores.probabilities, doubts]), scores.features
