"""Describes the routes in OpenAPI 3.1 and as a readable page."""

import html
from typing import Any

from fer.emotions import CLASSES, UNSURE
from fer.see.report import COLUMNS, PHOTO_COLUMNS
from fer.serve.problems import MEDIA_TYPE
from fer.serve.settings import ServeSettings

NOTES_HEADER = "Fer-Notes"
VIDEO_COLUMNS = (COLUMNS[0], "time_s", "identity", *COLUMNS[1:])

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_SHARE: Json = {"type": "number", "minimum": 0, "maximum": 1}


def document(settings: ServeSettings) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Facial expressions",
            "version": "1",
            "description": "Photos, videos and a live stream in, the expression on every face out: what a model sees "
            "on a face, not what a person feels. Errors are application/problem+json (RFC 9457). "
            "WebSocket /api/v1/live: send each JPEG or WebP frame as one binary message; for the newest one comes an "
            'object {"frame": its number from 1, "width", "height", "faces": rows as of /faces with "identity"}.',
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": _paths(settings),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Face": _face(PHOTO_COLUMNS),
                "VideoFace": _face(VIDEO_COLUMNS),
                "Video": _VIDEO,
                "Problem": _PROBLEM,
            },
        },
    }


def _paths(settings: ServeSettings) -> Json:
    photo_mb, video_mb = settings.photo_bytes // 2**20, settings.video_bytes // 2**20
    faces = _answer("A row a face, as `fer photo --json` prints them.", _list_of("Face"))
    faces["headers"] = {NOTES_HEADER: {"description": _NOTES, "schema": _TEXT}}
    taken = _answer("Taken.", _ref("Video")) | {"headers": {"Location": {"schema": _TEXT}}}
    status = _answer("How far it is.", _ref("Video"))
    table = _answer("A row a face at each look.", _list_of("VideoFace"))
    table["content"]["text/csv"] = {"schema": _TEXT}
    healthy = _answer("It does.", _object({"status": {}}))
    counts = {"description": "Text 0.0.4.", "content": {"text/plain": {"schema": _TEXT}}}
    key = {"name": "key", "in": "path", "required": True, "schema": _TEXT}
    form = {"name": "format", "in": "query", "schema": {"enum": ["json", "csv"]}}

    of_photos = f"Faces of one photo or of up to {settings.photos}, at most {photo_mb} MB together"
    of_video = f"Takes a video of at most {video_mb} MB to read; its first ten minutes are"
    read = _operation("readPhotos", of_photos, {"200": faces}, 400, 401, 403, 408, 413, 415, 422, 429)
    read |= {"parameters": [_DETECTOR, _UNSURE_BELOW], "requestBody": _body("image", settings.photos)}
    send = _operation("sendVideo", of_video, {"202": taken}, 400, 401, 403, 408, 413, 415, 429)
    send |= {"parameters": [_DETECTOR, _UNSURE_BELOW, _LOOKS], "requestBody": _body("video", 1)}
    ask = _operation("videoStatus", "How far a video is", {"200": status}, 400, 401, 404, 429)
    forgotten = {"204": {"description": "Forgotten."}}
    forget = "Stops reading a video and forgets its table"
    delete = _operation("forgetVideo", forget, forgotten, 400, 401, 403, 404, 429)
    fetch = "The table of a video that is done"
    get_table = _operation("videoTable", fetch, {"200": table}, 400, 401, 404, 409, 422, 429)
    health = _operation("health", "Whether the service answers; needs no token", {"200": healthy}, 400, 429)
    metrics = _operation("metrics", "Counts for Prometheus", {"200": counts}, 400, 401, 429)
    return {
        "/api/v1/faces": {"post": read},
        "/api/v1/videos": {"post": send},
        "/api/v1/videos/{key}": {"parameters": [key], "get": ask, "delete": delete},
        "/api/v1/videos/{key}/table": {"parameters": [key, form], "get": get_table},
        "/api/v1/health": {"get": health | {"security": []}},
        "/api/v1/metrics": {"get": metrics},
    }


