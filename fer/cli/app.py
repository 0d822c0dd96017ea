"""`fer app`: starts the pages in the browser, from a checkout or from the installed package."""

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from fer.installed import DISTRIBUTION, InstallationError, app_folder


def main(arguments: Sequence[str]) -> int:
    """Runs Streamlit's server until it is stopped. Unknown options are passed to Streamlit.

    Streamlit reads .streamlit/config.toml next to the script, so an app from a wheel has the same security settings as
    one from a checkout. data/ and runs/ are in the current directory.
    """
    parser = argparse.ArgumentParser(
        prog="fer app",
        description="Starts the app at http://localhost:8501. Options are Streamlit's, such as --server.port 8600.",
    )
    _, streamlit_options = parser.parse_known_args(arguments)
    if importlib.util.find_spec("streamlit") is None:
        raise InstallationError(f"the pages need the extra 'app': pip install '{DISTRIBUTION}[app]'")
    command = [sys.executable, "-m", "streamlit", "run", str(app_folder() / "streamlit_app.py"), *streamlit_options]
    with subprocess.Popen(command) as server:  # a separate process, so that the package never loads Streamlit
        while True:
            with suppress(KeyboardInterrupt):  # the terminal also sends it to the server, which then stops
                return server.wait()
