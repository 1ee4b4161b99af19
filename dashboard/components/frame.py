"""What surrounds every page: errors of the user shown where they arise, and the footer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from fer_core.errors import FerError

_HANDED = "handed-over"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def plain(text: str) -> str:
    """``text`` so that Markdown shows it as it is; for names and messages that hold a user's words."""
    return _SPECIAL.sub(r"\\\1", text)


@contextmanager
def show_errors() -> Iterator[None]:
    """Show an error of the ``FerError`` tree in its place; anything else is a bug and shows as one."""
    try:
        yield
    except FerError as error:
        st.error(plain(str(error)), icon=":material/error:")


def go_to(page: str, address: Mapping[str, str] | None = None, **values: str) -> None:
    """Go to another page with an address, and with values for its widgets, by their keys: those to whose parameter a
    widget of this page is bound too, which the address of the other one cannot have then."""
    hand_over(**values)
    st.switch_page(page, query_params=dict(address or {}))


def hand_over(**values: str) -> None:
    """Give the next run of a page values for its widgets, by their keys. A parameter of the address that is bound to a
    widget changes with the widget alone: Streamlit refuses to write or to delete it."""
    st.session_state[_HANDED] = values


def moment_address(analysis_id: str, time_s: float, track: int) -> dict[str, str]:
    """Parameters of an address for a person's moment of an analysis; to 1 µs, so that no rounding leads to the frame
    before."""
    return {"analysis": analysis_id, "t": f"{time_s:.6f}", "person": str(track + 1)}


def take_over() -> None:
    """Give the widgets of this page what was handed over to them; before any of them is drawn."""
    st.session_state.update(st.session_state.pop(_HANDED, {}))


def compact() -> None:
    """Less empty space above the title than Streamlit leaves."""
    st.html("<style>.stMainBlockContainer{padding-top:4.5rem;padding-bottom:3rem}</style>")


def footer() -> None:
    st.divider()
    st.caption(
        "Measures facial expressions, not what people feel. Everything stays on this machine. "
        "Only analyse people who agreed to it."
    )


def counted(n: int, what: str) -> str:
    """``1 face``, ``2 faces``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def clock(seconds: float) -> str:
    """``3:07`` or ``1:02:03``."""
    whole = max(round(seconds), 0)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def megabytes(n_bytes: int) -> str:
    """``12.3 MB`` or ``1.20 GB``."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
