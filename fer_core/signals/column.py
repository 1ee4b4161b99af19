"""One column of a table of faces, and all that anybody needs to know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

DTYPES = ("int32", "float32", "float64", "string", "bool")


@dataclass(frozen=True)
class Column:
    """A column: tables, the data dictionary, exports, smoothing, summaries and the player are derived from it.

    Attributes:
        name: in tables and exports.
        text: what it means, in words that users read.
        dtype: one of ``DTYPES``.
        unit: of its values, as ``px``, ``s`` or ``degrees``; empty where it has none.
        least, most: range of its values; infinite where there is no limit.
        smooths: whether a smoothing window averages it, as it does probabilities.
        averages: whether its mean over time is told in summaries, statistics and around events.
        drawn: title of its own line in the player; empty where it has none.
    """

    name: str
    text: str
    dtype: str = "float32"
    unit: str = ""
    least: float = -math.inf
    most: float = math.inf
    smooths: bool = False
    averages: bool = False
    drawn: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"The column {self.name} is {self.dtype!r}; expected one of {', '.join(DTYPES)}.")
        if self.drawn and not (math.isfinite(self.least) and math.isfinite(self.most) and self.least < self.most):
            raise ValueError(f"The column {self.name} is drawn; expected a finite range, got {self.least}-{self.most}.")
