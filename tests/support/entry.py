"""The start token in tests: what is set for every app that they start, and what their requests carry."""

from __future__ import annotations

import os
from typing import Any

TOKEN = "the-token-of-the-tests"
os.environ["FER_TOKEN"] = TOKEN
PORTS: set[int] = set()
"""Of the apps that run now."""


def cookie(port: int | str) -> str:
    """The header that lets a request in."""
    return f"fer-{port}={TOKEN}"


def let_in(context: Any) -> None:
    """Give a browser's context the cookies of all apps that run, as if their links had been opened."""
    kept = (cookie(port).split("=") for port in PORTS)
    context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"} for name, value in kept])
