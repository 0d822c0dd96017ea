"""One event of a run log, and its line of JSON.

``{"event": "epoch", "seq": 7, "time": 1760000000.0, ...}``. JSON has no NaN or infinity: they are written as null
and listed in ``"nonfinite"`` by JSON pointer (RFC 6901); `decode` restores them.
"""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from typing import Any

_RESERVED = ("event", "seq", "time", "nonfinite")
_NONFINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class RunLogError(RuntimeError):
    """A run log that cannot be opened or an event that cannot be written."""


@dataclasses.dataclass(frozen=True)
class RunEvent:
    """One line of a run log.

    ``kind`` is "start", "step", "epoch", "checkpoint", "end" or a newer kind that readers skip; ``seq`` increases by
    one per line, also across resumes (a gap is a lost line); ``time`` is the writer's clock in unix seconds, which may
    be set back; ``values`` is everything else.
    """

    kind: str
    seq: int
    time: float
    values: dict[str, Any]

    def __post_init__(self) -> None:
        if not self.kind or self.seq < 0 or not math.isfinite(self.time):
            raise ValueError(f"no run event: kind {self.kind!r}, seq {self.seq}, time {self.time}")


def encode(event: RunEvent) -> bytes:
    """One line of valid JSON, including its newline. Values may be numbers, strings, lists, mappings, dataclasses,
    paths, and anything with ``tolist`` (numpy, torch). Raises RunLogError for any other value and names it."""
    nonfinite: dict[str, str] = {}
    fields = {str(key): _plain(value, f"/{_escape(str(key))}", nonfinite) for key, value in event.values.items()}
    if clash := [name for name in _RESERVED if name in fields]:
        raise RunLogError(f"an event's values cannot be called {', '.join(clash)}: the log writes these itself")
    line = {"event": event.kind, "seq": event.seq, "time": event.time, **fields}
    if nonfinite:
        line["nonfinite"] = nonfinite
    return json.dumps(line, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> RunEvent | None:
    """The event on one line, or None if the line is truncated or is not an event."""
    try:
        fields = json.loads(line)
        kind, seq, at = fields.pop("event"), fields.pop("seq"), fields.pop("time")
        for pointer, name in fields.pop("nonfinite", {}).items():
            _put(fields, pointer, _NONFINITE[name])
        if not isinstance(kind, str) or type(seq) is not int or type(at) not in (int, float):
            return None
        return RunEvent(kind, seq, float(at), fields)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _plain(value: Any, pointer: str, nonfinite: dict[str, str]) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        nonfinite[pointer] = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{pointer}/{_escape(str(key))}", nonfinite) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{pointer}/{index}", nonfinite) for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), pointer, nonfinite)
    raise RunLogError(f"{pointer} is a {type(value).__name__}: a run log holds numbers, text, lists and mappings")


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _put(fields: dict[str, Any], pointer: str, value: float) -> None:
    target: Any = fields
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parents:
        target = target[int(part) if isinstance(target, list) else part]
    target[int(last) if isinstance(target, list) else last] = value
