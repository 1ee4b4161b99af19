"""torchvision without torch's compiler, which takes a second to import."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


def import_torchvision() -> None:
    """Import torchvision and leave torch's compiler out until something needs it.

    torchvision's operators import the compiler to ask it one question, whether it compiles for a device. While they are
    imported, another module stands in its place, which passes that question on once it is asked. Does nothing where
    either of them is loaded already.
    """
    if "torchvision" in sys.modules or _COMPILER in sys.modules:
        return
    import torch  # noqa: F401  (first, with everything that it wants itself)

    if _COMPILER in sys.modules:
        return

    def is_compile_supported(*args: Any) -> Any:
        return import_module(_UTILS).is_compile_supported(*args)

    compiler, utils = ModuleType(_COMPILER), ModuleType(_UTILS)
    compiler.__path__ = []  # a package
    utils.is_compile_supported = is_compile_supported  # type: ignore[attr-defined]
    sys.modules |= {_COMPILER: compiler, _UTILS: utils}
    try:
        import_module("torchvision")
    except ImportError:  # it wants more of the compiler: the ordinary way
        for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
    finally:
        del sys.modules[_COMPILER], sys.modules[_UTILS]
