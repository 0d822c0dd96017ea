"""The seven expression classes in FER2013's order, with the colour and the emoji of each.

The dataset calls its column 'emotion'; what a model can see on a face is the expression, never what a
person feels. Colours are Okabe and Ito's (2008), which people with any colour vision can tell apart.
"""

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

COLORS = {
    "angry": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happy": "#E69F00",
    "sad": "#0072B2",
    "surprise": "#56B4E9",
    "neutral": "#999999",
}

EMOJI = {
    "angry": "😠",
    "disgust": "🤢",
    "fear": "😨",
    "happy": "😄",
    "sad": "😢",
    "surprise": "😮",
    "neutral": "😐",
}

UNSURE = "unsure"
UNSURE_COLOR = "#5B5B66"
UNSURE_EMOJI = "🤔"
