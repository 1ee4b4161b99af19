"""How far an analysis came that is not complete."""

from __future__ import annotations

from typing import Any


def reached(record: dict[str, Any]) -> dict[str, Any]:
    """From, to and of which second; and whether the file ended there."""
    settings, check = record["settings"], record["time_check"]
    of_s = record["source"]["duration_s"] if settings["end_s"] is None else settings["end_s"]
    return {"from_s": settings["start_s"], "at_s": check["last_s"], "of_s": of_s, "file_ended": check["ended_early"]}
