"""How recipes inherit: one rule for training, which builds them, and for the page, which shows them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.services import systems
from fer_core.errors import RecipeError
from fer_core.systems.recipes import extended
from training.recipe import RECIPES, load_recipe, recipe_names

WRITTEN: dict[str, dict[str, Any]] = {
    "top": {"extends": "middle", "lr": 3, "ours": {"lr": "tried"}},
    "middle": {"extends": "base", "epochs": 2, "ours": {"lr": "guessed", "epochs": "enough"}},
    "base": {"lr": 1, "epochs": 1, "document": {"lr": "as published"}},
    "round": {"extends": "trip"},
    "trip": {"extends": "round"},
    "bad": {"extends": "base", "ours": "nothing"},
}


def read(name: str) -> dict[str, Any]:
    return dict(WRITTEN[name])


def test_values_stand_over_those_below_and_explanations_are_kept() -> None:
    values, bases = extended("top", read)
    assert bases == ("middle", "base")
    assert values == {
        "lr": 3, "epochs": 2, "document": {"lr": "as published"}, "ours": {"lr": "tried", "epochs": "enough"},
    }  # fmt: skip
    assert extended("base", read) == (WRITTEN["base"], ())


def test_recipes_that_cannot_inherit_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"round\.yaml extends itself"):
        extended("round", read)
    with pytest.raises(RecipeError, match=r"bad\.yaml: expected keys and texts under ours, got 'nothing'"):
        extended("bad", read)


@pytest.mark.parametrize("name", recipe_names())
def test_the_page_shows_what_training_builds(name: str) -> None:
    shown, built = systems.recipe(name), load_recipe(name)
    assert dict(shown.document) == dict(built.document) and dict(shown.ours) == dict(built.ours)
    assert all((RECIPES / f"{base}.yaml").is_file() for base in shown.extends)
