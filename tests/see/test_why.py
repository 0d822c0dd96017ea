"""What an answer hangs on, with networks of which that is known."""

import numpy as np

from fer.emotions import CLASSES
from fer.see.recognize import Recognizer
from fer.see.why import PATCH_PX, overlay, sensitivity

HAPPY = CLASSES.index("happy")
MOUTH = (slice(33, 42), slice(15, 33))


def happy_by_a_bright_mouth(faces: np.ndarray) -> np.ndarray:
    """'happy' as far as the mouth is bright, else 'neutral'."""
    share = faces[:, *MOUTH].mean(axis=(1, 2)) / 255
    said = np.zeros((len(faces), 7), np.float32)
    said[:, HAPPY], said[:, CLASSES.index("neutral")] = share, 1 - share
    return said


def face_with_a_bright_mouth() -> np.ndarray:
    face = np.full((48, 48), 60, np.uint8)
    face[MOUTH] = 250
    return face


def test_an_answer_by_the_mouth_hangs_on_the_mouth_and_on_nothing_else() -> None:
    fall = sensitivity(happy_by_a_bright_mouth, face_with_a_bright_mouth(), HAPPY)
    y, x = np.unravel_index(fall.argmax(), fall.shape)
    assert MOUTH[0].start <= y < MOUTH[0].stop
    assert MOUTH[1].start <= x < MOUTH[1].stop
    beyond = np.ones((48, 48), dtype=bool)
    beyond[33 - PATCH_PX : 42 + PATCH_PX, 15 - PATCH_PX : 33 + PATCH_PX] = False
    assert (fall[beyond] == 0).all()
    assert fall.max() > 0.2
    assert fall.min() >= 0


def test_what_speaks_against_an_answer_is_below_zero_and_blue() -> None:
    face = face_with_a_bright_mouth()
    against = sensitivity(happy_by_a_bright_mouth, face, CLASSES.index("neutral"))
    np.testing.assert_allclose(against, -sensitivity(happy_by_a_bright_mouth, face, HAPPY), atol=1e-6)
    red, _, blue = overlay(face, against)[4 * 37, 4 * 24].astype(int)
    assert blue > red
    red, _, blue = overlay(face, -against)[4 * 37, 4 * 24].astype(int)
    assert red > blue
    assert (overlay(face, against)[0, 0] == 60).all()


def test_the_network_is_asked_once_and_its_face_is_left_alone() -> None:
    asked = []

    def count(faces: np.ndarray) -> np.ndarray:
        asked.append(len(faces))
        return happy_by_a_bright_mouth(faces)

    face = face_with_a_bright_mouth()
    sensitivity(count, face, HAPPY)
    assert asked == [170]
    assert np.array_equal(face, face_with_a_bright_mouth())


def test_the_smile_of_the_sample_photo_hangs_on_the_mouth(sample_image: np.ndarray) -> None:
    recognizer = Recognizer(threads=1)
    [crop] = recognizer.crops(sample_image, recognizer.detect(sample_image)[:1])
    fall = sensitivity(recognizer.classify, crop, HAPPY)
    y, _ = np.unravel_index(fall.argmax(), fall.shape)
    assert y >= 26, fall.max()  # below the nose
