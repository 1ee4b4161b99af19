"""The report of an evaluation: a network against labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, GROUPS, group_indices, groups_of
from fer_core.errors import CheckpointError, DataError
from fer_core.evaluation.calibration import reliability
from fer_core.evaluation.intervals import Intervals, Range, intervals_of
from fer_core.evaluation.matrices import class_report, confusion, group_confusion, group_report, in_words, most_confused
from fer_core.evaluation.metrics import report
from fer_core.evaluation.outcome import Outcomes, human_agreement
from fer_core.models.card import Card, read_card
from fer_core.models.folders import file_sha256, find_checkpoint, weights_in
from fer_core.report.charts import matrix_table, reliability_svg, scatter_svg
from fer_core.report.html import Html, ReportPage, code, percent
from fer_core.report.methods import NOT_CLAIMED
from fer_core.report.references import OF_ARCHITECTURE, REFERENCES, bibtex, cited

MAX_POINTS, SEED, WORST = 1_500, 0, 5
PICTURES_EACH = 4
PictureOf = Callable[[str], NDArray[np.uint8]]
"""Id of a picture → RGB (h, w, 3)."""


def evaluation_report(
    found: Outcomes,
    picture_of: PictureOf | None = None,
    *,
    group_map: Mapping[str, str] = DEFAULT_GROUP_MAP,
    folder: Path | None = None,
) -> bytes:
    """The report as one HTML file that needs nothing else; the same input gives the same bytes.

    Args:
        found: an evaluation table against a label set.
        picture_of: shows the surest wrong answers of the worst confusions; without it there is no picture.
        group_map: the group of every emotion.
        folder: of the checkpoint; None looks for it by its name.

    Raises:
        DataError: no picture is left under these labels.
        InputError: an impossible group map.
    """
    table = found.evaluation
    folder = _folder(table.checkpoint) if folder is None else folder
    card = None if folder is None else read_card(folder / "card.json")
    title = (card.title if card else "") or table.checkpoint
    page = ReportPage(f"Evaluation: {title}")
    page.heading(f"{title}: where it errs", 1)
    page.say(f"{table.checkpoint} on {table.dataset} {table.split}, judged by {found.label_set}.", "small")
    _figures(page, found, group_map)
    _matrices(page, found, group_map)
    _confusions(page, found, picture_of)
    _calibration(page, found)
    _map(page, found, group_map)
    _about(page, found, card, folder)
    return page.to_bytes()


def _folder(name: str) -> Path | None:
    try:
        return find_checkpoint(name)
    except CheckpointError:
        return None


def _between(ends: Range | None) -> str:
    return "–" if ends is None else f"{100 * ends[0]:.1f} – {100 * ends[1]:.1f} %"


def _figures(page: ReportPage, found: Outcomes, group_map: Mapping[str, str]) -> None:
    figures = report(found.probabilities, found.label, group_map=group_map)
    drawn = intervals_of(found.probabilities, found.label, found.people, group_map=group_map)
    many = f"{len(found.names)} emotions"
    names = {
        "accuracy": f"Accuracy, {many}", "macro_recall": f"Macro recall, {many}",
        "groups_accuracy": "Accuracy, three groups",
        "groups_macro_recall": "Macro recall, three groups", "ece": "Calibration error (ECE)",
    }  # fmt: skip
    page.heading("Figures")
    page.table(
        ["figure", "value", "95 % interval"],
        [[words, percent(float(str(figures[key]))), _between(drawn.of.get(key))] for key, words in names.items()],
        f"{figures['n']:,} pictures",
    )
    page.say(drawn.told, "small")
    if found.evaluation.has_votes:
        share, words = human_agreement(found)
        page.say(f"People among themselves: {percent(share)} ({words}).")
    _classes(page, found, drawn, group_map)


def _classes(page: ReportPage, found: Outcomes, drawn: Intervals, group_map: Mapping[str, str]) -> None:
    for told, ends, caption in (
        (class_report(found), drawn.recalls, "Each emotion"),
        (group_report(found, group_map), drawn.groups, "Each group"),
    ):
        page.table(
            ["class", "pictures", "precision", "recall", "recall, 95 %", "F1"],
            [
                [
                    str(row["class"]), int(row["support"]), percent(row["precision"]), percent(row["recall"]),
                    _between(ends.get(str(row["class"]))), percent(row["f1"]),
                ]
                for row in told.to_dict("records")
            ],
            caption,
        )  # fmt: skip


def _matrices(page: ReportPage, found: Outcomes, group_map: Mapping[str, str]) -> None:
    page.heading("Confusion")
    matrix_table(page, confusion(found), found.names, "Seven emotions" if len(found.names) == 7 else "Eight emotions")
    groups = groups_of(group_map)
    caption = "Three groups" if len(groups) == len(GROUPS) else f"{len(groups)} groups"
    matrix_table(page, group_confusion(found, group_map), groups, caption)


def _confusions(page: ReportPage, found: Outcomes, picture_of: PictureOf | None) -> None:
    worst = most_confused(confusion(found), found.names, WORST)
    if not worst:
        return
    page.heading("Worst confusions")
    page.items([in_words(cell) for cell in worst])
    if picture_of is None:
        return
    for cell in worst:
        true, taken = found.names.index(cell.true), found.names.index(cell.predicted)
        own = np.flatnonzero((found.label == true) & (found.prediction == taken))
        surest = own[np.argsort(-found.confidence[own], kind="stable")][:PICTURES_EACH]
        page.heading(f"{cell.true} taken for {cell.predicted}", 3)
        page.pictures(
            (picture_of(str(found.ids[i])), f"{found.ids[i]}: {taken_for(found, int(i))}") for i in surest.tolist()
        )


def taken_for(found: Outcomes, row: int) -> str:
    """``happy, 97 %``."""
    return f"{found.names[int(found.prediction[row])]}, {percent(float(found.confidence[row]), 0)}"


def _calibration(page: ReportPage, found: Outcomes) -> None:
    page.heading("Calibration")
    bins = reliability(found.confidence, found.right)
    page.figure(
        reliability_svg(bins, "How often answers of each probability are right"),
        "On the line, answers of 80 % are right in 80 %. A larger circle stands for more pictures.",
    )


def _map(page: ReportPage, found: Outcomes, group_map: Mapping[str, str]) -> None:
    features = found.evaluation.features[found.rows].astype(np.float64)
    if len(features) < 3 or features.shape[1] < 2:
        return
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(features))[:MAX_POINTS])
    points = _principal(features)[chosen]
    to_group = group_indices(found.names, group_map)
    page.heading("Map: seven emotions against three groups")
    many = "" if len(chosen) == len(features) else f" {len(chosen):,} of {len(features):,} pictures, drawn by chance."
    page.figure(
        scatter_svg(points, found.names, found.label[chosen], "Features by emotion"),
        f"Features of the last layer on their first two principal components, by label.{many}",
    )
    page.figure(
        scatter_svg(points, groups_of(group_map), to_group[found.label[chosen]], "Features by group"),
        "The same pictures by group.",
    )


def _principal(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features (n, k) on their first two principal components (n, 2); signs so that the largest weight is positive."""
    centred = features - features.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, -2:][:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(2)])
    return np.asarray(np.round(centred @ axes, 6))


