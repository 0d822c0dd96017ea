"""The parts of the live camera that need no browser to measure: box on face, steadiness, cost of each stage."""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder
from aiortc.jitterbuffer import JitterFrame

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer import Recognizer
from fer.emotions import CLASSES
from fer.see.carry import WIDTH_PX, carry, small
from fer.see.detect import make_detector
from fer.see.draw import annotate_planes
from fer.see.faces import Face, Look, Observation
from fer.see.judge import JudgeSettings, judge, judge_alone
from fer.see.live import LiveSession, LiveSettings
from fer.see.track import Tracker
from tests.fakes.camera_clip import scene
from webui.view.live_stream import find_faces

FPS = 15
MINUTE_FRAMES = 60 * FPS
Row = tuple[str, ...]


@dataclass(frozen=True)
class BoxErrors:
    """Distance of the drawn box's centre from the face's, in face widths, for each frame with the whole face.

    settled: for the frames from the first whose newest analysis saw this crossing's face whole; for half a face at
    the picture's edge the detector's box is off by up to a third, which nothing later can correct.
    entering: for the frames before that; infinite if no box was drawn yet.
    """

    settled: np.ndarray
    entering: np.ndarray


def box_errors(
    frames: Sequence[np.ndarray],
    seen: Sequence[list[Face]],
    truth: Mapping[int, tuple[float, float]],
    cost_s: float,
    by_sight: bool,
) -> BoxErrors:
    """How well boxes sit over four rounds of the film, two crossings each.

    The clock is simulated, so the machine's load plays no part: an analysis takes the newest frame and ends
    `cost_s` later; every frame is drawn with the results available by then.
    frames: one round, RGB. seen: the faces of each as the live page detects them. truth: as live_setup.true_centers.
    by_sight: with fer.see.carry, as the app does; else by motion alone.
    """
    period, width = len(frames), frames[0].shape[1]
    smalls = [small(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) for frame in frames]
    errors: dict[bool, list[float]] = {True: [], False: []}
    for number, origin, known, faces in _simulate(seen, cost_s, 4 * period):
        if number % period not in truth:
            continue
        if by_sight and faces:
            pair = smalls[origin % period], smalls[number % period]
            faces = carry(pair[0], known, pair[1], faces, WIDTH_PX / width, (number - origin) / FPS)
        center, face_width = truth[number % period]
        offsets = [abs(face.center[0] - center) / face_width for face in faces.values()]
        errors[_settled(origin, number, truth, period)].append(min(offsets, default=np.inf))
    return BoxErrors(np.array(errors[True]), np.array(errors[False]))


def _settled(origin: int, number: int, truth: Mapping[int, tuple[float, float]], period: int) -> bool:
    """Whether the face was whole in every frame from `origin` to `number`."""
    return all(between % period in truth for between in range(origin, number + 1))


def _simulate(
    seen: Sequence[list[Face]], cost_s: float, count: int
) -> Iterator[tuple[int, int, dict[int, Face], dict[int, Face]]]:
    """For each frame: its number, the newest analysed frame's number and faces, and those faces carried by motion."""
    tracker, busy_until_s = Tracker(), 0.0
    running: int | None = None
    origin: int = -1
    known: dict[int, Face] = {}
    for number in range(count):
        now_s = number / FPS
        while running is not None and busy_until_s <= now_s:
            tracker.update(_observed(seen[running % len(seen)]), running / FPS)
            origin, known = running, tracker.at(running / FPS)
            # Next is the last frame that arrived before this analysis ended, if it is a newer one.
            newest = min(number - 1, int(busy_until_s * FPS + 1e-9))
            running = newest if newest > running else None
            busy_until_s += cost_s
        if running is None:
            running, busy_until_s = number, now_s + cost_s
        yield number, origin, known, tracker.at(now_s)


def _observed(faces: list[Face]) -> list[Observation]:
    even = np.full(len(CLASSES), 1 / len(CLASSES), np.float32)
    return [Observation(face, even) for face in faces]


