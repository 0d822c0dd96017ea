"""The video page without a browser: Streamlit's AppTest runs it in process."""

from pathlib import Path

import pytest
import streamlit as st
from clips import clip, greys
from streamlit.testing.v1 import AppTest

from webui.frame import weights
from webui.frame.session import STORE

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a loaded machine; never part of a verdict


@pytest.fixture
def video_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AppTest:
    st.cache_resource.clear()  # every AppTest has the same session
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    monkeypatch.chdir(ROOT)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()
    return app.switch_page("pages/video.py").run()


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    page.file_uploader(key="video_upload").set_value([(name, content, "video/mp4")])
    return read_whole(page.run())


def read_whole(page: AppTest) -> AppTest:
    """The page once the reading in the background is done."""
    video = page.session_state[STORE].watched
    if video is not None:
        assert video.reading.wait(TIMEOUT_S)
    return page.run()


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_before_a_video(video_page: AppTest) -> None:
    assert not video_page.exception
    assert video_page.title[0].value == "Video"
    assert not video_page.get("video")


def test_the_sample_gives_a_face_a_timeline_and_downloads(video_page: AppTest) -> None:
    video_page.button_group(key="video_sample").set_value(["sample"]).run()
    read_whole(video_page)
    assert not video_page.exception
    assert [heading.value for heading in video_page.header] == ["sample.mp4"]
    [row] = video_page.dataframe[0].value.to_dict("records")
    assert row["person"] == "Person 1"
    assert row["happy"].startswith(("9", "100", ">99"))
    taken = {button.proto.label for button in video_page.get("download_button")}
    assert taken == {"CSV", "Parquet", "Subtitles", "Report"}


def test_a_video_without_a_face_says_so(video_page: AppTest) -> None:
    upload(video_page, "grey.mp4", clip(greys(10, (320, 240))))
    assert not video_page.exception
    assert "No face found" in html(video_page)
    assert not video_page.dataframe
    assert not video_page.get("download_button")  # a table without a row is no use


@pytest.mark.parametrize("content", [b"", b"nothing" * 50, clip(greys())[:800]])
def test_a_bad_file_is_named_with_what_to_do(video_page: AppTest, content: bytes) -> None:
    upload(video_page, "bad.mp4", content)
    assert not video_page.exception
    [error] = video_page.error
    assert error.value.startswith("**bad.mp4 cannot be read.**")
    assert "MP4" in error.value


def test_a_cut_file_is_read_as_far_as_it_goes(video_page: AppTest) -> None:
    whole = clip(greys(40), "matroska")
    upload(video_page, "cut.mkv", whole[: len(whole) * 2 // 3])
    assert not video_page.exception
    assert not video_page.error
    [warning] = video_page.warning
    assert "end" in warning.value or "left out" in warning.value


def test_another_file_takes_the_place_of_the_first(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    first = video_page.session_state[STORE].watched
    upload(video_page, "two.mp4", clip(greys(5)))
    second = video_page.session_state[STORE].watched
    assert (first.name, second.name) == ("one.mp4", "two.mp4")
    assert first.reading.done
    assert len(second.reading.looks) == 5


def test_a_setting_reads_nothing_again(video_page: AppTest) -> None:
    video_page.button_group(key="video_sample").set_value(["sample"]).run()
    read_whole(video_page)
    first = video_page.session_state[STORE].watched
    assert video_page.dataframe[0].value["unsure"][0].startswith("0")
    video_page.slider(key="video_threshold").set_value(100).run()
    assert video_page.session_state[STORE].watched is first
    assert video_page.dataframe[0].value["unsure"][0].startswith("100")


def test_another_detector_asks_before_it_reads_again(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    first = video_page.session_state[STORE].watched
    video_page.button_group(key="video_detector").set_value("haar").run()
    assert video_page.session_state[STORE].watched is first
    [again] = [button for button in video_page.button if button.label == "Read again with Haar"]
    again.click().run()
    read_whole(video_page)
    assert video_page.session_state[STORE].watched is not first
    assert video_page.session_state[STORE].watched.read_by.detector == "haar"


def test_the_annotated_copy_is_made_on_request(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    video_page.button(key="video_make").click().run()
    [made] = video_page.session_state[STORE].watched.made.values()
    assert made.wait(TIMEOUT_S)
    video_page.run()
    assert not video_page.exception
    assert "Save MP4" in {button.proto.label for button in video_page.get("download_button")}
    assert b"ftyp" in made.content[:12]


def test_a_press_right_after_a_choice_follows_it(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    video_page.toggle(key="video_copy_blur_all").set_value(True)
    video_page.toggle(key="video_copy_boxes").set_value(False)
    video_page.button(key="video_make").click().run()  # all three arrive in one run
    [asked] = video_page.session_state[STORE].watched.made
    assert "boxes=False, blurred=None" in asked


def test_the_page_stands_without_weights(video_page: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    st.cache_resource.clear()
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    video_page.run()
    assert not video_page.exception
    [error] = video_page.error
    assert "resnet9.onnx" in error.value
