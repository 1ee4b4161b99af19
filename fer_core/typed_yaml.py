"""Frozen records from yaml files and JSON: a wrong key is an error that names the nearest right one."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from fer_core.errors import FerError

Record = TypeVar("Record")
_NOTHING: Mapping[str, Any] = types.MappingProxyType({})
_PLAIN = (int, float, str, bool)


@dataclass(frozen=True)
class TypedYaml:
    """Reads yaml into dataclasses by their annotations; every complaint is an ``error``.

    Annotations may be plain types, dataclasses, lists, tuples of one kind, mappings from text, and unions. A whole
    number serves where a fraction is expected.
    """

    error: type[FerError]

    def read(self, path: Path) -> dict[str, Any]:
        """Keys and values of a file; nothing but plain values is built."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise self.error(f"{path.name} is not valid yaml: {error}") from error
        except OSError as error:
            raise self.error(f"{path.name} cannot be read ({error.strerror or error}).") from error
        return self.mapping(values, path.name)

    def mapping(self, values: Any, where: str) -> dict[str, Any]:
        """``values`` as keys and values."""
        if not isinstance(values, Mapping):
            raise self.error(f"{where}: expected keys and values, got {values!r}.")
        return {str(key): value for key, value in values.items()}

    def items(self, values: Any, where: str) -> list[Any]:
        """``values`` as a list."""
        if not isinstance(values, list):
            raise self.error(f"{where}: expected a list, got {values!r}.")
        return values

    def build(self, kind: type[Record], values: Any, where: str, built: Mapping[str, Any] = _NOTHING) -> Record:
        """A dataclass from the plain ``values`` of its keys and from what is ``built`` already."""
        fields = {f.name: f for f in dataclasses.fields(kind) if f.name not in built}  # type: ignore[arg-type]
        plain = self.mapping(values, where)
        for key in plain:
            if key not in fields:
                near = difflib.get_close_matches(key, fields, n=1, cutoff=0.0)
                known = f"the nearest known key is {near[0]!r}" if near else "none is expected"
                raise self.error(f"{where}: unknown key {key!r}; {known}.")
        needed = [n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING]
        if missing := [name for name in needed if name not in plain]:
            raise self.error(f"{where}: missing {', '.join(missing)}.")
        hints = get_type_hints(kind)
        found = {key: self._value(hints[key], value, f"{where}.{key}") for key, value in plain.items()}
        try:
            return kind(**found, **built)
        except ValueError as error:
            raise self.error(f"{where}: {error}") from error

    def _value(self, hint: Any, value: Any, where: str) -> Any:
        origin, inner = get_origin(hint), get_args(hint)
        if origin in (types.UnionType, typing.Union):
            if value is None and type(None) in inner:
                return None
            return self._value(next((each for each in inner if type(value) is each), inner[0]), value, where)
        if origin in (list, tuple):
            found = [self._value(inner[0], each, f"{where}[{i}]") for i, each in enumerate(self.items(value, where))]
            return tuple(found) if origin is tuple else found
        if isinstance(origin, type) and issubclass(origin, Mapping):
            entries = self.mapping(value, where)
            return {name: self._value(inner[1], each, f"{where}.{name}") for name, each in entries.items()}
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self.build(hint, value, where)
        if hint is float and type(value) is int:
            return float(value)
        if hint in _PLAIN and type(value) is not hint:
            raise self.error(f"{where}: expected {hint.__name__}, got {value!r}.")
        return value
