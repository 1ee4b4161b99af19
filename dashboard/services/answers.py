"""What our own routes share: errors as answers, and numbers of an address."""

from __future__ import annotations

import functools
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fer_core.errors import FULL_DISK, FerError, InputError, StoreError, is_full_disk, sentence

_log = logging.getLogger("fer.server")
MAX_NUMBER = 1e15
FRESH = {"Cache-Control": "no-cache"}
Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    """Turn errors of the user into answers."""

    @functools.wraps(handler)
    async def run(request: Request) -> Response:
        try:
            return await handler(request)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404, headers=FRESH)
        except FerError as error:
            return JSONResponse({"error": str(error)}, status_code=422, headers=FRESH)
        except (OSError, sqlite3.OperationalError) as error:  # nothing that the program did wrong
            if is_full_disk(error):
                return JSONResponse({"error": FULL_DISK}, status_code=507, headers=FRESH)
            if not isinstance(error, OSError):
                raise
            _log.exception("A request could not be answered")  # a file without rights, and the like
            return JSONResponse({"error": sentence(error)}, status_code=503, headers=FRESH)

    return run


def number(request: Request, name: str, kind: Callable[[str], Any] = int) -> Any:
    """A number of an address, 0 where it has none.

    Raises:
        InputError: it is none, or beyond reason.
    """
    try:
        value = kind(request.query_params.get(name, "0"))
    except ValueError as error:
        raise InputError(f"{name} must be a number.") from error
    if not -MAX_NUMBER < value < MAX_NUMBER:
        raise InputError(f"{name} must be a number below {MAX_NUMBER:g}.")
    return value
