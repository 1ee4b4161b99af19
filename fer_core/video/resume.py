"""What an analysis that was interrupted goes on from: one file beside its parts, written anew every few seconds.

It is taken up only by the same code with the same source, settings and models; and only where the reader comes to the
very picture that was analysed last. Then the result is that of an analysis which nothing interrupted. Else all begins
anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.errors import StoreError
from fer_core.files import moved, replacing
from fer_core.signals.emotion import EmotionScores
from fer_core.video.fingerprint import Fingerprint
from fer_core.video.in_making import STATE
from fer_core.video.info import Place, ReadStats
from fer_core.video.modes import Settings
from fer_core.video.packed import packed, unpacked
from fer_core.video.reader import RGB

FORMAT = "fer-workbench-state/1"


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a run was.

    Attributes:
        place: of the reader, at the last frame that was analysed.
        ended: no other frame follows; ``place`` has the counts of the whole then.
        picture: digest of that frame.
        spent_s: how long was worked on it.
        repeated: frames that show the picture before once more.
        tracker, parts: what those need to go on.
    """

    place: Place
    ended: bool
    picture: str
    spent_s: float
    repeated: int
    tracker: dict[str, Any]
    parts: dict[str, Any]

    def write(self, folder: Path, key: dict[str, Any]) -> None:
        """Keep it in the folder of the parts, in place of the one before.

        Raises:
            OSError: the disk does not take it.
        """
        with replacing(folder / STATE) as new:
            new.write_bytes(packed({"format": FORMAT, "key": key, "state": vars(self)}))


def read(folder: Path, key: dict[str, Any]) -> Standing | None:
    """The state that was kept in a folder, or None where there is none that fits ``key``."""
    try:
        found = unpacked(folder / STATE)
        if found["format"] != FORMAT or found["key"] != key:
            return None
        state = found["state"]
        place = state["place"]
        stats = ReadStats(**{**place["stats"], "changes": [tuple(each) for each in place["stats"]["changes"]]})
        return Standing(**{**state, "place": Place(**{**place, "stats": stats})})
    except (StoreError, KeyError, TypeError):
        return None


def key_of(
    fingerprint: Fingerprint, settings: Settings, scores: list[EmotionScores], versions: dict[str, str]
) -> dict[str, Any]:
    """All that a result depends on."""
    models = [
        (each.classifier.name, each.classifier.sha256 or id(each), str(each.classifier.device), each.runtime.name)
        for each in scores
    ]  # weights that lie in no file are not known again
    told = [vars(fingerprint), dataclasses.asdict(settings), models, versions, _code()]
    return {"source": fingerprint.sha256, "all": hashlib.sha256(repr(told).encode()).hexdigest()}


def digest(picture: RGB) -> str:
    """Another one for every other picture."""
    return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).hexdigest()


def take_over(temporary: Path, others: list[Path]) -> None:
    """Make the folder of an earlier run, if there is one, that of this run: who still works in it cannot any more.

    ``others`` are folders of earlier runs; the one that was written last is taken unless ``temporary`` is there.
    """
    for path in sorted(others, key=_written, reverse=True):
        if temporary.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            moved(path, temporary)


def _written(folder: Path) -> int:
    try:
        return (folder / STATE).stat().st_mtime_ns
    except OSError:
        return 0


def close(folder: Path, key: dict[str, Any]) -> None:
    """Note that the tables and the record in a folder are whole, so that nothing but its name is missing.

    Raises:
        OSError: the disk does not take it.
    """
    with replacing(folder / STATE) as new:
        new.write_bytes(packed({"format": FORMAT, "key": key, "closed": True}))


def is_closed(folder: Path, key: dict[str, Any]) -> bool:
    """Whether a folder holds a whole analysis of the same."""
    try:
        found = unpacked(folder / STATE)
        return bool(found["key"] == key and found.get("closed"))
    except (StoreError, KeyError, TypeError):
        return False


@cache
def _code() -> str:
    """Of the library's own source."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


__all__ = ["Standing", "close", "digest", "is_closed", "key_of", "read", "take_over"]
