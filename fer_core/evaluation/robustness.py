"""How a checkpoint bears corrupted pictures: measured, kept in two files, read again, summed up.

``robustness.csv`` has a row for the clean pictures and one for each corruption and strength, ``robustness.json`` says
what they were measured on. A page that reads them needs no network, no picture and no torch.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fer_core.data import FaceSet, ferplus_labels
from fer_core.data.pictures import square
from fer_core.errors import Cancelled, CheckpointError, DataError, InputError
from fer_core.evaluation.batches import FaceFinder, Reader, Squares, as_rgb
from fer_core.evaluation.corruptions import CORRUPTIONS, FACE_PX, STRENGTHS, corrupt, find_corruption
from fer_core.evaluation.metrics import report
from fer_core.files import replacing
from fer_core.progress import OnProgress, Progress, ShouldStop

if TYPE_CHECKING:  # pages read tables without them
    import pandas as pd

    from fer_core.models.classifier import Classifier

TABLE, RECORD = "robustness.csv", "robustness.json"
FORMAT = "fer-workbench-robustness/1"
COLUMNS = ("corruption", "family", "strength", "n", "accuracy", "macro_recall")
CLEAN = "clean"
FERPLUS = "ferplus7"
SHIFT_PX = 4
"""The shift, in px of 48, whose price the summary tells: as where a face detector is a little off."""
MAX_BYTES = 1_000_000
_BATCH, _PHOTO_BATCH, _MAX_TEXT = 256, 16, 200
_SETTING = "setting"
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a table was measured with; the content of ``robustness.json``.

    Attributes:
        checkpoint, data, split, labels: names; ``labels`` is a label set.
        rows, rows_there: pictures that were measured, and those of the split that have a label.
        side_px: side of the pictures when they were corrupted.
        seed: of the random numbers, and of the choice of rows where not all were measured.
        weights_sha256: of the weights; "" where they are in no file.

    Raises:
        CheckpointError: a value of another kind, or an impossible one.
    """

    checkpoint: str
    data: str
    split: str
    labels: str
    rows: int
    rows_there: int
    side_px: int
    seed: int
    weights_sha256: str

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if type(value).__name__ != each.type:
                raise CheckpointError(f"expected {each.name} as {each.type}, got {str(value)[:40]!r}.")
            if isinstance(value, str) and not (value.isprintable() and len(value) <= _MAX_TEXT):
                raise CheckpointError(f"expected up to {_MAX_TEXT} printable letters as {each.name}, got others.")
        if not 1 <= self.rows <= self.rows_there or self.side_px < 1 or self.seed < 0:
            raise CheckpointError(f"expected 1 to {self.rows_there} rows, a side from 1 and a seed from 0, got {self}.")

    def is_like(self, other: Setting) -> bool:
        """Whether figures of both are of the same pictures under the same labels."""
        names = ("data", "split", "labels", "rows", "side_px", "seed")
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True)
class Summary:
    """What a table says, all as shares (0-1).

    Attributes:
        clean: accuracy on the pictures as they are.
        corrupted: mean corruption accuracy: over strengths, then over corruptions.
        by_corruption: mean accuracy over the strengths of each corruption, in the table's order.
        worst: corruption and strength with the lowest accuracy (the first of them), and that accuracy.
        lost_by_shift: what a shift of ±4 px of 48 costs; NaN where it was not measured.
    """

    clean: float
    corrupted: float
    by_corruption: Mapping[str, float]
    worst: tuple[str, int, float]
    lost_by_shift: float

    @property
    def lost(self) -> float:
        """What corruptions cost on average."""
        return self.clean - self.corrupted


def label_set(classifier: Classifier, faces: FaceSet) -> str:
    """The data set's own labels, or ``ferplus7`` for a checkpoint that is taught those, where there are votes."""
    return FERPLUS if classifier.card.data.get("labels") == FERPLUS and faces.has_votes else faces.name


