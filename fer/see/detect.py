"""Face detectors behind one protocol: YuNet (the default) and Haar (the article's).

Both look at a shrunk copy first, which costs the same for a webcam frame and for a 100-megapixel photo. A photo gets
a second, larger look unless the first was large enough for faces 24 px wide and shows no sign of smaller ones. So
faces 24 px wide are always looked for in photos of up to 24 megapixels. Sizes, thresholds and cost:
benchmarks/detection.md.
"""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from fer.see.faces import Face
from fer.see.yunet import DetectorError, YuNetGraph, best_of_overlapping

__all__ = ["DETECTORS", "Detector", "DetectorError", "Haar", "YuNet", "make_detector", "shrink", "suggest_turn"]

DETECTORS = ("yunet", "haar")

MIN_SCORE = 0.7  # compared with 0.6, loses 1 % of FER2013's faces and half of the false alarms
CAMERA_LOOK_PX = 480  # longer side of a camera's picture: finds faces from some 20 px in 640 (benchmarks/live.md)
FIRST_LOOK_PX = 640  # longer side; YuNet finds faces of 12 px and more, so 1/50 of the photo's side
SECOND_LOOK = 2.5  # times as large as the first, if that shows no face or signs of small ones
SMALL_FACE_PX = 40  # height in the first look; a face at least this high is no sign of smaller ones
KNOWN_FACE_PX = 64  # height; the first look misses no face this high, so those only in the second look are false
HINT_SCORE = 0.2  # score of a small candidate in the first look: worth a second look, but not a box
ENOUGH_SCALE = 0.5  # of a photo's size, in the first look: a face 24 px wide is 15 px high in it
FINE_SCALE = 0.6  # of a photo's size, in the second look: a face 24 px high is 14 px high in it
FINE_PIXELS = 8_640_000  # the most for FINE_SCALE: 24 megapixels at that scale
TILE_PX = 1600  # the second look goes to the network in tiles of at most this side: 130 MB of memory instead of 500
TILE_OVERLAP_PX = 192  # the first look finds every face that is larger than this in the second
OVERLAP = 0.3  # intersection over union beyond which two boxes are one face
SURE_EVIDENCE = 0.3  # a face that scores 0.8: turned copies of upright photos reach less by chance
SURELY_UPRIGHT = 0.9  # mean score of a photo's faces at or above which no turn is tried; see suggest_turn
CLEARLY_BETTER = 1.15  # a turned photo must show this many times the evidence for faces; see suggest_turn


Tile = tuple[int, int, int, int]  # left, top, right, bottom


class Detector(Protocol):
    """Finds faces in an image, RGB uint8 (H, W, 3) or grey uint8 (H, W). Safe to share between threads."""

    name: str

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        """Faces in pixels of `image`, in no particular order. thorough=False: only the first look, for live video."""
        ...


def make_detector(name: str, threads: int | None = None) -> Detector:
    """The detector of that name. threads: cores that one call may use; None means all of them.

    Raises ValueError for an unknown name, DetectorError if its files are missing or altered.
    """
    if name == "yunet":
        return YuNet(threads=threads)
    if name == "haar":
        return Haar()
    raise ValueError(f"detector must be one of {', '.join(DETECTORS)}; got {name!r}")


class YuNet:
    """min_score: boxes with a lower score, 0..1, are dropped. Raises ValueError for a number outside 0..1."""

    name = "yunet"

    def __init__(self, min_score: float = MIN_SCORE, threads: int | None = None) -> None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"min_score must lie in 0..1, got {min_score}")
        self.min_score = min_score
        self._threads = threads
        self._graph = YuNetGraph(threads)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return YuNet, (self.min_score, self._threads)  # pickled as its arguments

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        hints = min(HINT_SCORE, self.min_score) if thorough else self.min_score
        rows = self._look(image, FIRST_LOOK_PX, hints)
        found = rows[:, 14] >= self.min_score
        second_px = second_look_px(image, rows[:, 3], found) if thorough else 0
        rows = rows[found]
        if second_px:
            more = self._look(image, second_px, self.min_score, enlarge=True)
            more = more[more[:, 3] * min(1, FIRST_LOOK_PX / max(image.shape[:2])) < KNOWN_FACE_PX]
            rows = best_of_overlapping(np.concatenate([rows, more]), OVERLAP)
        return [_yunet_face(row) for row in rows.tolist()]

    def _look(self, image: np.ndarray, longest_px: int, min_score: float, enlarge: bool = False) -> np.ndarray:
        small = shrink(image, longest_px, enlarge)
        found = [self._look_at_tile(small, tile, min_score) for tile in tiles(small.shape[1], small.shape[0])]
        rows = np.concatenate(found)
        rows[:, :14] *= np.tile([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], 7)
        return rows

    def _look_at_tile(self, image: np.ndarray, tile: Tile, min_score: float) -> np.ndarray:
        """Rows in pixels of the image; drops boxes at a seam: the next tile or the first look has the whole face."""
        left, top, right, bottom = tile
        rows = self._graph.detect(image[top:bottom, left:right], min_score, OVERLAP)
        rows[:, :14] += [left, top, 0, 0, *(left, top) * 5]
        low, high = rows[:, :2], rows[:, :2] + rows[:, 2:4]
        cut = (low < (left, top)) & (np.array((left, top)) > 0)
        cut |= (high > (right, bottom)) & (np.array((right, bottom)) < image.shape[1::-1])
        return rows[~cut.any(axis=1)]


