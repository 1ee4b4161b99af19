"""In which photos of an evaluation no face was found, or several were: counted and named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FacesFound:
    """Ids of photos in which no face was found, which were taken whole (or the box that was told), and of photos with
    several, of which the largest was taken; both empty where nothing was looked for."""

    none: tuple[str, ...]
    several: tuple[str, ...]

    def sentences(self, most: int = 10) -> list[str]:
        """What is worth saying, with up to ``most`` names each."""
        told = []
        for ids, what, done in (
            (self.none, "without a face that was found", "taken whole"),
            (self.several, "with several faces", "the largest one taken"),
        ):
            if ids:
                more = f" and {len(ids) - most:,} more" if len(ids) > most else ""
                told.append(f"{counted(len(ids))} {what}, {done}: {', '.join(ids[:most])}{more}.")
        return told


def counted(n: int) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{n:,} picture{'' if n == 1 else 's'}"


def faces_found(ids: NDArray[np.str_], n_faces: NDArray[np.int64]) -> FacesFound:
    """From the ids (n,) and how many faces were found in each (n,)."""
    return FacesFound(tuple(ids[n_faces == 0].tolist()), tuple(ids[n_faces > 1].tolist()))
