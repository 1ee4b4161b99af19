"""Architectures by name. A checkpoint's card names its architecture; nothing else decides what is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn

from fer_core.errors import CheckpointError

__all__ = ["EmotionNetwork", "architectures", "build", "register"]


class EmotionNetwork(nn.Module):
    """What every network offers: pictures in, features and logits out.

    ``x`` is float (n, channels, size, size), normalised as the card says. A subclass sets ``head``, the last layer,
    which maps features (n, d) to logits (n, k).
    """

    head: nn.Module

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, size, size) → (n, d)."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """(n, d) → logits (n, k)."""
        logits: Tensor = self.head(features)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.features(x))

    def load_imagenet(self) -> None:
        """Start from ImageNet weights.

        Raises:
            CheckpointError: there are none for this network, or they cannot be fetched.
        """
        raise CheckpointError(f"There are no ImageNet weights for {type(self).__name__}; set 'pretrained: false'.")


_BUILDERS: dict[str, Callable[..., EmotionNetwork]] = {}
Builder = TypeVar("Builder", bound=Callable[..., EmotionNetwork])


def register(name: str) -> Callable[[Builder], Builder]:
    """Register a builder ``(n_labels, channels, **options)`` of a network; a second one of the same name is a bug."""

    def add(builder: Builder) -> Builder:
        if name in _BUILDERS:
            raise ValueError(f"Architecture {name!r} is registered twice.")
        _BUILDERS[name] = builder
        return builder

    return add


def architectures() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_BUILDERS))


def build(name: str, *, n_labels: int, channels: int, **options: Any) -> EmotionNetwork:
    """Build an untrained network.

    Raises:
        CheckpointError: unknown architecture or options it does not take.
    """
    if name not in _BUILDERS:
        raise CheckpointError(f"Unknown architecture {name!r}; known are {', '.join(architectures())}.")
    try:
        return _BUILDERS[name](n_labels=n_labels, channels=channels, **options)
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise CheckpointError(f"Architecture {name!r} does not take these options: {error}.") from error
