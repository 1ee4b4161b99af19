"""fer_core: from a picture or video to faces, emotions and a timeline; usable without any page.

    import fer_core
    classifier = fer_core.load("mobilenetv2-ferplus")
    fer_core.analyze("clip.mp4", "out/clip", progress=fer_core.progress_bar("clip.mp4"))
    fer_core.evaluate("mobilenetv2-ferplus", "data/fer2013", labels="ferplus7")

Names stand in ``__init__.pyi`` and are imported when they are first used, so that reading a table does not load torch.
"""

from __future__ import annotations

import os

from fer_core.lazy import exports

__version__ = "0.15.0"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""ONNX Runtime reports to its maker unless this stands before it is imported (``Privacy.md`` in its package); its own
call for that comes too late. Every part of the project imports this package first, and worker processes inherit it."""

__getattr__, __dir__, _lazy = exports(__name__, __file__)
__all__ = [*_lazy, "__version__"]
