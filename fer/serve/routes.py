"""The routes under /api/v1, shared by the app and `fer serve`."""

import asyncio
import json
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, Router, WebSocketRoute

from fer.see.detect import DETECTORS
from fer.see.images import ImageError
from fer.see.report import Row, to_csv, to_json
from fer.serve import metrics, openapi
from fer.serve.body import uploads
from fer.serve.guard import Guard, problem_of
from fer.serve.live import live
from fer.serve.openapi import NOTES_HEADER
from fer.serve.problems import ProblemError, answer
from fer.serve.service import Service, Video

PREFIX = "/api/v1"


def api(service: Service) -> Mount:
    """The whole service behind the guard, to be mounted in an application."""
    routes = [
        Route("/health", health),
        Route("/metrics", partial(_metrics, service=service)),
        Route("/openapi.json", partial(_openapi, service=service)),
        Route("/docs", partial(_docs, service=service)),
        Route("/faces", partial(faces, service=service), methods=["POST"]),
        Route("/videos", partial(add_video, service=service), methods=["POST"]),
        Route("/videos/{key}", partial(one_video, service=service), methods=["GET", "DELETE"]),
        Route("/videos/{key}/table", partial(video_table, service=service), methods=["GET"]),
        WebSocketRoute("/live", partial(live, service=service)),
    ]
    return Mount(PREFIX, app=Guard(Router(routes), service.settings, service.metrics))


def application(service: Service) -> Starlette:
    """The service as an application. Paths outside PREFIX get the same error answers, without the guard's checks."""

    async def nothing(request: Request, error: Exception) -> Response:
        return answer(problem_of(error))

    return Starlette(routes=[api(service)], exception_handlers={HTTPException: nothing})


async def health(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def faces(request: Request, service: Service) -> Response:
    """Reads every photo of the request, or refuses the request with a reason for each photo that cannot be read."""
    detector, unsure_below, _ = _options(request)
    settings = service.settings
    with service.place():
        photos = await uploads(request, "image", settings.photo_bytes, settings.photos, settings)
        read = [service.run(service.photo, photo, detector, unsure_below) for photo in photos]
        found = await asyncio.gather(*read, return_exceptions=True)
    refused, noted = [], []
    table: list[Row] = []
    for number, (photo, result) in enumerate(zip(photos, found, strict=True), start=1):
        if isinstance(result, ImageError):
            refused.append({"source": photo.name, "detail": str(result)})
        elif isinstance(result, BaseException):
            raise result
        else:
            rows, notes = result
            table += rows
            noted += [{"photo": number, "note": note} for note in notes]
    if refused:
        words = refused[0]["detail"] if len(photos) == 1 else f"{len(refused)} of {len(photos)} photos cannot be read."
        raise ProblemError(422, words, refused=refused)
    headers = {NOTES_HEADER: json.dumps(noted)} if noted else None  # json.dumps writes ASCII, as headers require
    return Response(to_json(table), headers=headers, media_type="application/json")


async def add_video(request: Request, service: Service) -> Response:
    detector, unsure_below, looks_per_s = _options(request)
    with service.place(), service.videos.room():
        (upload,) = await uploads(request, "video", service.settings.video_bytes, 1, service.settings)
        video = service.videos.add(upload, detector, unsure_below, looks_per_s)
    return JSONResponse(_status(video), 202, {"Location": f"{PREFIX}/videos/{video.key}"})


async def one_video(request: Request, service: Service) -> Response:
    key = request.path_params["key"]
    if request.method == "DELETE":
        service.videos.forget(key)
        return Response(status_code=204)
    return JSONResponse(_status(service.videos.get(key)))


async def video_table(request: Request, service: Service) -> Response:
    form = request.query_params.get("format", "json")
    if form not in ("json", "csv"):
        raise ProblemError(400, f"format is json or csv, not {form!r}.")
    video = service.videos.get(request.path_params["key"])
    if video.status == "failed":
        raise ProblemError(422, video.detail)
    if not video.is_over:
        raise ProblemError(409, f"The video is {video.status}: its table comes when it is done.")
    if form == "csv":
        return Response(to_csv(video.table, openapi.VIDEO_COLUMNS), media_type="text/csv")
    return Response(to_json(video.table), media_type="application/json")


def _status(video: Video) -> dict[str, str | float]:
    said: dict[str, str | float] = {"id": video.key, "source": video.name, "status": video.status}
    return {**said, "progress": round(video.progress, 3), "rows": len(video.table), "detail": video.detail}


def _options(request: Request) -> tuple[str, float | None, float]:
    """detector, unsure_below and looks_per_s from the query. Raises ProblemError (400)."""
    detector = request.query_params.get("detector", "yunet")
    if detector not in DETECTORS:
        raise ProblemError(400, f"detector is {' or '.join(DETECTORS)}, not {detector!r}.")
    return (
        detector,
        _number(request, "unsure_below", None, 0, 1),
        _number(request, "looks_per_s", 10.0, 0.1, 60) or 10.0,
    )


def _number(request: Request, name: str, default: float | None, least: float, most: float) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise ProblemError(400, f"{name} is a number in {least:g}..{most:g}, not {text!r}.")
    return value


async def _metrics(request: Request, service: Service) -> Response:
    return Response(service.metrics.text(service.gauges()), media_type=metrics.MEDIA_TYPE)


async def _openapi(request: Request, service: Service) -> Response:
    return JSONResponse(openapi.document(service.settings))


async def _docs(request: Request, service: Service) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    page = openapi.page(openapi.document(service.settings))
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})
