"""Evaluation tables read as arrays: everything that a page needs to show what a checkpoint answered.

No network, no picture and no torch is needed. The tables are written by ``fer_core.evaluation.run``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, VOTES, ferplus_labels
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import CheckpointError, InputError
from fer_core.faces.records import QUALITIES

if TYPE_CHECKING:
    import pandas as pd

_LABEL, _FERPLUS = "label_", "label_ferplus"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a checkpoint answered on the n pictures of one split.

    Attributes:
        checkpoint, dataset, split: names.
        ids: str (n,), row number or relative path, unique.
        classes: the k emotions that the network knows, ``EMOTIONS`` or ``EMOTIONS8``.
        labels: label set → int64 (n,), index into ``EMOTIONS8``, -1 where the set has no label for the picture. The
            data set's own labels come first, then those of FER+ where they are known.
        votes: int64 (n, 10) in the order of ``fer_core.data.VOTES``; (n, 0) where there are none.
        logits: float32 (n, k), uncalibrated.
        probabilities: float32 (n, k), calibrated, rows sum to 1.
        features: float32 (n, d); d may be 0.
        qualities: name of ``fer_core.faces.QUALITIES`` → float32 (n,), from 0; see ``fer_core.faces.crop_qualities``.
            Empty in tables from before they were measured.
        people: str (n,), who is shown; "" where nobody says.
        n_faces: int64 (n,), faces found in each photo, 0 where the whole photo was taken; 1 where nothing was looked
            for.

    Raises:
        CheckpointError: arrays that do not fit together, or numbers that cannot be.
    """

    checkpoint: str
    dataset: str
    split: str
    ids: NDArray[np.str_]
    classes: tuple[str, ...]
    labels: Mapping[str, NDArray[np.int64]]
    votes: NDArray[np.int64]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]
    qualities: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    people: NDArray[np.str_] = field(default_factory=lambda: np.zeros(0, "<U1"))
    n_faces: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __repr__(self) -> str:
        (n, d), sets = self.features.shape, ", ".join(self.labels)
        told = f"{n} pictures, labels {sets}; {d} features"
        return f"<Evaluation of {self.checkpoint} on {self.dataset} {self.split}: {told}>"

    def __post_init__(self) -> None:
        n, k = len(self.ids), len(self.classes)
        for name, unknown in (("people", ""), ("n_faces", 1)):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(n, unknown))
            if getattr(self, name).shape != (n,):
                raise CheckpointError(f"expected {name} ({n},), got {getattr(self, name).shape}.")
        if self.classes not in (EMOTIONS, EMOTIONS8):
            raise CheckpointError(f"expected the classes {', '.join(EMOTIONS8)} (contempt or not), got {self.classes}.")
        if not self.labels:
            raise CheckpointError("expected labels of at least one label set, got none.")
        for name, labels in self.labels.items():
            if labels.shape != (n,) or (n and not -1 <= labels.min() <= labels.max() < len(EMOTIONS8)):
                raise CheckpointError(f"expected labels {name} ({n},) in -1-7, got {labels.shape} or others.")
        if self.logits.shape != (n, k) or self.probabilities.shape != (n, k):
            shapes = f"{self.logits.shape} and {self.probabilities.shape}"
            raise CheckpointError(f"expected logits and probabilities ({n}, {k}), got {shapes}.")
        if self.votes.shape not in ((n, 0), (n, len(VOTES))) or (self.votes < 0).any():
            raise CheckpointError(f"expected votes ({n}, 0 or {len(VOTES)}) from 0, got {self.votes.shape} or below 0.")
        if self.features.ndim != 2 or len(self.features) != n:
            raise CheckpointError(f"expected features ({n}, d), got {self.features.shape}.")
        for name, values in self.qualities.items():
            if name not in QUALITIES or values.shape != (n,) or not (np.isfinite(values) & (values >= 0)).all():
                known = ", ".join(QUALITIES)
                raise CheckpointError(f"expected {known} ({n},) from 0, got {name} {values.shape} or below 0.")
        _check_numbers(self)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def has_votes(self) -> bool:
        return self.votes.shape[1] > 0

    @property
    def label_sets(self) -> tuple[str, ...]:
        """Names of the label sets, the data set's own first."""
        return tuple(self.labels)

    @property
    def own(self) -> str:
        """The data set's own label set."""
        return self.label_sets[0]


def _check_numbers(table: Evaluation) -> None:
    for name in ("logits", "probabilities", "features"):
        if not np.isfinite(getattr(table, name)).all():
            raise CheckpointError(f"expected finite {name}, got some that are not.")
    p = table.probabilities
    if (p < 0).any() or (np.abs(p.sum(axis=1) - 1) > 1e-3).any():
        raise CheckpointError("expected probabilities whose rows sum to 1, got others.")
    if len(np.unique(table.ids)) != len(table.ids):
        raise CheckpointError("expected ids that occur once, got some twice.")


def read_evaluation(path: str | Path, checkpoint: str) -> Evaluation:
    """Read ``<dataset>-<split>.parquet``, as ``fer_core.evaluation.evaluate_faces`` makes it.

    A table without ``votes_*`` but with ``label_ferplus`` has the label set ``ferplus7`` from that column; with votes
    it has all three protocols.

    Raises:
        CheckpointError: missing, damaged, without a column that is needed, or with impossible values; the message
            names the file.
    """
    import pandas as pd  # half a second, which a page that only lists tables need not wait for

    path = Path(path)
    where = f"{path.parent.name}/{path.name}"
    try:
        return _evaluation(pd.read_parquet(path), path.stem, checkpoint)
    except (OSError, ValueError, TypeError, NotImplementedError) as error:
        raise CheckpointError(f"{where} cannot be read as an evaluation ({error}). Evaluate again.") from error
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error} Evaluate again.") from error


