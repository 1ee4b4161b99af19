"""What the commands of the command line share: a progress bar, Ctrl-C, common options, where results go."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from types import FrameType

from tqdm import tqdm

from fer_core.models.folders import checkpoint_folders, find_checkpoint
from fer_core.places import data_home


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")


def add_data(parser: argparse.ArgumentParser) -> None:
    """The option ``--data``."""
    parser.add_argument("--data", type=Path, metavar="PATH", help="folder of the data set (default: $FER_DATA/fer2013)")


def progress_bar(title: str, *, hidden: bool = False) -> tqdm:
    """A progress bar in per cent on the error stream; silent where that is no terminal."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {postfix}, {remaining} left"
    return tqdm(desc=title[:24], total=100, bar_format=form, disable=True if hidden else None, leave=False)


def show(bar: tqdm, share: float, text: str) -> None:
    bar.n = round(100 * share, 1)
    bar.set_postfix_str(text)


def results_folder(given: str, name: str) -> Path | None:
    """Where the dashboard looks for what was measured of a checkpoint ``name``, given on the command line as a name or
    a folder; None for one that the dashboard does not list."""
    known = checkpoint_folders().get(name)
    if known is None or known.resolve() != find_checkpoint(given).resolve():
        return None
    return data_home() / "evaluations" / name


class Interrupt:
    """Turns the first Ctrl-C into a polite request; a second one kills."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGINT, self._on_signal)

    def asked(self) -> bool:
        return self._asked

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
