"""`fer video`: says who shows which expression when in videos: tables, subtitles, an annotated copy, a report."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fer.cli import complain
from fer.cli.photo import number
from fer.files import replacing, write_whole

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer
    from fer.see.video import VideoReading
    from fer.see.videotable import Seen

STOPPED = 130
_BAR = 24
_NOTE = (
    "Of several videos --csv, --parquet and --shares make one table; --annotate, --report and --vtt then name a folder."
)


def main(arguments: Sequence[str]) -> int:
    """Reads the videos named by the arguments and returns an exit status as defined in fer.cli."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.blur and not options.annotate:
        parser.error("--blur goes with --annotate")
    if options.end is not None and options.end <= options.start:
        parser.error(f"--end must come after --start, got {options.start:g} to {options.end:g} s")
    return _run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer video", description="Says who shows which expression when in a video.", epilog=_NOTE
    )
    parser.add_argument("videos", metavar="FILE", nargs="+", type=Path, help="MP4, MOV, WebM, MKV, AVI, MPEG, …")
    parser.add_argument("--csv", metavar="OUT", type=Path, help="a row for each face of each look")
    parser.add_argument("--parquet", metavar="OUT", type=Path, help="the same as Parquet")
    parser.add_argument("--shares", metavar="OUT", type=Path, help="shares of the time of each person, CSV")
    parser.add_argument("--vtt", metavar="OUT", type=Path, help="the labels as subtitles, WebVTT")
    parser.add_argument("--annotate", metavar="OUT", type=Path, help="the video with boxes and labels, MP4")
    parser.add_argument("--blur", action="store_true", help="make all faces of --annotate unrecognisable")
    parser.add_argument("--report", metavar="OUT", type=Path, help="one HTML file that opens anywhere")
    parser.add_argument("--start", metavar="S", type=_seconds, default=0.0, help="begin at this second")
    parser.add_argument("--end", metavar="S", type=_seconds, help="end at this second")
    parser.add_argument("--every", metavar="S", type=_interval, help="seconds between looks; default: 0.1, --fast 0.2")
    parser.add_argument("--fast", action="store_true", help="look only at pictures that others refer to")
    parser.add_argument("--unsure-below", metavar="P", type=number, help="say 'unsure' below this, 0..1")
    parser.add_argument("--smoothing", metavar="S", type=_seconds, help="average over so many seconds; default: 0.2")
    parser.add_argument("--detector", choices=("yunet", "haar"), default="yunet", help="default: yunet")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="another .onnx file of scripts/train.py")
    return parser


def _seconds(text: str) -> float:
    return number(text, "seconds, 0 or more", sys.float_info.max)


def _interval(text: str) -> float:
    value = _seconds(text)
    if value < 0.01:
        raise argparse.ArgumentTypeError(f"expected at least 0.01 seconds, got {text!r}")
    return value


def _run(options: argparse.Namespace) -> int:
    from fer.card import WeightsError
    from fer.see.detect import DetectorError
    from fer.see.judge import JudgeSettings
    from fer.see.recognize import Recognizer
    from fer.see.videofile import VideoError
    from fer.see.videotable import Seen, to_csv, to_parquet, to_shares

    try:
        recognizer = Recognizer(options.weights, options.detector, threads=1)
    except (WeightsError, DetectorError, OSError) as error:
        return complain(str(error))
    smoothing = {} if options.smoothing is None else {"smoothing_s": options.smoothing}
    judged_by = JudgeSettings(recognizer.threshold(options.unsure_below), **smoothing)
    done: list[Seen] = []
    status = 0
    for video in options.videos:
        try:
            reading, whole = _read(video, recognizer, options)
            seen = Seen(video.name, reading.samples(judged_by), reading.end_s, scale=reading.file.scale)
            done.append(seen)
            _tell(video, reading, seen)
            if whole:
                _write_beside(video, seen, reading, options)
        except (VideoError, OSError) as error:
            status = complain(f"{video}: {error}")
            continue
        except KeyboardInterrupt:  # while writing a copy or a report: the readings so far are kept
            whole = False
        if not whole:
            status = STOPPED
            break
    for path, made in ((options.csv, to_csv), (options.parquet, to_parquet), (options.shares, to_shares)):
        if path is not None:
            try:
                write_whole(path, made(done))
            except OSError as error:
                status = complain(f"{path}: {error.strerror or error}")
    return status


