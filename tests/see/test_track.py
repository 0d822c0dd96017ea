"""The tracker on faces whose motion and expressions are known."""

import itertools

import numpy as np
import pytest

from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Face, Prediction
from fer.see.track import Tracker, TrackSettings, steady_label

WIDTH_PX = 100.0


def seen(x: float, label: str = "happy", y: float = 200.0, width: float = WIDTH_PX, sure: float = 0.88) -> Prediction:
    """A face centred at (x, y) whose probabilities favour `label`."""
    box = (x - width / 2, y - width * 0.6, x + width / 2, y + width * 0.6)
    return Prediction(Face(box, 0.9, "yunet"), probabilities(label, sure))


def probabilities(label: str, sure: float = 0.88) -> np.ndarray:
    values = np.full(len(CLASSES), (1 - sure) / (len(CLASSES) - 1), np.float32)
    values[CLASSES.index(label)] = sure
    return values


def place(track) -> float:
    return track.prediction.face.center[0]


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_box_is_carried_onto_a_crossing_face(fps: int, rng: np.random.Generator):
    """640 px in two seconds, detector jitter of 2 % of the width, drawn up to 100 ms after the analysis."""
    tracker = Tracker()
    speed = 320.0
    errors = []
    for step in range(2 * fps):
        now_s = step / fps
        tracker.update([seen(speed * now_s + rng.normal(0, 2))], now_s)
        if now_s > 0.5:
            errors += [abs(place(tracker.at(now_s + d)[0]) - speed * (now_s + d)) for d in (0.0, 0.05, 0.1)]
    assert np.percentile(errors, 95) < WIDTH_PX / 10


def test_identity_survives_a_short_occlusion_and_ends_after_a_long_one():
    tracker = Tracker(TrackSettings(forget_s=1.5))
    first = tracker.update([seen(100)], 0.0)[0].identity
    assert tracker.update([], 0.5) == []
    assert tracker.update([seen(110)], 1.0)[0].identity == first
    assert tracker.update([seen(110)], 2.6)[0].identity == first + 1


@pytest.mark.parametrize(("fps", "hidden_s"), [(15, 0.0), (15, 0.5), (8, 0.5), (30, 0.4)])
def test_two_faces_cross_and_keep_their_identities(fps: int, hidden_s: float, rng: np.random.Generator):
    """One goes right, one left; around the meeting the detector sees only the front one."""
    tracker = Tracker()
    for step in range(3 * fps):
        now_s = step / fps
        x_right, x_left = 100 + 150 * now_s, 500 - 150 * now_s
        faces = [seen(x_right + rng.normal(0, 1.5), "happy"), seen(x_left + rng.normal(0, 1.5), "sad", y=206)]
        if abs(now_s - 4 / 3) < hidden_s / 2:
            faces = faces[:1]
        tracks = tracker.update(faces, now_s)
        if step == 0:
            ids = {track.identity: place(track) < 300 for track in tracks}
    assert {track.identity: place(track) > 300 for track in tracks} == ids
    assert {track.label for track in tracks} == {"happy", "sad"}


def test_lingers_through_one_missed_detection_then_hides():
    tracker = Tracker(TrackSettings(linger_s=0.25))
    tracker.update([seen(100)], 0.0)
    assert len(tracker.update([], 0.1)) == 1
    assert tracker.update([], 0.3) == []


def test_motion_is_not_trusted_for_ever():
    tracker = Tracker(TrackSettings(linger_s=10, forget_s=10))
    for step in range(10):
        tracker.update([seen(30.0 * step)], step / 10)
    assert place(tracker.at(0.9 + 5)[0]) == pytest.approx(place(tracker.at(0.9 + 0.5)[0]))


