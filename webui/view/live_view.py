"""The live page's panel as plain HTML: rows, timeline, figures. Cheap enough to redraw twice a second."""

from collections.abc import Sequence
from html import escape

from fer.emotions import COLORS, UNSURE
from fer.see.caption import caption
from fer.see.faces import Prediction, Sample
from fer.see.live import LiveStats
from fer.see.timeline import SPAN_S, Recording, label_seconds, label_spans
from fer.web.page import MOST_ROWS
from webui.parts.charts import clock, percent, probability_bars
from webui.view.face_card import color_of, face_card, face_cards


def face_rows(predictions: Sequence[Prediction]) -> str:
    """A card for each face: number, label in its colour, seven bars. The widest MOST_ROWS, in order of identity."""
    if not predictions:
        return '<div class="empty live-empty"><p>No face in the picture now.</p></div>'
    widest = sorted(predictions, key=lambda seen: -seen.face.width)[:MOST_ROWS]
    left_out = len(predictions) - MOST_ROWS
    return face_cards(
        (
            face_card(seen.identity, seen.label, caption(seen), probability_bars(seen.probabilities))
            for seen in sorted(widest, key=lambda seen: seen.identity)
        ),
        f"and {left_out} more" if left_out > 0 else "",
    )


def timeline(samples: Sequence[Sample], span_s: float | None = SPAN_S) -> str:
    """A strip for each face, coloured by its label, the newest at the right.

    span_s: the seconds up to now that the width covers; None treats the samples as a recording and shows all of it.
    """
    if not samples:
        return ""
    spans, end_s = label_spans(samples), samples[-1].time_s
    whole, span_s = span_s is None, span_s or max(end_s - samples[0].time_s, 1.0)
    newest_first = sorted(spans.items(), key=lambda item: -item[1][-1][1])[:MOST_ROWS]
    strips = "".join(_strip(identity, spans, end_s - span_s, span_s) for identity, spans in sorted(newest_first))
    return (
        f'<div class="live-timeline" role="img" aria-label="Labels over {span_s:.0f} seconds">{strips}'
        f'<div class="live-axis"><span>{clock(0) if whole else f"{span_s:.0f} s ago"}</span>'
        f"<span>{clock(span_s) if whole else 'now'}</span></div></div>"
    )


def _strip(identity: int, spans: Sequence[tuple[float, float, str]], start_s: float, span_s: float) -> str:
    pieces = []
    for begin_s, end_s, label in spans:
        left, right = (max(0.0, (t - start_s) / span_s * 100) for t in (begin_s, end_s))
        style = f"left:{left:.2f}%;width:{right - left:.2f}%;background:{color_of(label)}"
        pieces.append(f'<i style="{style}" title="{escape(label)}"></i>')
    return f'<div class="live-strip"><b>{identity}</b><div>{"".join(pieces)}</div></div>'


def figures(stats: LiveStats) -> str:
    """One line: frames a second in and analysed, the analysis' delay, the picture's size."""
    delay = "–" if stats.analysis_ms is None else f"{stats.analysis_ms:.0f} ms"
    size = "–" if stats.size is None else f"{stats.size[0]} × {stats.size[1]}"
    items = (
        ("in", f"{stats.frames_per_s:.0f}/s", "Frames that reached this app"),
        ("analysed", f"{stats.analysed_per_s:.0f}/s", "Frames that were searched for faces; the rest were dropped"),
        ("delay", delay, "From a frame's arrival until its faces are known; the picture itself does not wait"),
        ("size", size, "Width and height of the picture in pixels"),
    )
    cells = "".join(f'<div title="{hint}"><dt>{name}</dt><dd>{value}</dd></div>' for name, value, hint in items)
    return f'<dl class="live-figures">{cells}</dl>'


def legend() -> str:
    """The colours of the timeline."""
    names = "".join(f'<li><i style="background:{color}"></i>{name}</li>' for name, color in COLORS.items())
    return f'<ul class="live-legend">{names}<li><i style="background:{color_of(UNSURE)}"></i>{UNSURE}</li></ul>'


def recording_sign(recording: Recording) -> str:
    """A note while a recording is in progress."""
    return f'<p class="live-record" role="status">Recording, {recording.duration_s:.0f} s</p>'


def share_rows(samples: Sequence[Sample]) -> list[dict[str, str | int | float]]:
    """For each face of a recording: seconds seen, and each label's share of that time."""
    rows: list[dict[str, str | int | float]] = []
    for identity, seconds in sorted(label_seconds(samples).items()):
        total_s = sum(seconds.values())
        shares = {name: percent(seconds.get(name, 0.0) / total_s) if total_s else "–" for name in (*COLORS, UNSURE)}
        rows.append({"face": identity, "seen": f"{total_s:.1f} s", **shares})
    return rows
