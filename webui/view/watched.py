"""A video that a session has open: its reading, the visitor's corrections, the files made from it."""

import math
import mimetypes
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fer.see.judge import JudgeSettings, judge
from fer.see.people import People, same_again
from fer.see.videotable import Mark, Seen
from webui.frame.downloads import OpenFile

if TYPE_CHECKING:
    from fer.see.video import VideoReading

_LONGEST_NAME, _LONGEST_NOTE = 60, 200
_MOST_MARKS = 1000


@dataclass(frozen=True, slots=True)
class ReadBy:
    """How a video is read. detector: one of fer.see.detect.DETECTORS. weights: their digest. fast: fewer looks."""

    detector: str
    weights: str
    fast: bool = False


class Making:
    """A file made in a separate thread. work: makes it, and reports the share done, 0..1.

    content: the file, b"" until `done`. error: what went wrong.
    """

    def __init__(self, work: Callable[[Callable[[float], None]], bytes]) -> None:
        self.share, self.content, self.done = 0.0, b"", False
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="fer-video-making", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return self.done

    def _run(self) -> None:
        try:
            self.content = self._work(self._tell)
        except Exception as error:  # shown by the page
            self.error = error
        finally:
            self.done = True

    def _tell(self, share: float) -> None:
        self.share = share


@dataclass(slots=True, weakref_slot=True, eq=False)
class Watched:
    """A video that is open.

    chosen: (id, name, content) of the file. read_by: how it is read; a change needs another reading.
    judged_by: the current settings for all figures and files. part: (from, to) in seconds, which they cover; None means
    all of it.
    made: files made on request, by request. playable: a copy for browsers that cannot play the file.
    looked_at: whether its result was on the page. others: pairs of identities that the visitor said are two people.
    """

    chosen: tuple[str, str, bytes]
    read_by: ReadBy
    reading: "VideoReading"
    people: People
    judged_by: JudgeSettings
    marks: list[Mark] = field(default_factory=list)
    part: tuple[float, float] | None = None
    made: dict[Hashable, Making] = field(default_factory=dict)
    playable: Making | None = None
    looked_at: bool = False
    others: set[tuple[int, int]] = field(default_factory=set)
    _file: OpenFile | None = None
    _judged: tuple[Hashable, Seen] | None = None
    _asked: tuple[People, list[tuple[int, int]]] | None = None

    @property
    def name(self) -> str:
        return self.chosen[1]

    @property
    def address(self) -> str:
        """The address of the video, or of its playable copy, for a browser."""
        copy = self.playable.content if self.playable else b""
        content = copy or self.chosen[2]
        if self._file is None or self._file.content is not content:
            kind = "video/mp4" if copy else mimetypes.guess_type(self.name)[0] or ""
            self._file = OpenFile(content, kind if kind.startswith("video/") else "video/mp4")
        return self._file.address

    def seen(self) -> Seen:
        """The whole result, judged, with the corrected people."""
        reading, looks, people = self.reading, len(self.reading.looks), self.people
        asked: Hashable = (self.judged_by, id(people), looks, reading.done)
        judged = self._judged
        if judged is None or judged[0] != asked:
            samples = judge(people.apply(reading.looks[:looks]), self.judged_by)
            seen = Seen(self.name, samples, reading.end_s, people, scale=reading.file.scale)
            judged = self._judged = asked, seen
        return replace(judged[1], marks=tuple(self.marks))

    def seen_part(self) -> Seen:
        """The same for the selected part."""
        whole = self.seen()
        return whole if self.part is None else whole.within(*self.part)

    def same_again(self) -> list[tuple[int, int]]:
        """People who may be the same as earlier ones, to ask about: (identity, the earlier one)."""
        if self._asked is None or self._asked[0] is not self.people:
            self._asked = self.people, same_again(self.people.apply(self.reading.looks))
        return [pair for pair in self._asked[1] if pair not in self.others]

    def act(self, what: Mapping[str, Any]) -> None:
        """Applies an action from the player; an invalid one does nothing."""
        try:
            self._act(what)
        except (KeyError, TypeError, ValueError, IndexError):
            return  # input from a browser is untrusted: it may be anything

    def _act(self, what: Mapping[str, Any]) -> None:
        match what["do"]:
            case "part":
                self.part = self._between(*what["part"]) if what["part"] else None
            case "mark":
                self._mark(float(what["from"]), float(what["to"]), str(what["note"])[:_LONGEST_NOTE])
            case "unmark":
                del self.marks[int(what["mark"])]
            case "name":
                self.people = self.people.named(int(what["id"]), str(what["name"])[:_LONGEST_NAME])
            case "merge":
                self.people = self.people.merge(int(what["id"]), into=int(what["into"]))
            case "split":
                if not math.isfinite(time_s := float(what["time"])):
                    raise ValueError(f"a split needs a time, got {time_s}")
                self.people = self.people.split(int(what["id"]), time_s, self._nobody())
            case "hide":
                self.people = self.people.hide(int(what["id"]))
            case "show":
                self.people = self.people.show_all()
            case "unplayable":
                self._make_playable()

    def portrait(self, identity: int) -> np.ndarray | None:
        """A person's picture, RGB uint8 (H, W, 3); that of the one whom the person was split from if there is none."""
        others = [split.identity for split in self.people.splits if split.other == identity]
        known = self.reading.portraits
        return known.get(others[0] if others and identity not in known else identity)

    def _between(self, start_s: float, end_s: float) -> tuple[float, float]:
        if not 0 <= float(start_s) < float(end_s):
            raise ValueError(f"a part must begin before it ends, got {start_s} to {end_s}")
        return float(start_s), float(end_s)

    def _mark(self, start_s: float, end_s: float, note: str) -> None:
        if len(self.marks) < _MOST_MARKS:
            self.marks.append(Mark(start_s, end_s, note.strip()))
            self.marks.sort(key=lambda mark: mark.start_s)

    def _nobody(self) -> int:
        """An unused number."""
        known = {track.identity for look in self.reading.looks for track in look.tracks}
        return max([*known, *(split.other for split in self.people.splits)], default=0) + 1

    def _make_playable(self) -> None:
        from fer.see.videodraw import CopySettings, write_copy

        if self.playable is None:
            content = self.chosen[2]
            plain = CopySettings(boxes=False)
            self.playable = Making(lambda tell: write_copy(content, [], plain, progress=tell)[0])
