from typing import Any

import numpy as np
import pytest

from fer.data.faceset import FaceSet
from fer.learn.config import ConfigError, TrainConfig
from fer.learn.targets import Teacher, soft_targets
from tests.fakes.toy import toy_faces


class TestSoftTargets:
    def test_plain_labels_are_one_hot(self) -> None:
        targets = soft_targets(toy_faces(1), TrainConfig())
        assert np.array_equal(targets, np.eye(7, dtype=np.float32)[toy_faces(1).labels])

    def test_smoothing_spreads_its_share(self) -> None:
        targets = soft_targets(toy_faces(1), TrainConfig(label_smoothing=0.7))
        assert targets[0] == pytest.approx([0.4] + [0.1] * 6)

    def test_votes_take_their_share_where_there_are_any(self) -> None:
        faces = toy_faces(1)
        votes = np.zeros((14, 10), np.uint8)
        votes[0, 1] = 6  # happiness
        votes[0, 4] = 2  # anger
        votes[0, 9] = 2  # not a face: has no class, left out
        votes[1, 8] = 10  # unknown only: the label stands alone
        faces = FaceSet(faces.images, faces.labels, faces.splits, votes, faces.rows)
        targets = soft_targets(faces, TrainConfig(votes_weight=0.4))
        assert targets[0] == pytest.approx([0.6 + 0.4 * 0.25, 0, 0, 0.4 * 0.75, 0, 0, 0])
        assert targets[1] == pytest.approx([0, 1, 0, 0, 0, 0, 0])

    def test_the_teacher_takes_its_share_of_the_whole(self) -> None:
        teacher = Teacher(np.full((14, 7), 1 / 7, np.float32), knows_votes=False)
        targets = soft_targets(toy_faces(1), TrainConfig(teacher_weight=0.7), teacher)
        assert targets[0] == pytest.approx([0.4] + [0.1] * 6)

    @pytest.mark.parametrize(
        ("config", "words"), [({"votes_weight": 0.4}, "--votes"), ({"teacher_weight": 0.5}, "--teacher")]
    )
    def test_what_is_missing_is_asked_for(self, config: dict[str, Any], words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            soft_targets(toy_faces(1), TrainConfig(**config))
