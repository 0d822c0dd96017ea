"""fer.judge.evaluation: the table survives the disk and refuses what cannot be true."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer.data.faceset import VOTE_COLUMNS
from fer.judge.evaluation import EvaluationError, EvaluationTable
from fer.judge.metrics import NO_MAJORITY


@pytest.fixture
def table(rng: np.random.Generator) -> EvaluationTable:
    n = 40
    single = rng.dirichlet(np.ones(7), n).astype(np.float32)
    votes = np.zeros((n, 10), dtype=np.uint8)
    votes[np.arange(n), rng.integers(0, 10, n)] = 10
    return EvaluationTable(
        rows=np.arange(28709, 28709 + n, dtype=np.int32),
        splits=(1 + (np.arange(n) >= 25)).astype(np.uint8),
        labels=rng.integers(0, 7, n).astype(np.int8),
        single=single,
        flipped=(single + single[::-1]) / 2,
        votes=votes,
        weights="a" * 64,
    )


@pytest.mark.parametrize("with_votes", [True, False])
def test_a_table_survives_the_disk(table, tmp_path, with_votes):
    table = table if with_votes else dataclasses.replace(table, votes=None)
    table.to_parquet(tmp_path / "new folder" / "evaluation.parquet")
    found = EvaluationTable.from_parquet(tmp_path / "new folder" / "evaluation.parquet")
    for name in ("rows", "splits", "labels", "single", "flipped"):
        written, read = getattr(table, name), getattr(found, name)
        assert written.dtype == read.dtype
        assert np.array_equal(written, read), name
    assert (found.votes is None) == (not with_votes)
    assert not with_votes or np.array_equal(found.votes, table.votes)
    assert found.weights == "a" * 64
    assert [p.name for p in (tmp_path / "new folder").iterdir()] == ["evaluation.parquet"]


def test_split_and_truth(table):
    public = table.split("PublicTest")
    assert len(public) == 25
    assert np.array_equal(public.truth("FER2013"), table.labels[:25])
    judged, truth = table.judged("FER+ majority")
    named = table.votes[:, : VOTE_COLUMNS.index("contempt")].any(axis=1)
    assert len(judged) == len(truth) == named.sum()
    assert (truth != NO_MAJORITY).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.full(40, 7, np.int8)}, "labels in 0..6"),
        ({"labels": np.zeros(40, np.int64)}, "labels must be int8"),
        ({"splits": np.full(40, 3, np.uint8)}, "splits must lie"),
        ({"single": np.full((40, 7), 0.2, np.float32)}, "sum to 1"),
        ({"flipped": np.zeros((40, 6), np.float32)}, "flipped must be"),
        ({"votes": np.zeros((39, 10), np.uint8)}, "votes must be"),
        ({"rows": np.zeros(0, np.int32)}, "must be"),
    ],
)
def test_impossible_tables_are_refused(table, changes, message):
    with pytest.raises(EvaluationError, match=message):
        dataclasses.replace(table, **changes)


def test_a_table_without_votes_has_no_majority(table):
    with pytest.raises(EvaluationError, match="no FER"):
        dataclasses.replace(table, votes=None).truth("FER+ majority")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table at all", None])
def test_files_that_are_no_table(tmp_path, content):
    path = tmp_path / "x.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"scripts/evaluate\.py"):
        EvaluationTable.from_parquet(path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("p_fear", None, "p_fear are missing"),
        ("split", ["Test"] * 40, "unknown splits"),
        ("label", [300] * 40, "label must fit"),
        ("label", [None] * 40, "without gaps"),
        ("p_fear", ["0.1"] * 40, "hold numbers"),
        ("p_fear", [1.0] * 40, "sum to 1"),
    ],
)
def test_tables_with_a_wrong_column(table, tmp_path, column, values, message):
    path = tmp_path / "x.parquet"
    table.to_parquet(path)
    arrow = pq.read_table(path)
    index = arrow.column_names.index(column)
    arrow = arrow.remove_column(index)
    if values is not None:
        arrow = arrow.append_column(column, pa.array(values))
    pq.write_table(arrow, path)
    with pytest.raises(EvaluationError, match=message):
        EvaluationTable.from_parquet(path)
