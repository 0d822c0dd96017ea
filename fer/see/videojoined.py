"""Finds where a second video begins inside a file: somebody joined files byte by byte."""

import re
from typing import Any, BinaryIO

import av

JOINED = "Another video begins inside this file; it was not read, or not all of it. Save each as its own file."

_READ_ON = ("matroska,webm", "avi")  # where FFmpeg itself goes on with the next file
_PIECE = 8 << 20
_LONGEST_HEAD = 64
# How a file of each container begins. Transport streams and streams without a container have no such head, and
# FFmpeg reads on in them.
_HEAD = re.compile(
    rb"\x00\x00[\x00-\x03].ftyp[ -~]{4}"  # MP4 and MOV
    rb"|FLV\x01[\x00-\x07]\x00\x00\x00\x09"
    rb"|\x1a\x45\xdf\xa3.{0,40}?(?:webm|matroska)"
    rb"|RIFF.{4}AVI LIST"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"  # WMV
    rb"|nut/multimedia container\x00"
    rb"|DKIF\x00\x00\x20\x00"  # IVF
    rb"|\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02",  # MXF
    re.DOTALL,
)


class Joined:
    """Watches which part of a file is read. container: FFmpeg's name."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._first = self._last = 0  # bytes: behind the first packet, within the last

    def saw(self, packet: "av.Packet[Any]") -> None:
        if packet.pos is not None:
            self._first = self._first or packet.pos + packet.size
            self._last = max(self._last, packet.pos + 1)

    def left(self, file: BinaryIO, jumps: int) -> bool:
        """Whether a video begins in the file that was not read. jumps: how often its clock jumped.

        MP4 in fragments may begin again with each of them, but then its clock goes on.
        """
        goes_on = self._container in _READ_ON or ("mp4" in self._container and not jumps)
        return _begins_in(file, self._last if goes_on else self._first)


def _begins_in(file: BinaryIO, behind: int) -> bool:
    position = file.tell()
    try:
        file.seek(behind)
        before = b""
        while piece := file.read(_PIECE):
            if _HEAD.search(before + piece):
                return True
            before = piece[-_LONGEST_HEAD:]
        return False
    finally:
        file.seek(position)
