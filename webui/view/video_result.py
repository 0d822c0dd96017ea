"""A video's result: the player, the figures, the downloads."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import streamlit as st

from fer.card import ModelCard
from fer.see.timeline import label_spans
from fer.see.videotable import Seen, summary, to_csv, to_parquet, to_shares, to_webvtt
from webui.frame import weights
from webui.frame.layout import LIMITS, empty_state, plain, refused
from webui.frame.session import KEPT, session, widget
from webui.parts.charts import clock, percent
from webui.parts.controls import download
from webui.view import videos
from webui.view.player import acted, packed, player
from webui.view.watched import Making, Watched

if TYPE_CHECKING:
    from fer.see.videodraw import CopySettings

PLAYER = "video_player"
SHOW_EVERY_S = 0.5
MOST_SPANS = 2000
MOST_OFFERS = 3


@st.fragment
def show_result(video: Watched) -> None:
    """The player and everything below it; a click in it redraws only this part of the page."""
    st.header(plain(video.name), anchor=False)
    st.caption(videos.about(video.reading))
    if video.reading.trouble:
        st.warning(video.reading.trouble, icon=":material/warning:")
    player(film(video), PLAYER, do_act)
    if video.playable and not video.playable.done:
        show_making(video.playable, "Making a copy that this browser plays")
    if not video.reading.portraits:
        empty_state(
            "🔍",
            "No face found",
            "Faces should look at the camera, be upright and well lit, and be at least 24 pixels wide.",
        )
    else:
        ask_who_is_who(video)
        show_figures(video)
    show_files(video)
    st.caption(LIMITS)


def do_act() -> None:
    """Applies the visitor's action in the player; called by Streamlit before the next run."""
    if (queue := session().videos) and queue.shown:
        queue.shown.act(acted(PLAYER))


def film(video: Watched) -> dict[str, Any]:
    """What the player shows; times in seconds, boxes in pixels of `size`.

    start, end: what was read. part: what the figures follow; None is all of it. hidden: how many people are hidden.
    seek: a position to jump to, once.
    """
    reading, seen = video.reading, video.seen()
    rows = ((widget("video_spans") or {}).get("selection") or {}).get("rows") or []
    spans = stretches(video.seen_part())
    return {
        "url": video.address,
        "size": reading.file.frame_size,
        "start": round(min(reading.start_s, reading.reached_s), 3),
        "end": round(max(reading.end_s, 0.1), 3),
        "looks": packed(seen.samples),
        "people": [{"id": i, "name": seen.people.name(i), "portrait": portrait(video, i)} for i in identities(seen)],
        "marks": [[mark.start_s, mark.end_s, mark.note] for mark in video.marks],
        "part": video.part,
        "hidden": len(seen.people.hidden),
        "seek": spans[rows[0]]["_start_s"] if rows and rows[0] < len(spans) else None,
    }


def portrait(video: Watched, identity: int) -> str:
    """The picture of a person as a data URL; '' if there is none."""
    picture = video.portrait(identity)
    return "" if picture is None else videos.jpeg_url(picture, 64)


def stretches(seen: Seen) -> list[dict[str, object]]:
    """Each span of one label: from, to, person, expression, seconds; in order of time."""
    found: list[dict[str, object]] = [
        {
            "from": clock(start_s, tenths=True),
            "to": clock(end_s, tenths=True),
            "person": seen.people.name(identity),
            "expression": label,
            "seconds": round(end_s - start_s, 1),
            "_start_s": start_s,
        }
        for identity, spans in label_spans(seen.samples, seen.end_s).items()
        for start_s, end_s, label in spans
    ]
    return sorted(found, key=lambda row: float(str(row["_start_s"])))[:MOST_SPANS]


def ask_who_is_who(video: Watched) -> None:
    """Offers to merge two people who may be the same: only the first few, so that a crowd does not fill the page."""
    for identity, earlier in video.same_again()[:MOST_OFFERS]:
        name, before = (plain(video.people.name(who)) for who in (identity, earlier))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{name}** appears after **{before}** has left. The same person?", width="content")
            st.button("The same", key=f"video_same_{identity}", on_click=video.act,
                      args=({"do": "merge", "id": identity, "into": earlier},))  # fmt: skip
            st.button("Two people", key=f"video_two_{identity}", on_click=video.others.add, args=((identity, earlier),))


def show_figures(video: Watched) -> None:
    """Each person's shares of time, and every span; both for the selected part."""
    seen = video.seen_part()
    where = "" if video.part is None else f", {clock(video.part[0], True)} to {clock(video.part[1], True)}"
    st.subheader(f"Share of the time seen{where}", anchor=False)
    st.dataframe(summary(seen), hide_index=True)
    with st.expander("Every stretch of one expression"):
        st.caption("Tick a row to see it.")
        rows = [{name: value for name, value in row.items() if name != "_start_s"} for row in stretches(seen)]
        st.dataframe(rows, hide_index=True, key="video_spans", on_select="rerun", selection_mode="single-row")


