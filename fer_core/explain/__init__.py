"""Why a network saw what it saw: heatmaps of its attention, whether they can be believed, and the part of the face
that they fall on.

Names are imported when they are first used: regions and pictures do without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "METHODS": "fer_core.explain.gradcam",
    "REGIONS": "fer_core.explain.regions",
    "Curves": "fer_core.explain.checks",
    "Sanity": "fer_core.explain.checks",
    "Target": "fer_core.explain.gradcam",
    "attention_shares": "fer_core.explain.regions",
    "contrast": "fer_core.explain.gradcam",
    "feature_maps": "fer_core.explain.network",
    "feature_sheet": "fer_core.explain.pictures",
    "heatmaps": "fer_core.explain.gradcam",
    "landmarks_in_crop": "fer_core.explain.regions",
    "layers": "fer_core.explain.network",
    "overlay": "fer_core.explain.pictures",
    "overlay_signed": "fer_core.explain.pictures",
    "region_masks": "fer_core.explain.regions",
    "sanity": "fer_core.explain.checks",
}
__all__ = [
    "METHODS",
    "REGIONS",
    "Curves",
    "Sanity",
    "Target",
    "attention_shares",
    "contrast",
    "feature_maps",
    "feature_sheet",
    "heatmaps",
    "landmarks_in_crop",
    "layers",
    "overlay",
    "overlay_signed",
    "region_masks",
    "sanity",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core.explain' has no attribute {name!r}")
