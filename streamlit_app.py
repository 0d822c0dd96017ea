"""The app: `streamlit run streamlit_app.py`. Frame of every page; the pages are listed in webui/frame/navigation.py.

Streamlit's server imports this file once and finds `app`; then each visit runs it as __main__.
"""

import streamlit as st

from webui.frame import api, downloads
from webui.frame.layout import ABOUT, LOGO, apply_style
from webui.frame.memory import spare_the_collector
from webui.frame.navigation import PAGES, START
from webui.frame.notes import show_reading_note, show_weights_note
from webui.frame.privacy import keep_uploads_in_memory
from webui.frame.session import session
from webui.view.video_limits import let_videos_through


def visit() -> None:
    spare_the_collector()
    keep_uploads_in_memory()
    st.set_page_config(page_icon=LOGO, layout="wide", menu_items={"About": ABOUT})
    st.logo(LOGO, size="large")
    apply_style()

    page = st.navigation(
        [st.Page(entry.file, title=entry.title, icon=entry.icon, default=entry is START) for entry in PAGES]
    )
    session().enter(page.url_path)
    show_weights_note()
    show_reading_note()
    page.run()


if __name__ == "__main__":
    visit()
else:
    let_videos_through()
    app = st.App(__file__, routes=[*api.routes(), *downloads.routes()], lifespan=api.lifespan)
