"""Heatmaps along a video: on the face in the frame, at the frames' own times, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fer_core.errors import Cancelled, InputError, VideoError
from fer_core.explain import heatmaps, layers
from fer_core.faces import CropGeometry, Faces, crop_faces
from fer_core.faces.crops import crop_squares
from fer_core.models.classifier import Classifier
from fer_core.progress import Progress, Stage
from fer_core.video import why
from fer_core.video.annotate import Work, draw_heat, rewrite
from fer_core.video.columns import LANDMARK_COLUMNS
from fer_core.video.reader import Frame, VideoReader
from fer_core.video.store import Analysis

RGB = NDArray[np.uint8]


@pytest.fixture
def rows(analysis: Analysis) -> pd.DataFrame:
    table = analysis.timeline()
    return table[table["track"] == 0]


def frames_of(path: Path, **which: float) -> list[Frame]:
    with VideoReader(path) as reader:
        return list(reader.frames(**which))


def changed(one: Frame, other: Frame) -> NDArray[np.float64]:
    """How far two frames differ (h, w), smoothed against the coding's noise."""
    return np.asarray(cv2.blur(np.abs(one.image.astype(float) - other.image).mean(axis=2), (5, 5)))


def square_of(rows: pd.DataFrame, at: int, classifier: Classifier) -> NDArray[np.float64]:
    """The square (3, 2) that the face of one row is cut as."""
    landmarks = rows[list(LANDMARK_COLUMNS)].to_numpy(np.float32).reshape(-1, 5, 2)[at : at + 1]
    return crop_squares(landmarks, classifier.card.crop.margin)[0]


# --- drawing


SQUARES = {
    "upright": [[20, 30], [48, 0], [0, 48]],
    "turned": [[60, 20], [40, 30], [-30, 40]],
    "over the edge": [[-30, 50], [60, -20], [20, 60]],
}


@pytest.mark.parametrize("name", SQUARES)
def test_heat_is_drawn_on_the_square_and_nowhere_else(name: str) -> None:
    square = np.array(SQUARES[name], float)
    heat = np.zeros((48, 48), np.float32)
    heat[6:18, 24:42] = 1  # rows along the y axis, columns along the x axis
    found = draw_heat(np.full((120, 130, 3), 100, np.uint8), heat, square)
    y, x = np.mgrid[:120, :130] + 0.5
    from_origin = np.stack([x, y], axis=-1) - square[0]
    along = from_origin @ np.linalg.inv(square[1:])  # shares of the two axes
    cells = along * 48

    def within(grow: float) -> NDArray:
        columns, lines = cells[..., 0], cells[..., 1]
        return (columns > 24 - grow) & (columns < 42 + grow) & (lines > 6 - grow) & (lines < 18 + grow)

    unchanged = (found == 100).all(axis=2)
    assert within(-1.5).any() and not unchanged[within(-1.5)].any()
    assert unchanged[~within(1.5)].all()
    hottest = 0.8 * np.array([252, 255, 164]) + 0.2 * 100
    np.testing.assert_allclose(
        found[within(-2)].astype(float), np.broadcast_to(hottest, found[within(-2)].shape), atol=2
    )


def test_heat_outside_the_frame_changes_nothing() -> None:
    image, heat = np.full((40, 50, 3), 7, np.uint8), np.ones((8, 8), np.float32)
    for origin in ([60, 5], [-30, 5], [5, -30], [5, 45]):
        assert draw_heat(image, heat, np.array([origin, [20, 0], [0, 20]], float)) is image
    assert (image == 7).all()


