"""Rows of a running analysis: collected, classified in batches, written in parts, joined at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_core.errors import StoreError
from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.files import TEMPORARY, replacing, to_disk
from fer_core.signals import QUALITY, Seen, measured
from fer_core.signals.emotion import EmotionScores
from fer_core.video.columns import FRAME, face_columns, to_arrow
from fer_core.video.people import Recognised, Recogniser, picture_qualities, whole_strips
from fer_core.video.reader import RGB, Frame
from fer_core.video.thumbnails import Thumbnails
from fer_core.video.timeline import with_labels, without_rows

BATCH_FACES, BATCH_FACES_GPU = 32, 256
"""Faces that are scored at once. Which ones, only the video decides and never the time: scores depend on it in the last
bit, and what is analysed twice is the same."""
PART_FRAMES = 512
FEATURES_PER_S = 5.0
PARTS, PICTURES = "parts", "pictures"
"""Folders that are there until the tables are joined: parts of tables, and thumbnails of strips."""
MIN_FACES, SURE_SCORE, DENSE_PER_S = 4, 0.99, 10.0
"""A detector's false alarm flickers: seen in fewer frames than this, never surely, though frames lie this close."""


class _ScoredPart:
    """A checkpoint's scores and features of the faces of the current part."""

    def __init__(self, signal: EmotionScores) -> None:
        self.signal = signal
        self.columns = [column.name for column in signal.columns]
        self._scores: list[NDArray] = []
        self._features: list[NDArray] = []

    def score(self, crops: RGB) -> None:
        """Score the next faces of the part."""
        scores, features = self.signal.with_features(Seen(crops=crops))
        self._scores.append(scores)
        self._features.append(features)

    def take(self) -> tuple[NDArray, NDArray]:
        """Scores (n, columns) and features (n, d) of the part; begins the next one."""
        taken = np.concatenate(self._scores), np.concatenate(self._features)
        self._scores, self._features = [], []
        return taken


