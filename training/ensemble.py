"""Ensembles of trained checkpoints: weights by rule or a trained layer, all fitted on the choosing split alone.

The ensemble's folder is a checkpoint like any other, but for its members' weights, which stay in their own folders.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from fer_core.data import FaceSet, ferplus_labels
from fer_core.errors import CheckpointError, RecipeError
from fer_core.evaluation.run import evaluate_faces, table_array
from fer_core.models.card import ENSEMBLE, MEMBER_SHA256, Card, InputSpec
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import Classifier, load
from fer_core.models.ensemble import Ensemble, Member, ensemble, fusion
from fer_core.models.folders import find_checkpoint
from training.class_prior import write_prior
from training.export import hardware, revision, said
from training.measure import fit_on, measure
from training.prepare import Roots, choose_pictures
from training.reading import HowToRead, read_side
from training.recipe import FERPLUS, FERPLUS7, EnsembleRecipe, how_to_make
from training.reference import write_reference
from training.results import Results
from training.settings import Crop


def run_ensemble(recipe: EnsembleRecipe, roots: Roots, *, results: Results, limit: int | None = None) -> Path:
    """Make, measure and write an ensemble; returns its folder.

    Raises:
        RecipeError: a member has not been trained yet; the message says how.
        CheckpointError: members that do not fit together.
    """
    results.check([recipe.checkpoint])
    members = [_load(name, results.out) for name in recipe.members]
    chosen = choose_pictures(recipe, roots, limit=limit)
    if not chosen.choose:
        raise RecipeError(f"{recipe.name}: an ensemble needs a split to choose its weights on.")
    common = _common_input(members)
    answers = [_answers(member, chosen.choose) for member in members]
    truth = np.concatenate([_truth(faces, recipe.target) for faces in chosen.choose])
    labelled = truth >= 0
    weights = weights_by(recipe, [float((each.argmax(axis=1) == truth)[labelled].mean()) for each in answers])
    options = _options(members, weights, recipe, common)
    net = ensemble(n_labels=len(members[0].labels), channels=common.channels, **options)
    assert isinstance(net, Ensemble)
    for mine, theirs in zip(net.backbone, members, strict=True):
        assert isinstance(mine, Member)
        mine.net.load_state_dict(theirs.net.cpu().state_dict())
    card = _card(recipe, members, net, common, options)
    if not weights:
        known = np.concatenate(answers, axis=1)[labelled], truth[labelled], len(members)
        net.head = fit(recipe, *known)
        told = f"In five folds of the choosing split such a layer is right about {in_folds(recipe, *known):.1%}."
        card = dataclasses.replace(card, notes=[*card.notes, told])
    geometry = members[0].card.crop
    crop = Crop(geometry.size, geometry.size, geometry.margin, geometry.align)
    train = read_side(
        chosen.train, crop, common.channels, results.run / "pictures" / "train.npy", HowToRead(workers=None)
    )
    with results.folder(recipe.checkpoint) as folder:
        save_checkpoint(folder, net, card)
        card = dataclasses.replace(card, temperature=fit_on(load(folder), chosen.choose, recipe.target))
        save_checkpoint(folder, net, card)
        measure(folder, chosen.choose, chosen.test, with_votes=recipe.target == FERPLUS)
        write_prior(folder, train.votes, train.labels)
        write_reference(folder, load(folder), np.asarray(train.images), train.labels, recipe.seed)
    return results.out / recipe.checkpoint


def _load(name: str, out: Path) -> Classifier:
    try:
        return load(out / name if (out / name).is_dir() else find_checkpoint(name))
    except CheckpointError as error:
        raise RecipeError(f"Member {name} cannot be used: {error} {how_to_make(name)}") from error


def _truth(faces: FaceSet, target: str) -> NDArray[np.int64]:
    """Labels (n,) of the pictures under the target; -1 where it has none.

    Raises:
        DataError: FER+ without votes.
    """
    return ferplus_labels(faces.votes, FERPLUS7) if target == FERPLUS else faces.labels


def _common_input(members: Sequence[Classifier]) -> InputSpec:
    """The input of the whole: the crop at its own size, the widest view of the members, pixels in 0-1.

    Raises:
        CheckpointError: members with other labels, another crop or a preprocessing of their own.
    """
    cards = [member.card for member in members]
    first = cards[0]
    for card in cards:
        if (card.labels, card.crop) != (first.labels, first.crop) or card.preprocess:
            raise CheckpointError(
                f"{card.name} does not fit {first.name}: members of an ensemble have the same labels and crop, and no "
                "preprocessing of their own."
            )
    field, channels = max(card.input.field for card in cards), max(card.input.channels for card in cards)
    return InputSpec(round(first.crop.size * field), channels, [0.0] * channels, [1.0] * channels, field)


def _answers(member: Classifier, sets: Sequence[FaceSet]) -> NDArray[np.float64]:
    """Log-probabilities (n, k) at the member's own temperature."""
    tables = [evaluate_faces(member, faces) for faces in sets]
    probabilities = np.concatenate([table_array(table, "p_") for table in tables]).astype(np.float64)
    return np.log(np.clip(probabilities, 1e-12, 1))


