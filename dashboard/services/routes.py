"""Our own routes beside Streamlit's: slices of uploads come in, media and timelines go out.

    GET  /api/upload/{id}                  → {"received": bytes}
    PUT  /api/upload/{id}?name&offset&total   one slice; the last one answers with the job, or with an error
    DELETE /api/upload/{id}                the user stopped sending: drop what is there
    GET  /api/media/{id}                   the video or picture, with byte ranges
    GET  /api/annotated/{id}               the annotated video, as a download
    GET  /api/thumbnail/{id}/{track}       a person's face
    GET  /api/timeline/{id}?smoothing_s    see ``dashboard.services.playback``

An error of the ``FerError`` tree answers ``{"error": message}``. Requests of other web sites are refused.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dashboard.services import places, uploads
from fer_core.errors import FerError, InputError, StoreError

MEDIA_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp",
}  # fmt: skip
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    """Refuse other sites' requests; turn errors of the user into answers."""

    @functools.wraps(handler)
    async def run(request: Request) -> Response:
        if not is_own(request):
            return JSONResponse({"error": "Requests from other sites are refused."}, status_code=403, headers=_SAFE)
        try:
            return await handler(request)
        except StoreError as error:
            return JSONResponse({"error": str(error)}, status_code=404, headers=_SAFE)
        except FerError as error:
            return JSONResponse({"error": str(error)}, status_code=422, headers=_SAFE)

    return run


def is_own(request: Request) -> bool:
    """Whether a request comes from our own pages: its Origin is our Host, and while the server listens on this machine
    only, so is the Host (a foreign name that resolves to 127.0.0.1 is refused)."""
    from streamlit import config

    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return False
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    local = config.get_option("server.address") in (None, *LOOPBACK)  # only a foreign address that is asked for
    return not local or urlsplit(f"//{host}").hostname in LOOPBACK


@guarded
async def upload_state(request: Request) -> Response:
    return JSONResponse({"received": uploads.received(request.path_params["id"])})


@guarded
async def upload_slice(request: Request) -> Response:
    upload_id, name = request.path_params["id"], request.query_params.get("name", "")
    offset, total = _number(request, "offset"), _number(request, "total")
    try:
        have = await uploads.add_slice(upload_id, name, offset, total, request.stream())
    except ClientDisconnect:
        return Response(status_code=400)
    except OSError:
        places.drop_upload(upload_id)
        raise InputError("The file could not be written to disk. Is there enough space?") from None
    if have < total:
        return JSONResponse({"received": have})
    job = await run_in_threadpool(uploads.complete, upload_id, name)
    return JSONResponse({"received": have, "job": job.id})


@guarded
async def upload_drop(request: Request) -> Response:
    uploads.drop_unfinished(request.path_params["id"])
    return JSONResponse({"received": 0})


@guarded
async def media(request: Request) -> Response:
    analysis_id = places.check_id(request.path_params["id"])
    proxy = places.store().folder(analysis_id) / "proxy.mp4"
    return _file(proxy if proxy.is_file() else places.source_of(analysis_id))


@guarded
async def annotated(request: Request) -> Response:
    analysis = places.store().open(request.path_params["id"])
    return _file(analysis.folder / "annotated.mp4", download=f"{Path(analysis.name).stem}-annotated.mp4")


@guarded
async def thumbnail(request: Request) -> Response:
    return _file(places.store().open(request.path_params["id"]).thumbnail(request.path_params["track"]))


@guarded
async def timeline(request: Request) -> Response:
    from dashboard.services.playback import open_for_page, playback

    seconds = _number(request, "smoothing_s", float)

    def read() -> dict[str, Any]:
        return playback(open_for_page(request.path_params["id"]), smoothing_s=seconds)

    return JSONResponse(await run_in_threadpool(read), headers=_SAFE)


def _file(path: Path | None, *, download: str | None = None) -> Response:
    if path is None or not path.is_file():
        raise StoreError("There is no such file.")
    kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
    return FileResponse(path, media_type=kind, headers=_SAFE, filename=download)


def _number(request: Request, name: str, kind: Callable[[str], Any] = int) -> Any:
    try:
        return kind(request.query_params.get(name, "0"))
    except ValueError as error:
        raise InputError(f"{name} must be a number.") from error


ROUTES = [
    Route("/api/upload/{id}", upload_state, methods=["GET"]),
    Route("/api/upload/{id}", upload_slice, methods=["PUT"]),
    Route("/api/upload/{id}", upload_drop, methods=["DELETE"]),
    Route("/api/media/{id}", media),
    Route("/api/annotated/{id}", annotated),
    Route("/api/thumbnail/{id}/{track:int}", thumbnail),
    Route("/api/timeline/{id}", timeline),
]
