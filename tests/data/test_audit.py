"""fer.data.audit, duplicates and embedding on small made-up faces, and the committed table against the real set."""

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from fer.data import audit, duplicates, embedding
from fer.data.audit import NEIGHBOURS, Audit, AuditError
from fer.data.faceset import FaceSet
from fer.judge import metrics


def picture(rng: np.random.Generator) -> np.ndarray:
    """A smooth random picture, uint8 (64, 64): as much detail as a face has."""
    noise = rng.normal(size=(8, 8)).astype(np.float32)
    smooth = cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 50 * smooth, 0, 255).astype(np.uint8)


def crop(image: np.ndarray, left: int = 8, top: int = 8) -> np.ndarray:
    return image[top : top + 48, left : left + 48].copy()


@pytest.fixture
def table(rng: np.random.Generator) -> Audit:
    n = 20
    return Audit(
        rows=np.arange(n, dtype=np.int32),
        splits=np.repeat([0, 1, 2], [12, 4, 4]).astype(np.uint8),
        labels=rng.integers(0, 7, n).astype(np.int8),
        exact=np.full(n, -1, np.int32),
        near=np.full(n, -1, np.int32),
        face_votes=np.zeros(n, np.uint8),
        majority=rng.integers(0, 7, n).astype(np.int8),
        own=rng.random(n).astype(np.float32),
        suggested=rng.integers(0, 7, n).astype(np.int8),
        quality=rng.random(n).astype(np.float32),
        issue=np.arange(n) % 2 == 0,
        x=rng.integers(0, 65535, n).astype(np.uint16),
        y=rng.integers(0, 65535, n).astype(np.uint16),
        neighbours=rng.integers(0, n, (n, NEIGHBOURS)).astype(np.uint16),
        about={"own": "made up"},
    )


def test_exact_duplicates_share_the_first_position(rng: np.random.Generator) -> None:
    faces = np.stack([crop(picture(rng)) for _ in range(5)])
    images = faces[[0, 1, 0, 2, 1, 0]]
    assert duplicates.exact_groups(images).tolist() == [0, 1, 0, -1, 1, 0]


def test_one_pixel_makes_no_exact_duplicate(rng: np.random.Generator) -> None:
    face = crop(picture(rng))
    other = face.copy()
    other[47, 47] ^= 1
    assert duplicates.exact_groups(np.stack([face, other])).tolist() == [-1, -1]


def changed(image: np.ndarray, how: str) -> np.ndarray:
    if how == "shifted":
        return crop(image, 9, 7)
    if how == "mirrored":
        return crop(image)[:, ::-1].copy()
    if how == "darker":
        return (crop(image) * 0.6).astype(np.uint8)
    if how == "jpeg":
        jpeg = cv2.imencode(".jpg", crop(image), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
        decoded = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
        assert decoded is not None
        return decoded
    raise ValueError(how)


@pytest.mark.parametrize("how", ["shifted", "mirrored", "darker", "jpeg"])
def test_near_duplicates_are_found_among_others(rng: np.random.Generator, how: str) -> None:
    pictures = [picture(rng) for _ in range(30)]
    images = np.stack([crop(p) for p in pictures] + [changed(pictures[7], how)])
    assert duplicates.near_pairs(images).tolist() == [[7, 30]]


def test_faces_without_contrast_have_no_near_duplicate() -> None:
    assert duplicates.near_pairs(np.full((3, 48, 48), 90, np.uint8)).shape == (0, 2)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([], [-1, -1, -1, -1, -1]),
        ([(0, 3)], [0, -1, -1, 0, -1]),
        ([(3, 4), (1, 3)], [-1, 1, -1, 1, 1]),
        ([(0, 1), (2, 3)], [0, 0, 2, 2, -1]),
        ([(2, 2)], [-1, -1, 2, -1, -1]),
    ],
)
def test_pairs_join_to_groups(pairs: list[tuple[int, int]], expected: list[int]) -> None:
    assert duplicates.groups(np.array(pairs, dtype=np.int32).reshape(-1, 2), 5).tolist() == expected


def test_two_groupings_join() -> None:
    first, second = np.array([0, 0, -1, -1, -1]), np.array([-1, 1, -1, -1, 1])
    assert duplicates.joined(first, second).tolist() == [0, 0, -1, -1, 0]


def test_leaks_are_groups_over_more_than_one_split(table: audit.Audit) -> None:
    near = table.near.copy()
    near[[0, 1]] = 0  # both in Training
    near[[2, 13]] = 2  # Training and PublicTest
    near[[14, 19]] = 14  # PublicTest and PrivateTest
    found = dataclasses.replace(table, near=near)
    assert np.flatnonzero(found.leaks).tolist() == [2, 13, 14, 19]


def test_no_duplicates_no_leaks(table: audit.Audit) -> None:
    assert not table.leaks.any()


def test_neighbours_are_those_of_a_plain_loop(rng: np.random.Generator) -> None:
    features = rng.normal(size=(50, 6))
    vectors = features - features.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    expected = [[j for j in np.argsort(-alike[i]) if j != i][:4] for i in range(50)]
    assert embedding.neighbours(features, 4).tolist() == expected


