"""How a recipe inherits from another. Training builds what is read, and a page shows it: both see the same values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fer_core.errors import RecipeError

EXPLAINED = ("document", "ours")
"""What a recipe says about its other keys: what the source document says, and what we chose."""


def extended(name: str, read: Callable[[str], dict[str, Any]]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Values of a recipe over those of the recipe that it ``extends``, and so on; explanations of all are kept.

    Args:
        name: of the recipe, or its path.
        read: gives the values as they are written under a name.

    Returns:
        The values, and the names of the recipes below it, the nearest first.

    Raises:
        RecipeError: it extends itself, or its explanations are no keys and texts.
    """
    return _extended(name, read, ())


def _extended(
    name: str, read: Callable[[str], dict[str, Any]], seen: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    if name in seen:
        raise RecipeError(f"{Path(name).stem}.yaml extends itself.")
    values = read(name)
    if "extends" not in values:
        return values, ()
    base = str(values.pop("extends"))
    below, bases = _extended(base, read, (*seen, name))
    told = {key: {**_explained(below, key, base), **_explained(values, key, name)} for key in EXPLAINED}
    return {**below, **values, **told}, (base, *bases)


def _explained(values: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    found = values.get(key, {})
    if not isinstance(found, Mapping):
        raise RecipeError(f"{Path(name).stem}.yaml: expected keys and texts under {key}, got {found!r}.")
    return found
