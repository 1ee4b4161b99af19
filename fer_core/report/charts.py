"""Drawings of a report that nothing else makes: means around marks, matrices, reliability, the map. SVG that also reads
in black and white."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fer_core.emotions import EMOTION_COLOURS, GROUP_COLOURS
from fer_core.report.html import Html, ReportPage
from fer_core.video.statistics import Around

_INK, _FAINT = "#1f2328", "#8c959f"
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 3", "10 4", "4 2 1 2", "12 3")
_SHAPES = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0", "M-3 3L0 -3L3 3Z", "M-3 -3h6v6h-6Z", "M-3 0L0 -3L3 0L0 3Z",
    "M-3 -3L3 3M-3 3L3 -3", "M-3 0h6M0 -3v6", "M-3 -3L0 3L3 -3Z", "M-3 0h6",
)  # fmt: skip


def colour_of(name: str) -> str:
    """Of an emotion or group."""
    return EMOTION_COLOURS.get(name) or GROUP_COLOURS.get(name) or _INK


def _svg(width: int, height: int, title: str, body: Iterator[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="12" fill="{_INK}">'
        + "".join(body)
        + "</svg>"
    )


def around_svg(course: Around, title: str) -> str:
    """Mean probabilities around events: a line for each emotion, of its own colour and dashes, named at its end."""
    width, height, left, right, top, bottom = 760, 260, 52, 100, 12, 34
    first, last = float(course.offset_s[0]), float(course.offset_s[-1])

    def x(offset_s: float) -> float:
        return left + (offset_s - first) / max(last - first, 1e-9) * (width - left - right)

    def y(share: float) -> float:
        return top + (1 - share) * (height - top - bottom)

    def body() -> Iterator[str]:
        for share in (0.0, 0.5, 1.0):
            yield f'<path d="M{left} {y(share):.1f}H{width - right}" stroke="{_FAINT}" stroke-width="0.6"/>'
            yield f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>'
        for offset_s in (first, 0.0, last):
            text = f"{offset_s:+g} s" if offset_s else "mark"
            yield f'<text x="{x(offset_s):.1f}" y="{height - 10}" text-anchor="middle">{text}</text>'
        yield f'<path d="M{x(0):.1f} {top}V{height - bottom}" stroke="{_INK}" stroke-dasharray="3 3"/>'
        ends: list[tuple[float, str, str]] = []
        for i, name in enumerate(course.labels):
            known = np.isfinite(course.mean[:, i])
            if not known.any():
                continue
            points = zip(course.offset_s[known], course.mean[known, i], strict=True)
            path = "L".join(f"{x(float(at)):.1f} {y(float(share)):.1f}" for at, share in points)
            colour = colour_of(name.removeprefix("p_"))
            yield (
                f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{_DASHES[i % len(_DASHES)]}"/>'
            )
            ends.append((y(float(course.mean[known, i][-1])), name.removeprefix("p_"), colour))
        yield from _named_ends(ends, width - right + 6, height - bottom)

    return _svg(width, height, title, body())


def _named_ends(ends: Sequence[tuple[float, str, str]], x: float, lowest: float) -> Iterator[str]:
    """Names beside the ends of lines, pushed apart until each has room."""
    at = sorted(ends)
    placed = [each[0] for each in at]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + 13)
    over = max(0.0, placed[-1] - lowest) if placed else 0.0
    for (_, name, _colour), where in zip(at, placed, strict=True):
        yield f'<text x="{x:g}" y="{where - over + 4:.1f}">{escape(name)}</text>'


def matrix_table(page: ReportPage, matrix: NDArray[np.integer], names: Sequence[str], caption: str) -> None:
    """A confusion matrix: rows are true, per cent of the row and counts, darker where more."""
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = ""
    for i, name in enumerate(names):
        cells = "".join(
            f'<td class="number" style="background:{_grey(share)}">{100 * share:.0f} %<br>{int(n):,}</td>'
            for share, n in zip(shares[i], matrix[i], strict=True)
        )
        rows += f'<tr><th scope="row">{escape(name)} ({int(totals[i]):,})</th>{cells}</tr>'
    head = f'<thead><tr><th scope="col">is ↓, taken for →</th>{head}</tr></thead>'
    page.wide(f"<table><caption>{escape(caption)}</caption>{head}<tbody>{rows}</tbody></table>", caption)


def _grey(share: float) -> str:
    level = round(255 - 105 * float(share))  # ink can be read on all of them
    return f"#{level:02x}{level:02x}{level:02x}"


def reliability_svg(bins: pd.DataFrame, title: str) -> str:
    """How often answers of each confidence are right; ``bins`` as of ``fer_core.evaluation.reliability``."""
    side, left, top = 300, 48, 10
    known = bins.dropna(subset=["confidence", "accuracy"])

    def x(value: float) -> float:
        return left + value * side

    def y(value: float) -> float:
        return top + (1 - value) * side

    def body() -> Iterator[str]:
        yield f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="{_FAINT}"/>'
        yield f'<path d="M{x(0)} {y(0)}L{x(1)} {y(1)}" stroke="{_FAINT}" stroke-dasharray="4 3"/>'
        for row in known.itertuples():
            radius = 2 + 9 * float(np.sqrt(row.n / max(known["n"].max(), 1)))
            yield (
                f'<circle cx="{x(row.confidence):.1f}" cy="{y(row.accuracy):.1f}" r="{radius:.1f}" fill="#fff" '
                f'stroke="{_INK}" stroke-width="1.6"/>'
            )
        for share in (0.0, 0.5, 1.0):
            yield f'<text x="{x(share):.0f}" y="{top + side + 16}" text-anchor="middle">{share:.0%}</text>'
            yield f'<text x="{left - 6}" y="{y(share) + 4:.0f}" text-anchor="end">{share:.0%}</text>'
        yield f'<text x="{x(0.5):.0f}" y="{top + side + 34}" text-anchor="middle">probability of the answer</text>'
        yield f'<text x="{x(1) + 8}" y="{y(0.97):.0f}">right</text>'

    return _svg(left + side + 60, top + side + 44, title, body())


def scatter_svg(points: NDArray[np.floating], names: Sequence[str], of: NDArray[np.integer], title: str) -> str:
    """Points (n, 2) of the classes ``of`` (n,), each class with its own colour and shape, and a legend."""
    side, left, top = 420, 8, 8
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    scaled = ((points - low) / np.maximum(high - low, 1e-9)).clip(0, 1)
    key = f"of{len(names)}"

    def body() -> Iterator[str]:
        yield f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="{_FAINT}"/>'
        for i, name in enumerate(names):
            own = scaled[of == i]
            yield f'<defs><path id="{key}-{i}" d="{_SHAPES[i % len(_SHAPES)]}"/></defs>'
            yield f'<g fill="none" stroke="{colour_of(name)}" stroke-width="1.1">'
            for x, y in own.tolist():
                at = f'x="{left + 6 + x * (side - 12):.0f}" y="{top + side - 6 - y * (side - 12):.0f}"'
                yield f'<use href="#{key}-{i}" {at}/>'
            y = top + 16 + 20 * i
            yield f'<use href="#{key}-{i}" x="{left + side + 20}" y="{y - 4}" stroke-width="1.6"/></g>'
            yield f'<text x="{left + side + 34}" y="{y}">{escape(name)} ({len(own):,})</text>'

    return _svg(left + side + 160, top + side + 8, title, body())


def bar(share: float) -> Html:
    """A share as a bar with its number, for a cell."""
    width = round(100 * min(max(share, 0.0), 1.0))
    return Html(
        f'<svg width="104" height="12" role="img" aria-label="{share:.1%}"><rect x="1" y="1" width="102" height="10" '
        f'fill="none" stroke="{_FAINT}"/><rect x="2" y="2" width="{width}" height="8" fill="{_INK}"/></svg> '
        f"{100 * share:.1f} %"
    )


__all__ = ["around_svg", "bar", "colour_of", "matrix_table", "reliability_svg", "scatter_svg"]
