"""What is wrong with the folder of an analysis, and what of it can be saved."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_core.errors import FerError, InputError, StoreError, sentence
from fer_core.files import TEMPORARY, remove_tree
from fer_core.home.findings import Finding, put_aside, rewritten
from fer_core.report import notice
from fer_core.video import keeping, plan
from fer_core.video.store import EDITS_FORMAT, Analysis, open_analysis
from fer_core.video.stored_files import MAX_JSON_BYTES

if TYPE_CHECKING:
    import pandas as pd

_HEAD = b"frame,"
_EDITS = re.compile(r'"done"\s*:\s*\[')
_NAME = re.compile(r'^ "name"\s*:\s*', re.MULTILINE)
_KEPT = ("name", "agreed")
"""What of ``edits.json`` is no edit."""
_KEYS = ("frame", "time_s", "track")
_DOUBLES = ("time_s", "lasts_s")
_AGAIN = "Analyze the file again for it"


def check_analysis(folder: Path, time_name: str, *, deep: bool = True) -> Iterator[Finding]:
    """Everything that is wrong with an analysis folder; ``time_name`` goes into the names of what is put aside. Unless
    ``deep``, only the ends of tables are read, which notices most damages at once."""
    try:
        yield from _checked(folder, time_name, deep)
    except OSError as error:
        yield Finding(folder, f"cannot be read: {_said(error)}", "See to the rights of its folders.")


def _checked(folder: Path, time_name: str, deep: bool) -> Iterator[Finding]:
    try:
        analysis = open_analysis(folder)
    except (FerError, OSError) as error:
        saved = savable(folder)
        remedy = f"Save {' and '.join(saved)}" if saved else "Nothing of it can be saved"
        yield Finding(
            folder / "analysis.json", str(error).rstrip("."), f"{remedy}, and delete it in the list of videos."
        )
        yield from _edits(folder, time_name)
        return
    yield from _edits(folder, time_name)
    yield from _rule(folder, time_name)
    yield from _handed_on(analysis, time_name)
    yield from _tables(analysis, deep)
    yield from _pictures(folder)
    yield from _made_anew(folder)
    try:
        _ = analysis.recognition
    except (StoreError, OSError) as error:
        yield Finding(folder / "people.json", _said(error), f"{_AGAIN}, with people recognised by their faces.")


def savable(folder: Path) -> dict[str, Path]:
    """What of a damaged analysis is whole and can be taken out, by what people call it."""
    found: dict[str, Path] = {}
    with suppress(OSError):
        videos = [path for path in folder.glob("source.*") if path.is_file() and path.stat().st_size]
        tables = [folder / name for name in ("timeline.csv", "timeline.parquet") if _is_table(folder / name)]
        found |= dict(zip(("the video",), videos, strict=False)) | dict(zip(("the timeline",), tables, strict=False))
    return found


# edits


def saved_edits(text: str) -> dict[str, Any]:
    """Name, agreement and the longest row of first edits that a damaged ``edits.json`` still holds."""
    from fer_core.video.edits import Edits

    found: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, dict):
            found = {
                key: value[key]
                for key, kind in (("name", str), ("agreed", dict), ("done", list))
                if isinstance(value.get(key), kind)
            }
    if not found:
        found = _from_pieces(text)
    done = found.get("done", [])

    def are_good(n: int) -> bool:
        try:
            Edits.from_dict({"done": done[:n]})
        except (InputError, RecursionError):
            return False
        return True

    low, high = 0, len(done)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if are_good(middle) else (low, middle - 1)
    return {"format": EDITS_FORMAT, **{key: found[key] for key in _KEPT if key in found}, "done": done[:low]}


def _from_pieces(text: str) -> dict[str, Any]:
    """The name and the edits of JSON that ends in the middle, or is garbage from some place on."""
    decoder, found = json.JSONDecoder(), dict[str, Any]()
    with suppress(ValueError, RecursionError):
        if match := _NAME.search(text):
            name = decoder.raw_decode(text, match.end())[0]
            found |= {"name": name} if isinstance(name, str) else {}
    if not (match := _EDITS.search(text)):
        return found
    edits, at = [], match.end()
    with suppress(ValueError, RecursionError):
        while True:
            edit, at = decoder.raw_decode(text, _after(text, at, " \t\r\n"))
            edits.append(edit)
            at = _after(text, at, ", \t\r\n")
    return found | {"done": edits}


def _after(text: str, at: int, passed: str) -> int:
    while at < len(text) and text[at] in passed:
        at += 1
    return at


def _edits(folder: Path, time_name: str) -> Iterator[Finding]:
    path = folder / "edits.json"
    try:
        _ = Analysis(folder, {}).edits
        return
    except (StoreError, OSError) as error:
        what = _said(error)
    kept: dict[str, Any] = {}
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= MAX_JSON_BYTES:
            kept = saved_edits(path.read_text(encoding="utf-8", errors="replace"))
    n = len(kept.get("done", []))

    def repair() -> None:
        put_aside(path, time_name)
        if n or any(key in kept for key in _KEPT):
            rewritten(path, lambda new: new.write_text(json.dumps(kept, indent=1, ensure_ascii=False), "utf-8"))

    told = f"keeps the first {n} of its edits" if n else "opens it without edits"
    yield Finding(path, what, f"Repair {told}; the damaged file stays beside it.", repair)


def _rule(folder: Path, time_name: str) -> Iterator[Finding]:
    path = folder / keeping.FILE
    try:
        keeping.read_rule(path)
    except (StoreError, OSError) as error:
        yield Finding(
            path, _said(error), "Nothing of this analysis is deleted by itself until then. Repair puts it aside: then "
            "the rule of all analyses holds.", partial(put_aside, path, time_name),
        )  # fmt: skip


def _handed_on(analysis: Analysis, time_name: str) -> Iterator[Finding]:
    """The plan that was followed, and the notice."""
    for name, read in ((plan.FILE, plan.kept_plan), (notice.FILE, notice.kept_notice)):
        try:
            read(analysis)
        except (StoreError, OSError) as error:
            path = analysis.folder / name
            remedy = "No report can be made until then. Repair puts it aside."
            yield Finding(path, _said(error), remedy, partial(put_aside, path, time_name))


# tables


def _tables(analysis: Analysis, deep: bool) -> Iterator[Finding]:
    folder, first = analysis.folder, analysis.models[0]
    timeline, csv = folder / "timeline.parquet", folder / "timeline.csv"
    rows = _rows(timeline, deep=deep)
    if rows is None:
        try:
            table = _from_csv(csv)
        except (OSError, ValueError) as error:
            yield Finding(timeline, "missing or damaged", f"{_AGAIN}; timeline.csv does not help ({_said(error)}).")
            return
        yield Finding(timeline, "missing or damaged", "Repair makes it from timeline.csv.", _write(timeline, table))
    elif csv.exists() and not _is_table(csv, rows):
        yield Finding(csv, "damaged", "Repair makes it from timeline.parquet.", partial(_write_csv, csv, timeline))
    for model in analysis.models:
        path = folder / "scores" / f"{model}.parquet"
        if _rows(path, deep=deep) is not None:
            continue
        if model == first and rows is not None:
            yield Finding(path, "missing or damaged", "Repair makes it from timeline.parquet.",
                          partial(_write_scores, path, timeline))  # fmt: skip
        else:
            yield Finding(path, "missing or damaged", f"{_AGAIN}, or look at the scores of the other models.")
    for name in ("features.parquet", "left_out.parquet", "descriptors.parquet"):
        if (folder / name).exists() and _rows(folder / name, (), deep=deep) is None:
            yield Finding(folder / name, "damaged", f"{_AGAIN}; Review opens without it.")


def _rows(path: Path, keys: tuple[str, ...] = ("frame", "track"), *, deep: bool = False) -> int | None:
    """How many rows a Parquet table has; None where it, ``deep`` or by its end, cannot be read, or lacks ``keys``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not path.is_file():
            return None
        with pq.ParquetFile(path) as table:
            whole = set(keys) <= set(table.schema_arrow.names)
            for _ in table.iter_batches() if deep else ():
                pass
            return int(table.metadata.num_rows) if whole else None
    except (OSError, ValueError, pa.ArrowException):
        return None


