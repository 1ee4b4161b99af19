"""How common each emotion was in what a checkpoint was taught, and the τ that is called halfway, into its card.

    python -m training.class_prior mobilenetv2-ferplus mobilenetv2-fer2013 --data /path/to/fer2013

writes ``prior`` of existing checkpoint folders anew; ``training.train`` writes it with every checkpoint. The shares are
those of the targets that it was taught: the mean of the FER+ votes, or the labels as a recipe's balance weighs them;
where the data set is not there, the network's mean answer to the training pictures that its reference holds, or to
pictures of the same data set that it was evaluated on. Halfway is fitted on the evaluation tables of the splits that
the epoch was chosen on. What is done with both: ``fer_core.emotions.prior``.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data import FaceSet, open_dataset
from fer_core.data.locate import find_dataset
from fer_core.emotions import EMOTIONS, EMOTIONS8, Prior
from fer_core.errors import CheckpointError, DataError
from fer_core.evaluation.priors import fit_halfway
from fer_core.evaluation.tables import Evaluation, read_evaluation
from fer_core.models.card import CHOOSE, Card, read_card, write_card
from fer_core.models.classifier import load
from fer_core.models.folders import find_checkpoint, weights_in
from fer_core.models.taught import answered_prior
from training.data import vote_targets
from training.recipe import FERPLUS7

Votes = NDArray[np.int64]
Labels = NDArray[np.int64]


def write_prior(folder: Path, votes: Votes, labels: Labels) -> Prior:
    """Put the class prior into a folder's card.

    ``votes`` (n, 10) or (n, 0) and ``labels`` (n,) are those of the training pictures, both of none where they are not
    there.

    Raises:
        CheckpointError: nothing is there by which it could be measured.
    """
    card = read_card(folder / "card.json")
    prior = _taught(card, votes, labels) or _answered(folder, card)
    tables = [table for table in _tables(folder, card) if (table.dataset, table.split) in _chosen_on(card)]
    if tables:
        answers, truth = _answers(tables, str(card.data.get("labels")))
        names = ", ".join(f"{table.dataset} {table.split}" for table in tables)
        prior = dataclasses.replace(prior, halfway=fit_halfway(answers, truth, prior), fitted_on=names)
    write_card(folder, dataclasses.replace(card, prior=prior))
    return prior


def _taught(card: Card, votes: Votes, labels: Labels) -> Prior | None:
    """From the targets themselves."""
    k = len(card.labels)
    if card.data.get("labels") == FERPLUS7 and votes.shape[1] and k == len(EMOTIONS):
        targets = vote_targets(votes)
        n = int((targets.sum(axis=1) > 0).sum())
        return _prior(targets.sum(axis=0), f"the FER+ votes for its {n:,} training pictures")
    known = card.data.get("counts_balanced") or card.data.get("counts")
    counts = [known.get(name, 0) for name in EMOTIONS8[:k]] if known else np.bincount(labels, minlength=k)[:k]
    if card.data.get("labels") == FERPLUS7 or not np.sum(counts):
        return None
    said = f"the labels of its {int(np.sum(counts)):,} training pictures"
    if card.data.get("balance") == "loss":
        return _prior(np.sign(counts), f"{said}, weighed to be equally common")
    return _prior(np.asarray(counts), said)


def _prior(sums: NDArray[np.number], source: str) -> Prior:
    return Prior(tuple(round(float(each), 5) for each in sums / sums.sum()), source=source)


def _answered(folder: Path, card: Card) -> Prior:
    """From the network's own answers."""
    found = answered_prior(load(folder, device="cpu")) if weights_in(folder) else None
    if found is not None:
        return found
    taught_by = str(card.data.get("dataset")).split("+") if card.data.get("train") else []
    own = [table for table in _tables(folder, card) if table.dataset in taught_by]
    tables = [table for table in own if table.split == card.data.get("train")] or own
    if not tables:
        raise CheckpointError(
            f"{card.name} tells nothing of how common each emotion was in its training: there is neither its data set, "
            "nor a reference, nor an evaluation on that data set. Evaluate it there first."
        )
    mean = np.concatenate([table.probabilities for table in tables]).mean(axis=0, dtype=np.float64)
    return _prior(mean, f"its mean answer on {', '.join(f'{table.dataset} {table.split}' for table in tables)}")


def _tables(folder: Path, card: Card) -> list[Evaluation]:
    return [read_evaluation(path, card.name) for path in sorted((folder / "evaluations").glob("*.parquet"))]


def _chosen_on(card: Card) -> set[tuple[str, str]]:
    """Data set and split of the pictures on which the epoch was chosen."""
    return {(str(each.get("data")), str(each.get("split"))) for each in card.metrics if card.side_of(each) == CHOOSE}


def _answers(tables: list[Evaluation], labels: str) -> tuple[NDArray[np.float32], Labels]:
    """Probabilities (n, k) and the labels (n,) that the network was taught."""
    truth = np.concatenate([table.labels[labels if labels in table.labels else table.own] for table in tables])
    return np.concatenate([table.probabilities for table in tables])[truth >= 0], truth[truth >= 0]


def _training_pictures(card: Card, root: Path | None) -> FaceSet | None:
    """The training split of the one data set that the card names, where it is here."""
    name, split = str(card.data.get("dataset", "")), str(card.data.get("train", ""))
    try:
        return open_dataset(find_dataset(name, root), name).read(split) if name and split else None
    except DataError:
        return None


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="name or folder")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: in FER_DATA)")
    args = parser.parse_args(argv)
    try:
        for name in args.checkpoints:
            folder = find_checkpoint(name)
            faces = _training_pictures(read_card(folder / "card.json"), args.data)
            votes = faces.votes if faces else np.zeros((0, 0), np.int64)
            prior = write_prior(folder, votes, faces.labels if faces else np.zeros(0, np.int64))
            shares = ", ".join(f"{label} {share:.1%}" for label, share in zip(EMOTIONS8, prior.shares, strict=False))
            print(
                f"{folder.name}: {shares} ({prior.source}); halfway {prior.halfway:g} ({prior.fitted_on or 'unfitted'})"
            )
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
