"""How common each emotion was in what a network was taught, and its answers as if it had been otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_core.errors import InputError

AS_TRAINED, HALFWAY, ALL_ALIKE = "as_trained", "halfway", "all_alike"
PRIORS: Mapping[str, str] = MappingProxyType(
    {AS_TRAINED: "as in the training pictures", HALFWAY: "halfway", ALL_ALIKE: "all seven alike"}
)
"""How common each emotion is taken to be: every choice, and what people read."""
RAREST = 0.001
"""A smaller share counts as this one, so that what was hardly taught is not raised beyond reason."""
UNFITTED = 0.5
"""τ of ``HALFWAY`` where there are no labelled answers to fit it on."""


@dataclass(frozen=True)
class Prior:
    """How common each emotion was in what a network was taught: its class prior.

    Attributes:
        shares: of each of its labels, in their order; they sum to 1.
        halfway: τ of the choice ``HALFWAY``, 0-1.
        source: in words, of what the shares are.
        fitted_on: in words, on what ``halfway`` was fitted; "" where it was not.

    Raises:
        InputError: shares that are none, or an impossible τ.
    """

    shares: tuple[float, ...]
    halfway: float = UNFITTED
    source: str = ""
    fitted_on: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(each, int | float) for each in (*self.shares, self.halfway)):
            raise InputError(f"A class prior is made of numbers, got {self.shares} and {self.halfway!r}.")
        if not (all(each >= 0 for each in self.shares) and math.isclose(sum(self.shares), 1, abs_tol=1e-3)):
            raise InputError(f"The shares of a class prior are 0 or more and sum to 1, got {self.shares}.")
        if not 0 <= self.halfway <= 1:
            raise InputError(f"Halfway lies from 0 to 1, got {self.halfway}.")
        if not all(isinstance(each, str) for each in (self.source, self.fitted_on)):
            raise InputError("What a class prior was measured on must be text.")

    @classmethod
    def from_json(cls, values: Mapping[str, Any], n_labels: int) -> Prior:
        """From plain values, for a network of ``n_labels`` labels; keys of later versions are ignored.

        Raises:
            InputError: something else, or as for the class.
        """
        known = {
            name: values[name] for name in cls.__dataclass_fields__ if isinstance(values, Mapping) and name in values
        }
        shares = known.get("shares")
        if not isinstance(shares, list | tuple) or len(shares) != n_labels:
            raise InputError(f"A class prior here has {n_labels} shares, got {shares!r}.")
        return cls(**{**known, "shares": tuple(shares)})

    def tau(self, choice: str) -> float:
        """τ of a choice, 0-1.

        Raises:
            InputError: none of ``PRIORS``.
        """
        check_choice(choice)
        return {AS_TRAINED: 0.0, HALFWAY: float(self.halfway), ALL_ALIKE: 1.0}[choice]

    def adjusted(self, probabilities: NDArray[np.floating], tau: float) -> NDArray[np.floating]:
        """Calibrated probabilities (…, k) as if the emotions had been taught less unequally: p′ ∝ p / shares^τ, of the
        same type, rows sum to 1 (Menon et al. 2021, arXiv:2007.07314). τ 0 changes nothing; at 1 all emotions count as
        equally common. Rows of NaN stay such."""
        if tau == 0:
            return probabilities
        raised = probabilities.astype(np.float64) * np.maximum(self.shares, RAREST) ** -tau
        return (raised / raised.sum(axis=-1, keepdims=True)).astype(probabilities.dtype)


def check_choice(choice: str) -> None:
    """Raise ``InputError`` unless it is one of ``PRIORS``."""
    if choice not in PRIORS:
        raise InputError(f"Unknown prior {choice!r}; expected one of {', '.join(PRIORS)}.")
