"""A server under test and Chromium viewers whose fake camera plays a film with a counter in every frame."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from fer.emotions import COLORS
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path
from tests.fakes.camera_clip import SIZE, scene, write_y4m

PERIOD = 75  # frames until the film begins again: five seconds at 15 a second
FPS = 15
FACE_PX = 130
SPEED_PX_PER_S = 320  # 640 pixels in two seconds
BITS, BLOCK_PX, STRIP_PX = 8, 40, 24
ROW = 230

Truth = dict[int, tuple[float, float]]  # the film's counter → the face's centre x and its width, in pixels

# Keeps the camera's stream, so that its pictures can be compared with the returned ones.
KEEP_CAMERA = """
const media = navigator.mediaDevices
if (media) {
  const open = media.getUserMedia.bind(media)
  media.getUserMedia = async (wanted) => (window.ownCamera = await open(wanted))
}
"""
WATCH = Path(__file__).with_name("live_watch.js").read_text()


def path_x(step: int) -> float:
    """The face's centre in frame `step` of the film: across, out of sight, back, out of sight."""
    half = PERIOD // 2
    across = -FACE_PX + SPEED_PX_PER_S * (step % half) / FPS
    return across if step < half else SIZE[0] - across


def counter_film(path: Path, photo: np.ndarray) -> Path:
    """The film: a face that crosses in two seconds, over a strip with the frame's number in bits."""
    return write_y4m(path, (film_frame(photo, step) for step in range(PERIOD)), FPS)


def film_frame(photo: np.ndarray, step: int) -> np.ndarray:
    """Frame `step` of the film, RGB uint8 (480, 640, 3)."""
    frame = scene(photo, [(path_x(step), ROW, FACE_PX)])
    bits = [int(b) for b in f"{step:0{BITS}b}"]
    frame[-STRIP_PX:] = 0
    for i, bit in enumerate([1, 0, *bits, sum(bits) % 2]):
        frame[-STRIP_PX:, i * BLOCK_PX : (i + 1) * BLOCK_PX] = 255 * bit
    return frame


def true_centers(photo: np.ndarray, margin_px: float = FACE_PX) -> Truth:
    """Counter → (centre x, width) of the face as detected in that frame.

    margin_px: the least distance of the face's centre from the picture's sides; at half a face width it is just whole.
    """
    from fer.see.detect import make_detector

    detector, found = make_detector("yunet"), {}
    for step in range(PERIOD):
        if not margin_px <= path_x(step) <= SIZE[0] - margin_px:
            continue
        for face in detector.detect(film_frame(photo, step))[:1]:
            found[step] = face.center[0], face.width
    return found


@dataclass
class Server:
    url: str
    pid: int
    log: Path

    def samples(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines() if self.log.is_file() else []
        return [json.loads(line) for line in lines]


@contextmanager
def app_server(folder: Path, port: int, **environment: str) -> Iterator[Server]:
    """The patched app (benchmarks/live_app.py) on a port; ended on exit."""
    log = folder / f"usage-{time.monotonic_ns()}.jsonl"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "benchmarks" / "live_app.py")]
    flags = ["--server.headless", "true", "--server.port", str(port)]
    with open(folder / "server.log", "ab") as output:
        process = subprocess.Popen(
            [*command, *flags],
            cwd=ROOT,
            env={**os.environ, "FER_MAX_LIVE_SESSIONS": "9", "BENCH_LOG": str(log), **environment},
            stdout=output,
            stderr=output,
        )
    try:
        _wait_for(port)
        yield Server(f"http://localhost:{port}", process.pid, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, limit_s: float = 90) -> None:
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("the server under test did not start; its log is in the work folder's server.log")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def chromium(playwright: Any, film: Path) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=chromium_path(), args=[*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={film}"]
    )
    try:
        yield browser
    finally:
        browser.close()


