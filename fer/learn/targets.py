"""Training targets: the label, FER+ votes and teachers of each face combined into one distribution."""

from dataclasses import dataclass

import numpy as np

from fer.data.faceset import FaceSet
from fer.emotions import CLASSES
from fer.judge import metrics
from fer.learn.config import ConfigError, TrainConfig


@dataclass(frozen=True)
class Teacher:
    """Answers of trained networks for the Training faces.

    probabilities: float32 (N, 7), their mean. knows_votes: whether any of the networks learned from FER+ votes.
    networks: their number. data_sha256: fingerprint of the data set that contains these Training faces.
    """

    probabilities: np.ndarray
    knows_votes: bool
    networks: int = 1
    data_sha256: str = ""


def soft_targets(faces: FaceSet, config: TrainConfig, teacher: Teacher | None = None) -> np.ndarray:
    """float32 (N, 7): the smoothed label of each face, mixed with its FER+ votes, if any, and then with the teacher.

    Votes for contempt, unknown and not-a-face have no class here and are ignored.
    Raises ConfigError if votes or a teacher are requested and missing.
    """
    shape = len(faces), len(CLASSES)
    targets: np.ndarray = np.full(shape, config.label_smoothing / len(CLASSES), dtype=np.float32)
    targets[np.arange(len(faces)), faces.labels] += 1 - config.label_smoothing
    if config.votes_weight:
        if faces.votes is None:
            raise ConfigError("--votes-weight needs FER+ votes: prepare the set with --votes fer2013new.csv")
        in_class = metrics.VOTE_CLASS >= 0
        votes = np.zeros(shape, dtype=np.float32)
        votes[:, metrics.VOTE_CLASS[in_class]] = faces.votes[:, in_class]
        total = votes.sum(1, keepdims=True)
        shares = np.divide(votes, total, out=targets.copy(), where=total > 0)
        targets = (1 - config.votes_weight) * targets + config.votes_weight * shares
    if config.teacher_weight:
        if teacher is None:
            raise ConfigError("--teacher-weight needs --teacher with the weights of trained runs")
        if teacher.probabilities.shape != shape:
            raise ConfigError(f"the teachers' answers are for {len(teacher.probabilities)} faces, these are {shape[0]}")
        targets = (1 - config.teacher_weight) * targets + config.teacher_weight * teacher.probabilities
    return targets
