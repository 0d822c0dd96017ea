"""Who is who, set right: names, merges, splits, hidden people."""

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see.faces import Face, Look, Observation, Track
from fer.see.people import People, same_again


def track(identity: int, left: float = 0.0, seen: bool = True) -> Track:
    probabilities = np.full(len(CLASSES), 1 / 7, np.float32)
    return Track(identity, Observation(Face((left, 0, left + 20, 30), 0.9, "yunet"), probabilities), seen)


LOOKS = [Look(float(t), (track(1), track(2)) if t < 5 else (track(3),)) for t in range(10)]


def who(people: People) -> list[tuple[int, ...]]:
    return [tuple(t.identity for t in look.tracks) for look in people.apply(LOOKS)]


def test_nobody_changes_without_a_correction() -> None:
    assert People().named(1, "Ada").apply(LOOKS) == LOOKS


def test_a_merge_gives_both_one_number() -> None:
    assert who(People().merge(3, into=1)) == [(1, 2)] * 5 + [(1,)] * 5


def test_a_chain_of_merges_ends_at_its_last() -> None:
    assert who(People().merge(3, into=2).merge(2, into=1)) == [(1,)] * 10
    with pytest.raises(ValueError, match="one already"):
        People().merge(3, into=2).merge(2, into=3)


def test_of_two_that_are_one_the_measured_face_is_kept() -> None:
    look = Look(0.0, (track(1, 10.0, seen=False), track(2, 50.0)))
    [kept] = People().merge(2, into=1).apply([look])[0].tracks
    assert (kept.identity, kept.observation.face.box[0]) == (1, 50.0)


def test_a_split_holds_from_its_moment_on() -> None:
    people = People().split(1, 3.0, other=9)
    assert who(people) == [(1, 2)] * 3 + [(9, 2)] * 2 + [(3,)] * 5
    assert who(people.merge(9, into=3)) == [(1, 2)] * 3 + [(3, 2)] * 2 + [(3,)] * 5
    assert who(people.split(9, 4.0, other=10)) == [(1, 2)] * 3 + [(9, 2), (10, 2)] + [(3,)] * 5


def test_who_is_hidden_is_nowhere() -> None:
    people = People().hide(2)
    assert who(people) == [(1,)] * 5 + [(3,)] * 5
    assert who(people.show_all()) == [(1, 2)] * 5 + [(3,)] * 5


def test_names_are_words_only() -> None:
    people = People().named(1, "  Ada ").named(2, "")
    assert (people.name(1), people.name(2)) == ("Ada", "Person 2")
    assert people.named(1, "").name(1) == "Person 1"


@pytest.mark.parametrize(
    ("seen", "offered"),
    [
        ([{1}, {1}, set(), {2}], [(2, 1)]),
        ([{1}, {1, 2}, {2}], []),  # at one moment: two people
        ([{1, 2}, {2}, set(), {3}], [(3, 2)]),  # the one who left last
        ([{1, 2}, set(), {3, 4}], [(3, 1), (4, 2)]),  # each once
        ([{1}, set(), {2}, set(), {3}], [(2, 1), (3, 2)]),  # a chain is one person
        ([], []),
    ],
)
def test_who_comes_after_somebody_left_may_be_that_one(seen: list[set[int]], offered: list[tuple[int, int]]) -> None:
    looks = [Look(float(i), tuple(track(number) for number in sorted(who))) for i, who in enumerate(seen)]
    assert same_again(looks) == offered
