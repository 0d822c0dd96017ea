"""Photo page: photos in, the expression on every face out."""

import time
from functools import partial

import streamlit as st

from fer.card import ModelCard
from fer.see.formats import LIMITS_IN_WORDS
from fer.see.notes import TURNS, notes
from fer.web.page import MOST_PHOTOS
from fer.weights import SAMPLE
from webui.frame import resources, weights
from webui.frame.downloads import Offer, download_link
from webui.frame.layout import LIMITS, PRIVATE, empty_state, page_head, plain, refused
from webui.frame.session import KEPT, session, set_widget, widget
from webui.parts.controls import download, one_of
from webui.view import device, photos, results, settings
from webui.view.photos import Photo, Reading
from webui.view.why import why

SERVER, DEVICE = "By the app", "On this device"
PRIVATE_DEVICE = (
    "The photos stay in this browser: faces are found and read here, nothing is sent and nothing is stored."
)
MAX_PHOTO_MB = 64
SOURCES = {"camera": ":material/photo_camera: Take one with the camera", "sample": ":material/image: Use the sample"}
PHOTOS_A_SCREEN = 6
SLOW_S = 0.3  # a progress bar that only flashes is worse than none


def choose_photos() -> list[Photo]:
    """The drop zone, the camera and the sample; returns the visitor's photos, in that order."""
    files = st.file_uploader(
        "Drop photos here, or choose them",
        accept_multiple_files=True,
        max_upload_size=MAX_PHOTO_MB,
        key="photo_uploads",
        on_change=leave_sample,
        help=f"{LIMITS_IN_WORDS}, whatever the file's extension. Up to {MOST_PHOTOS} photos of {MAX_PHOTO_MB} MB.",
    )
    sources = st.pills(
        "No photo at hand?",
        list(SOURCES),
        selection_mode="multi",
        format_func=SOURCES.__getitem__,
        default=[source for source in SOURCES if source == st.query_params.get("from")],
        key="photo_sources",
        persist_state=KEPT,
    )
    given = [Photo(file.name, file.getvalue()) for file in files]
    if "camera" in sources and (shot := st.camera_input("Take a photo", key="photo_shot")):
        given.append(Photo("camera.jpg", shot.getvalue()))
    chosen = [*kept_photos(given), *given]
    results.show_folder_help(MOST_PHOTOS)
    if len(chosen) > MOST_PHOTOS:
        st.warning(
            f"{len(chosen)} photos are more than {MOST_PHOTOS}: only the first {MOST_PHOTOS} are read. "
            f"`{results.COMMAND}` reads them all."
        )
        chosen = chosen[:MOST_PHOTOS]
    if "sample" in sources:
        chosen.append(Photo(SAMPLE.name, SAMPLE.read_bytes()))
    return chosen


def leave_sample() -> None:
    """The visitor's own photos replace the sample."""
    set_widget("photo_sources", [source for source in widget("photo_sources") or [] if source != "sample"])


def kept_photos(given: list[Photo]) -> list[Photo]:
    """Photos of earlier visits to this page, with a button to discard them. given: those now in the widgets.

    Streamlit empties the drop zone and the camera while another page is shown.
    """
    mine = session().photo
    if mine.visit != session().visit:
        mine.visit = session().visit
        keep_photos()
    mine.given = given
    if mine.earlier:
        with st.container(horizontal=True, vertical_alignment="center"):
            names = ", ".join(plain(photo.name) for photo in mine.earlier)
            st.markdown(f"Still here from before: {names}", width="content")
            st.button("Remove", icon=":material/close:", key="photo_forget", on_click=mine.earlier.clear)
    return mine.earlier


def read_all(chosen: list[Photo], asked: settings.ViewSettings) -> list[tuple[Photo, Reading]]:
    """Reads every photo with a progress bar; a refused photo gets a message, and the others are still read."""
    from fer.see.images import ImageError

    place, start_s, readings = st.empty(), time.monotonic(), []
    for number, photo in enumerate(chosen):
        if time.monotonic() - start_s > SLOW_S:
            place.progress(number / len(chosen), f"Reading photo {number + 1} of {len(chosen)}")
        try:
            found = resources.reading(photo, asked.detector, turn_of(photo), asked.judge.both_ways)
            readings.append((photo, found))
        except ImageError as error:
            refused(f"{photo.name} cannot be read", str(error))
    place.empty()
    return readings


def turn_of(photo: Photo) -> int:
    """How far the visitor turned this photo, degrees counter-clockwise."""
    return session().photo.turns_deg.get(photo.digest, 0)


def turn(photo: Photo, further_deg: int) -> None:
    session().photo.turns_deg[photo.digest] = (turn_of(photo) + further_deg) % 360


def show_summary(readings: list[tuple[Photo, Reading]], threshold: float) -> None:
    """A table of several photos with downloads of all."""
    rows = photos.summary(readings, threshold)
    faces = sum(len(reading.observations) for _, reading in readings)
    st.header(f"{len(rows)} photos, {faces} face{'' if faces == 1 else 's'}", anchor=False)
    st.dataframe(rows, hide_index=True, height="content" if len(rows) <= 10 else 390)
    with st.container(horizontal=True):
        show_table_downloads(readings, threshold)
        # One offer per session, so that its address stays valid between runs of this page.
        archive = session().photo.archive or Offer("annotated.zip", "application/zip")
        archive.make = lambda: photos.annotated_zip(readings, threshold)
        session().photo.archive = archive
        download_link("All annotated photos", "folder_zip", archive)


