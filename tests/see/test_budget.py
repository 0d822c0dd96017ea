import pytest

from fer.see.budget import LOOK_MS, reads_mirrored


@pytest.mark.parametrize(
    ("before", "look_ms", "expected"),
    [
        (True, None, True),
        (False, None, False),
        (True, LOOK_MS, True),
        (True, LOOK_MS + 1, False),
        (False, LOOK_MS / 2 + 1, False),
        (False, LOOK_MS / 2, True),
    ],
)
def test_mirror_images_are_given_up_over_the_budget_and_come_back_under_half_of_it(
    before: bool, look_ms: float | None, expected: bool
) -> None:
    assert reads_mirrored(before, look_ms) is expected


@pytest.mark.parametrize("rest_ms", [1, 20, 40, 60, 80])
@pytest.mark.parametrize("network_ms", [1, 5, 15, 30, 60])
def test_it_settles_whatever_a_look_costs(rest_ms: int, network_ms: int) -> None:
    """A look costs the rest, and the network once or twice; the network's share never flips the answer for ever."""
    found, mirrored = [], True
    for _ in range(10):
        mirrored = reads_mirrored(mirrored, rest_ms + network_ms * (2 if mirrored else 1))
        found.append(mirrored)
    assert len(set(found[2:])) == 1
