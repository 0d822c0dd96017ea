"""Writes benchmarks/webgpu.md: one layer of ResNet9 by WebGPU and by the browser's own kernels.

python benchmarks/webgpu.py [--rounds 20]
"""

import argparse
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import machine, markdown_table
from fer import web
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path
from tests.fakes.web_page import open_modules

SCRIPT = Path(__file__).with_suffix(".js").read_text().partition("\n")[2]
WAYS = ((), ("--enable-unsafe-webgpu",), ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"))
HEAD = (
    "Chromium's flags",
    "adapter",
    "shader, ms",
    "there and back, ms",
    "and the layer, ms",
    "WebAssembly, ms",
    "apart",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    load = os.getloadavg()[0]
    rows = []
    with sync_playwright() as playwright:
        for flags in WAYS:
            base = [flag for flag in CHROMIUM_FLAGS if flag != "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=[*base, *flags])
            version = browser.version
            with open_modules(browser) as page:
                seen = page.call(SCRIPT, {"kernels": web.kernels(), "rounds": rounds})
            browser.close()
            times = [f"{seen[key]:.2f}" if key in seen else "–" for key in ("compileMs", "emptyMs", "layerMs")]
            apart = f"{seen['apart']:.0e}" if "apart" in seen else "–"
            rows.append((" ".join(flags) or "–", seen["adapter"] or "none", *times, f"{seen['wasmMs']:.2f}", apart))
    text = [
        "# WebGPU or WebAssembly",
        "",
        f"{machine()}, load {load:.1f} at the start; Chromium {version} without a window. Made by "
        f"`python benchmarks/webgpu.py --rounds {rounds}`, medians.",
        "",
        "A layer of ResNet9 (3 × 3 with ReLU, 64 channels to 64, 48 × 48 pixels). There and back: the layer's input to "
        "the adapter and its output from there, nothing computed. Apart: the largest difference between both ways. "
        "SwiftShader computes on the CPU: its figures say nothing about a GPU.",
        "",
        markdown_table(HEAD, rows),
    ]
    (ROOT / "benchmarks" / "webgpu.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