def _evaluation(table: pd.DataFrame, stem: str, checkpoint: str) -> Evaluation:
    if "id" not in table or table["id"].isna().any():
        raise CheckpointError("expected an id in every row, got none.")
    dataset, _, split = stem.rpartition("-")
    columns = [str(name) for name in table.columns]
    classes = tuple(name.removeprefix("logit_") for name in columns if name.startswith("logit_"))
    if missing := [f"p_{name}" for name in classes if f"p_{name}" not in columns]:
        raise CheckpointError(f"expected a probability for each logit, got no {', '.join(missing)}.")
    votes = _votes(table)
    features = [name for name in columns if name.startswith("f_") and name[2:].isdigit()]
    return Evaluation(
        checkpoint=checkpoint,
        dataset=dataset or stem,
        split=split,
        ids=table["id"].astype(str).to_numpy(str),
        classes=classes,
        labels=_label_sets(table, dataset, votes),
        votes=votes,
        logits=table[[f"logit_{name}" for name in classes]].to_numpy(np.float32),
        probabilities=table[[f"p_{name}" for name in classes]].to_numpy(np.float32),
        features=table[features].to_numpy(np.float32),
        qualities={name: table[name].to_numpy(np.float32) for name in QUALITIES if name in columns},
        people=table["person"].fillna("").astype(str).to_numpy(str) if "person" in columns else np.zeros(0, "<U1"),
        n_faces=table["n_faces"].to_numpy(np.int64) if "n_faces" in columns else np.zeros(0, np.int64),
    )


def _votes(table: pd.DataFrame) -> NDArray[np.int64]:
    names = [f"votes_{name}" for name in VOTES]
    present = [name for name in names if name in table]
    if not present:
        return np.zeros((len(table), 0), np.int64)
    if len(present) < len(names) or any(table[name].dtype.kind not in "iu" for name in names):
        raise CheckpointError(f"expected whole numbers in {', '.join(names)}, got {', '.join(present)} or fractions.")
    return np.asarray(table[names].to_numpy(np.int64))


def _label_sets(table: pd.DataFrame, dataset: str, votes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    found = [name for name in table if name.startswith(_LABEL)]
    if not found:
        raise CheckpointError(f"expected a column {_LABEL}{dataset}, got none.")
    own = f"{_LABEL}{dataset}" if f"{_LABEL}{dataset}" in found else found[0]
    labels = {own.removeprefix(_LABEL): _label_column(table, own)}
    if votes.shape[1]:
        return labels | {protocol: ferplus_labels(votes, protocol) for protocol in FERPLUS_PROTOCOLS}
    return labels | ({"ferplus7": _label_column(table, _FERPLUS)} if _FERPLUS in found and own != _FERPLUS else {})


def _label_column(table: pd.DataFrame, name: str) -> NDArray[np.int64]:
    column = table[name].astype(object)  # a file of another program may hold categories
    codes = column.map({emotion: i for i, emotion in enumerate(EMOTIONS8)})
    unknown = column[codes.isna() & column.notna()]
    if len(unknown):
        raise CheckpointError(f"expected emotions in {name}, got {str(unknown.iloc[0])[:40]!r}.")
    return np.asarray(codes.fillna(-1).to_numpy(np.int64))


def concatenated(tables: Sequence[Evaluation]) -> Evaluation:
    """Several splits of one data set by one checkpoint as one table, with the label sets that all of them have.

    Raises:
        InputError: none given, or of different checkpoints, data sets or classes.
        CheckpointError: a picture is in more than one of them.
    """
    if not tables:
        raise InputError("Expected at least one evaluation, got none.")
    first = tables[0]
    for other in tables[1:]:
        if (other.checkpoint, other.own, other.classes) != (first.checkpoint, first.own, first.classes):
            raise InputError(
                f"Expected evaluations of {first.checkpoint} on {first.dataset}, got {other.checkpoint} on "
                f"{other.dataset}. Choose splits of one data set and one checkpoint."
            )
    votes = [table.votes if all(each.has_votes for each in tables) else table.votes[:, :0] for table in tables]
    shared = [name for name in first.labels if all(name in table.labels for table in tables)]
    measured = [name for name in first.qualities if all(name in table.qualities for table in tables)]
    return Evaluation(
        checkpoint=first.checkpoint,
        dataset=first.dataset,
        split="+".join(table.split for table in tables),
        ids=np.concatenate([table.ids for table in tables]),
        classes=first.classes,
        labels={name: np.concatenate([table.labels[name] for table in tables]) for name in shared},
        votes=np.concatenate(votes),
        logits=np.concatenate([table.logits for table in tables]),
        probabilities=np.concatenate([table.probabilities for table in tables]),
        features=np.concatenate([table.features for table in tables]),
        qualities={name: np.concatenate([table.qualities[name] for table in tables]) for name in measured},
        people=np.concatenate([table.people for table in tables]),
        n_faces=np.concatenate([table.n_faces for table in tables]),
    )
