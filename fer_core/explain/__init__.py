"""Why a network saw what it saw: heatmaps of its attention, and the part of the face that they fall on.

Names are imported when they are first used: regions do without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "METHODS": "fer_core.explain.gradcam",
    "REGIONS": "fer_core.explain.regions",
    "attention_shares": "fer_core.explain.regions",
    "heatmaps": "fer_core.explain.gradcam",
    "landmarks_in_crop": "fer_core.explain.regions",
    "layers": "fer_core.explain.gradcam",
    "overlay": "fer_core.explain.gradcam",
    "region_masks": "fer_core.explain.regions",
}
__all__ = [
    "METHODS",
    "REGIONS",
    "attention_shares",
    "heatmaps",
    "landmarks_in_crop",
    "layers",
    "overlay",
    "region_masks",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core.explain' has no attribute {name!r}")
