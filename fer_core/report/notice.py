"""A notice for people who are filmed: who does what with their picture, why, for how long, and their rights.

The words are filled from a short form and kept with the analysis. They are a start, no legal advice.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

from fer_core.errors import InputError, StoreError
from fer_core.files import replacing
from fer_core.report.html import ReportPage
from fer_core.typed_yaml import TypedYaml
from fer_core.video.marks import printable
from fer_core.video.store import Analysis
from fer_core.video.stored_files import read_json

FILE, FORMAT = "notice.json", "fer-workbench-notice/1"
MAX_TEXT = 1_000
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "es": "Español", "de": "Deutsch"})


@dataclass(frozen=True)
class Notice:
    """What the people who are filmed are told.

    Attributes:
        who: who is responsible.
        what: what is recorded.
        purpose: what for.
        how_long: for how long it is kept.
        contact: whom to write to.
        language: one of ``LANGUAGES``.
    """

    who: str
    what: str
    purpose: str
    how_long: str
    contact: str
    language: str = "en"

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value.strip():
                raise InputError(f"The notice says nothing under {name.replace('_', ' ')!r}; fill it in.")
            if len(value) > MAX_TEXT or printable(value) != value:
                raise InputError(
                    f"{name.replace('_', ' ')!r} must be a line of at most {MAX_TEXT:,} characters; shorten it."
                )
        if self.language not in LANGUAGES:
            raise InputError(f"There is no notice in {self.language!r}; expected one of {', '.join(LANGUAGES)}.")


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    """By language."""
    text = Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8")
    return {language: dict(words) for language, words in yaml.safe_load(text).items()}


def notice_page(notice: Notice) -> bytes:
    """The notice as one HTML file to print."""
    words = _words()[notice.language]
    page = ReportPage(words["title"], notice.language)
    page.heading(words["title"], 1)
    page.facts({words[name]: getattr(notice, name) for name in ("who", "what", "purpose", "how_long", "contact")})
    for part in ("done", "rights", "sign"):
        page.heading(words[f"{part}_title"])
        page.say(words[part])
    line = "_" * 36
    page.facts({words["name"]: line, words["date"]: line})
    return page.to_bytes()


def keep_notice(analysis: Analysis, notice: Notice) -> None:
    """Write the notice beside the tables of an analysis."""
    with replacing(analysis.folder / FILE) as new:
        text = json.dumps({"format": FORMAT, **dataclasses.asdict(notice)}, indent=1, ensure_ascii=False)
        new.write_text(text + "\n", "utf-8")


def kept_notice(analysis: Analysis) -> Notice | None:
    """The notice that is kept with an analysis, None where there is none.

    Raises:
        StoreError: it is damaged.
    """
    if not os.path.lexists(analysis.folder / FILE):
        return None
    values = read_json(analysis.folder / FILE, FORMAT)
    try:
        return TypedYaml(InputError).build(Notice, {k: v for k, v in values.items() if k != "format"}, FILE)
    except InputError as error:
        raise StoreError(f"{analysis.id}: {error} Write the notice anew.") from error


__all__ = ["LANGUAGES", "Notice", "keep_notice", "kept_notice", "notice_page"]
