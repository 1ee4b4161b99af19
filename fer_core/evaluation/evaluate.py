"""Evaluate a checkpoint on a data set: the network runs from its weights, stored tables are never trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, LabelledFaces, ferplus_labels, load_fer2013
from fer_core.errors import InputError
from fer_core.evaluation.metrics import report
from fer_core.models.classifier import Classifier, Scores, load

LABEL_SETS: tuple[str, ...] = ("fer2013", *FERPLUS_PROTOCOLS)
TTA: tuple[str, ...] = ("none", "flip", "tencrop")
Progress = Callable[[int, int], None]


def evaluate(
    checkpoint: str | Path | Classifier,
    data: str | Path,
    *,
    split: str = "private_test",
    labels: str = "fer2013",
    tta: str = "none",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a checkpoint on a split of FER2013 and report its figures.

    Args:
        checkpoint: name, folder or a loaded classifier.
        data: folder (or csv) of the data set, see ``fer_core.data.fer2013``.
        split: ``training``, ``public_test``, ``private_test``; ``test`` for Kaggle's folders.
        labels: ``fer2013`` or a FER+ protocol (``ferplus7``, ``ferplus8_majority``, ``ferplus8_argmax``).
        tta: ``none``, ``flip`` (mean with the mirror image) or ``tencrop``.
        progress: called with (images done, images in all).

    Returns:
        ``checkpoint, data, split, labels, tta`` and everything of ``fer_core.evaluation.metrics.report``.

    Raises:
        CheckpointError, DataError, InputError: as their messages say.
    """
    for value, known, what in ((labels, LABEL_SETS, "label set"), (tta, TTA, "test-time augmentation")):
        if value not in known:
            raise InputError(f"Unknown {what} {value!r}; expected one of {', '.join(known)}.")
    classifier = checkpoint if isinstance(checkpoint, Classifier) else load(checkpoint)
    faces = load_fer2013(data, split)
    truth = labels_of(faces, labels)
    kept = truth >= 0
    scores = predict_all(classifier, faces.images[kept], tta=tta, progress=progress)
    figures = report(scores.probabilities.astype(np.float64), truth[kept])
    return {"checkpoint": classifier.name, "data": "fer2013", "split": split, "labels": labels, "tta": tta, **figures}


def labels_of(faces: LabelledFaces, label_set: str) -> NDArray[np.int64]:
    """Labels (n,) of a label set; -1 where its protocol drops the image."""
    return faces.emotion if label_set == "fer2013" else ferplus_labels(faces.votes, label_set)


def predict_all(
    classifier: Classifier, images: NDArray[np.uint8], *, tta: str = "none", progress: Progress | None = None
) -> Scores:
    """Scores of many face pictures, with progress after every 256."""
    parts = []
    for start in range(0, max(len(images), 1), 256):
        parts.append(classifier.predict(images[start : start + 256], tta=tta))
        if progress is not None:
            progress(min(start + 256, len(images)), len(images))
    return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in Scores.__dataclass_fields__))


def evaluation_table(classifier: Classifier, faces: LabelledFaces) -> pd.DataFrame:
    """One row per image, single view.

    Columns: ``id``, ``label_fer2013``; with votes ``label_ferplus`` (``ferplus7``, empty where dropped),
    ``votes_top_share`` and ``votes_entropy`` (nats) over all ten options; ``logit_*`` uncalibrated, ``p_*`` calibrated,
    ``f_000 …`` features (float16).
    """
    scores = predict_all(classifier, faces.images)
    names = np.array([*classifier.labels])
    columns: dict[str, Any] = {"id": faces.ids, "label_fer2013": names[faces.emotion]}
    if faces.has_votes:
        seven = ferplus_labels(faces.votes, "ferplus7")
        shares = faces.votes / np.maximum(faces.votes.sum(axis=1, keepdims=True), 1)
        columns["label_ferplus"] = [names[i] if i >= 0 else None for i in seven]
        columns["votes_top_share"] = shares.max(axis=1).astype(np.float32)
        columns["votes_entropy"] = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).astype(np.float32)
    columns |= {f"logit_{name}": scores.logits[:, i].astype(np.float32) for i, name in enumerate(names)}
    columns |= {f"p_{name}": scores.probabilities[:, i] for i, name in enumerate(names)}
    columns |= {f"f_{i:03d}": scores.features[:, i].astype(np.float16) for i in range(scores.features.shape[1])}
    return pd.DataFrame(columns)
