"""`fer photo`: names the expression of every face in photos."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fer.cli import complain
from fer.files import write_whole

if TYPE_CHECKING:
    from fer.see.faces import Prediction
    from fer.see.recognize import Recognizer
    from fer.see.report import Row

_SUFFIX = ".expressions.png"


def main(arguments: Sequence[str]) -> int:
    """Reads the photos named by the arguments and returns an exit status as defined in fer.cli."""
    options = _parser().parse_args(arguments)
    # Imported here, so that --help and invalid options respond at once.
    from fer.card import WeightsError
    from fer.see.detect import DetectorError
    from fer.see.images import ImageError
    from fer.see.recognize import Recognizer
    from fer.see.report import photo_rows, to_csv, to_json

    try:
        recognizer = Recognizer(options.weights, options.detector)
        targets = _targets(options.photos, options.annotate) if options.annotate else [None] * len(options.photos)
    except (WeightsError, DetectorError, OSError) as error:
        return complain(str(error))
    table: list[Row] = []
    status = 0
    for photo, target in zip(options.photos, targets, strict=True):
        try:
            found, turn_deg = _recognize(recognizer, photo, options.unsure_below, target)
        except (ImageError, OSError) as error:
            status = complain(str(error))
            continue
        table += photo_rows(found, str(photo), turn_deg)
        if not (options.json or options.csv):
            print(_lines(photo, found), flush=True)
    if options.json or options.csv:
        sys.stdout.write(to_json(table) if options.json else to_csv(table))
        sys.stdout.flush()
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fer photo", description="Says what expression each face in a photo shows.")
    parser.add_argument("photos", metavar="PHOTO", nargs="+", type=Path, help="JPEG, PNG, WebP, AVIF, HEIC, …")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON array, one object per face")
    form.add_argument("--csv", action="store_true", help="print CSV, one line per face (columns: fer/see/report.py)")
    parser.add_argument("--detector", choices=("yunet", "haar"), default="yunet", help="default: yunet")
    parser.add_argument("--annotate", metavar="DIR", type=Path, help="write each photo with boxes and labels there")
    parser.add_argument("--unsure-below", metavar="P", type=number, help="say 'unsure' below this confidence, 0..1")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="another .onnx file of scripts/train.py")
    return parser


def number(text: str, expected: str = "a number in 0..1", most: float = 1.0) -> float:
    """The value of an option, 0..most. Raises ArgumentTypeError, which says what was expected, for anything else."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def _recognize(
    recognizer: "Recognizer", photo: Path, unsure_below: float | None, target: Path | None
) -> "tuple[list[Prediction], int]":
    """The predictions for the faces, and by how many degrees the photo apparently needs to be turned."""
    from fer.see.faces import scaled
    from fer.see.images import open_picture
    from fer.see.notes import notes

    picture = open_picture(photo)
    predictions = recognizer.predict(picture.image, unsure_below)
    turn_deg = recognizer.suggest_turn(picture.image, [seen.face for seen in predictions])
    for note in notes(picture.first, turn_deg, len(predictions)):
        print(f"fer: {photo}: {note}", file=sys.stderr)
    if target is not None:
        import cv2

        from fer.see.draw import annotate

        drawn = cv2.cvtColor(annotate(picture.image, predictions), cv2.COLOR_RGB2BGR)
        write_whole(target, cv2.imencode(".png", drawn)[1].tobytes(), durable=False)
    return scaled(predictions, picture.scale), turn_deg


def _lines(photo: Path, found: "list[Prediction]") -> str:
    """The faces of a photo as text: one line per face, the most prominent first."""
    from fer.see.caption import caption

    if not found:
        return f"{photo}: no face found"
    faces = []
    for seen in found:
        left, top, right, bottom = (round(edge) for edge in seen.face.box)
        words = caption(seen).replace("\N{NO-BREAK SPACE}", " ")
        faces.append(f"  {seen.identity:>3}  {words:<24} at {left},{top} to {right},{bottom}")
    return "\n".join([f"{photo}: {len(found)} face{'s' * (len(found) > 1)}", *faces])


def _targets(photos: Sequence[Path], folder: Path) -> list[Path | None]:
    """A path in `folder` for each photo; none overwrites an input and no two are equal. Creates the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = {photo.resolve() for photo in photos}
    targets: list[Path | None] = []
    for photo in photos:
        number, target = 1, folder / f"{photo.stem}{_SUFFIX}"
        while target.resolve() in taken:
            number += 1
            target = folder / f"{photo.stem}-{number}{_SUFFIX}"
        taken.add(target.resolve())
        targets.append(target)
    return targets
