"""`fer export-web`: writes the live camera and photo pages as a folder that any web server can serve."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fer.cli import complain


def main(arguments: Sequence[str]) -> int:
    """Writes the folder and returns an exit status as defined in fer.cli."""
    parser = argparse.ArgumentParser(
        prog="fer export-web",
        description="Writes the live camera and the photo page as a folder of files: browsers read faces by "
        "themselves, no Python runs on the server, and once loaded it works offline. "
        "Try it with: python -m http.server --directory DIR",
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="new, empty, or an earlier export")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="another .onnx file of scripts/train.py")
    options = parser.parse_args(arguments)
    from fer.card import WeightsError
    from fer.see.detect import DetectorError
    from fer.web.export import FolderError, export

    try:
        files = export(options.folder, options.weights)
    except (FolderError, WeightsError, DetectorError, OSError) as error:
        return complain(str(error))
    size_mb = sum(file.stat().st_size for file in files) / 1e6
    print(f"{options.folder}: {len(files)} files, {size_mb:.1f} MB. Cameras need https, or localhost.")
    return 0
