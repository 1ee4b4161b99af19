"""List the recipes.

    python -m training.recipes [--json] [NAME]

With a name: everything that decides the run, what its document says, and what was chosen here.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from training.recipe import EnsembleRecipe, Recipe, load_recipe, recipe_names


def summary(recipe: Recipe | EnsembleRecipe) -> dict[str, Any]:
    """A recipe in one row."""
    row: dict[str, Any] = {
        "name": recipe.name,
        "system": recipe.system,
        "architecture": recipe.architecture,
        "data": " + ".join(dict.fromkeys(part.dataset for part in recipe.data.train)),
    }
    if isinstance(recipe, EnsembleRecipe):
        return row | {"size": "", "epochs": "", "weights": recipe.rule, "checkpoints": [recipe.checkpoint]}
    checkpoints = [target.checkpoint for target in recipe.targets.values()]
    return row | {
        "size": recipe.input.size,
        "epochs": recipe.epochs,
        "weights": recipe.weights,
        "checkpoints": checkpoints,
    }


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="one recipe in full (default: all, a line each)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    args = parser.parse_args(argv)
    try:
        if args.name:
            _tell_one(load_recipe(args.name), as_json=args.json)
        else:
            _tell_all([load_recipe(name) for name in recipe_names()], as_json=args.json)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


def _tell_all(recipes: list[Recipe | EnsembleRecipe], *, as_json: bool) -> None:
    rows = [summary(recipe) for recipe in recipes]
    if as_json:
        print(json.dumps(rows))
        return
    shown = [{key: str(value) for key, value in row.items() if key != "checkpoints"} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in shown)) for key in shown[0]}
    for row in [{key: key for key in widths}, *shown]:
        print("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())


def _tell_one(recipe: Recipe | EnsembleRecipe, *, as_json: bool) -> None:
    values = dataclasses.asdict(recipe)
    if as_json:
        print(json.dumps(values))
        return
    for key, value in values.items():
        if key not in ("document", "ours"):
            print(f"{key}: {value}")
    for title, told in (("What the document says", recipe.document), ("What was chosen here", recipe.ours)):
        print(f"\n{title}")
        for key, text in told.items():
            print(f"  {key}: {text}")


if __name__ == "__main__":
    raise SystemExit(main())
