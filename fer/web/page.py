"""Constants for showing a camera or a photo, shared by the pages of the server and those in the browser."""

MOST_ROWS = 6  # faces that get a card and a strip
PANEL_EVERY_S = 0.4  # cards and timeline are redrawn
SILENT_S = 3.0  # after so long without a frame, a camera is reported as unplugged
MOST_PHOTOS = 40  # shown at once
PREVIEW_PX = 1280  # the longer side of a photo as displayed
CROP_PX = 192  # side of each face shown next to it
START, STOP = "Start camera", "Stop"
NOTHING_YET = "Press Start camera and allow the browser to use it."
