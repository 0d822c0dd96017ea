"""Time to start, memory of the app, and size of an installation. Linux only: reads /proc."""

import importlib.metadata
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.photo import PEER, PLAIN, SAMPLE, make_photos
from benchmarks.table import GB, MB, Goal, Section, in_turns, spread
from tests.browser.conftest import CHROMIUM_FLAGS

ROOT = Path(__file__).parents[1]
PORT = 8650
WAIT_S = 120
OURS_SNIPPET = (
    "from fer import Recognizer; from fer.see.images import open_image; "
    "print(Recognizer().predict(open_image({photo!r}))[0].label)"
)
PEER_SNIPPET = "import cv2; from fer.fer import FER; print(FER().detect_emotions(cv2.imread({photo!r}))[0])"
FIRST_PREDICTION = "`python -c`: import, load, read the sample, first prediction"
PEER_FIRST = f"the same with {PEER}"
RUNTIMES = {"onnxruntime": ("onnxruntime",), "openvino": ("openvino",), "torch": ("torch", "triton", "nvidia", "cuda")}


def process_section(peer: str | None, rounds: int) -> Section:
    """Whole processes, from the command to its end. peer: as for photo_sections."""
    with tempfile.TemporaryDirectory() as elsewhere:
        commands: dict[str, tuple[list[str], Path | str]] = {
            "`python -c pass`": ([sys.executable, "-c", "pass"], ROOT),
            "`python -c 'import fer'`": ([sys.executable, "-c", "import fer"], ROOT),
            FIRST_PREDICTION: ([sys.executable, "-c", OURS_SNIPPET.format(photo=str(SAMPLE))], ROOT),
            "`python -m fer fer/weights/sample.jpg`": ([sys.executable, "-m", "fer", str(SAMPLE)], ROOT),
        }
        if peer is not None:  # in another folder: Python looks for `fer` in the working directory first
            commands[PEER_FIRST] = ([peer, "-c", PEER_SNIPPET.format(photo=str(SAMPLE))], elsewhere)
        for command, folder in commands.values():
            seconds(command, folder)  # loads files into the page cache
        times = in_turns({name: partial(seconds, *of) for name, of in commands.items()}, rounds)
    measured = median(times[FIRST_PREDICTION])
    goal = Goal("`import fer` to first prediction in the shell under 1 s", f"{measured:.2f} s", measured < 1)
    words = f"Whole processes from the command to their end, files in the page cache, in turns, {rounds} rounds."
    rows = [(name, spread(values)) for name, values in times.items()]
    return Section("Start of a process", words, ("process", "s"), rows, [goal])


def seconds(command: list[str], folder: Path | str) -> float:
    """How long a command takes. Raises RuntimeError with its output if it fails."""
    start_s = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    elapsed_s = time.perf_counter() - start_s
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return elapsed_s


@dataclass(frozen=True)
class AppRun:
    """One start of the app. Times in s: from the command to a healthy server; from opening the address to the page's
    title, to the model card below it (the model is loaded by then), and to the title for a second visitor.
    Memory in MB: once the server is up, after a photo was read, and the peak.
    """

    healthy_s: float
    title_s: float
    card_s: float
    again_s: float
    idle_mb: float
    after_photo_mb: float
    peak_mb: float


def app_section(starts: int) -> Section:
    """Starts the app, looks at it with Chromium, reads one photo on its page."""
    words = (
        f"`streamlit run streamlit_app.py`, looked at with Chromium through Playwright, {starts} starts. A photo of "
        "1280×720 with one face is uploaded on the photo page; memory is the server's resident set after that."
    )
    goal = "the app's resident memory under 350 MB after a photo"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        words += " Left out: no chromium on the path, and CHROMIUM names none."
        return Section("The app", words, goals=[Goal(goal, "needs chromium", None)])
    runs = [run_app(chromium) for _ in range(starts)]
    rows = [
        ("command → server healthy, s", spread([run.healthy_s for run in runs])),
        ("address opened → title of the start page, first visitor, s", spread([run.title_s for run in runs])),
        ("address opened → model card, first visitor (loads the model), s", spread([run.card_s for run in runs])),
        ("address opened → title, second visitor with an empty cache, s", spread([run.again_s for run in runs])),
        ("command → title, in all, s", spread([run.healthy_s + run.title_s for run in runs])),
        ("resident memory, server just up, MB", spread([run.idle_mb for run in runs], 0)),
        ("resident memory after a photo, MB", spread([run.after_photo_mb for run in runs], 0)),
        ("peak memory, MB", spread([run.peak_mb for run in runs], 0)),
    ]
    held = median(run.after_photo_mb for run in runs)
    return Section("The app", words, ("what", "value"), rows, [Goal(goal, f"{held:.0f} MB", held < 350)])