def _read(video: Path, recognizer: "Recognizer", options: argparse.Namespace) -> "tuple[VideoReading, bool]":
    """The reading, and whether it is complete: Ctrl-C ends it early and keeps the looks so far. Raises VideoError."""
    from fer.see.video import VideoReading

    looks_per_s = 1 / options.every if options.every else None
    observe = partial(recognizer.observe, thorough=False)
    reading = VideoReading(video, observe, looks_per_s, options.fast, options.start, options.end)
    whole, show = True, _progress(video.name)
    steps = reading.steps()
    try:
        for share in steps:
            show(share)
    except KeyboardInterrupt:
        whole = False
    finally:
        steps.close()
        show(None)
    return reading, whole


def _tell(video: Path, reading: "VideoReading", seen: "Seen") -> None:
    from fer.see.videotable import summary

    if reading.trouble:
        complain(f"{video}: {reading.trouble}")
    people = summary(seen)
    print(f"{video}: {len(people) or 'no'} {'person' if len(people) == 1 else 'people'}, {len(seen.samples)} looks")
    for row in people:
        shares = {name: str(share).replace("\N{NO-BREAK SPACE}", " ") for name, share in list(row.items())[3:]}
        said = ", ".join(f"{name} {share}" for name, share in shares.items() if share not in ("0 %", "0%"))
        print(f"  {row['person']}: seen {row['seen']}; {said}")
    sys.stdout.flush()


def _write_beside(video: Path, seen: "Seen", reading: "VideoReading", options: argparse.Namespace) -> None:
    """Writes the files that belong to a single video. Raises VideoError, OSError."""
    from fer.see.videodraw import CopySettings, write_copy
    from fer.see.videotable import to_webvtt

    def target(path: Path, ending: str) -> Path:
        return path / f"{video.stem}{ending}" if len(options.videos) > 1 else path

    if options.vtt:
        write_whole(target(options.vtt, ".vtt"), to_webvtt(seen))
    if options.report:
        write_whole(target(options.report, ".html"), _report(video, seen, reading, options).encode())
    if options.annotate:
        show = _progress(f"writing {video.name}")
        settings = CopySettings(True, None if options.blur else (), options.start, options.end)
        with replacing(target(options.annotate, ".expressions.mp4")) as path, open(path, "wb") as into:
            write_copy(video, seen.samples, settings, into, show)
        show(None)


def _report(video: Path, seen: "Seen", reading: "VideoReading", options: argparse.Namespace) -> str:
    from fer.see.report_html import Settings, key_moments, pictured, report

    smoothing = "the usual" if options.smoothing is None else f"{options.smoothing:g} s of"
    settings = Settings(
        f"Faces were looked for by {options.detector}, {len(seen.samples)} times.",
        f"Labels: {smoothing} smoothing; 'unsure' below "
        + ("the model card's threshold." if options.unsure_below is None else f"{options.unsure_below:.0%}."),
        f"Weights: {options.weights or 'those that ship'}.",
    )
    return report(seen, settings, reading.portraits, pictured(key_moments(seen), video))


def _progress(what: str) -> Callable[[float | None], None]:
    """A function that shows a share, 0..1, as a bar on a terminal; None clears the line."""
    shown = -1

    def show(share: float | None) -> None:
        nonlocal shown
        if not sys.stderr.isatty():
            return
        if share is None:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        elif (percent := int(100 * share)) != shown:
            shown = percent
            bar = "█" * round(_BAR * share)
            print(f"\r{bar:·<{_BAR}} {percent:3d} % {what[:40]}", end="", file=sys.stderr, flush=True)

    return show
