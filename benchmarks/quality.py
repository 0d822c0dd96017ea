"""Writes benchmarks/quality.md: where an answer stops being worth giving, and what the limits refuse.

    python benchmarks/quality.py [--every 6]

PublicTest only, the shipped weights. Damaged faces show where each measure's limit lies; the turn of heads is that of
the set, measured by YuNet's landmarks on the enlarged face. Needs the prepared set (FER_DATA, else data/).
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.data.dataset import open_faces
from fer.judge.damages import KINDS, STRENGTHS, damaged
from fer.see.classify import Classifier
from fer.see.detect import YuNet
from fer.see.faces import Face, Quality
from fer.see.quality import LIMITS, measure, unreadable
from fer.weights import shipped_framing
from scripts.learn_framing import ENLARGE, find, pad

SPLIT = "PublicTest"
LIGHT, SHARP = ("low light", "overexposure"), ("blur", "motion", "low resolution", "noise")
CUT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # of the face's box
LEANS = (15, 30, 45, 60, 90, 180)  # degrees
EDGES = {
    "brightness": (0, 4, 8, 12, 16, 24, 32, 48, 64, 160, 192, 208, 224, 232, 240, 248, 256),
    "sharpness": (0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4, 1, 2, 4, 8, 30),
    "side_px": (8, 12, 15, 21, 28, 40),
    "inside": (0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95),
    "tilt": (7, 20, 35, 50, 75, 120, 181),
    "turn": (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 1, 4),
}
DETECTOR = YuNet(threads=1)
NOBODY = Face((0, 0, 1, 1), 1.0, "yunet")


@dataclass(frozen=True)
class Read:
    """One face as read: its damage ('' for none), its measures, whether the answer was right, whether there was one."""

    what: str
    quality: Quality
    right: bool
    answered: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=6, metavar="N", help="every N-th face is damaged (default: 6)")
    every = parser.parse_args().every
    public, network = open_faces().split(SPLIT), Classifier(mirror=True)
    faces, labels = np.ascontiguousarray(public.images), public.labels
    clean = list(read(network, "", faces, labels, [posed(face) for face in faces]))
    worse = list(read_damaged(network, faces[::every], labels[::every]))
    lines = [
        *("# From where on an answer is not worth giving", ""),
        f"{len(faces):,} faces of {SPLIT}, every {every}-th of them damaged as well; the shipped weights, "
        f"'unsure' below {network.card.unsure_below}. Made by `python benchmarks/quality.py --every {every}`.",
        *what_is_refused(clean, worse),
        *("", "## Where the limits come from", ""),
        "Bold: beyond the limit. Answers are the faces that are not 'unsure' by their confidence.",
    ]
    for name in EDGES:
        lines += bins(name, pool(name, clean, worse))
    (ROOT / "benchmarks" / "quality.md").write_text("\n".join(lines) + "\n")


def posed(face: np.ndarray) -> Quality:
    """As in a photo that shows the face at ENLARGE times its size; no pose if YuNet finds no face."""
    found = find(DETECTOR, pad(face))
    side = len(face) * ENLARGE
    if found is None:
        return replace(measure(face, NOBODY, side, side, side), turn=None, tilt=None)
    return replace(measure(face, found, side, 2 * side, 2 * side), inside=1.0)


def read(
    network: Classifier, what: str, faces: np.ndarray, labels: np.ndarray, qualities: list[Quality]
) -> Iterator[Read]:
    said = network.probabilities(np.ascontiguousarray(faces))
    right, answered = said.argmax(1) == labels, said.max(1) >= network.card.unsure_below
    for quality, is_right, is_answered in zip(qualities, right, answered, strict=True):
        yield Read(what, quality, bool(is_right), bool(is_answered))


def read_damaged(network: Classifier, faces: np.ndarray, labels: np.ndarray) -> Iterator[Read]:
    for kind in (*LIGHT, *SHARP):
        for strength in STRENGTHS:
            shown = damaged(faces, kind, strength)
            side_px = KINDS[kind].levels[strength - 1] if kind == "low resolution" else faces.shape[1] * ENLARGE
            yield from read(network, f"{kind} {strength}", shown, labels, [plain(face, side_px) for face in shown])
    for share in CUT:
        shown = np.stack([cut(face, share, left=i % 2 == 0) for i, face in enumerate(faces)])
        known = [replace(plain(face), inside=1 - share) for face in shown]
        yield from read(network, f"cut off {share:.0%}", shown, labels, known)
    for degrees in LEANS:
        shown = np.stack([lean(face, degrees if i % 2 else -degrees) for i, face in enumerate(faces)])
        yield from read(
            network, f"leaning {degrees}°", shown, labels, [replace(plain(face), tilt=degrees) for face in shown]
        )


def plain(face: np.ndarray, side_px: float = 192.0) -> Quality:
    return replace(measure(face, NOBODY, side_px, 1, 1), inside=1.0)


def cut(face: np.ndarray, share: float, left: bool) -> np.ndarray:
    """The face cut by a picture's edge, which removes this share of the box and is repeated beyond."""
    framing, side = shipped_framing()["yunet"], len(face)
    edge = round(side * (framing.center_x - framing.width / 2 + share * framing.width))
    shown = face if left else face[:, ::-1]
    shown = np.concatenate([np.repeat(shown[:, edge : edge + 1], edge, axis=1), shown[:, edge:]], axis=1)
    return shown if left else shown[:, ::-1]


