#!/usr/bin/env python3
"""People out of sight for some seconds: which numbers the tracker keeps or mixes up, and what features tell.

Faces that come and go are simulated as boxes, so that their identity is known; the features are of real faces.

    python benchmarks/identity.py                    # five minutes; the features need FER2013 (FER_DATA)
    python benchmarks/identity.py --people FOLDER    # with FOLDER/NAME/*.jpg, several pictures of each person
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer import Recognizer
from fer.data import dataset
from fer.emotions import CLASSES
from fer.see.faces import Face, Look, Observation
from fer.see.images import open_image
from fer.see.people import same_again
from fer.see.track import Tracker, TrackSettings

RUNS = 60
WIDTH_PX, PICTURE_PX = 100.0, 640.0
JITTER, MISSED = 0.02, 0.03  # of a box, in its widths; share of looks in which the detector misses a face
EVEN = np.full(len(CLASSES), 1 / len(CLASSES), np.float32)

Place = tuple[float, float]  # centre x in pixels, width in pixels
Sight = Callable[[float], dict[str, Place]]  # seconds → who is in sight, and where
Scene = Callable[[np.random.Generator], Sight]


def seat(x: float, rng: np.random.Generator) -> Callable[[float], Place]:
    """A seated person: sways by a tenth of the face's width, and leans closer and back."""
    phase, period_s = rng.uniform(0, 7), rng.uniform(2, 5)
    return lambda t: (
        x + 0.1 * WIDTH_PX * np.sin(t / period_s * 6.3 + phase),
        WIDTH_PX * (1 + 0.05 * np.sin(t / period_s * 4 + phase)),
    )


def looks_away(away_s: float) -> Callable[[np.random.Generator], Callable[[float], dict[str, Place]]]:
    """Returns after a while, up to half a width beside the old place and up to a tenth larger or smaller."""

    def scene(rng: np.random.Generator) -> Sight:
        first, shift, size = seat(300, rng), rng.uniform(-50, 50), rng.uniform(0.9, 1.1)

        def at(t: float) -> dict[str, Place]:
            x, width = first(t)
            if t < 3:
                return {"a": (x, width)}
            return {"a": (x + shift, width * size)} if t > 3 + away_s else {}

        return at

    return scene


def leaves_at_the_edge(away_s: float, same_side: bool) -> Scene:
    """Walks out at one to three widths a second, and back in as fast."""

    def scene(rng: np.random.Generator) -> Sight:
        speed = rng.uniform(1, 3) * WIDTH_PX
        out_s = 2 + 320 / speed

        def at(t: float) -> dict[str, Place]:
            back_s = t - out_s - away_s
            x = 320 + speed * min(max(t - 2, 0), out_s - 2)
            if back_s > 0:
                x = max(PICTURE_PX - speed * back_s, 320) if same_side else min(speed * back_s, 320)
            elif t >= out_s:
                return {}
            return {"a": (x, WIDTH_PX)} if 40 < x < PICTURE_PX - 40 else {}

        return at

    return scene


def another_sits_down(after_s: float, beside: float) -> Scene:
    """'a' leaves for good; 'b' sits down `beside` widths from there, and a fifth larger or smaller."""

    def scene(rng: np.random.Generator) -> Sight:
        first, second = seat(250, rng), seat(250 + beside * WIDTH_PX, rng)
        size = rng.uniform(0.8, 1.2)

        def at(t: float) -> dict[str, Place]:
            if t < 3:
                return {"a": first(t)}
            x, width = second(t)
            return {"b": (x, width * size)} if t > 3 + after_s else {}

        return at

    return scene


def two_look_away(away_s: float, apart: float) -> Scene:
    """Two people side by side; both look away and back, not at the same moment."""

    def scene(rng: np.random.Generator) -> Sight:
        people = {"a": seat(200, rng), "b": seat(200 + apart * WIDTH_PX, rng)}
        begins = {name: rng.uniform(2.5, 3.5) for name in people}
        return lambda t: {
            name: sits(t) for name, sits in people.items() if not begins[name] < t < begins[name] + away_s
        }

    return scene


def passes_in_front(rng: np.random.Generator) -> Sight:
    """'b' walks past and hides 'a', who sits, for about a second."""
    sits, speed = seat(320, rng), rng.uniform(0.8, 2) * WIDTH_PX

    def at(t: float) -> dict[str, Place]:
        x = -50 + speed * t
        found = {"b": (x, 1.2 * WIDTH_PX)} if x < PICTURE_PX + 50 else {}
        return found if abs(x - sits(t)[0]) < 0.8 * WIDTH_PX else {"a": sits(t), **found}

    return at


