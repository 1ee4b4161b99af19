"""How common each emotion was in what a network was taught, where its card does not tell."""

from __future__ import annotations

import torch

from fer_core.emotions import Prior
from fer_core.errors import CheckpointError
from fer_core.models.classifier import Classifier


def prior_of(classifier: Classifier) -> Prior | None:
    """The card's class prior, else ``answered_prior``."""
    return classifier.card.prior or answered_prior(classifier)


def answered_prior(classifier: Classifier) -> Prior | None:
    """The network's mean calibrated answer to those training pictures whose features the checkpoint keeps
    (``fer_core.models.reference``): a network that was taught to the end answers each emotion as often as it was
    taught. None where it keeps none, or cannot classify features on their own."""
    if classifier.reference is None:
        return None
    features = torch.from_numpy(classifier.reference.features).to(classifier.device)
    try:
        with torch.inference_mode():
            logits = classifier.net.classify(features)
    except CheckpointError:
        return None
    mean = (logits.double() / classifier.card.temperature).softmax(dim=1).mean(dim=0)
    shares = tuple(round(each, 5) for each in mean.tolist())
    return Prior(shares, source=f"its mean answer to {len(features):,} of its training pictures")
