"""Analyses that are cut off: a moving clip, a detector that finds what is painted in it, and a run that dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fer_core.faces import Faces
from fer_core.video.in_making import STATE, unfinished
from fer_core.video.packed import unpacked
from fer_core.video.parts import PartWriter
from fer_core.video.pipeline import analyze
from fer_core.video.store import open_analysis
from tests.support.clips import write_clip
from tests.support.people import BLUE, EYES_AND_MOUTH, GREEN, NEARLY, RED, RGB, Colour, painted

SIDE = 60


class Killed(BaseException):
    """What ends a run in the middle of its work."""


FRAMES, PER_S = 60, 12
"""Of ``moving``; a key frame comes every half second."""


def moving() -> list[RGB]:
    """Two faces that walk past each other, a cut to a third one, nobody for a while, and the first one again."""
    return [painted(_faces(i / FRAMES)) for i in range(FRAMES)]


def _faces(share: float) -> list[tuple[float, Colour]]:
    if share < 0.45:
        return [(20 + 180 * share, RED), (230 - 180 * share, BLUE)]
    if share < 0.65:
        return [(90 + 100 * (share - 0.45), GREEN)]
    return [] if share < 0.75 else [(60 + 60 * share, NEARLY)]


def moving_clip(path: Path, **how: object) -> Path:
    """A clip of ``moving``."""
    times_s = [i / PER_S for i in range(FRAMES)]
    return write_clip(path, times_s, pictures=moving(), key_every=6, **how)  # type: ignore[arg-type]


class Painter:
    """A detector that finds what ``painted`` drew, in whatever picture: it remembers nothing."""

    name = "painter"

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        return [_found(image) for image in images]

    def refine(self, images: Sequence[RGB], boxes: NDArray[np.float32]) -> Faces:
        best = [_nearest(_found(image), box) for image, box in zip(images, boxes, strict=True)]
        none = Faces(np.zeros((1, 4), np.float32), np.zeros(1, np.float32), np.zeros((1, 5, 2), np.float32))
        found = [none if each is None else each for each in best]
        return Faces(*(np.concatenate([getattr(each, name) for each in found]) for name in _PARTS))

    def glance(self, images: Sequence[RGB], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
        return self.refine(images, boxes).scores > 0


_PARTS = ("boxes", "scores", "landmarks")


def _found(image: RGB) -> Faces:
    coloured = np.ptp(image[40:100].astype(int), axis=2).mean(axis=0) > 40
    edges = np.flatnonzero(np.diff(np.concatenate([[0], coloured.astype(int), [0]])))
    spans = [(a, b) for a, b in edges.reshape(-1, 2) if b - a > 30]
    xs = [x for a, b in spans for x in ([a + 20] if b - a < 150 else [a + 20, b - 80])]
    corners = np.array([[x, 30.0] for x in xs], np.float32).reshape(-1, 2)
    sharp = np.array([image[60, min(int(x) + 30, 319)].mean() / 1000 + 0.9 for x in xs], np.float32)
    marks = (corners[:, None] + EYES_AND_MOUTH * SIDE).astype(np.float32)
    order = np.argsort(-sharp, kind="stable")
    return Faces(np.concatenate([corners, corners + SIDE], axis=1), sharp, marks)[order]


def _nearest(faces: Faces, box: NDArray[np.float32]) -> Faces | None:
    if not len(faces):
        return None
    away = np.abs(faces.boxes[:, 0] - box[0])
    return faces[np.array([int(away.argmin())])] if away.min() < SIDE / 2 else None


@contextmanager
def kept_often(every_s: float = 0.0) -> Iterator[None]:
    """Analyses look for painted faces, and keep their state so often; at 0 whenever they can."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fer_core.video.run.KEEP_S", every_s)
        patch.setattr("fer_core.video.run.make_detector", lambda *_, **__: Painter())
        yield


def cut_off(source: Path, out: Path, after: int, **how: Any) -> None:
    """Analyse, and die once so many frames were analysed in all; as after SIGKILL, nothing tidies up."""
    add = PartWriter.add

    def dies(self: PartWriter, *given: Any) -> None:
        if self.frames >= after:
            raise Killed
        add(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PartWriter, "add", dies)
        patch.setattr("fer_core.video.pipeline.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            analyze(source, out, **how)


def kept_s(out: Path) -> float:
    """Up to where an analysis that was cut off need not be made again, in s."""
    (folder,) = unfinished(out)
    return float(unpacked(folder / STATE)["state"]["place"]["time_s"])


def assert_same(one: Path, other: Path) -> None:
    """Two analysis folders hold the same: every file, every value of every table, the record but for its times."""
    names = [
        sorted(path.relative_to(each).as_posix() for path in each.rglob("*") if path.is_file()) for each in (one, other)
    ]
    assert names[0] == names[1]
    for name in names[0]:
        a, b = one / name, other / name
        if name.endswith(".parquet"):
            pd.testing.assert_frame_equal(pd.read_parquet(a), pd.read_parquet(b), check_exact=True, obj=name)
        elif name not in ("analysis.json", "people.json"):
            assert a.read_bytes() == b.read_bytes(), name
    records = [open_analysis(each).record for each in (one, other)]
    people = [open_analysis(each).recognition for each in (one, other)]
    for record in (*records, *(each for each in people if each)):
        for name in ("created", "wall_s", "frames_per_s", "described_s"):
            record.pop(name, None)
    for record in records:
        for checkpoint in (record["checkpoint"], *record["other_checkpoints"]):
            checkpoint.pop("ms_per_face")
    assert records[0] == records[1]
    assert people[0] == people[1]
