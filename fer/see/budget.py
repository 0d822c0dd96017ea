"""Decides whether a camera's faces are also read mirrored: only while the looks keep up with the camera."""

LOOK_MS = 66.0  # at 15 frames a second, a look that takes no longer misses no frame


def reads_mirrored(before: bool, look_ms: float | None) -> bool:
    """Whether the next look reads the mirror images too.

    before: whether the last looks did. look_ms: how long a look typically took; None before the first.

    Once dropped, they return only when a look takes at most half the budget: reading them at most doubles that time,
    so they are not dropped again at once.
    """
    if look_ms is None:
        return before
    return look_ms <= (LOOK_MS if before else LOOK_MS / 2)
