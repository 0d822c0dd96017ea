"""For more photos than a page takes: the command that reads them, and its finished result as a table."""

from collections import Counter

import streamlit as st

from fer.batch.review import FINE, NO_FACE, SOME_UNSURE, UNREAD, FileSeen, ReviewError, review
from webui.frame.layout import refused

COMMAND = "fer batch FOLDER --out RESULT --csv"
MAX_RESULT_MB = 100
_IN_WORDS = {UNREAD: "cannot be read", NO_FACE: "without a face", SOME_UNSURE: "with an unsure face"}


def show_folder_help(most_photos: int) -> None:
    """How to read a folder of any size, and a place to open the result."""
    label = f"More than {most_photos} photos, or a whole folder"
    more = st.expander(label, icon=":material/folder_open:", key="photo_folder", on_change="rerun")
    if not more.open:
        return
    with more:
        st.markdown(
            "The command line reads folders, lists and zips of any size on all cores, and resumes after a stop:"
        )
        st.code(COMMAND, language="sh", wrap_lines=True)
        files = st.file_uploader(
            "Open a finished result",
            ["parquet", "csv"],
            accept_multiple_files=True,
            max_upload_size=MAX_RESULT_MB,
            key="photo_results",
            help="RESULT/faces.csv, or parts from RESULT/faces.",
        )
        if files:
            try:
                show_files(review([file.getvalue() for file in files]))
            except ReviewError as error:
                refused("This is no result of a batch", str(error))


def show_files(files: list[FileSeen]) -> None:
    """A row per file, those that need attention first."""
    counts = Counter(file.why for file in files)
    wrong = [f"{counts[why]:,} {words}" for why, words in _IN_WORDS.items() if counts[why]]
    st.markdown(f"**{len(files):,} files:** {', '.join(wrong) or 'nothing to look at'}.")
    table: dict[str, list[str] | list[int]] = {
        "needs a look": [file.why for file in files],
        "file": [file.source for file in files],
        "faces": [file.faces for file in files],
        "expressions": [file.expressions for file in files],
        "reason": [file.reason for file in files],
    }
    if counts[FINE] == len(files):
        del table["needs a look"]
    if not any(table["reason"]):
        del table["reason"]
    st.dataframe(table, hide_index=True, height="content" if len(files) <= 10 else 390)
