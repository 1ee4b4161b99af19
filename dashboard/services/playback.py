"""What the player needs to know about an analysis, in plain JSON: an overview first, then tiles and frames as asked.

Arrays are base64 of little-endian numbers. Probabilities and shares in tiles are uint8 (255 is 1), in frames uint16
(65535 is 1). Nothing here grows with the length of the video but what is kept between requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.services import places
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, GROUP_COLOURS, groups_of
from fer_core.errors import FerError, InputError, StoreError
from fer_core.faces import crop_squares
from fer_core.files import keep_newest, replacing
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.tiles import TILE, Buckets, Course, Pyramid
from fer_core.video.timeline import (
    LANDMARK_COLUMNS,
    frame_steps,
    labels_of_columns,
    score_columns,
    smooth_scores,
)
from fer_core.video.trust import CODES, reasons
from fer_core.video.view import Lens, differing, edited, opinions

P_SCALE, SHARE_SCALE = 65535, 255
SOURCES = ("detected", "refined", "predicted", "midway")
KEPT, KEPT_VIEWS = 3, 12
"""Analyses held in memory, each about 250 bytes per face and frame; outlines of views kept on disk."""
OUTLINE = 1
"""Format of the outlines on disk; a change makes the old ones count for nothing."""
JUMPS = ("change", "disagreement", "doubt")


@dataclass(frozen=True)
class Prepared:
    """An analysis through one lens, ready to be cut into tiles and chunks. ``rows`` are the rows of ``table`` of each
    person, in the order of the person's course."""

    labels: tuple[str, ...]
    pyramid: Pyramid
    table: pd.DataFrame
    rows: dict[int, NDArray[np.int64]]

    def course(self, track: int) -> Course:
        """A person's course.

        Raises:
            InputError: there is no such person.
        """
        found = next((course for course in self.pyramid.courses if course.track == track), None)
        if found is None:
            raise InputError(f"There is no person {track + 1} here.")
        return found

    def moments(self, what: str, track: int) -> NDArray[np.float64]:
        """Times in s to which the keys jump: where a person's emotion changes, doubt or disagreement begins.

        Raises:
            InputError: no such kind of moment, or no such person.
        """
        if what not in JUMPS:
            raise InputError(f"Cannot jump to {what!r}; expected one of {', '.join(JUMPS)}.")
        course = self.course(track)
        gap = np.diff(course.position, prepend=-9) > 1
        if what == "change":
            top = course.p.argmax(axis=1)
            return self.pyramid.start[course.position[gap | (np.diff(top, prepend=-1) != 0)]]
        holds = course.doubtful if what == "doubt" else course.differs[:, 0]
        return self.pyramid.start[course.position[holds & (gap | ~np.append(False, holds[:-1]))]]


_cache: OrderedDict[tuple[Any, ...], Prepared] = OrderedDict()
_locks: dict[tuple[Any, ...], threading.Lock] = {}
_lock = threading.Lock()


def prepared(analysis: Analysis, lens: Lens) -> Prepared:
    """``Prepared`` for a lens, kept for the next requests; computed once, however many ask at the same time.

    Raises:
        InputError, StoreError: an impossible lens, or a damaged table.
    """
    key = (str(analysis.folder), version(analysis), lens)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
        own = _locks.setdefault(key, threading.Lock())
    with own:
        try:
            made = _cache.get(key) or _prepare(analysis, lens)
            with _lock:
                _cache[key] = made
                while len(_cache) > KEPT:
                    _cache.popitem(last=False)
        finally:
            with _lock:
                _locks.pop(key, None)
        return made


def prefetch(analysis: Analysis, lens: Lens) -> None:
    """``prepared``, for a thread that nobody waits for; who asks next is told what is wrong."""
    with suppress(FerError):
        prepared(analysis, lens)


