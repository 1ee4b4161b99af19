"""Picture quality of a face: how sharp and how bright its crop is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.signals.base import CROPS, Seen, register
from fer_core.signals.column import Column


class Quality:
    """See ``fer_core.faces.crop_qualities``."""

    name, needs = "quality", CROPS
    columns = (
        Column("sharpness", "variance of the Laplacian of the face crop, grey values 0-255", least=0),
        Column("brightness", "mean grey value of the face crop, 0-1", least=0, most=1),
    )

    def of(self, seen: Seen) -> NDArray[np.float32]:
        """Float32 (n, 2)."""
        from fer_core.faces import crop_qualities  # OpenCV, which a page that only lists columns need not wait for

        assert seen.crops is not None
        found = crop_qualities(seen.crops)
        return np.stack([found[column.name] for column in self.columns], axis=1)


QUALITY = register(Quality())
