"""Maps of faces: features of a network laid out in two or three dimensions, and how far such a map can be trusted.

Names stand in ``__init__.pyi`` and are imported when they are first used; scikit-learn, UMAP and
openTSNE when they compute. None needs torch.
"""

from fer_core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