def show_files(video: Watched) -> None:
    """The downloads; all for the part selected when they are requested."""

    def take(words: str, make: Callable[[], bytes], ending: str, kind: str, icon: str, hint: str) -> None:
        name = videos.file_name(video.name, ending)
        download(words, make, name, kind, icon, help=hint, key=f"video_take_{ending}")

    card, seen = weights.in_use().card, video.seen_part
    with st.container(horizontal=True, gap="small"):
        if video.reading.portraits:
            take("CSV", lambda: to_csv([seen()]), "faces.csv", "text/csv", "table",
                 "Every look at every face: times, name, box, probabilities and marks.")  # fmt: skip
            take("Parquet", lambda: to_parquet([seen()]), "faces.parquet", "application/vnd.apache.parquet",
                 "database", "The same table with its types.")  # fmt: skip
            take("Shares", lambda: to_shares([seen()]), "shares.csv", "text/csv", "percent",
                 "Each person's shares of the time, overall and in each marked stretch, as CSV.")  # fmt: skip
            take("Subtitles", lambda: to_webvtt(seen()), "labels.vtt", "text/vtt", "subtitles",
                 "The labels as WebVTT, for any player.")  # fmt: skip
            take("Report", lambda: make_report(video, card), "report.html", "text/html", "article",
                 "One HTML file that opens anywhere, even offline.")  # fmt: skip
        offer_copy(video)


def make_report(video: Watched, card: ModelCard) -> bytes:
    from fer.see.report_html import Settings, key_moments, pictured, report

    seen, judged_by = video.seen_part(), video.judged_by
    looks = "the fast way, " if video.read_by.fast else ""
    words = Settings(
        f"Faces were looked for by {video.read_by.detector}, {looks}{len(seen.samples)} times.",
        f"Labels are smoothed over {judged_by.smoothing_s:g} s and 'unsure' below {percent(judged_by.unsure_below)}.",
        f"Weights: {card.name}, {card.architecture}.",
        tuple(text for text in (card.training_data, card.protocol) if text),
    )
    portraits = {i: picture for i in identities(seen) if (picture := video.portrait(i)) is not None}
    return report(seen, words, portraits, pictured(key_moments(seen), video.chosen[2])).encode()


def identities(seen: Seen) -> list[int]:
    return sorted({face.identity for sample in seen.samples for face in sample.predictions})


COPY_BOXES, COPY_BLUR_ALL, COPY_BLUR = "video_copy_boxes", "video_copy_blur_all", "video_copy_blur"


def offer_copy(video: Watched) -> None:
    """The MP4 with boxes, blurred faces, or both; made only on request."""
    seen = video.seen_part()
    with st.popover("MP4", icon=":material/movie:", help="The video with boxes and labels, or with blurred faces."):
        st.toggle("Boxes and labels", True, key=COPY_BOXES, persist_state=KEPT)
        names = {i: seen.people.name(i) for i in identities(seen)}
        if not st.toggle("Blur all faces", key=COPY_BLUR_ALL, persist_state=KEPT):
            st.multiselect("Blur", list(names), format_func=lambda i: names.get(i, str(i)), key=COPY_BLUR,
                           persist_state=KEPT)  # fmt: skip
        made = video.made.get(copy_asked(video))
        if made is None:
            st.button("Make MP4", icon=":material/movie:", key="video_make", on_click=make_copy, args=(video,))
        elif not made.done:
            show_making(made, "Writing the MP4")
        elif made.error:
            refused("The MP4 cannot be written", str(made.error))
        else:
            name = videos.file_name(video.name, "annotated.mp4")
            download("Save MP4", made.content, name, "video/mp4", "download", type="primary")


def copy_settings(video: Watched) -> "CopySettings":
    """By the controls' current values: a second click may come before the page is redrawn."""
    from fer.see.videodraw import CopySettings

    start_s, end_s = video.part or (0.0, None)
    blurred = None if widget(COPY_BLUR_ALL) else tuple(widget(COPY_BLUR) or ())
    return CopySettings(bool(widget(COPY_BOXES)), blurred, start_s, end_s)


def copy_asked(video: Watched) -> Hashable:
    """The settings that a copy depends on."""
    return repr((copy_settings(video), video.judged_by, video.people))


def make_copy(video: Watched) -> None:
    """Starts writing the MP4 of the selected part."""
    from fer.see.videodraw import write_copy

    how, seen = copy_settings(video), video.seen_part()
    video.made[copy_asked(video)] = Making(
        lambda tell: write_copy(video.chosen[2], seen.samples, how, progress=tell)[0]
    )


@st.fragment(run_every=SHOW_EVERY_S)
def show_making(made: Making, words: str) -> None:
    if made.done:
        st.rerun()
    st.progress(made.share, words)
