"""What a report shows of an analysis, and the key frames in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.errors import FerError, InputError
from fer_core.report.html import ReportPage
from fer_core.video.annotate import FacesAt, blur_faces, draw_faces
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.reader import VideoReader
from fer_core.video.store import Analysis
from fer_core.video.timeline import person_name, score_columns
from fer_core.video.view import Lens

MAX_FRAMES, MAX_FRAME_PX = 6, 640


@dataclass(frozen=True)
class Reported:
    """An analysis, as it is seen through a lens, and its table."""

    analysis: Analysis
    lens: Lens
    table: pd.DataFrame

    @property
    def people(self) -> list[int]:
        """The people in the table, the longest seen first."""
        return [int(track) for track in self.table.loc[self.table["track"] >= 0, "track"].value_counts().index]

    def name_of(self, track: int) -> str:
        """What a person is called."""
        return person_name(track, self.analysis.state.names)


def _same(video: Path, analysis: Analysis) -> Path:
    """A file, if it is the one that was analysed."""
    told = analysis.record["source"]
    if told.get("sha256") and Fingerprint.of(video, video.name, lambda: True).sha256 != told["sha256"]:
        raise InputError(f"{video.name} is not the file that was analysed ({told['name']}). Choose that one.")
    return video


def key_frames(page: ReportPage, shown: Reported, frames: str, video: Path | None = None) -> None:
    """Add them: faces blurred, plain, or no key frame at all (see ``fer_core.report.FRAMES``).

    Raises:
        InputError: ``video`` is not the file that was analysed.
    """
    if frames == "none" or not shown.people:
        return
    source = shown.analysis.source() if video is None else _same(video, shown.analysis)
    page.heading("Key frames")
    if source is None:
        page.say("The video is not kept with this analysis, so there are no pictures.")
        return
    moments = key_moments(shown.table)
    try:
        page.pictures(_drawn(shown, source, moments, frames))
    except (FerError, OSError) as error:
        page.say(f"No picture could be taken from the video: {error}")
        return
    hidden = (
        "Faces are blurred where the detector found one; look before you pass this on." if frames == "blurred" else ""
    )
    page.say(f"The clearest moment of each of the most frequent expressions. {hidden}".strip(), "small")


def key_moments(table: pd.DataFrame) -> list[float]:
    """Up to ``MAX_FRAMES`` times in s, rising: of each emotion that was shown, the longest first, the row in which it
    is most probable; usable rows before others."""
    seen = table[table["track"] >= 0]
    if seen.empty:
        return []
    top = seen[score_columns(seen)].max(axis=1)
    rank = seen.assign(top=top).sort_values(["usable", "top", "time_s"], ascending=[False, False, True], kind="stable")
    best = rank.drop_duplicates("emotion").set_index("emotion")["time_s"]
    order = [name for name in seen["emotion"].value_counts().index if name in best.index][:MAX_FRAMES]
    return sorted({float(best[name]) for name in order})


def _drawn(shown: Reported, source: Path, moments: list[float], frames: str) -> Iterator[tuple[NDArray[np.uint8], str]]:
    analysis = shown.analysis
    raw = analysis.timeline(["frame", "time_s", "track", "x0", "y0", "x1", "y1"])
    others = analysis.left_out()
    faces = FacesAt(raw if others is None else pd.concat([raw, others]))
    with VideoReader(source, track=analysis.record["settings"].get("track")) as reader:
        for time_s in moments:
            frame = next(iter(reader.frames(start_s=max(time_s - 1e-4, 0.0))), None)
            if frame is None:
                continue
            rows = shown.table[(shown.table["track"] >= 0) & ((shown.table["time_s"] - time_s).abs() < 1e-4)]
            image = frame.image
            if frames == "blurred":
                image = blur_faces(image, faces.around(time_s))
            names = {track: shown.name_of(track) for track in shown.people}
            said = ", ".join(f"{names[int(row.track)]}: {row.emotion}" for row in rows.itertuples())
            yield _smaller(draw_faces(image, rows, names)), f"{clock(time_s)}, {said}"


def _smaller(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = MAX_FRAME_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def clock(time_s: float) -> str:
    """``1:02.50``."""
    minutes, seconds = divmod(round(time_s, 2), 60)
    return f"{int(minutes)}:{seconds:05.2f}"


__all__ = ["Reported", "clock", "key_frames", "key_moments"]