def _about(page: ReportPage, found: Outcomes, card: Card | None, folder: Path | None) -> None:
    page.heading("The network, and how it was judged")
    table = found.evaluation
    facts: dict[str, str | Html] = {"Checkpoint": table.checkpoint}
    keys = ["goodfellow2013"] if table.dataset.startswith("fer2013") else []
    keys += ["barsoum2016"] if "ferplus" in found.label_set else []
    if card is not None and folder is not None:
        weights = weights_in(folder)
        facts |= {
            "Network": f"{card.network}, {card.n_params:,} parameters, temperature {card.temperature:.4f}",
            "Trained on": " ".join(str(card.data.get(key, "")) for key in ("dataset", "train", "labels")),
            "Recipe": f"{card.recipe}, seed {card.seed}, {card.date}",
            "Weights": code(file_sha256(weights)) if weights else "not here",
        }
        if key := OF_ARCHITECTURE.get(card.architecture):
            keys.append(key)
    page.facts(facts)
    page.items([*(card.notes if card else ()), *NOT_CLAIMED])
    keys.append("guo2017")
    cites = "; ".join(REFERENCES[key].short for key in keys)
    page.heading("Methods, for a paper")
    page.say(
        f"The network was judged on the {table.split} split of {table.dataset} ({len(found.label):,} pictures) by the "
        f"labels {found.label_set}, as trained and with its calibrated probabilities ({cites}). Recall is the share of "
        "the pictures of a class that it gets right, macro recall its mean over classes, ECE the mean gap between "
        f"probability and share right over 15 bins. {drawn_how(found)}"
    )
    page.heading("References", 3)
    page.items([each.whole for each in cited(keys)])
    page.heading("The same for BibTeX", 3)
    page.text(bibtex(keys))


def drawn_how(found: Outcomes) -> str:
    """By what the intervals were drawn."""
    by = "people" if len(set(found.people.tolist()) - {""}) > 1 else "pictures"
    return f"Intervals are drawn by a bootstrap over {by}."


def by_id(ids: NDArray[np.str_], picture: Callable[[int], NDArray[np.uint8]]) -> PictureOf:
    """Pictures by their ids, from pictures by their rows."""
    rows: Mapping[str, int] = {str(each): i for i, each in enumerate(ids)}

    def of(name: str) -> NDArray[np.uint8]:
        if name not in rows:
            raise DataError(f"The data set has no picture {name}. Point to the one that was evaluated.")
        return picture(rows[name])

    return of


__all__ = ["PictureOf", "by_id", "evaluation_report"]
