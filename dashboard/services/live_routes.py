"""Our own routes for live views: frames of a camera come in, faces go out; nothing is kept.

GET    /api/live                       {"checkpoints": …, "detectors": …, "state": "off", "starting" or "ready"}
POST   /api/live/{session}?time_ms&checkpoint&detector   a JPEG, PNG or WebP → its faces; see ``docs/live.md``
DELETE /api/live/{session}             the tab was closed
POST   /api/live/{session}/end         the same, for ``navigator.sendBeacon``
"""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboard.services import live
from dashboard.services.answers import FRESH, guarded, number
from fer_core.errors import InputError
from fer_core.live import MAX_BYTES


@guarded
async def choices(request: Request) -> Response:
    found = await run_in_threadpool(live.choices)
    return JSONResponse(found | {"state": live.PROCESS.state}, headers=FRESH)


@guarded
async def frame(request: Request) -> Response:
    session = request.path_params["session"]
    live.check_session(session)
    time_ms = number(request, "time_ms", float)
    chosen = {name: request.query_params.get(name, "") for name in ("checkpoint", "detector")}
    try:
        data = await _picture(request)
    except ClientDisconnect:
        return Response(status_code=400)
    answer = await asyncio.wrap_future(live.PROCESS.ask(session, data, time_ms=time_ms, **chosen))
    if "error" in answer:
        raise InputError(answer["error"])
    return JSONResponse(answer, headers=FRESH)


async def _picture(request: Request) -> bytes:
    """The body, at most ``MAX_BYTES``."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BYTES:
            raise InputError(f"A frame may have at most {MAX_BYTES // 10**6} MB; send a smaller picture.")
    return bytes(data)


@guarded
async def end(request: Request) -> Response:
    live.PROCESS.forget(request.path_params["session"])
    return JSONResponse({}, headers=FRESH)


ROUTES = [
    Route("/api/live", choices),
    Route("/api/live/{session}", frame, methods=["POST"]),
    Route("/api/live/{session}", end, methods=["DELETE"]),
    Route("/api/live/{session}/end", end, methods=["POST"]),
]
