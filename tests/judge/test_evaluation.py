"""fer.judge.evaluation: the table survives the disk and refuses what cannot be true."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer.data.faceset import VOTE_COLUMNS
from fer.judge import evaluation
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
def test_a_table_survives_the_disk(table: EvaluationTable, tmp_path: Path, with_votes: bool) -> None:
    table = table if with_votes else dataclasses.replace(table, votes=None)
    table.to_parquet(tmp_path / "new folder" / "evaluation.parquet")
    found = EvaluationTable.from_parquet(tmp_path / "new folder" / "evaluation.parquet")
    for name in ("rows", "splits", "labels", "single", "flipped"):
        written, read = getattr(table, name), getattr(found, name)
        assert written.dtype == read.dtype
        assert np.array_equal(written, read), name
    assert (found.votes is None) == (not with_votes)
    if table.votes is not None and found.votes is not None:
        assert np.array_equal(found.votes, table.votes)
    assert found.weights == "a" * 64
    assert [p.name for p in (tmp_path / "new folder").iterdir()] == ["evaluation.parquet"]


def test_split_and_truth(table: EvaluationTable) -> None:
    public = table.split("PublicTest")
    assert len(public) == 25
    assert np.array_equal(public.truth("FER2013"), table.labels[:25])
    judged, truth = table.judged("FER+ majority")
    assert table.votes is not None
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
def test_impossible_tables_are_refused(table: EvaluationTable, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        dataclasses.replace(table, **changes)


def test_a_table_without_votes_has_no_majority(table: EvaluationTable) -> None:
    with pytest.raises(EvaluationError, match="no FER"):
        dataclasses.replace(table, votes=None).truth("FER+ majority")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table at all", None])
def test_files_that_are_no_table(tmp_path: Path, content: bytes | None) -> None:
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
        ("p_fear", [float("nan")] * 40, "sum to 1"),
        ("label", [float("inf")] * 40, "label must fit"),
        ("label", [[1]] * 40, "label"),
        ("split", [1] * 40, "split must hold the names"),
        ("split", [None] * 40, "split must hold the names"),
        ("split", [b"\xff"] * 40, "split must hold the names"),
        ("row", [2**40] * 40, "row must fit"),
    ],
)
def test_tables_with_a_wrong_column(
    table: EvaluationTable, tmp_path: Path, column: str, values: list[object] | None, message: str
) -> None:
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


def repeated(table: pa.Table, times: int) -> pa.Table:
    return pa.concat_tables([table] * times).combine_chunks()


def made_of(
    table: EvaluationTable, tmp_path: Path, change: Callable[[pa.Table], pa.Table] = lambda t: t, **options: bool
) -> bytes:
    path = tmp_path / "x.parquet"
    table.to_parquet(path)
    pq.write_table(change(pq.read_table(path)), path, compression="zstd", **options)
    return path.read_bytes()


def test_a_file_that_is_too_large_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "_MAX_BYTES", 0)
    path = tmp_path / "x.parquet"
    path.write_bytes(b"x")
    with pytest.raises(EvaluationError) as refused:
        EvaluationTable.from_parquet(path)
    words = f"{path}: more than 0 MB, no evaluation table is. Write it again with scripts/evaluate.py."
    assert str(refused.value) == words
    with pytest.raises(EvaluationError) as refused:
        EvaluationTable.from_stranger(b"x", str(path))
    assert str(refused.value) == words


@pytest.mark.parametrize("with_votes", [True, False])
def test_a_strangers_table_is_read_as_well(table: EvaluationTable, tmp_path: Path, with_votes: bool) -> None:
    table = table if with_votes else dataclasses.replace(table, votes=None)
    found = EvaluationTable.from_stranger(made_of(table, tmp_path), "upload.parquet")
    for name in ("rows", "splits", "labels", "single", "flipped"):
        assert np.array_equal(getattr(table, name), getattr(found, name)), name
    assert (found.votes is None) == (not with_votes)
    if table.votes is not None and found.votes is not None:
        assert np.array_equal(found.votes, table.votes)
    assert found.weights == table.weights


def of_a_million_rows(table: EvaluationTable, tmp_path: Path) -> bytes:
    return made_of(table, tmp_path, lambda t: repeated(t, 25_000))


def of_long_texts(table: EvaluationTable, tmp_path: Path) -> bytes:
    return made_of(
        table, tmp_path, lambda t: t.append_column("v_x", pa.array(["x" * 2**21] * 40)), use_dictionary=False
    )


def of_one_text_in_every_row(table: EvaluationTable, tmp_path: Path) -> bytes:
    """As plain texts 8 GB."""

    def change(t: pa.Table) -> pa.Table:
        t = repeated(t, 200)
        text = pa.DictionaryArray.from_arrays(np.zeros(len(t), np.int32), ["x" * 2**20])
        return t.set_column(t.column_names.index("split"), "split", text).replace_schema_metadata(None)

    return made_of(table, tmp_path, change)


def of_nothing(table: EvaluationTable, tmp_path: Path) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (of_a_million_rows, "1000000 rows; at most 200000"),
        (of_long_texts, "bytes unpacked; at most"),
        (of_one_text_in_every_row, "unknown splits"),
        (of_nothing, "not a Parquet file"),
    ],
)
def test_a_hostile_table_is_refused_in_words(
    table: EvaluationTable, tmp_path: Path, make: Callable[[EvaluationTable, Path], bytes], message: str
) -> None:
    with pytest.raises(EvaluationError, match=message) as refused:
        EvaluationTable.from_stranger(make(table, tmp_path), "upload.parquet")
    assert str(refused.value).startswith("upload.parquet: ")
    assert len(str(refused.value)) < 500