def _operation(name: str, summary: str, answer: Json, *errors: int) -> Json:
    return {"operationId": name, "summary": summary, "responses": answer | _errors(*errors)}


def page(said: Json) -> str:
    """The document as HTML, without scripts or external resources."""
    rows = []
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            if method == "parameters":
                continue
            parameters = [*methods.get("parameters", ()), *operation.get("parameters", ())]
            names = "".join(f"<code>{html.escape(p['name'])}</code> " for p in parameters if p["in"] == "query")
            statuses = ", ".join(operation["responses"])
            rows.append(
                f"<tr><td><b>{method.upper()}</b></td><td><code>{html.escape(path)}</code></td>"
                f"<td>{html.escape(operation['summary'])}</td><td>{names}</td><td>{statuses}</td></tr>"
            )
    return _PAGE.format(
        title=html.escape(said["info"]["title"]), words=html.escape(said["info"]["description"]), rows="\n".join(rows)
    )


def _face(columns: tuple[str, ...]) -> Json:
    kinds: Json = {name: {"type": "number"} for name in ("left", "top", "right", "bottom", "time_s")}
    kinds |= dict.fromkeys(("score", "confidence", *CLASSES), _SHARE)
    kinds |= {name: {"type": "integer", "minimum": 1} for name in ("face", "identity")}
    kinds["turn_deg"] = {"enum": [0, 90, 180, 270]}
    kinds |= {"label": {"enum": [*CLASSES, UNSURE]}, "best": {"enum": list(CLASSES)}}
    return _object({name: kinds.get(name, _TEXT) for name in columns})


def _object(properties: Json) -> Json:
    return {"type": "object", "required": list(properties), "properties": properties}


def _body(kind: str, most: int) -> Json:
    files = {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "string", "format": "binary"}}
    form = _object({"file": files}) | {"additionalProperties": False}
    bare = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    return {
        "required": True,
        "content": {f"{kind}/*": bare, "application/octet-stream": bare, "multipart/form-data": {"schema": form}},
    }


def _answer(words: str, schema: Json) -> Json:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> Json:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {str(status): {"description": _WORDS[status], "content": content} for status in statuses}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


_WORDS = {
    400: "Something in the request cannot be.",
    401: "A token is needed.",
    403: "Another origin's page asked.",
    404: "There is nothing here.",
    408: "The body took too long.",
    409: "Not yet.",
    413: "Too much.",
    415: "Not this type.",
    422: "The file cannot be read; the detail says why.",
    429: "Too many at once. Retry-After says when.",
}
_NOTES = (
    "Where a photo seems to lie or hang, or is one of several in its file: a JSON array of "
    '{"photo": its number in the request, from 1, "note": words}.'
)
_DETECTOR = {"name": "detector", "in": "query", "schema": {"enum": ["yunet", "haar"], "default": "yunet"}}
_UNSURE_BELOW = {
    "name": "unsure_below",
    "in": "query",
    "description": f"Confidence below which a label is '{UNSURE}'; the model card's where it is not given.",
    "schema": _SHARE,
}
_LOOKS = {
    "name": "looks_per_s",
    "in": "query",
    "schema": {"type": "number", "minimum": 0.1, "maximum": 60, "default": 10},
}
_VIDEO = _object(
    {
        "id": _TEXT,
        "source": _TEXT,
        "status": {"enum": ["waiting", "reading", "done", "failed"]},
        "progress": _SHARE,
        "rows": {"type": "integer"},
        "detail": _TEXT,
    }
)
_PROBLEM = _object({"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT})
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; vertical-align: top; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid #dcdce6 }}
.wide {{ overflow-x: auto }}
:root {{ color-scheme: light dark }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{words}</p>
<p>For programs: openapi.json beside this page. For a start in curl, Python and JavaScript: docs/api.md.</p>
<div class="wide"><table>
<tr><th>method</th><th>path</th><th>what it does</th><th>query</th><th>answers</th></tr>
{rows}
</table></div>
</body>
</html>
"""
