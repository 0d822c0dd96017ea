"""Checks host, origin, token and rate before any route; errors become problem+json. Plain ASGI, HTTP and WebSocket."""

import hmac
import ipaddress
import logging
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fer.serve.metrics import Metrics
from fer.serve.problems import ProblemError, answer
from fer.serve.settings import HOSTS, TOKEN, ServeSettings

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
_MOST_ADDRESSES = 10_000
_OPEN = ("/health",)  # for a load balancer, which has no token
logger = logging.getLogger(__name__)


class Guard:
    """Runs the checks and then the routes. metrics: counts the answers."""

    def __init__(self, app: ASGIApp, settings: ServeSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._rate = Rate(settings.per_second, settings.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        start_s, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            self.check(scope)
            await self._app(scope, receive, watched)
        except Exception as error:
            if status:  # the answer has begun: no other one is possible
                raise
            await answer(problem_of(error))(scope, receive, watched)
        finally:
            route = scope.get("route")
            self._metrics.request(getattr(route, "path", "other"), status, time.monotonic() - start_s)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self.check(scope)
        except ProblemError as problem:
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:120]})
            return
        try:
            await self._app(scope, receive, send)
        except HTTPException:  # no such path
            await send({"type": "websocket.close", "code": 1008, "reason": "no such path"})

    def check(self, scope: Scope) -> None:
        """Raises ProblemError if this request must be refused."""
        headers = Headers(scope=scope)
        host = _host_of(headers.get("host", ""))
        if host not in self._settings.hosts:
            raise ProblemError(
                400,
                f"The service is not known as {host!r} here. The operator names it in {HOSTS}, separated by commas.",
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise ProblemError(
                403, "Pages of another origin may not ask. Ask from a program, or from a page of this server."
            )
        if _path(scope) not in _OPEN:
            self._check_token(scope, headers)
        wait_s = self._rate.wait_s(_address(scope))
        if wait_s:
            raise ProblemError(429, "Too many requests from this address.", {"Retry-After": str(int(wait_s) + 1)})

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        known = self._settings.token
        if known is None:
            # Behind a proxy on this computer, every request seems to come from this computer.
            if _is_loopback(_address(scope)) and not any(name in headers for name in _FORWARDED):
                return
            raise ProblemError(
                401, f"Only programs on this computer may ask without a token. The operator sets {TOKEN}.", _ASK
            )
        given = _token(scope, headers)
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), known.encode()):
            raise ProblemError(401, "Send the operator's token: 'Authorization: Bearer TOKEN'.", _ASK)


_ASK = {"WWW-Authenticate": "Bearer"}


class Rate:
    """A token bucket of `burst` requests per address, refilled at `per_second`.

    If there are too many addresses, the least recently seen ones are forgotten.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second, self._burst = per_second, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now_s: float | None = None) -> float:
        """0 if the request may proceed, else the seconds until the next request may."""
        now_s = time.monotonic() if now_s is None else now_s
        left, last_s = self._left.pop(address, (float(self._burst), now_s))
        left = min(left + (now_s - last_s) * self._per_second, self._burst)
        granted = left >= 1
        self._left[address] = (left - granted, now_s)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return 0.0 if granted else (1 - left) / self._per_second


def problem_of(error: Exception) -> ProblemError:
    """The error answer for any exception of a route."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, HTTPException):
        words = {
            404: "There is nothing here. /api/v1/docs lists what there is.",
            405: "Not with this method.",
        }
        return ProblemError(error.status_code, words.get(error.status_code, error.detail), dict(error.headers or {}))
    logger.error("a request failed", exc_info=error)
    return ProblemError(500, "The server met an error of its own; its log says which.")


def _token(scope: Scope, headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    # A WebSocket in a browser can set no other header.
    offered = (name.strip() for name in headers.get("sec-websocket-protocol", "").split(","))
    return next((name.removeprefix("bearer.") for name in offered if name.startswith("bearer.")), "")


def _host_of(header: str) -> str:
    """The name without its port, in lower case; an IPv6 address without its brackets."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")))


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
        return (getattr(found, "ipv4_mapped", None) or found).is_loopback
    except ValueError:
        return False
