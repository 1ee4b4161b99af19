"""One person's timeline as a drawing for papers: a self-contained SVG."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, GROUP_COLOURS, group_matrix, groups_of
from fer_core.errors import InputError
from fer_core.video.marks import Mark
from fer_core.video.statistics import check_span, row_times
from fer_core.video.timeline import labels_of_columns, score_columns, smooth

LEFT, RIGHT = 76, 28
HEADING, CHART, GAP, RIBBON, AXIS, LINE = 36, 240, 10, 40, 30, 18
MIN_WIDTH, MAX_WIDTH = 320, 10_000
MAX_LABEL_LINES = 6
_TICKS_S = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600,
    7200, 14_400, 43_200, 86_400,
)  # fmt: skip
_INK, _FAINT = "#1f2328", "#9aa0a6"
_HATCH = (
    '<defs><pattern id="unseen" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<path d="M0 0V6" stroke="{_FAINT}" stroke-width="1.5"/></pattern></defs>'
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Scale:
    """Where a time lies: the span fills ``width`` pixels from ``LEFT`` on."""

    start_s: float
    end_s: float
    width: int

    def x(self, time_s: float) -> float:
        inside = min(max(time_s, self.start_s), self.end_s)
        return LEFT + (inside - self.start_s) / (self.end_s - self.start_s) * self.width


@dataclass(frozen=True)
class _Placed:
    """A mark in the picture: from ``x0`` to ``x1`` (the same for a moment), its text at ``text_x`` in a line; line -1
    where there was no room for it."""

    mark: Mark
    x0: float
    x1: float
    text: str
    text_x: float
    line: int


def timeline_svg(
    timeline: pd.DataFrame,
    *,
    track: int,
    name: str,
    start_s: float,
    end_s: float,
    marks: Sequence[Mark] = (),
    width: int = 1200,
    smoothing_s: float = 0.0,
    title: str = "",
    group_map: Mapping[str, str] = DEFAULT_GROUP_MAP,
    prior: str = "",
) -> str:
    """A person's stacked probabilities in ``[start_s, end_s)`` and the groups' sums below, as SVG.

    ``timeline`` is the table without smoothing: it is smoothed here over ``smoothing_s`` seconds. The caption says so,
    and ``prior``, the words for the class prior that its probabilities are under. Each of the pixel columns shows the
    time-weighted mean of what is seen in it; it is hatched where the person is seen for less than half of it. Marks of
    this person and of all people are lines and bands; labels that find no room are counted in the caption. ``width`` is
    in pixels. Texts are cleaned and escaped; nothing is loaded from elsewhere.

    Raises:
        InputError: the span starts before 0 or is too short, another width than ``MIN_WIDTH`` to ``MAX_WIDTH``, an
            impossible smoothing or group map, or a picture, which has no course.
    """
    check_span(start_s, end_s)
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise InputError(f"A figure {width} pixels wide; expected {MIN_WIDTH} to {MAX_WIDTH:,}. Choose another width.")
    scale = _Scale(start_s, end_s, int(width) - LEFT - RIGHT)
    labels = labels_of_columns(score_columns(timeline))
    groups = groups_of(group_map)
    matrix = group_matrix(labels, group_map)
    means, seen = _columns(smooth(timeline, smoothing_s), track, scale)
    placed = _placed([mark for mark in marks if mark.track in (None, track)], scale)
    chart_top = HEADING + LINE * (1 + max((each.line for each in placed), default=-1))
    ribbon_top = chart_top + CHART + GAP
    legend_top = ribbon_top + RIBBON + AXIS
    legend, legend_height = _legend(labels, groups, legend_top, scale.width)
    caption, caption_height = _caption(name, smoothing_s, prior, placed, scale, legend_top + legend_height)
    body = [
        *_stack(means, [EMOTION_COLOURS[label] for label in labels], labels, "emotion", chart_top, CHART),
        *_names_on(means, labels, chart_top),
        *_stack((means @ matrix)[:, ::-1], [GROUP_COLOURS[group] for group in groups[::-1]], groups[::-1], "group",
                ribbon_top, RIBBON),
        *_hatched(seen < 0.5, [(chart_top, CHART), (ribbon_top, RIBBON)]),
        *_marks(placed, chart_top, ribbon_top + RIBBON),
        *_axes(scale, chart_top, ribbon_top),
        *legend,
        *caption,
    ]  # fmt: skip
    return _document(_clean(title) or _clean(name), body, int(width), legend_top + legend_height + caption_height)


def _document(heading: str, body: Sequence[str], width: int, height: float) -> str:
    shown = _shortened(heading, int((width - LEFT - RIGHT) / 9))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:g}" '
            f'viewBox="0 0 {width} {height:g}" role="img" font-family="sans-serif" font-size="12" fill="{_INK}">',
            f"<title>{escape(heading)}</title>",
            _HATCH,
            f'<rect width="{width}" height="{height:g}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="22" font-size="16" font-weight="bold">{escape(shown)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def _columns(timeline: pd.DataFrame, track: int, scale: _Scale) -> tuple[Floats, Floats]:
    """Mean probabilities (w, k) per pixel column over the time in which the person is seen in it, NaN where never; and
    the share (w,) of the column in which it is."""
    at, until = row_times(timeline)
    if len(at) and not (until > at).any():
        raise InputError("A single frame has no course over time; expected a video. Export its values as a table.")
    own = (timeline["track"] == track).to_numpy() & (until > scale.start_s) & (at < scale.end_s)
    values = timeline.loc[own, score_columns(timeline)].to_numpy(float)
    edges = np.linspace(scale.start_s, scale.end_s, scale.width + 1)
    sums = np.diff(_integral(at[own], until[own], values, edges), axis=0)
    seen = sums[:, -1] / np.diff(edges)
    means = np.divide(sums[:, :-1], sums[:, -1:], out=np.full_like(sums[:, :-1], np.nan), where=seen[:, None] > 1e-6)
    return means, seen


def _integral(start: Floats, end: Floats, values: Floats, edges: Floats) -> Floats:
    """Integral up to each edge (e, k + 1) of what is ``values`` (n, k) from ``start`` to ``end`` (n,); last, of 1."""
    weighted = np.column_stack([values, np.ones(len(values))]) * (end - start)[:, None]
    if not len(weighted):
        return np.zeros((len(edges), weighted.shape[1]))
    until = np.vstack([np.zeros(weighted.shape[1]), np.cumsum(weighted, axis=0)])
    knots = np.stack([start, end], axis=1).ravel()
    at_knots = np.stack([until[:-1], until[1:]], axis=1).reshape(len(knots), -1)
    return np.stack([np.interp(edges, knots, column) for column in at_knots.T], axis=1)


def _stack(
    shares: Floats, colours: Sequence[str], names: Sequence[str], kind: str, top: float, height: float
) -> Iterator[str]:
    """A path per name that has a visible share; the first lies at the bottom.

    Each area reaches down to the base and is covered by those before it, so that no seam of background shows.
    """
    heights = np.round(np.minimum(np.cumsum(shares, axis=1), 1.0) * height, 1)
    below = np.column_stack([np.zeros(len(heights)), heights[:, :-1]])
    for index in range(len(names) - 1, -1, -1):
        if (heights[:, index] > below[:, index]).any():
            path = _steps(heights[:, index], top + height)
            yield f'<path class="{kind}" fill="{colours[index]}" d="{path}"><title>{names[index]}</title></path>'


def _names_on(means: Floats, labels: Sequence[str], top: float) -> Iterator[str]:
    """The name of what is most probable for so long that there is room for it, so that no colour has to be known."""
    most = np.where(np.nan_to_num(means).max(axis=1) > 0.5, np.nan_to_num(means).argmax(axis=1), -1)
    below = np.cumsum(np.nan_to_num(means), axis=1) - np.nan_to_num(means)
    for index, name in enumerate(labels):
        for first, last in _runs(most == index):
            if last - first > _text_width(name) + 12:
                middle = float((below[first:last, index] + means[first:last, index] / 2).mean())
                yield (
                    f'<text class="name" x="{LEFT + (first + last) / 2:.1f}" y="{top + CHART * (1 - middle) + 4:.1f}" '
                    f'text-anchor="middle" stroke="#ffffff" stroke-width="3" paint-order="stroke">{name}</text>'
                )


def _steps(heights: Floats, base: float) -> str:
    """Path of columns of ``heights`` (w,) over ``base``, with a gap where they are NaN: two points per change."""
    path = []
    for first, last in _runs(~np.isnan(heights)):
        run = heights[first:last]
        starts = [0, *(np.flatnonzero(np.diff(run)) + 1).tolist()]
        pairs = zip(starts, [*starts[1:], len(run)], strict=True)
        top = "".join(f"V{base - run[start]:.1f}H{LEFT + first + end}" for start, end in pairs)
        path.append(f"M{LEFT + first} {base:g}{top}V{base:g}Z")
    return "".join(path)


def _runs(is_in: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last + 1 of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_in, [False]]).astype(int)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _hatched(is_unseen: NDArray[np.bool_], bands: Sequence[tuple[float, float]]) -> Iterator[str]:
    """Hatching over runs of columns, in each band (top, height)."""
    if runs := _runs(is_unseen):
        path = "".join(f"M{LEFT + a} {top:g}H{LEFT + b}v{height}H{LEFT + a}Z" for a, b in runs for top, height in bands)
        yield f'<path class="unseen" fill="url(#unseen)" d="{path}"/>'


def _placed(marks: Sequence[Mark], scale: _Scale) -> list[_Placed]:
    """The marks that reach into the span, in order, each in the first line where its text touches no other."""
    inside = [mark for mark in marks if _reaches_into(mark, scale)]
    free = [0.0] * MAX_LABEL_LINES
    placed = []
    for mark in sorted(inside, key=lambda each: each.start_s):
        x0 = scale.x(mark.start_s)
        text = _shortened(_clean(mark.label), 40)
        text_x = max(min(x0, LEFT + scale.width - _text_width(text)), LEFT)
        line = next((line for line, until in enumerate(free) if until <= text_x), -1)
        if line >= 0:
            free[line] = text_x + _text_width(text) + 8
        x1 = x0 if mark.end_s is None else scale.x(mark.end_s)
        placed.append(_Placed(mark, x0, x1, text, text_x, line))
    return placed


def _reaches_into(mark: Mark, scale: _Scale) -> bool:
    if mark.end_s is None:
        return scale.start_s <= mark.start_s < scale.end_s
    return mark.start_s < scale.end_s and mark.end_s > scale.start_s


def _marks(placed: Sequence[_Placed], chart_top: float, bottom: float) -> Iterator[str]:
    for each in placed:
        top = chart_top if each.line < 0 else HEADING + LINE * each.line + 2
        parts = [f"<title>{escape(_clean(each.mark.label))}</title>"]
        if each.x1 > each.x0:
            parts += [
                f'<rect x="{each.x0:.1f}" y="{chart_top}" width="{each.x1 - each.x0:.1f}" '
                f'height="{bottom - chart_top:g}" fill="{_INK}" fill-opacity="0.08"/>',
                f'<path d="M{each.x1:.1f} {chart_top}V{bottom:g}" stroke="{_INK}" stroke-dasharray="3 3"/>',
            ]
        parts += [f'<path d="M{each.x0:.1f} {top:g}V{bottom:g}" stroke="{_INK}"/>']
        if each.line >= 0:
            parts += [f'<text x="{each.text_x + 3:.1f}" y="{top + 11:g}" font-size="11">{escape(each.text)}</text>']
        yield f'<g class="mark">{"".join(parts)}</g>'


def _axes(scale: _Scale, chart_top: float, ribbon_top: float) -> Iterator[str]:
    """Percent at the left, times with round steps below."""
    for share in (0, 50, 100):
        y = chart_top + CHART * (1 - share / 100)
        yield f'<path d="M{LEFT - 4} {y:g}H{LEFT}" stroke="{_INK}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:g}" text-anchor="end">{share} %</text>'
    middle = chart_top + CHART / 2
    turned = f'transform="rotate(-90 16 {middle:g})" text-anchor="middle"'
    yield f'<text x="16" y="{middle:g}" {turned}>probability</text>'
    yield f'<text x="{LEFT - 8}" y="{ribbon_top + RIBBON / 2 + 4:g}" text-anchor="end">sums</text>'
    bottom = ribbon_top + RIBBON
    yield f'<path d="M{LEFT} {bottom:g}h{scale.width}" stroke="{_INK}"/>'
    for time_s, text in _ticks(scale):
        x = scale.x(time_s)
        yield f'<path d="M{x:.1f} {bottom:g}v5" stroke="{_INK}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{text}</text>'


def _ticks(scale: _Scale) -> list[tuple[float, str]]:
    """Round times at least 80 pixels apart, with their text."""
    least = (scale.end_s - scale.start_s) * 80 / scale.width
    step = next((step for step in _TICKS_S if step >= least), least)
    decimals = max(0, -math.floor(math.log10(step)))
    count = range(math.ceil(scale.start_s / step - 1e-6), math.floor(scale.end_s / step + 1e-6) + 1)
    return [(index * step, _clock(index * step, decimals)) for index in count]


def _clock(time_s: float, decimals: int) -> str:
    """``m:ss``, from an hour on ``h:mm:ss``."""
    minutes, seconds = divmod(round(time_s, decimals), 60)
    digits = f"{seconds:0{3 + decimals if decimals else 2}.{decimals}f}"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{digits}" if hours else f"{minutes}:{digits}"


def _legend(labels: Sequence[str], groups: Sequence[str], top: float, width: int) -> tuple[list[str], float]:
    """Emotions and the hatching, then on a line of its own the groups; with the height of it all."""
    rows = [[(EMOTION_COLOURS[label], label) for label in labels] + [("url(#unseen)", "not seen")]]
    rows += [[(GROUP_COLOURS[group], f"{group} (sum)") for group in groups]]
    parts, y = [], top + 10
    for items in rows:
        each_width = 20 + max(_text_width(text) for _, text in items) + 10
        per_line = max(1, int(width // each_width))
        for index, (fill, text) in enumerate(items):
            x, line_y = LEFT + index % per_line * each_width, y + index // per_line * LINE
            parts.append(f'<rect x="{x:g}" y="{line_y:g}" width="12" height="12" fill="{fill}" stroke="{_FAINT}"/>')
            parts.append(f'<text class="legend" x="{x + 18:g}" y="{line_y + 10:g}">{text}</text>')
        y += math.ceil(len(items) / per_line) * LINE
    return parts, y - top


def _caption(
    name: str, smoothing_s: float, prior: str, placed: Sequence[_Placed], scale: _Scale, top: float
) -> tuple[list[str], float]:
    """What is shown and how it was made, in lines that fit; with their height."""
    start, end = (_clock(time_s, 0 if time_s == round(time_s) else 2) for time_s in (scale.start_s, scale.end_s))
    smoothing = f"smoothed over {smoothing_s:g} s" if smoothing_s else "not smoothed"
    how = f"{smoothing}; {prior}" if prior else smoothing
    sentences = [f"{_clean(name)}, {start}–{end}, {how}. Hatched where seen for less than half of the time."]
    sentences += ["Shows measured facial expression, not inner feeling."]
    if hidden := sum(each.line < 0 for each in placed):
        sentences += [f"Labels of marks that found no room: {hidden}."]
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, scale.width // 6)]
    parts = [
        f'<text class="caption" x="{LEFT}" y="{top + 20 + 15 * index}" font-size="11">{escape(line)}</text>'
        for index, line in enumerate(lines)
    ]
    return parts, 26 + 15 * len(lines)


def _clean(text: str) -> str:
    """On one line, without what XML forbids: control characters, half characters and what is no character."""
    visible = "".join(
        letter
        for letter in text
        if letter.isspace() or not (unicodedata.category(letter) in ("Cc", "Cs") or letter in "\ufffe\uffff")
    )
    return " ".join(visible.split())


def _text_width(text: str) -> float:
    """Roughly the width in pixels at 11 to 12 pixels' size; an East Asian letter is twice as wide."""
    return 6.5 * sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
