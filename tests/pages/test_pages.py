"""Start and photo page without a browser: Streamlit's AppTest runs the whole app in process."""

import io
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from fer.batch.table import ERROR, FACE, to_table
from fer.tables import parquet_file
from fer.weights import SAMPLE
from webui.frame import weights
from webui.frame.navigation import PAGES

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a loaded machine; never part of a verdict


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    """The start page of the app, without a dataset."""
    st.cache_resource.clear()  # every AppTest has the same session
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()


@pytest.fixture
def photo_page(app: AppTest) -> AppTest:
    return app.switch_page("pages/photo.py").run()


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader(key="photo_uploads").set_value([(name, content, "image/jpeg") for name, content in files])
    return page.run()


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def picture(width: int = 64, height: int = 48) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_start_page_shows_limits_and_card(app: AppTest) -> None:
    assert not app.exception
    assert [heading.value for heading in app.header] == [
        "What is here", "What it cannot do", "The model, in plain words",
    ]  # fmt: skip
    assert "48 × 48" in html(app)


def test_start_page_stands_without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    st.cache_resource.clear()
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    again = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()
    assert not again.exception
    [error] = again.error
    assert error.value.startswith("**The model cannot be loaded.**")
    assert "resnet9.onnx" in error.value
    assert "What it cannot do" in [heading.value for heading in again.header]


def test_every_page_of_the_menu_exists() -> None:
    assert [entry.file for entry in PAGES if not (ROOT / entry.file).is_file()] == []


def test_photo_page_before_a_photo(photo_page: AppTest) -> None:
    assert not photo_page.exception
    assert photo_page.title[0].value == "Photo"
    assert not photo_page.get("imgs")


def test_photo_gets_boxes_cards_and_downloads(photo_page: AppTest) -> None:
    upload(photo_page, ("astronaut.jpg", SAMPLE.read_bytes()))
    assert not photo_page.exception
    assert html(photo_page).count('class="face"') == 1
    assert [button.label for button in photo_page.get("download_button")] == ["PNG", "CSV", "JSON"]


def test_the_setting_leaves_the_mirror_image_out(photo_page: AppTest) -> None:
    upload(photo_page, ("astronaut.jpg", SAMPLE.read_bytes()))
    averaged = html(photo_page)
    photo_page.toggle(key="photo_both_ways").set_value(False).run()
    assert not photo_page.exception
    assert html(photo_page).count('class="face"') == 1
    assert html(photo_page) != averaged


def test_a_press_shows_what_the_answer_hangs_on(photo_page: AppTest) -> None:
    upload(photo_page, ("astronaut.jpg", SAMPLE.read_bytes()))
    [switch] = [toggle for toggle in photo_page.toggle if toggle.label.startswith("Why?")]
    assert not [words for words in photo_page.caption if "not what the person feels" in words.value]
    switch.set_value(True).run()
    assert not photo_page.exception
    [words] = [words.value for words in photo_page.caption if "not what the person feels" in words.value]
    assert words.startswith("'happy' ")


def test_photo_without_a_face_gets_advice(photo_page: AppTest) -> None:
    upload(photo_page, ("wall.png", picture()))
    assert "No face found" in html(photo_page)
    assert [button.label for button in photo_page.button] == ["Turn"]


def test_a_finished_batch_opens_as_a_table(photo_page: AppTest) -> None:
    rows = [
        {"source": "fine.jpg", "kind": "photo", "status": FACE, "label": "happy"},
        {"source": "broken.jpg", "kind": "photo", "status": ERROR, "reason": "not an image"},
    ]
    photo_page.session_state["photo_folder"] = True
    photo_page.run()
    assert "fer batch" in photo_page.code[0].value
    part = parquet_file(to_table(rows))
    photo_page.file_uploader(key="photo_results").set_value([("part.parquet", part, "application/octet-stream")]).run()
    assert not photo_page.exception
    assert list(photo_page.dataframe[0].value["file"]) == ["broken.jpg", "fine.jpg"]
    assert "1 cannot be read" in photo_page.markdown[-1].value
    photo_page.file_uploader(key="photo_results").set_value([("x.csv", b"a,b\n1,2\n", "text/csv")]).run()
    assert "no result" in photo_page.error[0].value


