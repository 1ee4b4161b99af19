"""Every page: where it is, which script draws it, and what the menu calls it.

A page lies in the folder that its address names. The menu shows the four places; the others open from what stands
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: what code and tests call it.
        script: the file that draws it, below ``dashboard/``.
        address: its path; empty for the first one.
        title, icon: as the menu and the browser's tab show it.
        is_place: whether the menu shows it.
    """

    name: str
    script: str
    address: str
    title: str
    icon: str
    is_place: bool = False


PAGES = (
    Page("videos", "videos/page.py", "", "Videos", ":material/video_library:", is_place=True),
    Page("models", "models/page.py", "models", "Models", ":material/deployed_code:", is_place=True),
    Page("learn", "learn/page.py", "learn", "Learn", ":material/school:", is_place=True),
    Page("settings", "settings/page.py", "settings", "Settings", ":material/settings:", is_place=True),
    Page("review", "videos/review/page.py", "review", "Review", ":material/timeline:"),
    Page("live", "videos/live/page.py", "live", "Live", ":material/videocam:"),
    Page("model", "models/model/page.py", "model", "Model", ":material/search:"),
    Page("systems", "models/systems/page.py", "systems", "Five systems", ":material/compare_arrows:"),
    Page("face", "learn/face/page.py", "face", "Try a face", ":material/center_focus_strong:"),
)
SCRIPTS = {page.name: page.script for page in PAGES}
VIDEOS, MODELS, LEARN, SETTINGS, REVIEW, LIVE, MODEL, SYSTEMS, FACE = SCRIPTS.values()

EARLIER = {
    "analyze": VIDEOS, "library": VIDEOS, "checkpoints": MODELS, "inspect": MODEL, "explain": FACE,
    "datasets": SETTINGS, "responsible_use": LEARN,
}  # fmt: skip
"""Addresses of before 0.14, and which pages have their content now."""
_PARTS = {"Robustness": "Robustness", "Learning curves": "Curves"}


def now_at(earlier: str, asked: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The page and the parameters that an address of before 0.14 means."""
    page, told = EARLIER[earlier], dict(asked)
    if earlier == "checkpoints" and "checkpoint" in told:
        page, told = MODEL, {"checkpoint": told["checkpoint"], "view": _PARTS.get(told.get("part", ""), "Card")}
    if told.get("view") == "Confusion":
        told["view"] = "Errors"
    return page, told
