"""Who is who by the face, once a video was seen: strips are cut, joined into people, and joins are proposed.

While frames go by, a few good pictures of every strip are kept; in the end a few of those are described (see
``fer_core.video.strips``). Surely different faces cut a strip where its look changed most; surely equal ones join two
strips, if every strip of the one person is near every strip of the other and no two of them are seen in one frame; what
lies between is proposed to the user. How near is near, the describer says (``Likeness``).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.faces import Faces, cut_squares, fitted_squares
from fer_core.faces.identity.describers import Describer
from fer_core.faces.identity.likeness import Likeness
from fer_core.video.kept_strips import KeptStrips
from fer_core.video.reader import RGB, Frame
from fer_core.video.store import PEOPLE_FORMAT
from fer_core.video.strips import Described, Picture, Strip, strip_looks

MIN_PX, MIN_FRONTAL, MIN_BRIGHTNESS = 48, 0.5, 0.15
"""Smallest face that is described (shorter side of its box), how frontal (``frontal``) and how bright (mean grey value,
0-1) it is at least: small faces and dark ones look alike."""
MAX_STRIPS = 1000
"""Of more strips only those seen longest are compared: the table of distances grows with their square."""
MAX_CHIPS = 600
"""Pictures in memory; beyond, strips that were not seen for longest are described and their pictures forgotten."""
NEAREST = 0.25
"""Two strips are also near if two of their faces are nearer than needed by this share of ``Likeness.joined``: the faces
of a person who smiles are far from each other, but not all of them."""
FAR = 1e3
"""Further apart than any two faces."""


def frontal(landmarks: NDArray) -> NDArray:
    """1 where the nose is midway between the eyes, towards 0 in profile, (n,); landmarks (n, 5, 2)."""
    left, right, nose = landmarks[:, 0, 0], landmarks[:, 1, 0], landmarks[:, 2, 0]
    width = np.maximum(np.abs(right - left), 1e-6)
    return np.clip(1 - np.abs((left + right) / 2 - nose) / width, 0.05, 1.0)


def whole_strips(tracks: NDArray, same: Mapping[int, int]) -> NDArray:
    """Tracks (n,) where those that are a part of another one (``same``, see ``Tracker``) have its number."""
    whole = tracks.copy()
    for part, of in same.items():
        whole[tracks == part] = of
    return whole


def picture_qualities(faces: Faces, sharpness: NDArray) -> list[float]:
    """How good each of n faces is as a picture of its person: surely found, sharp (n,) and frontal."""
    found: list[float] = (faces.scores * np.log1p(sharpness) * frontal(faces.landmarks)).tolist()
    return found


@dataclass
class _Piece:
    """A part of a strip that is one person's: from which frame on, and its described faces."""

    strip: int
    from_frame: int
    described: list[Described]


@dataclass(frozen=True)
class Recognised:
    """Who is who.

    Attributes:
        cuts: by track, the frames from which on it is another strip, rising, each with that strip's new number.
        numbers: the person of every strip, numbered without a gap in order of appearance.
        pictures: (quality, RGB picture) of the strips that were cut, as their thumbnails.
        record: what ``people.json`` says.
        descriptors: float32 ``d_000`` …, of every described face, with ``strip``, ``person``, ``frame``, ``time_s``.
    """

    cuts: Mapping[int, Sequence[tuple[int, int]]]
    numbers: Mapping[int, int]
    pictures: Mapping[int, tuple[float, RGB]]
    record: dict[str, Any] = field(repr=False)
    descriptors: pd.DataFrame = field(repr=False)

    def strips(self, table: pd.DataFrame) -> NDArray:
        """The strips (n,) of the n rows of a table with ``frame`` and the tracker's ``track``, after the cuts."""
        frames, tracks = table["frame"].to_numpy(), table["track"].to_numpy()
        strips = tracks.copy()
        for track, cuts in self.cuts.items():
            for frame, strip in cuts:
                strips[(tracks == track) & (frames >= frame)] = strip
        return strips

    def write(self, folder: Path) -> None:
        """``people.json`` and ``descriptors.parquet``; both go with the folder."""
        self.descriptors.to_parquet(folder / "descriptors.parquet", index=False, compression="zstd")
        (folder / "people.json").write_text(json.dumps(self.record, indent=1) + "\n", encoding="utf-8")


