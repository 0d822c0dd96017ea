"""Each way in which a live camera fails has its own words."""

from typing import Any

import pytest

from webui.view import live_trouble as lt
from webui.view.live_trouble import Browser, Stream, diagnose


@pytest.mark.parametrize(
    ("browser", "stream", "expected"),
    [
        (Browser(), Stream(), None),
        (Browser(permission="granted", cameras=1), Stream(playing=True, frames=9), None),
        (Browser(secure=False), Stream(), lt.INSECURE),
        (Browser(permission="denied", cameras=1), Stream(), lt.DENIED),
        (Browser(error="NotAllowedError: Permission denied", cameras=1), Stream(), lt.DENIED),
        (Browser(permission="prompt", cameras=1, started=True), Stream(), lt.ASKING),
        (Browser(permission="prompt", cameras=1), Stream(), None),
        (Browser(cameras=0), Stream(), lt.NO_CAMERA),
        (Browser(error="NotFoundError: Requested device not found"), Stream(), lt.NO_CAMERA),
        (Browser(error="NotReadableError: Could not start video source"), Stream(), lt.BUSY),
        (Browser(cameras=1, started=True), Stream(connecting_s=2), None),
        (Browser(cameras=1, started=True), Stream(connecting_s=9), lt.NO_WAY),
        (Browser(cameras=1), Stream(failed=True), lt.NO_WAY),
        (Browser(cameras=1), Stream(playing=True, frames=0, silent_s=5), lt.NO_WAY),
        (Browser(cameras=1), Stream(playing=True, frames=99, silent_s=5), lt.UNPLUGGED),
        (Browser(cameras=0), Stream(playing=True, frames=99, silent_s=40, ended=True), lt.ENDED),
    ],
)
def test_diagnosis(browser: Browser, stream: Stream, expected: lt.Notice | None) -> None:
    assert diagnose(browser, stream) == expected


def test_failing_analysis_is_shown() -> None:
    notice = diagnose(Browser(), Stream(playing=True, frames=3, analysis_error="RuntimeError: no luck"))
    assert notice is not None
    assert "no luck" in notice.text


@pytest.mark.parametrize("odd", [None, 3, "x", {"cameras": "many", "permission": None, "error": ["x"] * 1000}])
def test_whatever_the_browser_sends_is_survived(odd: Any) -> None:
    browser = Browser.of(odd)
    assert browser.secure
    assert browser.cameras == -1
    assert len(browser.error) <= 300


def test_every_notice_says_what_to_do() -> None:
    for notice in (lt.INSECURE, lt.DENIED, lt.ASKING, lt.NO_CAMERA, lt.BUSY, lt.NO_WAY, lt.UNPLUGGED, lt.ENDED):
        assert notice.text.count(".") >= 2, notice.text
    assert "4 of 4" in lt.seats_full(4, 4).text
