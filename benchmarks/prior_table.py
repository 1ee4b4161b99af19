"""What each choice of how common emotions are does to the figures of the shipped checkpoints.

    python -m benchmarks.prior_table

reads their evaluation tables of FER2013 (single view, the labels that each was taught) and prints the tables of
``docs/prior.md``: as trained, halfway and all alike, with the ECE's 95 % interval as trained and halfway.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from fer_core.emotions import AS_TRAINED, HALFWAY
from fer_core.evaluation import prior_report, read_evaluation
from fer_core.models.card import read_card
from fer_core.models.folders import checkpoint_folders, checkpoints_folder

SPLITS = ("public_test", "private_test")


def rows(folders: dict[str, Path], split: str) -> Iterator[str]:
    """The lines of a table, one for each checkpoint that knows its class prior and was evaluated on the split."""
    yield "| checkpoint | labels | n | τ | accuracy | macro recall | fear | disgust | ECE | ECE, 95 % |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, folder in folders.items():
        card, path = read_card(folder / "card.json"), folder / "evaluations" / f"fer2013-{split}.parquet"
        if card.prior is None or not path.is_file():
            continue
        table, labels = read_evaluation(path, name), str(card.data["labels"])
        truth = table.labels[labels]
        found = prior_report(table.probabilities[truth >= 0], truth[truth >= 0], card.prior)
        told = [
            " / ".join(f"{100 * value:.1f}" for value in values)
            for values in (
                [each["accuracy"] for each in found.values()],
                [each["macro_recall"] for each in found.values()],
                *([each["recalls"][emotion] for each in found.values()] for emotion in ("fear", "disgust")),
                [each["ece"] for each in found.values()],
            )
        ]
        spans = (found[choice]["ece_interval"] for choice in (AS_TRAINED, HALFWAY))
        told.append("; ".join(f"{100 * low:.1f}–{100 * high:.1f}" for low, high in spans))
        n = found[HALFWAY]["n"]
        yield f"| `{name}` | {labels} | {n:,} | {found[HALFWAY]['tau']:g} | {' | '.join(told)} |"


def main() -> None:
    """Command line; see the module's docstring."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    folders = checkpoint_folders(checkpoints_folder())
    for split in SPLITS:
        print(f"\n{split}:\n")
        print("\n".join(rows(folders, split)))


if __name__ == "__main__":
    main()
