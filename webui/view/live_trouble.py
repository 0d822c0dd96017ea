"""When the live camera does not work: the state of the browser and the stream, and messages on what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from fer.web.page import SILENT_S, START, STOP
from fer.web.words import TROUBLES, Gravity

if TYPE_CHECKING:
    from streamlit_webrtc.config import Translations

# Words inside the stream's component.
TRANSLATIONS: "Translations" = {
    "start": START,
    "stop": STOP,
    "select_device": "Select device",
    "media_api_not_available": "The browser gives this page no camera: it needs https or localhost.",
    "device_ask_permission": "The browser asks whether this page may use the camera. Please allow it.",
    "device_not_available": "No camera was found. Plug one in or switch it on.",
    "device_access_denied": "The camera was blocked. Allow it next to the address, then try again.",
}
_SLOW_S = 8.0  # a connection on a LAN takes about one second, through TURN two or three


@dataclass(frozen=True, slots=True)
class Browser:
    """The state of the camera as reported by the visitor's browser.

    secure: pages from this address may use a camera at all. permission: 'granted', 'denied', 'prompt' or
    'unknown'. cameras: how many there are, -1 if the browser does not say. started: the stream's
    button was pressed. error: the error raised by the camera's start in the browser, '' if none.
    """

    secure: bool = True
    permission: str = "unknown"
    cameras: int = -1
    started: bool = False
    error: str = ""

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> "Browser":
        """From the component's message, which a visitor could forge: anything odd is read as unknown."""
        if not isinstance(state, Mapping):
            return cls()
        cameras = state.get("cameras")
        return cls(
            secure=state.get("secure") is not False,
            permission=str(state.get("permission", "unknown"))[:20],
            cameras=cameras if isinstance(cameras, int) else -1,
            started=state.get("started") is True,
            error=str(state.get("error", ""))[:300],
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """The state of the stream on the server.

    connecting_s: for how long it has been trying to connect, 0 if it is not. failed: it tried and gave up.
    frames: how many arrived. silent_s: since the last one. ended: the session ended because no frames came.
    analysis_error: the error of the last analysis.
    """

    playing: bool = False
    connecting_s: float = 0.0
    failed: bool = False
    frames: int = 0
    silent_s: float = 0.0
    ended: bool = False
    analysis_error: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """kind: the severity. text: Markdown: what is wrong and what to do."""

    kind: Gravity
    text: str


INSECURE = Notice(*TROUBLES["insecure"])
DENIED = Notice(*TROUBLES["denied"])
ASKING = Notice(*TROUBLES["asking"])
NO_CAMERA = Notice(*TROUBLES["no_camera"])
BUSY = Notice(*TROUBLES["busy"])
NO_WAY = Notice(
    "error",
    "**The picture cannot get through the network.** The page arrived, the video did not: a firewall is in "
    "between. Try the same network as the app's machine, without VPN. Whoever runs the app can name a TURN server in "
    "`FER_TURN_URL`, `FER_TURN_USERNAME` and `FER_TURN_CREDENTIAL` (environment or `.streamlit/secrets.toml`).",
)
UNPLUGGED = Notice(*TROUBLES["unplugged"])
ENDED = Notice(
    "warning", f"**The session ended because no picture came for half a minute.** Press {STOP}, then {START}."
)


def seats_full(taken: int, limit: int) -> Notice:
    return Notice(
        "warning",
        f"**All places are taken:** {taken} of {limit} cameras are running, and one more would slow all of them "
        "down. Try again when somebody has stopped; the Photo page works in the meantime. (Whoever runs the app "
        "can change the limit with `FER_MAX_LIVE_SESSIONS`.)",
    )


def diagnose(browser: Browser, stream: Stream) -> Notice | None:
    """The most important notice; None if all is well."""
    if not browser.secure:
        return INSECURE
    if stream.playing:
        return _diagnose_playing(stream)
    if browser.permission == "denied" or "NotAllowedError" in browser.error:
        return DENIED
    if browser.cameras == 0 or "NotFoundError" in browser.error or "OverconstrainedError" in browser.error:
        return NO_CAMERA
    if browser.error:
        return BUSY
    if stream.failed or stream.connecting_s > _SLOW_S:
        return NO_WAY
    if browser.started and browser.permission == "prompt" and not stream.connecting_s:
        return ASKING
    return None


def _diagnose_playing(stream: Stream) -> Notice | None:
    if stream.ended:
        return ENDED
    if stream.silent_s > SILENT_S:
        return UNPLUGGED if stream.frames else NO_WAY
    if stream.analysis_error:
        return Notice("error", f"**Faces cannot be read just now:** {stream.analysis_error}")
    return None


@cache
def _component() -> Any:
    script = Path(__file__).with_name("camera_state.js")
    return st.components.v2.component(
        "camera_state", html="<span hidden></span>", js=script.read_text(encoding="utf-8")
    )


def ask_browser(key: str) -> Browser:
    """The browser's current state. When it changes, the enclosing fragment runs again."""
    result = _component()(key=key, data={"stop": STOP}, on_state_change=lambda: None)
    return Browser.of(result.state)


def show(notice: Notice) -> None:
    {"info": st.info, "warning": st.warning, "error": st.error}[notice.kind](notice.text)
