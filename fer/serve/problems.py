"""Error answers according to RFC 9457: application/problem+json with a detail that says what was wrong."""

import json
from http import HTTPStatus

from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error answer. headers: extra headers, such as Retry-After. more: further members of the JSON object."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: object) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more


def answer(problem: ProblemError) -> Response:
    said = {
        **{"type": "about:blank", "title": HTTPStatus(problem.status).phrase, "status": problem.status},
        **{"detail": problem.detail, **problem.more},
    }
    text = json.dumps(said, ensure_ascii=False)
    return Response(text, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
