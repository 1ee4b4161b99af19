"""Structured pruning: whole filters leave a network, which then learns for a few epochs more.

What is left is an ordinary network of the same architecture with other ``widths``; nothing else has to know of it.
``training.edge`` calls this with ``--prune``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fer_core.errors import RecipeError
from fer_core.models import registry
from fer_core.models.card import Card, read_card, write_card
from fer_core.models.classifier import Classifier
from fer_core.models.registry import EmotionNetwork
from training.export import export_checkpoints
from training.prepare import PreparedData
from training.recipe import FERPLUS, FERPLUS7, OWN, Recipe
from training.results import Results
from training.settings import Schedule, Stop
from training.train import start_run
from training.trainer import build_module, kept_state, train

SUPPORTED = ("mru-cnn", "shsu-cnn")
"""Architectures that are a chain of convolutions, each with its batch norm, whose ``widths`` are free."""
STEP = 8
"""Widths stay multiples of this, which vector units like."""
LR_SHARE = 0.1
"""Of the recipe's learning rate, at which the fine-tuning starts; it falls to zero along a cosine."""


@dataclass(frozen=True)
class Link:
    """A convolution, the batch norm of its channels, and the layer that reads them; names in the network."""

    conv: str
    norm: str
    after: str


def links(net: EmotionNetwork) -> list[Link]:
    """The convolutions of a chain, in order."""
    names = {module: name for name, module in net.named_modules()}
    convs = [each for each in net.backbone.modules() if isinstance(each, nn.Conv2d)]
    norms = [each for each in net.backbone.modules() if isinstance(each, nn.BatchNorm2d)]
    neck = [each for each in net.modules() if isinstance(each, nn.Linear)]
    after = [*convs[1:], neck[0]]
    return [Link(names[a], names[b], names[c]) for a, b, c in zip(convs, norms, after, strict=True)]


def filter_norms(net: EmotionNetwork, link: Link) -> Tensor:
    """How much the next layer hears of each filter (width,): the factor of its batch norm times the L1 norm of the
    weights that read it.

    The norm of the filter's own weights (Li et al. 2017, arXiv:1608.08710) says nothing here: a batch norm behind it
    brings every filter to the same spread.
    """
    state = net.state_dict()
    factor, spread = state[f"{link.norm}.weight"].abs(), state[f"{link.norm}.running_var"]
    reads = state[f"{link.after}.weight"].abs()
    read = reads.reshape(len(reads), len(factor), -1).sum(dim=(0, 2))
    return factor * (spread / (spread + 1e-5)).sqrt() * read


def prune(classifier: Classifier, share: float) -> tuple[EmotionNetwork, dict[str, Any]]:
    """A network without the share of every convolution's filters that says least, and its options.

    Widths are rounded up to multiples of 8.

    Raises:
        RecipeError: an architecture that cannot be pruned, or an impossible share.
    """
    card = classifier.card
    if card.architecture not in SUPPORTED:
        raise RecipeError(
            f"{card.name} is a {card.network}, whose filters cannot be removed one by one yet; those of "
            f"{' and '.join(SUPPORTED)} can."
        )
    if not 0 < share < 1:
        raise RecipeError(f"The share of filters to prune must be between 0 and 1, got {share}.")
    net = classifier.net.cpu()
    state, widths = dict(net.state_dict()), []
    for link in links(net):
        norms = filter_norms(net, link)
        keep = min(len(norms), -(-max(round(len(norms) * (1 - share)), 1) // STEP) * STEP)
        rows = norms.topk(keep).indices.sort().values
        _take(state, link, rows)
        widths.append(keep)
    options = {**card.options, "widths": widths}
    small = registry.build(card.architecture, n_labels=len(card.labels), channels=card.input.channels, **options)
    small.load_state_dict(state)
    return small.eval(), options


def _take(state: dict[str, Tensor], link: Link, rows: Tensor) -> None:
    """Leave only these filters of a convolution, and what the next layer reads of them, in ``state``."""
    before = len(state[f"{link.conv}.weight"])
    for name in (name for name in state if name.rpartition(".")[0] in (link.conv, link.norm)):
        state[name] = state[name][rows] if state[name].ndim else state[name]
    weight = state[f"{link.after}.weight"]
    each = weight.shape[1] // before  # a full layer reads several values of every channel's map
    columns = (rows[:, None] * each + torch.arange(each)).flatten()
    state[f"{link.after}.weight"] = weight[:, columns]


def pruned_name(card: Card, share: float) -> str:
    """Name of the checkpoint without that share of its filters."""
    return f"{card.name}-pruned{round(100 * share)}"


def target_of(card: Card) -> str:
    """Which of a recipe's targets taught a checkpoint."""
    return FERPLUS if card.data.get("labels") == FERPLUS7 else OWN


def fine_tuning(recipe: Recipe, card: Card, options: dict[str, Any], share: float, epochs: int) -> Recipe:
    """The recipe by which a pruned network learns again: the source's, for a few epochs at a tenth of its rate."""
    name, target = pruned_name(card, share), target_of(card)
    return dataclasses.replace(
        recipe,
        name=name,
        options=options,
        targets={target: dataclasses.replace(recipe.targets[target], weight=1.0, checkpoint=name)},
        weights="scratch",
        epochs=epochs,
        minutes=0.0,
        optimiser=dataclasses.replace(recipe.optimiser, lr=recipe.optimiser.lr * LR_SHARE, backbone_lr=None),
        schedule=Schedule(),
        phases=[],
        stages=[],
        stop=Stop(),
        ema=0.0,
    )


def prune_checkpoint(
    source: Classifier, prepared: PreparedData, *, share: float, epochs: int, results: Results, fresh: bool = False
) -> Path:
    """Prune a checkpoint, let it learn again in the folder of the run, and write it; returns its folder.

    Raises:
        RecipeError: it cannot be pruned, or the folder holds another run.
    """
    if epochs < 1:
        raise RecipeError(f"A pruned network has to learn for 1 epoch or more, not {epochs}.")
    small, options = prune(source, share)
    recipe = fine_tuning(prepared.recipe, source.card, options, share, epochs)
    run = results.run
    start_run(run, recipe, f"from {source.sha256}", fresh=fresh)
    mine = dataclasses.replace(prepared, recipe=recipe, sha256=recipe.sha256)
    train(mine, run, net=small)
    folder = export_checkpoints(
        mine, state=kept_state(run, recipe), results=results, model=build_module(recipe).model
    )[0]  # fmt: skip
    card = read_card(folder / "card.json")
    card = dataclasses.replace(
        card,
        recipe=source.card.recipe,
        data={**card.data, "pruned": {"of": source.name, "share": share}},
        notes=[*card.notes, f"{source.name} without {share:.0%} of its filters, trained for {epochs} epochs more."],
    )
    write_card(folder, card)
    return folder
