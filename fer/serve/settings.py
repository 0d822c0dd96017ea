"""Settings of the service: access and limits."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

SWITCH, TOKEN, HOSTS = "FER_API", "FER_API_TOKEN", "FER_API_HOSTS"
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class ServeError(Exception):
    """Invalid settings of the service; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """token: required from every client; None admits only programs on this computer.

    hosts: the names by which clients may address the service, without ports. Requests from foreign pages that reach it
        under another name (DNS rebinding) are refused.
    photo_bytes: limit for all photos of a request together; video_bytes: for a video; photos: photos per request.
    waiting: requests that may wait for a worker; further ones get status 429 and must retry later.
    per_second: requests per address on average; burst: at once.
    body_s: time limit for receiving a body. jobs: videos kept, whether read or not; kept_s: how long they are kept.
    live: simultaneous streams; frame_bytes: limit for one frame.

    Raises ServeError for a token of fewer than 16 characters, which could be guessed.
    """

    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = _LOOPBACK_HOSTS
    photo_bytes: int = 64 * 2**20
    video_bytes: int = 200 * 2**20
    photos: int = 40
    waiting: int = 32
    per_second: float = 100.0
    burst: int = 200
    body_s: float = 60.0
    jobs: int = 8
    kept_s: float = 3600.0
    live: int = 8
    frame_bytes: int = 4 * 2**20

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 16:
            raise ServeError(
                f"{TOKEN} has {len(self.token)} characters, at least 16 are needed. "
                "`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one."
            )


def from_environment(environment: Mapping[str, str] = os.environ) -> ServeSettings:
    """The operator's settings: FER_API_TOKEN, and FER_API_HOSTS with host names besides localhost."""
    names = tuple(name.strip().lower() for name in environment.get(HOSTS, "").split(",") if name.strip())
    return ServeSettings(token=environment.get(TOKEN, "").strip() or None, hosts=_LOOPBACK_HOSTS + names)


def is_switched_on(environment: Mapping[str, str] = os.environ) -> bool:
    return environment.get(SWITCH) == "1"
