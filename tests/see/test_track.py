"""The tracker on faces whose motion is known."""

import itertools
import json
from dataclasses import asdict
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fer.emotions import CLASSES
from fer.see.faces import Face, Observation, Track
from fer.see.track import Tracker, TrackSettings

WIDTH_PX = 100.0


def seen(x: float, label: str = "happy", y: float = 200.0, width: float = WIDTH_PX, sure: float = 0.88) -> Observation:
    """A face centred at (x, y) whose probabilities favour `label`."""
    box = (x - width / 2, y - width * 0.6, x + width / 2, y + width * 0.6)
    return Observation(Face(box, 0.9, "yunet"), probabilities(label, sure))


def probabilities(label: str, sure: float = 0.88) -> np.ndarray:
    values = np.full(len(CLASSES), (1 - sure) / (len(CLASSES) - 1), np.float32)
    values[CLASSES.index(label)] = sure
    return values


def place(track: Track) -> float:
    return track.observation.face.center[0]


def best(track: Track) -> str:
    return CLASSES[int(track.observation.probabilities.argmax())]


@pytest.mark.parametrize("fps", [5, 15, 30])
def test_box_is_carried_onto_a_crossing_face(fps: int, rng: np.random.Generator) -> None:
    """640 px in two seconds, detector jitter of 2 % of the width, drawn up to 100 ms after the analysis."""
    tracker = Tracker()
    speed = 320.0
    errors = []
    for step in range(2 * fps):
        now_s = step / fps
        tracker.update([seen(speed * now_s + rng.normal(0, 2))], now_s)
        if now_s > 0.5:
            errors += [abs(tracker.at(now_s + d)[1].center[0] - speed * (now_s + d)) for d in (0.0, 0.05, 0.1)]
    assert np.percentile(errors, 95) < WIDTH_PX / 10


def test_identity_survives_a_short_occlusion_and_ends_after_a_long_one() -> None:
    tracker = Tracker(TrackSettings(forget_s=1.5))
    first = tracker.update([seen(100)], 0.0)[0].identity
    hidden = [tracker.update([], step / 10) for step in range(1, 10)]
    assert hidden[-1] == ()
    assert tracker.update([seen(110)], 1.0)[0].identity == first
    for step in range(11, 26):
        tracker.update([], step / 10)
    assert tracker.update([seen(110)], 2.6)[0].identity == first + 1


@pytest.mark.parametrize(("fps", "hidden_s"), [(15, 0.0), (15, 0.5), (8, 0.5), (30, 0.4)])
def test_two_faces_cross_and_keep_their_identities(fps: int, hidden_s: float, rng: np.random.Generator) -> None:
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
    assert {best(track) for track in tracks} == {"happy", "sad"}


def test_lingers_through_one_missed_detection_then_hides() -> None:
    tracker = Tracker(TrackSettings(linger_s=0.25))
    tracker.update([seen(100)], 0.0)
    (missed,) = tracker.update([], 0.1)
    assert not missed.seen
    assert len(tracker.update([], 0.2)) == 1
    assert tracker.update([], 0.3) == ()


def test_motion_is_not_trusted_for_ever() -> None:
    tracker = Tracker(TrackSettings(linger_s=10, forget_s=10))
    for step in range(10):
        tracker.update([seen(30.0 * step)], step / 10)
    assert tracker.at(0.9 + 5)[1].center == pytest.approx(tracker.at(0.9 + 0.5)[1].center)


def test_landmarks_move_with_the_box() -> None:
    face = Face((0, 0, 100, 100), 0.9, "yunet", landmarks=((30, 40), (70, 40), (50, 60), (35, 80), (65, 80)))
    tracker = Tracker()
    for step in range(12):
        shift = 20.0 * step
        moved = Face((shift, 0, 100 + shift, 100), 0.9, "yunet", tuple((x + shift, y) for x, y in face.landmarks))
        tracker.update([Observation(moved, probabilities("happy"))], step / 10)
    now = tracker.at(1.2)[1]
    assert now.landmarks is not None
    assert now.landmarks[0][0] - now.box[0] == pytest.approx(30, abs=2)
    assert now.landmarks[0][0] == pytest.approx(12 * 20 + 30, abs=4)


def test_tracks_are_widest_first() -> None:
    tracks = Tracker().update([seen(100, width=50), seen(400, width=150)], 0.0)
    assert [round(track.observation.face.width) for track in tracks] == [150, 50]


