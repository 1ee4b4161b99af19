"""Evaluate a checkpoint on a data set: the network runs from its weights, stored tables are never trusted.

One way for every data set: pictures are read a few at a time, become crops of one size, and go through the network;
what comes out is a table with one row per picture, from which the figures are computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FERPLUS_PROTOCOLS, VOTES, FaceSet, ferplus_labels, open_dataset
from fer_core.data.records import Picture
from fer_core.emotions import EMOTIONS8, Prior
from fer_core.errors import DataError, InputError
from fer_core.evaluation.batches import CutFaces, FaceFinder, Reader, Squares, as_rgb
from fer_core.evaluation.copies import copies_of
from fer_core.evaluation.intervals import intervals_of
from fer_core.evaluation.metrics import report
from fer_core.evaluation.priors import prior_report
from fer_core.faces import QUALITIES, crop_qualities
from fer_core.files import replacing
from fer_core.progress import OnProgress, Progress, ShouldStop

if TYPE_CHECKING:  # pages read tables without them
    import pandas as pd

    from fer_core.models.classifier import Classifier, Scores

LABEL_SETS: tuple[str, ...] = ("fer2013", *FERPLUS_PROTOCOLS)
TTA: tuple[str, ...] = ("none", "flip", "tencrop")
BATCH, PHOTO_BATCH = 256, 16
PARTS: tuple[str, ...] = ("clean", "with_face")
"""Parts of the pictures of which ``figures_of`` may give the same figures, see there."""
BOXES: tuple[str, ...] = ("box_x0", "box_y0", "box_x1", "box_y1")


def evaluate(
    checkpoint: str | Path | Classifier,
    data: str | Path,
    *,
    split: str | None = None,
    labels: str | None = None,
    tta: str = "none",
    progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Run a checkpoint on a split of a data set and report its figures.

    Args:
        checkpoint: name, folder or a loaded classifier.
        data: folder of the data set, in any layout that ``fer_core.data.open_dataset`` knows.
        split: one that the data set has; default: ``private_test``, else ``test``, ``val``, ``all``.
        labels: name of the data set for its own labels (the default), or a FER+ protocol where there are votes
            (``ferplus7``, ``ferplus8_majority``, ``ferplus8_argmax``).
        tta: ``none``, ``flip`` (mean with the mirror image) or ``tencrop``.
        progress: called after every batch with a ``fer_core.progress.Progress`` (pictures done and in all, share);
            ``fer_core.progress_bar()`` draws it.

    Returns:
        ``checkpoint, data, split, labels, tta``, everything of ``fer_core.evaluation.metrics.report``, and
        ``intervals`` (see ``fer_core.evaluation.intervals``), by person where the data set says who is shown; where it
        is known how common each emotion was in its training, ``prior_adjusted`` (``fer_core.evaluation.prior_report``);
        where copies of training pictures are known or can be found, also ``clean``: the same without them; where in
        some photos no face was found, also ``with_face``: the same without those.

    Raises:
        CheckpointError, DataError, InputError: as their messages say.
    """
    from fer_core.models.classifier import load
    from fer_core.models.taught import prior_of

    classifier = load(checkpoint) if isinstance(checkpoint, str | Path) else checkpoint
    found = open_dataset(data)
    faces = found.read(split or found.default_split)
    labels = check_labels(faces, labels)
    table = evaluate_faces(classifier, faces, tta=tta, progress=progress)
    copies, prior = copies_of(faces, found), prior_of(classifier)
    figures = figures_of(table, faces, labels, tta, copies, prior, with_intervals=True)
    return {"checkpoint": classifier.name, **figures}


def check_labels(faces: FaceSet, label_set: str | None) -> str:
    """A label set that the pictures have; theirs if None.

    Raises:
        InputError: unknown; the message lists what there is.
        DataError: a FER+ protocol without votes.
    """
    if label_set in FERPLUS_PROTOCOLS:
        ferplus_labels(faces.votes, label_set)
    elif label_set not in (None, faces.name):
        known = ", ".join((faces.name, *FERPLUS_PROTOCOLS))
        raise InputError(f"Unknown label set {label_set!r}; expected one of {known}.")
    return label_set or faces.name