class PartWriter:
    """Takes the faces of one frame after the other; every signal sees each face once.

    A part is a whole parquet file under ``folder/parts``; one is written whenever ``state`` is asked for, so that a
    page can show a running analysis and another writer can go on with it. ``finish`` joins the parts into the tables of
    the analysis folder; see ``clear``.
    """

    def __init__(
        self, folder: Path, scores: Sequence[EmotionScores], recogniser: Recogniser | None = None, *,
        keep_pictures: bool = True,
    ) -> None:  # fmt: skip
        self._recogniser = recogniser
        self._recognised: Recognised | None = None
        self._same: Mapping[int, int] = {}
        self.folder, self._scored = folder, [_ScoredPart(signal) for signal in scores]
        self._measured, self._columns = measured(), face_columns()
        self.frames = self.faces = 0
        self._rows: list[dict[str, NDArray]] = []
        self._scored_rows = 0
        self._crops: dict[CropGeometry, list[RGB]] = {signal.crop: [] for signal in scores}
        on_cpu = all(signal.classifier.device.type == "cpu" for signal in scores)
        self._batch = BATCH_FACES if on_cpu else BATCH_FACES_GPU
        self._feature_due: dict[int, float] = {}
        self._thumbnails = Thumbnails(folder / PICTURES, keep=keep_pictures)
        self._first_s = self._last_s = 0.0
        self.faces_left_out = 0
        self._waiting = self._n_parts = self._bytes = 0
        self._fresh: list[Path] = []
        for name in (PARTS, PICTURES, "scores"):
            (folder / name).mkdir(exist_ok=True)

    @property
    def recognises(self) -> bool:
        """Whether people are told by their faces at the end."""
        return self._recogniser is not None

    def add(self, frame: Frame, faces: Faces, tracks: NDArray, sources: NDArray) -> None:
        """One frame: its faces (n), their people (n,), and how each was found (n,). Faces are cut once for every crop
        geometry."""
        for geometry, waiting in self._crops.items():
            waiting.append(crop_faces(frame.image, faces, geometry))
        crops = next(iter(self._crops.values()))[-1]
        seen = Seen(crops=crops, landmarks=faces.landmarks)
        values = {signal.name: signal.of(seen) for signal in self._measured}
        qualities = picture_qualities(faces, values[QUALITY.name][:, 0])
        self._thumbnails.meet(frame, faces, tracks, qualities)
        self._rows.append(_rows(frame, faces, tracks, sources, self._columns, list(values.values())))
        if self._recogniser is not None:
            self._recogniser.see(frame, faces, tracks, qualities, crops)
        self._first_s, self._last_s = self._first_s if self.frames else frame.time_s, frame.time_s
        self.frames += 1
        self.faces += len(faces)
        self._waiting += len(faces)
        if self._waiting >= self._batch or self.frames % PART_FRAMES == 0:
            self._classify()
        if self.frames % PART_FRAMES == 0:
            self._write_part()

    def finish(self, same: Mapping[int, int]) -> None:
        """Write the last part and join all into the tables of the analysis. ``same`` names strips that are a part of
        another one, and that one. After an ``OSError``, of which the parts that are whole know nothing, it may be
        called again.

        Fleeting people, most likely false alarms, are left out (``faces_left_out`` counts their faces); the others are
        numbered without a gap, in order of appearance. ``left_out.parquet`` keeps the boxes of the former, so that they
        can be blurred with the rest.
        """
        self._classify()
        self._write_part()
        self._thumbnails.unite(same)
        self._same = same
        try:
            self._join()
        except BaseException:
            for path in self._joined():  # room for what the parts hold too, and half a table is worth nothing
                path.unlink(missing_ok=True)
            raise

    @property
    def waiting(self) -> int:
        """Faces that were cut and not scored yet; a ``state`` holds their pictures."""
        return self._waiting

    def state(self) -> dict[str, Any]:
        """What another writer in this folder needs to go on from here; see ``packed``. All that it leans on is on the
        disk then.

        Raises:
            OSError: the disk does not take it.
        """
        if not self._waiting:
            self._classify()
        self._write_part()
        recogniser = None if self._recogniser is None else self._recogniser.keep(self.folder / PICTURES)
        fresh, self._fresh = [*self._fresh, *self._thumbnails.fresh], []
        self._thumbnails.fresh.clear()
        to_disk(*fresh, self.folder / PARTS, self.folder / PICTURES)
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "feature_due": [np.array(list(each)) for each in (self._feature_due, self._feature_due.values())],
            "thumbnails": self._thumbnails.state(),
            "rows": [_joined_rows(self._rows, name) for name in self._columns if name != "source"],
            "sources": [row["source"].tolist() for row in self._rows],
            "crops": [np.concatenate(crops) if crops else None for crops in self._crops.values()],
            "recogniser": recogniser,
        }

    def going_on(self, state: Mapping[str, Any]) -> None:
        """Go on from the ``state`` of another one, whatever that one did afterwards.

        Raises:
            StoreError: files are missing that it leans on, or damaged.
        """
        for name in _COUNTS:
            setattr(self, name, state[name])
        for path in (*(self.folder / PARTS).iterdir(), *self._joined()):
            if path.name.endswith(TEMPORARY) or path.parent.name != PARTS or _number(path) >= self._n_parts:
                path.unlink(missing_ok=True)
        if self._bytes != sum(path.stat().st_size for path in (self.folder / PARTS).glob("*.parquet")):
            raise StoreError("Parts of the analysis are missing or damaged.")
        tracks, due = state["feature_due"]
        self._feature_due = dict(zip(tracks.tolist(), due.tolist(), strict=True))
        self._thumbnails.going_on(state["thumbnails"])
        ends = np.cumsum([len(each) for each in state["sources"]])
        names = [name for name in self._columns if name != "source"]
        columns = {name: np.split(each, ends[:-1]) for name, each in zip(names, state["rows"], strict=True)}
        columns["source"] = [np.array(each, object) for each in state["sources"]]
        self._rows = [{name: columns[name][i] for name in self._columns} for i in range(len(ends))]
        for waiting, crops in zip(self._crops.values(), state["crops"], strict=True):
            waiting += [] if crops is None else [crops]
        if self._recogniser is not None:
            self._recogniser.going_on(self.folder / PICTURES, state["recogniser"])

    def _joined(self) -> list[Path]:
        made = [*self.folder.glob("*.parquet"), *(self.folder / "scores").iterdir()]
        return [*made, self.folder / "timeline.csv", self.folder / "people.json"]

    def _classify(self) -> None:
        joined = {geometry: np.concatenate(crops) for geometry, crops in self._crops.items() if crops}
        for scored in self._scored if joined else ():
            scored.score(joined[scored.signal.crop])
        self._crops, self._waiting = {geometry: [] for geometry in self._crops}, 0
        self._scored_rows = len(self._rows)

    def _write_part(self) -> None:
        """What is scored goes to disk as a part, whole or not at all; then all that is not there counts for nothing."""
        rows, waiting = self._rows[: self._scored_rows], self._rows[self._scored_rows :]
        if not rows:
            return
        names = self._columns
        try:
            self._write_rows(pd.DataFrame({name: _joined_rows(rows, name) for name in names}))
        except OSError:
            for path in (self.folder / PARTS).glob(f"*-{self._n_parts:06d}.parquet"):
                path.unlink(missing_ok=True)
            self.frames -= len(self._rows)
            self._rows, self._scored_rows, self._waiting = [], 0, 0
            self._crops = {geometry: [] for geometry in self._crops}
            raise
        self._rows, self._scored_rows = waiting, 0
        self._bytes += sum(path.stat().st_size for path in self._fresh if _number(path) == self._n_parts)
        self._n_parts += 1

    def _write_rows(self, table: pd.DataFrame) -> None:
        seen = (table["track"] >= 0).to_numpy()
        for i, scored in enumerate(self._scored):
            found, features = scored.take()
            values = np.full((len(table), len(scored.columns)), np.nan, np.float32)
            values[seen] = found
            scores = pd.DataFrame(values, columns=scored.columns)
            named = pd.concat([table[[column.name for column in FRAME]], scores], axis=1)
            self._to_parquet(to_arrow(named), f"scores{i}")
            if i == 0:
                self._to_parquet(to_arrow(with_labels(pd.concat([table, scores], axis=1))), "timeline")
                self._to_parquet(self._feature_rows(table[seen], features), "features")

    def _feature_rows(self, faces: pd.DataFrame, features: NDArray) -> pa.Table:
        """At most ``FEATURES_PER_S`` rows per second and person."""
        kept = []
        for i, (track, time_s) in enumerate(zip(faces["track"], faces["time_s"], strict=True)):
            if time_s >= self._feature_due.get(track, -1.0):
                self._feature_due[track] = time_s + 1 / FEATURES_PER_S - 1e-6
                kept.append(i)
        rows = to_arrow(faces.iloc[kept][["frame", "time_s", "track"]].reset_index(drop=True))
        for i, column in enumerate(features[kept].astype(np.float16).T):
            rows = rows.append_column(f"f_{i:03d}", pa.array(np.ascontiguousarray(column)))
        return rows

    def _to_parquet(self, table: pa.Table, kind: str) -> None:
        path = self.folder / PARTS / f"{kind}-{self._n_parts:06d}.parquet"
        with replacing(path, at_once=False) as new:
            pq.write_table(table, new, compression="zstd")
        self._fresh.append(path)

    def _paths(self, kind: str) -> list[Path]:
        return sorted((self.folder / PARTS).glob(f"{kind}-*.parquet"))

    def _parts(self, kind: str, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        for path in self._paths(kind):
            table = pd.read_parquet(path, columns=columns)
            yield table.assign(track=self._strips(table))

    def _strips(self, table: pd.DataFrame) -> NDArray:
        """The strips (n,) that rows belong to: parts of a strip are of the whole, and what was cut is not."""
        whole = whole_strips(table["track"].to_numpy(), self._same)
        return whole if self._recognised is None else self._recognised.strips(table.assign(track=whole))

    def _join(self) -> None:
        """One pass over the parts, each table written row group by row group."""
        fleeting = self._fleeting()
        numbers = self._numbers(fleeting)
        with _Tables(self.folder) as tables, (self.folder / "timeline.csv").open("w", encoding="utf-8") as csv:
            for i, table in enumerate(self._parts("timeline")):
                part = _without(table, fleeting, numbers)
                if (gone := table[table["track"].isin(fleeting)]).size:
                    tables.write("left_out.parquet", to_arrow(gone[self._columns]))
                tables.write("timeline.parquet", to_arrow(part))
                part.to_csv(csv, index=False, header=i == 0)
            for i, scored in enumerate(self._scored):
                for table in self._parts(f"scores{i}"):
                    part = _without(table, fleeting, numbers)
                    kept = part.loc[part["track"] >= 0, ["frame", "track", *scored.columns]]
                    tables.write(f"scores/{scored.signal.name}.parquet", to_arrow(kept))
            for path in self._paths("features"):  # hundreds of columns, which pandas would go over one by one
                features = pq.read_table(path)
                where = features.select(["frame", "track"]).to_pandas()
                renumbered = pa.array([numbers.get(strip) for strip in self._strips(where).tolist()], pa.int32())
                features = features.set_column(features.schema.get_field_index("track"), "track", renumbered)
                tables.write("features.parquet", features.filter(renumbered.is_valid()))
        self._thumbnails.give(numbers, self.folder / "crops")
        self.faces_left_out = sum(self._thumbnails.seen[track].faces for track in fleeting)
        self.faces -= self.faces_left_out

    def _fleeting(self) -> set[int]:
        """People who flickered up: only to be told apart where frames were analysed densely, so never in a picture."""
        dense = self.frames >= DENSE_PER_S and self.frames - 1 >= DENSE_PER_S * (self._last_s - self._first_s)
        seen = self._thumbnails.seen.items() if dense else ()
        return {strip for strip, each in seen if each.faces < MIN_FACES and each.score < SURE_SCORE}

    def _numbers(self, fleeting: set[int]) -> Mapping[int, int]:
        """The person of every strip that stays: without descriptors each strip is one."""
        if self._recogniser is None:
            return {old: new for new, old in enumerate(sorted(self._thumbnails.seen.keys() - fleeting))}
        if self._recognised is None:
            seen = pd.concat(list(self._parts("timeline", ["frame", "track"])))
            seen = seen[(seen["track"] >= 0) & ~seen["track"].isin(fleeting)]
            self._recognised = self._recogniser.settle(seen, self._same)
            for strip, (quality, picture) in self._recognised.pictures.items():
                self._thumbnails.save(strip, quality, picture)
        self._recognised.write(self.folder)
        return self._recognised.numbers


def clear(folder: Path) -> None:
    """Remove from the folder of an analysis what nobody needs who has the joined tables."""
    for name in (PARTS, PICTURES):
        shutil.rmtree(folder / name, ignore_errors=True)


_COUNTS = ("frames", "faces", "_first_s", "_last_s", "_waiting", "_n_parts", "_bytes")


def _number(part: Path) -> int:
    return int(part.stem.rpartition("-")[2])


def _joined_rows(rows: Sequence[Mapping[str, NDArray]], name: str) -> NDArray:
    return np.concatenate([row[name] for row in rows]) if rows else np.zeros(0)


class _Tables:
    """Parquet files that grow row group by row group."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> _Tables:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as all_of_them:  # although one of them fails
            for writer in self.writers.values():
                all_of_them.callback(writer.close)

    def write(self, name: str, table: pa.Table) -> None:
        if name not in self.writers:
            self.writers[name] = pq.ParquetWriter(self.folder / name, table.schema, compression="zstd")
        self.writers[name].write_table(table)


def _without(table: pd.DataFrame, tracks: set[int], numbers: Mapping[int, int]) -> pd.DataFrame:
    """The rows of other people, renumbered."""
    kept = without_rows(table, table["track"].isin(tracks).to_numpy())
    return kept.assign(track=kept["track"].map({-1: -1, **numbers}))


def _rows(
    frame: Frame, faces: Faces, tracks: NDArray, sources: NDArray, columns: Sequence[str], measured: Sequence[NDArray]
) -> dict[str, NDArray]:
    """Columns of one frame: a row per face, or one row with track -1."""
    n = max(len(faces), 1)
    numbers = np.concatenate([faces.boxes, faces.scores[:, None], faces.landmarks.reshape(-1, 10), *measured], axis=1)
    if not len(faces):
        tracks, numbers = np.array([-1]), np.full((1, numbers.shape[1]), np.nan, np.float32)
    names = [name for name in columns if name not in ("frame", "time_s", "lasts_s", "track", "source")]
    return {
        "frame": np.full(n, frame.index),
        "time_s": np.full(n, frame.time_s),
        "lasts_s": np.full(n, frame.lasts_s or np.nan),
        "track": tracks,
        "source": sources if len(faces) else np.full(n, None, object),
        **{name: numbers[:, i] for i, name in enumerate(names)},
    }
