"""Who may come in: what our own pages ask for, and a link that somebody opens, if they have the start token. Around
everything that the server answers, Streamlit's own routes, its files and its socket among them."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.services import access
from dashboard.services.patience import Patience

LOOPBACK = ("localhost", "127.0.0.1", "::1")
API = "/api/"
_SOURCES = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Streamlit's own, and components' scripts
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "worker-src": "'self' blob:",
    "connect-src": "'self'",  # whatever a page holds, the browser sends nothing elsewhere
    "frame-ancestors": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {sources}" for what, sources in _SOURCES.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


_NOT_KEPT = {"Cache-Control": "no-store"}
_CLOSED = HEADERS | _NOT_KEPT | {"Connection": "close"}
"""Who is not let in keeps no connection either."""
_SHUT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>FER workbench</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 34rem; padding: 0 1.5rem }</style>
<h1>This page needs its link</h1>
<p>The workbench is open to the account that started it. Open the link that stands in the terminal where it was started,
and in the file <code>running.txt</code> of its data folder. This browser then remembers it.</p></html>"""
_AGAIN = '<meta http-equiv="refresh" content="0">'
"""What somebody opened by a link on another page comes without our cookie; what this page asks for comes with it."""


class Doorkeeper:
    """ASGI middleware: refuses what other pages ask for (403) and who has no token (401), and tells the browser what
    our pages may do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        elif (refusal := _refusal(scope)) is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: answered by 403
        else:
            await refusal(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    """What is answered instead of what was asked for; None to who may come in."""
    headers = Headers(scope=scope)
    if not (is_own(headers) or is_link(scope)):
        return JSONResponse({"error": "Requests from other sites are refused."}, status_code=403, headers=_CLOSED)
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any(name == access.PARAMETER and access.is_right(value) for name, value in asked) and _is_get(scope):
        return _remember(scope, [(name, value) for name, value in asked if name != access.PARAMETER])
    if access.is_known(headers):
        return None
    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": "Open the workbench by its link first."}, status_code=401, headers=_CLOSED)
    comes_from_elsewhere = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    return HTMLResponse(_SHUT + _AGAIN * comes_from_elsewhere, status_code=401, headers=_CLOSED)


def _remember(scope: Scope, asked: list[tuple[str, str]]) -> Response:
    """Lead to the same page without the token, which then is in the browser's cookie and not in its address."""
    address = "/" + quote(scope["path"].lstrip("/")) + (f"?{urlencode(asked)}" if asked else "")
    kept = access.cookie(Headers(scope=scope), is_secure=scope.get("scheme") == "https")
    return Response(status_code=303, headers=HEADERS | {"Location": address, "Set-Cookie": kept, **_NOT_KEPT})


def is_own(headers: Headers) -> bool:
    """Whether a request comes from our own pages: its Origin is our Host, and the Host is this machine or a name that
    was allowed (a foreign name that resolves to 127.0.0.1 is refused)."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_our_host(host) or (origin is not None and _host_of(origin) != host):
        return False
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def is_link(scope: Scope) -> bool:
    """Whether somebody opens a page by a link that stands elsewhere. It shows nothing to the page it stood on."""
    headers = Headers(scope=scope)
    is_opened = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    is_page = _is_get(scope) and not scope["path"].startswith(API)
    return is_page and is_opened and _is_our_host(headers.get("host", ""))


def _is_get(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "GET"


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # no address
        return None


def _is_our_host(host: str) -> bool:
    from streamlit import config

    try:
        parts = urlsplit(f"//{host}")
        is_whole = parts.netloc == host and parts.username is None and parts.port != 0
    except ValueError:  # no address, or no port
        return False
    return is_whole and parts.hostname in (*LOOPBACK, *config.get_option("server.allowedHosts"))


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


MIDDLEWARE = [Middleware(Doorkeeper), Middleware(Patience)]
