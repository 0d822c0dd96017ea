"""fer.see.notes: what is said of a photo beside its faces."""

import pytest

from fer.see.notes import TURNS, notes


def test_nothing_is_said_of_most_photos() -> None:
    assert notes(first=None, turn_deg=0, faces=0) == notes(first=None, turn_deg=0, faces=2) == []


@pytest.mark.parametrize(("turn_deg", "way"), [(90, "lie on its side"), (180, "hang upside down"), (270, "lie on its")])
def test_a_turned_photo(turn_deg: int, way: str) -> None:
    (note,) = notes(first=None, turn_deg=turn_deg, faces=1)
    assert way in note
    assert note.endswith(f"Turn it by {TURNS[turn_deg]}.")


def test_an_animation_says_whether_its_first_frame_shows_a_face() -> None:
    (without,), (with_one,) = (notes(first="frame", turn_deg=0, faces=count) for count in (0, 1))
    assert "only its first frame was read, and that shows no face." in without
    assert "only its first frame was read." in with_one


def test_a_file_of_several_pictures_says_so() -> None:
    (note,) = notes(first="picture", turn_deg=0, faces=1)
    assert note.startswith("A file of several pictures: only one was read.")


def test_both_are_said() -> None:
    alone = notes(first="frame", turn_deg=0, faces=1) + notes(first=None, turn_deg=90, faces=1)
    assert len(alone) == 2
    assert sorted(notes(first="frame", turn_deg=90, faces=1)) == sorted(alone)
