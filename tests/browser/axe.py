"""axe-core in a page: what of it some people could not use (https://github.com/dequelabs/axe-core).

Installed with npm beside this file, as .ci/run does:
    npm install --prefix tests/browser --no-package-lock
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page

SCRIPT = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
INSTALL = "npm install --prefix tests/browser --no-package-lock"
GRAVE = ("critical", "serious", "moderate")
RUN = """async (without) => {
  const result = await axe.run({ exclude: without }, { resultTypes: ["violations"] })
  return result.violations.flatMap(({ id, impact, help, nodes }) => nodes.map((node) => ({
    rule: id, impact, help, target: node.target.flat().join(" "), html: node.html, why: node.failureSummary,
  })))
}"""


@dataclass(frozen=True)
class Violation:
    """One element that breaks one rule. target: a CSS selector. html: the element's beginning."""

    rule: str
    impact: str
    target: str
    html: str
    why: str

    def __str__(self) -> str:
        return (
            f"{self.rule} ({self.impact}) {self.target}\n    {self.html[:160]}\n    {self.why.splitlines()[-1].strip()}"
        )


def script() -> str:
    """axe-core's source. Skips the test where it is not installed, which in CI fails the run (tests/conftest.py)."""
    if not SCRIPT.is_file():
        pytest.skip(f"axe-core is not installed: {INSTALL}")
    return SCRIPT.read_text()


def violations(page: Page, without: list[str]) -> list[Violation]:
    """What is grave enough on the page as it stands now. without: CSS selectors of what is not looked at."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(script())
    found = page.evaluate(RUN, [[selector] for selector in without])
    return [
        Violation(one["rule"], one["impact"], one["target"], one["html"], one["why"])
        for one in found
        if one["impact"] in GRAVE
    ]
