"""Dask and Ray on loopback: two workers, one killed by -9; the same bytes as on one process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer.batch.engines import EngineError, dask, make_engine
from fer.batch.engines.address import check_address
from fer.batch.walk import Walk
from fer.batch.work import Chunk, Settings, weights_hash
from tests.fakes.batches import children, kill_one_half_way
from tests.fakes.photos import make_photos

# Both leave sockets to the garbage collector, and Ray warns of its own future defaults.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def settings() -> Settings:
    return Settings(weights_sha256=weights_hash(None))


def test_dask_goes_on_without_a_killed_worker(tmp_path: Path, settings: Settings) -> None:
    make_photos(tmp_path / "in", 200)
    engine = make_engine("dask", 2)
    assert engine.workers == 2
    kill_one_half_way(tmp_path, settings, engine, lambda engine: next(iter(engine._client.run(os.getpid).values())))


def test_ray_goes_on_without_a_killed_worker(tmp_path: Path, settings: Settings) -> None:
    make_photos(tmp_path / "in", 200)
    engine = make_engine("ray", 2)
    assert engine.workers == 2

    kill_one_half_way(tmp_path, settings, engine, lambda _: next(reading(os.getpid())))


def reading(pid: int) -> Iterator[int]:
    """Processes below this one that Ray has at work on a chunk."""
    for child in children(pid):
        try:
            if Path(f"/proc/{child}/cmdline").read_text().startswith("ray::read_chunk"):
                yield child
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield from reading(child)


def test_a_cluster_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_CONNECT_S", 1)
    with pytest.raises(EngineError, match="no Dask scheduler answers"):
        make_engine("dask", address="127.0.0.1:9")


@pytest.mark.parametrize(
    ("address", "becomes"),
    [
        ("127.0.0.1:8786", "tcp://127.0.0.1:8786"),
        ("localhost:1", "tcp://localhost:1"),
        ("tls://10.0.0.1:1", "tls://10.0.0.1:1"),
    ],
)
def test_addresses_that_are_taken(address: str, becomes: str) -> None:
    assert check_address(address, "tcp", ("tcp", "tls")) == becomes


@pytest.mark.parametrize(
    "address", ["10.0.0.1:8786", "example.org:1", "0.0.0.0:1", "ftp://127.0.0.1:1", "localhost", "localhost:x"]
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(EngineError):
        check_address(address, "tcp", ("tcp", "tls"))


def test_a_cluster_that_is_there_is_used_and_left_alone(tmp_path: Path, settings: Settings) -> None:
    photos = make_photos(tmp_path / "in", 2)
    theirs = dask.DaskEngine(1)
    workers = list(theirs._client.run(os.getpid).values())
    try:
        ours = make_engine("dask", address=theirs._cluster.scheduler_address.removeprefix("tcp://"))
        ticket = ours.submit(Chunk(0, tuple(Walk([str(path) for path in photos]))), settings)
        while ticket not in ours.wait([ticket]):
            pass
        assert ours.result(ticket).files == 2
        ours.close()
        assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == workers
    finally:
        theirs.close()
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
