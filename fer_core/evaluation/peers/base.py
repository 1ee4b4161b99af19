"""Other people's tools that name expressions, run on the very same faces as a checkpoint.

A new one is one file beside this: a class with ``answers`` that ends in ``register(...)``, and its import in
``__init__.py``. Nothing but this folder knows of it, and what it needs is imported when it is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FaceSet
from fer_core.data.records import Picture
from fer_core.emotions import EMOTIONS
from fer_core.errors import DataError, InputError
from fer_core.evaluation.batches import Reader, as_rgb
from fer_core.evaluation.intervals import intervals_of, paired_differences
from fer_core.evaluation.metrics import report
from fer_core.evaluation.run import BOXES, PHOTO_BATCH, labels_of, people_of, table_array
from fer_core.progress import OnProgress, Progress, ShouldStop

if TYPE_CHECKING:
    import pandas as pd

Answers = NDArray[np.float64]
"""(n, 7) in the order of ``EMOTIONS``, rows summing to 1; NaN where there is no answer."""


class Peer(Protocol):
    """Faces in, probabilities of the seven emotions out.

    ``answers`` takes RGB pictures uint8 (h, w, 3) and the box of one face in each, float32 (n, 4), x0 y0 x1 y1 in
    pixels, inside of its picture; a cut face fills it. It gives ``Answers`` (n, 7).
    """

    def answers(self, pictures: Sequence[Picture], boxes: NDArray[np.float32]) -> Answers: ...


@dataclass(frozen=True)
class PeerKind:
    """A tool that can be compared with.

    Attributes:
        name: what the command line calls it.
        title: what it is, whose, and in which version where that is known, in a few words.
        module: what must be installed.
        install: how to install it, in one sentence.
        build: loads it. What goes wrong there is told in one sentence.
    """

    name: str
    title: str
    module: str
    install: str
    build: Callable[[], Peer]

    @property
    def missing(self) -> str:
        """Why it cannot be run here, and what to do, in a sentence; empty where it can."""
        if find_spec(self.module) is not None:
            return ""
        return f"{self.name} is not installed here, so nothing can be compared with it: {self.install}"


PEERS: dict[str, PeerKind] = {}
"""All by name."""


def register(kind: PeerKind) -> None:
    """Make a peer known; a second one of the same name is a bug."""
    if kind.name in PEERS:
        raise ValueError(f"Peer {kind.name!r} is registered twice.")
    PEERS[kind.name] = kind


def peer_kind(name: str) -> PeerKind:
    """A peer that can be run here.

    Raises:
        InputError: there is none of this name, or it is not installed; the message says what to do.
    """
    if name not in PEERS:
        raise InputError(f"Unknown peer {name!r}; known are {', '.join(PEERS)}.")
    if missing := PEERS[name].missing:
        raise InputError(missing)
    return PEERS[name]


def load_peer(kind: PeerKind) -> Peer:
    """Raises ``InputError`` where a peer that is installed does not load, with its own words."""
    try:
        return kind.build()
    except Exception as error:  # another's program, which may raise anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise InputError(f"{kind.name} is installed here but does not load ({reason}). {kind.install}") from error


def answers_of(
    peer: Peer,
    faces: FaceSet,
    table: pd.DataFrame,
    *,
    progress: OnProgress | None = None,
    should_stop: ShouldStop = lambda: False,
) -> Answers:
    """What a peer says of the pictures of an evaluation table, in its order, given the same boxes.

    Raises:
        DataError: a picture cannot be read (any more), or the peer gave something else than ``Answers``.
        Cancelled: ``should_stop`` said so.
    """
    rows = np.array([faces.index(each) for each in table["id"]], np.int64)
    told = table[list(BOXES)].to_numpy(np.float32) if BOXES[0] in table else np.full((len(rows), 4), np.nan, np.float32)
    reader = Reader(faces.take(rows), should_stop, None)
    parts: list[Answers] = []
    for some, pictures in reader.batches(PHOTO_BATCH):
        images = [as_rgb(picture) for picture in pictures]
        boxes = [_inside(box, image) for box, image in zip(told[some], images, strict=True)]
        given = np.asarray(peer.answers(images, np.stack(boxes)), np.float64)
        if given.shape != (len(some), len(EMOTIONS)) or not _are_shares(given):
            raise DataError(f"Expected ({len(some)}, {len(EMOTIONS)}) probabilities of a peer, got {given.shape}.")
        parts.append(given)
        if progress is not None:
            progress(Progress.counted("comparing", reader.done, len(rows)))
    return np.concatenate(parts)


def _inside(box: NDArray[np.float32], image: Picture) -> NDArray[np.float32]:
    """A box cut off at the edges of its picture; the whole picture where there is none, or nothing is left of it."""
    whole = np.array([0, 0, image.shape[1], image.shape[0]], np.float32)
    kept = np.clip(box, 0, np.tile(whole[2:], 2))
    return kept if (kept[2:] - kept[:2] >= 1).all() else whole


def _are_shares(given: Answers) -> bool:
    rows = given[np.isfinite(given).all(axis=1)]
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < 1e-3).all())


def compared_with(kind: PeerKind, answers: Answers, table: pd.DataFrame, label_set: str) -> dict[str, Any]:
    """A peer's figures under a label set, and how much better the checkpoint is on the same pictures.

    Args:
        kind: the peer.
        answers: its own, of the rows of ``table``.
        table: of the checkpoint, single views.
        label_set: see ``fer_core.evaluation.run.labels_of``.

    Returns:
        ``peer, title, labels``, the figures of ``fer_core.evaluation.report`` and ``intervals`` as of a checkpoint,
        ``without_answer`` (pictures that it says nothing of; they count in no figure here) and ``difference``: of
        each figure the checkpoint's less the peer's with both ends, see ``paired_differences``; ends that there are
        none of are None.

    Raises:
        DataError: no picture with a label has an answer.
    """
    truth, people = labels_of(table, label_set), people_of(table)
    answered = np.isfinite(answers).all(axis=1)
    rows = (truth >= 0) & answered
    if not rows.any():
        raise DataError(f"{kind.name} answers none of these pictures.")
    mine = table_array(table, "p_").astype(np.float64)[rows]
    differences = paired_differences(mine, answers[rows], truth[rows], people[rows])
    return {
        "peer": kind.name,
        "title": kind.title,
        "labels": label_set,
        **report(answers[rows], truth[rows]),
        "intervals": intervals_of(answers[rows], truth[rows], people[rows]).to_json(),
        "without_answer": int(((truth >= 0) & ~answered).sum()),
        "difference": {name: [None if end != end else end for end in ends] for name, ends in differences.items()},
    }
