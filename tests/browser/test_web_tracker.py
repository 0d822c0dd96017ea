"""The browser's tracker, judge, timeline and CSV against fer/see's, over made-up lives of faces."""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
from playwright.sync_api import Browser

from fer import Recognizer
from fer.emotions import CLASSES
from fer.see import quality, timeline
from fer.see.caption import caption, percent
from fer.see.faces import Face, Look, Observation, Quality, Sample
from fer.see.judge import Judge, JudgeSettings
from fer.see.timeline import label_seconds, label_spans, to_csv
from fer.see.track import Tracker
from fer.web.rules import rules
from tests.fakes.web_page import Modules, open_modules

pytestmark = pytest.mark.browser
START_UNIX_S = 1_764_000_000.25

FOLLOW = """({ looks, judge, rules }, modules) => {
  const { Tracker, Judge, caption, labelSeconds, labelSpans, toCsv } = modules
  const { track, classes, columns, timeline } = rules
  const tracker = new Tracker(track), by = new Judge(judge, classes), samples = []
  const steps = looks.map(({ time, unix, faces, later }) => {
    const seen = faces.map((face) => ({ ...face, probabilities: new Float32Array(face.probabilities) }))
    samples.push(by.add({ time, unix, tracks: tracker.update(seen, time) }))
    const at = [...tracker.at(time + later)]
    const carried = at.map(([identity, { box, landmarks }]) => ({ identity, box, landmarks }))
    const { predictions } = samples.at(-1)
    const said = predictions.map((p) => ({ ...p, box: p.face.box, words: caption(p, classes), face: null }))
    return { said, carried }
  })
  const seconds = [...labelSeconds(samples, timeline)], spans = [...labelSpans(samples, timeline)]
  return { steps, csv: toCsv(samples, columns), seconds, spans }
}"""


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Modules]:
    with open_modules(browser) as page:
        yield page


