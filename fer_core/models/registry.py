"""Architectures by name. A checkpoint's card names its architecture; nothing else decides what is built.

``fer_core.models.catalogue`` holds all of them: importing it fills the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor, nn

from fer_core.errors import CheckpointError

__all__ = ["Architecture", "EmotionNetwork", "Heat", "architectures", "build", "describe", "heat_of", "register"]


@dataclass(frozen=True)
class Heat:
    """How heatmaps of an architecture are made; chosen by ``python -m benchmarks.heatmaps`` (docs/inspection.md).

    Attributes:
        method: one of ``fer_core.explain.METHODS``.
        cells: the last layer whose map has so many along its side or more is explained, of several numbers together.
        layer: another one instead, by its name.
        blur: of the map, as a share of the picture's side: neighbouring cells count together.
    """

    method: str = "hirescam"
    cells: tuple[int, ...] = (10,)
    layer: str = ""
    blur: float = 0.11


@dataclass(frozen=True)
class Architecture:
    """What a recipe and a reader need to know about an architecture before it is built.

    Attributes:
        name: as in cards and recipes.
        input_px: side of the pictures that its options' defaults are made for.
        min_px: side of the smallest pictures it can take.
        source: the paper it stands for.
        about: trunk and head in words.
        heat: how its heatmaps are made.
    """

    name: str
    input_px: int
    min_px: int
    source: str
    about: str
    heat: Heat = Heat()


class EmotionNetwork(nn.Module):
    """What every network offers: pictures in, features and logits out.

    ``x`` is float (n, channels, size, size), normalised as the card says. A subclass sets ``head``, the last layer,
    which maps features (n, d) to logits (n, k). By convention the trunk is called ``backbone``, and what lies between
    it and the head, such as hidden layers, ``neck``.

    ``closed`` says why nobody can look inside and where one can instead; empty for a network of torch's layers.
    ``started_from`` says where its ImageNet weights come from, where that is more than the architecture's ``source``.
    """

    backbone: nn.Module
    head: nn.Module
    closed: str = ""
    started_from: str = ""

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, size, size) → (n, d)."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """(n, d) → logits (n, k)."""
        logits: Tensor = self.head(features)
        return logits

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, channels, size, size) → features (n, d) and logits (n, k)."""
        features = self.features(x)
        return features, self.classify(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def layers(self) -> list[nn.Module]:
        """The layers of ``backbone`` from the picture on: convolutions, norms, activations, pools…

        A layer is a module that has weights of its own or holds no other module, so that together they have all of the
        backbone's weights, each once. Empty without a ``backbone``. Used to train "the last N layers".
        """
        backbone = getattr(self, "backbone", None)
        return list(_layers(backbone)) if isinstance(backbone, nn.Module) else []

    def load_imagenet(self) -> None:
        """Start from ImageNet weights.

        Raises:
            CheckpointError: there are none for this network, or they cannot be fetched.
        """
        raise CheckpointError(f"There are no ImageNet weights for {type(self).__name__}; train it from scratch.")


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    if any(True for _ in module.parameters(recurse=False)) or not any(True for _ in module.children()):
        if not isinstance(module, nn.Identity):
            yield module
        return
    for child in module.children():
        yield from _layers(child)


_BUILDERS: dict[str, Callable[..., EmotionNetwork]] = {}
_DESCRIPTIONS: dict[str, Architecture] = {}
Builder = TypeVar("Builder", bound=Callable[..., EmotionNetwork])


def register(
    name: str, *, input_px: int = 48, min_px: int = 32, source: str = "", about: str = "", heat: Heat = Heat()
) -> Callable[[Builder], Builder]:
    """Register a builder ``(n_labels, channels, **options)`` of a network; a second one of the same name is a bug.

    The other arguments are those of ``Architecture``.
    """

    def add(builder: Builder) -> Builder:
        if name in _BUILDERS:
            raise ValueError(f"Architecture {name!r} is registered twice.")
        _DESCRIPTIONS[name] = Architecture(name, input_px, min_px, source, about, heat)
        _BUILDERS[name] = builder
        return builder

    return add


def architectures() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_BUILDERS))


def describe(name: str) -> Architecture:
    """What is known about an architecture without building it.

    Raises:
        CheckpointError: unknown architecture.
    """
    return _DESCRIPTIONS[_check_name(name)]


def heat_of(name: str) -> Heat:
    """How heatmaps of an architecture are made; of one that is not registered, as of most, without blur."""
    known = _DESCRIPTIONS.get(name.partition(":")[0])
    return known.heat if known else Heat(blur=0.0)


def build(name: str, *, n_labels: int, channels: int, **options: Any) -> EmotionNetwork:
    """Build an untrained network; of an architecture that stands for many, such as timm's, by ``timm:NAME``.

    Raises:
        CheckpointError: unknown architecture or options it does not take.
    """
    kind = _check_name(name)
    model = {"model": name.partition(":")[2]} if ":" in name else {}
    try:
        return _BUILDERS[kind](n_labels=n_labels, channels=channels, **{**options, **model})
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise CheckpointError(f"Architecture {name!r} does not take these options: {error}.") from error


def _check_name(name: str) -> str:
    """The name under which an architecture is registered."""
    kind = name.partition(":")[0]
    if kind not in _BUILDERS:
        raise CheckpointError(f"Unknown architecture {name!r}; known are {', '.join(architectures())}.")
    return kind
