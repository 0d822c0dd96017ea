"""Where the app's pages and the commands' scripts are: beside the package in a checkout, inside it in a wheel.

Standard library only.
"""

from importlib.metadata import packages_distributions
from pathlib import Path

DISTRIBUTION = "fer-app"
_PACKAGE = Path(__file__).parent
_IN_WHEEL = _PACKAGE / "_app"


class InstallationError(Exception):
    """The installation cannot work as it is; the message says how to repair it."""


def app_folder() -> Path:
    """The folder that contains streamlit_app.py, pages/, webui/ and scripts/."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parent


def check_name() -> None:
    """Raises InstallationError if another package has been installed over this one.

    The package `fer` on PyPI has the same import name; pip overwrites the files of one with those of the other
    without a warning.
    """
    if not _IN_WHEEL.is_dir():
        return  # a checkout: pip does not write into it
    others = sorted(set(packages_distributions().get("fer", [])) - {DISTRIBUTION})
    if others:
        raise InstallationError(
            f"the package {', '.join(others)} is installed here as well and has the same import name, so their files "
            f"overwrite each other. Repair it: pip uninstall {' '.join(others)} {DISTRIBUTION}, then install "
            f"{DISTRIBUTION} again, or give each an environment of its own."
        )