def lives(seed: int) -> Iterator[tuple[float, list[Observation]]]:
    """A minute of faces that walk, cross, grow, are missed, leave and come back, at uneven times, some far apart."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(80, 560, (4, 2))
    speeds = rng.normal(0, 90, (4, 2))
    widths = rng.uniform(30, 150, 4)
    moods = rng.dirichlet(np.ones(len(CLASSES)), 4)
    time_s = 0.0
    for _ in range(500):
        step_s = float(rng.choice([0.033, 0.066, 0.1, 0.4, 2.0], p=[0.4, 0.35, 0.2, 0.04, 0.01]))
        time_s += step_s
        speeds += rng.normal(0, 60, speeds.shape) * step_s
        places += speeds * step_s
        speeds[(places < 0) | (places > 640)] *= -1
        places = places.clip(0, 640)
        if rng.random() < 0.03:
            moods[rng.integers(4)] = rng.dirichlet(np.ones(len(CLASSES)))
        found = []
        for i in rng.permutation(4):
            if rng.random() < 0.15 or (int(time_s / 5) + i) % 4 == 0:  # missed, or away for five seconds
                continue
            x, y = places[i] + rng.normal(0, 1, 2)
            width = widths[i] * (1 + rng.normal(0, 0.02))
            box = (x - width / 2, y - width * 0.6, x + width / 2, y + width * 0.6)
            points = tuple((x + dx * width, y + dy * width) for dx, dy in rng.uniform(-0.4, 0.4, (5, 2)))
            shares = (moods[i] * rng.uniform(0.5, 1.5, len(CLASSES))).astype(np.float32)
            turn = float(rng.choice([0.1, 0.95, 1.2]))  # read, near the limit, turned away
            fit = Quality(width, 1.0, 120.0, 50.0, 0.5, turn, 0.0)
            found.append(Observation(Face(box, 0.9, "yunet", points), shares / shares.sum(), quality=fit))
        yield time_s, found


def looks_for_the_page(seed: int) -> list[dict[str, object]]:
    return [
        {
            "time": time_s,
            "unix": START_UNIX_S + time_s,
            "later": 0.04,
            "faces": [
                {"box": seen.face.box, "landmarks": seen.face.landmarks, "score": seen.face.score,
                 "probabilities": seen.probabilities.tolist(), "quality": seen.quality and asdict(seen.quality)}
                for seen in found
            ],
        }
        for time_s, found in lives(seed)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("settings", [JudgeSettings(0.48), JudgeSettings(0.3, 0.6), JudgeSettings(0.5, 0.0)])
def test_same_identities_boxes_labels_words_spans_and_csv(
    modules: Modules, monkeypatch: pytest.MonkeyPatch, seed: int, settings: JudgeSettings
) -> None:
    monkeypatch.setattr(timeline, "LONGEST_GAP_S", 0.2 + 0.4 * seed)  # the page has no number of its own
    given = {"looks": looks_for_the_page(seed), "judge": asdict(settings), "rules": rules(Recognizer(threads=1).card)}
    found = modules.call(FOLLOW, given)
    tracker, by = Tracker(), Judge(settings)
    samples: list[Sample] = []
    for step, (time_s, observations) in zip(found["steps"], lives(seed), strict=True):
        samples.append(by.add(Look(time_s, tracker.update(observations, time_s), START_UNIX_S + time_s)))
        assert [(p["identity"], p["label"], p["seen"], p["words"]) for p in step["said"]] == [
            (p.identity, p.label, p.seen, caption(p)) for p in samples[-1].predictions
        ]
        for said, wanted in zip(step["said"], samples[-1].predictions, strict=True):
            np.testing.assert_allclose(said["box"], wanted.face.box, rtol=1e-9, atol=1e-6)
            np.testing.assert_allclose(said["probabilities"], wanted.probabilities, rtol=1e-6)
        carried = tracker.at(time_s + 0.04)
        assert [face["identity"] for face in step["carried"]] == list(carried)
        for face in step["carried"]:
            np.testing.assert_allclose(face["box"], carried[face["identity"]].box, rtol=1e-9, atol=1e-6)
            points = carried[face["identity"]].landmarks
            assert points is not None
            np.testing.assert_allclose(face["landmarks"], points, rtol=1e-9, atol=1e-6)
    assert {p.unreadable for sample in samples for p in sample.predictions} == {"", "turned away"}
    assert len(label_seconds(samples)) > 4
    wanted_seconds = label_seconds(samples)
    assert {identity: set(labels) for identity, labels in found["seconds"]} == {
        i: set(s) for i, s in wanted_seconds.items()
    }
    for identity, labels in found["seconds"]:
        assert labels == pytest.approx(wanted_seconds[identity])
    assert [(i, [label for *_, label in row]) for i, row in found["spans"]] == [
        (i, [label for *_, label in row]) for i, row in label_spans(samples).items()
    ]
    # The last digit may be rounded otherwise where a number lies in the middle of two.
    ours, theirs = (text.splitlines() for text in (found["csv"], to_csv(samples).decode()))
    assert len(ours) == len(theirs) > 500
    different = sum(a != b for a, b in zip(ours, theirs, strict=True))
    assert different < 0.05 * len(ours), [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b][:3]


RECORD = """({ looks, rules }, { Recording, Timeline }) => {
  const recording = new Recording(rules.timeline), line = new Timeline(() => ({ add: (look) => look }), rules.timeline)
  for (const look of looks) {
    recording.add(look)
    line.add(look)
  }
  return { recorded: recording.looks.length, shown: line.looks.length }
}"""


@pytest.mark.parametrize(("most_s", "most_rows"), [(3600.0, 500_000), (3.0, 500_000), (3600.0, 7)])
def test_the_minute_shown_and_a_recording_end_where_python_ends_them(
    modules: Modules, monkeypatch: pytest.MonkeyPatch, most_s: float, most_rows: int
) -> None:
    """By the numbers that Python has now, so the page has none of its own."""
    for name, value in {"RECORD_LIMIT_S": most_s, "RECORD_LIMIT_ROWS": most_rows, "SPAN_S": most_s / 2}.items():
        monkeypatch.setattr(timeline, name, value)
    looks, tracker = [], Tracker()
    recording, line = timeline.Recording(), timeline.Timeline(span_s=timeline.SPAN_S)
    for time_s, observations in lives(0):
        look = Look(time_s, tracker.update(observations, time_s), START_UNIX_S + time_s)
        recording.add(look)
        line.add(look)
        looks.append({"time": time_s, "tracks": [{"identity": track.identity} for track in look.tracks]})
    found = modules.call(RECORD, {"looks": looks, "rules": rules(Recognizer(threads=1).card)})
    assert found == {"recorded": len(recording.looks()), "shown": len(line.samples())}
    assert (found["recorded"] < len(looks)) == ((most_s, most_rows) != (3600.0, 500_000))


@pytest.mark.parametrize("seed", range(6))
def test_a_face_has_the_same_measures(modules: Modules, seed: int) -> None:
    rng = np.random.default_rng(seed)
    crop = rng.integers(0, 256, (48, 48)).astype(np.uint8) if seed else np.full((48, 48), 7, np.uint8)
    left, top, *size = rng.uniform(-40, 200, 2).tolist() + rng.uniform(20, 150, 2).tolist()
    points = tuple(map(tuple, rng.uniform(0, 300, (5, 2)).tolist())) if seed != 1 else None
    face = Face((left, top, left + size[0], top + size[1]), 0.9, "yunet", points)
    wanted = asdict(quality.measure(crop, face, 77.5, 320, 240))
    given = {"crop": crop.ravel().tolist(), "face": {"box": face.box, "landmarks": points}}
    ask = "({ crop, face }, { measureQuality }) => measureQuality(Uint8Array.from(crop), face, 77.5, 320, 240)"
    found = modules.call(ask, given)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == (value if value is None else pytest.approx(value, rel=1e-6)), name


def test_a_share_in_words(modules: Modules) -> None:
    shares = [0, 1e-9, 0.004, 0.005, 0.006, 0.015, 0.025, 0.125, 0.48, 0.5, 0.995, 0.999, 1]
    said = modules.call("({ shares }, { percent }) => shares.map(percent)", {"shares": shares})
    assert said == [percent(share) for share in shares]
