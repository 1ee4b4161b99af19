"""The command ``doctor`` of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fer_core.errors import StoreError
from fer_core.places import data_home

_DOCTOR = """\
Look over the data folder of the workbench: damaged or missing tables, damaged edits, what was not written to its end,
jobs without their file, rights of other accounts, and how much every kind of files takes. Nothing is changed without
--repair, which mends what can be mended; that needs the workbench to be closed.
"""


def add_command(commands: Any) -> None:
    """Add ``doctor`` to the subparsers of the command line."""
    doctor = commands.add_parser("doctor", help="look over a data folder, and mend it", description=_DOCTOR)
    doctor.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="the data folder (default: $FER_HOME or ~/.fer-workbench)",
    )
    doctor.add_argument("--repair", action="store_true", help="mend what can be mended")
    doctor.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from fer_core.home import doctor
    from fer_core.home.layout import BY_NAME, sizes

    home: Path = args.folder.expanduser().resolve() if args.folder else data_home()
    if not home.is_dir():
        raise StoreError(f"There is no data folder {home}. Name another one, or start the workbench, which makes it.")
    lock = doctor.take(home) if args.repair else None
    if args.repair and lock is None:
        raise StoreError(f"The workbench is open with {home}. Close it before anything is mended.")
    try:
        left = _mend(home) if args.repair else _tell(home)
    finally:
        if lock is not None:
            lock.release()
    print(f"\n{home}")
    for name, n_bytes in sizes(home).items():
        if n_bytes:
            print(f"{n_bytes / 1e6:12,.1f} MB  {BY_NAME[name].title}")
    return 1 if left else 0


def _tell(home: Path) -> int:
    """Print what is wrong; how much it is."""
    from fer_core.home.doctor import check

    found = list(check(home))
    for finding in found:
        print(finding.sentence(home))
    mended = sum(finding.repair is not None for finding in found)
    print(f"{len(found)} found, {mended} of which --repair can mend." if found else "All is well.")
    return len(found)


def _mend(home: Path) -> int:
    """Mend and print what was wrong; how much of it is left."""
    from fer_core.home.doctor import check, repair

    left = n = 0
    for finding, why in repair(iter(list(check(home)))):
        n, left = n + 1, left + bool(why)
        print(f"{finding.sentence(home)} {'Still there.' if why else 'Done.'}")
        if why and why != finding.remedy:
            print(f"  {why}")
    print(f"{n - left} of {n} mended." if n else "All is well.")
    return left