def show_table_downloads(readings: list[tuple[Photo, Reading]], threshold: float) -> None:
    """CSV and JSON of every face in these photos."""
    csv, json = photos.tables(readings, threshold)
    download("CSV", csv, "faces.csv", "text/csv", "table")
    download("JSON", json, "faces.json", "application/json", "data_object")


def show_photo(photo: Photo, reading: Reading, threshold: float, key: str, alone: bool) -> None:
    """One photo with its boxes, and a card for each face. key: unique for each copy of the same photo."""
    count = len(reading.observations)
    turned = f" · turned by {TURNS[reading.turn_deg]}" if reading.turn_deg else ""
    st.header(plain(photo.name), anchor=False)
    halved = ", read at half its sides" if reading.scale > 1 else ""
    width, height = (round(side * reading.scale) for side in (reading.width_px, reading.height_px))
    st.caption(f"{width} × {height} px{halved} · {count} face{'' if count == 1 else 's'}{turned}")
    for note in notes(reading.first, 0, count):
        st.caption(note)
    # One or two faces fit beside the photo; more go below it in a grid.
    picture, beside = st.columns([11, 9], gap="medium") if count <= 2 else (st.container(), st.container())
    picture.container(key=f"photo_shown_{key}").image(
        photos.annotated_preview(reading, threshold),
        output_format="JPEG",
        alt=f"{photo.name}: {photos.label_counts(reading.judged(threshold)) or 'no face found'}",
    )
    with beside:
        if reading.suggested_deg:
            offer_turn(photo, reading, key)
        if count:
            st.html(photos.face_cards(reading, threshold))
            why(reading.crops, weights.in_use(), key)
        elif not reading.suggested_deg:
            empty_state(
                "🔍",
                "No face found",
                "Faces should look at the camera, be upright and well lit, and be at least 24 pixels wide. "
                "Try a closer or brighter photo, or turn it.",
            )
        show_actions(photo, reading, threshold, key, alone)


def show_actions(photo: Photo, reading: Reading, threshold: float, key: str, alone: bool) -> None:
    """A photo's downloads, and the button that turns it."""
    with st.container(horizontal=True, gap="small"):
        if reading.observations:
            download(
                "PNG",
                lambda: photos.annotated_png(photo, reading, threshold),
                photos.png_name(photo),
                "image/png",
                "image",
                key=f"photo_png_{key}",
                help="The photo in full size with its boxes and labels.",
            )
            if alone:
                show_table_downloads([(photo, reading)], threshold)
        st.button(
            "Turn",
            icon=":material/rotate_left:",
            key=f"photo_turn_left_{key}",
            on_click=turn,
            args=(photo, 90),
            help="By 90° to the left. The photo is read again.",
        )


def offer_turn(photo: Photo, reading: Reading, key: str) -> None:
    """A warning if the recognizer finds the photo turned."""
    (words,) = notes(None, turn_deg=reading.suggested_deg, faces=len(reading.observations))
    st.info(words, icon=":material/screen_rotation:")
    st.button(
        f"Turn by {TURNS[reading.suggested_deg]}",
        icon=":material/rotate_left:",
        type="primary",
        key=f"photo_turn_advised_{key}",
        on_click=turn,
        args=(photo, reading.suggested_deg),
    )


def show_readings(readings: list[tuple[Photo, Reading]], threshold: float) -> None:
    if len(readings) > 1:
        show_summary(readings, threshold)
    first = 0
    if len(readings) > PHOTOS_A_SCREEN:
        screens = -(-len(readings) // PHOTOS_A_SCREEN)
        first = (st.pagination(screens, key="photo_screen", persist_state=KEPT) - 1) * PHOTOS_A_SCREEN
    for number, (photo, reading) in enumerate(readings[first : first + PHOTOS_A_SCREEN], first):
        show_photo(photo, reading, threshold, f"{number}-{photo.digest}", alone=len(readings) == 1)
    if readings:
        st.caption(LIMITS)


def keep_photos() -> None:
    """Keeps the photos of widgets that will not be drawn next, like those of earlier visits."""
    mine = session().photo
    mine.earlier, mine.given = [*mine.earlier, *mine.given][:MOST_PHOTOS], []


def show_device(card: ModelCard, asked: settings.ViewSettings) -> None:
    """Photos read in the browser; they have their own drop zone, cards and downloads."""
    if asked.detector != "yunet":
        st.caption("On this device faces are found by YuNet; Haar runs in the app only.")
    device.photos(card, asked.judge, partial(set_widget, "photo_where", SERVER))
    st.caption(f":material/lock: {PRIVATE_DEVICE}")
    st.caption(LIMITS)


page_head("Photo", "Drop in one photo or many to see the expression on every face and how sure the model is of it.")
where = one_of(
    "Where photos are read", [SERVER, DEVICE], key="photo_where", on_change=keep_photos,
    help="On this device, no photo leaves the browser, which reads JPEG, PNG and any other format it can open. "
    "The app reads more formats and writes one table for many.",
)  # fmt: skip
chosen: list[Photo] = []
if where == SERVER:
    chosen = choose_photos()
    st.caption(f":material/lock: {PRIVATE}")
# The controls above are already on the screen; from here on the model is needed.
try:
    card = weights.in_use().card
    with st.sidebar:
        asked = settings.choose("photo", card.unsure_below, over_time=False)
    if where == DEVICE:
        show_device(card, asked)
except weights.load_errors() as error:
    refused("The model cannot be loaded", str(error))
else:
    if chosen:
        show_readings(read_all(chosen, asked), asked.judge.unsure_below)
