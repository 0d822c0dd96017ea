"""Finds a second video that begins inside a file, as when files were joined byte by byte."""

import re
from typing import Any, BinaryIO

import av

JOINED = "Another video begins inside this file; it was not read, or not all of it. Save each as its own file."

_READ_ON = ("matroska,webm", "avi")  # here FFmpeg itself continues with the next file
_PIECE = 8 << 20
_MOST_NAMES = 1000  # examined in a piece: a malicious file may be full of one name
_BEFORE, _BEHIND = 8, 64  # bytes around a name that tell whether it begins a file
# How a file of each container begins: a name that is quick to find, and the bytes around it. Transport streams and
# streams without a container have no such beginning, and FFmpeg continues reading them.
_BEGINNINGS = {
    b"ftyp": rb"\x00\x00[\x00-\x03].ftyp[ -~]{4}",  # MP4 and MOV
    b"FLV\x01": rb"FLV\x01[\x00-\x07]\x00\x00\x00\x09",
    b"\x1a\x45\xdf\xa3": rb"\x1a\x45\xdf\xa3.{0,40}?(?:webm|matroska)",
    b"AVI LIST": rb"RIFF.{4}AVI LIST",
    b"nut/multimedia container": rb"nut/multimedia container\x00",
    b"DKIF": rb"DKIF\x00\x00\x20\x00",  # IVF
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"): rb"0&",  # WMV
    bytes.fromhex("060e2b34020501010d0102010102"): rb"\x06\x0e\x2b\x34",  # MXF
}


class Joined:
    """Watches which part of a file is read. container: FFmpeg's name."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._first = self._last = 0  # byte positions: after the first packet, within the last

    def saw(self, packet: "av.Packet[Any]") -> None:
        if packet.pos is not None:
            self._first = self._first or packet.pos + packet.size
            self._last = max(self._last, packet.pos + 1)

    def left(self, file: BinaryIO, jumps: int) -> bool:
        """Whether the file contains the beginning of a video that was not read. jumps: how often its clock jumped.

        Fragmented MP4 may begin again with each fragment, but then its clock continues.
        """
        goes_on = self._container in _READ_ON or ("mp4" in self._container and not jumps)
        return _begins_in(file, self._last if goes_on else self._first)


def _begins_in(file: BinaryIO, behind: int) -> bool:
    position = file.tell()
    try:
        file.seek(behind)
        before = b""
        while piece := file.read(_PIECE):
            if _begins(before + piece):
                return True
            before = piece[-_BEFORE - _BEHIND :]
        return False
    finally:
        file.seek(position)


def _begins(part: bytes) -> bool:
    for name, whole in _BEGINNINGS.items():
        place = part.find(name)
        for _ in range(_MOST_NAMES):
            if place < 0:
                break
            if re.search(whole, part[max(place - _BEFORE, 0) : place + _BEHIND], re.DOTALL):
                return True
            place = part.find(name, place + 1)
    return False
