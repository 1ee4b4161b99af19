"""The start token: whoever has it is let in, by a link once and by a cookie from then on.

Every account of this machine reaches the port of the workbench, but only its owner the data folder, where the token
lies (0600). It is kept from one start to the next, so that bookmarks and open pages go on; that gives nothing away,
since who can read it there can read all that it guards. Deleting the file, or another ``FER_TOKEN``, shuts out whoever
has the old one at the next start.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import webbrowser
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from streamlit import config

from dashboard.services import places
from fer_core.errors import InputError

PARAMETER, VARIABLE = "token", "FER_TOKEN"
_FILE, _OPENING = "token", "open.html"
_FIT = re.compile(r"[A-Za-z0-9_-]{16,200}")
_YEAR_S = 365 * 24 * 3600
_CONFINED = ("/snap/bin/firefox", "/snap/bin/chromium")
"""Browsers that may not read hidden folders; they are left to the user, who clicks the link."""


@cache
def token() -> str:
    """The token of this process: what ``FER_TOKEN`` says, or else what lies in the data folder, made when it is not
    there yet.

    Raises:
        InputError: ``FER_TOKEN`` can be no token.
    """
    if told := os.environ.get(VARIABLE):
        if not _FIT.fullmatch(told):
            raise InputError(f"{VARIABLE} must be 16 to 200 letters, digits, - or _. Leave it away to have one made.")
        return told
    path = places.home() / _FILE
    with suppress(OSError, UnicodeDecodeError):
        if _FIT.fullmatch(kept := path.read_text(encoding="utf-8").strip()):
            return kept
    made = secrets.token_urlsafe(32)
    _write(path, made)
    return made


def link() -> str:
    """The address that lets its reader in."""
    return f"http://localhost:{config.get_option('server.port')}/?{PARAMETER}={token()}"


def welcome() -> None:
    """Say where the workbench is, and open it where there is a screen.

    The browser is given a file of the data folder that leads there: what a program is started with, every account of
    the machine can read.
    """
    sys.stdout.write(f"\n  The workbench is open at\n\n    {link()}\n\n  Ctrl-C ends it.\n\n")
    sys.stdout.flush()
    if config.get_option("server.headless") or any(map(os.path.exists, _CONFINED)):
        return
    page = places.home() / _OPENING
    _write(page, f'<!doctype html><meta http-equiv="refresh" content="0; url={link()}"><a href="{link()}">Open</a>')
    webbrowser.open(page.as_uri())


def is_known(headers: Headers) -> bool:
    """Whether a request carries the token in its cookie."""
    wanted = f"{_cookie_name(headers)}={token()}".encode()
    sent = "; ".join(headers.getlist("cookie")).encode()
    return any(secrets.compare_digest(each.strip(), wanted) for each in sent.split(b";"))


def is_right(told: str) -> bool:
    """Whether that is the token."""
    return secrets.compare_digest(told.encode(), token().encode())


def cookie(headers: Headers, *, is_secure: bool) -> str:
    """What the browser is to keep, so that it has the token with every later request. Its name carries the port, since
    browsers send what they keep for this machine to every port of it."""
    flags = f"Path=/; Max-Age={_YEAR_S}; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"
    return f"{_cookie_name(headers)}={token()}; {flags}"


def _cookie_name(headers: Headers) -> str:
    """By the port that the browser sees, so that tunnels to several workbenches stay apart."""
    port = urlsplit(f"//{headers.get('host', '')}").port
    return f"fer-{port or 'workbench'}"


def _write(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
