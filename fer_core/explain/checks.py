"""Whether a heatmap can be believed: it must depend on what the network learned, and point at places that count.

The first is the model randomisation test of Adebayo et al. 2018 (arXiv:1810.03292), the second are the deletion and
insertion curves of Petsiuk et al. 2018 (arXiv:1806.07421), beside the curves of orders that know nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from fer_core.errors import InputError
from fer_core.explain.gradcam import Target, class_indices, maps_of_input, onto_crop
from fer_core.explain.network import RGB, ArrayF, cells_along, check_crops, copy_network, pick_layer, pick_method
from fer_core.models.classifier import Classifier
from fer_core.models.registry import EmotionNetwork

RANDOM_NETWORKS, RANDOM_ORDERS, STEPS = 4, 19, 8
MAX_SIMILARITY = 0.5
"""Mean rank correlation with the maps of random networks above which a map does not depend on the weights. Far above
what real maps reach by chance (see ``sanity``), well below 1."""
MAX_AS_GOOD = 0
"""Random orders that may find what counts as well as the map does. With 19 of them, a map that knows nothing passes
once in twenty times."""
_BLUR = 1 / 8
_BATCH = 32


@dataclass(frozen=True)
class Curves:
    """What the network answers while a face is covered, or uncovered, in each of m orders. What is covered is blurred.

    Attributes:
        deletion: float32 (m, k + 1), probability of the target once j / k of the face are covered, for j from 0 to k.
        insertion: float32 (m, k + 1), the same once j / k of the covered face are uncovered.
        gains: float32 (m,), how well each order finds what counts: the mean difference between insertion and deletion
            over the first half of the face, taken on what the heatmap explains (the logit, or the log-sum-exp of
            several), in logits. Where a network is sure, or thinks nothing of a target, its probability hardly moves,
            but its logit does; and what it says of a face that is nearly gone depends on the blur alone.
    """

    deletion: ArrayF
    insertion: ArrayF
    gains: ArrayF

    def __post_init__(self) -> None:
        shapes = (self.deletion.shape, self.insertion.shape, self.gains.shape)
        if self.deletion.ndim != 2 or shapes != (shapes[0], shapes[0], shapes[0][:1]):
            raise InputError(f"Expected curves (m, k + 1), twice, and gains (m,), got {shapes}.")

    @property
    def deletion_areas(self) -> ArrayF:
        """Areas (m,) under the deletion curves, 0-1: low where what counts is covered first."""
        return _areas(self.deletion)

    @property
    def insertion_areas(self) -> ArrayF:
        """Areas (m,) under the insertion curves, 0-1: high where what counts is uncovered first."""
        return _areas(self.insertion)


@dataclass(frozen=True)
class Sanity:
    """How one heatmap stood its checks.

    Attributes:
        target, method, layer: what was explained, and how.
        heatmap: float32 (s, s) in 0-1, as ``heatmaps`` gives it.
        random_maps: float32 (r, s, s), the maps of networks with random weights.
        similarities: float32 (r,), rank correlation (Spearman) of each with the heatmap, -1 to 1.
        own: curves of the heatmap's order (m = 1): the hottest places first.
        random: curves of random orders, by random maps with as many cells as the layer's.
        spot: curves from the middle outwards (m = 1), for comparison only: what counts may well lie there.
        reasons: why the heatmap should not be believed, in words; empty where it passed.
    """

    target: Target
    method: str
    layer: str
    heatmap: ArrayF
    random_maps: ArrayF
    similarities: ArrayF
    own: Curves
    random: Curves
    spot: Curves
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.random_maps.shape != (len(self.similarities), *self.heatmap.shape):
            raise InputError(f"Expected {len(self.similarities)} maps like the heatmap, got {self.random_maps.shape}.")

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the heatmap."""
        return not self.reasons

    @property
    def similarity(self) -> float:
        """Mean rank correlation with the maps of random networks."""
        return float(self.similarities.mean())

    def to_json(self) -> dict[str, Any]:
        """The verdict, a table of the areas and the curves over the share of the face, without the maps."""
        named = {"this map": self.own, "random orders (mean)": self.random, "from the middle": self.spot}
        return {
            "target": self.target if isinstance(self.target, str) else list(self.target),
            "method": self.method, "layer": self.layer, "passed": self.passed, "reasons": list(self.reasons),
            "similarity": self.similarity,
            "figures": [
                {
                    "order": name, "deletion area": float(each.deletion_areas.mean()),
                    "insertion area": float(each.insertion_areas.mean()), "gain (logits)": float(each.gains.mean()),
                }
                for name, each in named.items()
            ],
            "shares": np.linspace(0, 1, self.own.deletion.shape[1]).tolist(),
            "curves": {
                f"{prefix}{kind}": getattr(each, kind).mean(axis=0).tolist()
                for prefix, each in (("", self.own), ("random ", self.random), ("spot ", self.spot))
                for kind in ("deletion", "insertion")
            },
        }  # fmt: skip


