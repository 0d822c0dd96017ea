"""Parts of the test faces: found by their measures, worst first, chance told from more."""

from pathlib import Path

import numpy as np
import pytest

from fer.data.faceset import FaceSet
from fer.judge import metrics
from fer.judge.evaluation import EvaluationTable
from fer.judge.slices import MEASURES, Measures, SlicesError, slices
from fer.weights import EVALUATION


def test_a_model_that_fails_in_the_dark_is_found(rng: np.random.Generator) -> None:
    n = 2000
    brightness = rng.uniform(0, 255, n)
    right = rng.random(n) < np.where(brightness < np.quantile(brightness, 0.1), 0.3, 0.75)
    found = slices(
        right, {"brightness": brightness, "contrast": rng.uniform(10, 80, n), "turn": rng.uniform(0, 0.7, n)}
    )
    worst = found[0]
    assert worst.name == "darkest"
    assert len(worst.faces) == 200
    assert set(worst.faces) == set(np.flatnonzero(brightness < np.quantile(brightness, 0.1)))
    assert worst.accuracy == right[worst.faces].mean()
    assert (worst.low, worst.high) == metrics.wilson(int(right[worst.faces].sum()), 200)
    others = np.delete(right, worst.faces)
    assert worst.rest == pytest.approx(others.mean())
    assert worst.p_value < 1e-6
    assert [one.accuracy for one in found] == sorted(one.accuracy for one in found)
    assert all(one.p_value > 0.05 for one in found if "contrast" in one.name)


def test_chance_is_corrected_for_the_number_of_slices(rng: np.random.Generator) -> None:
    """Without Holm one of a dozen slices is 'significant' in every other draw."""
    alarms = 0
    for _ in range(60):
        values = {name: rng.uniform(0, 1, 1000) for name in MEASURES}
        alarms += any(one.p_value < 0.05 for one in slices(rng.random(1000) < 0.7, values))
    assert alarms < 12


def test_few_faces_and_missing_measures_make_no_slice(rng: np.random.Generator) -> None:
    turn = np.full(500, 0.05)
    turn[:10] = 0.6  # too few
    turn[10:60] = np.nan  # not measured
    assert {one.name: len(one.faces) for one in slices(rng.random(500) < 0.7, {"turn": turn})} == {"not turned": 440}


def test_measures_come_back_and_belong_to_their_rows(tmp_path: Path) -> None:
    values = {name: np.arange(3, dtype=np.float32) + i for i, name in enumerate(MEASURES)}
    Measures(np.array([3, 5, 9], np.int32), values).to_parquet(tmp_path / "m.parquet")
    found = Measures.from_parquet(tmp_path / "m.parquet").of(np.array([9, 4, 3, 100]))
    np.testing.assert_array_equal(found["contrast"], [3, np.nan, 1, np.nan])


def test_another_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"no table")
    for name in ("m.parquet", "none.parquet"):
        with pytest.raises(SlicesError, match="measure_faces"):
            Measures.from_parquet(tmp_path / name)


def test_the_measures_that_ship_are_of_every_test_face() -> None:
    table, measures = EvaluationTable.from_parquet(EVALUATION), Measures.from_parquet()
    np.testing.assert_array_equal(np.sort(table.rows), measures.rows)
    assert all(np.isfinite(measures.values[name]).all() for name in ("brightness", "contrast", "sharpness", "score"))
    assert (np.isfinite(measures.values["turn"]) == (measures.values["score"] > 0)).all()
    assert np.isfinite(measures.values["turn"]).mean() > 0.98


@pytest.mark.data
def test_the_measures_that_ship_are_those_of_the_faces(faces: FaceSet) -> None:
    """Of a few faces, measured anew."""
    import scripts.measure_faces as script
    from fer.see.detect import YuNet

    some = faces.take(np.flatnonzero(faces.splits > 0)[::600])
    again, shipped = (
        script.measure(some, YuNet(script.HINT_SCORE, threads=1)),
        Measures.from_parquet().of(np.sort(some.rows)),
    )
    for name in MEASURES:
        np.testing.assert_allclose(again.values[name], shipped[name], rtol=0.02, err_msg=name)
