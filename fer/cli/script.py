"""`fer prepare`, `fer train`, `fer evaluate`: run the scripts of the same names, from a checkout or a wheel."""

import runpy
import sys
from collections.abc import Sequence

from fer.installed import DISTRIBUTION, InstallationError, app_folder

_EXTRA = "train"
_BRINGS = ("torch", "torchvision", "safetensors", "rich")


def main(arguments: Sequence[str]) -> int:
    """Runs scripts/NAME.py as a program. arguments: the name of the script, then the arguments for it."""
    name, *rest = arguments
    script = str(app_folder() / "scripts" / f"{name}.py")
    before = sys.argv
    sys.argv = [script, *rest]
    try:
        runpy.run_path(script, run_name="__main__")
    except ModuleNotFoundError as error:
        if error.name not in _BRINGS:
            raise
        needs = f"fer {name} needs the extra '{_EXTRA}'"
        raise InstallationError(f"{needs}: pip install '{DISTRIBUTION}[{_EXTRA}]'") from error
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    return 0