def numbers_after(*steps: tuple[float, list[float]], tracker: Tracker | None = None) -> list[list[int]]:
    """(seconds, centres in sight from then on) → the numbers of those in sight, left to right, at each step's end."""
    tracker, found, now = tracker or Tracker(), [], 0
    for (_, xs), (end_s, _) in itertools.pairwise((*steps, (steps[-1][0] + 1, []))):
        while now < end_s * 15:
            tracks = tracker.update([seen(x) for x in xs], now / 15)
            now += 1
        found.append([track.identity for track in sorted(tracks, key=place) if track.seen])
    return found


@pytest.mark.parametrize("away_s", [1, 2, 4])
def test_who_looks_away_for_seconds_comes_back_under_the_same_number(away_s: int) -> None:
    assert numbers_after((0, [300]), (3, []), (3 + away_s, [340])) == [[1], [], [1]]


def test_who_walks_out_of_the_picture_comes_back_at_its_edge_under_the_same_number() -> None:
    tracker = Tracker()
    for step in range(20):
        tracker.update([seen(300 + 20 * step)], step / 15)
    for step in range(20, 50):
        tracker.update([], step / 15)
    (back,) = tracker.update([seen(680)], 50 / 15)
    assert back.identity == 1


def test_two_who_look_away_come_back_each_under_the_own_number() -> None:
    assert numbers_after((0, [200, 340]), (2, []), (4, [330, 190])) == [[1, 2], [], [1, 2]]


def test_who_comes_back_elsewhere_or_in_another_size_or_after_long_is_somebody_new() -> None:
    assert numbers_after((0, [100]), (2, []), (4, [500])) == [[1], [], [2]]
    assert numbers_after((0, [100]), (2, []), (8, [100])) == [[1], [], [2]]
    tracker = Tracker()
    assert numbers_after((0, [100]), (2, []), tracker=tracker) == [[1], []]
    assert tracker.update([seen(100, width=3 * WIDTH_PX)], 4.0)[0].identity == 2


def test_a_face_in_sight_keeps_its_number_from_one_who_left() -> None:
    """The second comes closer to where the first was last than to the own place."""
    assert numbers_after((0, [100, 300]), (2, [300]), (2.5, [240]), (3, [190]), (3.5, [140])) == [
        *([1, 2], [2], [2], [2], [2]),
    ]


@given(st.lists(st.lists(st.floats(0, 640), max_size=6), min_size=1, max_size=25), st.sampled_from([0.07, 0.4, 2.0]))
def test_no_two_faces_ever_share_a_number_and_none_is_given_twice(looks: list[list[float]], every_s: float) -> None:
    tracker, highest = Tracker(), 0
    for step, xs in enumerate(looks):
        tracks = tracker.update([seen(x) for x in xs], step * every_s)
        numbers = [track.identity for track in tracks]
        assert len(set(numbers)) == len(numbers)
        assert sum(track.seen for track in tracks) == len(xs)
        fresh = [number for number in numbers if number > highest]
        assert sorted(fresh) == list(range(highest + 1, highest + 1 + len(fresh)))
        highest += len(fresh)


@pytest.mark.parametrize("every_s", [0.1, 0.5, 1.5, 2.0, 30.0])
def test_a_still_face_is_one_however_far_apart_the_looks_are(every_s: float) -> None:
    tracker = Tracker()
    looks = [tracker.update([seen(100)], every_s * step) for step in range(8)]
    assert [[track.identity for track in look] for look in looks] == [[1]] * 8


@pytest.mark.parametrize("every_s", [0.5, 2.0])
def test_where_looks_are_few_a_face_survives_two_that_miss_it(every_s: float) -> None:
    tracker = Tracker()
    tracker.update([seen(100)], 0.0)
    for step in (1, 2):
        tracker.update([], step * every_s)
    assert [track.identity for track in tracker.update([seen(100)], 3 * every_s)] == [1]


def test_where_looks_are_some_a_missed_face_lingers_for_one_but_not_for_seconds() -> None:
    for every_s, lingers in ((0.4, 1), (2.0, 0)):
        tracker = Tracker()
        for step in range(3):
            tracker.update([seen(100)], step * every_s)
        assert len(tracker.update([], 3 * every_s)) == lingers
        assert tracker.update([], 4 * every_s) == ()


def test_time_must_go_forward() -> None:
    tracker = Tracker()
    tracker.update([], 1.0)
    with pytest.raises(ValueError, match="in order"):
        tracker.update([], 1.0)


@pytest.mark.parametrize("wrong", [{"linger_s": -1}, {"reach": -0.1}, {"forget_s": float("nan")}])
def test_settings_refuse_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"track settings: {next(iter(wrong))}"):
        TrackSettings(**wrong)


def test_settings_can_be_handed_to_another_language() -> None:
    assert TrackSettings(**json.loads(json.dumps(asdict(TrackSettings())))) == TrackSettings()
