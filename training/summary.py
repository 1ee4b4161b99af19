"""What a run tells: how far it has read its pictures; at its end where it wrote, how good that is, what was left out;
several runs as mean and spread."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_core.cli_parts import progress_bar, show
from fer_core.models.card import CHOOSE, Card, read_card
from training.prepare import PreparedData
from training.reading import Progress

SPREAD = ("accuracy", "macro_recall", "groups_accuracy", "ece")
"""Figures that are told of several runs."""
BOUND = 0.01
"""A temperature this near, in its logarithm, to the end of what is tried lies at it."""


def tell_reading(every_s: float = 60.0) -> Progress:
    """Tells how far pictures are read: by a bar on a terminal, elsewhere by a line now and then."""
    bars: dict[str, tqdm] = {}
    told = time.monotonic()

    def tell(side: str, done: int, total: int) -> None:
        nonlocal told
        title = f"reading {side}"
        if side not in bars:
            bars[side] = progress_bar(title)
        show(bars[side], done / total, f"{done} of {total}")
        if done == total:
            bars.pop(side).close()
        if not sys.stderr.isatty() and time.monotonic() - told > every_s:
            told = time.monotonic()
            print(f"{title}: {done} of {total}", file=sys.stderr)

    return tell


def tell_end(folders: Sequence[Path], prepared: PreparedData) -> None:
    """Every checkpoint that was written, with its figures on both sides, and the pictures that were left out."""
    for folder in folders:
        card = read_card(folder / "card.json")
        print(f"\n{card.name} is in {folder}")
        for figures in card.metrics:
            if figures.get("tta") == "none":
                print(f"  {line_of(card, figures)}")
        print(f"  temperature {card.temperature:.2f}{_at_bound(card.temperature)}")
    if left := prepared.unreadable:
        print(f"\n{len(left)} pictures could not be read and were left out, such as:")
        print("\n".join(f"  {each}" for each in left[:5]))


def line_of(card: Card, figures: Mapping[str, Any]) -> str:
    """One set of figures in words."""
    chosen = " (chosen and calibrated on it)" if card.side_of(figures) == CHOOSE else ""
    left = figures.get("left_out") or {}
    told = f"; left out: {', '.join(f'{n} {why}' for why, n in left.items())}" if left else ""
    return (
        f"{figures['data']} {figures['split']}, {figures['labels']}{chosen}: {figures['accuracy']:.1%} of "
        f"{figures['n']} right (macro recall {figures['macro_recall']:.1%}, worst {figures['worst_class']} "
        f"{figures['worst_recall']:.1%}), three groups {figures['groups_accuracy']:.1%}, ECE {figures['ece']:.1%}{told}"
    )


def tell_spread(folders: Sequence[Path]) -> None:
    """Mean and standard deviation (n - 1) of the headline figures of several runs."""
    found = [read_card(folder / "card.json").headline for folder in folders]
    first = found[0]
    print(f"\n{len(found)} runs on {first['data']} {first['split']}, {first['labels']}:")
    for key in SPREAD:
        values = np.array([each[key] for each in found])
        spread = f" ± {values.std(ddof=1):.1%}" if len(values) > 1 else ""
        print(f"  {key.replace('_', ' ')} {values.mean():.1%}{spread} ({values.min():.1%} to {values.max():.1%})")


def _at_bound(temperature: float) -> str:
    far = abs(abs(float(np.log(temperature))) - 2.5)
    return (
        ", the end of what is tried: the network's answers say little about how sure it may be" if far < BOUND else ""
    )
