from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fer.card import WeightsError
from fer.data import dataset
from fer.data.faceset import SPLITS, FaceSet
from fer.learn import checkpoint, devices, teacher, train
from fer.learn.augment import normalise
from fer.learn.targets import Teacher
from scripts import soft_labels
from tests.fakes.toy import toy_faces
from tests.learn.test_train import TOY, Recorder

DEVICE = devices.resolve("cpu", "fp32")


@pytest.fixture(scope="module")
def teacher_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained toy run: its best weights."""
    folder = tmp_path_factory.mktemp("teacher")
    train.fit(TOY, toy_faces(), DEVICE, folder, Recorder())
    return folder / checkpoint.WEIGHTS_NAME


def test_one_teacher_says_its_mean_over_mirror_images(teacher_weights: Path) -> None:
    faces = toy_faces()
    network, card = checkpoint.load_weights(teacher_weights)
    x = normalise(torch.tensor(faces.split("Training").images), card.mean, card.std)
    with torch.inference_mode():
        expected = (network(x).softmax(1) + network(x.flip(3)).softmax(1)) / 2
    said = teacher.ask([teacher_weights], faces, DEVICE)
    assert said.probabilities.dtype == np.float32
    assert said.probabilities == pytest.approx(expected.numpy(), abs=3e-4)  # half of float16's step near 1


def test_two_teachers_weigh_the_same(teacher_weights: Path) -> None:
    once, twice = (teacher.ask([teacher_weights] * n, toy_faces(), DEVICE).probabilities for n in (1, 2))
    assert once == pytest.approx(twice, abs=1e-6)


def test_only_training_faces_are_asked_about(teacher_weights: Path) -> None:
    faces = toy_faces()
    training = faces.take(np.flatnonzero(faces.splits == SPLITS.index("Training")))
    assert 0 < len(training) < len(faces)
    said, of_training = (teacher.ask([teacher_weights], some, DEVICE).probabilities for some in (faces, training))
    assert said == pytest.approx(of_training, abs=1e-6)


@pytest.mark.parametrize("knows_votes", [False, True])
def test_what_was_saved_is_loaded(tmp_path: Path, knows_votes: bool) -> None:
    said = Teacher(np.full((3, 7), 1 / 7, np.float16).astype(np.float32), knows_votes, 3, "abc")
    checkpoint.save_teacher(tmp_path / "said", said)
    loaded = checkpoint.load_teacher(tmp_path / "said")
    assert np.array_equal(loaded.probabilities, said.probabilities)
    assert (loaded.knows_votes, loaded.networks, loaded.data_sha256) == (knows_votes, 3, "abc")


def test_what_networks_said_is_stored_to_the_bit(teacher_weights: Path, tmp_path: Path) -> None:
    said = teacher.ask([teacher_weights], toy_faces(), DEVICE)
    checkpoint.save_teacher(tmp_path / "said", said)
    assert np.array_equal(checkpoint.load_teacher(tmp_path / "said").probabilities, said.probabilities)


def test_a_table_counts_as_the_networks_that_it_is_of(teacher_weights: Path, tmp_path: Path) -> None:
    faces = toy_faces()
    one = teacher.ask([teacher_weights], faces, DEVICE)
    other = replace(one, probabilities=np.eye(7, dtype=np.float32)[faces.split("Training").labels], networks=3)
    checkpoint.save_teacher(tmp_path / "three", other)
    said = teacher.ask([teacher_weights, tmp_path / "three"], faces, DEVICE)
    assert said.networks == 4
    assert said.probabilities == pytest.approx((one.probabilities + 3 * other.probabilities) / 4, abs=1e-3)


def test_a_table_of_another_set_is_refused(teacher_weights: Path, tmp_path: Path) -> None:
    said = replace(teacher.ask([teacher_weights], toy_faces(), DEVICE), data_sha256="another")
    checkpoint.save_teacher(tmp_path / "said", said)
    with pytest.raises(WeightsError, match="another set"):
        teacher.ask([tmp_path / "said"], toy_faces(), DEVICE)


def test_the_script_writes_what_train_reads(
    teacher_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset.write_cache(toy_faces(), tmp_path / dataset.CACHE_NAME)
    table = tmp_path / "soft.safetensors"
    assert soft_labels.main([str(teacher_weights), "--out", str(table), "--data", str(tmp_path), "--device=cpu"]) == 0
    assert "1 networks" in capsys.readouterr().out
    assert teacher.ask([table], toy_faces(), DEVICE).networks == 1
    assert soft_labels.main([str(tmp_path / "none"), "--out", str(table), "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("soft_labels: ")


@pytest.mark.parametrize("content", [b"", b"not ours", b"\x80\x04N."])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / checkpoint.TEACHER_NAME).write_bytes(content)
    with pytest.raises(WeightsError, match=checkpoint.TEACHER_NAME):
        checkpoint.load_teacher(tmp_path / checkpoint.TEACHER_NAME)


def test_weights_are_not_taken_for_a_teachers_answers(teacher_weights: Path) -> None:
    assert checkpoint.load_teacher(teacher_weights) is None


def test_a_pupils_card_tells_of_votes_that_only_its_teacher_saw(teacher_weights: Path, tmp_path: Path) -> None:
    faces = toy_faces()
    votes = np.zeros((len(faces), 10), np.uint8)
    votes[:, 0] = 10
    voted = FaceSet(faces.images, faces.labels, faces.splits, votes, faces.rows)
    train.fit(replace(TOY, votes_weight=0.5), voted, DEVICE, tmp_path / "teacher", Recorder())
    words = []
    for weights in (teacher_weights, tmp_path / "teacher" / checkpoint.WEIGHTS_NAME):
        said = teacher.ask([teacher_weights, weights], faces, DEVICE)
        config = replace(TOY, teacher_weight=0.5, epochs=1)
        words.append(train.fit(config, faces, DEVICE, tmp_path / "pupil", Recorder(), teacher=said).training_data)
    plain = "FER2013, Training split"
    known = (plain, f"{plain} and its FER+ votes")
    assert words == [f"{by}; distilled from networks that learned from the same" for by in known]
