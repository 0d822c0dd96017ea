"""The table that workers write: that of pyarrow's own way, byte for byte, without loading pandas."""

import subprocess
import sys

import pyarrow as pa
import pytest

from fer.batch.table import SCHEMA, to_table
from fer.tables import parquet_file
from tests.conftest import ROOT, SAMPLE

FULL = {
    **{"source": "aé😀\n,", "kind": "photo", "size": 2**40, "modified": 1_700_000_000_123_456_789, "status": "face"},
    **{"time_s": 0.1, "identity": 3, "left": 0.123456789, "happy": 0.3, "turn_deg": 0, "quality": ""},
}
EMPTY = {"source": "b", "size": 0, "modified": None, "quality": None}


@pytest.mark.parametrize("rows", [[], [{}], [FULL], [EMPTY], [FULL, EMPTY] * 9], ids=str)
def test_the_table_is_that_of_pyarrow(rows: list[dict[str, float | str | None]]) -> None:
    to_table(rows).validate(full=True)
    assert parquet_file(to_table(rows)) == parquet_file(pa.Table.from_pylist(rows, SCHEMA))


def test_a_worker_loads_no_pandas() -> None:
    """It would cost a third of its start, and 40 MB."""
    code = (
        "import sys; from fer.batch.walk import Walk; from fer.batch.work import *;"
        "read_chunk(Chunk(0, tuple(Walk([sys.argv[1]]))), Settings(weights_hash(None)));"
        "print([name for name in ('pandas', 'torch', 'streamlit') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(SAMPLE)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