def lean(face: np.ndarray, degrees: float) -> np.ndarray:
    center = ((len(face) - 1) / 2,) * 2
    turn = cv2.getRotationMatrix2D(center, degrees, 1.0)
    return cv2.warpAffine(face, turn, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def pool(name: str, clean: list[Read], worse: list[Read]) -> list[Read]:
    """The faces relevant to one measure."""
    kinds = {"brightness": LIGHT, "sharpness": SHARP, "side_px": ("low resolution",), "inside": ("cut off",)}
    kinds |= {"tilt": ("leaning",), "turn": ()}
    own = clean if name in ("brightness", "sharpness", "turn") else []
    return own + [one for one in worse if one.what.startswith(kinds[name])]


def bins(name: str, reads: list[Read]) -> list[str]:
    lines = ["", f"### {name}", "", "| from | to | faces | answered | right of the answers |"]
    lines += ["| ---: | ---: | ---: | ---: | ---: |"]
    limit = next((limit for limit in LIMITS if limit.measure == name), None)
    for low, high in zip(EDGES[name][:-1], EDGES[name][1:], strict=True):
        inside = [r for r in reads if (value := getattr(r.quality, name)) is not None and low <= value < high]
        if inside:
            beyond = limit is not None and limit.broken_by(replace(inside[0].quality, **{name: (low + high) / 2}))
            mark = "**" if beyond else ""
            lines.append(f"| {mark}{low:g}{mark} | {mark}{high:g}{mark} | {len(inside):,} | {rates(inside)} |")
    return lines


def rates(reads: list[Read]) -> str:
    """Share answered, and share of those that are right."""
    answers = [r for r in reads if r.answered]
    right = f"{np.mean([r.right for r in answers]):.1%}" if answers else "–"
    return f"{len(answers) / len(reads):.1%} | {right}"


def what_is_refused(clean: list[Read], worse: list[Read]) -> list[str]:
    lines = ["", "## What the limits refuse", ""]
    lines += ["| faces | n | refused | refused: answered | right | the rest: answered | right |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |", refused("untouched", clean)]
    lines += [refused(what, [r for r in worse if r.what == what]) for what in dict.fromkeys(r.what for r in worse)]
    lines += ["", "Untouched faces by reason:", "", "| reason | refused | share answered | right of the answers |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    for limit in LIMITS:
        beyond = [r for r in clean if unreadable(r.quality) == limit.reason]
        lines.append(f"| {limit.reason} | {len(beyond)} | {rates(beyond) if beyond else '– | –'} |")
    return lines


def refused(what: str, reads: list[Read]) -> str:
    beyond = [r for r in reads if unreadable(r.quality)]
    rest = [r for r in reads if not unreadable(r.quality)]
    sides = " | ".join(rates(side) if side else "– | –" for side in (beyond, rest))
    return f"| {what} | {len(reads):,} | {len(beyond) / len(reads):.1%} | {sides} |"


if __name__ == "__main__":
    main()