def open_viewer(browser: Browser, url: str, tries: int = 2) -> Page:
    """A tab in a separate context whose camera runs: frames come back and advance."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(KEEP_CAMERA)
    page.goto(url)
    for _ in range(tries):
        if press_start(page):
            return page
    raise TimeoutError("the stream did not start")


def press_start(page: Page) -> bool:
    frame = page.frame_locator('iframe[title^="streamlit_webrtc"]')
    frame.get_by_role("button", name="Start camera").click()
    try:
        frame.locator("video").wait_for(timeout=30_000)
        page.locator(".face .verdict, .live-empty").first.wait_for(timeout=30_000)
        return True
    except PlaywrightTimeoutError:
        frame.get_by_role("button", name="Stop").click()
        page.wait_for_timeout(3000)
        return False


def press_stop(page: Page) -> None:
    frame = page.frame_locator('iframe[title^="streamlit_webrtc"]')
    frame.get_by_role("button", name="Stop").click()
    frame.get_by_role("button", name="Start camera").wait_for()


def streamer_frame(page: Page) -> Any:
    return next(f for f in page.frames if "streamlit_webrtc" in f.url)


def watch(page: Page) -> None:
    # The film's face is happy, and so is its box.
    color = list(bytes.fromhex(COLORS["happy"][1:]))
    streamer_frame(page).evaluate(WATCH, [BITS, BLOCK_PX, STRIP_PX, ROW, color])


@dataclass(frozen=True)
class Watched:
    """What a viewer saw. delays_ms: one for each returned counter. errors: distance of the box's centre from the
    face's, in face widths. frames_per_s: distinct returned frames. missing: share of
    returned frames with a face but no box. width_px: the smallest width that the stream shrank to."""

    delays_ms: list[float]
    errors: list[float]
    frames_per_s: float
    missing: float
    width_px: int


def watched(page: Page, truth: Truth) -> Watched:
    data = streamer_frame(page).evaluate("() => window.watched")
    delays, errors, missing, faces = [], [], 0, 0
    first_seen: list[tuple[float, int]] = []
    previous = -1
    for now, value, *_ in data["camera"]:
        if value >= 0 and value != previous:
            first_seen.append((now, value))
            previous = value
    previous, different = -1, 0
    for now, value, _, columns in data["back"]:
        if value in truth:
            center, width = truth[value]
            faces += 1
            pair = [c for c in columns if abs(c - center) < 1.2 * width]
            if len(pair) >= 2 and max(pair) - min(pair) > width / 2:
                errors.append(((min(pair) + max(pair)) / 2 + 0.5 - center) / width)
            else:
                missing += 1
        if value < 0 or value == previous:
            continue
        previous = value
        different += 1
        before = [t for t, v in first_seen if v == value and now - 3000 < t <= now]
        if before:
            delays.append(now - before[-1])
    span_s = (data["back"][-1][0] - data["back"][0][0]) / 1000 if len(data["back"]) > 1 else float("nan")
    widths = [entry[2] for entry in data["back"]]
    return Watched(delays, errors, different / span_s, missing / max(faces, 1), min(widths, default=0))


SHORT_LIVED = "page runs"


def cpu_share(samples: list[dict[str, Any]], start_s: float, end_s: float) -> dict[str, float]:
    """Cores used by the server between two wall-clock times, by kind of thread; their sum is that of the process.

    SHORT_LIVED is what threads used that did not exist at both ends: Streamlit runs a page, and each of its
    fragments, on a new thread that ends with the run.
    """
    inside = [s for s in samples if start_s <= s["time_s"] <= end_s]
    if len(inside) < 2:
        return {SHORT_LIVED: float("nan")}
    first, last = inside[0], inside[-1]
    span_s = last["time_s"] - first["time_s"]
    lasting = set(first["thread_s"]) & set(last["thread_s"])
    shares = {n: max(last["thread_s"][n] - first["thread_s"][n], 0.0) / span_s for n in lasting}
    return shares | {SHORT_LIVED: (last["cpu_s"] - first["cpu_s"]) / span_s - sum(shares.values())}


def frames_shown(page: Page) -> int:
    """How many frames the returned video has shown so far."""
    video = page.frame_locator('iframe[title^="streamlit_webrtc"]').locator("video")
    return int(video.evaluate("video => video.getVideoPlaybackQuality().totalVideoFrames"))


def load_photo() -> np.ndarray:
    from fer.see.images import open_image

    return open_image(ROOT / "fer" / "weights" / "sample.jpg")
