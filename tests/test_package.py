"""The wheel: built here, installed in an environment of its own, used where no checkout is."""

import json
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT], check=True)
    (built,) = folder.glob("fer_app-*.whl")
    return built


@pytest.fixture(scope="module")
def fer(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `fer` of a new environment: the wheel, and the packages of this environment beneath it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    beneath = [p for p in sys.path if p.endswith("site-packages")]
    (packages / "beneath.pth").write_text("\n".join(beneath) + "\n")
    install = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", "--no-deps", wheel]
    subprocess.run([str(word) for word in install], check=True)
    return folder / "bin" / "fer"


def test_it_reads_the_sample(fer: Path, tmp_path: Path) -> None:
    sample = ROOT / "fer" / "weights" / "sample.jpg"
    done = subprocess.run([fer, "photo", sample, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [row["label"] for row in json.loads(done.stdout)] == ["happy"]


def test_the_commands_find_their_scripts_and_no_checkout(fer: Path, tmp_path: Path) -> None:
    code = "import fer.installed as i; print(i.app_folder())"
    place = subprocess.run(
        [fer.with_name("python"), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder = Path(place.stdout.strip())
    assert ROOT not in folder.parents
    for name in ("streamlit_app.py", "pages/photo.py", "webui/frame/style.css", ".streamlit/config.toml"):
        assert (folder / name).is_file(), name
    done = subprocess.run([fer, "prepare", "none.csv"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "none.csv" in done.stderr


def test_the_wheel_is_small_and_typed(wheel: Path) -> None:
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wheel.stat().st_size < 12e6
    assert {"fer/py.typed", "fer/weights/resnet9.onnx", "fer/weights/sample.jpg"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [n for n in names if n.startswith(("tests/", "benchmarks/", "data/", "runs/"))] == []
    # Everything that git holds of the package and the pages is in it.
    listed = ["git", "ls-files", "fer", "webui", "pages"]
    tracked = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert [f for f in tracked if f not in names and f"fer/_app/{f}" not in names] == []


def pins(name: str) -> dict[str, Requirement]:
    lines = re.findall(r"^([A-Za-z0-9][^#\s]*)", (ROOT / name).read_text(), re.M)
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("requirements.txt", (None, "app", "serve")),
        ("requirements-train.txt", ("train",)),
        ("requirements-cluster.txt", ("dask", "ray")),
    ],
)
def test_what_is_tested_lies_in_the_ranges_that_the_wheel_allows(file: str, extras: tuple[str | None, ...]) -> None:
    ranges = [
        r for extra in extras for r in (PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])
    ]
    allowed = {r.name: r for r in map(Requirement, ranges)}
    pinned = pins(file)
    assert set(pinned) == set(allowed)
    for name, pin in pinned.items():
        (version,) = (clause.version for clause in pin.specifier)
        assert allowed[name].specifier.contains(version), name
