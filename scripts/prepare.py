#!/usr/bin/env python3
"""Prepares FER2013 for training and browsing: reads the set in any format, joins FER+ votes, writes a fast cache.

python scripts/prepare.py fer2013.csv                          # or icml_face_data.csv, a folder, a zip, Parquet
python scripts/prepare.py archive.zip --votes fer2013new.csv   # with the FER+ votes
python scripts/prepare.py --download                           # fetch it from Kaggle first; run again to resume
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer.data import dataset, summary
from fer.data.faceset import SPLITS, UNKNOWN_ROW, DatasetError, FaceSet
from fer.data.votes import join_votes
from fer.emotions import CLASSES
from fer.weights import SUMMARY

ROOT = Path(__file__).parents[1]
KAGGLE_DATASET = "deadskull7/fer2013"  # the original fer2013.csv; FER+ votes refer to its rows
VOTES_NAME = "fer2013new.csv"
_SHOWN_BAD_ROWS = 5


class DownloadError(Exception):
    """The set cannot be downloaded; the message says why and what to do."""


class ProgressLine:
    """Shows progress on one line of standard error; silent if that is not a terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next_s = 0.0

    def __call__(self, done: int, total: int) -> None:
        now_s = time.monotonic()
        if self._shown and (now_s >= self._next_s or done == total):
            self._next_s = now_s + 0.1
            share = done / max(total, 1)
            bar = "█" * round(share * 30)
            print(f"\rReading  {bar:░<30} {share:4.0%}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "source",
        type=Path,
        nargs="?",
        help="file or folder with FER2013; its form is detected (default: ../shared/fer2013 where it exists)",
    )
    parser.add_argument(
        "--download",
        nargs="?",
        const=KAGGLE_DATASET,
        metavar="OWNER/NAME",
        help=f"fetch the set from Kaggle (default {KAGGLE_DATASET}; the image folders are msambare/fer2013)",
    )
    parser.add_argument("--votes", type=Path, help=f"{VOTES_NAME} of FER+ (default: where it lies by the source)")
    parser.add_argument("--data", type=Path, help="folder that receives the cache (default: FER_DATA, else data/)")
    parser.add_argument("--skip-bad-rows", action="store_true", help="leave out rows that cannot be used; count them")
    parser.add_argument("--summary", action="store_true", help="write the committed summary from the prepared set")
    options = parser.parse_args(arguments)
    if options.source and options.download:
        parser.error("give a source or --download, not both")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    folder = options.data or dataset.data_folder()
    try:
        if options.summary:
            return write_summary(folder)
        source = Path(download(options.download)) if options.download else options.source or default_source()
        prepare(source, options.votes, folder / dataset.CACHE_NAME, options.skip_bad_rows)
    except (DatasetError, DownloadError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nprepare: stopped; the prepared set is as it was", file=sys.stderr)
        return 130
    return 0


def prepare(source: Path, votes: Path | None, cache: Path, skip_bad_rows: bool) -> None:
    """Reads the set, reports its contents and writes the cache. Raises DatasetError."""
    print(f"Source   {source}", flush=True)
    skipped: list[str] = []
    faces = dataset.read(source, None, skip_bad_rows, ProgressLine(), skipped.append)
    for message in skipped[:_SHOWN_BAD_ROWS]:
        print(f"Left out {message}")
    if skipped:
        print(f"Left out {len(skipped):,} bad rows in all")
    if votes is None and (faces.rows != UNKNOWN_ROW).all():
        votes = find_votes(source)
    if votes:
        faces = join_votes(faces, votes)
    print(f"Votes    {votes or f'none; --votes {VOTES_NAME} adds those of FER+'}")
    print(table(faces))
    print(dataset.difference_from_original(faces) or "This is the original FER2013, class by class and split by split.")
    if words := dataset.lacking(faces):
        print(f"Missing  {words}")
    dataset.write_cache(faces, cache)
    print(f"Written  {cache} ({cache.stat().st_size / 1e6:.0f} MB)")


def table(faces: FaceSet) -> str:
    """Counts per split and class, as text."""
    counts = faces.counts()
    rows = [["", *CLASSES, "all"]]
    rows += [[name, *map(str, row), str(row.sum())] for name, row in zip(SPLITS, counts, strict=True)]
    return "\n".join(f"{row[0]:<12}" + "".join(f"{cell:>9}" for cell in row[1:]) for row in rows)


def default_source() -> Path:
    """The path of the set next to the repository. Raises DatasetError if there is none."""
    shared = ROOT.parent / "shared" / "fer2013"
    if shared.is_dir():
        return shared
    raise DatasetError("give the file or folder that has FER2013, or --download it; --help shows examples")


def find_votes(source: Path) -> Path | None:
    """The FER+ file near the source: in the same folder, or in ferplus/ next to it."""
    folder = source if source.is_dir() else source.parent
    candidates = [folder / VOTES_NAME, folder / "ferplus" / VOTES_NAME, folder.parent / "ferplus" / VOTES_NAME]
    return next((path for path in candidates if path.is_file()), None)


def download(name: str) -> str:
    """Downloads a Kaggle dataset into the cache of kagglehub, with its progress bar; returns the folder.

    kagglehub checks the archive's MD5 and resumes a partial download.
    Raises DownloadError.
    """
    try:
        import kagglehub
        import requests
        from kagglehub import exceptions
    except ImportError as error:
        raise DownloadError("--download needs kagglehub: pip install -r requirements.txt") from error
    by_hand = f"Or fetch kaggle.com/datasets/{name} with a browser and give the file: python scripts/prepare.py FILE."
    try:
        return str(kagglehub.dataset_download(name))
    except requests.exceptions.HTTPError as error:
        raise DownloadError(f"Kaggle refuses {name}: {' '.join(str(error).split())} {by_hand}") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(
            f"Kaggle cannot be reached, or the line broke ({type(error).__name__}). Check the network and run this "
            f"again: what has arrived is kept. {by_hand}"
        ) from error
    except (exceptions.DataCorruptionError, exceptions.BackendError) as error:
        raise DownloadError(f"what came from Kaggle is damaged ({error}); run this again. {by_hand}") from error
    except (ValueError, OSError) as error:  # an invalid name, or a full disk
        raise DownloadError(f"{name} cannot be downloaded ({error}). {by_hand}") from error


def write_summary(folder: Path) -> int:
    faces = dataset.open_faces(folder)
    if difference := dataset.difference_from_original(faces):
        raise DatasetError(f"{folder}: the summary is made of the original only. {difference}")
    summary.write_summary(summary.summarize(faces))
    print(f"Written  {SUMMARY}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
