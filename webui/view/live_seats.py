"""The seats of a server: how many cameras may run at once."""

import os
import threading
from collections.abc import Mapping

import streamlit as st

from fer.see.live import LiveSession

SEATS_VARIABLE = "FER_MAX_LIVE_SESSIONS"
MOST_SEATS = 8
_SILENT_S = 10.0


class NoSeatError(Exception):
    """All seats are taken."""


class Seats:
    """Limits how many cameras run at once; one more would slow all of them down.

    A reloaded or closed tab sends no more frames, but is detected only after half a minute. It keeps its seat no
    longer than _SILENT_S if another viewer wants it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._sessions: set[LiveSession] = set()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return len(self._sessions)

    @property
    def full(self) -> bool:
        with self._lock:
            return len(self._sessions) - len(self._silent()) >= self.limit

    def take(self, session: LiveSession) -> None:
        """A seat until `give`. Ends silent sessions if no seat is free. Raises NoSeatError if all are taken."""
        with self._lock:
            gone = self._silent() if len(self._sessions) >= self.limit else set()
            if len(self._sessions) - len(gone) >= self.limit:
                raise NoSeatError(f"{self.taken} of {self.limit} seats are taken")
            self._sessions = self._sessions - gone | {session}
        for session in gone:
            session.close(wait_s=0)

    def give(self, session: LiveSession) -> None:
        """Returns the session's seat; may be called repeatedly."""
        with self._lock:
            self._sessions = self._sessions - {session}

    def _silent(self) -> set[LiveSession]:
        return {session for session in self._sessions if session.silent_s > _SILENT_S}


def seat_limit(environment: Mapping[str, str] = os.environ, cores: int | None = None) -> int:
    """FER_MAX_LIVE_SESSIONS, or three per two cores, MOST_SEATS at most.

    From the capacity table in benchmarks/live.md: on two cores that also ran the viewers' browsers, three viewers
    kept 14.7 of 15 frames a second, 0.15 s late; a fourth cost two of the frames and made it 0.37 s. A server with
    remote viewers supports more, because each costs it about a quarter of a core; but each also holds the
    interpreter's lock for a tenth of the time, whatever the number of cores.

    Raises ValueError if the variable is not a whole number above zero.
    """
    text = environment.get(SEATS_VARIABLE, "").strip()
    if not text:
        return min((cores or os.cpu_count() or 1) * 3 // 2, MOST_SEATS)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{SEATS_VARIABLE} must be a whole number above zero, got {text!r}")
    return int(text)


@st.cache_resource(show_spinner=False)
def seats() -> Seats:
    """The seats of this server, shared by all viewers."""
    return Seats(seat_limit())
