"""Our own routes beside Streamlit's: slices of uploads come in, media and timelines go out.

    GET  /api/upload/{id}                  → {"received": bytes, "total": bytes}, of an unfinished one
    PUT  /api/upload/{id}?name&offset&total   one slice; the last one answers with the job, or with an error
    DELETE /api/upload/{id}                the user stopped sending: drop what is there
    GET  /api/media/{id}                   the video or picture, with byte ranges
    GET  /api/annotated/{id}               the annotated video, as a download
    GET  /api/thumbnail/{id}/{track}       a person's face
    GET  /api/timeline/{id}                overview of the timeline; see ``dashboard.services.playback`` for these four,
    GET  /api/tiles/{id}/{level}/{index}   which all take ?smoothing_s&model
    GET  /api/frames/{id}/{index}
    GET  /api/jump/{id}?what&track&time_s&by
    POST /api/edits/{id}                   an edit, {"do": "undo"} or {"do": "redo"}; see ``fer_core.video.edits``
    GET  /api/figure/{id}?track&start_s&end_s   the timeline of one person as SVG
    POST /api/why/{id}?track&time_s&target      ask for the heatmap of a face → {"job": id}
    GET  /api/why/{id}/{job}               {"state": …}, with the heatmap once it is there
    GET  /api/picture/{dataset}/{split}?id a picture of a data set that the workbench was pointed to
    GET  /api/faces/{checkpoint}/{table}/{row}   the picture of a row of an evaluation
    GET  /api/map/{key}                    positions of a map, float32 (n, 2 or 3)
    GET  /api/clip/{id}/{job}              a clip with heatmaps on a face
    …    /api/live                         see ``dashboard.services.live_routes``

An error of the ``FerError`` tree answers ``{"error": message}``. ``dashboard.services.doors`` stands before all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dashboard.services import live_routes, places, uploads
from dashboard.services.answers import FRESH, Handler, guarded, number
from fer_core.errors import InputError, StoreError
from fer_core.video.store import browser_copy

if TYPE_CHECKING:
    from fer_core.video.store import Analysis
    from fer_core.video.view import Lens

MAX_JSON = 8_000_000
MEDIA_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm",
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".bmp": "image/bmp",
    ".gif": "image/gif", ".avif": "image/avif",
}  # fmt: skip
_PROBES = CapacityLimiter(2)
"""Files that are looked into at a time, each in a process of its own; others wait."""


@guarded
async def upload_state(request: Request) -> Response:
    upload_id = request.path_params["id"]
    return JSONResponse({"received": uploads.received(upload_id), "total": uploads.promised(upload_id)})


@guarded
async def upload_slice(request: Request) -> Response:
    upload_id, name = request.path_params["id"], request.query_params.get("name", "")
    offset, total = number(request, "offset"), number(request, "total")
    try:
        have = await uploads.add_slice(upload_id, name, offset, total, request.stream())
    except ClientDisconnect:
        return Response(status_code=400)
    except OSError:
        places.drop_upload(upload_id)
        raise InputError("The file could not be written to disk. Is there enough space?") from None
    if have < total:
        return JSONResponse({"received": have})
    job = await to_thread.run_sync(uploads.complete, upload_id, name, limiter=_PROBES)
    return JSONResponse({"received": have, "job": job.id})


@guarded
async def upload_drop(request: Request) -> Response:
    uploads.drop_unfinished(request.path_params["id"])
    return JSONResponse({"received": 0})


@guarded
async def media(request: Request) -> Response:
    analysis_id = places.check_id(request.path_params["id"])
    copy = browser_copy(places.store().folder(analysis_id))
    return _file(copy or places.source_of(analysis_id))


@guarded
async def annotated(request: Request) -> Response:
    analysis = places.store().open(request.path_params["id"])
    return _file(analysis.folder / "annotated.mp4", download=f"{Path(analysis.name).stem}-annotated.mp4")


@guarded
async def thumbnail(request: Request) -> Response:
    return _file(places.store().open(request.path_params["id"]).thumbnail(request.path_params["track"]))


def _answers(read: Callable[[Request, Analysis, Lens], Any]) -> Handler:
    """A route that answers JSON about an analysis seen through a lens; in a thread, since tables are read."""

    @guarded
    async def run(request: Request) -> Response:
        from dashboard.services.places import open_for_page
        from dashboard.services.prepared import version
        from fer_core.video.view import Lens

        lens = Lens(number(request, "smoothing_s", float), request.query_params.get("model", ""))

        def work() -> Any:
            analysis = open_for_page(request.path_params["id"])
            if request.query_params.get("v", version(analysis)) != version(analysis):
                return None
            return read(request, analysis, lens)

        found = await run_in_threadpool(work)
        if found is None:  # edited in another tab: what the player holds belongs to another table
            return JSONResponse({"error": "The analysis was edited meanwhile."}, status_code=409, headers=FRESH)
        return JSONResponse(found, headers=FRESH)

    return run


def _timeline(request: Request, analysis: Analysis, lens: Lens) -> Any:
    from dashboard.services.playback import overview
    from dashboard.services.prepared import prefetch

    answer = overview(analysis, lens)
    threading.Thread(target=prefetch, args=(analysis, lens), daemon=True).start()  # its tiles are asked for next
    return answer


def _tile(request: Request, analysis: Analysis, lens: Lens) -> Any:
    from dashboard.services.playback import tile

    return tile(analysis, lens, request.path_params["level"], request.path_params["index"])


def _frames(request: Request, analysis: Analysis, lens: Lens) -> Any:
    from dashboard.services.playback import frames

    return frames(analysis, lens, request.path_params["index"])


def _jump(request: Request, analysis: Analysis, lens: Lens) -> Any:
    from dashboard.services.playback import jump

    what, track, by = request.query_params.get("what", ""), number(request, "track"), number(request, "by")
    time_s = number(request, "time_s", float)
    return {"time_s": jump(analysis, lens, what=what, track=track, time_s=time_s, by=by)}


@guarded
async def edit(request: Request) -> Response:
    from dashboard.services.places import open_for_page

    asked = await _json(request)

    def work() -> dict[str, Any]:
        analysis = open_for_page(request.path_params["id"])
        if asked.get("do") in ("undo", "redo"):
            return {"revision": getattr(analysis, asked["do"])().revision}
        return {"revision": analysis.do(asked).revision}

    return JSONResponse(await run_in_threadpool(work), headers=FRESH)


async def _json(request: Request) -> dict[str, Any]:
    """The body, at most ``MAX_JSON`` bytes of an object."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_JSON:
            raise InputError("That is more than can be changed at once.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The request is not valid JSON.") from error
    if not isinstance(value, dict):
        raise InputError("The request is not a JSON object.")
    return value