def version(analysis: Analysis) -> str:
    """Another one after every edit that changes the table; names and marks do not. 12 hex digits."""
    state, table = analysis.state, analysis.folder / "timeline.parquet"
    said = [state.steps, dict(state.groups), asdict(state.limits), table.stat().st_mtime if table.is_file() else 0]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def _prepare(analysis: Analysis, lens: Lens) -> Prepared:
    raw = edited(analysis, lens.model)
    table = smooth_scores(raw, lens.smoothing_s)
    source, columns = analysis.record["source"], score_columns(table)
    times, lasts = frame_steps(table)
    why = reasons(table, width=source["width"], height=source["height"], limits=analysis.state.limits)
    several = len(analysis.models) > 1
    differs = np.stack([differing(each) for each in opinions(analysis, lens.smoothing_s)], axis=1) if several else None
    shown, measured = (each[columns].to_numpy(np.float32) for each in (table, raw))
    doubtful, bits = np.asarray(why.any(axis=1)), why @ (1 << np.arange(len(CODES)))
    bits, tracks = bits.astype(np.uint16), table["track"].to_numpy()
    position = np.searchsorted(times, table["time_s"].to_numpy(float))
    courses, rows = [], {}
    for track in np.unique(tracks[tracks >= 0]).tolist():
        rows[track] = own = np.flatnonzero(tracks == track)
        shown_own = shown[own]
        courses.append(
            Course(
                track=track,
                position=position[own],
                p=shown_own,
                raw=measured[own] if lens.smoothing_s else shown_own,
                doubtful=doubtful[own],
                reasons=bits[own],
                differs=differs[own] if differs is not None else np.zeros((len(own), 2), bool),
            )
        )
    pyramid = Pyramid(times, times + lasts, courses)
    _ = pyramid.levels  # now, not when several requests ask for it at once
    return Prepared(labels_of_columns(columns), pyramid, table, rows)


def _seen_by_network(analysis: Analysis, lens: Lens) -> tuple[float, float]:
    """Margin of the crop, and the share of its side that the network takes; 1 where it was not written down."""
    found = (each for each in analysis.checkpoints if each["name"] == lens.model)
    checkpoint = next(found, analysis.checkpoints[0])
    return float(checkpoint.get("margin", 1.0)), float(checkpoint.get("field", 1.0))


# what the routes answer


def overview(analysis: Analysis, lens: Lens) -> dict[str, Any]:
    """Everything that does not depend on the zoom, with the coarsest tile.

    ``chunks`` float64: the first time of each chunk of frames; ``width_s``: width of a bucket of level 0, twice that of
    each next level; ``people``: ``track, name, thumbnail``, times ``first_s, last_s``, seconds ``seen_s, usable_s``,
    and ``baseline``, the median of each probability over the person's frames as measured.
    """
    outline, source, state = _outline(analysis, lens), analysis.record["source"], analysis.state
    emotions = [
        {"name": name, "colour": EMOTION_COLOURS[name], "group": _group(state.groups, name)}
        for name in outline["labels"]
    ]
    return outline | {
        "id": analysis.id,
        "revision": analysis.revision,
        "version": version(analysis),
        "picture": bool(source["is_picture"]),
        "width": source["width"],
        "height": source["height"],
        "emotions": emotions,
        "groups": [{"name": name, "colour": GROUP_COLOURS[name]} for name in groups_of(state.groups)],
        "codes": [{"name": name, "text": text} for name, text in CODES.items()],
        "sources": SOURCES,
        "models": analysis.models,
        "smoothed": lens.smoothing_s > 0,
        "field": _seen_by_network(analysis, lens)[1],
        "tile_length": TILE,
        "people": [person | _called(analysis, person["track"]) for person in outline["people"]],
        "marks": [mark.to_dict() for mark in state.marks],
        "undo": bool(analysis.edits.done),
        "redo": bool(analysis.edits.undone),
    }