def test_heat_is_put_back_where_the_crop_was_cut() -> None:
    """A crop of the drawn picture shows the heat as it was in the crop's own coordinates."""
    landmarks = np.array([[[120, 90], [170, 110], [136, 128], [104, 144], [150, 158]]], np.float32)
    faces = Faces(np.array([[80, 60, 200, 190]], np.float32), np.ones(1, np.float32), landmarks)
    heat = cv2.GaussianBlur(np.random.default_rng(0).random((48, 48)).astype(np.float32), (0, 0), 3)
    heat = (heat - heat.min()) / (heat.max() - heat.min())
    drawn = draw_heat(np.zeros((260, 300, 3), np.uint8), heat, crop_squares(landmarks, 1.2)[0])
    back = crop_faces(drawn, faces, CropGeometry(size=48, margin=1.2))[0, 2:-2, 2:-2].sum(axis=2)
    assert np.corrcoef(back.ravel(), (heat[2:-2, 2:-2] ** 2).ravel())[0, 1] > 0.95


# --- clips


def test_a_clip_shows_the_heat_on_the_face_and_nothing_elsewhere(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier
) -> None:
    """Frames 2 to 5 and 10, 11 show the face; in 6 to 9 it is covered."""
    told: list[Progress] = []
    how = {"start_s": 0.15, "end_s": 1.35}
    out = why.explained_clip(clip, rows, classifier, tmp_path / "heat.mp4", **how, target="happy", progress=told.append)
    assert out == tmp_path / "heat.mp4" and list(tmp_path.iterdir()) == [out]
    plain = rewrite(clip, tmp_path / "plain.mp4", lambda frame: frame.image, Work(Stage("writing"), **how))
    found, coded = frames_of(out), frames_of(plain)
    times = np.array([0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.3]) - 0.2
    np.testing.assert_allclose([frame.time_s for frame in found], times, atol=1e-3)
    with VideoReader(out) as reader:
        assert (reader.info.codec, reader.info.has_audio, reader.info.plays_in_browser) == ("h264", True, True)
    crops = why.face_crops(clip, rows.iloc[2:3], classifier)
    (heat,) = heatmaps(classifier, crops, "happy")
    square, black = square_of(rows, 2, classifier), np.zeros_like(found[0].image)
    where = draw_heat(black, heat, square).max(axis=2)
    difference = changed(found[0], coded[0])
    assert difference[where > 150].mean() > 25 and (where > 150).sum() > 100
    wanted = Frame(0, 0.0, draw_heat(coded[0].image, heat, square))
    assert changed(found[0], wanted).max() < 15 and changed(coded[0], wanted).max() > 50
    far = cv2.dilate((where > 0).astype(np.uint8), np.ones((25, 25))) == 0
    assert far.mean() > 0.3 and difference[far].max() < 8 and difference[far].mean() < 1.5
    for covered in range(4, 8):
        assert changed(found[covered], coded[covered]).max() < 10
    shares = [now.share for now in told]
    assert shares == sorted(shares) and shares[0] >= 0 and 0.8 < shares[-1] <= 1
    assert {now.stage for now in told} == {"explaining"}


def test_heat_stays_for_the_frames_that_a_face_stands_for(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier
) -> None:
    """As if every second frame had been analysed, and the face not been seen after the fourth."""
    sparse = rows[rows["frame"].isin([0, 2, 4])]
    out = why.explained_clip(clip, sparse, classifier, tmp_path / "heat.mp4", start_s=0.0, end_s=1.45, target="happy")
    differs = [changed(*pair).max() > 40 for pair in zip(frames_of(out), frames_of(clip, end_s=1.45), strict=True)]
    assert differs == [True] * 6 + [False] * 7


def test_a_clip_of_a_group_by_another_layer(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier
) -> None:
    group, layer = ("happy", "surprise"), layers(classifier)[0]
    found = why.explain(clip, rows.iloc[:2], classifier, target=group, layer=layer)
    assert found.targets == (group, group) and found.maps.shape == (2, 48, 48)
    np.testing.assert_allclose(found.maps, heatmaps(classifier, found.crops, group, layer=layer), atol=5e-3)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1, atol=1e-5)
    other = why.explain(clip, rows.iloc[:2], classifier, target=group)
    assert np.abs(other.maps - found.maps).max() > 0.1


