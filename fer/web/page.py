"""What a page shows of a camera or a photo: numbers and words for the server's pages and for the browser's."""

MOST_ROWS = 6  # faces that get a card and a strip
PANEL_EVERY_S = 0.4  # cards and timeline are drawn anew
SILENT_S = 3.0  # without a frame for so long, a camera is said to be unplugged
PREVIEW_PX = 1280  # the longer side of a photo as it is shown
CROP_PX = 192  # each face beside it
START, STOP = "Start camera", "Stop"
NOTHING_YET = "Press Start camera and allow the browser to use it."