class Recogniser:
    """Sees the faces of every frame, keeps few of them, and says in the end who is who."""

    def __init__(self, describer: Describer) -> None:
        self.describer = describer
        self._strips: defaultdict[int, Strip] = defaultdict(Strip)
        self._with_pictures: set[int] = set()
        self._changed: set[int] = set()
        self._kept = KeptStrips()
        self._described_s = 0.0

    def keep(self, folder: Path) -> dict[str, Any]:
        """Put what is known into a folder; returns what ``going_on`` needs beside that.

        Raises:
            OSError: the disk does not take it.
        """
        pieces = self._kept.keep(folder, self._strips, self._changed)
        self._changed.clear()
        return {"pieces": pieces, "described_s": self._described_s}

    def going_on(self, folder: Path, state: Mapping[str, Any]) -> None:
        """Know what another one kept in a folder.

        Raises:
            StoreError: something of that is missing or damaged.
        """
        self._strips.update(self._kept.read(folder, state["pieces"]))
        self._with_pictures = {track for track, strip in self._strips.items() if strip.kept}
        self._described_s = state["described_s"]

    def see(self, frame: Frame, faces: Faces, tracks: NDArray, qualities: Sequence[float], crops: RGB) -> None:
        """The n faces of one frame, the tracks (n,) they belong to, how good each is as a picture, and their crops
        (n, h, w, 3) of any geometry."""
        looks, bright = strip_looks(crops)
        sizes = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
        is_good = (sizes >= MIN_PX) & (bright >= 255 * MIN_BRIGHTNESS) & (frontal(faces.landmarks) >= MIN_FRONTAL)
        for i, track in enumerate(tracks.tolist()):
            strip = self._strips[track]
            strip.follow(frame.index, frame.time_s, looks[i])
            self._changed.add(track)
            if is_good[i] and strip.wants(qualities[i]):
                square = fitted_squares(faces.landmarks[i : i + 1], self.describer.places)
                chip = cut_squares(frame.image, square, self.describer.size)[0]
                strip.keep(Picture(frame.index, frame.time_s, qualities[i], chip))
                self._with_pictures.add(track)
        self._make_room()

    def settle(self, seen: pd.DataFrame, same: Mapping[int, int] = MappingProxyType({})) -> Recognised:
        """Who is who among the people of ``seen``: ``frame`` and ``track`` of all their faces, where strips that are a
        part of another one are already the whole, as ``same`` says."""
        tracks = sorted(self._strips.keys() & set(seen["track"].unique().tolist()))
        for part, whole in same.items():
            self._strips[whole].take(self._strips[part])
        for track in tracks:
            self._describe(track)
        pieces = list(self._pieces(tracks, new=max(self._strips, default=-1) + 1))
        cuts: dict[int, list[tuple[int, int]]] = {}
        pictures = {}
        for track, piece in pieces:
            if piece.strip != track:
                cuts.setdefault(track, []).append((piece.from_frame, piece.strip))
        for track, piece in pieces:
            if track in cuts:
                best = max((each.picture for each in piece.described), key=lambda picture: picture.quality)
                pictures[piece.strip] = best.quality, best.chip
        found = Recognised(cuts, {}, pictures, {}, pd.DataFrame())
        return self._people(found, seen["frame"].to_numpy(), found.strips(seen), [piece for _, piece in pieces])

    def _describe(self, track: int) -> None:
        started = time.monotonic()
        self._strips[track].describe(self.describer)
        self._with_pictures.discard(track)
        self._changed.add(track)
        self._described_s += time.monotonic() - started

    def _make_room(self) -> None:
        if sum(self._strips[track].kept for track in self._with_pictures) > MAX_CHIPS:
            gone_first = sorted(self._with_pictures, key=lambda track: (self._strips[track].last_s, track))
            for track in gone_first[: len(gone_first) // 2 + 1]:
                self._describe(track)

    def _pieces(self, tracks: Sequence[int], new: int) -> Iterator[tuple[int, _Piece]]:
        """Every track's pieces in order of time; the first one keeps the track's number, the others are numbered from
        ``new`` on."""
        for track in tracks:
            strip = self._strips[track]
            parts = strip.parts(self.describer.likeness)
            yield track, _Piece(track, 0, parts[0])
            for before, after in pairwise(parts):
                at = strip.changed_most(before[-1].picture.frame, after[0].picture.frame)
                yield track, _Piece(new, at, after)
                new += 1

    def _people(self, found: Recognised, frames: NDArray, strips: NDArray, pieces: Sequence[_Piece]) -> Recognised:
        """Join the pieces into people, and say which of them may be one person."""
        counts, likeness = pd.Series(strips).value_counts(), self.describer.likeness
        known = sorted((each for each in pieces if each.described), key=lambda each: -counts.get(each.strip, 0))
        known = sorted(known[:MAX_STRIPS], key=lambda each: each.strip)
        margin = NEAREST * likeness.joined
        groups = _complete_linkage(_far([[piece] for piece in known], frames, strips, margin), likeness.joined)
        joined = [[known[i] for i in group] for group in groups]
        person = {piece.strip: piece.strip for piece in pieces}
        for group in joined:
            person |= dict.fromkeys((piece.strip for piece in group), group[0].strip)
        first = pd.Series(frames).groupby(pd.Series(strips).map(person)).min()
        order = {who: n for n, who in enumerate(sorted(first.index, key=lambda who: (first[who], who)))}
        numbers = {strip: order[who] for strip, who in person.items()}
        apart = _far(joined, frames, strips, margin)
        proposals = _proposals(apart, [numbers[group[0].strip] for group in joined], likeness)
        rows = [(piece, each) for piece in pieces for each in piece.described]
        n_cuts = sum(map(len, found.cuts.values()))
        record = {
            "format": PEOPLE_FORMAT,
            "describer": {
                "name": self.describer.name, "version": self.describer.version, **dataclasses.asdict(likeness),
            },
            "strips": len(pieces) - n_cuts,
            "cut": n_cuts,
            "people": len(order),
            "described": len(rows),
            "compared": len(known),
            "described_s": round(self._described_s, 3),
            "proposals": proposals,
        }  # fmt: skip
        return dataclasses.replace(found, numbers=numbers, record=record, descriptors=_table(rows, numbers))


def _far(groups: Sequence[Sequence[_Piece]], frames: NDArray, strips: NDArray, margin: float) -> NDArray[np.float64]:
    """How far groups of pieces are apart (n, n), see ``_distances``; ``FAR`` where they are seen together."""
    apart = _distances([[each for piece in group for each in piece.described] for group in groups], margin)
    apart[_together(frames, strips, [[piece.strip for piece in group] for group in groups])] = FAR
    return apart


def _distances(groups: Sequence[Sequence[Described]], margin: float) -> NDArray[np.float64]:
    """Mean distance (n, n) of the faces of one group from those of another, or, if that is less, the distance of the
    nearest two and the margin; the diagonal says nothing."""
    if not groups:
        return np.zeros((0, 0))
    vectors = np.stack([each.vector for group in groups for each in group])
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    squares = (vectors**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * vectors @ vectors.T, 0))
    share = (owner[None] == np.arange(len(groups))[:, None]).astype(np.float32)
    share /= share.sum(axis=1, keepdims=True)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    nearest = np.minimum.reduceat(np.minimum.reduceat(apart, starts, axis=0), starts, axis=1)
    return np.minimum(share @ apart @ share.T, nearest + margin).astype(np.float64)


