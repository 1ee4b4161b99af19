"""The faces of an analysed video as a path through a map of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.services import places
from fer_core.errors import StoreError
from fer_core.models.folders import checkpoint_named
from fer_core.models.reference import load_reference
from fer_core.video.store import Analysis

if TYPE_CHECKING:
    from fer_core.embeddings import Map
    from fer_core.evaluation import Evaluation


@dataclass(frozen=True, eq=False)
class VideoPath:
    """Faces of one person in order of time, m of them.

    Attributes:
        name: of the video and the person.
        positions: float32 (m, dimensions) on the map.
        times_s: float (m,).
        far: bool (m,), farther from the training pictures than 99 % of those; all False if that is not known.
        answers: int (m,), index of the top emotion among the checkpoint's labels.
    """

    name: str
    positions: NDArray[np.float32]
    times_s: NDArray[np.float64]
    far: NDArray[np.bool_]
    answers: NDArray[np.int64]


def videos_seen_by(checkpoint: str) -> dict[tuple[str, int], str]:
    """People in videos whose features come from this checkpoint: (analysis, person) with a name for both."""
    return {
        (each.id, int(person["track"])): f"{each.name}, person {int(person['track']) + 1}"
        for each in places.store().all()
        if isinstance(each, Analysis) and each.models[0] == checkpoint and not each.record["source"]["is_picture"]
        for person in each.people
    }


def video_path(video: tuple[str, int], checkpoint: str, evaluation: Evaluation, made: Map) -> VideoPath:
    """A person's faces on a map of an evaluation's features. People count as they were measured, before edits.

    Raises:
        StoreError: the analysis is gone, or its features are.
    """
    analysis, track = places.store().open(video[0]), video[1]
    path = analysis.folder / "features.parquet"
    if not path.is_file():
        raise StoreError("The features of this analysis are missing. Analyse the video again.")
    try:
        table = pd.read_parquet(path)
        table = table[table["track"] == track].sort_values("time_s")
    except (OSError, ValueError, KeyError) as error:
        raise StoreError("The features of this analysis are damaged. Analyse the video again.") from error
    features = table.filter(regex=r"^f_\d+$").to_numpy(np.float32)
    if not len(features) or features.shape[1] != evaluation.features.shape[1]:
        raise StoreError("This video's features do not fit the map. Analyse it again with this checkpoint.")
    positions, _ = made.place(features, evaluation.features)
    reference = load_reference(checkpoint_named(checkpoint))
    far = reference.distance(features) > 1 if reference else np.zeros(len(features), bool)
    return VideoPath(
        f"{analysis.name}, person {track + 1}",
        positions,
        table["time_s"].to_numpy(float),
        far,
        _answers(analysis, table),
    )


def _answers(analysis: Analysis, table: pd.DataFrame) -> NDArray[np.int64]:
    scores = analysis.scores(analysis.models[0])
    columns = [name for name in scores.columns if name.startswith("p_")]
    found = table[["frame", "track"]].merge(scores, on=["frame", "track"], how="left")
    return found[columns].fillna(0.0).to_numpy(float).argmax(axis=1)
