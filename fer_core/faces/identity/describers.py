"""One small interface for what makes a face comparable with other faces, and a registry of what can do it.

A describer turns pictures of faces into descriptors: vectors that lie near each other for one person and far apart for
two. Descriptors tell people apart, so they are biometric data; see ``docs/identity.md`` for what becomes of them. A new
describer is one file that holds it and one registration here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError
from fer_core.faces.identity.likeness import Likeness
from fer_core.faces.records import RGB, ArrayF

DEFAULT_DESCRIBER = "dlib-resnet"
INSTALL = '.venv/bin/pip install "face_recognition_models==0.3.0"'
"""What the extra ``identity`` of ``pyproject.toml`` holds, as a line that works in the project's folder."""


class Describer(Protocol):
    """Chips in, descriptors out.

    A chip is an RGB picture uint8 (``size``, ``size``, 3) of one face, cut so that its five landmarks lie as near as
    can be to ``places`` (5, 2), in units of the side; see ``fer_core.faces.fitted_squares``. ``describe`` takes n chips
    and returns float32 (n, d).
    """

    name: str
    version: str
    likeness: Likeness
    size: int
    places: NDArray[np.float64]

    def describe(self, chips: RGB) -> ArrayF: ...


@dataclass(frozen=True)
class DescriberKind:
    """A describer that can be chosen by name.

    Attributes:
        name: what records call it.
        make: loads it; only called where nothing is missing.
        lacks: what has to be installed first, as a sentence that says how; empty if it can run.
    """

    name: str
    make: Callable[[], Describer]
    lacks: Callable[[], str]


DESCRIBERS: dict[str, DescriberKind] = {}
"""Every describer by name."""


def register(kind: DescriberKind) -> None:
    """Make a describer known; a second one of the same name is a bug."""
    if kind.name in DESCRIBERS:
        raise ValueError(f"Describer {kind.name!r} is registered twice.")
    DESCRIBERS[kind.name] = kind


def missing(name: str = DEFAULT_DESCRIBER) -> str:
    """What the describer lacks and how to get it; empty if it can run. Loads nothing."""
    return DESCRIBERS[name].lacks()


def make_describer(name: str = DEFAULT_DESCRIBER) -> Describer:
    """Load a describer.

    Raises:
        InputError: it cannot run; the message says what to install.
    """
    if lacking := missing(name):
        raise InputError(lacking)
    return DESCRIBERS[name].make()


def dlib_weights() -> Path | None:
    """Where the weights of dlib's network are, or None. The package that has them is never imported: it needs another
    one that is not installed."""
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    return path if path.is_file() else None


def _dlib_lacks() -> str:
    if dlib_weights() is not None:
        return ""
    return f"Recognising people by their faces needs one more package. Install it with {INSTALL} and try again."


def _dlib() -> Describer:
    from fer_core.faces.identity.dlib_resnet import DlibResnet

    weights = dlib_weights()
    assert weights is not None
    return DlibResnet(weights)


register(DescriberKind(DEFAULT_DESCRIBER, _dlib, _dlib_lacks))
