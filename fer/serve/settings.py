"""The service's settings: access and limits."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

SWITCH, TOKEN, HOSTS = "FER_API", "FER_API_TOKEN", "FER_API_HOSTS"
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


class ServeError(Exception):
    """Impossible settings of the service; the message says what to do."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """token: required from every client; None admits only programs on this computer.

    hosts: the names under which the service is asked for, without ports. Foreign pages that reach it under a name of
        their own (DNS rebinding) are refused.
    photo_bytes, video_bytes: the most that one photo or video may have; photos: in one request.
    waiting: requests that may wait for a worker; further ones are told to retry later (429).
    per_second: requests from one address, on average; burst: at once.
    body_s: how long a body may take to arrive. jobs: videos that are kept, whether read or not; kept_s: for how long.
    live: streams at once; frame_bytes: the most that one frame may have.

    Raises ServeError for a token that can be guessed.
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
    """The settings as the operator gave them: FER_API_TOKEN, and in FER_API_HOSTS names beside localhost."""
    names = tuple(name.strip().lower() for name in environment.get(HOSTS, "").split(",") if name.strip())
    return ServeSettings(token=environment.get(TOKEN, "").strip() or None, hosts=_LOOPBACK_HOSTS + names)


def is_switched_on(environment: Mapping[str, str] = os.environ) -> bool:
    return environment.get(SWITCH) == "1"