def _outline(analysis: Analysis, lens: Lens) -> dict[str, Any]:
    """What of the overview comes from the table; kept beside it, so that hours of video open at once."""
    said = f"{OUTLINE}-{version(analysis)}-{lens.smoothing_s:g}-{lens.model}"
    path = analysis.folder / "views" / f"{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and "overview" in found:
            return found
    ready = prepared(analysis, lens)
    pyramid = ready.pyramid
    outline = {
        "labels": ready.labels,
        "start_s": pyramid.start_s,
        "end_s": pyramid.end_s,
        "width_s": pyramid.width_s,
        "levels": len(pyramid.levels),
        "frames": len(pyramid.start),
        "chunks": _packed(pyramid.start[::TILE], "<f8"),
        "people": [_person(pyramid, course) for course in pyramid.courses],
        "overview": tile(analysis, lens, len(pyramid.levels) - 1, 0),
    }
    _keep(path, json.dumps(outline))
    return outline


def _keep(path: Path, text: str) -> None:
    """Write a view, and remove the oldest ones; a full disk is no reason not to show it."""
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as new:
            new.write_text(text, encoding="utf-8")
        keep_newest(path.parent, "*.json", KEPT_VIEWS)


def _group(group_map: Any, emotion: str) -> str:
    return str(group_map.get(emotion, DEFAULT_GROUP_MAP[emotion]))


def _person(pyramid: Pyramid, course: Course) -> dict[str, Any]:
    lasts = pyramid.end[course.position] - pyramid.start[course.position]
    return {
        "track": course.track,
        "first_s": float(pyramid.start[course.position[0]]),
        "last_s": float(pyramid.end[course.position[-1]]),
        "seen_s": float(lasts.sum()),
        "usable_s": float(lasts[~course.doubtful].sum()),
        "baseline": np.round(np.median(course.raw, axis=0), 4).tolist(),
    }


def _called(analysis: Analysis, track: int) -> dict[str, Any]:
    picture = track if analysis.thumbnail(track) else _origin(analysis, track)
    return {
        "name": analysis.state.name_of(track),
        "thumbnail": f"/api/thumbnail/{analysis.id}/{picture}" if analysis.thumbnail(picture) else None,
    }


def _origin(analysis: Analysis, track: int) -> int:
    """The person from whom a person was split off; there is no other picture of the new one."""
    splits = {step["new"]: step["person"] for step in analysis.state.steps if step["do"] == "split"}
    while track in splits:
        track = splits[track]
    return track


def tile(analysis: Analysis, lens: Lens, level: int, index: int) -> dict[str, Any]:
    """Buckets of a tile by person, see ``fer_core.video.tiles.Buckets``.

    Raises:
        InputError: there is no such tile.
    """
    ready = prepared(analysis, lens)
    found = ready.pyramid.tile(level, index)
    return {str(track): _tile(buckets, smoothed=lens.smoothing_s > 0) for track, buckets in found.items()}


def _tile(buckets: Buckets, *, smoothed: bool) -> dict[str, Any]:
    names = ["seen", "mean", "low", "high", "doubtful", "differs", *(["raw"] if smoothed else [])]
    shares = {name: _packed(_bytes(getattr(buckets, name)), "<u1") for name in names}
    return {"n": len(buckets.seen), "reasons": _packed(buckets.reasons, "<u2"), **shares}


