"""What surrounds every page: errors of the user shown where they arise, and the footer."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

import streamlit as st

from dashboard.addresses import now_at
from fer_core.errors import FULL_DISK, FerError, is_full_disk

if TYPE_CHECKING:
    from dashboard.services.jobs import Job

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def plain(text: str) -> str:
    """``text`` so that Markdown shows it as it is; for names and messages that hold a user's words."""
    return _SPECIAL.sub(r"\\\1", text)


class PageEndedError(Exception):
    """What a page raises to end early."""


def end_page() -> NoReturn:
    """End the page here. ``st.stop`` would also drop a click in a dialog that came while the page was drawn."""
    raise PageEndedError


@contextmanager
def show_errors() -> Iterator[None]:
    """Show an error of the ``FerError`` tree, or that the disk is full, in its place; anything else is a bug and shows
    as one."""
    try:
        yield
    except (FerError, OSError, sqlite3.OperationalError) as error:
        if not isinstance(error, FerError) and not is_full_disk(error):
            raise
        st.error(plain(str(error) if isinstance(error, FerError) else FULL_DISK), icon=":material/error:")


def leads_on(earlier: str) -> Callable[[], None]:
    """The page of an address of before 0.14: it leads to where its content is now."""

    def lead() -> None:
        page, told = now_at(earlier, st.query_params.to_dict())
        st.switch_page(page, query_params=told)

    return lead


def moment_address(analysis_id: str, time_s: float, track: int) -> dict[str, str]:
    """Parameters of an address for a person's moment of an analysis; to 1 µs, so that no rounding leads to the frame
    before."""
    return {"analysis": analysis_id, "t": f"{time_s:.6f}", "person": str(track + 1)}


_LOOK = """<style>
.stMainBlockContainer { padding-top: 4.5rem; padding-bottom: 3rem }
.stApp [data-testid=stCaptionContainer] { color: inherit; opacity: 0.78 }
[data-testid=stHeader] a:focus-visible { outline: 2px solid currentColor; outline-offset: 2px }
</style>"""
_DARK_LOOK = "<style>.stApp button[kind^=primary], .stApp a[kind^=primary] { color: #11181F }</style>"


def look() -> None:
    """Less empty space above the title than Streamlit leaves; small print, buttons and the focus in the bar that can be
    read and seen (4.5 to 1)."""
    st.html(_LOOK)
    if st.context.theme.type == "dark":
        st.html(_DARK_LOOK)


def footer() -> None:
    st.divider()
    st.caption(
        "Measures facial expressions, not what people feel. Everything stays on this machine. "
        "Only analyse people who agreed to it."
    )
    st.html(_PHONE_MENU, unsafe_allow_javascript=True)


_PHONE_MENU = """<style>
[data-testid=stExpandSidebarButton] { width: auto }
[data-testid=stExpandSidebarButton]::after { content: "Menu"; padding-left: 0.3rem }
</style><script>
if (!window.closesMenu) {
  window.closesMenu = true;
  document.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-testid=stSidebarNavLink]")) return;
    setTimeout(() => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click());
  });
}
</script>"""
"""On a phone the menu of places lies over the page: its button bears a word, and it closes when a place is chosen."""


def counted(n: int, what: str) -> str:
    """``1 face``, ``2 faces``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def clock(seconds: float) -> str:
    """``3:07`` or ``1:02:03``."""
    whole = max(round(seconds), 0)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def interruption(job: Job) -> list[str]:
    """That a job was interrupted, and from where on it was done again; nothing where it was not."""
    if not job.interrupted:
        return []
    at_s = job.info.get("went_on_s")
    return ["began anew after an interruption" if at_s is None else f"went on from {clock(at_s)} after an interruption"]


def megabytes(n_bytes: int) -> str:
    """``12.3 MB`` or ``1.20 GB``."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def size(n_bytes: int) -> str:
    """``12.3 MB``, ``1.20 GB``, or ``4 kB`` of what is small."""
    return megabytes(n_bytes) if n_bytes >= 1e5 else f"{max(round(n_bytes / 1e3), 1)} kB"


def local_time(iso: str) -> str:
    """A time of UTC as the clock on the wall says it: ``2026-12-01 10:40``."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")
