"""What the player needs to know about an analysis, in plain JSON: an overview first, then tiles and frames as asked.

Arrays are base64 of little-endian numbers. Probabilities and shares in tiles are uint8 (255 is 1), in frames uint16
(65535 is 1). Nothing here grows with the length of the video but what is kept between requests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.services.prepared import Prepared, prepared, version
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, GROUP_COLOURS, groups_of
from fer_core.faces import crop_squares
from fer_core.files import keep_newest, replacing
from fer_core.video.columns import LANDMARK_COLUMNS, SOURCE_TITLES, SOURCES
from fer_core.video.reasons import REASONS
from fer_core.video.store import Analysis
from fer_core.video.tiles import TILE, Buckets, Course, Pyramid
from fer_core.video.view import Lens, edited, prior_in_words

P_SCALE, SHARE_SCALE = 65535, 255
KEPT_VIEWS = 12
"""Outlines of views kept on disk."""
_OUTLINED = {
    "labels", "lines", "start_s", "end_s", "width_s", "levels", "frames", "chunks", "people", "overview",
}  # fmt: skip
OUTLINE = 2
"""Format of the outlines on disk; a change makes the old ones count for nothing."""
TILE_KINDS = {
    "seen": "u1", "mean": "u1", "low": "u1", "high": "u1", "raw": "u1", "doubtful": "u1", "differs": "u1",
    "lines": "u1", "reasons": "u2",
}  # fmt: skip
FRAME_KINDS = {
    "at": "u4", "p": "u2", "raw": "u2", "lines": "u2", "reasons": "u2", "differs": "u1", "source": "u1",
    "boxes": "f4", "landmarks": "f4", "squares": "f4", "detection": "f4",
}  # fmt: skip
"""Numbers of each array, little-endian; the player unpacks by these."""


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
    and ``baseline``, the median of each probability over the person's frames before smoothing.
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
        "codes": [{"name": reason.title, "text": reason.text} for reason in REASONS],
        "kinds": {"tile": TILE_KINDS, "frame": FRAME_KINDS},
        "sources": [SOURCE_TITLES[each] for each in SOURCES],
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
        if isinstance(found, dict) and found.keys() >= _OUTLINED:
            return found
    ready = prepared(analysis, lens)
    pyramid = ready.pyramid
    outline = {
        "labels": ready.labels,
        "lines": [
            {"name": line.name, "title": line.drawn, "unit": line.unit, "least": line.least, "most": line.most}
            for line in ready.lines
        ],
        "start_s": pyramid.start_s,
        "end_s": pyramid.end_s,
        "width_s": pyramid.width_s,
        "levels": len(pyramid.levels),
        "frames": len(pyramid.start),
        "chunks": _packed(pyramid.start[::TILE], "f8"),
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
    shares = [name for name in TILE_KINDS if name != "reasons" and (smoothed or name != "raw")]
    values = {name: _bytes(getattr(buckets, name)) for name in shares} | {"reasons": buckets.reasons}
    return {"n": len(buckets.seen)} | {name: _packed(each, TILE_KINDS[name]) for name, each in values.items()}


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
        "start": _packed(ready.pyramid.start[span], "f8"),
        "end": _packed(ready.pyramid.end[span], "f8"),
        "people": {
            str(track): _chunk(ready, track, part, margin=margin, smoothed=smoothed) for track, part in found.items()
        },
    }


def _chunk(ready: Prepared, track: int, part: slice, *, margin: float, smoothed: bool) -> dict[str, Any]:
    course, rows = ready.course(track), ready.table.iloc[ready.rows[track][part]]
    landmarks = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32)
    squares = crop_squares(landmarks.reshape(-1, 5, 2), margin)[:, :2]
    values = {
        "at": course.position[part],
        "p": np.rint(course.p[part] * P_SCALE),
        "raw": np.rint(course.raw[part] * P_SCALE),
        "lines": np.rint(course.lines[part] * P_SCALE),
        "boxes": rows[["x0", "y0", "x1", "y1"]].to_numpy(),
        "landmarks": landmarks,
        "squares": squares,
        "detection": rows["detection"].to_numpy(),
        "source": pd.Index(SOURCES).get_indexer(rows["source"]),
        "reasons": course.reasons[part],
        "differs": course.differs[part],
    }
    return {name: _packed(each, FRAME_KINDS[name]) for name, each in values.items() if smoothed or name != "raw"}


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
        prior=prior_in_words(analysis, lens.model),
    )  # fmt: skip


def _packed(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=f"<{kind}").tobytes()).decode()
