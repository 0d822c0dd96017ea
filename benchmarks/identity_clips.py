#!/usr/bin/env python3
"""Who is who in films of real people: numbers a person, and two people under one number. Prints part of identity.md.

python benchmarks/identity_clips.py FOLDER    # with FOLDER/PERSON/*: films that show this one person
"""

import argparse
import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import markdown_table
from fer import Recognizer
from fer.see.faces import Look, Observation
from fer.see.people import same_again
from fer.see.track import Tracker
from fer.see.video import LOOKS_PER_S, VideoReading

AWAY_S = (0, 2, 4, 8)
SEEN_S = 4.0  # at most, of a film's beginning and of its end
WIDTH_PX = 640  # to which every film is scaled
Film = list[list[Observation]]  # the faces of each look


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    observe = partial(Recognizer(threads=1).observe, thorough=False)
    films = {
        folder.name: [film(path, observe) for path in sorted(folder.iterdir())]
        for folder in sorted(options.folder.iterdir())
    }
    alone = [numbers([*one]) for person in films.values() for one in person]
    print(f"{len(alone)} films of {len(films)} people, each alone: {sum(map(len, alone))} numbers.\n")
    rows = []
    for away_s in AWAY_S:
        again = [
            both(one, other, away_s) for person in films.values() for one, other in itertools.product(person, person)
        ]
        pairs = itertools.permutations(films.values(), 2)
        others = [both(one, other, away_s) for a, b in pairs for one, other in itertools.product(a, b)]
        rows.append((f"{away_s} s", *counted(again), *counted(others)))
    head = ("out of the picture", "the same person again", "one number", "offered as one",
            "another person", "one number (wrong)", "offered as one (wrong)")  # fmt: skip
    print(markdown_table(head, rows))
    return 0


def film(path: Path, observe: "partial[list[Observation]]") -> Film:
    """The looks, each with its only face, in pixels of a picture WIDTH_PX wide."""
    reading = VideoReading(path, observe)
    for _ in reading.steps():
        pass
    scale = WIDTH_PX / reading.file.frame_size[0]
    seen = [[track.observation for track in look.tracks if track.seen] for look in reading.looks]
    return [[replace(one, face=one.face.scaled(scale)) for one in look] for look in seen if look]


def both(first: Film, second: Film, away_s: float) -> tuple[set[int], set[int], int]:
    """The numbers at the first film's end, those at the second's beginning after a pause, the offers to merge two."""
    most = round(SEEN_S * LOOKS_PER_S)
    before, after = first[-most:], second[:most]
    looks = followed([*before, *([[]] * round(away_s * LOOKS_PER_S)), *after])
    return known(looks[: len(before)]), known(looks[-len(after) :]), len(same_again(looks))


def followed(film: Film) -> list[Look]:
    tracker = Tracker()
    return [Look(i / LOOKS_PER_S, tracker.update(seen, i / LOOKS_PER_S)) for i, seen in enumerate(film)]


def known(looks: Sequence[Look]) -> set[int]:
    return {track.identity for look in looks for track in look.tracks if track.seen}


def numbers(film: Film) -> set[int]:
    return known(followed(film))


def counted(runs: Sequence[tuple[set[int], set[int], int]]) -> tuple[int, int, int]:
    """Runs, those in which both parts share a number, those with an offer."""
    return len(runs), sum(bool(before & after) for before, after, _ in runs), sum(offers > 0 for *_, offers in runs)


if __name__ == "__main__":
    sys.exit(main())
