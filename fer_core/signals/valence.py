"""Valence from the emotion probabilities: how much more probable positive expressions are than negative ones.

It is a difference of what the network says about groups, not a rating by people, and there is no arousal in it: a
network that was taught emotions cannot tell how strongly one is felt. See ``docs/signals.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_core.emotions import group_matrix, groups_of
from fer_core.signals.base import PROBABILITIES, Seen, register
from fer_core.signals.column import Column


class Valence:
    """Summed probability of the positive group less that of the negative one, by the group map in force."""

    name, needs = "valence", PROBABILITIES
    columns = (
        Column(
            "valence", "p(positive) - p(negative) by the groups in force: -1 all negative, 1 all positive",
            least=-1, most=1, averages=True, drawn="Valence",
        ),
    )  # fmt: skip

    def of(self, seen: Seen) -> NDArray[np.float32]:
        """Float32 (n, 1), -1 to 1."""
        assert seen.probabilities is not None
        names = groups_of(seen.groups)
        sums = seen.probabilities @ group_matrix(seen.labels, seen.groups)
        found = sums[:, names.index("positive")] - sums[:, names.index("negative")]
        return np.asarray(found, np.float32)[:, None]


VALENCE = register(Valence())