def steadiness(recognizer: Recognizer, crops: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Label changes a minute on still faces with camera noise, without smoothing and with the defaults.

    crops: uint8 (N, 48, 48), each held still for one simulated minute.
    """
    rng = np.random.default_rng(seed)
    changes: dict[str, list[int]] = {"raw": [], "steady": []}
    for crop in crops:
        rows = recognizer.classify(np.stack(list(itertools.islice(_noisy(crop, rng), MINUTE_FRAMES))))
        for name, settings in (("raw", JudgeSettings(smoothing_s=0)), ("steady", JudgeSettings())):
            labels = _labels(rows, settings)
            changes[name].append(sum(a != b for a, b in itertools.pairwise(labels)))
    return {name: float(np.mean(counts)) for name, counts in changes.items()}


def switch_delays(recognizer: Recognizer, before: np.ndarray, after: np.ndarray, seed: int = 0) -> list[float]:
    """Seconds from a true change of the face until the label follows; inf if it never does.

    before, after: uint8 (N, 48, 48), pairs of faces that the network labels differently.
    """
    rng, delays = np.random.default_rng(seed), []
    for first, second in zip(before, after, strict=True):
        film = [*itertools.islice(_noisy(first, rng), FPS), *itertools.islice(_noisy(second, rng), 2 * FPS)]
        labels = _labels(recognizer.classify(np.stack(film)), JudgeSettings())[FPS:]
        goal = CLASSES[int(recognizer.classify(second[None])[0].argmax())]
        delays.append(labels.index(goal) / FPS if goal in labels else float("inf"))
    return delays


def _noisy(crop: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The face as a webcam in a living room sees it: with sub-pixel shake, lamp flicker, sensor noise."""
    while True:
        move = np.array([[1, 0, rng.normal(0, 0.5)], [0, 1, rng.normal(0, 0.5)]], np.float32)
        moved = cv2.warpAffine(crop, move, (48, 48), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        yield np.clip(moved * rng.normal(1, 0.02) + rng.normal(0, 5, crop.shape), 0, 255).astype(np.uint8)


def _labels(rows: np.ndarray, settings: JudgeSettings) -> list[str]:
    face, tracker = Face((0, 0, 100, 100), 0.9, "yunet"), Tracker()
    looks = [Look(i / FPS, tracker.update([Observation(face, row)], i / FPS)) for i, row in enumerate(rows)]
    return [sample.predictions[0].label for sample in judge(looks, settings)]


def fer_faces() -> tuple[np.ndarray, np.ndarray] | None:
    """PublicTest images and labels if FER2013 is available (FER_DATA, else ../shared/fer2013)."""
    from fer.data import dataset
    from fer.data.faceset import DatasetError

    for folder in (os.environ.get("FER_DATA"), ROOT.parent / "shared" / "fer2013"):
        if folder and Path(folder).is_dir():
            try:
                faces = dataset.open_faces(Path(folder))
            except DatasetError:
                faces = dataset.read(Path(folder))
            public = faces.split("PublicTest")
            return public.images, public.labels
    return None


def sample_crop(photo: np.ndarray) -> np.ndarray:
    """The sample's face as the network's input, uint8 (1, 48, 48)."""
    recognizer = Recognizer()
    return recognizer.crops(photo, recognizer.detect(photo)[:1])


def stage_costs(photo: np.ndarray, seconds: float = 2.0) -> list[tuple[str, float]]:
    """Median milliseconds of each stage for one 640 × 480 frame with one face."""
    cv2_threads = cv2.getNumThreads()
    rgb = scene(photo, [(320, 230, 150)])
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
    planes = frame.to_ndarray(format="yuv420p")
    recognizer, detector = Recognizer(threads=1), make_detector("yunet", threads=1)
    faces = find_faces(detector, rgb)
    predictions = judge_alone(recognizer.observe_faces(rgb, faces))
    idle = LiveSession(lambda image, settings: [], LiveSettings(), idle_limit_s=3600)
    encoder, decoder = Vp8Encoder(), Vp8Decoder()
    clock = itertools.count()

    def stamped() -> av.VideoFrame:
        fresh = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        fresh.pts, fresh.time_base = next(clock) * 6000, Fraction(1, 90000)
        return fresh

    payloads = [b"".join(_depayload(p) for p in encoder.encode(stamped())[0]) for _ in range(60)]
    packets = itertools.cycle(payloads)
    costs = [
        ("decode (libvpx)", lambda: decoder.decode(JitterFrame(next(packets), next(clock)))),
        ("planes out of the frame", lambda: frame.to_ndarray(format="yuv420p")),
        ("YUV to RGB", lambda: cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)),
        ("detect (YuNet, one look at 480 px)", lambda: find_faces(detector, rgb)),
        ("(instead, one look at 640 px)", lambda: detector.detect(rgb, thorough=False)),
        ("cut and classify one face", lambda: recognizer.observe_faces(rgb, faces)),
        ("mirror, handover", lambda: idle.show(planes, float(next(clock)))),
        ("draw one face", lambda: annotate_planes(planes.copy(), predictions)),
        ("planes into a frame", lambda: av.VideoFrame.from_ndarray(planes, format="yuv420p")),
        ("encode (libvpx)", lambda: encoder.encode(stamped())),
        ("(instead, by way of RGB: convert, mirror, draw, convert back)", lambda: _by_rgb(frame, faces[0])),
    ]
    try:
        return [(name, _median_ms(call, seconds / 2)) for name, call in costs]
    finally:
        idle.close()
        cv2.setNumThreads(cv2_threads)


def _depayload(payload: bytes) -> bytes:
    from aiortc.codecs.vpx import vp8_depayload

    return vp8_depayload(payload)


def _by_rgb(frame: av.VideoFrame, face: Face) -> av.VideoFrame:
    rgb = cv2.flip(frame.to_ndarray(format="rgb24"), 1)
    left, top, right, bottom = (round(v) for v in face.box)
    cv2.rectangle(rgb, (left, top), (right, bottom), (102, 204, 238), 2)
    cv2.putText(rgb, "1 happy 98%", (left, top), cv2.FONT_HERSHEY_DUPLEX, 0.53, (255, 255, 255), 1, cv2.LINE_AA)
    return av.VideoFrame.from_ndarray(rgb.astype(np.uint8, copy=False), format="rgb24").reformat(format="yuv420p")


def _median_ms(call: Callable[[], object], seconds: float) -> float:
    for _ in range(5):
        call()
    took: list[float] = []
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(took) < 20:
        start_s = time.perf_counter()
        call()
        took.append(time.perf_counter() - start_s)
    return float(np.median(took)) * 1000
