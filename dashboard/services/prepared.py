"""An analysis through one lens, ready to be cut into tiles and chunks, and kept between requests."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import FerError, InputError
from fer_core.signals import Column
from fer_core.video.columns import drawn_columns, with_signals
from fer_core.video.reasons import REASONS
from fer_core.video.store import Analysis
from fer_core.video.tiles import Course, Pyramid
from fer_core.video.timeline import frame_steps, labels_of_columns, score_columns, smooth_scores
from fer_core.video.trust import reasons
from fer_core.video.view import Lens, differing, edited, opinions, priors_in_force

KEPT = 3
"""Analyses held in memory, each about 250 bytes per face and frame."""
JUMPS = ("change", "disagreement", "doubt")


@dataclass(frozen=True)
class Prepared:
    """An analysis through one lens, ready to be cut into tiles and chunks. ``rows`` are the rows of ``table`` of each
    person, in the order of the person's course; ``lines`` are the columns that have a line of their own."""

    labels: tuple[str, ...]
    lines: tuple[Column, ...]
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


def forget(analysis_id: str) -> None:
    """Keep nothing of an analysis that is deleted."""
    with _lock:
        for key in [key for key in _cache if Path(key[0]).name == analysis_id]:
            del _cache[key]


def version(analysis: Analysis) -> str:
    """Another one after every edit that changes the table; names and marks do not. 12 hex digits."""
    state, table = analysis.state, analysis.folder / "timeline.parquet"
    prior = [[name, tau, prior.shares] for name, (prior, tau) in priors_in_force(analysis).items()]
    written = table.stat().st_mtime if table.is_file() else 0
    said = [state.steps, prior, dict(state.groups), asdict(state.limits), written]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def _prepare(analysis: Analysis, lens: Lens) -> Prepared:
    raw = edited(analysis, lens.model)
    table = with_signals(smooth_scores(raw, lens.smoothing_s), analysis.state.groups)
    source, columns = analysis.record["source"], score_columns(table)
    times, lasts = frame_steps(table)
    why = reasons(table, width=source["width"], height=source["height"], limits=analysis.state.limits)
    several = len(analysis.models) > 1
    differs = np.stack([differing(each) for each in opinions(analysis, lens.smoothing_s)], axis=1) if several else None
    shown, measured = (each[columns].to_numpy(np.float32) for each in (table, raw))
    drawn = drawn_columns(table.columns)
    lines = _shares(table, drawn)
    doubtful, bits = np.asarray(why.any(axis=1)), why @ (1 << np.arange(len(REASONS)))
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
                lines=lines[own],
            )
        )
    pyramid = Pyramid(times, times + lasts, courses)
    _ = pyramid.levels  # now, not when several requests ask for it at once
    return Prepared(labels_of_columns(columns), tuple(drawn), pyramid, table, rows)


def _shares(table: pd.DataFrame, columns: list[Column]) -> NDArray[np.float32]:
    """Values of columns as shares 0-1 of their range, (n, m); unknown ones are 0."""
    shares = [(table[each.name].to_numpy(np.float32) - each.least) / (each.most - each.least) for each in columns]
    return np.nan_to_num(np.stack(shares, axis=1)) if shares else np.zeros((len(table), 0), np.float32)
