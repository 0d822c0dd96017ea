"""Warnings about a photo's results: the photo seems turned, or is the first of several in its file.

Shared by the page, the command line and the API. Standard library only.
"""

from typing import Literal

First = Literal["frame", "picture"]
TURNS = {90: "90° to the left", 180: "180°", 270: "90° to the right"}  # by degrees counter-clockwise


def notes(first: First | None, turn_deg: int, faces: int) -> list[str]:
    """One or two sentences for each warning; [] for most photos.

    first: what the photo is the first of, as in fer.see.images.Picture. turn_deg: the result of
    Recognizer.suggest_turn. faces: how many were found.
    """
    said = [_turned(turn_deg)] if turn_deg else []
    return [*said, _first(first, faces)] if first else said


def _turned(turn_deg: int) -> str:
    way = "hang upside down" if turn_deg == 180 else "lie on its side"
    return (
        f"The photo seems to {way}: what is said of its faces may be wrong, and some may be missing. "
        f"Turn it by {TURNS[turn_deg]}."
    )


def _first(first: First, faces: int) -> str:
    empty = "" if faces else ", and that shows no face"
    if first == "picture":
        return f"A file of several pictures: only one was read{empty}. Save the others as files of their own."
    return f"An animation: only its first frame was read{empty}. Saved as MP4, all of it can be read as a video."
