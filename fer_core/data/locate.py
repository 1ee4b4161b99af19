"""Where data sets are: an explicit path, or a folder of that name under ``FER_DATA``."""

from __future__ import annotations

import os
from pathlib import Path

from fer_core.errors import DataError


def find_dataset(name: str, given: Path | str | None = None) -> Path:
    """Path of data set ``name``: ``given`` if not None, else ``$FER_DATA/<name>``.

    Raises:
        DataError: it is not there; the message says how to point to it.
    """
    if given is not None:
        path = Path(given)
        if not path.exists():
            raise DataError(f"There is no {path}. Pass the folder that holds the data set {name}.")
        return path
    root = os.environ.get("FER_DATA")
    if root and (path := Path(root) / name).exists():
        return path
    looked = f"FER_DATA={root} has no folder {name}" if root else "FER_DATA is not set"
    raise DataError(f"Data set {name} not found: {looked}. Pass --data, or set FER_DATA to the folder above {name}/.")
