"""Why a network saw what it saw: heatmaps of its attention, whether they can be believed, and the part of the face
that they fall on.

Names stand in ``__init__.pyi`` and are imported when they are first used: regions and pictures do without torch.
"""

from fer_core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