SCENES: dict[str, Scene] = {
    "looks away for 1 s": looks_away(1),
    "looks away for 2 s": looks_away(2),
    "looks away for 4 s": looks_away(4),
    "looks away for 8 s": looks_away(8),
    "leaves at the edge, back there 2 s later": leaves_at_the_edge(2, same_side=True),
    "leaves at the edge, back at the other 2 s later": leaves_at_the_edge(2, same_side=False),
    "two, 2 widths apart, look away for 2 s": two_look_away(2, 2.0),
    "two, 1.3 widths apart, look away for 2 s": two_look_away(2, 1.3),
    "one walks past in front of one who sits": passes_in_front,
    "another takes the seat 2 s later": another_sits_down(2, 0.0),
    "another takes the seat 4 s later": another_sits_down(4, 0.0),
    "another takes the seat 8 s later": another_sits_down(8, 0.0),
    "another sits down 1.5 widths beside, 2 s later": another_sits_down(2, 1.5),
    "another sits down 2 widths beside, 2 s later": another_sits_down(2, 2.0),
}


def identities(
    at: Sight, looks_per_s: float, by: TrackSettings, seed: int, looks: list[Look] | None = None
) -> dict[str, list[int]]:
    """Person → the numbers that this person had, in order of first appearance. looks: a list to be filled."""
    rng, tracker = np.random.default_rng(seed), Tracker(by)
    numbers: dict[str, list[int]] = {}
    for step in range(int(16 * looks_per_s)):
        t = step / looks_per_s
        people = {name: place for name, place in at(t).items() if rng.random() > MISSED}
        boxes = {name: _box(place, rng) for name, place in people.items()}
        found = tracker.update([seen for _, seen in boxes.values()], t)
        if looks is not None:
            looks.append(Look(t, found))
        tracks = [track for track in found if track.seen]
        for name, (face, _) in boxes.items():
            nearest = min(tracks, key=lambda track: abs(track.observation.face.center[0] - face.center[0]))
            if nearest.identity not in numbers.setdefault(name, []):
                numbers[name].append(nearest.identity)
    return numbers


def _box(place: Place, rng: np.random.Generator) -> tuple[Face, Observation]:
    x, y, width = place[0], 200.0, place[1]
    x, y, width = (value + rng.normal(0, JITTER * place[1]) for value in (x, y, width))
    face = Face((x - width / 2, y - width * 0.65, x + width / 2, y + width * 0.65), 0.9, "yunet")
    return face, Observation(face, EVEN)


def outcome(scene: Scene, looks_per_s: float, by: TrackSettings) -> tuple[float, float]:
    """(share of people who kept one number throughout, share of runs in which two people had one number)."""
    one, people, mixed = 0, 0, 0
    for seed in range(RUNS):
        numbers = identities(scene(np.random.default_rng(seed)), looks_per_s, by, seed)
        one += sum(len(own) == 1 for own in numbers.values())
        people += len(numbers)
        every = [number for own in numbers.values() for number in own]
        mixed += len(set(every)) < len(every)
    return one / people, mixed / RUNS


def scene_rows() -> Iterator[str]:
    yield "| scene | looks/s | one number, 1.5 s memory | one number, 5 s | mixed up, 1.5 s | mixed up, 5 s |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, scene in SCENES.items():
        for looks_per_s in (15.0, 3.0):
            before = outcome(scene, looks_per_s, TrackSettings(forget_s=1.5))
            now = outcome(scene, looks_per_s, TrackSettings())
            cells = f"{before[0]:.0%} | {now[0]:.0%} | {before[1]:.0%} | {now[1]:.0%}".replace("%", " %")
            yield f"| {name} | {looks_per_s:.0f} | {cells} |"


def offer_rows() -> Iterator[str]:
    """What the page asks when a person appears after another left, at 10 looks/s as for a video."""
    yield "| scene | numbers for each person | offers a run | of them right | numbers, all taken | wrong offers a run |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, scene in SCENES.items():
        numbers, people, offers, right, left = 0, 0, 0, 0, 0
        for seed in range(RUNS):
            looks: list[Look] = []
            found = identities(scene(np.random.default_rng(seed)), 10.0, TrackSettings(), seed, looks)
            pairs = same_again(looks)
            good = [pair for pair in pairs if any(set(pair) <= set(own) for own in found.values())]
            numbers, people = numbers + sum(map(len, found.values())), people + len(found)
            offers, right = offers + len(pairs), right + len(good)
            left += sum(map(len, found.values())) - len(good)
        share = f"{right / offers:.0%}".replace("%", " %") if offers else "none made"
        cells = f"{numbers / people:.2f} | {offers / RUNS:.2f} | {share} | {left / people:.2f}"
        yield f"| {name} | {cells} | {(offers - right) / RUNS:.2f} |"


