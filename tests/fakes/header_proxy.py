"""A reverse proxy that adds one header to every answer, as an operator's would."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_END = b"\r\n\r\n"


@contextmanager
def adding(header: str, port: int) -> Iterator[str]:
    """Address under which localhost:port answers with that header line too, WebSockets included."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.header, server.port = header.encode(), port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, 128
    header: bytes
    port: int


class _Handler(socketserver.BaseRequestHandler):
    """One request a connection: only its head and that of its answer are read, the rest is passed on as it comes."""

    server: _Server
    request: Any

    def handle(self) -> None:
        asked = _head(self.request)
        if not asked:  # a browser opens connections in advance
            return
        with suppress(OSError), socket.create_connection(("localhost", self.server.port)) as app:
            app.sendall(asked.replace(b"Connection: keep-alive", b"Connection: close", 1))
            threading.Thread(target=_pass_on, args=(self.request, app), daemon=True).start()
            status, _, rest = _head(app).partition(b"\r\n")
            self.request.sendall(b"\r\n".join((status, self.server.header, rest)))
            _pass_on(app, self.request)


def _head(source: socket.socket) -> bytes:
    """What has come when the head is whole, perhaps with some of the body; b"" where nothing comes."""
    read = b""
    with suppress(OSError):
        while _END not in read and (piece := source.recv(65536)):
            read += piece
    return read


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
