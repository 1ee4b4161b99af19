"""Architectures by name. A checkpoint's card names its architecture; nothing else decides what is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

from fer_core.errors import CheckpointError

__all__ = ["EmotionNetwork", "architectures", "build", "register"]


class EmotionNetwork(Protocol):
    """What every network offers: pictures in, features and logits out.

    ``x`` is float (n, channels, size, size), normalised as the card says; ``features`` returns (n, d),
    ``classify`` maps those to logits (n, k), and calling the network does both.
    """

    def features(self, x: Tensor) -> Tensor: ...

    def classify(self, features: Tensor) -> Tensor: ...


_BUILDERS: dict[str, Callable[..., nn.Module]] = {}
Builder = TypeVar("Builder", bound=Callable[..., nn.Module])


def register(name: str) -> Callable[[Builder], Builder]:
    """Register a builder ``(n_labels, channels, **options) -> nn.Module``; a second one of the same name is a bug."""

    def add(builder: Builder) -> Builder:
        if name in _BUILDERS:
            raise ValueError(f"Architecture {name!r} is registered twice.")
        _BUILDERS[name] = builder
        return builder

    return add


def architectures() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_BUILDERS))


def build(name: str, *, n_labels: int, channels: int, **options: Any) -> nn.Module:
    """Build an untrained network.

    Raises:
        CheckpointError: unknown architecture or options it does not take.
    """
    if name not in _BUILDERS:
        raise CheckpointError(f"Unknown architecture {name!r}; known are {', '.join(architectures())}.")
    try:
        return _BUILDERS[name](n_labels=n_labels, channels=channels, **options)
    except TypeError as error:
        raise CheckpointError(f"Architecture {name!r} does not take these options: {error}.") from error
