from dataclasses import replace

import numpy as np
import pytest
from toy import toy_faces

from fer.card import WeightsError
from fer.data.dataset import SPLITS, FaceSet
from fer.learn import checkpoint, devices, teacher, train
from fer.learn.targets import Teacher
from tests.learn.test_train import TOY, Recorder

DEVICE = devices.resolve("cpu", "fp32")


@pytest.fixture(scope="module")
def teacher_weights(tmp_path_factory):
    """A trained toy run: its best weights."""
    folder = tmp_path_factory.mktemp("teacher")
    train.fit(TOY, toy_faces(), DEVICE, folder, Recorder())
    return folder / checkpoint.WEIGHTS_NAME


def test_one_teacher_says_its_mean_over_mirror_images(teacher_weights):
    faces = toy_faces()
    network, card = checkpoint.load_weights(teacher_weights)
    x = train.normalise(train.torch.tensor(faces.split("Training").images), card.mean, card.std)
    with train.torch.inference_mode():
        expected = (network(x).softmax(1) + network(x.flip(3)).softmax(1)) / 2
    said = teacher.ask([teacher_weights], faces, DEVICE)
    assert said.probabilities.dtype == np.float32
    assert said.probabilities == pytest.approx(expected.numpy(), abs=1e-5)


def test_two_teachers_weigh_the_same(teacher_weights):
    once, twice = (teacher.ask([teacher_weights] * n, toy_faces(), DEVICE).probabilities for n in (1, 2))
    assert once == pytest.approx(twice, abs=1e-6)


def test_only_training_faces_are_asked_about(teacher_weights):
    faces = toy_faces()
    assert (
        len(teacher.ask([teacher_weights], faces, DEVICE).probabilities)
        == (faces.splits == SPLITS.index("Training")).sum()
    )


@pytest.mark.parametrize("knows_votes", [False, True])
def test_what_was_saved_is_loaded(tmp_path, knows_votes):
    assert checkpoint.load_teacher(tmp_path / "new") is None
    said = Teacher(np.full((3, 7), 1 / 7, np.float32), knows_votes)
    checkpoint.save_teacher(tmp_path / "new", said)
    loaded = checkpoint.load_teacher(tmp_path / "new")
    assert np.array_equal(loaded.probabilities, said.probabilities)
    assert loaded.knows_votes is knows_votes


@pytest.mark.parametrize("content", [b"", b"not ours", b"\x80\x04N."])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / checkpoint.TEACHER_NAME).write_bytes(content)
    with pytest.raises(WeightsError, match=checkpoint.TEACHER_NAME):
        checkpoint.load_teacher(tmp_path)


def test_weights_are_not_taken_for_a_teachers_answers(teacher_weights, tmp_path):
    (tmp_path / checkpoint.TEACHER_NAME).write_bytes(teacher_weights.read_bytes())
    with pytest.raises(WeightsError, match="start the run anew"):
        checkpoint.load_teacher(tmp_path)


def test_a_pupils_card_tells_of_votes_that_only_its_teacher_saw(teacher_weights, tmp_path):
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
    plain, voted = "FER2013, Training split", "FER2013, Training split and its FER+ votes"
    assert words == [f"{by}; distilled from networks that learned from the same" for by in (plain, voted)]
