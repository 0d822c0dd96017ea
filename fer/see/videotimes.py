"""The times of a video file's packets and frames, however unreliable its container.

Three kinds of containers cause trouble: AVI, which stores no presentation time; streams without any time; and
transport streams that were joined, whose clock jumps back to its start in the middle.
"""

import heapq
from fractions import Fraction
from typing import Any

import av

# Decoding times rise from packet to packet. With presentation times only, frames that refer to later ones come out of
# order: such a step back is not a jump.
_BACK_S, _BACK_UNORDERED_S = 0.1, 10.0
_FORWARD_S = 10.0  # as in FFmpeg's own program; only for containers whose clock may jump
_LEAST_STEP_S = 1e-3
_LONGEST_S = 1e6  # eleven days: anything beyond is a corrupt number


class PacketClock:
    """Corrects the packet times of all streams of a file to run from 0 without jumps.

    start_s: the container's time at its start. may_jump: whether a long step forward is a jump, not a pause.
    unordered: the container stores no presentation times, and those that FFmpeg makes up are wrong.
    timeless: it stores no times at all.
    """

    def __init__(self, start_s: float, may_jump: bool, unordered: bool, timeless: bool) -> None:
        self.jumps = 0
        self._offsets_s = [-start_s]  # of each part between two jumps
        self._part: dict[int, int] = {}  # by stream, as those below: streams jump at different packets
        self._latest_s: dict[tuple[int, bool], tuple[float, float]] = {}
        self._next_s: dict[int, float] = {}
        self._end_s = 0.0  # the latest time reached by any stream
        self._may_jump, self._unordered, self._timeless = may_jump, unordered, timeless

    def set(self, packet: "av.Packet[Any]", rate: Fraction | None) -> None:
        """Sets a packet's times. rate: packets per second, for a stream without times."""
        base = packet.time_base
        if not base:
            return
        if self._unordered or self._timeless:
            packet.pts = None
            packet.dts = None if self._timeless else packet.dts
        packet.pts, packet.dts = _possible(packet.pts, base), _possible(packet.dts, base)
        raw = packet.pts if packet.dts is None else packet.dts
        if raw is None:
            if not packet.size or rate is None:  # the empty packet at the end
                return
            raw = packet.dts = round(self._next_s.get(packet.stream_index, 0.0) / base)
        raw_s = float(raw * base)
        self._next_s[packet.stream_index] = raw_s + float(1 / rate) if rate else raw_s
        offset_s = self._offset(packet.stream_index, raw_s, packet.dts is not None)
        offset = round(offset_s / base)
        packet.dts = None if packet.dts is None else packet.dts + offset
        packet.pts = None if packet.pts is None else packet.pts + offset
        length_s = float((packet.duration or 0) * base)
        self._end_s = max(self._end_s, raw_s + offset_s + (length_s if 0 <= length_s < _FORWARD_S else 0.0))

    def _offset(self, stream: int, raw_s: float, ordered: bool) -> float:
        before_s, latest_s = self._latest_s.get((stream, ordered), (raw_s, raw_s))
        back_s = _BACK_S if ordered else _BACK_UNORDERED_S
        jumped = raw_s < before_s - back_s or (self._may_jump and raw_s > latest_s + _FORWARD_S)
        if ordered or jumped:
            self._latest_s[stream, ordered] = raw_s, raw_s
        elif raw_s >= latest_s:
            self._latest_s[stream, ordered] = latest_s, raw_s
        part = self._part.get(stream, 0)
        if jumped:
            part += 1
            if part == len(self._offsets_s):  # the first stream to jump decides for the others
                self._offsets_s.append(self._end_s - raw_s)
                self.jumps += 1
        self._part[stream] = part
        return self._offsets_s[part]


def _possible(time: int | None, base: Fraction) -> int | None:
    return time if time is not None and abs(time * base) < _LONGEST_S else None


class FrameClock:
    """The time of each frame from a decoder, which returns them in presentation order.

    The k-th frame is shown at the k-th smallest time of the packets. A frame's own time is used if known, so that
    packets without a frame do not shift the others, until a frame's own time fails to rise.

    last_s: the time of the last frame; negative before the first.
    """

    def __init__(self) -> None:
        self.interlaced = False
        self._sent, self._shown = 0, 0
        self._waiting: list[float] = []  # a heap: times of packets whose frames have not come yet
        self._trusted = True
        self.last_s = -1.0

    @property
    def missing(self) -> int:
        """Packets so far that gave no frame; valid when the decoder holds none back."""
        return 0 if self.interlaced else self._sent - self._shown  # a second field may be a separate packet

    def sent(self, packet: "av.Packet[Any]") -> None:
        """Records that a packet went to the decoder."""
        if not packet.size or packet.is_discard or _is_hidden(packet):
            return
        self._sent += 1
        self._trusted = self._trusted and packet.pts is not None
        time_s = _time_s(packet)
        if time_s is not None:
            heapq.heappush(self._waiting, time_s)

    def refused(self, packet: "av.Packet[Any]") -> None:
        """Records that the decoder found a packet broken."""
        time_s = _time_s(packet)
        if time_s in self._waiting:
            self._waiting.remove(time_s)
            heapq.heapify(self._waiting)

    def time_s(self, frame: av.VideoFrame) -> float:
        """When the frame is shown; always later than the one before it."""
        self._shown += 1
        self.interlaced = self.interlaced or frame.interlaced_frame
        own_s = frame.time
        if own_s is None or own_s < self.last_s:
            self._trusted = False
        if own_s is not None and self._trusted:
            found_s = own_s
            while self._waiting and self._waiting[0] <= own_s + 1e-6:
                heapq.heappop(self._waiting)
        else:
            found_s = heapq.heappop(self._waiting) if self._waiting else self.last_s + _LEAST_STEP_S
        self.last_s = max(found_s, self.last_s + _LEAST_STEP_S if self.last_s >= 0 else 0.0)
        return self.last_s


def _time_s(packet: "av.Packet[Any]") -> float | None:
    time = packet.dts if packet.pts is None else packet.pts
    return None if time is None else float(time * packet.time_base)


def _is_hidden(packet: "av.Packet[Any]") -> bool:
    """Whether a packet is a hidden reference frame. Other codecs store it together with a shown frame."""
    return packet.stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10  # RFC 6386, section 9.1


def said_length(stream: av.VideoStream, default_s: float | None) -> float | None:
    """The duration of the pictures as the file states it."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    try:  # Matroska
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return default_s
