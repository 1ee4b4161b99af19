"""Numbers, words and arrays, however they are nested, as one safetensors file: nothing in it can run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from fer_core.errors import StoreError

_ARRAY, _TOLD = "__array__", "told"


def packed(value: Any) -> bytes:
    """``value`` as a file: None, bool, int, float, str, arrays, and lists, records and dicts (by words) of them."""
    arrays: dict[str, np.ndarray] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = str(len(arrays))
            arrays[name] = np.ascontiguousarray(value)
            return {_ARRAY: name}
        if isinstance(value, np.generic):
            return value.item()
        if dataclasses.is_dataclass(value):
            return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    told = json.dumps(plain(value))
    return save(arrays, {_TOLD: told})


def unpacked(path: Path) -> Any:
    """What was packed: records as dicts, tuples as lists, the rest as it was; floats and arrays to the last bit.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        content = path.read_bytes()
        arrays = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        told = json.loads(header["__metadata__"][_TOLD])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise StoreError(f"{path.name} is missing or damaged.") from error

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if _ARRAY in value:
                return arrays[value[_ARRAY]].copy()  # to be written into, as the one that was packed
            return {key: whole(each) for key, each in value.items()}
        return [whole(each) for each in value] if isinstance(value, list) else value

    return whole(told)


__all__ = ["packed", "unpacked"]
