"""A page in Chromium that has the modules of fer/web and nothing else: what they compute, asked from Python."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from fer import web

_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}
_PAGE = b"<!doctype html><link rel=icon href=data:,><title>modules</title>"

# Python's bytes are fetched from the page's server, {bytes} being their number: DevTools takes seconds for a megabyte.
# Arrays go back as base64 under {f32} and {u8}.
_HARNESS = """
const each = (object, change) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, change(v)]))
const unpack = async (value) => {
  if (value?.bytes !== undefined) return new Uint8Array(await (await fetch(`/bytes/${value.bytes}`)).arrayBuffer())
  if (Array.isArray(value)) return Promise.all(value.map(unpack))
  if (!value || typeof value !== "object") return value
  const parts = await Promise.all(Object.entries(value).map(async ([k, v]) => [k, await unpack(v)]))
  return Object.fromEntries(parts)
}
const text = (bytes) => {
  let all = ""
  for (let i = 0; i < bytes.length; i += 32768) all += String.fromCharCode(...bytes.subarray(i, i + 32768))
  return btoa(all)
}
const pack = (value) => {
  if (value instanceof Float32Array) return { f32: text(new Uint8Array(value.slice().buffer)) }
  if (value instanceof Uint8Array) return { u8: text(value) }
  if (Array.isArray(value)) return value.map(pack)
  if (value && typeof value === "object") return each(value, pack)
  return value
}
window.call = async (source, given) => {
  const names = ["onnx", "kernels", "network", "picture", "recognize", "track", "quality", "judge", "timeline"]
  const modules = Object.assign({}, ...(await Promise.all(names.map((name) => import(`/${name}.js`)))))
  return pack(await (0, eval)(source)(await unpack(given), modules))
}
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.given: list[bytes] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        if name.startswith("bytes/"):
            assert isinstance(self.server, _Server)
            body, kind = self.server.given[int(name.removeprefix("bytes/"))], "application/octet-stream"
        elif name == "":
            body, kind = _PAGE, "text/html"
        else:
            file = web.FOLDER / name
            body, kind = file.read_bytes(), _TYPES[file.suffix]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


class Modules:
    """The page. One test module may use one for all its calls."""

    def __init__(self, page: Page, server: _Server) -> None:
        self.page = page
        self._server = server

    def call(self, function: str, given: Any) -> Any:
        """What the JavaScript `function(given, modules)` gives; bytes and arrays pass in both directions."""
        self._server.given.clear()
        return _unpack(self.page.evaluate("([source, given]) => call(source, given)", [function, self._pack(given)]))

    def _pack(self, value: Any) -> Any:
        if isinstance(value, bytes):
            self._server.given.append(value)
            return {"bytes": len(self._server.given) - 1}
        if isinstance(value, dict):
            return {key: self._pack(part) for key, part in value.items()}
        return [self._pack(part) for part in value] if isinstance(value, list | tuple) else value


@contextmanager
def open_modules(browser: Browser) -> Iterator[Modules]:
    """Such a page, as long as the block runs."""
    server = _Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        page.evaluate(f"() => {{{_HARNESS}}}")
        yield Modules(page, server)
    finally:
        page.close()
        server.shutdown()
        server.server_close()


def rgba(image: np.ndarray) -> bytes:
    """RGB uint8 (H, W, 3) as the browser has pictures."""
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]).tobytes()


def _unpack(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"f32"}:
        return np.frombuffer(base64.b64decode(value["f32"]), np.float32)
    if isinstance(value, dict) and value.keys() == {"u8"}:
        return np.frombuffer(base64.b64decode(value["u8"]), np.uint8)
    if isinstance(value, dict):
        return {key: _unpack(part) for key, part in value.items()}
    return [_unpack(part) for part in value] if isinstance(value, list) else value
