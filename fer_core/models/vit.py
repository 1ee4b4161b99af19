"""Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929), from torchvision: system ``shsu-2023``."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import VisionTransformer, ViT_B_16_Weights, ViT_B_32_Weights
from torchvision.models.vision_transformer import interpolate_embeddings

from fer_core.errors import InputError
from fer_core.models.registry import EmotionNetwork, register
from fer_core.models.trunks import Hidden, State, TrunkNetwork, stem_of, torchvision_weights

SOURCE = "Dosovitskiy et al. 2020, arXiv:2010.11929; torchvision "
HEAD = "12 transformer layers, class token, full layer of 128 with GELU and batch norm, last layer"


class Tokens(nn.Module):
    """Pictures (n, c, size, size) → tokens (n, 1 + (size / patch)², width): a class token and one per patch, each with
    the embedding of its place added.

    Raises:
        InputError: pictures of another size than the network was built for.
    """

    def __init__(self, net: VisionTransformer, channels: int) -> None:
        super().__init__()
        self.size = net.image_size
        self.conv_proj = stem_of(net.conv_proj, channels)
        self.class_token, self.pos_embedding = net.class_token, net.encoder.pos_embedding

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2:] != (self.size, self.size):
            raise InputError(f"This vision transformer takes {self.size} by {self.size} px, got {tuple(x.shape[2:])}.")
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens: Tensor = torch.cat([self.class_token.expand(x.shape[0], -1, -1), patches], dim=1) + self.pos_embedding
        return tokens


class FirstToken(nn.Module):
    """Tokens (n, t, width) → (n, width), the class token."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def _vit(
    weights: Any,
    patch: int,
    shape: dict[str, int],
    *,
    n_labels: int,
    channels: int,
    hidden: dict[str, Any],
) -> EmotionNetwork:
    """A vision transformer.

    ``shsu-2023`` gives batch norm and full layers before the last one, without numbers: one layer of 128 with GELU and
    batch norm is ours.

    Args:
        weights: torchvision's ImageNet weights.
        patch: side of a patch in px.
        shape: ``image_size``, ``layers``, ``width``, ``heads`` and ``mlp``.
        n_labels: number of classes.
        channels: 1 (grey) or 3 (RGB).
        hidden: as in ``Hidden``.

    Raises:
        ValueError: a picture that patches do not fill, or a shape that is impossible.
    """
    size, width, heads = shape["image_size"], shape["width"], shape["heads"]
    if not (patch <= size <= 1024 and size % patch == 0):
        raise ValueError(f"image_size {size} is not a multiple of {patch} up to 1024")
    if not (1 <= heads <= width <= 2048 and width % heads == 0 and 1 <= shape["layers"] <= 48):
        raise ValueError(f"shape {shape} is not up to 48 layers of a width up to 2048 that its heads divide")
    net = VisionTransformer(
        image_size=size,
        patch_size=patch,
        num_layers=shape["layers"],
        num_heads=heads,
        hidden_dim=width,
        mlp_dim=shape["mlp"],
    )
    tokens, blocks = Tokens(net, channels), net.encoder.layers.named_children()
    trunk = nn.Sequential(OrderedDict([("tokens", tokens), *blocks, ("ln", net.encoder.ln)]))
    layers = replace(Hidden(hidden=(128,), norm="after", activation="gelu"), **hidden)
    fetch = partial(_state, weights, size, patch)
    return TrunkNetwork(
        trunk, width, n_labels, layers, pool={"pool": FirstToken()}, imagenet=fetch, stem="tokens.conv_proj.weight"
    )


def _state(weights: Any, size: int, patch: int) -> State:
    """Published weights by the trunk's names; embeddings of places are interpolated to pictures of another size."""
    state = interpolate_embeddings(size, patch, OrderedDict(torchvision_weights(weights)))
    return {_name(name): value for name, value in state.items()}


def _name(name: str) -> str:
    name = name.removeprefix("encoder.").removeprefix("layers.")
    return f"tokens.{name}" if name.startswith(("conv_proj", "class_token", "pos_embedding")) else name


@register("vit-b16", input_px=224, min_px=16, source=SOURCE + "vit_b_16", about=f"patches of 16 px, {HEAD}")
def vit_b16(
    *,
    n_labels: int,
    channels: int,
    image_size: int = 224,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    mlp: int = 3072,
    **hidden: Any,
) -> EmotionNetwork:
    """ViT-B/16; ``image_size`` is the side of its pictures in px, a multiple of 16, the rest its published shape."""
    shape = {"image_size": image_size, "layers": layers, "width": width, "heads": heads, "mlp": mlp}
    weights = ViT_B_16_Weights.IMAGENET1K_V1
    return _vit(weights, 16, shape, n_labels=n_labels, channels=channels, hidden=hidden)


@register("vit-b32", input_px=224, min_px=32, source=SOURCE + "vit_b_32", about=f"patches of 32 px, {HEAD}")
def vit_b32(
    *,
    n_labels: int,
    channels: int,
    image_size: int = 224,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    mlp: int = 3072,
    **hidden: Any,
) -> EmotionNetwork:
    """ViT-B/32; ``image_size`` is the side of its pictures in px, a multiple of 32, the rest its published shape."""
    shape = {"image_size": image_size, "layers": layers, "width": width, "heads": heads, "mlp": mlp}
    weights = ViT_B_32_Weights.IMAGENET1K_V1
    return _vit(weights, 32, shape, n_labels=n_labels, channels=channels, hidden=hidden)