@pytest.mark.parametrize("fps", [4, 15, 30])
def test_smoothing_follows_time_not_frames(fps: int):
    """After one time constant 63 % of a change has arrived, whatever the frame rate."""
    tracker = Tracker(TrackSettings(smoothing_s=0.5))
    tracker.update([seen(100, "sad", sure=1.0)], 0.0)
    for step in range(1, fps // 2 + 1):
        track = tracker.update([seen(100, "happy", sure=1.0)], step * 0.5 / (fps // 2))[0]
    assert track.prediction.probabilities[CLASSES.index("happy")] == pytest.approx(1 - np.exp(-1), abs=1e-6)


def test_no_smoothing_shows_each_frame():
    tracker = Tracker(TrackSettings(smoothing_s=0, hysteresis=0))
    labels = [tracker.update([seen(9, name)], i / 15)[0].label for i, name in enumerate(("sad", "happy", "fear"))]
    assert labels == ["sad", "happy", "fear"]


def test_label_holds_still_on_a_noisy_face_and_follows_a_true_switch(rng: np.random.Generator):
    """Near-tied noisy probabilities for a minute, then a real change."""

    def noisy(favoured: str, sure: float) -> Prediction:
        logits = np.log(probabilities(favoured, sure)) + rng.normal(0, 0.5, len(CLASSES))
        values = np.exp(logits) / np.exp(logits).sum()
        return Prediction(seen(100).face, values.astype(np.float32))

    steady, raw = Tracker(), Tracker(TrackSettings(smoothing_s=0, hysteresis=0))
    frames = [(noisy("neutral", 0.35), step / 15) for step in range(15 * 60)]
    labels = {id(t): [t.update([p], time_s)[0].label for p, time_s in frames] for t in (steady, raw)}
    changes = {key: sum(a != b for a, b in itertools.pairwise(row)) for key, row in labels.items()}
    assert changes[id(steady)] * 20 < changes[id(raw)]
    switched = [steady.update([noisy("happy", 0.8)], 60 + step / 15)[0].label for step in range(15)]
    assert switched.index("happy") / 15 < 0.5


@pytest.mark.parametrize(
    ("previous", "happy", "sad", "unsure_below", "expected"),
    [
        (None, 0.5, 0.3, 0.4, "happy"),
        (None, 0.5, 0.3, 0.6, UNSURE),
        ("sad", 0.45, 0.40, 0.0, "sad"),  # leads, but by less than the margin
        ("sad", 0.50, 0.35, 0.0, "happy"),
        ("happy", 0.38, 0.2, 0.4, "happy"),  # a little under the threshold
        ("happy", 0.30, 0.2, 0.4, UNSURE),
        (UNSURE, 0.42, 0.2, 0.4, UNSURE),  # a little over it
        (UNSURE, 0.50, 0.2, 0.4, "happy"),
        (UNSURE, 1.0, 0.0, 1.0, "happy"),  # a threshold of one can be left
    ],
)
def test_hysteresis(previous: str | None, happy: float, sad: float, unsure_below: float, expected: str):
    values = np.zeros(len(CLASSES))
    values[CLASSES.index("happy")], values[CLASSES.index("sad")] = happy, sad
    assert steady_label(previous, values, unsure_below, hysteresis=0.1) == expected


def test_landmarks_move_with_the_box():
    face = Face((0, 0, 100, 100), 0.9, "yunet", landmarks=((30, 40), (70, 40), (50, 60), (35, 80), (65, 80)))
    tracker = Tracker()
    for step in range(12):
        shift = 20.0 * step
        moved = Face((shift, 0, 100 + shift, 100), 0.9, "yunet", tuple((x + shift, y) for x, y in face.landmarks))
        tracker.update([Prediction(moved, probabilities("happy"))], step / 10)
    now = tracker.at(1.2)[0].prediction.face
    assert now.landmarks[0][0] - now.box[0] == pytest.approx(30, abs=2)
    assert now.landmarks[0][0] == pytest.approx(12 * 20 + 30, abs=4)


def test_probabilities_stay_a_distribution_and_tracks_are_widest_first():
    tracker = Tracker()
    for step in range(50):
        tracks = tracker.update([seen(100, "fear", width=50), seen(400, CLASSES[step % 7], width=150)], step / 30)
    assert [round(t.prediction.face.width) for t in tracks] == [150, 50]
    assert all(t.prediction.probabilities.sum() == pytest.approx(1, abs=1e-5) for t in tracks)


def test_time_must_go_forward():
    tracker = Tracker()
    tracker.update([], 1.0)
    with pytest.raises(ValueError, match="in order"):
        tracker.update([], 1.0)


@pytest.mark.parametrize("wrong", [{"smoothing_s": -1}, {"hysteresis": 1.2}, {"unsure_below": -0.1}, {"forget_s": -1}])
def test_settings_refuse_what_cannot_be(wrong: dict):
    with pytest.raises(ValueError, match="track settings"):
        TrackSettings(**wrong)
