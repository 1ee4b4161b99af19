"""Faces: detectors behind one interface, people over time, and the crops that the networks see.

Names stand in ``__init__.pyi`` and are imported when they are first used, so that a page can list the
detectors without loading OpenCV.
"""

from fer_core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