@guarded
async def figure(request: Request) -> Response:
    from dashboard.services.places import open_for_page
    from dashboard.services.playback import figure_svg
    from fer_core.video.view import Lens

    lens = Lens(number(request, "smoothing_s", float), request.query_params.get("model", ""))
    track, span = number(request, "track"), [number(request, name, float) for name in ("start_s", "end_s")]

    def work() -> str:
        return figure_svg(open_for_page(request.path_params["id"]), lens, track=track, start_s=span[0], end_s=span[1])

    return Response(await run_in_threadpool(work), media_type="image/svg+xml", headers=FRESH)


@guarded
async def ask_why(request: Request) -> Response:
    from dashboard.services.why import ask

    track, time_s = number(request, "track"), number(request, "time_s", float)
    model, target = (request.query_params.get(name, "") for name in ("model", "target"))

    def work() -> str:
        return ask(request.path_params["id"], track=track, time_s=time_s, model=model, target=target)

    return JSONResponse({"job": await run_in_threadpool(work)}, headers=FRESH)


@guarded
async def why(request: Request) -> Response:
    from dashboard.services.why import answer

    found = await run_in_threadpool(answer, request.path_params["id"], request.path_params["job"])
    return JSONResponse(found, headers=FRESH)


@guarded
async def picture(request: Request) -> Response:
    from dashboard.services.datasets import picture as picture_of

    dataset, split = (request.path_params[name] for name in ("dataset", "split"))
    data, kind = await run_in_threadpool(picture_of, dataset, split, request.query_params.get("id", ""))
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=600"})


@guarded
async def face(request: Request) -> Response:
    def work() -> tuple[bytes, str]:
        from dashboard.services.datasets import picture as picture_of
        from dashboard.services.evaluations import Question, evaluation

        checkpoint, table, row = (request.path_params[name] for name in ("checkpoint", "table", "row"))
        ids, asked = evaluation(checkpoint, table).ids, Question(checkpoint, table, "")
        if row >= len(ids):
            raise StoreError("There is no such picture.")
        return picture_of(asked.dataset, asked.split, str(ids[row]))

    data, kind = await run_in_threadpool(work)
    return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=600"})


@guarded
async def map_positions(request: Request) -> Response:
    from dashboard.services.maps import found

    made = await run_in_threadpool(found, request.path_params["key"])
    if made is None:
        raise StoreError("There is no such map.")
    data = made.positions.astype("<f4").tobytes()
    return Response(data, media_type="application/octet-stream", headers=FRESH)


@guarded
async def clip(request: Request) -> Response:
    folder = places.store().folder(request.path_params["id"]) / "why"
    return _file(folder / f"{places.check_id(request.path_params['job'])}.mp4")


def _file(path: Path | None, *, download: str | None = None) -> Response:
    if path is None or not path.is_file():
        raise StoreError("There is no such file.")
    kind = MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream")
    path.open("rb").close()  # what may not be read is told now, not in the middle of the answer
    return FileResponse(path, media_type=kind, headers=FRESH, filename=download)


ROUTES = [
    Route("/api/upload/{id}", upload_state, methods=["GET"]),
    Route("/api/upload/{id}", upload_slice, methods=["PUT"]),
    Route("/api/upload/{id}", upload_drop, methods=["DELETE"]),
    Route("/api/media/{id}", media),
    Route("/api/annotated/{id}", annotated),
    Route("/api/thumbnail/{id}/{track:int}", thumbnail),
    Route("/api/timeline/{id}", _answers(_timeline)),
    Route("/api/tiles/{id}/{level:int}/{index:int}", _answers(_tile)),
    Route("/api/frames/{id}/{index:int}", _answers(_frames)),
    Route("/api/jump/{id}", _answers(_jump)),
    Route("/api/edits/{id}", edit, methods=["POST"]),
    Route("/api/figure/{id}", figure),
    Route("/api/why/{id}", ask_why, methods=["POST"]),
    Route("/api/why/{id}/{job}", why),
    Route("/api/picture/{dataset}/{split}", picture),
    Route("/api/faces/{checkpoint}/{table}/{row:int}", face),
    Route("/api/map/{key}", map_positions),
    Route("/api/clip/{id}/{job}", clip),
    *live_routes.ROUTES,
]