def run_app(chromium: str) -> AppRun:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        photo = make_photos(Path(home))[PLAIN]
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        with server(Path(home)) as (process, address, healthy_s):
            idle_mb = memory_mb(process.pid, "VmRSS")
            page = browser.new_page()
            opened_s = time.perf_counter()
            page.goto(address)
            page.get_by_role("heading", level=1).wait_for()
            title_s = time.perf_counter() - opened_s
            page.get_by_role("heading", name="The model, in plain words").wait_for()
            card_s = time.perf_counter() - opened_s
            page.goto(f"{address}/photo")
            page.locator('input[type="file"]').set_input_files(photo)
            page.locator(".face").wait_for()
            page.wait_for_timeout(2000)  # for what the page still sends, such as pictures
            after_photo_mb, peak_mb = memory_mb(process.pid, "VmRSS"), memory_mb(process.pid, "VmHWM")
            second = browser.new_context().new_page()
            again_s = time.perf_counter()
            second.goto(address)
            second.get_by_role("heading", level=1).wait_for()
            again_s = time.perf_counter() - again_s
            browser.close()
        return AppRun(healthy_s, title_s, card_s, again_s, idle_mb, after_photo_mb, peak_mb)


@contextmanager
def server(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """The app as a user starts it: its process, its address, and the seconds until it was healthy."""
    options = ["--server.headless", "true", "--server.port", str(PORT)]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *options]
    address = f"http://localhost:{PORT}"
    with open(home / "server.log", "wb") as log:
        start_s = time.perf_counter()
        environment = os.environ | {"HOME": str(home)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        while not healthy(address):
            if process.poll() is not None or time.perf_counter() - start_s > WAIT_S:
                raise RuntimeError(f"the app did not start:\n{(home / 'server.log').read_text()[-2000:]}")
            time.sleep(0.01)
        yield process, address, time.perf_counter() - start_s
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def memory_mb(pid: int, kind: str) -> float:
    """VmRSS (resident now) or VmHWM (the most ever) of a process, in MB of a million bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split(f"{kind}:")[1].split()[0]) * 1024 / MB


def disk_section(peer: str | None, install: bool) -> Section:
    """Sizes on disk. install: whether to install requirements.txt into a fresh environment, which takes minutes."""
    goal = Goal("the installed app under 1 GB", "needs --install", None)
    rows: list[tuple[str, str, str, str]] = []
    if install:
        (files_gb, blocks_gb), install_s = fresh_install(ROOT / "requirements.txt")
        rows.append(row := disk_row("fresh environment with `requirements.txt`", files_gb, blocks_gb, install_s))
        measured = f"{row[1]} GB of files; {row[2]} GB in blocks on disk, {blocks_gb * GB / 2**30:.2f} GiB"
        goal = Goal("the installed app under 1 GB", measured, files_gb < 1)
    if peer is not None:
        rows.append(disk_row(f"environment with {PEER}", *sizes_gb(Path(peer).parents[1].rglob("*"))))
    for name, prefixes in RUNTIMES.items():
        if files := package_files(prefixes):
            rows.append(disk_row(f"the packages of `{name}` and their libraries alone", *sizes_gb(files)))
    words = (
        "1 GB = 10⁹ bytes; 'files' is the sum of their lengths, 'blocks' what the file system takes for them. An "
        "environment counts with its `pip` and compiled modules. Installing is timed from `python -m venv` to the end "
        "of `pip install`, with pip's cache and the registry as they were."
    )
    return Section("On disk", words, ("what", "files GB", "blocks GB", "install s"), rows, [goal])


def disk_row(what: str, files_gb: float, blocks_gb: float, install_s: float | None = None) -> tuple[str, str, str, str]:
    return what, f"{files_gb:.2f}", f"{blocks_gb:.2f}", "" if install_s is None else f"{install_s:.0f}"


def fresh_install(requirements: Path) -> tuple[tuple[float, float], float]:
    """Sizes of a fresh environment with these requirements, and the seconds that making it took."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        python = str(environment / "bin" / "python")
        made_s = seconds([sys.executable, "-m", "venv", str(environment)], ROOT)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
        made_s += seconds(pip, ROOT)
        sizes = sizes_gb(environment.rglob("*"))
        seconds([python, "-m", "fer", str(SAMPLE)], ROOT)  # checks that it works
        return sizes, made_s


def sizes_gb(paths: Iterable[Path]) -> tuple[float, float]:
    """The total length of files, and the blocks that they and their folders occupy, in GB. Links are not followed."""
    stats = [path.lstat() for path in paths]
    length = sum(of.st_size for of in stats if not stat.S_ISDIR(of.st_mode))
    return length / GB, sum(of.st_blocks * 512 for of in stats) / GB


def package_files(prefixes: tuple[str, ...]) -> set[Path]:
    """The files of the installed packages whose names have these prefixes; may be empty."""
    files = {
        Path(str(distribution.locate_file(file)))
        for distribution in importlib.metadata.distributions()
        if (distribution.metadata["Name"] or "").lower().startswith(prefixes)
        for file in distribution.files or ()
    }
    return {file for file in files if file.is_file()}
