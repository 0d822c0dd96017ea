"""How large and how long a video may be: the operator's setting, else what this machine can hold."""

import os
from contextlib import suppress
from dataclasses import dataclass

import psutil
import streamlit as st
from streamlit import config

_OF_MEMORY = 8  # a file is in memory once, and twice while it arrives; others use the machine too
_LEAST_MB, _MOST_MB = 200, 8000
_MINUTES = 600.0


class LimitError(ValueError):
    """An impossible setting; the message names it."""


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """size_mb: of a file. longest_s: how much of it is read."""

    size_mb: int
    longest_s: float

    @property
    def words(self) -> str:
        size = f"{self.size_mb / 1000:.3g} GB" if self.size_mb >= 1000 else f"{self.size_mb} MB"
        hours, minutes = divmod(round(self.longest_s / 60), 60)
        length = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0)
        return f"Up to {size} and {' '.join(length)} each, up to 4K."


def video_limits() -> VideoLimits:
    """By FER_VIDEO_MB and FER_VIDEO_MINUTES if they are set. Raises LimitError."""
    return VideoLimits(int(_setting("FER_VIDEO_MB", carried_mb())), 60 * _setting("FER_VIDEO_MINUTES", _MINUTES))


def let_videos_through() -> None:
    """Raises the server's upload limit to that for videos; other pages set lower ones. Called when it starts."""
    with suppress(LimitError):  # the page reports the impossible setting
        config.set_option("server.maxUploadSize", max(video_limits().size_mb, st.get_option("server.maxUploadSize")))


def carried_mb() -> int:
    """The largest file that this machine can hold, in megabytes rounded to hundreds."""
    memory_mb = psutil.virtual_memory().total / 1e6
    return int(min(max(memory_mb / _OF_MEMORY, _LEAST_MB), _MOST_MB) // 100 * 100)


def _setting(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 1 <= value < 1e6:
        raise LimitError(f"{name} must be a number from 1 on, got {text!r}")
    return value
