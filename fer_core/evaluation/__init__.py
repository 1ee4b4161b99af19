"""Measuring a checkpoint: figures of merit, the evaluation of a data set, and everything that its table can tell.

Names stand in ``__init__.pyi`` and are imported when they are first used: only those that run a network load torch.
"""

from fer_core.lazy import exports

__getattr__, __dir__, __all__ = exports(__name__, __file__)
