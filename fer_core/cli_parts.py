"""What the commands of the command line share: a progress bar, Ctrl-C, common options."""

from __future__ import annotations

import argparse
import signal
from types import FrameType

from tqdm import tqdm


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")


def progress_bar(title: str, *, hidden: bool = False) -> tqdm:
    """A progress bar in per cent on the error stream; silent where that is no terminal."""
    form = "{desc} {percentage:3.0f}% |{bar:30}| {postfix}, {remaining} left"
    return tqdm(desc=title[:24], total=100, bar_format=form, disable=True if hidden else None, leave=False)


def show(bar: tqdm, share: float, text: str) -> None:
    bar.n = round(100 * share, 1)
    bar.set_postfix_str(text)


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
