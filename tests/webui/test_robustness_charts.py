"""The curves of the tab 'Worse pictures' from a table whose figures are known."""

from fer.judge.damages import KINDS, STRENGTHS
from fer.judge.robustness import UNTOUCHED, RobustnessTable, Row
from webui.evaluation.robustness import ACCURACY, ECE, UNSURE, charts


def known() -> RobustnessTable:
    """Each strength costs ten points of accuracy, adds ten of 'unsure' and two of calibration error."""
    rows = [Row(UNTOUCHED, 0, 10, 0.7, 0.4, 0.9, 0.2, 0.8, 0.02)]
    for kind in KINDS:
        rows += [Row(kind, s, 10, round(0.7 - s / 10, 1), 0, 1, 0.2 + s / 10, None, 0.02 + s / 50) for s in STRENGTHS]
    return RobustnessTable("", "PublicTest", 0.4, tuple(rows))


def test_a_curve_goes_from_the_untouched_faces_to_strength_five() -> None:
    light, sharp, *_ = charts(known(), ACCURACY)
    assert [series["label"] for series in sharp["series"]] == ["blur", "motion", "low resolution"]
    assert light["tables"][0] == [[0, 1, 2, 3, 4, 5], [0.7, 0.6, 0.5, 0.4, 0.3, 0.2]]
    assert "low light from 70\N{NO-BREAK SPACE}% to 20\N{NO-BREAK SPACE}%" in light["spoken"]


def test_every_figure_has_its_own_values_and_unit() -> None:
    assert charts(known(), UNSURE)[0]["tables"][0][1] == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    error = charts(known(), ECE)[0]
    assert error["tables"][0][1] == [2, 4, 6, 8, 10, 12]
    assert error["format"] == "number"
    assert "(points)" in error["title"]


def test_every_damage_is_drawn_once() -> None:
    drawn = [series["label"] for chart in charts(known(), ACCURACY) for series in chart["series"]]
    assert sorted(drawn) == sorted(KINDS)