@pytest.mark.parametrize("k", [0, 50])
def test_neighbours_refuse_impossible_counts(rng: np.random.Generator, k: int) -> None:
    with pytest.raises(ValueError, match="faces"):
        embedding.neighbours(rng.normal(size=(50, 6)), k)


@pytest.mark.parametrize("how", ["pca", "tsne"])
def test_the_map_keeps_two_clusters_apart(rng: np.random.Generator, how: str) -> None:
    features = np.concatenate([rng.normal(size=(40, 8)), rng.normal(size=(40, 8)) + 12])
    with threadpool_limits(1):  # scikit-learn's threads spin where cores are busy: minutes for a second's work
        points = embedding.project(features, how)
    centers = points[:40].mean(axis=0), points[40:].mean(axis=0)
    nearer_to_first = np.linalg.norm(points - centers[0], axis=1) < np.linalg.norm(points - centers[1], axis=1)
    assert nearer_to_first.tolist() == [True] * 40 + [False] * 40


def test_the_map_refuses_other_projections(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no projection"):
        embedding.project(rng.normal(size=(5, 3)), "magic")


def test_a_map_fills_the_grid_and_keeps_its_shape() -> None:
    x, y = embedding.to_grid(np.array([[-2.0, 0.0], [2.0, 1.0], [0.0, 2.0]]))
    assert x.tolist() == [0, 65535, 32768]
    assert y.tolist() == [0, 16384, 32768]


@pytest.mark.filterwarnings("ignore")  # cleanlab's own
def test_confident_learning_finds_swapped_labels(rng: np.random.Generator) -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is a tool of scripts/audit.py (requirements-dev.txt)")
    true = rng.integers(0, 7, 700)
    probabilities = np.full((700, 7), 0.02)
    probabilities[np.arange(700), true] = 0.88
    labels = true.copy()
    swapped = rng.choice(700, 30, replace=False)
    labels[swapped] = (labels[swapped] + 3) % 7
    quality, issue = audit.likely_wrong(labels, probabilities)
    assert set(np.flatnonzero(issue)) == set(swapped)
    assert quality[swapped].max() < np.delete(quality, swapped).min()


def test_precision_counts_what_taggers_say(table: audit.Audit) -> None:
    quality = np.linspace(0, 1, 20).astype(np.float32)
    labels, majority = np.zeros(20, np.int8), np.zeros(20, np.int8)
    majority[[0, 2, 4]] = 3  # contradicted; positions 0, 2, 4, 6 … are suspects
    majority[6] = -1
    found = dataclasses.replace(table, quality=quality, labels=labels, majority=majority)
    assert found.suspects()[:3].tolist() == [0, 2, 4]
    assert found.precision_at(5) == (3, 1, 1)
    assert found.precision_at(100) == (3, 6, 1)
    splits = np.repeat(np.array([0, 1], np.uint8), [4, 16])  # suspects 0 and 2 lie in Training
    found = dataclasses.replace(found, splits=splits)
    assert found.suspects("Training").tolist() == [0, 2]
    assert found.precision_at(100, "Training") == (2, 0, 0)
    assert found.precision_at(1, "PublicTest") == (1, 0, 0)
    assert found.any_face("Training") == (2, 2, 0)


def test_a_table_survives_the_disk(table: audit.Audit, tmp_path: Path) -> None:
    table.to_parquet(tmp_path / "audit.parquet")
    found = Audit.from_parquet(tmp_path / "audit.parquet")
    for field in dataclasses.fields(Audit):
        assert np.array_equal(getattr(found, field.name), getattr(table, field.name)), field.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": np.arange(19, dtype=np.int32)}, "must be"),
        ({"x": np.zeros(20, np.int32)}, "x must be uint16"),
        ({"labels": np.full(20, 7, np.int8)}, "that exist"),
    ],
)
def test_impossible_tables_are_refused(table: audit.Audit, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(AuditError, match=message):
        dataclasses.replace(table, **changes)


@pytest.mark.parametrize("damage", ["missing", "text", "column", "about"])
def test_damaged_files_are_refused(table: audit.Audit, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "audit.parquet"
    if damage == "text":
        path.write_text("no table")
    elif damage != "missing":
        table.to_parquet(path)
        arrow = pq.read_table(path)
        pq.write_table(arrow.drop_columns(["near"]) if damage == "column" else arrow.replace_schema_metadata(), path)
    with pytest.raises(AuditError, match=r"scripts/audit\.py"):
        Audit.from_parquet(path)


@pytest.mark.data
def test_the_committed_table_is_of_the_real_set(faces: FaceSet) -> None:
    table = Audit.from_parquet()
    assert np.array_equal(table.rows, faces.rows)
    assert np.array_equal(table.splits, faces.splits)
    assert np.array_equal(table.labels, faces.labels)
    assert faces.votes is not None
    assert np.array_equal(table.majority, metrics.majority(faces.votes))
    assert np.array_equal(table.exact, duplicates.exact_groups(faces.images))  # rows are positions in the whole set
    assert (table.near[table.exact != -1] != -1).all()
    assert table.leaks.sum() > 3000
