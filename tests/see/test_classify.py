"""fer.see.classify on a tiny sealed network whose output is known."""

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer import onnxfile
from fer.see import classify
from fer.see.classify import Classifier
from tests.fakes import tiny


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(tiny.write_tiny(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


def random_faces(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)


def test_probabilities_and_features_are_the_networks(classifier: classify.Classifier, rng: np.random.Generator) -> None:
    faces = random_faces(rng, 5)
    features, probabilities = classifier.features(faces), classifier.probabilities(faces)
    assert features.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(features, tiny.features(faces), atol=1e-5)
    np.testing.assert_allclose(probabilities, tiny.probabilities(faces), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, classify.CHUNK - 1, classify.CHUNK, classify.CHUNK + 1, 3 * classify.CHUNK])
def test_any_number_of_faces_goes_through_in_order(
    classifier: classify.Classifier, rng: np.random.Generator, n: int
) -> None:
    faces = random_faces(rng, n)
    assert classifier.features(faces).shape == (n, 8)
    np.testing.assert_allclose(classifier.probabilities(faces), tiny.probabilities(faces), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, classify.CHUNK + 1])
def test_with_the_mirror_image_the_mean_of_both_counts(tmp_path: Path, rng: np.random.Generator, n: int) -> None:
    mirrored = Classifier(tiny.write_tiny(tmp_path / "tiny.onnx"), mirror=True)
    faces = random_faces(rng, n)
    expected = (tiny.probabilities(faces) + tiny.probabilities(faces[:, :, ::-1])) / 2
    found = mirrored.probabilities(faces)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    # the face's own, so that who it is does not blur
    np.testing.assert_allclose(mirrored.features(faces), tiny.features(faces), atol=1e-5)


def test_no_run_is_larger_than_a_chunk(
    classifier: classify.Classifier, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    class Spy:
        def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            sizes.append(len(inputs["faces"]))
            return [np.zeros((len(inputs["faces"]), 7), np.float32)]

    monkeypatch.setattr(classifier, "_session", Spy())
    classifier.probabilities(random_faces(rng, 2 * classify.CHUNK + 1))
    assert sizes == [classify.CHUNK, classify.CHUNK, 1]


def test_faces_need_not_lie_in_one_piece(classifier: classify.Classifier, rng: np.random.Generator) -> None:
    faces = random_faces(rng, 6)[::-2, :, ::-1]
    np.testing.assert_allclose(classifier.probabilities(faces), tiny.probabilities(faces), atol=1e-5)


@pytest.mark.parametrize(
    ("faces", "says"),
    [
        (np.zeros((2, 48, 48), np.float32), "float32"),
        (np.zeros((48, 48), np.uint8), r"\(48, 48\)"),
        (np.zeros((2, 1, 48, 48), np.uint8), r"\(2, 1, 48, 48\)"),
        (np.zeros((2, 48, 47), np.uint8), r"\(2, 48, 47\)"),
        ([[0]], "list"),
        (None, "NoneType"),
    ],
)
def test_other_inputs_are_refused_with_what_was_found(classifier: classify.Classifier, faces: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        classifier.probabilities(faces)


def test_threads_share_a_classifier(classifier: classify.Classifier, rng: np.random.Generator) -> None:
    faces = [random_faces(rng, n) for n in (1, 7, 70, 3)]
    found: dict[int, np.ndarray] = {}
    workers = [
        threading.Thread(target=lambda i=i: found.update({i: classifier.probabilities(faces[i])})) for i in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i, batch in enumerate(faces):
        np.testing.assert_allclose(found[i], tiny.probabilities(batch), atol=1e-5)


def test_the_card_is_the_files(tmp_path: Path) -> None:
    other = dataclasses.replace(tiny.CARD, name="other", unsure_below=0.4)
    assert Classifier(tiny.write_tiny(tmp_path / "tiny.onnx", other), threads=1).card == other


def test_a_file_already_read_serves_as_well(tmp_path: Path, rng: np.random.Generator) -> None:
    file = onnxfile.read(tiny.write_tiny(tmp_path / "tiny.onnx"))
    faces = random_faces(rng, 3)
    np.testing.assert_allclose(Classifier(file).probabilities(faces), tiny.probabilities(faces), atol=1e-5)


def test_one_call_may_read_one_way_or_both() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    one, both = Classifier(), Classifier(mirror=True)
    assert np.array_equal(one.probabilities(faces, mirror=True), both.probabilities(faces))
    assert np.array_equal(both.probabilities(faces, mirror=False), one.probabilities(faces))
    assert np.array_equal(both.probabilities(faces, mirror=None), both.probabilities(faces))
