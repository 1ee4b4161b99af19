"""What the commands of the command line share: how they end, a progress bar, Ctrl-C, options, where results go."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from fer_core.errors import Cancelled, FerError, sentence
from fer_core.models.folders import checkpoint_folders, find_checkpoint
from fer_core.places import data_home

CAUSED_OUTSIDE = (FerError, OSError, MemoryError, KeyboardInterrupt)
"""Errors that are no mistake of the program: of the user, the system, or a wish to stop."""


def in_one_sentence(command: str, work: Callable[[], int]) -> int:
    """Run a command; what a user can cause ends in one sentence on the error stream, never in a traceback.

    Returns:
        The exit status: that of ``work``, 1 for an error that the user can mend, 130 where the user stopped it.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a name, or a sign of ours, that the terminal cannot show
    try:
        return work()
    except CAUSED_OUTSIDE as error:
        return say(command, error)


def say(command: str, error: BaseException, *, failed: int = 1) -> int:
    """One sentence about one of ``CAUSED_OUTSIDE`` on the error stream; the exit status, ``failed`` for what the user
    can mend."""
    if isinstance(error, BrokenPipeError):  # whoever read what is printed went away, as "head" does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or else the interpreter complains at its end
        return failed
    if isinstance(error, MemoryError):
        text = "There is not enough memory for this. Close other programs, or use a smaller file."
    else:
        text = sentence(error) or "Stopped."
    with suppress(OSError):
        print(text if isinstance(error, Cancelled) else f"{command}: {text}", file=sys.stderr)
    return 130 if isinstance(error, Cancelled | KeyboardInterrupt) else failed


def with_dashes(arguments: Sequence[str]) -> list[str]:
    """Arguments in which the name of a file that is there, such as ``-x.mp4``, is not taken for an option."""
    return [
        f"./{each}" if each.startswith("-") and each not in ("-", "-h") and os.path.isfile(each) else each
        for each in arguments
    ]


def add_help(parser: argparse.ArgumentParser, describe: Callable[[], str]) -> None:
    """The option ``--help`` of a parser that was made without one; the description is made where it is asked for."""

    class Help(argparse.Action):
        def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
            parser.description = describe()
            parser.print_help()
            parser.exit()

    parser.add_argument("-h", "--help", action=Help, nargs=0, help="show this help message and exit")


def add_device(parser: argparse.ArgumentParser) -> None:
    """The option ``--device``."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: %(default)s)")


def add_data(parser: argparse.ArgumentParser) -> None:
    """The option ``--data``."""
    parser.add_argument(
        "--data", type=Path, metavar="PATH", help="folder of the data set, or its table (default: $FER_DATA/fer2013)"
    )


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
