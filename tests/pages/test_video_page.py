"""The video page without a browser: Streamlit's AppTest runs it in process."""

import threading
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fer.see.video import VideoReading
from fer.see.videofile import Frame
from tests.fakes.clips import clip, greys
from webui.frame import weights
from webui.frame.session import STORE
from webui.view.video_queue import VideoQueue

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
    return read_whole(drop(page, (name, content)))


def drop(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "video/mp4") for name, content in files])
    return page.run()


def read_whole(page: AppTest) -> AppTest:
    """The page once the readings in the background are done."""
    for video in videos(page).videos:
        assert video.reading.wait(TIMEOUT_S)
    return page.run()


def videos(page: AppTest) -> VideoQueue:
    return page.session_state[STORE].videos


def html(page: AppTest) -> str:
    return "".join(element.proto.body for element in page.get("html"))


def test_before_a_video(video_page: AppTest) -> None:
    assert not video_page.exception
    assert video_page.title[0].value == "Video"
    assert not video_page.get("video")


def test_the_sample_gives_a_face_a_timeline_and_downloads(video_page: AppTest) -> None:
    video_page.button(key="video_sample").click().run()
    read_whole(video_page)
    assert not video_page.exception
    assert [heading.value for heading in video_page.header] == ["sample.mp4"]
    [row] = video_page.dataframe[0].value.to_dict("records")
    assert row["person"] == "Person 1"
    assert row["happy"].startswith(("9", "100", ">99"))
    taken = {button.proto.label for button in video_page.get("download_button")}
    assert taken == {"CSV", "Parquet", "Shares", "Subtitles", "Report"}


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


def test_several_videos_are_read_one_after_another(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    read_whole(drop(video_page, ("two.mp4", clip(greys(5))), ("bad.mp4", b"no video"), ("three.mp4", clip(greys(4)))))
    assert [video.name for video in videos(video_page).videos] == ["one.mp4", "two.mp4", "three.mp4"]
    assert [len(video.reading.looks) for video in videos(video_page).videos] == [10, 5, 4]
    assert [heading.value for heading in video_page.header] == ["two.mp4"]
    assert [error.value.split("**")[1] for error in video_page.error] == ["bad.mp4 cannot be read."]
    video_page.button(key="video_show_0").click().run()
    assert [heading.value for heading in video_page.header] == ["one.mp4"]


def test_closing_is_one_press(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    upload(video_page, "two.mp4", clip(greys(5)))
    video_page.button(key="video_close_1").click().run()
    assert [heading.value for heading in video_page.header] == ["one.mp4"]
    video_page.button(key="video_close_0").click().run()
    assert not video_page.header
    assert videos(video_page).videos == []


def test_other_pages_say_that_a_video_is_read(video_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go_on = threading.Event(), threading.Event()
    look = VideoReading._look

    def slow(reading: VideoReading, frame: Frame) -> None:
        entered.set()
        assert go_on.wait(TIMEOUT_S)
        look(reading, frame)

    monkeypatch.setattr(VideoReading, "_look", slow)
    drop(video_page, ("one.mp4", clip(greys(10))))
    assert entered.wait(TIMEOUT_S)
    video_page.switch_page("pages/start.py").run()
    assert any(
        "one.mp4" in text.value and "is being read: 0\N{NO-BREAK SPACE}%" in text.value for text in video_page.markdown
    )
    assert "Back to it" in {link.proto.label for link in video_page.get("page_link")}
    go_on.set()
    read_whole(video_page)
    assert any("has been read" in text.value for text in video_page.markdown)
    video_page.switch_page("pages/video.py").run()
    assert [heading.value for heading in video_page.header] == ["one.mp4"]
    video_page.switch_page("pages/start.py").run()
    assert not any("one.mp4" in text.value for text in video_page.markdown)


def test_limits_are_the_operators_and_are_said_before(video_page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_VIDEO_MB", "1500")
    monkeypatch.setenv("FER_VIDEO_MINUTES", "90")
    video_page.run()
    assert video_page.caption[0].value.startswith("Up to 1.5 GB and 1 h 30 min each, up to 4K.")
    assert video_page.file_uploader[0].proto.max_upload_size_mb == 1500
    monkeypatch.setenv("FER_VIDEO_MB", "much")
    video_page.run()
    assert "MB must be a number from 1 on" in video_page.error[0].value


def test_a_setting_reads_nothing_again(video_page: AppTest) -> None:
    video_page.button(key="video_sample").click().run()
    read_whole(video_page)
    first = videos(video_page).shown
    assert video_page.dataframe[0].value["unsure"][0].startswith("0")
    video_page.slider(key="video_threshold").set_value(100).run()
    assert videos(video_page).shown is first
    assert video_page.dataframe[0].value["unsure"][0].startswith("100")
    averaged = first.seen().samples[0].predictions[0].probabilities
    video_page.toggle(key="video_both_ways").set_value(False).run()
    assert videos(video_page).shown is first
    assert not any(button.label.startswith("Read again") for button in video_page.button)
    assert (first.seen().samples[0].predictions[0].probabilities != averaged).any()


def test_another_detector_asks_before_it_reads_again(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    first = videos(video_page).shown
    video_page.button_group(key="video_detector").set_value("haar").run()
    assert videos(video_page).shown is first
    [again] = [button for button in video_page.button if button.label == "Read again with Haar"]
    again.click().run()
    read_whole(video_page)
    assert videos(video_page).shown is not first
    assert videos(video_page).shown.read_by.detector == "haar"


def test_the_annotated_copy_is_made_on_request(video_page: AppTest) -> None:
    upload(video_page, "one.mp4", clip(greys(10)))
    video_page.button(key="video_make").click().run()
    [made] = videos(video_page).shown.made.values()
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
    [asked] = videos(video_page).shown.made
    assert "boxes=False, blurred=None" in str(asked)


def test_the_page_stands_without_weights(video_page: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    st.cache_resource.clear()
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    video_page.run()
    assert not video_page.exception
    [error] = video_page.error
    assert "resnet9.onnx" in error.value
