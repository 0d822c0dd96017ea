import numpy as np
import pytest
from test_train import TOY, Recorder
from toy import toy_faces

from fer.card import WeightsError
from fer.learn import checkpoint, devices, teacher, train
from fer.learn.dataset import SPLITS

DEVICE = devices.resolve("cpu", "fp32")


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A trained toy run: its best weights."""
    folder = tmp_path_factory.mktemp("teacher")
    train.fit(TOY, toy_faces(), DEVICE, folder, Recorder())
    return folder / checkpoint.WEIGHTS_NAME


def test_one_teacher_says_its_mean_over_mirror_images(taught):
    faces = toy_faces()
    network, card = checkpoint.load_weights(taught)
    x = train.normalise(train.torch.tensor(faces.split("Training").images), card.mean, card.std)
    with train.torch.inference_mode():
        expected = (network(x).softmax(1) + network(x.flip(3)).softmax(1)) / 2
    said = teacher.ask([taught], faces, DEVICE)
    assert said.dtype == np.float32
    assert said == pytest.approx(expected.numpy(), abs=1e-5)


def test_two_teachers_weigh_the_same(taught):
    once, twice = (teacher.ask([taught] * n, toy_faces(), DEVICE) for n in (1, 2))
    assert once == pytest.approx(twice, abs=1e-6)


def test_only_training_faces_are_asked_about(taught):
    faces = toy_faces()
    assert len(teacher.ask([taught], faces, DEVICE)) == (faces.splits == SPLITS.index("Training")).sum()


def test_what_was_saved_is_loaded(tmp_path):
    probabilities = np.full((3, 7), 1 / 7, np.float32)
    teacher.save(tmp_path / "new", probabilities)
    assert np.array_equal(teacher.load(tmp_path / "new"), probabilities)
    assert teacher.load(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"not numpy", b"\x80\x04N."])
def test_a_broken_file_is_refused(tmp_path, content):
    (tmp_path / teacher.TEACHER_NAME).write_bytes(content)
    with pytest.raises(WeightsError, match="start the run anew"):
        teacher.load(tmp_path)