def weights_by(recipe: EnsembleRecipe, accuracies: Sequence[float]) -> list[float]:
    """Weights by the recipe's rule, summing to 1; none for a trained layer.

    ``rank``: w_i = R(A_i) / Σ R(A_j), where R is the rank of accuracy A, 1 for the worst (ubb-2021); equal accuracies
    share their mean rank.
    """
    from scipy.stats import rankdata

    if recipe.rule == "trained":
        return []
    by_rule = {
        "equal": np.ones(len(accuracies)),
        "rank": rankdata(accuracies),
        "hand": np.array(recipe.weights_by_hand),
    }
    chosen = by_rule[recipe.rule]
    return [round(float(each), 6) for each in chosen / chosen.sum()]


def fit(recipe: EnsembleRecipe, answers: NDArray[np.float64], truth: NDArray[np.int64], n_members: int) -> nn.Module:
    """Train the fusion layer on the members' answers (n, m·k) to the choosing split."""
    torch.manual_seed(recipe.seed)
    x, y = torch.tensor(answers), torch.from_numpy(truth)
    layer = fusion(n_members, x.shape[1] // n_members, recipe.fit.hidden).double()
    start = [parameter.detach().clone() for parameter in layer.parameters()]

    def loss(rows: Tensor) -> Tensor:
        optimiser.zero_grad()
        found = F.cross_entropy(layer(x[rows]), y[rows]) + recipe.fit.pull * _distance(layer, start)
        found.backward()  # type: ignore[no-untyped-call]
        return found.detach()

    everything = torch.arange(len(x))
    optimiser: torch.optim.Optimizer
    if recipe.fit.by == "lbfgs":
        optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=recipe.fit.epochs, line_search_fn="strong_wolfe")
        optimiser.step(lambda: float(loss(everything)))  # type: ignore[no-untyped-call]
        return layer.float()
    optimiser = torch.optim.SGD(layer.parameters(), lr=recipe.fit.lr, momentum=0.9)
    for _ in range(recipe.fit.epochs):
        for rows in torch.split(torch.randperm(len(x)), recipe.batch_size):
            loss(rows)
            optimiser.step()
    return layer.float()


def in_folds(recipe: EnsembleRecipe, answers: NDArray[np.float64], truth: NDArray[np.int64], n_members: int) -> float:
    """Accuracy (0-1) of layers on a fifth of the answers (n, m·k), each trained on the other four fifths.

    The choosing split's own figure flatters a layer that was trained on it.
    """
    order = np.random.default_rng(recipe.seed).permutation(len(truth))
    right = 0
    for held_out in np.array_split(order, 5):
        layer = fit(recipe, np.delete(answers, held_out, axis=0), np.delete(truth, held_out), n_members)
        with torch.inference_mode():
            said_so = layer(torch.tensor(answers[held_out], dtype=torch.float32)).argmax(dim=1).numpy()
        right += int((said_so == truth[held_out]).sum())
    return right / len(truth)


def _distance(layer: nn.Module, start: Sequence[Tensor]) -> Tensor:
    """Sum of squares between the layer's weights and those it started from."""
    return torch.stack([((now - then) ** 2).sum() for now, then in zip(layer.parameters(), start, strict=True)]).sum()


def _options(
    members: Sequence[Classifier], weights: list[float], recipe: EnsembleRecipe, common: InputSpec
) -> dict[str, Any]:
    return {
        "members": [
            {
                "name": member.name,
                MEMBER_SHA256: member.sha256,
                "architecture": member.card.architecture,
                "options": dict(member.card.options),
                "channels": member.card.input.channels,
                "size": member.card.input.size,
                "field": member.card.input.field / common.field,
                "mean": list(member.card.input.mean),
                "std": list(member.card.input.std),
                "temperature": member.card.temperature,
            }
            for member in members
        ],
        "weights": weights,
        "hidden": recipe.fit.hidden if not weights else 0,
    }


def _card(
    recipe: EnsembleRecipe, members: Sequence[Classifier], net: nn.Module, common: InputSpec, options: dict[str, Any]
) -> Card:
    first = members[0].card
    how = {"trained": "a layer trained on the choosing split"}.get(recipe.rule, f"weights {options['weights']}")
    return Card(
        name=recipe.checkpoint,
        title=recipe.title,
        architecture=ENSEMBLE,
        labels=first.labels,
        input=common,
        crop=first.crop,
        temperature=1.0,
        options=options,
        system=recipe.system,
        recipe=recipe.name,
        recipe_sha256=recipe.sha256,
        data={
            "dataset": "+".join(recipe.data.names),
            "train": said(recipe.data.train),
            "choose": said(recipe.data.choose),
            "test": said(recipe.data.test),
            "labels": FERPLUS7 if recipe.target == FERPLUS else recipe.data.test[0].dataset,
            "detector": first.data.get("detector", ""),
            "epochs": [member.card.data.get("epochs") for member in members],
        },
        seed=recipe.seed,
        revision=revision(),
        date=datetime.now(UTC).date().isoformat(),
        hardware=hardware(),
        wall_s=round(sum(member.card.wall_s for member in members), 1),
        n_params=sum(parameter.numel() for parameter in net.parameters()),
        notes=[f"Ensemble of {', '.join(recipe.members)} by rule {recipe.rule}: {how}."],
    )
