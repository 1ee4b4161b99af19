"""How well labels that look wrong to a network are those that people contradict, on the shipped tables.

python -m benchmarks.label_quality

The ranking of ``fer_core.evaluation.suspicious`` is held against the strict winner of the FER+ votes; pictures without
one are left out. Neither network is a stranger to FER+: both have one trunk, which was taught by the FER+ votes and the
FER2013 labels of the training pictures. mobilenetv2-fer2013 is the honest one of the two: its answers were taught by
FER2013 labels alone. Beside the order by self-confidence stand those by the normalised margin, with pictures off the
diagonal of the confident joint first, and a random one.
"""

from __future__ import annotations

import argparse

import numpy as np

from fer_core.evaluation import (
    Outcomes,
    concatenated,
    estimated_errors,
    label_quality_report,
    outcomes,
    precision_at,
    read_evaluation,
    suspicious,
)
from fer_core.models.folders import checkpoint_names, find_checkpoint

SPLITS = ("public_test", "private_test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    for name in checkpoint_names():
        folder = find_checkpoint(name) / "evaluations"
        paths = [folder / f"fer2013-{split}.parquet" for split in SPLITS]
        if all(path.is_file() for path in paths):
            tables = [read_evaluation(path, name) for path in paths]
            for table in (*tables, concatenated(tables)):
                show(outcomes(table, "fer2013"))


def show(given: Outcomes) -> None:
    """Print the figures of one table."""
    source, report = given.evaluation, label_quality_report(given)
    winner, table = source.labels["ferplus7"][given.rows], report.table
    judged, contradicted = winner >= 0, winner != given.label
    n_flagged, estimated = suspicious(given)["flagged"].sum(), estimated_errors(given)
    print(f"{source.checkpoint}, {source.split}: {report.judged:,} of {len(given):,} pictures judged")
    print(f"  {report.base_rate:.1%} contradicted; confident learning estimates {estimated:.1%} wrong labels")
    print(f"  {n_flagged:,} flagged; {report.flagged_precision:.1%} of {report.flagged:,} judged ones contradicted")
    print("  first k            " + "".join(f"{k:>14}" for k in table["k"]))
    print("  self-confidence    " + "".join(f"{100 * each:>12.1f} %" for each in table["precision"]))
    for title, order in orders(given).items():
        shares = precision_at(order[judged[order]], contradicted, table["k"])
        print(f"  {title:<19}" + "".join(f"{100 * each:>12.1f} %" for each in shares))
    limits = zip(table["random_low"], table["random_high"], strict=True)
    ranges = [f"{100 * low:.1f}-{100 * high:.1f} %" for low, high in limits]
    print("  random order, 95 % " + "".join(f"{each:>14}" for each in ranges))


def orders(given: Outcomes) -> dict[str, np.ndarray]:
    """All pictures in the orders that were tried and not taken."""
    at, others = np.arange(len(given)), given.probabilities.copy()
    own = others[at, given.label].copy()
    others[at, given.label] = -1
    thresholds = np.array([own[given.label == emotion].mean() for emotion in range(len(given.names))])
    reaching = np.where(given.probabilities >= thresholds, given.probabilities, -1)
    off_diagonal = (reaching.max(axis=1) >= 0) & (reaching.argmax(axis=1) != given.label)
    return {
        "normalised margin": np.argsort(own - others.max(axis=1), kind="stable"),
        "off the diagonal": np.lexsort((own, ~off_diagonal)),
    }


if __name__ == "__main__":
    main()
