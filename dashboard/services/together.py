"""Several analyses in one file to take home."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from dashboard.services import places
from fer_core.video.dictionary import dictionary
from fer_core.video.export import export
from fer_core.video.view import Lens

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry, so that the same analyses give the same bytes."""


def archive(analysis_ids: Iterable[str]) -> bytes:
    """A zip with the timeline of each analysis as CSV and a data dictionary beside it, with all edits, not smoothed.

    Raises:
        StoreError: one of them cannot be read.
    """
    made, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for analysis_id in analysis_ids:
            analysis, lens = places.store().open(analysis_id), Lens()
            stem = Path(analysis.name).stem.replace("/", "_").replace("\\", "_") or analysis_id
            stem = f"{stem}-{analysis_id[:8]}" if stem in taken else stem
            taken.add(stem)
            table = export(analysis, "csv", lens)
            columns = next(csv.reader([table.partition(b"\n")[0].decode()]))
            told = dictionary(analysis, columns, lens).to_csv(index=False).encode()
            for name, data in ((f"{stem}.csv", table), (f"{stem}-columns.csv", told)):
                packed.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return made.getvalue()
