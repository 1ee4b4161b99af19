"""The methods: from what a layer holds and its gradients to one value for each of its cells.

Written here rather than taken from a package: each is a line or a few, one pass serves every layer and method, and the
cells have to be placed by ``fer_core.explain.placing`` before anything is enlarged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

Classes = Sequence[list[int]]
"""The explained classes of each picture; several are a group, whose score is the log-sum-exp of their logits."""
_TINY = 1e-6


def watched(net: nn.Module, x: Tensor, layers: Sequence[str]) -> tuple[Tensor, list[Tensor]]:
    """Logits of pictures, and what the layers hold for them, (n, c, h, w) each."""
    kept: dict[str, Tensor] = {}
    hooks = [
        net.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: kept.update({name: out}))
        for name in layers
    ]
    try:
        logits: Tensor = net(x)
    finally:
        for hook in hooks:
            hook.remove()
    return logits, [kept[name] for name in layers]


def score(logits: Tensor, classes: Classes) -> Tensor:
    """What is explained of each picture (n,): the log-sum-exp of some of its logits."""
    return torch.stack([row[each].logsumexp(dim=0) for row, each in zip(logits, classes, strict=True)])


def with_gradients(net: nn.Module, x: Tensor, classes: Classes, layers: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
    """What each layer holds (n, c, h, w), and the gradients of the score by it."""
    logits, held = watched(net, x.requires_grad_(), layers)
    gradients = torch.autograd.grad(score(logits, classes).sum(), held)
    return [(each.detach(), gradient) for each, gradient in zip(held, gradients, strict=True)]


def _gradcam(a: Tensor, g: Tensor) -> Tensor:
    return (g.mean(dim=(2, 3), keepdim=True) * a).sum(dim=1)


def _gradcam_pp(a: Tensor, g: Tensor) -> Tensor:
    share = g**2 / (2 * g**2 + a.sum(dim=(2, 3), keepdim=True) * g**3 + _TINY)
    return ((g.relu() * share).sum(dim=(2, 3), keepdim=True) * a).sum(dim=1)


BY_GRADIENTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "gradcam": _gradcam,
    "gradcam++": _gradcam_pp,
    "hirescam": lambda a, g: (g * a).sum(dim=1),
    "layercam": lambda a, g: (g.relu() * a).sum(dim=1),
    "elementwise": lambda a, g: (g * a).relu().sum(dim=1),
}
"""Methods that need what a layer holds a and its gradients g, (n, c, h, w) each; negative cells are cut by who asks."""


def by_masks(
    net: nn.Module, x: Tensor, classes: Classes, held: Tensor, place: Callable[[Tensor], Tensor], batch_size: int
) -> Tensor:
    """Score-CAM (n, h, w): a channel of what a layer holds weighs by what the network says of the picture through it.

    ``place`` enlarges cells (m, h, w) to the size of the pictures x (n, channels, size, size).
    """
    found = []
    for picture, own, each in zip(x, held, classes, strict=True):
        low, high = own.amin(dim=(1, 2), keepdim=True), own.amax(dim=(1, 2), keepdim=True)
        masks = place((own - low) / (high - low).clamp(min=_TINY))
        said = [score(net(picture * some[:, None]), [each] * len(some)) for some in torch.split(masks, batch_size)]
        found.append((torch.cat(said).softmax(dim=0)[:, None, None] * own).sum(dim=0))
    return torch.stack(found)
