"""What is said of stored looks: labels, their figures, smoothing, any setting at any time."""

import itertools
import json
import math
import re
from dataclasses import asdict, replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from fer.emotions import CLASSES, UNSURE
from fer.see.caption import caption, percent
from fer.see.faces import Face, Look, Observation, Prediction, Quality, Track
from fer.see.judge import Judge, JudgeSettings, judge, judge_alone, steady_label
from fer.see.quality import Limit

FACE = Face((0.0, 0.0, 100.0, 100.0), 0.9, "yunet")


def probabilities(label: str, sure: float = 0.88) -> np.ndarray:
    values = np.full(len(CLASSES), (1 - sure) / (len(CLASSES) - 1), np.float32)
    values[CLASSES.index(label)] = sure
    return values


def looks(rows: list[np.ndarray], every_s: float) -> list[Look]:
    return [Look(i * every_s, (Track(1, Observation(FACE, row)),)) for i, row in enumerate(rows)]


def labels(rows: list[np.ndarray], every_s: float, settings: JudgeSettings | None = None) -> list[str]:
    return [sample.predictions[0].label for sample in judge(looks(rows, every_s), settings)]


weights = st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7).filter(lambda values: sum(values) > 0.01)
shares = weights.map(lambda values: (np.array(values) / sum(values)).astype(np.float32))
settings = st.builds(JudgeSettings, st.floats(0, 1), st.sampled_from([0.0, 0.05, 0.2, 1.0]), st.floats(0, 1))


@st.composite
def sequences(draw: st.DrawFn) -> list[Look]:
    """Up to three people who come, go and are missed at times that lie milliseconds to seconds apart."""
    found, now_s, known = [], 0.0, set()
    for _ in range(draw(st.integers(1, 12))):
        now_s += draw(st.floats(0.01, 3.0))
        tracks = []
        for identity in draw(st.sets(st.sampled_from([1, 2, 3]))):
            is_seen = identity not in known or draw(st.booleans())
            tracks.append(Track(identity, Observation(FACE, draw(shares)), is_seen))
            known.add(identity)
        found.append(Look(now_s, tuple(tracks)))
    return found


def plain_reference(found: list[Look], by: JudgeSettings) -> list[list[np.ndarray]]:
    """The smoothing as the docstring words it, written once more with arrays: recursive, from the first look on."""
    last: dict[int, tuple[float, np.ndarray]] = {}
    rows = []
    for look in found:
        row = []
        for track in look.tracks:
            time_s, value = last.get(track.identity, (-math.inf, np.zeros(7)))
            if track.seen or not value.any():
                keep = math.exp(-(look.time_s - time_s) / by.smoothing_s) if by.smoothing_s else 0.0
                keep = keep if keep >= by.faded else 0.0
                value = keep * value + (1 - keep) * track.observation.probabilities
                last[track.identity] = look.time_s, value
            row.append(value)
        rows.append(row)
    return rows


@given(sequences(), settings)
def test_one_by_one_and_all_at_once_say_the_same(found: list[Look], by: JudgeSettings) -> None:
    one_by_one = Judge(by)
    stepwise = [one_by_one.add(look) for look in found]
    at_once = judge(found, by)
    assert stepwise == at_once
    for a, b in zip(stepwise, at_once, strict=True):
        for p, q in zip(a.predictions, b.predictions, strict=True):
            np.testing.assert_array_equal(p.probabilities, q.probabilities)


@given(sequences(), settings)
def test_probabilities_are_smoothed_as_the_formula_says(found: list[Look], by: JudgeSettings) -> None:
    # A missed face says what it said last; one that has faded from memory meanwhile would start over.
    seen_only = [Look(look.time_s, tuple(t for t in look.tracks if t.seen)) for look in found]
    for sample, row in zip(judge(seen_only, by), plain_reference(seen_only, by), strict=True):
        for said, expected in zip(sample.predictions, row, strict=True):
            np.testing.assert_allclose(said.probabilities, expected, atol=1e-5)
            assert said.probabilities.sum() == pytest.approx(1, abs=1e-4)


@given(sequences(), settings)
def test_a_figure_is_always_that_of_the_label_beside_it(found: list[Look], by: JudgeSettings) -> None:
    for sample in judge(found, by):
        for said in sample.predictions:
            words = caption(said)
            name, figure = re.fullmatch(r"(?:unsure \()?(\w+) ([<>]?\d+\N{NO-BREAK SPACE}%)\)?", words).groups()
            assert figure == percent(float(said.probabilities[CLASSES.index(name)]))
            assert words.startswith(UNSURE) == (said.label == UNSURE)
            assert name == (said.best if said.label == UNSURE else said.label)


