"""The tab 'Where it fails' over the table that ships: each part's faces and figures are those of the table."""

import numpy as np
import pytest

from fer.judge import metrics
from fer.judge.evaluation import EvaluationTable
from fer.judge.slices import Slice
from fer.weights import EVALUATION
from webui.evaluation.data import Judged, judge
from webui.evaluation.slices import chart, found_slices, sentence

TABLE = EvaluationTable.from_parquet(EVALUATION)


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge(TABLE, "PublicTest", "FER2013", "Flip-averaged")


@pytest.fixture(scope="module")
def found(judged: Judged) -> list[Slice]:
    return found_slices(judged, TABLE)


def test_parts_come_worst_first_with_the_figures_of_their_faces(judged: Judged, found: list[Slice]) -> None:
    assert len(found) > 15
    assert [one.accuracy for one in found] == sorted(judged.right[one.faces].mean() for one in found)


def test_agreement_is_that_of_the_same_faces(judged: Judged, found: list[Slice]) -> None:
    [unanimous] = [one for one in found if one.name == "FER+ agree: all"]
    assert TABLE.votes is not None
    votes = {int(row): votes for row, votes in zip(TABLE.rows, TABLE.votes, strict=True)}
    share = metrics.agreement(np.stack([votes[int(row)] for row in judged.rows[unanimous.faces]]))
    assert (share > 0.9).all()


def test_a_bar_is_as_long_as_its_accuracy_and_striped_where_it_is_no_chance(found: list[Slice]) -> None:
    drawn = chart(found)
    np.testing.assert_allclose(drawn.values.sum(axis=1), [one.accuracy for one in found])
    assert ((drawn.values[:, 1] > 0) == [one.p_value < 0.05 for one in found]).all()


def test_a_part_in_words() -> None:
    one = Slice("darkest", np.arange(50), 0.5, 0.366, 0.634, 0.7, 0.004)
    words = sentence(one).replace("\N{NO-BREAK SPACE}", " ")
    assert words == (
        "**darkest**: 50.0 % of 50 faces named right (95 % interval 36.6 % to 63.4 %), 70.0 % of all others; p = 0.004."
    )
