"""scripts/audit.py: out-of-fold probabilities. What it makes of them is tested in tests/data/test_audit.py."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer.data.faceset import FaceSet
from fer.learn import checkpoint, model
from fer.learn.config import PRESETS
from scripts import audit
from tests.fakes.toy import toy_faces

QUICK = replace(PRESETS["smoke"], width=4, batch_size=20, epochs=2, precision="fp32", ema_decay=0.5)


def options(runs: Path, **changes: Any) -> argparse.Namespace:
    return argparse.Namespace(device="cpu", folds=2, runs=runs, resume=False, **changes)


@pytest.fixture
def training() -> FaceSet:
    return toy_faces(per_class=10).split("Training")


def test_a_fold_is_judged_by_the_last_epoch_never_by_the_one_that_is_best_on_it(
    training: FaceSet, tmp_path: Path
) -> None:
    near = np.full(len(training), -1)
    found = audit.out_of_fold(training, near, QUICK, options(tmp_path))
    assert found.sum(axis=1) == pytest.approx(np.ones(len(training)), abs=1e-5)
    for folder in tmp_path.iterdir():  # were the best epoch's weights taken, these would be
        _, card = checkpoint.load_weights(folder / checkpoint.WEIGHTS_NAME)
        checkpoint.save_weights(folder / checkpoint.WEIGHTS_NAME, model.build(4, 0.0, 99), card)
    resumed = options(tmp_path)
    resumed.resume = True
    assert np.array_equal(audit.out_of_fold(training, near, QUICK, resumed), found)


def test_a_fold_of_another_recipe_is_trained_again(training: FaceSet, tmp_path: Path) -> None:
    near, resumed = np.full(len(training), -1), options(tmp_path)
    first = audit.out_of_fold(training, near, QUICK, resumed)
    resumed.resume = True
    again = audit.out_of_fold(training, near, replace(QUICK, lr_peak=0.01), resumed)
    assert not np.array_equal(again, first)


def test_duplicates_share_a_fold() -> None:
    near = np.array([-1, 1, 1, -1, 1, 5, 5])
    fold = audit.folds(near, 3, seed=0)
    assert len(set(fold[[1, 2, 4]])) == 1
    assert fold[5] == fold[6]
