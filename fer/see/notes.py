"""Warnings about a photo's results: the photo seems turned, or is one frame of an animation.

Shared by the page, the command line and the API. Standard library only.
"""

TURNS = {90: "90° to the left", 180: "180°", 270: "90° to the right"}  # by degrees counter-clockwise


def notes(animated: bool, turn_deg: int, faces: int) -> list[str]:
    """One or two sentences for each warning; [] for most photos.

    animated: whether it is the first frame of several. turn_deg: the result of Recognizer.suggest_turn. faces: how
    many were found.
    """
    said = [_turned(turn_deg)] if turn_deg else []
    return [*said, _animation(faces)] if animated else said


def _turned(turn_deg: int) -> str:
    way = "hang upside down" if turn_deg == 180 else "lie on its side"
    return (
        f"The photo seems to {way}: what is said of its faces may be wrong, and some may be missing. "
        f"Turn it by {TURNS[turn_deg]}."
    )


def _animation(faces: int) -> str:
    empty = "" if faces else ", and that shows no face"
    return f"An animation: only its first frame was read{empty}. Saved as MP4, all of it can be read as a video."
