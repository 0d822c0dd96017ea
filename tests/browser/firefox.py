"""Firefox by WebDriver BiDi over its own socket: Playwright needs a Firefox of its own, Debian has no geckodriver."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_PREFERENCES = {
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "extensions.update.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "services.settings.server": "data:,",
}
_LISTENS = b"WebDriver BiDi listening on "


def firefox_path() -> str | None:
    """FIREFOX, else Debian's firefox-esr; None where there is neither."""
    return os.environ.get("FIREFOX") or shutil.which("firefox-esr")


class Firefox:
    """One tab of a Firefox without a window."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._count = socket, 0
        self.send("session.new", {"capabilities": {}})
        self._tab = self.send("browsingContext.getTree", {})["contexts"][0]["context"]

    def send(self, method: str, parameters: dict[str, Any]) -> Any:
        """The answer to a command. Raises AssertionError with Firefox's words where it fails."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=90))
            if answer.get("id") == self._count:
                assert answer["type"] == "success", answer
                return answer["result"]

    def before_pages(self, function: str) -> None:
        """Runs a JavaScript function in every page before its own scripts."""
        self.send("script.addPreloadScript", {"functionDeclaration": function})

    def open(self, url: str) -> None:
        self.send("browsingContext.navigate", {"context": self._tab, "url": url, "wait": "complete"})

    def call(self, function: str) -> Any:
        """What a JavaScript function gives: text, a number, or nothing; promises are waited for."""
        answer = self.send(
            "script.callFunction",
            {"functionDeclaration": function, "awaitPromise": True, "target": {"context": self._tab}},
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return answer["result"].get("value")


@contextmanager
def running(path: str, profile: Path) -> Iterator[Firefox]:
    """Firefox with a fresh profile in that folder, as long as the block runs."""
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [path, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    environment = {**os.environ, "HOME": str(profile)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr is not None
            address = next(line for line in process.stderr if line.startswith(_LISTENS))
            url = address.removeprefix(_LISTENS).decode().strip() + "/session"
            with connect(url, max_size=2**26) as socket:
                yield Firefox(socket)
        finally:
            process.kill()
