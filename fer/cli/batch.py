"""`fer batch`: reads folders, patterns, lists and zips of photos and videos into one table; can be resumed."""

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer.batch.engines import ENGINES, EngineError, make_engine
from fer.cli import complain

if TYPE_CHECKING:
    from fer.batch.work import Settings

_NOTE = """
DIR then holds faces/ (Parquet, one row per face; every file has a row, with the reason where it could not be read) and
manifest.json. Stop it whenever you like: the same command resumes and reads only what is missing or has changed.
"""


def main(arguments: Sequence[str]) -> int:
    """Returns exit status 0 if every file has a row, even those that cannot be read; 2 if the job cannot be done."""
    from fer.batch.parts import ResultError
    from fer.batch.storage import StorageError
    from fer.batch.walk import SourceError
    from fer.batch.work import SettingsError
    from fer.card import WeightsError

    options = _parser().parse_args(arguments)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends the workers too
    try:
        return _run(options)
    except (ResultError, SourceError, SettingsError, EngineError, WeightsError) as error:
        return complain(str(error))
    except StorageError as error:
        return complain(f"{error}. What was committed is kept: the same command resumes.")
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer batch", description="Reads thousands of photos and videos into one table.", epilog=_NOTE
    )
    parser.add_argument(
        "sources",
        metavar="SRC",
        nargs="+",
        help="a photo or video, a folder, a pattern in quotes, a .txt with a location a line, a .zip, or s3://…",
    )
    parser.add_argument("--out", metavar="DIR", required=True, help="the result's folder, or its address")
    parser.add_argument("--csv", action="store_true", help="write DIR/faces.csv as well, at the end")
    parser.add_argument("--annotate", action="store_true", help="write photos with boxes and labels to DIR/annotated")
    parser.add_argument("--faces", action="store_true", help="write each face as the network sees it to DIR/crops")
    parser.add_argument("--again", action="store_true", help="retry the files that could not be read last time")
    parser.add_argument("--detector", choices=("yunet", "haar"), default="yunet", help="default: yunet")
    parser.add_argument("--unsure-below", metavar="P", type=float, help="say 'unsure' below this confidence, 0..1")
    parser.add_argument("--looks", metavar="N", type=float, default=10.0, help="looks a second at videos; default: 10")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="another .onnx file of scripts/train.py")
    parser.add_argument("--workers", metavar="N", type=int, help="processes; default: one a core")
    parser.add_argument("--engine", choices=ENGINES, default="local", help="where it runs; default: this machine")
    parser.add_argument("--address", metavar="HOST:PORT", help="of a Dask or Ray cluster that is already running")
    return parser


def _run(options: argparse.Namespace) -> int:
    from fer.batch.job import run
    from fer.batch.parts import Result
    from fer.batch.progress import Progress
    from fer.batch.storage import join
    from fer.batch.walk import Walk

    if options.unsure_below is not None and not 0 <= options.unsure_below <= 1:
        return complain(f"--unsure-below: expected a number in 0..1, got {options.unsure_below}")
    if not 0 < options.looks <= 60 or (options.workers is not None and options.workers < 1):
        return complain("--looks takes 0..60 looks a second, --workers at least 1.")
    settings = _settings(options)
    with Result(options.out, settings, options.again) as result:
        walk = Walk(options.sources, result.folder)
        with Progress(Walk(options.sources, result.folder)) as progress:
            engine = make_engine(options.engine, options.workers, options.address)
            try:
                run(walk, result, engine, settings, progress.told)
            finally:
                engine.close()
            written = result.write_csv() if options.csv else join(result.folder, "faces")
    before = f", {progress.skipped:,} read before" if progress.skipped else ""
    passed = f"; {walk.passed_over:,} other files passed over" if walk.passed_over else ""
    print(
        f"{progress.files:,} files read in {progress.elapsed_s:.1f} s{before}: {progress.faces:,} faces, "
        f"{progress.errors:,} files that cannot be read{passed}. {written}"
    )
    return 0


def _settings(options: argparse.Namespace) -> "Settings":
    from fer.batch.storage import join
    from fer.batch.walk import absolute
    from fer.batch.work import Settings, weights_hash
    from fer.card import WeightsError

    weights = None if options.weights is None else str(options.weights.absolute())
    try:
        sha256 = weights_hash(weights)
    except OSError as error:
        raise WeightsError(f"{weights}: cannot be read ({error.strerror}).") from error
    folder = absolute(options.out)
    return Settings(
        weights_sha256=sha256,
        weights=weights,
        detector=options.detector,
        unsure_below=options.unsure_below,
        looks_per_s=options.looks,
        pictures=join(folder, "annotated") if options.annotate else None,
        crops=join(folder, "crops") if options.faces else None,
    )