def figures_of(
    table: pd.DataFrame,
    faces: FaceSet,
    label_set: str,
    tta: str,
    copies: NDArray[np.bool_] | None = None,
    prior: Prior | None = None,
    *,
    with_intervals: bool = False,
) -> dict[str, Any]:
    """``data, split, labels, tta`` and the report of an evaluation table under a label set, and its ``intervals``.

    With ``prior``, the network's, figures under every choice of it are under ``prior_adjusted``. With ``copies``, which
    marks pictures of ``faces`` that were trained on (n,), those of the other rows are under ``clean``, with the same
    keys (if there are any); where in some photos no face was found, those of the others are under ``with_face``.

    Raises:
        DataError: no picture is left.
    """
    name = {"data": faces.name, "split": faces.split, "labels": label_set, "tta": tta}
    truth, probabilities = labels_of(table, label_set), table_array(table, "p_").astype(np.float64)
    people = people_of(table)

    def told(rows: NDArray[np.bool_]) -> dict[str, Any]:
        found: dict[str, Any] = name | report(probabilities[rows], truth[rows])
        if with_intervals:
            found["intervals"] = intervals_of(probabilities[rows], truth[rows], people[rows]).to_json()
        if prior:
            found["prior_adjusted"] = prior_report(probabilities[rows], truth[rows], prior)
        return found

    labelled = truth >= 0
    found = told(labelled)
    if copies is not None and (clean := labelled & ~table["id"].isin(faces.ids[copies]).to_numpy()).any():
        found["clean"] = told(clean)
    with_face = labelled & table["face_found"].to_numpy() if "face_found" in table else labelled
    if 0 < with_face.sum() < labelled.sum():
        found["with_face"] = told(with_face)
    return found


def label_sets(faces: FaceSet) -> tuple[str, ...]:
    """Label sets that the pictures have: their own, and the FER+ protocols where there are votes."""
    return (faces.name, *(FERPLUS_PROTOCOLS if faces.has_votes else ()))


def labels_of(table: pd.DataFrame, label_set: str) -> NDArray[np.int64]:
    """Labels (n,) of an evaluation table under a label set, index into ``EMOTIONS8``; -1 where it drops the picture.

    Raises:
        DataError: a FER+ protocol without votes.
    """
    if label_set in FERPLUS_PROTOCOLS:
        votes = [f"votes_{name}" for name in VOTES if f"votes_{name}" in table]
        return ferplus_labels(table[votes].to_numpy(np.int64), label_set)
    return np.array([EMOTIONS8.index(name) for name in table[f"label_{label_set}"]], np.int64)


def people_of(table: pd.DataFrame) -> NDArray[np.str_]:
    """Who is shown (n,) in the pictures of an evaluation table, "" where nobody says."""
    return table["person"].to_numpy(str) if "person" in table else np.full(len(table), "")


def table_array(table: pd.DataFrame, prefix: str) -> NDArray[np.floating]:
    """The columns ``logit_…``, ``p_…`` or ``f_…`` of an evaluation table as an array (n, k)."""
    return table[[name for name in table.columns if name.startswith(prefix)]].to_numpy()


def evaluate_faces(
    classifier: Classifier,
    faces: FaceSet,
    *,
    tta: str = "none",
    progress: OnProgress | None = None,
    should_stop: ShouldStop = lambda: False,
    skip_unreadable: bool = False,
    find_faces: bool | None = None,
) -> pd.DataFrame:
    """The evaluation table of a split: one row per picture.

    Args:
        classifier: the checkpoint.
        faces: the pictures; only a batch of them is in memory at a time.
        tta: see ``evaluate``; tables that are kept are of single views (``none``).
        progress: told how many pictures are done, and of how many.
        should_stop: asked before every picture.
        skip_unreadable: leave unreadable pictures out; their messages are in ``table.attrs["unreadable"]``.
        find_faces: look for the face and cut it out as the card says, taking the one that the data set means or the
            largest, or the whole picture where there is none; False takes every picture as a cut face. Default: where
            the data set has photos.

    Returns:
        Columns ``id``, ``label_<data set>``; ``person`` where the data set says who is shown; with votes
        ``label_ferplus`` (``ferplus7``, empty where dropped), ``votes_angry … votes_nf``, ``votes_top_share`` and
        ``votes_entropy`` (nats) over all ten options; ``logit_*`` uncalibrated, ``p_*`` calibrated, ``f_000 …``
        features (float16); ``brightness``, ``contrast`` and ``sharpness``
        of the crops that the network got, see ``fer_core.faces.crop_qualities``; where faces were looked for,
        ``face_found``, ``n_faces`` and the box ``BOXES`` that was taken, see ``fer_core.evaluation.batches.CutFaces``.

    Raises:
        DataError: no picture, or one that cannot be read; the message names it.
        InputError: unknown ``tta``.
        Cancelled: ``should_stop`` said so.
    """
    if tta not in TTA:
        raise InputError(f"Unknown test-time augmentation {tta!r}; expected one of {', '.join(TTA)}.")
    look = not faces.cut if find_faces is None else find_faces
    to_crops = FaceFinder.of(classifier) if look else Squares(classifier.card.crop.size)
    reader = Reader(faces, should_stop, [] if skip_unreadable else None)
    parts: list[_Scored] = []
    kept: list[int] = []
    for rows, pictures in reader.batches(PHOTO_BATCH if look else BATCH):
        kept += rows
        if rows:
            cut = to_crops(pictures, faces.boxes[rows])
            scores = classifier.predict(cut.crops, tta=tta)
            scores = dataclasses.replace(scores, features=_half(scores.features))
            parts.append(_Scored(scores, dataclasses.replace(cut, crops=cut.crops[:0]), crop_qualities(cut.crops)))
        if progress is not None:
            progress(Progress.counted("evaluating", reader.done, len(faces)))
    if not parts:
        told = f" The first problem: {reader.unreadable[0]}" if reader.unreadable else ""
        raise DataError(f"{faces.name}, {faces.split} holds no picture that can be read.{told}")
    table = _table(classifier.labels, faces, np.array(kept), parts, look)
    if reader.unreadable:
        table.attrs["unreadable"] = reader.unreadable
    return table


