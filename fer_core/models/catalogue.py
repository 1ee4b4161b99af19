"""All architectures: importing this fills the registry.

Files of a user's own that are named in ``FER_ARCHITECTURES`` (separated as in ``PATH``) are run too: each registers its
networks as ours do. A card never names code.
"""

import importlib.util
import os
from pathlib import Path

from fer_core.errors import CheckpointError
from fer_core.models import attention, cnn, compact, ensemble, mobilenet, timm_nets, torchvision_nets, vgg, vit

__all__ = ["attention", "cnn", "compact", "ensemble", "mobilenet", "timm_nets", "torchvision_nets", "vgg", "vit"]


def _run_own(path: Path) -> None:
    spec = importlib.util.spec_from_file_location(f"fer_architecture_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise CheckpointError(f"FER_ARCHITECTURES names {path}, which is no file of Python.")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


for _each in os.environ.get("FER_ARCHITECTURES", "").split(os.pathsep):
    if _each:
        _run_own(Path(_each))
