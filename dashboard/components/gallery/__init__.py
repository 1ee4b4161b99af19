"""A gallery of faces with what they are labelled, what was answered and how people voted; one can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import streamlit as st

from dashboard.components.shared import component
from fer_core.emotions import EMOTION_COLOURS, EMOTIONS

_FOLDER = Path(__file__).parent
_SCRIPTS = ("../matrix/parts.js", "gallery.js")


class Face(TypedDict):
    """One tile.

    ``src`` and ``heat`` are addresses of pictures on this machine; without ``src`` the tile says "no picture", and
    without ``reason`` ("") none is shown. ``confidence`` in 0-1, ``votes`` the shares of the seven emotions in 0-1.
    """

    id: str
    src: str | None
    label: str
    prediction: str
    confidence: float
    right: bool
    reason: str
    votes: Sequence[float] | None
    caption: NotRequired[str]
    heat: NotRequired[str | None]


def gallery(
    *,
    items: Sequence[Face],
    chosen: str | None,
    key: str,
    empty: str,
    footer: str = "",
    heat: bool = False,
    size: Literal["small", "large"] = "small",
    height: int = 560,
    label: str = "Faces",
) -> None:
    """Draw the faces in the order given; ``picked`` tells which was chosen.

    Args:
        items: the faces; their ids are unique.
        chosen: id of the outlined face; it is brought into view when it was not chosen by a click in here.
        empty: what is said instead when there are no faces.
        footer: a line below, such as "60 of 208 shown".
        heat: show each face's heat picture over it.
        height: of the grid in px at most; more faces scroll inside.
        label: what a screen reader calls the list.
    """
    data = {
        "items": [_tile(item) for item in items],
        "chosen": chosen,
        "empty": empty,
        "footer": footer,
        "heat": heat,
        "size": size,
        "height": height,
        "label": label,
    }
    component(_FOLDER, _SCRIPTS)(key=key, data=data, width="stretch", on_picked_change=lambda: None)


def picked(key: str) -> str | None:
    """Id of the face that was chosen in the gallery of this key, in the run that this caused, else None. A page asks
    before it draws anything, so that the choice shows everywhere in that run."""
    found = (st.session_state.get(key) or {}).get("picked")
    return found if isinstance(found, str) and found else None


def _tile(item: Face) -> dict[str, Any]:
    """A face as the browser draws it: names with their colours, numbers as text."""
    shares = None if item["votes"] is None else _shares(item["votes"])
    return {
        "id": item["id"],
        "src": item["src"],
        "heat": item.get("heat"),
        "label": _named(item["label"]),
        "prediction": _named(item["prediction"]),
        "sure": _percent(item["confidence"]),
        "right": bool(item["right"]),
        "reason": item["reason"],
        "caption": item.get("caption", ""),
        "votes": shares,
        "words": _words(item, shares),
    }


def _shares(votes: Sequence[float]) -> list[dict[str, Any]]:
    """The votes that somebody gave; "other" is what they gave to none of the seven."""
    named = [(name, EMOTION_COLOURS[name], share) for name, share in zip(EMOTIONS, votes, strict=True)]
    named.append(("other", "var(--st-border-color)", 1 - sum(votes)))
    return [
        {"name": name, "colour": colour, "share": round(float(share), 4), "percent": _percent(share)}
        for name, colour, share in named
        if share > 0.005
    ]


def _words(item: Face, shares: list[dict[str, Any]] | None) -> str:
    """What a screen reader calls the tile."""
    people = ", ".join(f"{each['name']} {each['percent']}" for each in shares or ())
    parts = (
        f"labelled {item['label']}", f"answered {item['prediction']}", "right" if item["right"] else "wrong",
        f"{_percent(item['confidence'])} sure", item["reason"], item.get("caption", ""),
        f"people's votes: {people}" if people else "",
    )  # fmt: skip
    return ", ".join(filter(None, parts))


def _named(name: str) -> tuple[str, str]:
    return name, EMOTION_COLOURS.get(name, EMOTION_COLOURS["neutral"])


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\u00a0%"
