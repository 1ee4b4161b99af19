"""Maps of faces: features of a network laid out in two or three dimensions, and how far such a map can be trusted.

Names are imported when they are first used; scikit-learn, UMAP and openTSNE when they compute. None needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_LAZY = {
    "METHODS": "fer_core.embeddings.projection",
    "Map": "fer_core.embeddings.maps",
    "load_map": "fer_core.embeddings.maps",
    "make_map": "fer_core.embeddings.maps",
    "map_key": "fer_core.embeddings.maps",
    "neighbours": "fer_core.embeddings.nearest",
    "place": "fer_core.embeddings.nearest",
    "project": "fer_core.embeddings.projection",
    "quality": "fer_core.embeddings.measures",
    "save_map": "fer_core.embeddings.maps",
}
__all__ = [
    "METHODS",
    "Map",
    "load_map",
    "make_map",
    "map_key",
    "neighbours",
    "place",
    "project",
    "quality",
    "save_map",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core.embeddings' has no attribute {name!r}")
