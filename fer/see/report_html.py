"""A video's result as one HTML file that opens anywhere, even offline: no scripts, all pictures embedded."""

import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from fer.emotions import CLASSES, COLORS, EMOJI, UNSURE, UNSURE_COLOR
from fer.see.caption import caption
from fer.see.detect import shrink
from fer.see.draw import color_of
from fer.see.faces import Prediction
from fer.see.timeline import label_spans
from fer.see.videofile import VideoFile
from fer.see.videotable import Seen, summary

MOST_MOMENTS = 12
_MOMENT_PX = 320
_BAND_PX = 1000

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
.band { display: grid; grid-template-columns: 9rem 1fr; gap: .3rem .8rem; align-items: center; }
.band svg { width: 100%; height: 1.4rem; border-radius: .3rem; background: var(--line); }
.band b { overflow: hidden; text-overflow: ellipsis; }
.legend, .moments, .faces { display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .35rem; }
figure { margin: 0; width: 15rem; } figure img { width: 100%; border-radius: .5rem; display: block; }
.faces figure { width: 7rem; } figcaption { font-size: .9rem; }
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the report was made, in sentences. read: how the video was read. judged: how labels were determined.
    limits: the limits stated in the model's card."""

    read: str
    judged: str
    weights: str
    limits: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """When a person showed a label most clearly. picture: JPEG, b"" if there is none."""

    time_s: float
    person: str
    prediction: Prediction
    picture: bytes = b""


def key_moments(seen: Seen, most: int = MOST_MOMENTS) -> list[Moment]:
    """The clearest look for each person and label; of these, the `most` clearest, in order of time."""
    best: dict[tuple[int, str], Moment] = {}
    for sample in seen.samples:
        for face in sample.predictions:
            before = best.get((face.identity, face.label))
            if face.label != UNSURE and (before is None or face.confidence > before.prediction.confidence):
                best[face.identity, face.label] = Moment(sample.time_s, seen.people.name(face.identity), face)
    clearest = sorted(best.values(), key=lambda moment: -moment.prediction.confidence)[:most]
    return sorted(clearest, key=lambda moment: moment.time_s)


def pictured(moments: Sequence[Moment], source: bytes | Path | BinaryIO) -> list[Moment]:
    """The moments with their frames from the video. Raises VideoError."""
    return [Moment(m.time_s, m.person, m.prediction, _picture(source, m.time_s, m.prediction)) for m in moments]


def _picture(source: bytes | Path | BinaryIO, time_s: float, prediction: Prediction) -> bytes:
    with closing(VideoFile(source)) as file:
        for frame in file.frames(max(time_s - 1e-3, 0.0)):
            shown = frame.shown().copy()
            left, top, right, bottom = (round(value) for value in prediction.face.box)
            cv2.rectangle(
                shown, (left, top), (right, bottom), color_of(prediction.label), max(2, shown.shape[1] // 200)
            )
            return _jpeg(shown, _MOMENT_PX)
    return b""


def report(seen: Seen, settings: Settings, portraits: Mapping[int, np.ndarray], moments: Sequence[Moment] = ()) -> str:
    """The whole file as text. portraits: identity → RGB uint8 (H, W, 3)."""
    start_s = seen.samples[0].time_s if seen.samples else 0.0
    people = summary(seen)
    count = f"{len(people)} {'person' if len(people) == 1 else 'people'}" if people else "no face found"
    parts = [
        f"<h1>{escape(seen.file)}</h1>",
        f"<p>{_clock(start_s)} to {_clock(seen.end_s)}, {len(seen.samples)} looks · {count}. "
        "Each figure is a share of the time that a person was seen.</p>",
        _faces(seen, portraits),
        _table(people),
        "<h2>Who showed what, when</h2>",
        _bands(seen, start_s),
        _legend(),
    ]
    if moments:
        parts += ["<h2>Clearest moments</h2>", "<ul class=moments>", *(_moment(m) for m in moments), "</ul>"]
    if seen.marks:
        marks = [{"from": _clock(m.start_s), "to": _clock(m.end_s), "note": m.note} for m in seen.marks]
        parts += ["<h2>Marks</h2>", _table(marks)]
    parts += ["<h2>How it was made</h2>", *(f"<p>{escape(t)}</p>" for t in (settings.read, settings.judged))]
    parts += [f"<p>{escape(settings.weights)}</p>", "<h2>Limits</h2>"]
    limits = ("An expression is not a feeling: the model names what a face shows, and it is often wrong.",)
    parts += ["<ul>", *(f"<li>{escape(text)}</li>" for text in (*limits, *settings.limits)), "</ul>"]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(seen.file)}: expressions</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _faces(seen: Seen, portraits: Mapping[int, np.ndarray]) -> str:
    known = sorted({face.identity for sample in seen.samples for face in sample.predictions} & portraits.keys())
    cells = (_figure(_jpeg(portraits[i], 160), escape(seen.people.name(i)), seen.people.name(i)) for i in known)
    return f"<div class=faces>{''.join(cells)}</div>"


def _moment(moment: Moment) -> str:
    words = f"<b>{_clock(moment.time_s)}</b> {escape(moment.person)}: {EMOJI[moment.prediction.label]} "
    return f"<li>{_figure(moment.picture, words + escape(caption(moment.prediction)), moment.person)}</li>"


def _figure(jpeg: bytes, words: str, alt: str) -> str:
    data = base64.b64encode(jpeg).decode()
    image = f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alt)}">' if jpeg else ""
    return f"<figure>{image}<figcaption>{words}</figcaption></figure>"


def _bands(seen: Seen, start_s: float) -> str:
    span_s = max(seen.end_s - start_s, 1e-3)
    bands = []
    for identity, spans in sorted(label_spans(seen.samples, seen.end_s).items()):
        name = escape(seen.people.name(identity))
        pieces = "".join(
            f'<rect x="{(a - start_s) / span_s * _BAND_PX:.2f}" y="0" height="20" fill="{_color(label)}" '
            f'width="{(b - a) / span_s * _BAND_PX:.2f}"><title>{_clock(a)}–{_clock(b)} {escape(label)}</title></rect>'
            for a, b, label in spans
        )
        box = f'viewBox="0 0 {_BAND_PX} 20" preserveAspectRatio="none"'
        bands.append(f'<b title="{name}">{name}</b><svg {box} role="img" aria-label="{name}">{pieces}</svg>')
    return f"<div class=band>{''.join(bands)}</div>"


def _legend() -> str:
    names = (*CLASSES, UNSURE)
    return "<ul class=legend>" + "".join(f'<li><i style="background:{_color(n)}"></i>{n}</li>' for n in names) + "</ul>"


def _table(table: Sequence[Mapping[str, object]]) -> str:
    if not table:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in table[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row.values()) + "</tr>" for row in table)
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _color(label: str) -> str:
    return COLORS.get(label, UNSURE_COLOR)


def _clock(time_s: float) -> str:
    tenths = round(10 * time_s)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def _jpeg(picture: np.ndarray, longest_px: int) -> bytes:
    small = cv2.cvtColor(shrink(picture, longest_px), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return jpeg.tobytes()
