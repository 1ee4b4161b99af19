"""Strips on disk, piece by piece: each piece has what changed since the one before, so that keeping them costs as much
after two hours as after one minute. Pictures lie in files of their own, which go when hardly one is needed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.errors import StoreError
from fer_core.files import replacing, to_disk
from fer_core.video.packed import packed, unpacked
from fer_core.video.reader import RGB
from fer_core.video.strips import Strip

NEEDED = 0.25
"""A file of which a smaller share of the pictures is needed is given up: they are kept once more."""
_Key = tuple[int, int]
"""The strip and the frame of a picture."""


class KeptStrips:
    """What of some strips is on disk. A piece that is not the last one stays as it is until no strip needs it."""

    def __init__(self) -> None:
        self._pieces = 0
        self._followed: Counter[int] = Counter()
        self._frames: dict[int, set[int]] = {}
        self._piece_of: dict[_Key, int] = {}
        self._needed: Counter[int] = Counter()
        self._in_piece: dict[int, int] = {}
        self._gone: list[Path] = []

    def keep(self, folder: Path, strips: Mapping[int, Strip], changed: set[int]) -> dict[str, Any]:
        """Write what has changed; returns what ``read`` needs. Files that are not needed any more by then go with the
        next piece: until then somebody may go on from the last one.

        Raises:
            OSError: the disk does not take it.
        """
        for path in self._gone:
            path.unlink(missing_ok=True)
        self._gone, piece = [], self._pieces
        new = self._changed_pictures(strips, changed) | self._rescued()
        chips = {f"{track}/{frame}": self._chip(strips[track], frame) for track, frame in sorted(new)}
        told = {str(track): strips[track].state(self._followed[track]) for track in sorted(changed)}
        written = [folder / _strips(piece)] + ([folder / _chips(piece)] if chips else [])
        for path, content in zip(written, (told, chips), strict=False):
            with replacing(path, at_once=False) as file:
                file.write_bytes(packed(content))
        to_disk(*written)
        self._piece_of |= dict.fromkeys(new, piece)
        if new:
            self._needed[piece] = self._in_piece[piece] = len(new)
        self._followed.update({track: strips[track].followed - self._followed[track] for track in changed})
        self._pieces += 1
        for each in [each for each in self._in_piece if not self._needed[each]]:
            del self._in_piece[each]
            self._gone.append(folder / _chips(each))
        return {"n": self._pieces, "pictures": self._places()}

    def read(self, folder: Path, told: Mapping[str, Any]) -> dict[int, Strip]:
        """The strips, as they were when ``keep`` told this.

        Raises:
            StoreError: a piece is missing or damaged.
        """
        self._pieces = told["n"]
        states: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for piece in range(self._pieces):
            for name, state in unpacked(folder / _strips(piece)).items():
                states[int(name)].append(state)
        for track, frame, piece in told["pictures"].tolist():
            self._piece_of[track, frame] = piece
            self._frames.setdefault(track, set()).add(frame)
            self._needed[piece] += 1
        chips: dict[_Key, RGB] = {}
        for piece in self._needed:
            inside = unpacked(folder / _chips(piece))
            self._in_piece[piece] = len(inside)
            for name, chip in inside.items():
                track, frame = map(int, name.split("/"))
                if self._piece_of.get((track, frame)) == piece:
                    chips[track, frame] = chip
        if lacking := self._piece_of.keys() - chips.keys():
            raise StoreError(f"{len(lacking)} pictures of faces are missing.")
        strips = {
            track: Strip.going_on(own, lambda frame, track=track: chips[track, frame])  # type: ignore[misc]
            for track, own in states.items()
        }
        self._followed.update({track: strip.followed for track, strip in strips.items()})
        self._gone = [path for path in folder.glob("chips-*") if int(path.stem[6:]) not in self._in_piece]
        return strips

    def _changed_pictures(self, strips: Mapping[int, Strip], changed: set[int]) -> set[_Key]:
        """Pictures that are on no disk yet; those that are not needed any more are forgotten."""
        new = set()
        for track in changed:
            before, now = self._frames.get(track, set()), {picture.frame for picture in strips[track].pictures()}
            for frame in before - now:
                self._needed[self._piece_of.pop((track, frame))] -= 1
            new |= {(track, frame) for frame in now - before}
            self._frames[track] = now
        return new

    def _rescued(self) -> set[_Key]:
        """The last pictures of a file that is given up."""
        for piece, n in self._in_piece.items():
            if 0 < self._needed[piece] < NEEDED * n:
                self._needed[piece] = 0
                return {key for key, own in self._piece_of.items() if own == piece}
        return set()

    def _chip(self, strip: Strip, frame: int) -> RGB:
        return next(picture.chip for picture in strip.pictures() if picture.frame == frame)

    def _places(self) -> np.ndarray:
        rows = [(track, frame, piece) for (track, frame), piece in self._piece_of.items()]
        return np.array(rows, np.int64).reshape(-1, 3)


def _strips(piece: int) -> str:
    return f"strips-{piece:06d}.safetensors"


def _chips(piece: int) -> str:
    return f"chips-{piece:06d}.safetensors"
