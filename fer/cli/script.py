"""fer prepare, fer train, fer evaluate: the scripts of the same names, from a checkout or from a wheel."""

import importlib.util
import runpy
import sys
from collections.abc import Sequence

from fer.installed import DISTRIBUTION, InstallationError, app_folder

_NEEDS_TORCH = ("train", "evaluate")


def main(arguments: Sequence[str]) -> int:
    """Runs scripts/NAME.py as a program. arguments: the script's name, then its own arguments."""
    name, *rest = arguments
    if name in _NEEDS_TORCH and importlib.util.find_spec("torch") is None:
        raise InstallationError(f"fer {name} needs the extra 'train': pip install '{DISTRIBUTION}[train]'")
    script = str(app_folder() / "scripts" / f"{name}.py")
    before = sys.argv
    sys.argv = [script, *rest]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0