def _is_table(path: Path, rows: int | None = None) -> bool:
    """Whether a Parquet or CSV table can be read, the latter with a row in a line."""
    if path.suffix == ".parquet":
        return _rows(path) is not None
    with suppress(OSError):
        if path.is_file() and path.stat().st_size > len(_HEAD):
            with path.open("rb") as file:
                begins = file.read(len(_HEAD)) == _HEAD
                file.seek(-1, os.SEEK_END)
                if not (begins and file.read() == b"\n"):
                    return False
                file.seek(0)
                return (
                    rows is None or rows == sum(part.count(b"\n") for part in iter(lambda: file.read(2**20), b"")) - 1
                )
    return False


def _from_csv(path: Path) -> pd.DataFrame:
    """A timeline as it was before it became text.

    Raises:
        OSError, ValueError: it cannot be read, or is no timeline.
    """
    import pandas as pd

    if not _is_table(path):
        raise ValueError("it is missing or damaged, too")
    table = pd.read_csv(path)
    numbers = [name for name in table.select_dtypes("float64") if name not in _DOUBLES]
    if lacking := [name for name in _KEYS if name not in table or table[name].dtype == object]:
        raise ValueError(f"its {', '.join(lacking)} are damaged")
    whole = table.select_dtypes("int64").columns
    return table.astype({**dict.fromkeys(numbers, "float32"), **dict.fromkeys(whole, "int32")})


