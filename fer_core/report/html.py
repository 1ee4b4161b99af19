"""The page of a report: one file without a script or a request, made of plain parts that escape what they are given."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; margin: 0 auto; padding: 24px;
  max-width: 960px }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px }
h2 { font-size: 19px; margin: 30px 0 8px; border-bottom: 1px solid #8c959f; padding-bottom: 3px }
h3 { font-size: 15px; margin: 18px 0 6px }
p { margin: 6px 0; max-width: 75ch }
h1, h2, h3, p, li { overflow-wrap: anywhere }
.small { font-size: 13px; color: #424a53 }
.note { border-left: 4px solid #1f2328; padding: 2px 12px; margin: 10px 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 8px 0; font-size: 13px }
caption { text-align: left; font-weight: 600; padding: 4px 0 }
th, td { border: 1px solid #8c959f; padding: 3px 7px; text-align: left; vertical-align: top }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
th { background: #eef1f4 }
figure { margin: 10px 0; break-inside: avoid }
figcaption { font-size: 13px; color: #424a53 }
.frames { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 12px }
.frames.small { grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)) }
.frames figure { margin: 0 }
img, svg { max-width: 100%; height: auto }
ul { margin: 6px 0; padding-left: 22px }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere }
pre { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; background: #f2f4f6;
  padding: 8px }
@page { size: A4; margin: 16mm }
@media print { body { padding: 0; max-width: none; font-size: 11pt } tr, figure, .note { break-inside: avoid }
  h2, h3, caption { break-after: avoid } thead { display: table-header-group } .wide { overflow: visible }
  table { font-size: 9pt } }
"""
SMALL_PX = 130
_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Html:
    """Text that is HTML already; everything else is escaped."""

    text: str


Cell = str | int | float | Html | None


@dataclass
class ReportPage:
    """A page in the making: what is added stands below what is there."""

    title: str
    language: str = "en"
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str, level: int = 2) -> None:
        """A heading of a level."""
        self.parts.append(f"<h{level}>{escape(text)}</h{level}>")

    def say(self, text: str | Html, kind: str = "") -> None:
        """A paragraph; ``kind`` is ``small`` or ``note``."""
        self.parts.append(f"<p{f' class={kind}' if kind else ''}>{_shown(text)}</p>")

    def items(self, texts: Iterable[str | Html]) -> None:
        """A list."""
        self.parts.append("<ul>" + "".join(f"<li>{_shown(text)}</li>" for text in texts) + "</ul>")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> None:
        """A table with a head; numbers stand at the right."""
        lines = [list(row) for row in rows]
        is_number = [
            bool(lines) and all(isinstance(line[i], int | float) for line in lines) for i in range(len(columns))
        ]
        kinds = [' class="number"' if each else "" for each in is_number]
        head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
        body = "".join(
            "<tr>" + "".join(f"<td{kind}>{_shown(cell)}</td>" for cell, kind in zip(line, kinds, strict=True)) + "</tr>"
            for line in lines
        )
        above = f"<caption>{escape(caption)}</caption>" if caption else ""
        self.wide(f"<table>{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", caption or columns[0])

    def facts(self, facts: Mapping[str, Cell], caption: str = "") -> None:
        """A table of names and values."""
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{_shown(value)}</td></tr>' for name, value in facts.items()
        )
        above = f"<caption>{escape(caption)}</caption>" if caption else ""
        self.wide(f"<table>{above}<tbody>{rows}</tbody></table>", caption or next(iter(facts), ""))

    def figure(self, drawing: str, caption: str = "") -> None:
        """An SVG, as it is."""
        below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self.parts.append(f"<figure>{drawing}{below}</figure>")

    def pictures(self, pictures: Iterable[tuple[NDArray[np.uint8], str]]) -> None:
        """RGB pictures (h, w, 3) side by side, each with its caption, which is also what is read aloud."""
        shown = list(pictures)
        figures = "".join(
            f'<figure><img src="{data_address(image)}" alt="{escape(caption)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for image, caption in shown
        )
        small = " small" if all(image.shape[1] < SMALL_PX for image, _ in shown) else ""
        self.parts.append(f'<div class="frames{small}">{figures}</div>')

    def text(self, text: str) -> None:
        """Text as it is, such as a file."""
        self.parts.append(f"<pre>{escape(text)}</pre>")

    def to_bytes(self) -> bytes:
        """The whole file."""
        head = (
            f'<!DOCTYPE html>\n<html lang="{self.language}">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_CSP}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        )
        return (head + "\n".join(self.parts) + "\n</main>\n</body>\n</html>\n").encode("utf-8", "replace")

    def wide(self, table: str, name: str) -> None:
        """Something that scrolls where the window is narrower, by the keyboard, too."""
        self.parts.append(f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}">{table}</div>')


def _shown(cell: Cell) -> str:
    if isinstance(cell, Html):
        return cell.text
    if cell is None:
        return "–"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else escape(str(cell))


def code(text: str) -> Html:
    """In the letters of code."""
    return Html(f"<code>{escape(text)}</code>")


def data_address(image: NDArray[np.uint8], quality: int = 82) -> str:
    """An RGB picture (h, w, 3) as JPEG within an address."""
    import cv2  # which a page that only offers a report need not wait for

    _, encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def percent(share: float | None, digits: int = 1) -> str:
    """``12.3 %``; a dash where it is not known."""
    return "–" if share is None or share != share else f"{100 * share:.{digits}f} %"


__all__ = ["Cell", "Html", "ReportPage", "code", "data_address", "percent"]
