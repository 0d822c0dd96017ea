"""The live stream: clients send JPEG or WebP frames and get the faces of the newest; other frames are dropped."""

import asyncio
import json
import time
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from fer.see.faces import Look, scaled
from fer.see.images import ImageError, open_picture
from fer.see.judge import Judge, JudgeSettings
from fer.see.recognize import Recognizer
from fer.see.report import rows
from fer.see.track import Tracker
from fer.serve.service import Service

PROTOCOL = "fer.v1"
_LONGEST_PX = 1280
_UNSUPPORTED, _TOO_LARGE, _TRY_LATER = 1003, 1009, 1013  # RFC 6455, 7.4.1


class Stream:
    """Reads the frames of one client, one at a time, with identities and stable labels."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._tracker, self._judge = Tracker(), Judge(JudgeSettings(recognizer.card.unsure_below))

    def see(self, number: int, content: bytes, time_s: float) -> str:
        """The answer to a frame, as JSON. Boxes are in pixels of the upright frame as sent. number: counted from 1."""
        try:
            picture = open_picture(content, _LONGEST_PX)
        except ImageError as error:
            return json.dumps({"frame": number, "error": str(error)})
        tracks = self._tracker.update(self._recognizer.observe(picture.image, thorough=False), time_s)
        predictions = scaled(self._judge.add(Look(time_s, tracks)).predictions, picture.scale)
        faces = [
            {"identity": prediction.identity, **{name: value for name, value in row.items() if name != "source"}}
            for prediction, row in zip(predictions, rows(predictions, ""), strict=True)
        ]
        height, width = (round(side * picture.scale) for side in picture.image.shape[:2])
        return json.dumps({"frame": number, "width": width, "height": height, "faces": faces})


@dataclass(slots=True)
class Newest:
    """The last frame received, until it is taken."""

    number: int = 0
    content: bytes | None = None


async def live(socket: WebSocket, service: Service) -> None:
    """Serves one client until it disconnects."""
    if service.live >= service.settings.live:
        await socket.close(_TRY_LATER, f"{service.live} streams are running already")
        return
    service.live += 1
    try:
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None)
        stream = Stream(await service.run(service.recognizer, "yunet"))
        newest, came = Newest(), asyncio.Event()
        reader = asyncio.create_task(_receive(socket, newest, came, service.settings.frame_bytes))
        try:
            await _answer(socket, stream, service, newest, came, reader)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
    except WebSocketDisconnect:
        pass
    finally:
        service.live -= 1


async def _answer(
    socket: WebSocket,
    stream: Stream,
    service: Service,
    newest: Newest,
    came: asyncio.Event,
    reader: "asyncio.Task[None]",
) -> None:
    while not reader.done():
        waiting = asyncio.create_task(came.wait())
        await asyncio.wait({waiting, reader}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        content, newest.content = newest.content, None
        came.clear()
        if content is not None and socket.client_state is WebSocketState.CONNECTED:
            text = await service.run(stream.see, newest.number, content, time.monotonic())
            await socket.send_text(text)


async def _receive(socket: WebSocket, newest: Newest, came: asyncio.Event, most_bytes: int) -> None:
    """Keeps the newest frame until the client disconnects or sends something other than a frame."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        content = message.get("bytes")
        if content is None:
            await socket.close(_UNSUPPORTED, "send each frame as one binary message")
            return
        if len(content) > most_bytes:
            await socket.close(_TOO_LARGE, f"a frame has at most {most_bytes // 2**20} MB")
            return
        newest.number, newest.content = newest.number + 1, content
        came.set()
