"""Where the time of training goes: pictures a second, and the share of it that the network takes.

    python -m benchmarks.train_epoch [RECIPE …] [--steps 20] [--data PATH] [--device auto]

trains each recipe for some steps just as ``python -m training.train`` does, once for each size of picture in its
schedule. "Network" is forward, backward and the optimiser's step; the rest is cutting batches, augmentation, averaged
weights, metrics. On a GPU every timer waits for it, which takes some speed. The first steps, in which memory is laid
out, are not counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from training import module
from training.module import EmotionModule
from training.prepare import choose_pictures, find_all, prepare
from training.recipe import Recipe, load_recipe
from training.schedule import make_optimiser
from training.train import quiet
from training.trainer import Machine, train

WARM = 3
Spent = dict[str, float]


@contextmanager
def watched() -> Iterator[Spent]:
    """Seconds in ``forward``, ``backward``, ``step``, ``augment`` and ``all``, and the number of ``steps``, while this
    is open."""
    spent: defaultdict[str, float] = defaultdict(float)
    told: Spent = {}
    n_batches, began = 0, 0.0

    def now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            started = now()
            found = function(*args, **more)
            spent[name] += now() - started
            return found

        return run

    def optimiser(*args: Any) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = make_optimiser(*args)
        real_step = made.step

        def step(closure: Callable[[], Any] | None = None) -> Any:
            loss = closure() if closure else None
            timed("step", real_step)()
            return loss

        made.step = step  # type: ignore[method-assign]
        return made

    def batch_end(self: EmotionModule, *args: Any) -> None:
        nonlocal n_batches, began
        n_batches += 1
        if n_batches == WARM:
            spent.clear()
            began = now()
        elif n_batches > WARM:
            told.update(spent, all=now() - began, steps=n_batches - WARM)

    with ExitStack() as stack:
        for owner, name, known in (
            (EmotionModule, "_logits", "forward"),
            (EmotionModule, "backward", "backward"),
            (module, "train_batch", "augment"),
        ):
            stack.enter_context(patch.object(owner, name, timed(known, getattr(owner, name))))
        stack.enter_context(patch.object(module, "make_optimiser", optimiser))
        stack.enter_context(patch.object(EmotionModule, "on_train_batch_end", batch_end))
        yield told


def measure(recipe: Recipe, size: int, steps: int, device: str, root: Path | None) -> Spent:
    """``images_per_s``, and the shares 0-1 of ``network`` and ``augment``, at one size of picture."""
    one = dataclasses.replace(recipe, stages=[(0.0, size)], epochs=1, minutes=0.0)
    roots = find_all(one.data, {} if root is None else dict.fromkeys(one.data.names, root))
    chosen = choose_pictures(one, roots, limit=(steps + WARM) * one.batch_size)
    with tempfile.TemporaryDirectory() as folder, watched() as spent:
        train(prepare(one, chosen, Path(folder) / "pictures"), Path(folder), Machine(device))
    network = spent["forward"] + spent["backward"] + spent["step"]
    return {
        "images_per_s": spent["steps"] * one.batch_size / spent["all"],
        "network": network / spent["all"],
        "augment": spent["augment"] / spent["all"],
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["usfq-2024-fer2013", "workbench-resnet"], metavar="RECIPE")
    parser.add_argument("--steps", type=int, default=20, help="1 or more")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    quiet()
    print("| recipe | px | images/s | network | augmentation |\n| --- | --- | --- | --- | --- |")
    for name in args.recipes:
        recipe = load_recipe(name)
        assert isinstance(recipe, Recipe)
        for size in sorted({size for _, size in recipe.stages} or {recipe.input.size}):
            found = measure(recipe, size, args.steps, args.device, args.data)
            shares = f"{found['network']:.0%} | {found['augment']:.0%}"
            print(f"| {name} | {size:g} | {found['images_per_s']:.0f} | {shares} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
