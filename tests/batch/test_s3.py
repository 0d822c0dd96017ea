"""A batch from s3:// to s3://, on a server of this machine."""

import io
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from fer.batch.storage import storage_of
from fer.cli import main
from tests.conftest import SAMPLE


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    plain = fs.S3FileSystem(allow_bucket_creation=True, endpoint_override=f"{host}:{port}", scheme="http")
    plain.create_dir("faces")
    try:
        yield "s3://faces"
    finally:
        server.stop()


def rows_of(folder: str) -> list[dict[str, object]]:
    storage = storage_of(folder)
    parts = [entry.location for entry in storage.folder(f"{folder}/faces")]
    return [row for part in parts for row in pq.read_table(io.BytesIO(storage.read(part, 2**20))).to_pylist()]


def test_from_a_bucket_to_a_bucket(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage = storage_of(bucket)
    storage.write(f"{bucket}/in/sample.jpg", SAMPLE.read_bytes())
    storage.write(f"{bucket}/in/more/broken.jpg", b"no photo")
    command = ["batch", f"{bucket}/in", "--out", f"{bucket}/out", "--csv", "--faces", "--workers", "1"]
    assert main(command) == 0
    rows = rows_of(f"{bucket}/out")
    assert [(row["source"], row["status"]) for row in rows] == [
        (f"{bucket}/in/sample.jpg", "face"),
        (f"{bucket}/in/more/broken.jpg", "error"),
    ]
    assert len(storage.read(f"{bucket}/out/faces.csv", 2**20).splitlines()) == 3
    assert len(list(storage.folder(f"{bucket}/out/crops"))) == 1
    assert main(command) == 0
    assert "0 files read" in capsys.readouterr().out.splitlines()[-1]
    assert rows_of(f"{bucket}/out") == rows
