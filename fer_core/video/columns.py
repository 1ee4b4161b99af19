"""The columns of a timeline, each declared once: tables, the data dictionary, exports, smoothing and the player ask
here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTIONS8
from fer_core.faces.records import LANDMARKS
from fer_core.signals import SIGNALS, Column, Seen, measured, viewed
from fer_core.signals.scores import DOUBTS, probability
from fer_core.video.reasons import REASONS

DETECTED, REFINED, MIDWAY = SOURCES = ("detected", "refined", "midway")
"""Where a box comes from, see ``fer_core.video.scan``."""
SOURCE_TITLES = {DETECTED: "found", REFINED: "checked", MIDWAY: "between detections"}
"""What pages call it."""
LANDMARK_COLUMNS = tuple(f"lm{i}_{axis}" for i in range(5) for axis in "xy")
FRAME = (
    Column("frame", "number of the frame, counted from the first of the file", "int32", least=0),
    Column("time_s", "presentation time of the frame in s, minus the start of the file", "float64", unit="s", least=0),
    Column(
        "track", "number of the person from 0; -1 in a frame without a face, whose other values are empty", "int32",
        least=-1,
    ),
    Column("lasts_s", "s for which the frame stands, where the file itself says so", "float64", unit="s", least=0),
)  # fmt: skip
PLACE = (
    *FRAME,
    Column("x0", "left edge of the box, px of the upright picture", unit="px"),
    Column("y0", "upper edge of the box, px", unit="px"),
    Column("x1", "right edge of the box, px", unit="px"),
    Column("y1", "lower edge of the box, px", unit="px"),
    Column(
        "detection",
        "how sure the detector is that this is a face, 0-1; every detector has its own scale",
        least=0,
        most=1,
    ),
    Column(
        "source",
        "where the box comes from: detected, refined, or midway (between neighbours, and seen there)",
        "string",
    ),
    *(Column(name, f"{name[-1]} of the {LANDMARKS[int(name[2])]}, px", unit="px") for name in LANDMARK_COLUMNS),
)
"""Where and when a face is; every detector gives them."""
PERSON = Column("person", "what the person is called", "string")
LABELS = (
    Column("emotion", "the most probable emotion", "string"),
    Column("group", "the group of the most probable emotion", "string"),
)
WHY = tuple(Column(f"why_{reason.code}", reason.text, "bool") for reason in REASONS)
USABLE = Column("usable", "whether none of the why_ columns holds", "bool")


def face_columns() -> list[str]:
    """What an analysis keeps of each face whatever the checkpoint: its place and the measured signals."""
    return [column.name for column in (*PLACE, *(column for signal in measured() for column in signal.columns))]


def all_columns() -> dict[str, Column]:
    """Every column that a timeline may have, by name."""
    signals = (column for signal in SIGNALS.values() for column in signal.columns)
    scores = (*map(probability, EMOTIONS8), *DOUBTS)
    return {column.name: column for column in (*PLACE, PERSON, *signals, *scores, *LABELS, *WHY, USABLE)}


def smoothed_columns(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that a smoothing window averages."""
    known = all_columns()
    return [name for name in names if name in known and known[name].smooths]


def averaged_columns(names: Iterable[str]) -> list[Column]:
    """Those of ``names`` whose means are told beside the emotions'."""
    known = all_columns()
    return [known[name] for name in names if name in known and known[name].averages]


def drawn_columns(names: Iterable[str]) -> list[Column]:
    """Those of ``names`` that have a line of their own in the player."""
    known = all_columns()
    return [known[name] for name in names if name in known and known[name].drawn]


def to_arrow(table: pd.DataFrame) -> pa.Table:
    """With the declared types in every part, also where a part has no face at all."""
    known = all_columns()
    types = {"string": pa.string(), "int32": pa.int32(), "float64": pa.float64(), "bool": pa.bool_()}
    fields = [pa.field(name, types.get(known[name].dtype, pa.float32())) for name in table.columns]
    return pa.Table.from_pandas(table, schema=pa.schema(fields), preserve_index=False, safe=False)


def with_signals(table: pd.DataFrame, groups: Mapping[str, str] = DEFAULT_GROUP_MAP) -> pd.DataFrame:
    """The table with float32 columns of the signals that are computed when somebody looks: in rows with a face, and
    NaN elsewhere. Signals are left out if the table lacks what they need."""
    at = (table["track"] >= 0).to_numpy()
    seen = seen_in(table[at], groups)
    found: dict[str, NDArray[np.float32]] = {}
    for signal in viewed():
        if seen.has(signal.needs):
            values = np.full((len(table), len(signal.columns)), np.nan, np.float32)
            values[at] = signal.of(seen)
            found |= dict(zip((column.name for column in signal.columns), values.T, strict=True))
    return table.assign(**found)


def seen_in(faces: pd.DataFrame, groups: Mapping[str, str] = DEFAULT_GROUP_MAP) -> Seen:
    """What a table tells of its n faces; it keeps no crops."""
    scores = [name for name in (f"p_{label}" for label in EMOTIONS8) if name in faces]
    has_landmarks = set(LANDMARK_COLUMNS) <= set(faces.columns)
    return Seen(
        landmarks=faces[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2) if has_landmarks else None,
        probabilities=faces[scores].to_numpy(np.float32) if scores else None,
        labels=tuple(name.removeprefix("p_") for name in scores),
        groups=groups,
    )
