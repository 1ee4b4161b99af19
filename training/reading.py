"""The pictures of one side, read once: decoded, cut and scaled into one file, which a run maps into its memory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fer_core.data import FaceSet
from fer_core.data.mixture import Mixture
from fer_core.data.splits import pixel_hashes
from fer_core.emotions import EMOTIONS8
from fer_core.errors import DataError
from fer_core.evaluation.batches import FaceFinder, Reader, Squares
from fer_core.faces import DEFAULT_DETECTOR, CropGeometry, make_detector
from fer_core.files import TEMPORARY, replacing
from fer_core.models.preprocess import as_channels
from training.settings import Crop
from training.team import in_order, one_thread

Progress = Callable[[str, int, int], None]
"""Called with side, pictures done, pictures in all."""
Pixels = NDArray[np.uint8]
Batch = tuple[int, int, int]
"""Number of a part, and the first of its pictures and the first of the next batch."""
Cuts = tuple[list[int], Pixels, list[str]]
"""Rows of a part that could be read, their crops, and what is wrong with others."""
_BATCH = 64
ALONE_S = 5.0
"""So long one process reads before others are started to help."""
STILL_MINUTES = 10.0
"""So long other processes wait for one that reads no further picture."""
_TELL_S, _WRITE_S = 300.0, 1.0


@dataclass(frozen=True)
class Side:
    """n face pictures with labels, of one or several data sets.

    Attributes:
        images: uint8 (n, s, s) grey or (n, s, s, 3) RGB; mapped from a file.
        labels: int64 (n,), index into ``EMOTIONS8``.
        votes: int64 (n, 10) in the order of ``VOTES``; (n, 0) where one of the data sets has none.
        ids: str (n,), data set, split and the picture's own id.
        subjects: str (n,), who is shown; "" where that is not known.
    """

    images: Pixels
    labels: NDArray[np.int64]
    votes: NDArray[np.int64]
    ids: NDArray[np.str_]
    subjects: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> Side:
        """These rows alone."""
        return Side(*(getattr(self, each.name)[rows] for each in dataclasses.fields(self)))

    def counts(self) -> dict[str, int]:
        """Pictures of each emotion, in the order of ``EMOTIONS8``."""
        found = np.bincount(self.labels, minlength=len(EMOTIONS8)).tolist()
        return {name: count for name, count in zip(EMOTIONS8, found, strict=True) if count}


@dataclass(frozen=True)
class HowToRead:
    """How pictures are read.

    Attributes:
        skip_unreadable: leave unreadable pictures out.
        decodes: of several processes that train one decodes, the others wait for what it writes.
        workers: processes that decode and find faces; None: as many as there are cores, where that takes longer than
            ``ALONE_S``. The pictures are the same, in the same order, whatever their number. A data set that cannot be
            sent to other processes, such as one table of all pictures, is read by this one.
        progress: is told how far each side is.
    """

    skip_unreadable: bool = False
    decodes: bool = True
    workers: int | None = 1
    progress: Progress = lambda side, done, total: None


def read_side(parts: Sequence[FaceSet], crop: Crop, channels: int, path: Path, how: HowToRead = HowToRead()) -> Side:
    """Decode, cut and scale the pictures of one side into ``path``; what is there already is opened again.

    Raises:
        DataError: an unreadable picture, named, unless those are skipped; nothing to read, or nothing to wait for.
    """
    mixture = Mixture(tuple(parts))
    if not len(mixture):
        raise DataError("There is no picture to read.")
    told = [dataclasses.asdict(crop), channels, how.skip_unreadable, mixture.ids.tolist(), _glimpse(mixture)]
    images, record = _kept(path, told, lambda new: _decode(parts, crop, channels, path, new, how), how.decodes)
    rows = np.array(record["kept"], np.int64)
    return Side(images[: len(rows)], *(getattr(mixture, name)[rows] for name in ("labels", "votes", "ids", "subjects")))


def take_rows(side: Side, rows: NDArray[np.int64], source: Path, path: Path, how: HowToRead = HowToRead()) -> Side:
    """These rows of the side that is in ``source``, in a file of their own: memory need not hold them.

    Raises:
        DataError: as ``read_side``.
    """

    def copied(new: Path) -> dict[str, Any]:
        images = open_memmap(new, "w+", np.uint8, (len(rows), *side.images.shape[1:]))
        for start in range(0, len(rows), 1024):
            images[start : start + 1024] = side.images[rows[start : start + 1024]]
        images.flush()
        return {}

    images, _ = _kept(path, [_record(source).get("key"), rows.tolist()], copied, how.decodes)
    return Side(images, *(getattr(side, name)[rows] for name in ("labels", "votes", "ids", "subjects")))


def unreadable_in(path: Path) -> list[str]:
    """What was wrong with the pictures that ``read_side`` left out of ``path``."""
    return list(_record(path).get("unreadable", ()))


def _kept(
    path: Path, told: Any, write: Callable[[Path], Mapping[str, Any]], writes: bool
) -> tuple[Pixels, dict[str, Any]]:
    """The pictures in ``path`` that ``told`` stands for, written unless they are there, and what was noted of them."""
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def is_there() -> bool:
        return path.is_file() and _record(path).get("key") == key

    if not writes:
        _wait_until(is_there, path)
    elif not is_there():
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{path.name}.*{TEMPORARY}"):  # by a process that was killed
            left.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
        with replacing(path) as new:
            noted = write(new)
        with replacing(path.with_suffix(".json")) as new:
            new.write_text(json.dumps({"key": key, **noted}), encoding="utf-8")
    return np.load(path, mmap_mode="c"), _record(path)  # private pages: tensors may share them


def _record(path: Path) -> dict[str, Any]:
    record = path.with_suffix(".json")
    return dict(json.loads(record.read_text(encoding="utf-8"))) if record.is_file() else {}


def _moves(path: Path) -> Path:
    """Where the process that reads pictures into ``path`` tells the others how far it is."""
    return path.with_suffix(".progress")


def _wait_until(is_there: Callable[[], bool], path: Path) -> None:
    """Return when another process has written the pictures.

    Raises:
        DataError: it has read none for ``STILL_MINUTES``.
    """
    seen, moved, told = "", time.monotonic(), float("-inf")
    while not is_there():
        found = _moves(path).read_text(encoding="utf-8") if _moves(path).is_file() else ""
        if found != seen:
            seen, moved = found, time.monotonic()
        if time.monotonic() - moved > 60 * STILL_MINUTES:
            raise DataError(
                f"The first process has read no picture into {path.name} for {STILL_MINUTES:g} minutes; see what it "
                "says, and start all of them in one folder that each can read."
            )
        if time.monotonic() - told > _TELL_S:
            told = time.monotonic()
            print(f"Waiting for the first process to read {path.stem}: {seen or 'not begun'}", file=sys.stderr)
        time.sleep(0.2)


def _glimpse(mixture: Mixture) -> list[str]:
    """Hashes of a few pictures, which tell data sets apart that name theirs alike."""
    found = []
    for i in np.unique(np.linspace(0, len(mixture) - 1, 8).astype(int)).tolist():
        try:
            found.append(pixel_hashes([mixture.picture(i)]).tolist()[0])
        except DataError as error:
            found.append(str(error))
    return found


def _decode(
    parts: Sequence[FaceSet], crop: Crop, channels: int, path: Path, new: Path, how: HowToRead
) -> dict[str, Any]:
    """Write the pictures of all parts as one array to ``new``; returns the rows that were readable, and what is wrong
    with the others."""
    total = sum(len(faces) for faces in parts)
    shape = (total, crop.source, crop.source) if channels == 1 else (total, crop.source, crop.source, 3)
    images = open_memmap(new, "w+", np.uint8, shape)
    kept: list[int] = []
    unreadable: list[str] = []
    jobs = [
        (i, start, min(start + _BATCH, len(faces)))
        for i, faces in enumerate(parts)
        for start in range(0, len(faces), _BATCH)
    ]
    before = np.cumsum([0, *(len(faces) for faces in parts)]).tolist()
    written = float("-inf")
    try:
        cut = _Cut(parts, crop, channels, how)
        for (part, _, end), (rows, crops, wrong) in zip(jobs, _by_all(cut, jobs, how.workers), strict=True):
            if rows:
                images[len(kept) : len(kept) + len(rows)] = crops
                kept += [before[part] + row for row in rows]
            unreadable += wrong
            done = before[part] + end
            how.progress(path.stem, done, total)
            if time.monotonic() - written > _WRITE_S:
                written = time.monotonic()
                with replacing(_moves(path)) as told:
                    told.write_text(f"{done} of {total}", encoding="utf-8")
    finally:
        _moves(path).unlink(missing_ok=True)
    if not kept:
        raise DataError("None of the pictures can be read.")
    images.flush()
    return {"kept": kept, "unreadable": unreadable}


class _Cut:
    """Reads and cuts a batch."""

    def __init__(self, parts: Sequence[FaceSet], crop: Crop, channels: int, how: HowToRead) -> None:
        self.parts, self.crop, self.channels, self.skips = parts, crop, channels, how.skip_unreadable
        self.cutters: dict[int, FaceFinder | Squares] = {}

    def __call__(self, job: Batch) -> Cuts:
        part, start, end = job
        faces = self.parts[part]
        if part not in self.cutters:
            self.cutters = {part: _cutter(faces, self.crop)}
        unreadable: list[str] = []
        rows, pictures = Reader(faces, lambda: False, unreadable if self.skips else None).batch(start, end - start)
        crops = (
            as_channels(self.cutters[part](pictures, faces.boxes[rows]).crops, self.channels)
            if rows
            else np.zeros(0, np.uint8)
        )
        return rows, crops, unreadable

    def __getstate__(self) -> dict[str, Any]:
        """Without detectors: each process makes its own."""
        return {**self.__dict__, "cutters": {}}


def _by_all(cut: _Cut, jobs: Sequence[Batch], workers: int | None) -> Iterator[Cuts]:
    """``map(cut, jobs)``, by this process or by others."""
    done, until = 0, time.monotonic() + (ALONE_S if workers is None else 0.0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    others = min(workers or cores, len(jobs))
    with one_thread():
        while done < len(jobs) and (others == 1 or time.monotonic() < until):
            yield cut(jobs[done])
            done += 1
        if done < len(jobs):
            yield from in_order(cut, jobs[done:], others) if _can_be_sent(cut) else map(cut, jobs[done:])


def _can_be_sent(cut: _Cut) -> bool:
    """Whether other processes can be given these data sets."""
    try:
        ForkingPickler.dumps(cut)
    except (TypeError, AttributeError):  # a map of a file, a lock, a function within another one
        return False
    return True


def _cutter(faces: FaceSet, crop: Crop) -> FaceFinder | Squares:
    detector = crop.detector or ("none" if faces.cut else DEFAULT_DETECTOR)
    if detector == "none":
        return Squares(crop.source)
    return FaceFinder(make_detector(detector), CropGeometry(crop.source, crop.margin, crop.align))
