"""The JavaScript of docs/api.md, run in Chromium on a page of the service."""

import base64
import re

import pytest
from playwright.sync_api import Browser

from tests.conftest import ROOT, SAMPLE
from tests.fakes.serving import serving

pytestmark = pytest.mark.browser
BLOCKS = re.findall(r"```js\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)
SAID = (r"happy 0\.9\d*", "1 1 happy")
AS_BLOB = "const photo = await (await fetch(`data:image/jpeg;base64,${text}`)).blob();"


@pytest.mark.parametrize(("block", "said"), list(zip(BLOCKS, SAID, strict=True)))
def test_the_clients_in_javascript(browser: Browser, block: str, said: str) -> None:
    with serving() as (address, _):
        address = address.replace("127.0.0.1", "localhost")
        page = browser.new_page()
        lines: list[str] = []
        page.on("console", lambda message: lines.append(message.text) if message.type == "log" else None)
        page.goto(f"{address}/health")
        photo = base64.b64encode(SAMPLE.read_bytes()).decode()
        code = block.replace("localhost:8600", address.removeprefix("http://").removesuffix("/api/v1"))
        page.evaluate("async (text) => {" + AS_BLOB + code + "}", photo)
        page.close()
    assert len(lines) == 1
    assert re.fullmatch(said, lines[0])