def _together(frames: NDArray, strips: NDArray, groups: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """Which two of the groups of strips (n, n) are seen in one frame; nobody is with himself."""
    from scipy.sparse import coo_array

    group = pd.Series(strips).map({strip: i for i, group in enumerate(groups) for strip in group})
    inside = group.notna().to_numpy()
    rows, columns = pd.factorize(frames[inside])[0], group[inside].to_numpy(int)
    shape = (int(rows.max()) + 1 if len(rows) else 1, max(len(groups), 1))
    where = coo_array((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()
    both = (where.T @ where).toarray()[: len(groups), : len(groups)] > 0
    np.fill_diagonal(both, False)
    return np.asarray(both)


def _complete_linkage(apart: NDArray[np.float64], most: float) -> list[list[int]]:
    """Groups of rows within which every two are at most so far apart, rising; the nearest are joined first."""
    if len(apart) < 2:
        return [[i] for i in range(len(apart))]
    from scipy.cluster.hierarchy import fcluster, linkage

    labels = fcluster(linkage(apart[np.triu_indices(len(apart), 1)], "complete"), most, "distance")
    groups: dict[int, list[int]] = {}
    for i, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(i)
    return sorted(groups.values())


def _proposals(apart: NDArray[np.float64], people: Sequence[int], likeness: Likeness) -> list[dict[str, Any]]:
    """Pairs of people who may be one, the nearest first."""
    pairs = np.argwhere(np.triu(apart <= likeness.threshold, 1))
    found = [(float(apart[i, j]), *sorted((people[i], people[j]))) for i, j in pairs.tolist()]
    return [{"person": a, "other": b, "distance": round(distance, 4)} for distance, a, b in sorted(found)]


def _table(rows: Sequence[tuple[_Piece, Described]], numbers: Mapping[int, int]) -> pd.DataFrame:
    where = pd.DataFrame(
        {
            "strip": np.array([piece.strip for piece, _ in rows], np.int32),
            "person": np.array([numbers[piece.strip] for piece, _ in rows], np.int32),
            "frame": np.array([each.picture.frame for _, each in rows], np.int64),
            "time_s": np.array([each.picture.time_s for _, each in rows], np.float64),
        }
    )
    if not rows:
        return where
    vectors = np.stack([each.vector for _, each in rows])
    return pd.concat([where, pd.DataFrame(vectors, columns=[f"d_{i:03d}" for i in range(vectors.shape[1])])], axis=1)
