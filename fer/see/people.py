"""A user's corrections of who is who in a recording: names, merges, splits, hidden people. No frame is read again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from fer.see.faces import Look, Track


@dataclass(frozen=True, slots=True)
class Split:
    """From `time_s` on, the face with `identity` is another person, `other`."""

    identity: int
    time_s: float
    other: int


@dataclass(frozen=True, slots=True)
class People:
    """Corrections of a recording's identities; immutable: each method returns a new object.

    names: by identity. merged: identity → the one that replaces it. hidden: not shown, not counted, not exported.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    splits: tuple[Split, ...] = ()
    merged: Mapping[int, int] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()

    def name(self, identity: int) -> str:
        return self.names.get(identity) or f"Person {identity}"

    def named(self, identity: int, name: str) -> "People":
        """name: plain text; an empty one removes the name."""
        others = {known: text for known, text in self.names.items() if known != identity}
        return replace(self, names={**others, identity: name.strip()} if name.strip() else others)

    def merge(self, identity: int, into: int) -> "People":
        """Both are `into` from now on. Raises ValueError if they are already one."""
        if self._whole(into) == self._whole(identity):
            raise ValueError(f"{identity} and {into} are one already")
        return replace(self, merged={**self.merged, self._whole(identity): self._whole(into)})

    def split(self, identity: int, time_s: float, other: int) -> "People":
        """other: an unused number."""
        return replace(self, splits=(*self.splits, Split(identity, time_s, other)))

    def hide(self, identity: int) -> "People":
        return replace(self, hidden=self.hidden | {identity})

    def show_all(self) -> "People":
        return replace(self, hidden=frozenset())

    def identity(self, found: int, time_s: float) -> int:
        """Who the tracker's identity `found` is at a time. Merges apply first, then splits in order."""
        who = self._whole(found)
        for split in self.splits:
            if who == split.identity and time_s >= split.time_s:
                who = self._whole(split.other)
        return who

    def apply(self, looks: Iterable[Look]) -> list[Look]:
        """The looks with corrected identities. If a look has two faces of one person, the widest one seen is kept."""
        if not (self.splits or self.merged or self.hidden):
            return list(looks)
        return [replace(look, tracks=self._tracks(look)) for look in looks]

    def _tracks(self, look: Look) -> tuple[Track, ...]:
        kept: dict[int, Track] = {}
        for track in look.tracks:  # the widest first
            who = self.identity(track.identity, look.time_s)
            before = kept.get(who)
            if who not in self.hidden and (before is None or (track.seen and not before.seen)):
                kept[who] = replace(track, identity=who)
        return tuple(kept.values())

    def _whole(self, identity: int) -> int:
        while identity in self.merged:
            identity = self.merged[identity]
        return identity


def same_again(looks: Iterable[Look]) -> list[tuple[int, int]]:
    """Pairs (identity, earlier identity) that may be the same person; the user decides.

    Each new identity is paired with the unpaired one that was last seen before it appeared: two identities in the
    picture at the same time are two people. The faces themselves give no evidence (benchmarks/identity.md).
    """
    first_s: dict[int, float] = {}
    last_s: dict[int, float] = {}
    for look in looks:
        for track in look.tracks:
            first_s.setdefault(track.identity, look.time_s)
            last_s[track.identity] = look.time_s
    found: list[tuple[int, int]] = []
    free = dict(last_s)
    for identity, begins_s in sorted(first_s.items(), key=lambda one: one[1]):
        gone = [other for other, until_s in free.items() if until_s < begins_s]
        if gone:
            earlier = max(gone, key=lambda other: free[other])
            del free[earlier]
            found.append((identity, earlier))
    return found