def measure(
    classifier: Classifier,
    faces: FaceSet,
    *,
    names: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: OnProgress | None = None,
    should_stop: ShouldStop = lambda: False,
) -> pd.DataFrame:
    """Accuracy of a checkpoint on clean and on corrupted pictures, single view.

    Cut faces are corrupted at their own size where all have one (48 px in FER2013), so that every checkpoint sees the
    same pictures, else as crops of the checkpoint's size; in photos the face is found first. The pictures are decoded
    once; besides them only a batch with one corruption and strength is in memory.

    Args:
        classifier: the checkpoint.
        faces: the pictures; those without a label under ``label_set`` do not count.
        names: which of ``CORRUPTIONS``; default: all.
        limit: so many pictures at most, drawn by the seed.
        seed: 0 or more; the same one gives the same table.
        progress: told how many pictures are done, and of how many, each counted once for every row of the table.
        should_stop: asked before every picture that is read, and before every batch.

    Returns:
        Columns ``COLUMNS``; the first row is ``clean`` (strength 0), then come five for each corruption. ``n`` pictures
        each, ``macro_recall`` over the classes that occur. Its setting is in ``table.attrs``, see ``setting_of``.

    Raises:
        InputError: an unknown corruption, an impossible limit or seed.
        DataError: no picture with a label, or one that cannot be read.
        Cancelled: ``should_stop`` said so.
    """
    import pandas as pd

    chosen = [find_corruption(name) for name in (CORRUPTIONS if names is None else dict.fromkeys(names))]
    labels = label_set(classifier, faces)
    truth = ferplus_labels(faces.votes, labels) if labels == FERPLUS else faces.labels
    there = np.flatnonzero(truth >= 0)
    rows = _drawn(there, limit, seed, f"{faces.name}, {faces.split}")
    crops = _decoded(classifier, faces.take(rows), should_stop)
    cells = [(CLEAN, CLEAN, 0), *((each.name, each.family, s) for each in chosen for s in STRENGTHS)]
    lines = []
    for i, (name, family, strength) in enumerate(cells):

        def tell(done: int, before: int = i * len(rows)) -> None:
            if progress is not None:
                progress(Progress.counted("measuring", before + done, len(cells) * len(rows)))

        answers = _answers(classifier, crops, rows, (name, strength, seed), tell, should_stop)
        found = report(answers, truth[rows])
        lines.append((name, family, strength, len(rows), found["accuracy"], found["macro_recall"]))
    table = pd.DataFrame(lines, columns=COLUMNS)
    table.attrs[_SETTING] = Setting(
        checkpoint=classifier.name, data=faces.name, split=faces.split, labels=labels, rows=len(rows),
        rows_there=len(there), side_px=crops.shape[1], seed=seed, weights_sha256=classifier.sha256,
    )  # fmt: skip
    return table


def _drawn(rows: NDArray[np.int64], limit: int | None, seed: int, where: str) -> NDArray[np.int64]:
    if (limit is not None and limit < 1) or seed < 0:
        raise InputError(f"Expected a limit of 1 or more and a seed of 0 or more, got {limit} and {seed}.")
    if not len(rows):
        raise DataError(f"{where} has no picture with a label; choose another split.")
    if limit is None or limit >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).permutation(rows)[:limit])


def _decoded(classifier: Classifier, faces: FaceSet, should_stop: ShouldStop) -> NDArray[np.uint8]:
    """All faces as one array, grey where all of them are."""
    reader = Reader(faces, should_stop, None)
    to_crops: Squares | FaceFinder | None = None if faces.cut else FaceFinder.of(classifier)
    parts = []
    for rows, pictures in reader.batches(_BATCH if faces.cut else _PHOTO_BATCH):
        if to_crops is None:
            sides = {side for picture in pictures for side in picture.shape[:2]}
            to_crops = Squares(sides.pop() if len(sides) == 1 else classifier.card.crop.size)
        parts.append(to_crops(pictures, faces.boxes[rows]).crops)
    if len({part.ndim for part in parts}) > 1:
        parts = [part if part.ndim == 4 else np.stack([as_rgb(each) for each in part]) for part in parts]
    return np.concatenate(parts)


def _answers(
    classifier: Classifier,
    crops: NDArray[np.uint8],
    rows: NDArray[np.int64],
    cell: tuple[str, int, int],
    tell: Callable[[int], None],
    should_stop: ShouldStop,
) -> NDArray[np.float64]:
    """Probabilities (n, k) for the pictures with one corruption (name, strength, seed)."""
    name, strength, seed = cell
    parts = []
    for first in range(0, len(crops), _BATCH):
        if should_stop():
            raise Cancelled("The measurement was stopped; nothing was written.")
        batch, where = crops[first : first + _BATCH], rows[first : first + _BATCH]
        made = corrupt(batch, name, strength, seed=seed, rows=where) if strength else batch
        seen = np.stack([square(each, classifier.card.crop.size) for each in made])
        parts.append(classifier.predict(seen).probabilities)
        tell(first + len(batch))
    return np.concatenate(parts).astype(np.float64)


def setting_of(table: pd.DataFrame) -> Setting:
    """What a table that ``measure`` or ``read_table`` gave was measured with."""
    found = table.attrs[_SETTING]
    assert isinstance(found, Setting)
    return found


