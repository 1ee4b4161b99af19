"""Faces chosen by hand, kept on disk, so that an address can name them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from dashboard.services import places
from fer_core.errors import InputError
from fer_core.files import keep_newest, replacing

KEPT = 500
_KEY = re.compile(r"[0-9a-f]{16}")


def keep(ids: Iterable[str]) -> str:
    """Keep a set of ids; returns its key, the same for the same set."""
    text = json.dumps(sorted(set(ids)))
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = places.below("selections")
    with replacing(folder / f"{key}.json") as new:
        new.write_text(text, encoding="utf-8")
    keep_newest(folder, "*.json", KEPT)
    return key


def kept(key: str) -> frozenset[str]:
    """The ids of a key.

    Raises:
        InputError: it is none, or it is not kept any more.
    """
    path = places.below("selections") / f"{key}.json"
    if not _KEY.fullmatch(key) or not path.is_file():
        raise InputError("The faces that this address chose are not kept on this machine. Choose them again.")
    try:
        return frozenset(map(str, json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as error:
        raise InputError("The file of these chosen faces is damaged. Choose them again.") from error
