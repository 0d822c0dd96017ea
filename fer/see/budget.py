"""Whether a camera's faces are read twice, as they are and mirrored: as long as the looks keep up with the camera."""

LOOK_MS = 66.0  # at 15 frames a second a look that takes no longer misses none


def reads_mirrored(before: bool, look_ms: float | None) -> bool:
    """Whether the next look reads the mirror images too.

    before: whether the last looks did. look_ms: how long one of them took, typically; None before the first.

    After they were given up they come back only when a look takes less than half of the budget: reading them costs at
    most as much again as the rest of it, so they are not given up at once.
    """
    if look_ms is None:
        return before
    return look_ms <= (LOOK_MS if before else LOOK_MS / 2)