def summarize(table: pd.DataFrame) -> Summary:
    """The figures of ``Summary``; corruptions that were not measured do not count.

    Raises:
        InputError: no corruption was measured.
    """
    corrupted = table[table["strength"] > 0]
    if not len(corrupted):
        raise InputError("Expected at least one corruption to sum up, got the clean pictures only.")
    clean = float(table.loc[table["strength"] == 0, "accuracy"].iloc[0])
    means = corrupted.groupby("corruption", sort=False)["accuracy"].mean()
    low = corrupted.loc[corrupted["accuracy"].idxmin()]
    strength = 1 + CORRUPTIONS["shift"].amplitudes.index(SHIFT_PX / FACE_PX)
    shifted = corrupted.loc[(corrupted["corruption"] == "shift") & (corrupted["strength"] == strength), "accuracy"]
    return Summary(
        clean=clean,
        corrupted=float(means.mean()),
        by_corruption={str(name): float(value) for name, value in means.items()},
        worst=(str(low["corruption"]), int(low["strength"]), float(low["accuracy"])),
        lost_by_shift=clean - float(shifted.iloc[0]) if len(shifted) else math.nan,
    )


def by_strength(table: pd.DataFrame, column: str = "accuracy") -> pd.DataFrame:
    """A row for each corruption, a column for each strength, in the table's order."""
    corrupted = table[table["strength"] > 0]
    names = list(dict.fromkeys(corrupted["corruption"]))
    return corrupted.pivot(index="corruption", columns="strength", values=column).loc[names]  # noqa: PD010


def write_table(folder: Path, table: pd.DataFrame) -> None:
    """Write ``robustness.csv`` and ``robustness.json`` into a folder, which is made when it is not there; each file
    is there when it is whole.

    Raises:
        InputError: nothing can be written there.
    """
    record = {"format": FORMAT, **dataclasses.asdict(setting_of(table))}
    lines = table.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / RECORD) as new_record, replacing(folder / TABLE) as new_table:
            new_table.write_text(lines, encoding="utf-8")
            new_record.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror or error}); choose another folder.") from error


def read_table(folder: Path) -> pd.DataFrame:
    """The table in a folder, as ``measure`` gave it.

    Raises:
        CheckpointError: a file is missing, too large, damaged or holds impossible values; the message names it.
    """
    setting = _read(folder / RECORD, _setting)
    table = _read(folder / TABLE, lambda text: _table(text, setting))
    table.attrs[_SETTING] = setting
    return table


def _read(path: Path, parse: Callable[[str], _T]) -> _T:
    where = f"{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"expected at most {MAX_BYTES // 1_000_000} MB, got more.")
        return parse(path.read_text(encoding="utf-8"))
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error} Measure again.") from error
    except (OSError, ValueError, TypeError, RecursionError, csv.Error) as error:
        told = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{where} cannot be read as a table of robustness ({told}). Measure again.") from error


def _setting(text: str) -> Setting:
    values = json.loads(text)
    found = values.get("format") if isinstance(values, dict) else type(values).__name__
    if found != FORMAT:
        raise CheckpointError(f"expected the format {FORMAT!r}, got {str(found)[:40]!r}.")
    names = [each.name for each in dataclasses.fields(Setting)]
    if missing := [name for name in names if name not in values]:
        raise CheckpointError(f"expected {', '.join(missing)}, got none.")
    return Setting(**{name: values[name] for name in names})


def _table(text: str, setting: Setting) -> pd.DataFrame:
    import pandas as pd

    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise CheckpointError(f"expected the columns {', '.join(COLUMNS)}, got {str(reader.fieldnames)[:80]}.")
    lines = [_line(line, setting) for line in reader]
    cells = [line[:3] for line in lines]
    names = list(dict.fromkeys(name for name, _, _ in cells if name != CLEAN))
    expected = [(CLEAN, CLEAN, 0), *((name, CORRUPTIONS[name].family, s) for name in names for s in STRENGTHS)]
    if cells != expected:
        raise CheckpointError(f"expected a row {CLEAN}, then five for each corruption, got {len(cells)} others.")
    return pd.DataFrame(lines, columns=COLUMNS)


def _line(line: Mapping[Any, Any], setting: Setting) -> tuple[str, str, int, int, float, float]:
    values = [line[name] for name in COLUMNS]
    if None in line or None in values:
        raise CheckpointError(f"expected {len(COLUMNS)} values in every row, got {str(list(line.values()))[:80]}.")
    name, family, strength, n = values[0], values[1], int(values[2]), int(values[3])
    shares = [float(value) for value in values[4:]]
    if name != CLEAN and name not in CORRUPTIONS:
        raise CheckpointError(f"expected corruptions of {', '.join(CORRUPTIONS)}, got {name[:40]!r}.")
    if n != setting.rows or not all(0 <= share <= 1 for share in shares):
        raise CheckpointError(f"expected {setting.rows} pictures and shares of 0-1 in {name}, got {n} and {shares}.")
    return name, family, strength, n, shares[0], shares[1]
