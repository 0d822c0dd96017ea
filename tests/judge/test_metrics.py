"""fer.judge.metrics against scikit-learn and against values worked out by hand."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn import metrics as reference

from fer.data.faceset import VOTE_COLUMNS
from fer.emotions import CLASSES
from fer.judge import metrics

K = len(CLASSES)


@pytest.fixture
def labels(rng: np.random.Generator) -> np.ndarray:
    return rng.choice(K, 2000, p=[0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])


@pytest.fixture
def logits(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    return 2.5 * np.eye(K)[labels] + rng.normal(size=(len(labels), K)) * 1.5


@pytest.fixture
def probabilities(logits: np.ndarray) -> np.ndarray:
    return metrics.softmax(logits)


@pytest.fixture
def predicted(probabilities: np.ndarray) -> np.ndarray:
    return probabilities.argmax(axis=1)


def test_accuracy_equals_scikit_learn(labels: np.ndarray, predicted: np.ndarray) -> None:
    assert metrics.accuracy(labels, predicted) == reference.accuracy_score(labels, predicted)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (1, 1), (5, 10), (2692, 3589), (1, 3589)])
def test_wilson_equals_scipy(right: int, n: int) -> None:
    expected = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert metrics.wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("right", "n"), [(1, 0), (-1, 10), (11, 10)])
def test_wilson_refuses_what_is_no_share(right: int, n: int) -> None:
    with pytest.raises(ValueError, match="right"):
        metrics.wilson(right, n)


def test_confusion_has_true_classes_in_the_rows(labels: np.ndarray, predicted: np.ndarray) -> None:
    assert np.array_equal(metrics.confusion(labels, predicted), reference.confusion_matrix(labels, predicted))
    assert metrics.confusion(np.array([2]), np.array([4]))[2, 4] == 1


@pytest.mark.parametrize(
    ("first", "second"), [([], []), ([1], [1, 2]), ([[1]], [[1]]), ([7], [1]), ([1], [7]), ([-1], [1])]
)
def test_confusion_refuses_impossible_labels(first: list[int | list[int]], second: list[int | list[int]]) -> None:
    with pytest.raises(ValueError, match=r"length|indices"):
        metrics.confusion(np.array(first), np.array(second))


def test_row_shares_sum_to_one_and_leave_an_empty_row_zero() -> None:
    matrix = np.zeros((K, K), dtype=np.int64)
    matrix[2, 4], matrix[2, 2] = 3, 1
    shares = metrics.row_shares(matrix)
    assert shares[2, 4] == 0.75
    assert shares[0].tolist() == [0.0] * K


def test_class_figures_equal_scikit_learn(labels: np.ndarray, predicted: np.ndarray) -> None:
    predicted[predicted == 1] = 0  # a class that is never named: division by zero
    expected = reference.precision_recall_fscore_support(labels, predicted, labels=range(K), zero_division=0)
    matrix = metrics.confusion(labels, predicted)
    found = metrics.class_figures(matrix)
    np.testing.assert_allclose([found.precision, found.recall, found.f1, found.support], expected)
    assert metrics.macro_f1(matrix) == pytest.approx(reference.f1_score(labels, predicted, average="macro"))


def test_macro_f1_leaves_out_classes_that_do_not_occur() -> None:
    labels, predicted = np.array([0, 0, 3, 3]), np.array([0, 3, 3, 3])
    expected = reference.f1_score(labels, predicted, average="macro")
    assert metrics.macro_f1(metrics.confusion(labels, predicted)) == pytest.approx(expected)


def test_nll_equals_scikit_learn(labels: np.ndarray, probabilities: np.ndarray) -> None:
    assert metrics.nll(labels, probabilities) == pytest.approx(reference.log_loss(labels, probabilities))


def test_nll_of_a_zero_probability_is_finite() -> None:
    assert metrics.nll(np.array([1]), np.eye(K)[[0]]) == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("stretch", [0.3, 1.0, 4.0])
def test_temperature_is_where_the_nll_is_least(logits: np.ndarray, labels: np.ndarray, stretch: float) -> None:
    def loss(temperature: float) -> float:
        return reference.log_loss(labels, metrics.softmax(logits * stretch, temperature))

    expected = optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8}).x
    # scipy's bounded search stops at a flat bottom; the two agree to its tolerance, not to the last digit.
    assert metrics.fit_temperature(logits * stretch, labels) == pytest.approx(expected, rel=1e-5)


def test_temperature_of_two_views_is_where_the_nll_of_their_mean_is_least(
    logits: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> None:
    views = np.stack([logits, logits + rng.normal(size=logits.shape)]) * 3

    def loss(temperature: float) -> float:
        return reference.log_loss(labels, np.mean([metrics.softmax(view, temperature) for view in views], axis=0))

    expected = optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-8}).x
    assert metrics.fit_temperature(views, labels) == pytest.approx(expected, rel=1e-5)
    assert metrics.fit_temperature(np.stack([logits] * 2), labels) == pytest.approx(
        metrics.fit_temperature(logits, labels)
    )


def test_temperature_needs_as_many_labels_as_logits() -> None:
    with pytest.raises(ValueError, match="as many labels"):
        metrics.fit_temperature(np.zeros((2, K)), np.array([1]))


def test_reliability_by_hand() -> None:
    probabilities = np.zeros((4, K))
    probabilities[:, 0], probabilities[:, 1] = [0.95, 0.95, 0.6, 0.55], [0.05, 0.05, 0.4, 0.45]
    found = metrics.reliability(np.array([0, 1, 0, 0]), probabilities, bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 0, 2]
    assert found.accuracy[[5, 9]].tolist() == [1.0, 0.5]
    assert found.ece == pytest.approx((abs(1 - 0.575) * 2 + abs(0.5 - 0.95) * 2) / 4)


def test_ece_equals_the_definition_face_by_face(labels: np.ndarray, probabilities: np.ndarray) -> None:
    confidence, right = probabilities.max(axis=1), labels == probabilities.argmax(axis=1)
    gaps = []
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            gaps.append(inside.mean() * abs(right[inside].mean() - confidence[inside].mean()))
    assert metrics.reliability(labels, probabilities).ece == pytest.approx(sum(gaps))


def test_coverage_ends_at_full_coverage_and_plain_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> None:
    curve = metrics.coverage(labels, probabilities)
    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(metrics.accuracy(labels, predicted))
    assert (np.diff(curve.coverage) > 0).all()
    assert (np.diff(curve.threshold) < 0).all()
    middle = len(curve.threshold) // 2
    answered = probabilities.max(axis=1) >= curve.threshold[middle]
    assert curve.coverage[middle] == answered.mean()
    assert curve.accuracy[middle] == pytest.approx((labels == predicted)[answered].mean())


def test_coverage_takes_equal_confidences_together() -> None:
    probabilities = np.full((4, K), 0.05)
    probabilities[:, 0] = 0.7
    curve = metrics.coverage(np.array([0, 1, 0, 1]), probabilities)
    assert curve.coverage.tolist() == [1.0]
    assert curve.accuracy.tolist() == [0.5]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 1.0])
def test_threshold_answers_at_least_the_share_and_no_higher_one_does(probabilities: np.ndarray, share: float) -> None:
    confidence = probabilities.max(axis=1)
    threshold = metrics.threshold_for(probabilities, share)
    assert (confidence >= threshold).mean() >= share
    assert (confidence > threshold).mean() < share


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_threshold_refuses_impossible_shares(probabilities: np.ndarray, share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        metrics.threshold_for(probabilities, share)


@pytest.mark.parametrize("decimals", [1, 16])  # one decimal: many equal scores
@pytest.mark.parametrize("name", CLASSES)
def test_precision_recall_equals_scikit_learn(
    labels: np.ndarray, probabilities: np.ndarray, decimals: int, name: str
) -> None:
    index = CLASSES.index(name)
    positive, score = labels == index, probabilities[:, index].round(decimals)
    precision, recall, threshold = metrics.precision_recall(positive, score)
    expected = reference.precision_recall_curve(positive, score)
    np.testing.assert_allclose(precision, expected[0][-2::-1])
    np.testing.assert_allclose(recall, expected[1][-2::-1])
    np.testing.assert_allclose(threshold, expected[2][::-1])
    assert metrics.average_precision(positive, score) == pytest.approx(
        reference.average_precision_score(positive, score)
    )


def test_precision_recall_needs_a_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        metrics.precision_recall(np.zeros(3, dtype=bool), np.arange(3))


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (5, 5), (10, 3), (30, 62), (900, 700)])
def test_mcnemar_equals_the_exact_binomial_test(only_first: int, only_second: int) -> None:
    first = np.array([True] * only_first + [False] * only_second + [True] * 7 + [False] * 4)
    second = np.array([False] * only_first + [True] * only_second + [True] * 7 + [False] * 4)
    found = metrics.mcnemar(first, second)
    n = only_first + only_second
    expected = stats.binomtest(only_first, n).pvalue if n else 1.0
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("neutral:10", "neutral"),
        ("happiness:6 neutral:4", "happy"),
        ("happiness:5 neutral:5", None),  # not more than half
        ("anger:4 sadness:2 disgust:1 fear:1 contempt:1 unknown:1", "angry"),  # single votes count as zero
        ("anger:3 sadness:3 disgust:4", None),  # most named, but no majority
        ("surprise:8 fear:2", "surprise"),
        ("fear:10", "fear"),
        ("disgust:9 NF:1", "disgust"),
        ("sadness:7 fear:3", "sad"),
        ("contempt:10", None),
        ("unknown:6 neutral:4", None),
        ("NF:10", None),
        ("", None),
        ("neutral:1 happiness:1 surprise:1 sadness:1 anger:1", None),
    ],
)
def test_majority(votes: str, expected: str | None) -> None:
    row = np.zeros((1, 10), dtype=np.uint8)
    for part in votes.split():
        name, count = part.split(":")
        row[0, VOTE_COLUMNS.index(name)] = count
    found = metrics.majority(row)
    assert found.tolist() == [metrics.NO_MAJORITY if expected is None else CLASSES.index(expected)]


def test_agreement_is_the_largest_share_of_votes() -> None:
    votes = np.zeros((2, 10), dtype=np.uint8)
    votes[0, 3], votes[0, 5] = 6, 4
    assert metrics.agreement(votes).tolist() == [0.6, 0.0]
