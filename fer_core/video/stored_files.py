"""Files of a stored analysis, read with care: JSON of a known format, and tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

MAX_JSON_BYTES = 64_000_000
AGAIN = "Repair it in the list of videos or with 'python -m fer_core doctor --repair', or run the analysis again."
"""What to do about a damaged file."""


def read_json(path: Path, expected: str, remedy: str = AGAIN) -> dict[str, Any]:
    """The object in a JSON file whose ``format`` is ``expected``.

    Raises:
        StoreError: it is missing, damaged, no file, too large or of another format; ends with ``remedy``.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        if not path.is_file() and (path.exists() or path.is_symlink()):
            raise ValueError("no file")  # to read a pipe would wait for ever
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("too large")
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{where} is missing. The analysis is not whole; run it again.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{where} is damaged ({error}). {remedy}") from error
    if not isinstance(value, dict) or value.get("format") != expected:
        raise StoreError(f"{where} is of another format; expected {expected}. {remedy}")
    return value


def _known(path: Path, columns: list[str]) -> list[str]:
    """Those of ``columns`` that a table has; of frames, version 0.9 did not say how long they stand."""
    import pyarrow.parquet as pq

    return [name for name in columns if name != "lasts_s" or name in pq.read_schema(path).names]


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """A table; of ``columns`` those that it has (None: all).

    Raises:
        StoreError: it is missing or damaged.
    """
    import pandas as pd  # half a second, which a page that only lists analyses need not wait for

    try:
        return pd.read_parquet(path, columns=None if columns is None else _known(path, columns))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path.parent.name}/{path.name} is missing or damaged. {AGAIN}") from error