def _bytes(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """0-1 → 0-255; what is there at all is at least 1."""
    return np.where(shares > 0, np.clip(np.rint(shares * SHARE_SCALE), 1, SHARE_SCALE), 0)


def frames(analysis: Analysis, lens: Lens, index: int) -> dict[str, Any]:
    """A chunk of single frames: ``first`` position, ``start`` and ``end`` float64 (f,) in s; per person ``at`` uint32
    (n,) positions, ``p`` and ``raw`` uint16 (n, k), ``boxes`` float32 (n, 4) and ``landmarks`` (n, 10) in pixels,
    ``squares`` (n, 4) origin and x axis of the crop, ``detection`` float32 (n,), ``source`` uint8, ``reasons`` uint16,
    ``differs`` uint8 (n, 2).

    Raises:
        InputError: there is no such chunk.
    """
    ready, margin = prepared(analysis, lens), _seen_by_network(analysis, lens)[0]
    span, found = ready.pyramid.chunk(index)
    smoothed = lens.smoothing_s > 0
    return {
        "first": span.start,
        "start": _packed(ready.pyramid.start[span], "<f8"),
        "end": _packed(ready.pyramid.end[span], "<f8"),
        "people": {
            str(track): _chunk(ready, track, part, margin=margin, smoothed=smoothed) for track, part in found.items()
        },
    }


def _chunk(ready: Prepared, track: int, part: slice, *, margin: float, smoothed: bool) -> dict[str, Any]:
    course, rows = ready.course(track), ready.table.iloc[ready.rows[track][part]]
    landmarks = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32)
    squares = crop_squares(landmarks.reshape(-1, 5, 2), margin)[:, :2]
    packed = {
        "at": _packed(course.position[part], "<u4"),
        "p": _packed(np.rint(course.p[part] * P_SCALE), "<u2"),
        "boxes": _packed(rows[["x0", "y0", "x1", "y1"]].to_numpy(), "<f4"),
        "landmarks": _packed(landmarks, "<f4"),
        "squares": _packed(squares, "<f4"),
        "detection": _packed(rows["detection"].to_numpy(), "<f4"),
        "source": _packed(pd.Index(SOURCES).get_indexer(rows["source"]), "<u1"),
        "reasons": _packed(course.reasons[part], "<u2"),
        "differs": _packed(course.differs[part], "<u1"),
    }
    return packed | ({"raw": _packed(np.rint(course.raw[part] * P_SCALE), "<u2")} if smoothed else {})


def jump(analysis: Analysis, lens: Lens, *, what: str, track: int, time_s: float, by: int) -> float | None:
    """The next (``by`` 1) or previous (-1) moment of a kind, in s; None where there is none.

    Raises:
        InputError: no such kind of moment, or no such person.
    """
    moments = prepared(analysis, lens).moments(what, track)
    later = moments[moments > time_s + 1e-3] if by > 0 else moments[moments < time_s - 1e-3]
    return float(later[0 if by > 0 else -1]) if len(later) else None


def figure_svg(analysis: Analysis, lens: Lens, *, track: int, start_s: float, end_s: float) -> str:
    """The timeline of one person in a span, as SVG.

    Raises:
        InputError: no such person, or an impossible span.
    """
    from fer_core.video.figure import timeline_svg

    state = analysis.state
    return timeline_svg(
        edited(analysis, lens.model), track=track, name=state.name_of(track), start_s=start_s, end_s=end_s,
        marks=state.marks, smoothing_s=lens.smoothing_s, title=analysis.name, group_map=state.groups,
    )  # fmt: skip


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


@lru_cache(maxsize=4096)
def _read_part(path: Path) -> pd.DataFrame:
    """A part never changes once it is there."""
    return pd.read_parquet(path, columns=["time_s", "track", "emotion"])


def so_far(analysis_id: str) -> pd.DataFrame:
    """Rows of a running analysis that are on disk already; empty when there are none yet."""
    folder = places.store().folder(places.check_id(analysis_id))
    parts = []
    for path in sorted((folder.with_name(folder.name + ".tmp") / "parts").glob("timeline-*.parquet")):
        try:
            parts.append(_read_part(path))
        except (OSError, ValueError):  # the analysis ended this moment and removed its parts
            return pd.DataFrame(columns=["time_s", "track", "emotion"])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["time_s", "track", "emotion"])


def open_for_page(analysis_id: str) -> Analysis:
    """An analysis by the id in an address, which anyone may have typed.

    Raises:
        InputError, StoreError: there is none; the message says where to look.
    """
    folder = places.store().folder(analysis_id)
    try:
        return open_analysis(folder)
    except StoreError as error:
        if folder.with_name(f"{folder.name}.tmp").is_dir():
            raise StoreError("This analysis is still running. Watch it on the Analyze page.") from error
        raise