def _write(path: Path, table: pd.DataFrame) -> Callable[[], None]:
    return partial(rewritten, path, lambda new: table.to_parquet(new, index=False, compression="zstd"))


def _write_csv(path: Path, timeline: Path) -> None:
    import pandas as pd

    rewritten(path, lambda new: pd.read_parquet(timeline).to_csv(new, index=False))


def _write_scores(path: Path, timeline: Path) -> None:
    """The scores of the first model, which the timeline holds too."""
    import pandas as pd

    table = pd.read_parquet(timeline)
    chosen = [name for name in table if name in ("frame", "track", "distance", "occlusion") or name.startswith("p_")]
    path.parent.mkdir(exist_ok=True)
    _write(path, table.loc[table["track"] >= 0, chosen].reset_index(drop=True))()


# what can be made anew, or done without


def _pictures(folder: Path) -> Iterator[Finding]:
    from PIL import Image

    for path in sorted(folder.glob("crops/*")):
        try:
            if not path.is_file():
                raise OSError("no file")
            with Image.open(path) as picture:
                picture.load()
        except Exception:  # Pillow raises many kinds
            yield Finding(path, "no whole picture", "Repair removes it; the person stays.", partial(remove_tree, path))


def _made_anew(folder: Path) -> Iterator[Finding]:
    for path in sorted((*folder.glob("views/*"), *folder.glob("why/*.json"))):
        if not is_json(path):
            yield Finding(
                path, "damaged", "Repair removes it; it is made anew when it is asked for.", partial(remove_tree, path)
            )
    for path in sorted(folder.rglob(f"*{TEMPORARY}*")):
        if path.name.endswith((TEMPORARY, f"{TEMPORARY}.mp4")):
            yield Finding(path, "not written to its end", "Repair removes it.", partial(remove_tree, path))


def is_json(path: Path) -> bool:
    """Whether a file holds an object or a list as JSON."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_JSON_BYTES:
            return False
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict | list)
    except (OSError, ValueError, RecursionError):
        return False


def _said(error: BaseException) -> str:
    return sentence(error).rstrip(".")
