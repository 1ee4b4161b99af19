"""Repairs of a damaged analysis that need no other program."""

from __future__ import annotations

import time
from pathlib import Path

from fer_core.errors import StoreError
from fer_core.home import doctor
from fer_core.home.analyses import check_analysis
from fer_core.home.findings import Finding


def findings(folder: Path) -> list[Finding]:
    """What is wrong with an analysis, without reading its tables whole."""
    return list(check_analysis(folder, time.strftime("%Y%m%d-%H%M%S"), deep=False))


def repaired(folder: Path) -> None:
    """Mend what can be mended.

    Raises:
        StoreError: something could not be mended; the message says why.
    """
    can = [finding for finding in findings(folder) if finding.repair]
    failed = [why for _, why in doctor.repair(iter(can)) if why]
    if failed:
        raise StoreError(f"It could not be repaired: {failed[0]}")
