"""Offers to fetch FER2013 or to use the user's copy; shown if the set is missing."""

import os
import subprocess
import sys
from pathlib import Path

import streamlit as st

from fer.data import dataset
from fer.data.dataset import CACHE_NAME
from fer.data.faceset import DatasetError
from webui.frame.layout import empty_state, show_error
from webui.parts.charts import percent

ROOT = Path(__file__).parents[2]
_LAST_LINES = 12


def offer() -> None:
    """Two ways to get the set if the operator allows them, else the command line: these buttons let visitors name
    files on the server and make it download."""
    empty_state(
        "🗂️",
        "The dataset is not on this computer",
        "What you see here comes with the app. With FER2013 (290 MB to fetch, 83 MB prepared) this page also "
        "shows every face.",
    )
    if not allowed():
        st.code("python scripts/prepare.py --download", language="bash", wrap_lines=True)
        st.caption(
            "Or `python scripts/prepare.py PATH` for a copy you already have. Fetching from this page is switched "
            "off; if only you use this app, `FER_ALLOW_FETCH=1` allows it."
        )
        return
    have, fetch = st.columns(2, gap="large")
    with have, st.form("dataset_have", border=True):
        st.markdown("**I have it**")
        source = st.text_input(
            "File or folder",
            help="fer2013.csv, icml_face_data.csv, a zip, the image folders, or Parquet. It is only read.",
        )
        votes = st.text_input("FER+ votes (fer2013new.csv), if you have them")
        if st.form_submit_button("Prepare it") and source:
            prepare(Path(source).expanduser(), Path(votes).expanduser() if votes else None)
    with fetch, st.container(border=True):
        st.markdown("**Fetch it from Kaggle**")
        st.caption("Runs `python scripts/prepare.py --download`. If the connection breaks, press again to continue.")
        if st.button("Fetch and prepare"):
            download()


def allowed() -> bool:
    """Whether the operator lets this page read files on the server and fetch the set: FER_ALLOW_FETCH=1."""
    return os.environ.get("FER_ALLOW_FETCH") == "1"


def prepare(source: Path, votes: Path | None) -> None:
    """Reads the user's copy with a progress bar, writes the cache, reruns the page."""
    bar = st.progress(0.0, "Reading")

    def progress(done: int, total: int) -> None:
        share = done / max(1, total)
        bar.progress(min(1.0, share), f"Reading {source.name}: {percent(share)}")

    try:
        found = dataset.read(source, votes, progress=progress)
        dataset.write_cache(found, dataset.data_folder() / CACHE_NAME)
    except (DatasetError, OSError) as error:
        bar.empty()
        show_error(error)
        return
    st.rerun()


def download() -> None:
    """Runs the fetching script as a separate process and shows its last lines meanwhile."""
    command = [sys.executable, str(ROOT / "scripts" / "prepare.py"), "--download"]
    lines: list[str] = []
    with st.status("Fetching FER2013 …", expanded=True) as status:
        place = st.empty()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:  # text mode also ends lines at \r, so progress bars arrive step by step
                    if line.strip():
                        lines.append(line.rstrip())
                        place.code("\n".join(lines[-_LAST_LINES:]), language=None, wrap_lines=True)
            except BaseException:  # Streamlit raises one when the visitor leaves the page
                process.terminate()
                raise
        if process.returncode:
            status.update(label="That did not work", state="error")
            return
    st.rerun()
