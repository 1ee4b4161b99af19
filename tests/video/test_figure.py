"""The drawing for papers: what it shows, read back from the SVG."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, EMOTIONS, GROUP_COLOURS
from fer_core.errors import InputError
from fer_core.video.figure import CHART, LEFT, RIGHT, timeline_svg
from fer_core.video.marks import Mark
from fer_core.video.timeline import with_labels
from tests.support.tables import table

SVG = "{http://www.w3.org/2000/svg}"
WIDTH = LEFT + 400 + RIGHT


@pytest.fixture
def story() -> pd.DataFrame:
    """Happy 0.75 for 0.1 s, sad for 0.3 s, nobody for 0.6 s; the other person is there throughout."""
    return table(
        [(0, 0.0, 0, {"happy": 0.75}), (0, 0.0, 1, {"fear": 1.0}), (1, 0.1, 0, {"sad": 1.0}), (1, 0.1, 1, {}),
         (2, 0.4, 1, {}), (3, 1.0, 1, {})]
    )  # fmt: skip


def draw(timeline: pd.DataFrame, **changes: object) -> ElementTree.Element:
    settings = {"track": 0, "name": "Ann", "start_s": 0.0, "end_s": 1.0, "width": WIDTH} | changes
    return ElementTree.fromstring(timeline_svg(timeline, **settings))


def of_class(svg: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [each for each in svg.iter() if each.get("class") == kind]


def names(svg: ElementTree.Element, kind: str) -> list[str]:
    return [each.findtext(f"{SVG}title", "") for each in of_class(svg, kind)]


def texts(svg: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in svg.iter(f"{SVG}text")]


def test_a_path_per_shown_emotion_where_it_belongs(story: pd.DataFrame) -> None:
    """400 columns for 1 s: happy up to 75 % and neutral above it until 40, sad to the top from there until 160."""
    svg = draw(story)
    assert sorted(names(svg, "emotion")) == ["happy", "neutral", "sad"]
    paths = dict(zip(names(svg, "emotion"), of_class(svg, "emotion"), strict=True))
    assert all(path.get("fill") == EMOTION_COLOURS[name] for name, path in paths.items())
    top = float(paths["sad"].get("d", "").split("V")[-2].split("H")[0])
    x = LEFT
    assert paths["happy"].get("d") == (
        f"M{x} {top + CHART:g}V{top + CHART / 4:.1f}H{x + 40}V{top + CHART:.1f}H{x + 160}V{top + CHART:g}Z"
    )
    assert paths["neutral"].get("d") == f"M{x} {top + CHART:g}V{top:.1f}H{x + 160}V{top + CHART:g}Z"
    assert sorted(names(svg, "group")) == ["negative", "neutral", "positive"]
    (unseen,) = of_class(svg, "unseen")
    assert unseen.get("d", "").startswith(f"M{x + 160} {top:g}H{x + 400}v{CHART}H{x + 160}Z")


def test_a_column_is_the_mean_over_time() -> None:
    """Within each of 400 columns, fear for 3 ms and happy for 1 ms: 75 % fear everywhere."""
    times = np.stack([np.arange(400) * 0.004, np.arange(400) * 0.004 + 0.003], axis=1).ravel()
    rows = table([(i, t, 0, {"fear": 1.0} if i % 2 == 0 else {"happy": 1.0}) for i, t in enumerate(times)])
    svg = draw(rows, end_s=1.6)
    path = of_class(svg, "emotion")[names(svg, "emotion").index("fear")].get("d", "")
    base = float(path.split()[1].split("V")[0])
    heights = [base - float(y) for y in re.findall(r"V([0-9.]+)H", path)]
    np.testing.assert_allclose(heights, 0.75 * CHART, atol=0.6)


def test_a_column_that_is_mostly_unseen_keeps_its_colour_under_the_hatching() -> None:
    """Columns of 4 ms: seen for 1 ms in the first half of them, for 3 ms in the second."""
    starts = np.arange(400) * 0.004
    ends = starts + np.where(starts < 0.8, 0.001, 0.003)
    rows = [(2 * i + j, t, -j, {"fear": 1.0}) for i in range(400) for j, t in enumerate((starts[i], ends[i]))]
    svg = draw(table(rows), end_s=1.6)
    (unseen,) = of_class(svg, "unseen")
    assert f"H{LEFT + 200}v{CHART}H{LEFT}Z" in unseen.get("d", "") and unseen.get("d", "").count("Z") == 2
    assert f"H{LEFT + 400}V" in of_class(svg, "emotion")[0].get("d", "")


def test_groups_follow_the_map(story: pd.DataFrame) -> None:
    amazed = with_labels(story.assign(p_surprise=story["p_happy"], p_happy=np.float32(0)))
    assert sorted(names(draw(amazed), "group")) == ["negative", "neutral"]
    svg = draw(amazed, group_map={**DEFAULT_GROUP_MAP, "surprise": "surprise"})
    own = of_class(svg, "group")[names(svg, "group").index("surprise")]
    assert own.get("fill") == GROUP_COLOURS["surprise"]
    with pytest.raises(InputError, match="The group of 'surprise'"):
        draw(amazed, group_map={**DEFAULT_GROUP_MAP, "surprise": "other"})


def test_smoothing_is_applied_and_said(story: pd.DataFrame) -> None:
    def happy(svg: ElementTree.Element) -> str:
        return of_class(svg, "emotion")[names(svg, "emotion").index("happy")].get("d", "")

    plain, smoothed = draw(story), draw(story, smoothing_s=0.5)
    assert happy(plain) != happy(smoothed)
    assert "Ann, 0:00–0:01, not smoothed." in " ".join(texts(plain))
    assert "Ann, 0:00–0:01, smoothed over 0.5 s." in " ".join(texts(smoothed))
    assert "measured facial expression, not inner feeling" in " ".join(texts(plain))


def test_marks_are_lines_and_bands_with_labels(story: pd.DataFrame) -> None:
    marks = [
        Mark("a", "question", start_s=0.25),
        Mark("b", "film", start_s=0.5, end_s=3.0, track=0),
        Mark("c", "of somebody else", start_s=0.5, track=1),
        Mark("d", "over before", start_s=0.0, end_s=0.2),
        Mark("e", "later", start_s=1.0),
    ]
    svg = draw(story, marks=marks, start_s=0.2)
    line, band = of_class(svg, "mark")
    assert names(svg, "mark") == ["question", "film"] and line.findtext(f"{SVG}text") == "question"
    assert line.find(f"{SVG}rect") is None and line.find(f"{SVG}path").get("d").startswith(f"M{LEFT + 25:.1f} ")
    area = band.find(f"{SVG}rect")
    assert (float(area.get("x")), float(area.get("width"))) == (LEFT + 150, 250)


def test_labels_share_lines_only_where_they_do_not_touch(story: pd.DataFrame) -> None:
    marks = [Mark(str(i), "a label of some length", start_s=i / 1000) for i in range(9)]
    svg = draw(story, marks=[*marks, Mark("far", "far", start_s=0.9)])
    shown = [each for each in of_class(svg, "mark") if each.find(f"{SVG}text") is not None]
    heights = [float(each.find(f"{SVG}text").get("y")) for each in shown]
    assert len(of_class(svg, "mark")) == 10 and len(set(heights[:6])) == 6 and heights[6] == heights[0]
    assert "Labels of marks that found no room: 3." in texts(svg)


@pytest.mark.parametrize(
    ("start_s", "end_s", "ticks"),
    [
        (0.0, 1.0, ["0:00.0", "0:00.2", "0:00.4", "0:00.6", "0:00.8", "0:01.0"]),
        (57.0, 63.5, ["0:58", "1:00", "1:02"]),
        (3000.0, 4300.0, ["50:00", "55:00", "1:00:00", "1:05:00", "1:10:00"]),
        (0.0, 400_000.0, ["0:00", "24:00:00", "48:00:00", "72:00:00", "96:00:00"]),
    ],
)
def test_ticks_are_round(story: pd.DataFrame, start_s: float, end_s: float, ticks: list[str]) -> None:
    found = [each.text for each in of_class(draw(story, start_s=start_s, end_s=end_s), "tick")]
    assert found == ticks


HOSTILE = "<script>alert('1')</script> \"quoted\" & ]]> \x00\x1b[31m \ud800 \uffff &#0;"


def test_hostile_texts_stay_texts(story: pd.DataFrame) -> None:
    mark = Mark("m", HOSTILE[:110], start_s=0.5)
    text = timeline_svg(story, track=0, name=HOSTILE, title=HOSTILE, start_s=0, end_s=1, marks=[mark], width=1200)
    svg = ElementTree.fromstring(text.encode("utf-8"))
    assert "<script" not in text and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    known = {"svg", "title", "defs", "pattern", "path", "rect", "text", "g"}
    assert {each.tag.removeprefix(SVG) for each in svg.iter()} <= known
    assert svg.findtext(f"{SVG}title").startswith("<script>alert('1')</script> \"quoted\" & ]]>")
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_nobody_and_no_rows_are_hatched_throughout(story: pd.DataFrame) -> None:
    for rows, track in ((story, 7), (story.iloc[:0], 0)):
        svg = draw(rows, track=track)
        assert of_class(svg, "emotion") == [] and of_class(svg, "group") == []
        assert f"H{LEFT + 400}v{CHART}H{LEFT}Z" in of_class(svg, "unseen")[0].get("d", "")
        assert [each.text for each in of_class(svg, "legend")][:7] == list(EMOTIONS)


def test_what_cannot_be_drawn_is_refused(story: pd.DataFrame) -> None:
    for changes in ({"end_s": 0.0}, {"start_s": -1.0}, {"width": 100}, {"width": 10**6}, {"smoothing_s": -1.0}):
        with pytest.raises(InputError):
            draw(story, **changes)
    with pytest.raises(InputError, match="A single frame has no course"):
        draw(story.iloc[:1])


def test_two_hours_stay_small() -> None:
    n = 216_000
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), n).astype(np.float32)
    rows = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in EMOTIONS])
    rows = with_labels(rows.assign(frame=np.arange(n), time_s=np.arange(n) / 30, track=0))
    text = timeline_svg(rows, track=0, name="Ann", start_s=0, end_s=7200, width=1200)
    assert len(text) < 250_000
    for path in of_class(ElementTree.fromstring(text), "emotion"):
        assert path.get("d", "").count("H") <= 1200
