"""Source systems from their yaml files, every key checked.

In the files, ``against`` and ``why_not`` of a claim are keys into the mappings ``against`` and ``not_comparable`` of
the system, and ``claims`` of a curve are ids, so that each comparison and each reason is written once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fer_core.errors import InputError
from fer_core.systems.records import Against, Claim, ClassTable, Curve, System, named
from fer_core.typed_yaml import TypedYaml

NAMES: tuple[str, ...] = ("usfq-2024", "mbstu-2021", "shsu-2023", "ubb-2021", "mru-2025")
"""The systems, in the order in which they are shown."""
_FOLDER = Path(__file__).parent
_YAML = TypedYaml(InputError)


@lru_cache(maxsize=1)
def systems() -> tuple[System, ...]:
    """The five source systems, in the order of ``NAMES``.

    Raises:
        InputError: a file does not hold what it should; the message says where.
    """
    return tuple(read_system(_FOLDER / f"{name}.yaml") for name in NAMES)


def system(name: str) -> System:
    """A source system by name.

    Raises:
        InputError: there is none of that name; the message names the nearest.
    """
    return named({each.name: each for each in systems()}, name, "system")


def read_system(path: Path) -> System:
    """A system from its yaml file; nothing but plain values is built from it.

    Raises:
        InputError: not readable, not yaml, an unknown or missing key, or a value that cannot be.
    """
    values = _YAML.read(path)
    where = path.stem
    parts = _YAML.mapping(values, where)
    shared = _Shared.of(parts.pop("against", {}), parts.pop("not_comparable", {}), where)
    lists = {key: list(enumerate(_YAML.items(parts.pop(key, []), where))) for key in ("claims", "tables", "curves")}
    claims = [shared.claim(each, f"{where}.claims[{i}]") for i, each in lists["claims"]]
    tables = [shared.table(each, f"{where}.tables[{i}]") for i, each in lists["tables"]]
    claims += [claim for table in tables for claim in table.claims]
    curves = [_curve(each, claims, f"{where}.curves[{i}]") for i, each in lists["curves"]]
    return _YAML.build(
        System, parts, where, {"claims": tuple(claims), "tables": tuple(tables), "curves": tuple(curves)}
    )


@dataclass(frozen=True)
class _Shared:
    """What claims refer to by key."""

    against: Mapping[str, tuple[Against, ...]]
    why_not: Mapping[str, str]

    @classmethod
    def of(cls, against: Any, why_not: Any, where: str) -> _Shared:
        built = {
            key: tuple(
                _YAML.build(Against, each, f"{where}.against.{key}") for each in _YAML.items(entries, f"{where}.{key}")
            )
            for key, entries in _YAML.mapping(against, f"{where}.against").items()
        }
        reasons = {key: str(text) for key, text in _YAML.mapping(why_not, f"{where}.not_comparable").items()}
        return cls(built, reasons)

    def claim(self, values: Any, where: str) -> Claim:
        plain = _YAML.mapping(values, where)
        built: dict[str, Any] = {
            key: named(known, str(plain.pop(key)), f"entry for {where}.{key}")
            for key, known in (("against", self.against), ("why_not", self.why_not))
            if key in plain
        }
        return _YAML.build(Claim, plain, where, built)

    def table(self, values: Any, where: str) -> ClassTable:
        """What all cells share, ``columns`` with what each adds, and ``rows`` of values by emotion."""
        common = _YAML.mapping(values, where)
        if missing := [key for key in ("id", "title", "where", "columns", "rows") if key not in common]:
            raise InputError(f"{where}: missing {', '.join(missing)}.")
        table_id, title = str(common.pop("id")), str(common.pop("title"))
        columns, rows = (_YAML.mapping(common.pop(key), f"{where}.{key}") for key in ("columns", "rows"))
        cells: dict[str, tuple[Claim, ...]] = {}
        for emotion, row in rows.items():
            if len(_YAML.items(row, f"{where}.{emotion}")) != len(columns):
                raise InputError(f"{where}.{emotion}: expected {len(columns)} values, got {len(row)}.")
            cells[emotion] = tuple(
                self.claim(
                    {**common, **more, "id": f"{table_id}/{name}/{emotion}", "emotion": emotion, "value": value},
                    f"{where}.{name}.{emotion}",
                )
                for (name, more), value in zip(columns.items(), row, strict=True)
            )
        return ClassTable(table_id, title, str(common["where"]), tuple(columns), cells)


def _curve(values: Any, claims: Sequence[Claim], where: str) -> Curve:
    plain = _YAML.mapping(values, where)
    by_id = {claim.id: claim for claim in claims}
    ids = _YAML.items(plain.pop("claims", []), f"{where}.claims")
    return _YAML.build(
        Curve, plain, where, {"claims": tuple(named(by_id, str(each), f"claim for {where}") for each in ids)}
    )