def test_broken_photo_is_named_and_the_others_go_on(photo_page: AppTest) -> None:
    upload(photo_page, ("broken.jpg", b"\xff\xd8\xff not a photo"), ("astronaut.jpg", SAMPLE.read_bytes()))
    assert not photo_page.exception
    [error] = photo_page.error
    assert error.value.startswith("**broken.jpg cannot be read.**")
    assert html(photo_page).count('class="face"') == 1


def test_markup_in_a_file_name_stays_text(photo_page: AppTest) -> None:
    upload(photo_page, ("<b>*x*</b>.jpg", b"nonsense"))
    assert photo_page.error[0].value.startswith(r"**\<b\>\*x\*\</b\>.jpg cannot be read.**")


def test_several_photos_get_a_summary(photo_page: AppTest) -> None:
    upload(photo_page, ("astronaut.jpg", SAMPLE.read_bytes()), ("wall.png", picture()))
    table = photo_page.dataframe[0].value
    assert table["photo"].tolist() == ["astronaut.jpg", "wall.png"]
    assert table["faces"].tolist() == [1, 0]


def test_the_same_photo_twice_is_no_clash(photo_page: AppTest) -> None:
    upload(photo_page, ("a.jpg", SAMPLE.read_bytes()), ("b.jpg", SAMPLE.read_bytes()))
    assert not photo_page.exception
    assert html(photo_page).count('class="face"') == 2


def test_photos_beyond_the_limit_are_named(photo_page: AppTest) -> None:
    upload(photo_page, *[(f"{i}.png", picture(8 + i)) for i in range(42)])
    assert not photo_page.exception
    assert "42 photos are more than 40" in photo_page.warning[0].value
    assert len(photo_page.dataframe[0].value) == 40


def test_moving_the_threshold_finds_no_face_anew(photo_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(photo_page, ("astronaut.jpg", SAMPLE.read_bytes()))
    from webui.view import photos

    monkeypatch.setattr(photos, "read", lambda *_: pytest.fail("read again"))
    photo_page.slider[0].set_value(100).run()
    assert not photo_page.exception
    assert "unsure (happy" in html(photo_page)


def test_turning_reads_anew(photo_page: AppTest) -> None:
    upload(photo_page, ("wide.png", picture(64, 48)))
    assert "64 × 48 px" in photo_page.caption[1].value
    photo_page.button[0].click().run()
    assert photo_page.caption[1].value == "48 × 64 px · 0 faces · turned by 90° to the left"


def test_own_photos_take_the_samples_place(photo_page: AppTest) -> None:
    photo_page.pills(key="photo_sources").set_value(["sample"]).run()
    assert [heading.value for heading in photo_page.header] == ["sample.jpg"]
    upload(photo_page, ("wall.png", picture()))
    assert [heading.value for heading in photo_page.header] == ["wall.png"]


def test_turned_photo_is_offered_its_turn(photo_page: AppTest) -> None:
    file = io.BytesIO()
    with Image.open(SAMPLE) as picture:
        picture.rotate(90, expand=True).save(file, "PNG")
    upload(photo_page, ("turned.png", file.getvalue()))
    assert "seems to lie on its side" in photo_page.info[0].value
    [button] = [button for button in photo_page.button if button.label == "Turn by 90° to the right"]
    button.click().run()
    assert not photo_page.info
    assert html(photo_page).count('class="face"') == 1


def test_the_app_keeps_uploads_off_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.formparsers import MultiPartParser

    monkeypatch.setattr(MultiPartParser, "spool_max_size", 0)
    AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()
    assert MultiPartParser.spool_max_size > 2**30