class Haar:
    """Viola and Jones's cascade, as shipped with OpenCV: upright frontal faces, no landmarks, ten times slower.

    Its score is the margin by which a window passed the last stage, squashed to 0..1; it is not a probability.
    """

    name = "haar"

    def __init__(self) -> None:
        file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise DetectorError(f"{file}: missing. Install opencv-python-headless<5 as requirements.txt has it")
        self._lock = threading.Lock()  # a cascade keeps buffers between calls

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return Haar, ()

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        first_px = min(FIRST_LOOK_PX, max(image.shape[:2]))
        faces = self._look(image, first_px)
        heights_px = np.array([face.height for face in faces])
        if thorough and second_look_px(image, heights_px, heights_px > 0):
            # No larger: it takes ten times as long as YuNet, and its window is 24 px at any photo size.
            faces = self._look(image, round(first_px * SECOND_LOOK)) or faces
        return faces

    def _look(self, image: np.ndarray, longest_px: int) -> list[Face]:
        small = shrink(image, longest_px, enlarge=True)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        with self._lock:
            boxes, _, weights = self._cascade.detectMultiScale3(
                grey, scaleFactor=1.1, minNeighbors=5, outputRejectLevels=True
            )
        scale = image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]
        scores = (1 / (1 + float(np.exp(-weight))) for weight in weights)
        return [
            Face((x, y, x + width, y + height), score, self.name).scaled(*scale)
            for (x, y, width, height), score in zip(np.array(boxes, float).tolist(), scores, strict=True)
        ]


def suggest_turn(detector: Detector, image: np.ndarray, faces: Sequence[Face] = ()) -> int:
    """By how many degrees counter-clockwise (0, 90, 180, 270) to turn an image so that its faces are upright.

    faces: what `detector` found in it, if known: most upright photos then need no further look. Of 600 FER2013 faces
    76 % score SURELY_UPRIGHT; of 1,800 turned by 90 to 270 degrees 2 do, and no further look would have turned those.

    A detector also finds sideways and upside-down faces, but scores upright ones highest. A turn's evidence is the sum
    of its faces' scores above one half. A turn is suggested only if it has clearly more evidence than no turn, and at
    least that of one sure face: 0.7 % of FER2013's upright faces get a needless suggestion (1.7 % without that floor).
    """
    if faces and sum(face.score for face in faces) / len(faces) >= SURELY_UPRIGHT:
        return 0
    small = shrink(image, FIRST_LOOK_PX)
    evidence = [
        sum(max(face.score - 0.5, 0) for face in detector.detect(np.ascontiguousarray(turned), thorough=False))
        for turned in (np.rot90(small, quarter) for quarter in range(4))
    ]
    best = int(np.argmax(evidence))
    return 90 * best if evidence[best] > evidence[0] * CLEARLY_BETTER and evidence[best] >= SURE_EVIDENCE else 0


def shrink(image: np.ndarray, longest_px: int, enlarge: bool = False) -> np.ndarray:
    """The image with its longer side at most `longest_px`, or exactly that if `enlarge` is set."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale == 1 or (scale > 1 and not enlarge):
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale > 1:
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    # A huge photo is subsampled first, leaving 3 × 3 pixels to average: a tenth of the time for 100 megapixels.
    if (step := int(1 / (3 * scale))) > 1:
        top, left = min(step, height) // 2, min(step, width) // 2  # a strip may be narrower than a step
        image = np.ascontiguousarray(image[top::step, left::step])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def second_look_px(image: np.ndarray, heights_px: np.ndarray, found: np.ndarray) -> int:
    """The longer side of a photo's second look in pixels; 0 if the first look was enough.

    heights_px, found: for each box of the first look, its height in pixels of the image, and whether it is a face
    or only a hint of one.
    """
    height, width = image.shape[:2]
    longest_px: int = max(height, width)
    first_px = min(FIRST_LOOK_PX, longest_px)
    fine_px = int(longest_px * min(FINE_SCALE, math.sqrt(FINE_PIXELS / (width * height))))
    small = heights_px * first_px / longest_px < SMALL_FACE_PX
    if not found.any() or small.any():
        return max(fine_px, round(first_px * SECOND_LOOK))
    return fine_px if first_px < longest_px * ENOUGH_SCALE else 0


def tiles(width: int, height: int) -> Iterator[Tile]:
    """Tiles that cover a picture of that size: sides of at most TILE_PX, overlapping by at least TILE_OVERLAP_PX."""
    for top, bottom in _spans(height):
        for left, right in _spans(width):
            yield left, top, right, bottom


def _spans(length_px: int) -> list[tuple[int, int]]:
    if length_px <= TILE_PX:
        return [(0, length_px)]
    count = -(-(length_px - TILE_OVERLAP_PX) // (TILE_PX - TILE_OVERLAP_PX))
    side = -(-(length_px + (count - 1) * TILE_OVERLAP_PX) // count)
    starts = [round(i * (length_px - side) / (count - 1)) for i in range(count)]
    return [(start, start + side) for start in starts]


def _yunet_face(row: list[float]) -> Face:
    left, top, width, height = row[:4]
    landmarks = tuple(zip(row[4:14:2], row[5:14:2], strict=True))
    return Face((left, top, left + width, top + height), min(1.0, row[14]), YuNet.name, landmarks)