class _Scored(NamedTuple):
    """Some rows of a table: scores, what was cut (without the crops), and qualities of the crops by name, (n,) each."""

    scores: Scores
    cut: CutFaces
    qualities: Mapping[str, NDArray[np.float32]]


def _half(features: NDArray[np.float32]) -> NDArray[Any]:
    """Features in half precision, those beyond it at its edge."""
    most = np.finfo(np.float16).max
    return features.clip(-most, most).astype(np.float16)


def face_crop(classifier: Classifier, faces: FaceSet, row: int) -> Picture:
    """The face of one picture as the classifier takes it, uint8 (s, s, 3) RGB: found where the data set has photos.

    Raises:
        DataError: it cannot be read.
    """
    to_crops = Squares(classifier.card.crop.size) if faces.cut else FaceFinder.of(classifier)
    return as_rgb(to_crops([faces.picture(row)], faces.boxes[row : row + 1]).crops[0])


def check_table_path(path: Path, tta: str) -> None:
    """Raise ``InputError`` unless a table of this kind may be written there."""
    if path.suffix != ".parquet":
        raise InputError(f"{path.name} is no name for a table; end it in .parquet.")
    if tta != "none":
        raise InputError(f"A table holds single views, not {tta}; leave one of the two out.")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write an evaluation table as parquet, its numbers split by bytes, which saves a third; the file is there when it
    is whole.

    Raises:
        InputError: nothing can be written there.
    """
    numbers = [str(name) for name, kind in table.dtypes.items() if kind.kind == "f"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as new:
            table.to_parquet(
                new, index=False, compression="zstd", compression_level=9,
                use_dictionary=[name for name in table.columns if name not in numbers],
                column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
            )  # fmt: skip
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror or error}).") from error


def _table(
    names: Sequence[str],
    faces: FaceSet,
    rows: NDArray[np.int64],
    parts: Sequence[_Scored],
    looked: bool,
) -> pd.DataFrame:
    import pandas as pd

    labels = np.array(EMOTIONS8)
    logits, probabilities, features = (
        np.concatenate([getattr(part.scores, name) for part in parts])
        for name in ("logits", "probabilities", "features")
    )
    found: dict[str, Any] = {"id": faces.ids[rows], f"label_{faces.name}": labels[faces.labels[rows]]}
    if (faces.subjects != "").any():
        found["person"] = faces.subjects[rows]
    if faces.has_votes:
        found |= _vote_columns(faces.votes[rows])
    found |= {f"logit_{name}": logits[:, i] for i, name in enumerate(names)}
    found |= {f"p_{name}": probabilities[:, i] for i, name in enumerate(names)}
    found |= {f"f_{i:03d}": features[:, i] for i in range(features.shape[1])}
    found |= {name: np.concatenate([part.qualities[name] for part in parts]) for name in QUALITIES}
    if looked:
        found["n_faces"] = np.concatenate([part.cut.n_faces for part in parts]).astype(np.int16)
        found["face_found"] = found["n_faces"] > 0
        found |= dict(zip(BOXES, np.concatenate([part.cut.boxes for part in parts]).T, strict=True))
    return pd.DataFrame(found)


def _vote_columns(votes: NDArray[np.int64]) -> dict[str, Any]:
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    seven = ferplus_labels(votes, "ferplus7")
    return {
        "label_ferplus": [EMOTIONS8[i] if i >= 0 else None for i in seven],
        **{f"votes_{name}": votes[:, i].astype(np.int16) for i, name in enumerate(VOTES)},
        "votes_top_share": shares.max(axis=1).astype(np.float32),
        "votes_entropy": -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).astype(np.float32),
    }
