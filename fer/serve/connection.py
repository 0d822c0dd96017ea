"""uvicorn's HTTP connection with a time limit on receiving the head of a request."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 10.0


class Connection(H11Protocol):
    """Closes the connection if the head of a request is not complete within HEAD_S.

    Otherwise a thousand clients that each send one byte and wait would use up the connections of the process. uvicorn
    itself limits only the pause between requests.
    """

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        answered = self.cycle is None or self.cycle.response_complete
        if not answered or self.transport.get_protocol() is not self:  # a request in progress, or a WebSocket
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
