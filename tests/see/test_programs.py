"""Recognizer as other programs use it: any kind of image, many at once, over time, in threads and worker processes."""

import io
import itertools
import multiprocessing
import os
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from fer import Recognizer
from fer.emotions import UNSURE
from fer.see.detect import Haar, YuNet
from fer.see.faces import Prediction
from fer.see.images import ImageError, ImageSource
from fer.see.judge import JudgeSettings
from fer.see.recognize import ClosedError
from tests.conftest import SAMPLE
from tests.fakes import tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_tiny(tmp_path_factory.mktemp("weights") / "tiny.onnx")


@pytest.fixture(scope="module")
def recognizer(weights: Path) -> Recognizer:
    return Recognizer(weights)


def assert_same(found: list[Prediction], expected: list[Prediction], atol: float = 0.0) -> None:
    assert [(p.face, p.label, p.identity) for p in found] == [(p.face, p.label, p.identity) for p in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=atol, rtol=0)


def turned_by_exif(image: np.ndarray, orientation: int) -> bytes:
    """A file whose stored pixels are `image`, to be shown as its EXIF orientation says."""
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(image).save(file, "PNG", exif=exif)
    return file.getvalue()


SOURCES: dict[str, Callable[[], ImageSource]] = {
    "path": lambda: SAMPLE,
    "path as text": lambda: str(SAMPLE),
    "bytes": SAMPLE.read_bytes,
    "Pillow, not decoded yet": lambda: PIL.Image.open(SAMPLE),
    "Pillow, decoded": lambda: PIL.Image.open(SAMPLE).convert("RGB"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_any_kind_of_image_is_the_same_image(recognizer: Recognizer, sample_image: np.ndarray, kind: str) -> None:
    source = SOURCES[kind]()
    expected = recognizer.predict(sample_image)
    assert len(expected) == 1
    assert_same(recognizer.predict(source), expected)
    assert recognizer.detect(source) == recognizer.detect(sample_image)
    assert recognizer.suggest_turn(source) == 0


def test_files_and_pillows_images_are_set_upright(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    file = turned_by_exif(np.ascontiguousarray(np.rot90(sample_image)), 6)  # shown turned to the right: upright
    expected = recognizer.predict(sample_image)
    assert_same(recognizer.predict(file), expected)
    assert_same(recognizer.predict(PIL.Image.open(io.BytesIO(file))), expected)


def test_faces_of_a_file_read_at_half_its_sides_are_in_the_files_pixels(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = recognizer.predict(SAMPLE)
    monkeypatch.setattr("fer.see.images.HALVED_MP", 0.1)  # the sample has 0.26 megapixels
    (halved,), ((many,),) = recognizer.predict(SAMPLE), recognizer.predict_many([SAMPLE])
    assert recognizer.detect(SAMPLE) == [halved.face] == [many.face]
    assert halved.face != whole.face, "it was read whole"
    assert halved.face.box == pytest.approx(whole.face.box, abs=12)  # else it is half as large: by 90 and more


def test_a_broken_image_of_pillows_is_refused_as_a_file_is(recognizer: Recognizer) -> None:
    cut = SAMPLE.read_bytes()[:9000]
    for source in (cut, PIL.Image.open(io.BytesIO(cut))):
        with pytest.raises(ImageError):
            recognizer.predict(source)


def group(image: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([image] * count, axis=1) if count else np.zeros_like(image)


@pytest.mark.parametrize("counts", [(), (0,), (1, 0, 3, 2, 0), (1,) * 20, (0,) * 20, (3,) * 23])
def test_many_images_give_what_each_gives_alone(
    recognizer: Recognizer, sample_image: np.ndarray, counts: tuple[int, ...]
) -> None:
    images = {count: group(sample_image, count) for count in counts}
    alone = {count: recognizer.predict(image, thorough=False) for count, image in images.items()}
    assert [len(alone[count]) for count in counts] == list(counts)
    many = list(recognizer.predict_many((images[count] for count in counts), thorough=False))
    assert len(many) == len(counts)
    for found, count in zip(many, counts, strict=True):
        assert_same(found, alone[count], atol=1e-6)  # a batch's sums may be made in another order


def test_faces_of_several_images_are_one_batch(
    recognizer: Recognizer, sample_image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    both_ways = recognizer._classifier.both_ways

    def counted(faces: np.ndarray, mirror: bool | None) -> object:
        batches.append(len(faces))
        return both_ways(faces, mirror)

    monkeypatch.setattr(recognizer._classifier, "both_ways", counted)
    assert len(list(recognizer.predict_many([sample_image] * 20))) == 20
    assert batches == [16, 4]


def test_many_images_are_taken_as_they_are_needed(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    endless = itertools.repeat(sample_image)
    assert [len(found) for found in itertools.islice(recognizer.predict_many(endless), 3)] == [1, 1, 1]


def test_images_before_a_refused_one_are_given(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    found = recognizer.predict_many([sample_image, b"broken", sample_image])
    assert len(next(found)) == 1
    with pytest.raises(ImageError):
        next(found)
    with pytest.raises(StopIteration):
        next(found)


@pytest.mark.parametrize("threshold", [50, -0.1, float("nan"), "0.5", True, [0.5]])
def test_many_refuse_a_threshold_before_the_first_image(recognizer: Recognizer, threshold: Any) -> None:
    with pytest.raises(ValueError, match=r"unsure_below must be a share, 0\.\.1"):
        recognizer.predict_many([], threshold)


def test_many_take_the_threshold(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    ((found,),) = recognizer.predict_many([sample_image], unsure_below=1.0)
    assert found.label == UNSURE


def walk(image: np.ndarray, frames: int, step_px: int) -> Iterator[np.ndarray]:
    """The sample and its mirror image side by side, both walking to the right."""
    both = np.concatenate([image, image[:, ::-1]], axis=1)
    for number in range(frames):
        yield np.roll(both, number * step_px, axis=1)


def test_a_stream_knows_who_is_who(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    frames = [(number / 10, image) for number, image in enumerate(walk(sample_image, 6, step_px=8))]
    samples = list(recognizer.stream(frames))
    assert [sample.time_s for sample in samples] == [time_s for time_s, _ in frames]
    identities = [[p.identity for p in sorted(sample.predictions, key=lambda p: p.face.center)] for sample in samples]
    assert identities[0] in ([1, 2], [2, 1])
    assert all(one == identities[0] for one in identities)


def test_a_stream_smooths_over_time_and_obeys_its_settings(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    frames = [(0.0, sample_image), (0.1, sample_image // 2)]
    alone = [recognizer.observe(image, thorough=False)[0].probabilities for _, image in frames]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3, "nothing to smooth"
    plain = [s.predictions[0].probabilities for s in recognizer.stream(frames, JudgeSettings(smoothing_s=0))]
    np.testing.assert_allclose(plain, alone, atol=1e-6)
    smoothed = [s.predictions[0].probabilities for s in recognizer.stream(frames, JudgeSettings(smoothing_s=0.2))]
    keep = np.exp(-0.1 / 0.2)
    np.testing.assert_allclose(smoothed[1], keep * alone[0] + (1 - keep) * alone[1], atol=1e-5)
    (unsure, *_) = recognizer.stream(frames, JudgeSettings(unsure_below=1.0))
    assert unsure.predictions[0].label == UNSURE


def test_a_stream_without_times_takes_the_clock(recognizer: Recognizer) -> None:
    times_s = [sample.time_s for sample in recognizer.stream([SAMPLE, SAMPLE.read_bytes(), PIL.Image.open(SAMPLE)])]
    assert 0 <= times_s[0] < times_s[1] < times_s[2]


def test_a_stream_whose_time_goes_back_is_refused(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frames must come in order"):
        list(recognizer.stream([(1.0, sample_image), (0.5, sample_image)]))


@pytest.mark.app  # half a minute of both cores
def test_eight_threads_get_what_one_gets(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    images = [group(sample_image, count) for count in range(4)]
    expected = [recognizer.predict(image) for image in images]
    together = threading.Barrier(8)

    def read(first: int) -> list[list[Prediction]]:
        together.wait(30)
        return [recognizer.predict(images[(first + turn) % len(images)]) for turn in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for first, found in enumerate(pool.map(read, range(8))):
            for turn, one in enumerate(found):
                assert_same(one, expected[(first + turn) % len(images)], atol=1e-6)


@pytest.mark.app  # two processes start
def test_a_pool_of_spawned_processes_takes_a_recognizer(
    recognizer: Recognizer, sample_image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for found in pool.map(recognizer.predict, [sample_image, SAMPLE]):
            assert_same(found, recognizer.predict(sample_image), atol=1e-6)


@pytest.mark.parametrize("detector", ["haar", YuNet(0.9), Haar()])
def test_a_pickled_recognizer_is_its_arguments(
    weights: Path, monkeypatch: pytest.MonkeyPatch, sample_image: np.ndarray, detector: str | YuNet | Haar
) -> None:
    monkeypatch.chdir(weights.parent)
    original = Recognizer(weights.name, detector, mirror=False)
    content = pickle.dumps(original)
    assert len(content) < 4096, "networks were pickled"
    monkeypatch.chdir(os.sep)  # where a worker may stand
    copied = pickle.loads(content)  # noqa: S301 (made here)
    assert copied.card == original.card
    assert_same(copied.predict(sample_image), original.predict(sample_image))


def test_with_frees_the_networks(weights: Path, sample_image: np.ndarray) -> None:
    with Recognizer(weights) as recognizer:
        assert len(recognizer.predict(sample_image)) == 1
        networks = [weakref.ref(network) for network in recognizer._opened()]
    assert [network() for network in networks] == [None, None]
    assert recognizer.card.name == "tiny"


@pytest.mark.parametrize(
    "use",
    [
        lambda closed: closed.predict(SAMPLE),
        lambda closed: list(closed.predict_many([SAMPLE])),
        lambda closed: list(closed.stream([SAMPLE])),
        lambda closed: closed.classify(np.zeros((1, 48, 48), np.uint8)),
        lambda closed: closed.suggest_turn(SAMPLE),
        pickle.dumps,
    ],
)
def test_a_closed_recognizer_says_so(weights: Path, use: Callable[[Recognizer], object]) -> None:
    recognizer = Recognizer(weights)
    recognizer.close()
    recognizer.close()  # closing twice is no error
    with pytest.raises(ClosedError, match="Make another one"):
        use(recognizer)
