"""Rows of a running analysis: collected, classified in batches, written in parts, joined at the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.files import replacing
from fer_core.signals import QUALITY, Seen, measured
from fer_core.signals.emotion import EmotionScores
from fer_core.video.columns import FRAME, face_columns, to_arrow
from fer_core.video.people import Recognised, Recogniser, picture_qualities, whole_strips
from fer_core.video.reader import RGB, Frame
from fer_core.video.timeline import with_labels, without_rows

BATCH_FACES, BATCH_FACES_GPU = 32, 256
PART_FRAMES = 512
PART_WALL_S = 3.0
FEATURES_PER_S = 5.0
THUMBNAIL = CropGeometry(size=112, margin=1.3)
MIN_FACES, SURE_SCORE, DENSE_PER_S = 4, 0.99, 10.0
"""A detector's false alarm flickers: seen in fewer frames than this, never surely, though frames lie this close."""


@dataclass
class _Sighting:
    """How often and how surely a person was seen so far; the quality of the thumbnail."""

    faces: int = 0
    score: float = 0.0
    thumbnail: float = 0.0


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

    A part is a whole parquet file under ``folder/parts``; it appears every few seconds, so that a page can show a
    running analysis. ``finish`` joins the parts into the tables of the analysis folder and removes them.
    """

    def __init__(self, folder: Path, scores: Sequence[EmotionScores], recogniser: Recogniser | None = None) -> None:
        self._recogniser = recogniser
        self._recognised: Recognised | None = None
        self._same: Mapping[int, int] = {}
        self.folder, self._scored = folder, [_ScoredPart(signal) for signal in scores]
        self._measured, self._columns = measured(), face_columns()
        self.frames = self.faces = 0
        self._rows: list[dict[str, NDArray]] = []
        self._crops: dict[CropGeometry, list[RGB]] = {signal.crop: [] for signal in scores}
        on_cpu = all(signal.classifier.device.type == "cpu" for signal in scores)
        self._batch = BATCH_FACES if on_cpu else BATCH_FACES_GPU
        self._feature_due: dict[int, float] = {}
        self._people: defaultdict[int, _Sighting] = defaultdict(_Sighting)
        self._first_s = self._last_s = 0.0
        self.faces_left_out = 0
        self._waiting = self._part_frames = self._n_parts = 0
        self._wrote = time.monotonic()
        for name in ("parts", "crops", "scores"):
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
        self._rows.append(_rows(frame, faces, tracks, sources, self._columns, list(values.values())))
        qualities = picture_qualities(faces, values[QUALITY.name][:, 0])
        self._meet(frame, faces, tracks, qualities)
        if self._recogniser is not None:
            self._recogniser.see(frame, faces, tracks, qualities, crops)
        self._first_s, self._last_s = self._first_s if self.frames else frame.time_s, frame.time_s
        self.frames += 1
        self.faces += len(faces)
        self._waiting += len(faces)
        self._part_frames += 1
        if self._waiting >= self._batch:
            self._classify()
        if self._part_frames >= PART_FRAMES or time.monotonic() - self._wrote > PART_WALL_S:
            self._write_part()

    def finish(self, same: Mapping[int, int]) -> None:
        """Write the last part and join all into the tables of the analysis. ``same`` names strips that are a part of
        another one, and that one. After an ``OSError``, of which the parts that are whole know nothing, it may be
        called again.

        Fleeting people, most likely false alarms, are left out (``faces_left_out`` counts their faces); the others are
        numbered without a gap, in order of appearance. ``left_out.parquet`` keeps the boxes of the former, so that they
        can be blurred with the rest.
        """
        self._write_part()
        self._unite(same)
        try:
            self._join()
        except BaseException:
            for path in self._joined():  # room for what the parts hold too, and half a table is worth nothing
                path.unlink(missing_ok=True)
            raise
        for path in (self.folder / "parts").iterdir():
            path.unlink()
        (self.folder / "parts").rmdir()

    def _joined(self) -> list[Path]:
        made = [*self.folder.glob("*.parquet"), *(self.folder / "scores").iterdir()]
        return [*made, self.folder / "timeline.csv", self.folder / "people.json"]

    def _classify(self) -> None:
        joined = {geometry: np.concatenate(crops) for geometry, crops in self._crops.items() if crops}
        for scored in self._scored if joined else ():
            scored.score(joined[scored.signal.crop])
        self._crops, self._waiting = {geometry: [] for geometry in self._crops}, 0

    def _write_part(self) -> None:
        """A part goes to disk whole or not at all; then its frames count for nothing."""
        self._classify()
        rows, frames = self._rows, self._part_frames
        self._rows, self._part_frames = [], 0
        try:
            if rows:
                names = self._columns
                self._write_rows(pd.DataFrame({name: np.concatenate([row[name] for row in rows]) for name in names}))
        except OSError:
            for path in (self.folder / "parts").glob(f"*-{self._n_parts:06d}.parquet"):
                path.unlink(missing_ok=True)
            self.frames -= frames
            raise
        self._wrote = time.monotonic()
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
        path = self.folder / "parts" / f"{kind}-{self._n_parts:06d}.parquet"
        with replacing(path) as new:
            pq.write_table(table, new, compression="zstd")

    def _paths(self, kind: str) -> list[Path]:
        return sorted((self.folder / "parts").glob(f"{kind}-*.parquet"))

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
        self._rename_thumbnails(numbers)  # last, since what cannot be joined is tried once more
        self.faces_left_out = sum(self._people[track].faces for track in fleeting)
        self.faces -= self.faces_left_out

    def _fleeting(self) -> set[int]:
        """People who flickered up: only to be told apart where frames were analysed densely, so never in a picture."""
        dense = self.frames >= DENSE_PER_S and self.frames - 1 >= DENSE_PER_S * (self._last_s - self._first_s)
        return {n for n, seen in self._people.items() if dense and seen.faces < MIN_FACES and seen.score < SURE_SCORE}

    def _unite(self, same: Mapping[int, int]) -> None:
        """Count what was seen of a part of a strip for the whole."""
        for young, old in same.items():
            if young in self._people:
                part, whole = self._people.pop(young), self._people[old]
                whole.faces, whole.score = whole.faces + part.faces, max(whole.score, part.score)
                self._thumbnail(young).unlink(missing_ok=True)
        self._same = same

    def _numbers(self, fleeting: set[int]) -> Mapping[int, int]:
        """The person of every strip that stays: without descriptors each strip is one."""
        if self._recogniser is None:
            return {old: new for new, old in enumerate(sorted(self._people.keys() - fleeting))}
        if self._recognised is None:
            seen = pd.concat(list(self._parts("timeline", ["frame", "track"])))
            seen = seen[(seen["track"] >= 0) & ~seen["track"].isin(fleeting)]
            self._recognised = self._recogniser.settle(seen, self._same)
            for strip, (quality, picture) in self._recognised.pictures.items():
                self._people[strip].thumbnail = quality
                self._save_thumbnail(strip, picture)
        self._recognised.write(self.folder)
        return self._recognised.numbers

    def _rename_thumbnails(self, numbers: Mapping[int, int]) -> None:
        """Each person has the best picture of all strips; those of who is left out go."""
        best: dict[int, int] = {}
        for old, new in numbers.items():
            if self._thumbnail(old).is_file():
                best[new] = max(best.get(new, old), old, key=lambda strip: self._people[strip].thumbnail)
        kept = [
            (self._thumbnail(old).rename(self._thumbnail(old).with_suffix(".kept")), new) for new, old in best.items()
        ]
        for path in (self.folder / "crops").glob("*.jpg"):
            path.unlink()
        for path, new in kept:
            path.rename(self._thumbnail(new))

    def _thumbnail(self, track: int) -> Path:
        return self.folder / "crops" / f"track_{track}.jpg"

    def _meet(self, frame: Frame, faces: Faces, tracks: NDArray, qualities: Sequence[float]) -> None:
        """Note who was seen; save a face's picture whenever it is clearly better than the person's last one."""
        for i, track in enumerate(tracks.tolist()):
            person, score = self._people[track], float(faces.scores[i])
            person.faces, person.score = person.faces + 1, max(person.score, score)
            quality = qualities[i]
            if quality > 1.1 * person.thumbnail or person.faces == 1:
                person.thumbnail = quality
                self._save_thumbnail(track, crop_faces(frame.image, faces[np.array([i])], THUMBNAIL)[0])

    def _save_thumbnail(self, strip: int, picture: RGB) -> None:
        small = picture if len(picture) == THUMBNAIL.size else cv2.resize(picture, (THUMBNAIL.size, THUMBNAIL.size))
        options = [cv2.IMWRITE_JPEG_QUALITY, 90]
        cv2.imwrite(str(self._thumbnail(strip)), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)


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
