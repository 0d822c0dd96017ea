"""Fixtures that several test modules share."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from fer.data.faceset import FaceSet

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "fer" / "weights" / "sample.jpg"

# What is judged is what a test finds, never how fast the machine is; no test here changes what a fixture gave it.
CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("full", deadline=None, suppress_health_check=CHECKS)
settings.register_profile("fast", settings.get_profile("full"), max_examples=25)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=5, help="how often a batch is killed at random moments; default: 5")


# What needs neither a page, torch, a process of its own nor a browser: the tier for the minute between two edits.
FAST_ROOMS = ("cli", "data", "judge", "runs", "see", "webui")


def pytest_configure(config: pytest.Config) -> None:
    """Random examples: a quarter as many in the fast tier alone as in a run of everything."""
    settings.load_profile("fast" if config.getoption("markexpr") == "fast" else "full")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m fast` does not even import the other folders' tests: torch and Playwright alone take ten seconds."""
    parts = collection_path.relative_to(ROOT).parts if collection_path.is_relative_to(ROOT) else ()
    other = parts[:1] == ("tests",) and len(parts) > 1 and parts[1] not in (*FAST_ROOMS, "fakes", "conftest.py")
    return True if other and config.getoption("markexpr") == "fast" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test belongs to one tier: browser, fast or app. Its folder decides, or the mark `app` on a slow one.

    The browser's tests come last: from the first of them on, Playwright's event loop runs in this thread, and
    `asyncio.run` in another folder's test is refused beside it.
    """
    for item in items:
        room = item.path.relative_to(ROOT / "tests").parts[0]
        if room in FAST_ROOMS and not any(item.get_closest_marker(tier) for tier in ("app", "browser", "data")):
            item.add_marker(pytest.mark.fast)
        elif not any(item.get_closest_marker(tier) for tier in ("app", "browser")):
            item.add_marker(pytest.mark.app)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Every test starts with ordinary scheduling, so that what it starts leaves the processor to others.

    As root, the AV1 encoder that tests of video files use makes its caller real-time (SCHED_FIFO, 99). The browsers
    started later inherited that, starved the app that they waited for, and hung.
    """
    if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that skipped is a test that did not run: the whole run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def data_source() -> Path | None:
    """Where FER2013 lies: FER_DATA, else ../shared/fer2013; None where there is neither."""
    for folder in (os.environ.get("FER_DATA"), ROOT.parent / "shared" / "fer2013"):
        if folder and Path(folder).is_dir():
            return Path(folder)
    return None


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the prepared cache of the real FER2013, with FER+ votes where they are at hand."""
    from fer.data import dataset

    source = data_source()
    if source is None:
        pytest.skip("FER2013 is not here: set FER_DATA to a folder that scripts/prepare.py reads")
    if (source / dataset.CACHE_NAME).is_file():
        return source
    votes = source.parent / "ferplus" / "fer2013new.csv"
    folder = tmp_path_factory.mktemp("data")
    dataset.write_cache(dataset.read(source, votes if votes.is_file() else None), folder / dataset.CACHE_NAME)
    return folder


@pytest.fixture(scope="session")
def faces(prepared_folder: Path) -> "FaceSet":
    """The real FER2013 as a FaceSet; skips where it is not at hand."""
    from fer.data import dataset

    return dataset.open_faces(prepared_folder)


@pytest.fixture(scope="session")
def sample_image() -> np.ndarray:
    """The public-domain sample photo: one face, RGB uint8 (H, W, 3)."""
    from fer.see.images import open_image

    return open_image(SAMPLE)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