@given(sequences(), settings)
def test_a_label_is_never_held_far_under_the_threshold_or_far_behind(found: list[Look], by: JudgeSettings) -> None:
    for sample in judge(found, by):
        for said in sample.predictions:
            if said.label != UNSURE:
                assert said.confidence >= by.unsure_below - by.hysteresis / 2 - 1e-6
                assert said.probabilities.max() - said.confidence <= by.hysteresis + 1e-6


@given(sequences())
def test_without_smoothing_each_look_speaks_for_itself(found: list[Look]) -> None:
    for look, sample in zip(found, judge(found, JudgeSettings(0.3, smoothing_s=0.0)), strict=True):
        for track, said in zip(look.tracks, sample.predictions, strict=True):
            if track.seen:
                (alone,) = judge_alone([track.observation], 0.3)
                assert said.label == alone.label
                np.testing.assert_array_equal(said.probabilities, alone.probabilities)


def test_a_missed_face_keeps_what_was_said_of_it() -> None:
    first = Track(1, Observation(FACE, probabilities("sad")))
    missed = Track(1, Observation(FACE, probabilities("happy")), seen=False)
    for smoothing_s in (0.0, 0.2):
        _, after = judge([Look(0.0, (first,)), Look(0.1, (missed,))], JudgeSettings(smoothing_s=smoothing_s))
        (said,) = after.predictions
        assert (said.label, said.seen) == ("sad", False)
        assert said.confidence == pytest.approx(0.88)


