"""What a new analysis begins with on this machine, where somebody chose it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from dashboard.services import places
from fer_core.files import replacing

FILE = "defaults.json"
KNOWN = ("checkpoint", "mode", "prior")


def kept() -> dict[str, Any]:
    """The choices, by the names of ``AnalyzeRequest``; empty where there are none, or the file is damaged."""
    with suppress(OSError, ValueError):
        found = json.loads((places.home() / FILE).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {name: found[name] for name in KNOWN if name in found}
    return {}


def keep(choices: dict[str, Any]) -> None:
    """Store them."""
    with replacing(places.home() / FILE) as new:
        new.write_text(json.dumps({name: choices[name] for name in KNOWN}) + "\n", encoding="utf-8")


def first_checkpoint(names: list[str]) -> str:
    """The model that a new analysis begins with: the chosen one, or the recommended one, which is the first."""
    chosen = kept().get("checkpoint", ())
    return next((name for name in chosen if name in names), names[0])