def seen_again(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The face in a second look at the same moment: slightly moved, turned, relit and blurred, with noise."""
    move: np.ndarray = cv2.getRotationMatrix2D((24, 24), rng.normal(0, 5), 1 + rng.normal(0, 0.05))
    move[:, 2] += rng.normal(0, 1, 2)
    again = cv2.warpAffine(crop, move, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    again = cv2.GaussianBlur(again.astype(np.float32), (0, 0), rng.uniform(0.3, 1.0))
    noise = rng.normal(0, 5, crop.shape) + rng.normal(0, 8)
    return np.clip(again * rng.normal(1, 0.1) + noise, 0, 255).astype(np.uint8)


def unit(features: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.linalg.norm(features, axis=1, keepdims=True)
    found: np.ndarray = features / length
    return found


def forms(mean: np.ndarray, axes: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    return {"as they are": lambda x: x, "whitened, 128 axes": lambda x: (x - mean) @ axes}


def feature_rows(recognizer: Recognizer) -> Iterator[str]:
    """Cosine similarity of features: a face with a second look at itself, and with other faces of the same label."""
    public = dataset.open_faces().split("PublicTest")
    rng = np.random.default_rng(0)
    rows = rng.choice(len(public.images), 500, replace=False)
    first, again = (
        recognizer.features(np.stack([seen_again(public.images[row], rng) for row in rows])) for _ in range(2)
    )
    labels = public.labels[rows]
    others = (labels[:, None] == labels) & ~np.eye(len(rows), dtype=bool)
    mean, _, axes = centre(recognizer)
    yield "| form | itself again: 5th, 50th percentile | others with its label: 50th, 95th, 99th | AUC |"
    yield "| --- | --- | --- | --- |"
    for name, form in forms(mean, axes).items():
        similar = unit(form(first)) @ unit(form(again)).T
        same, other = np.diag(similar), np.sort(similar[others])
        auc = float(np.mean(np.searchsorted(other, same) / len(other)))
        own = ", ".join(f"{value:.2f}" for value in np.percentile(same, [5, 50]))
        rest = ", ".join(f"{value:.2f}" for value in np.percentile(other, [50, 95, 99]))
        yield f"| {name} | {own} | {rest} | {auc:.3f} |"


def centre(recognizer: Recognizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, spread and whitening axes of the features of 4,000 training faces."""
    training = dataset.open_faces().split("Training")
    rows = np.random.default_rng(1).choice(len(training.images), 4000, replace=False)
    features = recognizer.features(training.images[rows])
    mean = features.mean(0)
    _, spread, axes = np.linalg.svd(features - mean, full_matrices=False)
    spread = spread[:128] / np.sqrt(len(rows))
    return mean, spread, axes[:128].T / spread


def people_rows(recognizer: Recognizer, folder: Path) -> Iterator[str]:
    """Real people, several pictures each: similarity within one person and between two."""
    names, found = [], []
    for path in sorted(folder.glob("*/*")):
        image = open_image(path)
        if faces := recognizer.detect(image)[:1]:
            names.append(path.parent.name)
            found.append(recognizer.features(recognizer.crops(image, faces))[0])
    mean, _, axes = centre(recognizer)
    who = np.array(names)
    pairs = np.triu(np.ones((len(who), len(who)), dtype=bool), 1)
    for name, form in forms(mean, axes).items():
        similar = unit(form(np.stack(found))) @ unit(form(np.stack(found))).T
        same, other = (np.sort(similar[pairs & ((who[:, None] == who) == equal)]) for equal in (True, False))
        listed = [", ".join(f"{value:.2f}" for value in values) for values in (same, other)]
        yield f"{name}: one person {listed[0]}; two people {listed[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Identity after seconds out of sight")
    parser.add_argument("--people", type=Path, help="folder with a folder of pictures for each person")
    options = parser.parse_args()
    for line in scene_rows():
        print(line, flush=True)
    for line in offer_rows():
        print(line, flush=True)
    recognizer = Recognizer(threads=1)
    for line in feature_rows(recognizer):
        print(line, flush=True)
    if options.people:
        for line in people_rows(recognizer, options.people):
            print(line, flush=True)


if __name__ == "__main__":
    main()
