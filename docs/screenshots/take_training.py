"""Retakes the training page's pictures, from two real trainings on drawn faces.

python docs/screenshots/take_training.py        # needs requirements-dev.txt and Chromium; a few minutes
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from docs.screenshots.take import PHONE, WIDE, save, settle
from fer.data.dataset import CACHE_NAME, write_cache
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app
from tests.fakes.cartoons import cartoon_faces

RUNS = {"steady": ["--lr-peak=0.02"], "bold": ["--lr-peak=0.2", "--clip-value=0"]}
VIEWS = ("Curves", "Health", "Confusion", "Faces", "Settings", "Start")


def train(folder: Path) -> None:
    write_cache(cartoon_faces(noise=25.0), folder / CACHE_NAME)
    for name, choices in RUNS.items():
        command = [sys.executable, "scripts/train.py", "--preset=smoke", f"--name={name}", f"--data={folder}",
                   f"--runs={folder / 'runs'}", "--epochs=30", "--batch-size=32", *choices]  # fmt: skip
        subprocess.run(command, cwd=ROOT, check=True)


def show(page: Page, view: str) -> None:
    page.goto("/")
    settle(page, ".facts")
    page.goto("/training")
    settle(page, ".curves figure")
    # The table is a canvas: the box before the second run.
    page.get_by_test_id("stDataFrame").click(position={"x": 18, "y": 87})
    page.get_by_text("steady").first.wait_for(state="attached")
    if view == "Start":
        page.get_by_text("Start a training").click()
        page.get_by_text("Every choice of the run").click()
    elif view != "Curves":
        page.get_by_role("radio", name=view).click()
    page.mouse.move(2, 2)
    settle(page, "h1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="folder of an earlier call: its trainings are used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as play:
        folder = options.folder or Path(home)
        if not (folder / "runs" / list(RUNS)[-1] / "resnet9.onnx").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            train(folder)
        environment = {"FER_DATA": str(folder), "FER_RUNS": str(folder / "runs"), "FER_ALLOW_TRAINING": "1"}
        with running_app(Path(home), **environment) as url:
            browser = play.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            for size_name, (width, height) in {"wide": WIDE, "phone": PHONE}.items():
                for scheme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": width, "height": 2 * height if size_name == "phone" else 1250},
                        color_scheme=scheme, base_url=url,
                    )  # fmt: skip
                    page = context.new_page()
                    for view in VIEWS if (size_name, scheme) == ("wide", "light") else VIEWS[:1]:
                        show(page, view)
                        part = "" if view == "Curves" else f"_{view.lower()}"
                        save(page.screenshot(), HERE / f"training{part}_{size_name}_{scheme}.png")
                    context.close()
            browser.close()


if __name__ == "__main__":
    main()
