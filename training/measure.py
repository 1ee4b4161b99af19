"""The figures of a checkpoint, measured from its weights as they ship: the card's metrics and the evaluation tables.

    python -m training.measure checkpoints/mru-2025-cnn --data /path/to/fer2013

measures a folder again. Weights and temperature stay as they are.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data import FaceSet, open_dataset
from fer_core.data.locate import find_dataset
from fer_core.errors import DataError
from fer_core.evaluation.copies import copies_of
from fer_core.evaluation.metrics import fit_temperature
from fer_core.evaluation.run import TTA, evaluate_faces, figures_of, label_sets, labels_of, table_array, write_table
from fer_core.models.card import CHOOSE, PART, TEST, write_card
from fer_core.models.classifier import Classifier, load
from fer_core.models.runtime import EXACT, fastest
from training.recipe import FERPLUS, FERPLUS7


def measure(
    folder: Path,
    choose: Sequence[FaceSet],
    test: Sequence[FaceSet],
    *,
    with_votes: bool,
    skip: bool = False,
) -> None:
    """Fill the metrics of a checkpoint's card and write its evaluation tables, from its weights, in the fastest way
    that gives the network's own probabilities to 0.0001.

    Metrics are those of every label set, of a single view on the choosing split and every view on the test split.

    ``with_votes`` reports the FER+ protocols too; ``skip`` leaves unreadable pictures out.
    """
    classifier, _ = fastest(load(folder), EXACT)
    metrics: list[Mapping[str, Any]] = []
    for side, sets, views in ((CHOOSE, choose, TTA[:1]), (TEST, test, TTA)):
        for faces in sets:
            for tta in views:
                table = evaluate_faces(classifier, faces, tta=tta, skip_unreadable=skip)
                for labels in label_sets(faces) if with_votes else (faces.name,):
                    figures = rounded(figures_of(table, faces, labels, tta, copies_of(faces)))
                    metrics.append({**figures, "side": side, **_left_out(faces, table)})
                if tta == TTA[0]:
                    write_table(table, folder / "evaluations" / f"{faces.name}-{faces.split}.parquet")
    card = dataclasses.replace(classifier.card, metrics=metrics)
    write_card(folder, card)


def _left_out(faces: FaceSet, table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """How many pictures of a split that is not whole are not among those measured, by reason."""
    unreadable = len(table.attrs.get("unreadable", ()))
    left = {
        **(faces.left_out if faces.split.endswith(PART) else {}),
        **({"unreadable": unreadable} if unreadable else {}),
    }
    return {"left_out": left} if left else {}


def fit_on(classifier: Classifier, sets: Iterable[FaceSet], target: str, *, skip: bool = False) -> float:
    """The temperature that fits the choosing split best, four decimals."""
    return round(fit_temperature(*answers_on(classifier, sets, target, skip=skip)), 4)


def answers_on(
    classifier: Classifier, sets: Iterable[FaceSet], target: str, *, skip: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits (n, k) and labels (n,) of the choosing split, as far as it has labels under the target."""
    logits, truth = [], []
    for faces in sets:
        table = evaluate_faces(classifier, faces, skip_unreadable=skip)
        logits.append(table_array(table, "logit_"))
        truth.append(labels_of(table, FERPLUS7 if target == FERPLUS else faces.name))
    labels = np.concatenate(truth)
    return np.concatenate(logits)[labels >= 0].astype(np.float64), labels[labels >= 0]


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures with five decimals."""
    found: dict[str, Any] = json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 5))
    return found


def measure_again(folder: Path, root: Path | None) -> None:
    """Measure a checkpoint of one data set on the splits that its card names.

    Raises:
        CheckpointError, DataError: as their messages say.
    """
    card = load(folder).card
    name = str(card.data.get("dataset", ""))
    data = open_dataset(find_dataset(name, root), name)
    sides = {
        side: [data.read(split)] if (split := str(card.data.get(side, ""))) in data.splits else []
        for side in ("choose", "test")
    }
    if not sides["test"]:
        raise DataError(f"{card.name} was tested on {card.data.get('test')!r}; {name} has {', '.join(data.splits)}.")
    measure(folder, sides["choose"], sides["test"], with_votes=FERPLUS in card.data.get("targets", ()))


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: in FER_DATA)")
    args = parser.parse_args(argv)
    try:
        for folder in args.folders:
            measure_again(folder, args.data)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
