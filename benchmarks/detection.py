"""Writes benchmarks/detection.md: what the detectors cost, and what faces they find.

    python benchmarks/detection.py [--repeats 20] [--without-faces DIR]

Group pictures are composed from the sample photo, so no data and no network are needed.
--without-faces: pictures in which every box is a false alarm; for the committed table those of scikit-image.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import machine, versions
from fer.see import detect
from fer.see.detect import FIRST_LOOK_PX, OVERLAP, Haar, YuNet, suggest_turn
from fer.see.images import open_image
from fer.see.yunet import YuNetGraph, read_model

FACE = np.array((178.0, 63.0, 268.0, 175.0))  # the sample's face, XYXY
BODY = (60, 0, 400, 330)  # the part of the sample that a group picture repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--without-faces", type=Path, metavar="DIR")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sample = open_image(ROOT / "fer" / "weights" / "sample.jpg")
    lines = [
        *("# Detection", "", f"{machine()}, load {os.getloadavg()[0]:.1f} at the start;"),
        f"{versions('onnxruntime', 'opencv-python-headless', 'numpy')}.",
        f"Made by `python benchmarks/detection.py --repeats {options.repeats}`.",
        "Times are the processor's, on one thread:",
        "what else runs on the machine slows them less than wall time.",
        *runtimes(sample, options.repeats),
        *small_faces(sample),
        *photos(sample, max(3, options.repeats // 4)),
        *turns(sample),
        *(false_alarms(options.without_faces) if options.without_faces else []),
    ]
    (ROOT / "benchmarks" / "detection.md").write_text("\n".join(lines) + "\n")


def runtimes(sample: np.ndarray, repeats: int) -> list[str]:
    lines = [
        *("", "## One look: YuNet in ONNX Runtime, YuNet in OpenCV, Haar", ""),
        f"Milliseconds, least of {repeats} interleaved runs (median). 'apart': the largest difference between both",
        "runtimes' boxes, landmarks and scores, in pixels.",
        *("", "| picture | ONNX Runtime | cv2.FaceDetectorYN | Haar | apart |", "| --- | --- | --- | --- | --- |"),
    ]
    graph, haar = YuNetGraph(threads=1), Haar()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "yunet.onnx"
        file.write_bytes(read_model())
        for width, height in ((320, 180), (640, 360), (640, 640), (1600, 900)):
            picture = on_grey(sample, width, height)
            bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            opencv = cv2.FaceDetectorYN.create(str(file), "", (width, height), 0.7, OVERLAP)
            apart = np.abs(graph.detect(picture, 0.7) - opencv.detect(bgr)[1]).max()
            contenders: list[Callable[[], object]] = [partial(graph.detect, picture, 0.7), partial(opencv.detect, bgr)]
            contenders.append(partial(haar.detect, picture, thorough=False))
            cells = " | ".join(milliseconds(contenders, repeats))
            lines.append(f"| {width} × {height} | {cells} | {apart:.0e} |")
    return lines


def small_faces(sample: np.ndarray) -> list[str]:
    return [
        *("", "## Small faces in group pictures", ""),
        "Share of the faces found (false boxes), of pictures filled with the sample's upper body, mirrored, tilted",
        "by up to 12°, darker and lighter, with noise. A face's size is its box's height in the picture; one 30 px",
        "high is 24 px wide.",
        *shares(sample, (12, 16, 24, 30, 48, 64, 96), large=False),
        *("", "## Small faces behind a large one", ""),
        "The same pictures with a large face in the middle, a third as high as the picture; it counts as a false box",
        "where it is missed or found twice.",
        *shares(sample, (16, 24, 30, 48), large=True),
    ]


def shares(sample: np.ndarray, faces_px: Sequence[int], *, large: bool) -> list[str]:
    """A row for each picture size and way to look; a column for each face height."""
    detector = YuNet(threads=1)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        f"first look, {FIRST_LOOK_PX} px": partial(boxes, detector, thorough=False),
        "both looks": partial(boxes, detector, thorough=True),
    }
    lines = [
        *("", "| picture | way | " + " | ".join(f"{px} px" for px in faces_px) + " | ms at 24 px |"),
        "| --- | --- |" + " --- |" * (len(faces_px) + 1),
    ]
    for size in ((800, 600), (1280, 720), (2000, 1500), (4000, 3000), (6000, 4000)):
        pictures = [group(sample, size, px, np.random.default_rng(px)) for px in faces_px]
        if large:
            pictures = [in_front(sample, *picture) for picture in pictures]
        for name, way in ways.items():
            cells = []
            for picture, truth in pictures:
                hits, false = matched(way(picture), truth)
                if large:  # the last true box is the large face
                    kept, _ = matched(way(picture), truth[-1:])
                    hits, false = hits - kept, false + (1 - kept)
                cells.append(f"{hits / (len(truth) - large):.0%} ({false})")
            (spent,) = milliseconds([partial(way, pictures[faces_px.index(24)][0])], 3)
            lines.append(f"| {size[0]} × {size[1]} | {name} | {' | '.join(cells)} | {spent} |")
    return lines


def in_front(sample: np.ndarray, picture: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture with a large upper body in its middle, the boxes of the faces that are still whole, then its own."""
    height, width = picture.shape[:2]
    scale = height / 3 / (FACE[3] - FACE[1])
    large = cv2.resize(sample[BODY[1] : BODY[3], BODY[0] : BODY[2]], None, fx=scale, fy=scale)
    left, top = (width - large.shape[1]) // 2, (height - large.shape[0]) // 2
    right, bottom = left + large.shape[1], top + large.shape[0]
    apart = (truth[:, 2] < left) | (truth[:, 0] > right) | (truth[:, 3] < top) | (truth[:, 1] > bottom)
    # A half-hidden face may or may not be found, so it is removed with its surroundings.
    for x0, y0, x1, y1 in truth[~apart].astype(int):
        picture[max(0, y0 - (y1 - y0) // 2) : y1 + 1, max(0, x0) : x1 + 1] = 90
    picture[top:bottom, left:right] = large
    own = (FACE - (BODY[0], BODY[1]) * 2) * scale + np.array((left, top, left, top))
    return picture, np.concatenate([truth[apart], own[None]])


def photos(sample: np.ndarray, repeats: int) -> list[str]:
    """The cost of a photo with one large face, from webcam size to 100 megapixels."""
    detector = YuNet(threads=1)
    lines = [
        *("", "## Photos of any size", ""),
        f"Milliseconds for YuNet, thorough, least of {repeats} (median): a photo with one large face, and one without.",
        *("", "| photo | one face | no face |", "| --- | --- | --- |"),
    ]
    for width, height in ((640, 480), (1280, 720), (1920, 1080), (4000, 3000), (6000, 4000), (11600, 8700)):
        picture, empty = on_grey(sample, width, height), np.full((height, width, 3), 90, np.uint8)
        cells = milliseconds([partial(detector.detect, p) for p in (picture, empty)], repeats)
        lines.append(f"| {width} × {height} | {' | '.join(cells)} |")
    return lines


def turns(sample: np.ndarray) -> list[str]:
    detector = YuNet(threads=1)
    lines = [
        *("", "## Turned photos", ""),
        f"The sample, turned. Evidence: what its faces score above 0.5; a turn is offered from {detect.CLEARLY_BETTER}",
        "times the evidence of the photo as it is.",
        *("", "| turned by | evidence | best turn's evidence | offered |", "| --- | --- | --- | --- |"),
    ]
    evidence = [
        sum(f.score - 0.5 for f in detector.detect(np.ascontiguousarray(np.rot90(sample, q)))) for q in range(4)
    ]
    for quarter in range(4):
        offered = suggest_turn(detector, np.ascontiguousarray(np.rot90(sample, quarter)))
        lines.append(f"| {90 * quarter}° | {evidence[quarter]:.2f} | {max(evidence):.2f} | {offered}° |")
    return lines


def false_alarms(folder: Path) -> list[str]:
    files = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    pictures = [open_image(path) for path in files]
    lines = [
        *("", "## False alarms", ""),
        f"Boxes in {len(pictures)} pictures without a face, from the smallest score that counts on.",
        *("", "| score at least | first look | both looks |", "| --- | --- | --- |"),
    ]
    for score in (0.5, 0.6, 0.7, 0.8):
        detector = YuNet(min_score=score)
        cells = (sum(len(detector.detect(picture, thorough)) for picture in pictures) for thorough in (False, True))
        lines.append(f"| {score} | {' | '.join(map(str, cells))} |")
    return lines


def milliseconds(contenders: Sequence[Callable[[], object]], repeats: int) -> list[str]:
    """'least (median)' processor time of each; they take turns, so that a busy machine slows all alike."""
    spent = np.zeros((repeats, len(contenders)))
    for turn in range(-1, repeats):  # the first turn warms up
        for i, run in enumerate(contenders):
            start = time.process_time()
            run()
            spent[turn, i] = (time.process_time() - start) * 1e3
    return [f"{least:.1f} ({median:.1f})" for least, median in zip(spent.min(0), np.median(spent, 0), strict=True)]


def on_grey(sample: np.ndarray, width: int, height: int) -> np.ndarray:
    side = min(width, height)
    picture = np.full((height, width, 3), 90, np.uint8)
    left, top = (width - side) // 2, (height - side) // 2
    picture[top : top + side, left : left + side] = cv2.resize(sample, (side, side), interpolation=cv2.INTER_AREA)
    return picture


def group(
    sample: np.ndarray, size: tuple[int, int], face_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A picture, RGB uint8, filled with upper bodies whose faces are `face_px` high; and their boxes, XYXY (N, 4)."""
    scale = face_px / (FACE[3] - FACE[1])
    tile = round((BODY[2] - BODY[0]) * scale), round((BODY[3] - BODY[1]) * scale)
    picture, truth = np.full((size[1], size[0], 3), 90, np.uint8), []
    kinds = [body(sample, tile, scale, rng) for _ in range(24)]
    for y in range(0, size[1] - tile[1] + 1, tile[1]):
        for x in range(0, size[0] - tile[0] + 1, tile[0]):
            pixels, box = kinds[rng.integers(len(kinds))]
            picture[y : y + tile[1], x : x + tile[0]] = pixels
            truth.append(box + np.array((x, y, x, y)))
    noise = rng.normal(0, 3, (size[1], size[0], 1)).astype(np.float32)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), np.array(truth)


def body(
    sample: np.ndarray, tile: tuple[int, int], scale: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    center = float(FACE[0] + FACE[2]) / 2, float(FACE[1] + FACE[3]) / 2
    tilt = cv2.getRotationMatrix2D(center, float(rng.uniform(-12, 12)), 1)
    tilted = cv2.warpAffine(sample, tilt, sample.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    cut, box = tilted[BODY[1] : BODY[3], BODY[0] : BODY[2]], FACE - (BODY[0], BODY[1]) * 2
    if rng.random() < 0.5:
        cut, width = np.ascontiguousarray(cut[:, ::-1]), BODY[2] - BODY[0]
        box = np.array((width - box[2], box[1], width - box[0], box[3]))
    small = cv2.resize(cut, tile, interpolation=cv2.INTER_AREA) * rng.uniform(0.6, 1.15)
    return np.clip(small, 0, 255).astype(np.uint8), box * scale


def boxes(detector: YuNet, image: np.ndarray, *, thorough: bool) -> np.ndarray:
    return np.array([face.box for face in detector.detect(image, thorough)]).reshape(-1, 4)


def matched(found: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    """How many true faces have a box with an intersection over union above 0.4, and how many boxes have no face."""
    if len(found) == 0:
        return 0, 0
    low, high = np.maximum(found[:, None, :2], truth[:, :2]), np.minimum(found[:, None, 2:], truth[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (found, truth)]
    ratio = shared / (area[0][:, None] + area[1] - shared)
    return int((ratio.max(axis=0) > 0.4).sum()), int((ratio.max(axis=1) <= 0.4).sum())


if __name__ == "__main__":
    main()
