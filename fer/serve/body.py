"""Receives the photos or the video of a request; sizes are checked on arrival and nothing is written to disk."""

import asyncio
import io
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from fer.serve.problems import ProblemError
from fer.serve.settings import ServeSettings


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a request. name: given by the sender; only displayed, never used as a path."""

    name: str
    content: bytes


class _InMemory(MultiPartParser):
    spool_max_size = 2**40  # Starlette's default writes files above 1 MB to disk


async def uploads(request: Request, kind: str, most_bytes: int, most: int, settings: ServeSettings) -> list[Upload]:
    """The files of a request, sent as a bare body or as a form.

    kind: 'image' or 'video'. most_bytes: limit for all files together. most: limit on the number of files in a form.
    Raises ProblemError for another type (415), too much data or too many files (413), an empty or broken body (400),
    and a slow sender (408).
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > most_bytes:
        raise _too_large(most_bytes)
    try:
        async with asyncio.timeout(settings.body_s):
            if media_type == "multipart/form-data":
                return await _form(request, most_bytes, most)
            if media_type.startswith(f"{kind}/") or media_type == "application/octet-stream":
                content = io.BytesIO()
                async for part in _counted(request, most_bytes):
                    content.write(part)
                return [Upload(kind, _not_empty(content.getvalue()))]
    except TimeoutError:
        raise ProblemError(408, f"The body took more than {settings.body_s:.0f} s.", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise ProblemError(400, "The sender went away before the body had arrived.") from None
    raise ProblemError(
        415,
        f"Send the {kind} itself with its type ({kind}/…, or application/octet-stream), or multipart/form-data.",
    )


async def _form(request: Request, most_bytes: int, most: int) -> list[Upload]:
    parser = _InMemory(Headers(raw=request.headers.raw), _counted(request, most_bytes), max_files=most, max_fields=0)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many fields" in error.message:
            raise ProblemError(400, "The form has a field that is no file: give each part a filename.") from error
        too_many = "Too many" in error.message
        raise ProblemError(413 if too_many else 400, f"The form cannot be read: {error.message}") from error
    found = []
    try:
        for number, (_, value) in enumerate(form.multi_items(), start=1):
            if isinstance(value, UploadFile):
                found.append(Upload(value.filename or str(number), _not_empty(await value.read())))
    finally:
        await form.close()
    if not found:
        raise ProblemError(400, "There is no file in the form.")
    return found


async def _counted(request: Request, most_bytes: int) -> AsyncGenerator[bytes, None]:
    """The pieces of the body. Also limits a body whose Content-Length is missing or too small."""
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise _too_large(most_bytes)
        yield part


def _not_empty(content: bytes) -> bytes:
    if not content:
        raise ProblemError(400, "The file is empty.")
    return content


def _too_large(most_bytes: int) -> ProblemError:
    # The rest is not read: otherwise a sender of gigabytes would keep the server busy with a refused body.
    return ProblemError(413, f"More than {most_bytes // 2**20} MB.", {"Connection": "close"})