@pytest.mark.parametrize(("after", "is_writing"), [(0, False), (16, False), (20, True)])
def test_stopping_leaves_no_file(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier, after: int, is_writing: bool
) -> None:
    """While the 16 frames are read, while the faces are explained, and while the clip is written."""
    files: list[int] = []

    def should_stop() -> bool:
        files.append(len(list(tmp_path.iterdir())))
        return len(files) > after

    with pytest.raises(Cancelled):
        why.explained_clip(
            clip, rows, classifier, tmp_path / "heat.mp4", start_s=0.0, end_s=3.0, should_stop=should_stop
        )
    assert (files[-1] > 0) == is_writing
    assert list(tmp_path.iterdir()) == []


def test_a_clip_replaces_an_older_one_only_when_it_is_whole(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier
) -> None:
    out = tmp_path / "heat.mp4"
    out.write_bytes(b"old")
    with pytest.raises(VideoError, match="does not hold the frames"):
        why.explained_clip(clip, rows.assign(time_s=rows["time_s"] + 0.03), classifier, out, start_s=0.0, end_s=1.0)
    assert out.read_bytes() == b"old" and list(tmp_path.iterdir()) == [out]


def test_impossible_clips_say_what_to_do(
    tmp_path: Path, clip: Path, rows: pd.DataFrame, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(start_s: float, end_s: float, **how: str) -> None:
        why.explained_clip(clip, rows, classifier, tmp_path / "heat.mp4", start_s=start_s, end_s=end_s, **how)

    with pytest.raises(InputError, match=r"not seen from 0\.70 to 1\.10 s\. Choose another range"):
        ask(0.7, 1.1)
    with pytest.raises(InputError, match="knows no 'joy'"):
        ask(0.0, 1.0, target="joy")
    with pytest.raises(InputError, match="Unknown method"):
        ask(0.0, 1.0, method="lime")
    with pytest.raises(InputError, match="no layer 'head'"):
        ask(0.0, 1.0, layer="head")
    monkeypatch.setattr(why, "MAX_CLIP_FACES", 5)
    with pytest.raises(InputError, match=r"seen on 6 frames from 0\.00 to 1\.00 s; at most 5 .*shorter range"):
        ask(0.0, 1.0)
    assert list(tmp_path.iterdir()) == []


# --- what cannot be explained


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda table: table[table["track"] == 99], "There is no face to explain"),
        (lambda table: table[table["track"] == 0].drop(columns="detection"), "the column detection is not among"),
        (lambda table: table[table["track"] == 0].iloc[::-1], "sort by time_s"),
        (lambda table: table[table["track"] == 0].assign(track=-1), "leave out those with track -1"),
        (lambda table: table[[c for c in table if not c.startswith("p_")]].query("track == 0"), "say what to explain"),
    ],
)
def test_rows_that_cannot_be_explained_are_said(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], words: str, clip: Path, analysis: Analysis, classifier: Classifier
) -> None:
    with pytest.raises(InputError, match=words):
        why.explain(clip, spoil(analysis.timeline()), classifier)


def test_faces_of_nobody_and_no_faces_are_said(clip: Path, analysis: Analysis, classifier: Classifier) -> None:
    table = analysis.timeline()
    with pytest.raises(InputError, match="There is no face to explain"):
        why.face_crops(clip, table[table["track"] == 99], classifier)
    with pytest.raises(InputError, match="Person 100 is not seen"):
        why.faces_between(table, track=99, start_s=0.0, end_s=1.0)
    with pytest.raises(InputError, match="1 face or more"):
        why.faces_between(table, track=0, start_s=0.0, end_s=1.0, n=0)


def test_what_was_explained_is_one_line(clip: Path, rows: pd.DataFrame, classifier: Classifier) -> None:
    found = why.explain(clip, rows.iloc[:2], classifier, target=("happy", "neutral"))
    side = classifier.card.crop.size
    assert repr(found) == f"<Explained: 2 faces of {side} px with their maps, why happy+neutral>"