def sanity(
    classifier: Classifier,
    crop: RGB,
    target: Target,
    *,
    method: str | None = None,
    layer: str | None = None,
    seed: int = 0,
    steps: int = STEPS,
    by: Classifier | None = None,
) -> Sanity:
    """Check a heatmap of one face.

    A map fails when it is empty; when the maps of ``RANDOM_NETWORKS`` copies of the network, all of whose weights are
    drawn anew at once, resemble it (``MAX_SIMILARITY``); or when more than ``MAX_AS_GOOD`` of ``RANDOM_ORDERS`` random
    orders find what counts as well (``Curves.gains``). How many pass of 64 faces of FER2013's private test, explained
    for the emotion that ``mobilenetv2-ferplus`` predicts (``python -m benchmarks.heatmap_sanity --scorecam``):

    | map | passed | too similar | no better than chance | similarity, median and 95 % | better than from the middle |
    | --- | --- | --- | --- | --- | --- |
    | ``gradcam``, ``backbone.13`` | 47 % | 0 % | 53 % | 0.02, 0.27 | 47 % |
    | the same, for the second most probable emotion | 25 % | 0 % | 75 % | 0.01, 0.23 | 62 % |
    | ``gradcam``, ``backbone.18``, the last, 3 by 3 | 22 % | 0 % | 78 % | 0.04, 0.30 | 38 % |
    | ``gradcam``, ``backbone.5``, 11 by 11 | 25 % | 0 % | 75 % | 0.02, 0.15 | 27 % |
    | ``gradcam++``, ``backbone.13`` | 39 % | 0 % | 61 % | 0.06, 0.29 | 55 % |
    | ``scorecam``, ``backbone.13``, 32 of the faces | 47 % | 0 % | 53 % | 0.01, 0.24 | 50 % |
    | of random weights, passed off as the model's own | 9 % | 0 % | 91 % | 0.05, 0.29 | 25 % |

    So all these maps depend on the weights, and a map that knows nothing hardly ever passes. One that fails may still
    be right: on a single face, half of the first row's maps cannot be told from chance. One face takes 1.3 s of one
    core with ``gradcam``, two to three times as long with ``scorecam``.

    Args:
        classifier: whose view is explained; it is left as it was.
        crop: uint8 (s, s, 3) RGB, cut as the card's ``crop`` says.
        target, method, layer: as for ``heatmaps``.
        seed: of the random weights and orders.
        steps: of the curves.
        by: the same classifier, run faster, which answers where no map is made (``fer_core.models.runtime.fastest``).

    Raises:
        InputError: as ``heatmaps``; fewer than two steps.
    """
    check_crops(crop[None])
    if steps < 2:
        raise InputError(f"Expected two steps or more, got {steps}.")
    classes, method, layer = (
        class_indices(classifier, target), pick_method(classifier, method), pick_layer(classifier, layer)
    )  # fmt: skip
    seeds = range(seed * RANDOM_NETWORKS, (seed + 1) * RANDOM_NETWORKS)
    nets = [copy_network(classifier), *(randomised(classifier, each) for each in seeds)]
    maps = [maps_of_input(classifier, net, crop[None], [classes], method, layer) for net in nets]
    return judged(
        classifier, crop, np.concatenate(maps), target, method=method, layer=layer, seed=seed, steps=steps, by=by
    )


def judged(
    classifier: Classifier, crop: RGB, maps: ArrayF, target: Target, *, method: str, layer: str, seed: int, steps: int,
    by: Classifier | None = None,
) -> Sanity:  # fmt: skip
    """The checks of the first of maps (1 + r, size, size) over the network's input, where the others come from networks
    with random weights."""
    own, others, rng = maps[0], maps[1:], np.random.default_rng(seed)
    cells = cells_along(classifier, layer)
    heats = [own, _spot(len(own)), *(_noise(len(own), cells, rng) for _ in range(RANDOM_ORDERS))]
    curves = _curves(by or classifier, crop, target, np.stack([_order(each, rng) for each in heats]), steps)
    mine, spot, random = (
        Curves(*(each[rows] for each in curves)) for rows in (slice(0, 1), slice(1, 2), slice(2, None))
    )
    similarities = np.array([rank_correlation(own, other) for other in others], np.float32)
    reasons = _reasons(own, float(similarities.mean()), float(mine.gains[0]), random.gains)
    placed = onto_crop(maps, len(crop), classifier.card.input.field)
    return Sanity(target, method, layer, placed[0], placed[1:], similarities, mine, random, spot, reasons)


def curves_of(classifier: Classifier, crop: RGB, target: Target, maps: ArrayF, *, steps: int = STEPS) -> Curves:
    """Curves of the orders that maps (m, size, size) over the network's input name, the hottest places first."""
    rng = np.random.default_rng(0)
    return Curves(*_curves(classifier, crop, target, np.stack([_order(each, rng) for each in maps]), steps))


