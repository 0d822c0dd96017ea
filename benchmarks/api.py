"""What the service adds to a photo's reading, and how many requests a second it answers.

    python benchmarks/api.py --requests 200 [--app]

A JPEG of some 100 kB made from the sample is read in process, through `fer serve` and, with --app, through the app with
FER_API=1, in turns of ten, because the machine may be shared: the difference between neighbouring turns is what counts.
Then 8 clients call `fer serve` at once. The service is a separate process on this computer; connections are reused.
"""

import argparse
import contextlib
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer.batch.work import prepare_worker
from fer.see.recognize import Recognizer
from fer.see.report import rows, to_json

ROOT = Path(__file__).parents[1]
TURN = 10
CLIENTS = 8
READY_S = 180


def photo_of_100_kb() -> bytes:
    with Image.open(ROOT / "fer" / "weights" / "sample.jpg") as sample:
        large = sample.convert("RGB").resize((900, 900 * sample.height // sample.width))
    contents = []
    for quality in range(70, 99):
        file = io.BytesIO()
        large.save(file, "JPEG", quality=quality)
        contents.append(file.getvalue())
    return min(contents, key=lambda content: abs(len(content) - 100_000))


@contextlib.contextmanager
def server(command: list[str], port: int, path: str) -> Iterator[HTTPConnection]:
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "FER_API": "1"}, stdout=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + READY_S
        while True:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            with contextlib.suppress(OSError):
                connection.request("GET", path)
                connection.getresponse().read()
                break
            if process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit(f"{' '.join(command)}: does not answer")
            time.sleep(0.2)
        yield connection
    finally:
        process.terminate()
        process.wait(30)


def ask(connection: HTTPConnection, photo: bytes) -> str:
    connection.request("POST", "/api/v1/faces", photo, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {text}")
    return text


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def milliseconds(ways: dict[str, Callable[[], object]], requests: int) -> dict[str, list[float]]:
    """The time of each call; the ways take turns, after one warm-up call each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(requests // TURN):
        for name, way in ways.items():
            for _ in range(TURN):
                start_s = time.perf_counter()
                way()
                taken[name].append(1000 * (time.perf_counter() - start_s))
    return taken


def per_second(port: int, photo: bytes, requests: int) -> float:
    def client(_: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(requests // CLIENTS):
            ask(connection, photo)

    start_s = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    return requests // CLIENTS * CLIENTS / (time.perf_counter() - start_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--app", action="store_true", help="also through the app")
    options = parser.parse_args()
    prepare_worker()
    recognizer, photo = Recognizer(threads=1), photo_of_100_kb()

    def in_process() -> str:
        return to_json(rows(recognizer.predict(photo), "image"))

    serve_port, app_port = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        serve = [sys.executable, "-m", "fer", "serve", "--port", str(serve_port)]
        served = stack.enter_context(server(serve, serve_port, "/api/v1/health"))
        ways: dict[str, Callable[[], object]] = {"in process": in_process, "fer serve": lambda: ask(served, photo)}
        if options.app:
            run = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
            inside = stack.enter_context(server([*run, "--server.port", str(app_port)], app_port, "/api/v1/health"))
            inside.close()
            ways["inside the app"] = lambda: ask(inside, photo)
        # Opened while the server started, or idle until the server closed it: the next request connects again.
        served.close()
        taken = milliseconds(ways, options.requests)
        rates = [per_second(serve_port, photo, options.requests) for _ in range(3)]
    print(f"Photo of {len(photo) / 1000:.0f} kB, {options.requests} calls each, load {os.getloadavg()[0]:.1f}.\n")
    print("| way | ms, median | more than in process, median of the turns | 10th and 90th percentile, ms |")
    print("| --- | --- | --- | --- |")
    for name, times in taken.items():
        turns = range(0, len(times), TURN)
        more = median(median(times[i : i + TURN]) - median(taken["in process"][i : i + TURN]) for i in turns)
        low, high = (sorted(times)[int(share * len(times))] for share in (0.1, 0.9))
        print(f"| {name} | {median(times):.1f} | {more:.1f} | {low:.1f}, {high:.1f} |")
    print(f"\n{CLIENTS} clients at once: {', '.join(f'{rate:.1f}' for rate in rates)} requests a second.")


if __name__ == "__main__":
    main()