@pytest.mark.parametrize("fps", [4, 15, 30])
def test_smoothing_follows_time_not_frames(fps: int) -> None:
    """After one time constant 63 % of a change has arrived, whatever the frame rate."""
    rows = [probabilities("sad", 1.0), *[probabilities("happy", 1.0)] * (fps // 2)]
    last = judge(looks(rows, 0.5 / (fps // 2)), JudgeSettings(smoothing_s=0.5))[-1]
    assert last.predictions[0].probabilities[CLASSES.index("happy")] == pytest.approx(1 - np.exp(-1), abs=1e-6)


def test_label_holds_still_on_a_noisy_face_and_follows_a_true_switch(rng: np.random.Generator) -> None:
    """Near-tied noisy probabilities for a minute, then a real change."""

    def noisy(favoured: str, sure: float) -> np.ndarray:
        logits = np.log(probabilities(favoured, sure)) + rng.normal(0, 0.5, len(CLASSES))
        values = np.exp(logits) / np.exp(logits).sum()
        return values.astype(np.float32)

    rows = [noisy("neutral", 0.35) for _ in range(15 * 60)] + [noisy("happy", 0.8) for _ in range(15)]
    steady, raw = labels(rows, 1 / 15), labels(rows, 1 / 15, JudgeSettings(smoothing_s=0))
    changes = [sum(a != b for a, b in itertools.pairwise(row[: 15 * 60])) for row in (steady, raw)]
    assert changes[0] * 20 < changes[1]
    assert steady[15 * 60 :].index("happy") / 15 < 0.5


def test_who_comes_back_after_long_is_judged_afresh() -> None:
    near_tie = probabilities("sad", 0.3)
    near_tie[CLASSES.index("happy")] = 0.25
    near_tie /= near_tie.sum()
    before, soon, late = (Track(1, Observation(FACE, row)) for row in (probabilities("happy", 0.3), near_tie, near_tie))
    assert judge([Look(0.0, (before,)), Look(0.1, (soon,))])[-1].predictions[0].label == "happy"
    assert judge([Look(0.0, (before,)), Look(5.0, (late,))])[-1].predictions[0].label == "sad"


@pytest.mark.parametrize(
    ("previous", "happy", "sad", "unsure_below", "expected"),
    [
        (None, 0.5, 0.3, 0.4, "happy"),
        (None, 0.5, 0.3, 0.6, UNSURE),
        ("sad", 0.45, 0.40, 0.0, "sad"),  # leads, but by less than the margin
        ("sad", 0.50, 0.35, 0.0, "happy"),
        ("sad", 0.42, 0.33, 0.4, "happy"),  # within the margin, but the label held is itself under the threshold
        ("happy", 0.38, 0.2, 0.4, "happy"),  # a little under the threshold
        ("happy", 0.30, 0.2, 0.4, UNSURE),
        (UNSURE, 0.42, 0.2, 0.4, UNSURE),  # a little over it
        (UNSURE, 0.50, 0.2, 0.4, "happy"),
        (UNSURE, 1.0, 0.0, 1.0, "happy"),  # a threshold of one can be left
    ],
)
def test_hysteresis(previous: str | None, happy: float, sad: float, unsure_below: float, expected: str) -> None:
    values = [0.0] * len(CLASSES)
    values[CLASSES.index("happy")], values[CLASSES.index("sad")] = happy, sad
    assert steady_label(previous, values, unsure_below, hysteresis=0.1) == expected


@pytest.mark.parametrize(
    ("best", "threshold", "label"), [(0.9, 0.5, "happy"), (0.4, 0.5, UNSURE), (0.4, 0.0, "happy"), (0.5, 0.5, "happy")]
)
def test_a_face_alone_is_unsure_below_the_threshold(best: float, threshold: float, label: str) -> None:
    (said,) = judge_alone([Observation(FACE, probabilities("happy", best))], threshold)
    assert (said.label, said.best, said.identity) == (label, "happy", 1)
    assert said.confidence == pytest.approx(best)


def test_captions() -> None:
    def said(label: str, sure: float) -> Prediction:
        return Prediction(FACE, probabilities("happy", sure), label)

    assert caption(said("happy", 0.934)) == "happy 93\N{NO-BREAK SPACE}%"
    assert caption(said(UNSURE, 0.34)) == "unsure (happy 34\N{NO-BREAK SPACE}%)"
    assert caption(said("happy", 0.9999)) == "happy >99\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    "wrong",
    [
        {"smoothing_s": -1},
        {"smoothing_s": math.inf},
        {"hysteresis": 1.2},
        {"unsure_below": -0.1},
        {"unsure_below": 50},
        *({"unsure_below": value} for value in ("0.5", None, math.nan, True, [0.5], np.array([0.5, 0.5]))),
        *({"hysteresis": value} for value in ("0.1", None, math.nan, True)),
        *({"smoothing_s": value} for value in ("0.2", None, math.nan, True)),
        *({"faded": value} for value in (0, "0.5", None, math.nan, True)),
    ],
)
def test_settings_refuse_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.* must be"):
        JudgeSettings(**wrong)


@pytest.mark.parametrize("share", [0, 1, 0.5, np.float32(0.5), np.float64(0.5), np.int64(1)])
def test_settings_take_every_kind_of_number(share: Any) -> None:
    assert JudgeSettings(unsure_below=share, hysteresis=share).unsure_below == share


def test_settings_can_be_handed_to_another_language() -> None:
    told = json.loads(json.dumps(asdict(JudgeSettings(0.4))))
    limits = tuple(Limit(**limit) for limit in told.pop("limits"))
    assert JudgeSettings(**told, limits=limits) == JudgeSettings(0.4)


TURNED = Quality(100, 1.0, 120, 50, 1.0, turn=10.0, tilt=0.0)


def test_a_face_that_cannot_be_read_is_unsure_for_its_reason_and_says_no_expression() -> None:
    observation = Observation(FACE, probabilities("happy", 0.99), quality=TURNED)
    [said] = judge_alone([observation], unsure_below=0.5)
    assert (said.label, said.unreadable, caption(said)) == (UNSURE, "turned away", "unsure: turned away")
    [read] = judge_alone([replace(observation, quality=None)], unsure_below=0.5)  # nobody measured it
    assert (read.label, read.unreadable) == ("happy", "")


def test_a_face_that_turns_back_is_read_again_and_without_limits_every_face_is() -> None:
    frontal = replace(TURNED, turn=0.0)
    seen = [Observation(FACE, probabilities("happy", 0.99), quality=q) for q in (frontal, TURNED, frontal)]
    found = [Look(i * 0.1, (Track(1, observation),)) for i, observation in enumerate(seen)]
    assert [sample.predictions[0].label for sample in judge(found)] == ["happy", UNSURE, "happy"]
    everyone = judge(found, JudgeSettings(limits=()))
    assert [sample.predictions[0].label for sample in everyone] == ["happy"] * 3


def test_a_face_that_the_detector_missed_keeps_its_reason() -> None:
    away = Observation(FACE, probabilities("happy"), quality=TURNED)
    found = [Look(0.0, (Track(1, away),)), Look(0.1, (Track(1, away, seen=False),))]
    assert judge(found)[1].predictions[0].unreadable == "turned away"


def test_a_face_is_judged_with_or_without_its_mirror_image_at_any_time() -> None:
    seen = Observation(FACE, probabilities("happy"), single=probabilities("sad"))
    stored = [Look(0.1 * i, (Track(1, seen),)) for i in range(3)]
    for both_ways, label in ((True, "happy"), (False, "sad")):
        said = judge(stored, JudgeSettings(both_ways=both_ways))
        assert {sample.predictions[0].label for sample in said} == {label}
    read_once = [Look(0.0, (Track(1, Observation(FACE, probabilities("happy"))),))]
    assert judge(read_once, JudgeSettings(both_ways=False))[0].predictions[0].label == "happy"