def _reasons(heat: ArrayF, similarity: float, gain: float, random_gains: ArrayF) -> tuple[str, ...]:
    if not heat.any():
        return ("The map is empty: in this layer nothing speaks for the target, or every place as much as any other.",)
    found = []
    if similarity > MAX_SIMILARITY:
        found.append(
            f"Networks with random weights draw nearly the same map (rank correlation {similarity:.2f}): it shows the "
            "picture, not what the network learned."
        )
    as_good = int((random_gains >= gain).sum())
    if as_good > MAX_AS_GOOD:
        found.append(
            f"{as_good} of {len(random_gains)} random orders of covering the face find what counts for the score as "
            "well as the map does: it cannot be told from chance."
        )
    return tuple(found)


@torch.inference_mode(mode=False)
@torch.no_grad()
def randomised(classifier: Classifier, seed: int) -> EmotionNetwork:
    """The network with all its weights drawn anew: kernels and matrices by He et al. 2015, biases 0, norms neutral."""
    net, random = copy_network(classifier, own_weights=True), torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.reset_running_stats()
        for name, weights in module.named_parameters(recurse=False):
            if weights.ndim > 1:
                drawn = nn.init.kaiming_normal_(torch.empty(weights.shape), generator=random)
                weights.copy_(drawn)
            else:
                weights.fill_(1.0 if name == "weight" else 0.0)
    return net


def rank_correlation(one: ArrayF, other: ArrayF) -> float:
    """Spearman's rank correlation of two maps; 0 where one of them is the same everywhere."""
    first, second = (rankdata(each) - (each.size + 1) / 2 for each in (one, other))
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first.ravel() @ second.ravel()) / length if length else 0.0


def _spot(size: int) -> ArrayF:
    """A map (size, size), hot in the middle."""
    from_middle = np.arange(size) - (size - 1) / 2
    return -np.hypot(from_middle, from_middle[:, None]).astype(np.float32)


def _noise(size: int, cells: int, rng: np.random.Generator) -> ArrayF:
    """A random map (size, size), as coarse as ``cells`` by ``cells``."""
    return cv2.resize(rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_LINEAR)


def _order(heat: ArrayF, rng: np.random.Generator) -> ArrayF:
    """When each place's turn comes, (size, size) in 0-1: the hottest first, equals in random order."""
    turn = np.empty(heat.size, np.float32)
    turn[np.lexsort((rng.random(heat.size), -heat.ravel()))] = np.arange(heat.size, dtype=np.float32) / heat.size
    return turn.reshape(heat.shape)


def _areas(curves: ArrayF) -> ArrayF:
    """Areas (m,) under curves (m, k + 1) over a length of 1: their means."""
    return np.trapezoid(curves, dx=1 / (curves.shape[1] - 1), axis=1).astype(np.float32)


@torch.inference_mode()
def _curves(
    classifier: Classifier, crop: RGB, target: Target, orders: ArrayF, steps: int
) -> tuple[ArrayF, ArrayF, ArrayF]:
    """Deletion and insertion (m, steps + 1) by orders (m, size, size), and their gains (m,)."""
    clear = classifier.network_input(crop[None])
    covered = _blurred(clear)
    shares = torch.arange(1, steps, device=clear.device) / steps
    first = torch.from_numpy(orders).to(clear.device)[:, None, None] < shares[:, None, None, None]
    inner = [torch.where(first, *pair).flatten(0, 1) for pair in ((covered, clear), (clear, covered))]
    scores, probabilities = _answers(classifier, target, torch.cat([clear, covered, *inner]))
    deletion, insertion = (_with_ends(probabilities, i, len(orders)) for i in (0, 1))
    half = steps // 2 + 1
    shown, hidden = (_areas(_with_ends(scores, i, len(orders))[:, :half]) for i in (1, 0))
    return deletion, insertion, shown - hidden


def _with_ends(values: ArrayF, which: int, m: int) -> ArrayF:
    """Curves (m, k + 1) from what was measured: the clear face, the covered one, m deletions, m insertions."""
    inner = values[2:].reshape(2, m, -1)[which]
    start, end = (np.full((m, 1), values[i], np.float32) for i in (which, 1 - which))
    return np.concatenate([start, inner, end], axis=1)


def _blurred(x: Tensor) -> Tensor:
    """Network input (1, c, size, size), blurred until little more than light and dark is left."""
    planes = [cv2.GaussianBlur(plane, (0, 0), len(plane) * _BLUR) for plane in x[0].cpu().numpy()]
    return torch.from_numpy(np.stack(planes)[None]).to(x)


def _answers(classifier: Classifier, target: Target, x: Tensor) -> tuple[ArrayF, ArrayF]:
    """Score (n,) and calibrated probability (n,) of a target for network inputs (n, c, size, size)."""
    classes = class_indices(classifier, target)
    parts = [classifier.net.features_and_logits(x[i : i + _BATCH])[1] for i in range(0, len(x), _BATCH)]
    logits = torch.cat(parts).float()
    probabilities = (logits / classifier.card.temperature).softmax(dim=1)[:, classes].sum(dim=1)
    return logits[:, classes].logsumexp(dim=1).cpu().numpy(), probabilities.cpu().numpy()
