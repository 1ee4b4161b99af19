"""Evaluations as tables: found, read once and kept, and made anew by a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard.services import checkpoints, jobs, kinds, places, queues, warm
from fer_core.errors import CheckpointError, InputError
from fer_core.models.folders import checkpoint_named
from fer_core.progress import OnProgress, ShouldStop

if TYPE_CHECKING:
    import pandas as pd

    from fer_core.evaluation import Evaluation, Intervals, LabelReview, Outcomes


@dataclass(frozen=True)
class Question:
    """Whose answers about what: a checkpoint, a table (``fer2013-private_test``), a label set, and whether labels that
    people doubt are left out and a reviewer's corrections are applied."""

    checkpoint: str
    table: str
    label_set: str
    without_doubtful: bool = False
    corrected: bool = False

    @property
    def dataset(self) -> str:
        return self.table.rsplit("-", 1)[0]

    @property
    def split(self) -> str:
        return self.table.rsplit("-", 1)[-1]


def tables(checkpoint: str) -> dict[str, Path]:
    """Tables of a checkpoint by name; test splits first. Of a shipped one and one made here the newer counts."""
    folders = (checkpoint_named(checkpoint) / "evaluations", places.below("evaluations") / checkpoint)
    paths = [path for folder in folders for path in folder.glob("*.parquet") if "-" in path.stem]
    found = {path.stem: path for path in sorted(paths, key=lambda path: path.stat().st_mtime_ns)}
    return {name: found[name] for name in sorted(found, key=lambda name: ("test" not in name, name))}


def evaluation(checkpoint: str, table: str) -> Evaluation:
    """A table as arrays.

    Raises:
        CheckpointError: no such checkpoint or table, or the file is damaged.
    """
    path = tables(checkpoint).get(table)
    if path is None:
        raise CheckpointError(f"{checkpoint} was not evaluated on {table}. Evaluate it on the page Models.")
    return _read(str(path), path.stat().st_mtime_ns, checkpoint)


@lru_cache(maxsize=6)
def _read(path: str, changed: int, checkpoint: str) -> Evaluation:
    from fer_core.evaluation import read_evaluation

    return read_evaluation(Path(path), checkpoint)


def review(dataset: str) -> LabelReview:
    """What the reviewer said about the labels of a data set.

    Raises:
        StoreError: its file is damaged.
    """
    from fer_core.evaluation import LabelReview

    return LabelReview.load(places.below("reviews"), dataset)


def change_review(dataset: str, how: Callable[[LabelReview], LabelReview]) -> None:
    """Decide about labels, or take a decision back.

    Raises:
        InputError, StoreError: an impossible decision; the file is damaged.
    """
    from fer_core.evaluation import LabelReview

    LabelReview.change(places.below("reviews"), dataset, how)


def outcomes(question: Question) -> Outcomes:
    """What the checkpoint answered.

    Raises:
        CheckpointError, InputError, StoreError: no such table or label set; damaged.
    """
    found = evaluation(question.checkpoint, question.table)
    corrections = review(question.dataset).corrections if question.corrected else {}
    return _outcomes(found, question, tuple(sorted(corrections.items())))


@lru_cache(maxsize=8)
def _outcomes(found: Evaluation, question: Question, corrections: tuple[tuple[str, str | None], ...]) -> Outcomes:
    from fer_core.evaluation import outcomes as outcomes_of

    return outcomes_of(
        found, question.label_set, without_doubtful=question.without_doubtful, corrections=dict(corrections)
    )


def intervals(found: Outcomes, group_map: Mapping[str, str]) -> Intervals:
    """95 % intervals of the figures of some outcomes; drawn once."""
    return _intervals(found, tuple(group_map.items()))


@lru_cache(maxsize=16)
def _intervals(found: Outcomes, group_map: tuple[tuple[str, str], ...]) -> Intervals:
    from fer_core.evaluation import intervals_of

    return intervals_of(found.probabilities, found.label, found.people, group_map=dict(group_map))


def everybody(question: Question) -> list[dict[str, Any]]:
    """Every checkpoint that was evaluated on the table and has the label set: accuracy, macro recall and ECE (0-1),
    and ``p`` of McNemar's test against the one that was asked (None for itself)."""
    from fer_core.evaluation import aligned, mcnemar, report

    rows = []
    for entry in checkpoints.entries():
        own = dataclasses.replace(question, checkpoint=entry.name)
        if entry.error or question.table not in tables(entry.name):
            continue
        if question.label_set not in evaluation(entry.name, question.table).labels or not len(found := outcomes(own)):
            continue
        figures = report(found.probabilities, found.label)
        chosen = {name: figures[name] for name in ("accuracy", "macro_recall", "ece")}
        pair = None if own == question else aligned(outcomes(question), found, partly=True)
        p = mcnemar(pair[0].right, pair[1].right)["p"] if pair else None
        rows.append({"checkpoint": entry.name, "n": len(found), **chosen, "p": p})
    return rows


def compared(question: Question, other: Question) -> tuple[Outcomes, Outcomes, pd.DataFrame]:
    """The answers of two checkpoints on the pictures that both saw, and how they differ class by class."""
    return _compared(outcomes(question), outcomes(other))


@lru_cache(maxsize=4)
def _compared(a: Outcomes, b: Outcomes) -> tuple[Outcomes, Outcomes, pd.DataFrame]:
    from fer_core.evaluation import aligned, class_differences

    a, b = aligned(a, b, partly=True)
    return a, b, class_differences(a, b)


def ask(checkpoint: str, dataset: str, split: str, *, skip_unreadable: bool, find_faces: bool) -> str:
    """Queue an evaluation; returns the job.

    Raises:
        CheckpointError: there is no such checkpoint, or it has no weights.
    """
    if missing := checkpoints.why_not_runnable(checkpoint):
        raise CheckpointError(missing)
    request = kinds.EvaluateRequest(checkpoint, dataset, split, skip_unreadable, find_faces)
    return queues.ask(kinds.EVALUATE, request, name=f"{checkpoint} on {dataset}, {split}", target=checkpoint)


def make(job: jobs.Job, asked: kinds.EvaluateRequest, *, progress: OnProgress, should_stop: ShouldStop) -> None:
    """The worker's part of ``ask``.

    Raises:
        CheckpointError, DataError, InputError, Cancelled: as their messages say.
    """
    from dashboard.services import datasets
    from fer_core.evaluation import better_order, evaluate_faces, faces_found, labels_of, table_array, write_table

    faces = datasets.faces(asked.dataset, asked.split)
    if not len(faces):
        raise InputError(f"{asked.dataset} has no picture in {asked.split}.")
    table = evaluate_faces(
        warm.classifier(asked.checkpoint), faces, progress=progress, should_stop=should_stop,
        skip_unreadable=asked.skip_unreadable, find_faces=asked.find_faces,
    )  # fmt: skip
    checkpoint_named(asked.checkpoint)  # may be removed meanwhile, and the next of its name is another one
    write_table(table, places.below("evaluations") / asked.checkpoint / f"{asked.dataset}-{asked.split}.parquet")
    unreadable = table.attrs.get("unreadable", [])
    told = {"n": len(table), "left_out": len(unreadable), "first": unreadable[0] if unreadable else ""}
    if "n_faces" in table:
        told["faces"] = faces_found(table["id"].to_numpy(str), table["n_faces"].to_numpy()).sentences(most=5)
    if found := better_order(table_array(table, "p_"), labels_of(table, faces.name)):
        told["permuted"] = found.in_words(warm.classifier(asked.checkpoint).labels)
    jobs.tell(job.id, told, job.token)
