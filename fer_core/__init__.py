"""fer_core: from a picture or video to faces, emotions and a timeline; usable without any page.

    import fer_core
    classifier = fer_core.load("compact-resnet-ferplus")
    fer_core.analyze("clip.mp4", "out/clip")
    fer_core.evaluate("compact-resnet-ferplus", "data/fer2013", labels="ferplus7")

Names are imported when they are first used, so that reading a table does not load torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.9.1"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""ONNX Runtime reports to its maker unless this stands before it is imported (``Privacy.md`` in its package); its own
call for that comes too late. Every part of the project imports this package first, and worker processes inherit it."""

_LAZY = {
    "FerError": "fer_core.errors",
    "Settings": "fer_core.video.modes",
    "analyze": "fer_core.video.pipeline",
    "evaluate": "fer_core.evaluation",
    "load": "fer_core.models.classifier",
    "open_analysis": "fer_core.video.store",
}
__all__ = ["FerError", "Settings", "__version__", "analyze", "evaluate", "load", "open_analysis"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'fer_core' has no attribute {name!r}")
