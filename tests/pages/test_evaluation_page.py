"""The evaluation page without a browser: what it judges, what it says, and the page itself in AppTest."""

import json
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import streamlit as st
from scipy.stats import binomtest
from streamlit.testing.v1 import AppTest

from fer.card import Framing, ModelCard
from fer.data.dataset import CACHE_NAME, open_cache
from fer.emotions import CLASSES
from fer.judge import metrics, robustness
from fer.judge.damages import KINDS
from fer.judge.evaluation import EvaluationTable
from fer.judge.robustness import RobustnessTable
from fer.weights import ROBUSTNESS, SAMPLE, WEIGHTS
from tests.fakes import tiny
from tests.fakes.evaluated import ANGRY, FEAR, FEAR_TO_SAD, SAD, drawn_set, imagined_table
from tests.fakes.tiny import write_tiny
from webui.evaluation import card_text
from webui.evaluation import charts as evaluation_charts
from webui.evaluation import data as evaluation_data
from webui.evaluation import words as evaluation_words
from webui.evaluation.data import Judged
from webui.frame import weights
from webui.frame.session import STORE
from webui.parts.charts import percent

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a loaded machine; never part of a verdict


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> EvaluationTable:
    return imagined_table(drawn_set(tmp_path_factory.mktemp("set")))


@pytest.fixture
def judged(table: EvaluationTable) -> Judged:
    return evaluation_data.judge(table, "PrivateTest", "FER2013", "One view")


def shipped_beside(folder: Path) -> Path:
    """The folder with the shipped network in it, whose table may be another."""
    for name in (WEIGHTS.name, "framing.json"):
        (folder / name).symlink_to(WEIGHTS.parent / name)
    return folder


@pytest.fixture
def page(table: EvaluationTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with the imagined table as the shipped one, without a dataset."""
    st.cache_resource.clear()
    table.to_parquet(tmp_path / "weights" / "evaluation.parquet")
    monkeypatch.setattr(weights, "FOLDER", shipped_beside(tmp_path / "weights"))
    monkeypatch.setenv("FER_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "no-runs"))
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "pages" / "evaluation.py"), default_timeout=TIMEOUT_S)


def words_of(page: AppTest) -> str:
    parts = [element.proto.body for element in page.get("html")]
    return " ".join(parts + [e.value for e in (*page.markdown, *page.header, *page.caption)])


def open_part(page: AppTest, name: str) -> AppTest:
    page.session_state["evaluation_part"] = name
    return page.run()


def test_judge_takes_split_labels_and_view(table: EvaluationTable, judged: evaluation_data.Judged) -> None:
    assert len(judged.truth) == 70
    assert judged.matrix[FEAR, SAD] == FEAR_TO_SAD
    averaged = evaluation_data.judge(table, "PublicTest", "FER+ majority", "Flip-averaged")
    assert averaged.right.all()


def test_faces_of_a_cell_come_most_confident_first(judged: evaluation_data.Judged) -> None:
    picked = judged.of((judged.truth == FEAR) & (judged.predicted == SAD))
    assert len(picked) == FEAR_TO_SAD
    assert (np.diff(judged.confidence[picked]) <= 0).all()


def test_common_faces_are_matched_by_row(judged: evaluation_data.Judged) -> None:
    order = np.random.default_rng(0).permutation(len(judged.rows))[:50]
    other = Judged(judged.rows[order], judged.truth[order], judged.probabilities[order])
    first, second = evaluation_data.common(judged, other)
    assert len(first.rows) == 50
    assert np.array_equal(first.rows, second.rows)
    assert np.array_equal(first.probabilities, second.probabilities)


def test_common_leaves_out_faces_whose_truth_differs(judged: evaluation_data.Judged) -> None:
    other = Judged(judged.rows, (judged.truth + (judged.rows == judged.rows[0])) % 7, judged.probabilities)
    first, _ = evaluation_data.common(judged, other)
    assert judged.rows[0] not in first.rows
    assert len(first.rows) == 69


def test_evaluate_asks_the_network_for_both_views(tmp_path: Path) -> None:
    faces = drawn_set(tmp_path)
    shares: list[float] = []

    def left_is_bright(images: np.ndarray) -> np.ndarray:
        """Says 'angry' where the left half is brighter, else 'disgust': a mirror turns it round."""
        left = images[:, :, :24].mean(axis=(1, 2)) > images[:, :, 24:].mean(axis=(1, 2))
        found = np.zeros((len(images), 7), np.float32)
        found[np.arange(len(images)), np.where(left, 0, 1)] = 1
        return found

    table = evaluation_data.evaluate(left_is_bright, faces, shares.append)
    assert len(table) == 140
    assert (table.flipped[:, :2] == 0.5).all()
    assert shares[-1] == 1.0


def test_known_weights_are_the_shipped_ones_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "weights")
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    assert weights.known() == {}
    for file in ("weights/evaluation.parquet", "runs/a/resnet9.onnx", "runs/b/log.jsonl", "runs/c/evaluation.parquet"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = {name: one.table or one.file for name, one in weights.known().items()}
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items() if path} == {
        "Shipped weights": "weights/evaluation.parquet",
        "Run c": "runs/c/evaluation.parquet",
        "Run a": "runs/a/resnet9.onnx",
    }


def test_cells_say_counts_and_shares() -> None:
    counts = np.zeros((7, 7), np.int64)
    counts[FEAR, SAD], counts[FEAR, FEAR] = 5, 15
    _, texts, spoken = evaluation_words.matrix_cells(counts, as_shares=True)
    assert texts[FEAR][SAD].replace("\N{NO-BREAK SPACE}", " ") == "25 %"
    assert evaluation_words.matrix_cells(counts, as_shares=False)[1][FEAR][SAD] == "5"
    assert spoken[FEAR][SAD].startswith("true fear, named sad: 5 faces")
    assert evaluation_words.worst_cell(counts) == (FEAR, SAD)


def test_difference_cells_are_points_of_the_row() -> None:
    first, second = 4 * np.eye(7, dtype=int), 4 * np.eye(7, dtype=int)
    second[FEAR, FEAR], second[FEAR, SAD] = 3, 1
    shades, texts, _ = evaluation_words.difference_cells(first, second)
    assert (texts[FEAR][SAD], texts[FEAR][FEAR], texts[0][0]) == ("+25.0", "-25.0", "0")
    assert shades[FEAR, SAD] == 1
    assert shades[FEAR, FEAR] == -1


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.034, "0.034"), (3.2e-7, "3e-07"), (0.0, "0")])
def test_p_values_show_what_they_mean(value: float, text: str) -> None:
    assert evaluation_words.p_value(value) == text


def test_class_table_holds_every_class(judged: evaluation_data.Judged) -> None:
    table = evaluation_words.class_table(judged)
    assert table["expression"].tolist() == list(CLASSES)
    assert table["recall"][FEAR] == 50.0
    assert table["faces"].sum() == 70


def test_every_chart_has_a_title_with_its_unit(judged: evaluation_data.Judged) -> None:
    assert "number of faces" in evaluation_charts.class_bars(judged.matrix).title
    for chart in (
        evaluation_charts.reliability(judged),
        evaluation_charts.coverage(judged, 0.6),
        evaluation_charts.precision_recall(judged),
    ):
        assert "(%)" in chart["title"] or "in %" in chart["title"]
        for line, (x, y) in zip(chart["series"], chart["tables"], strict=True):
            assert len(x) == len(y) == len(line.get("notes", x))


def test_bars_of_a_class_are_its_right_and_its_wrong_faces(judged: evaluation_data.Judged) -> None:
    chart = evaluation_charts.class_bars(judged.matrix)
    wrong = int(((judged.truth == FEAR) & ~judged.right).sum())
    assert chart.values[FEAR].tolist() == [10 - wrong, wrong]
    assert chart.spoken[FEAR][evaluation_charts.WRONG] == "fear named wrong: 5 faces"
    assert chart.ends[FEAR] == ["10"]


def test_curves_end_where_the_metrics_do(judged: evaluation_data.Judged) -> None:
    """The last point of precision-recall has found every face; the last of reliability is the surest bin."""
    chart = evaluation_charts.precision_recall(judged)
    average = metrics.average_precision(judged.truth == FEAR, judged.probabilities[:, FEAR])
    assert chart["series"][FEAR]["label"] == f"fear {average:.2f}"
    assert all(x[-1] == 100 for x, _ in chart["tables"])
    result = metrics.reliability(judged.truth, judged.probabilities)
    model = evaluation_charts.reliability(judged)["tables"][1]
    assert model[0][-1] == pytest.approx(100 * np.nanmax(result.confidence), rel=1e-5)
    assert model[1][-1] == pytest.approx(result.accuracy[result.counts > 0][-1], rel=1e-5)


def test_the_coverage_mark_lies_where_the_threshold_answers(judged: evaluation_data.Judged) -> None:
    (mark,) = evaluation_charts.coverage(judged, 0.6)["marks"]
    assert mark["x"] == pytest.approx(100 * (judged.confidence >= 0.6).mean())
    assert evaluation_charts.coverage(judged, 1.0)["marks"] == []  # answers nothing


def test_the_card_says_everything() -> None:
    card = ModelCard(
        "resnet9", "ResNet9, width 64", 6_573_130, 0.5, 0.5, temperature=1.25, unsure_below=0.45,
        framing={"yunet": Framing(0.77, 1.02, 0.5, 0.49)}, training_data="Training", protocol="chosen on PublicTest",
        metrics={"PrivateTest": {"accuracy": 0.7}}, config={"epochs": 30}, commit="abc", created="2026-11-23",
        licence="MIT",
    )  # fmt: skip
    text = card_text.card_markdown(card)
    for part in ("6,573,130", "chosen on PublicTest", "| accuracy | 0.7 |", "1.250", "45\N{NO-BREAK SPACE}%", "yunet",
                 "not an emotion", "Article 5(1)(f)", "| epochs | 30 |", "MIT", "abc"):  # fmt: skip
        assert part in text


def test_the_page_shows_figures_and_matrix_without_the_dataset(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "92.9\N{NO-BREAK SPACE}%" in words_of(page)  # 65 of 70
    assert "84.3\N{NO-BREAK SPACE}% to 96.9\N{NO-BREAK SPACE}%" in words_of(page)
    assert "5 faces: fear, named sad" in words_of(page)  # the worst cell is open from the start
    assert "not on this computer" in words_of(page)


@pytest.mark.parametrize(
    "name", ["Classes", "Confidence", "Where it fails", "Worse pictures", "Your photos", "Compare", "Model card"]
)
def test_every_part_opens(page: AppTest, name: str) -> None:
    page.run()
    open_part(page, name)
    assert not page.exception
    assert not page.error


def test_worse_pictures_are_shown_without_the_dataset_from_the_table_that_ships(page: AppTest) -> None:
    clean = RobustnessTable.read(ROBUSTNESS).curve(robustness.UNTOUCHED)[0]
    open_part(page.run(), "Worse pictures")
    assert f"**{percent(clean.accuracy, 1)}** are named right" in words_of(page)
    assert [box.label for box in page.expander] == list(dict.fromkeys(kind.group for kind in KINDS.values()))


def test_curves_say_that_they_are_not_of_the_weights_chosen(with_run: AppTest) -> None:
    with_run.run()
    with_run.selectbox(key="evaluation_weights").set_value("Run mine").run()
    open_part(with_run, "Worse pictures")
    assert "These curves belong to other weights" in with_run.info[0].value


def test_comparing_one_view_with_two_gives_the_exact_p_value(page: AppTest) -> None:
    page.run()
    open_part(page, "Compare")
    assert "0.062" in words_of(page)  # 2 · 0.5⁵ for five faces that only the second gets right
    assert "Only the first is right (0)" in page.selectbox(key="evaluation_only").options


@pytest.fixture
def with_tiny(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with two runs: one left only its weights file, the other mistakes angry faces in its table."""
    faces = drawn_set(tmp_path / "set")
    imagined_table(faces, mistaken=ANGRY).to_parquet(tmp_path / "runs" / "angry" / "evaluation.parquet")
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    write_tiny(tmp_path / "runs" / "tiny" / "resnet9.onnx")
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    page.run()
    return open_part(page, "Compare")


@pytest.fixture
def with_run(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with a run that has its table and its weights: the tiny network, 'unsure' below 10 %."""
    folder = tmp_path / "runs" / "mine"
    imagined_table(drawn_set(tmp_path / "set"), mistaken=ANGRY).to_parquet(folder / "evaluation.parquet")
    write_tiny(folder / "resnet9.onnx")
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    return page


def unsure_sliders(page: AppTest) -> list[int]:
    return [cast(int, slider.value) for slider in page.slider if slider.label.startswith("Say 'unsure'")]


def test_the_first_threshold_is_that_of_the_chosen_weights(with_run: AppTest) -> None:
    open_part(with_run, "Confidence")
    assert unsure_sliders(with_run) == [round(100 * weights.shipped().card.unsure_below)]
    with_run.selectbox(key="evaluation_weights").set_value("Run mine").run()
    assert unsure_sliders(with_run) == [10]


def test_the_card_is_that_of_the_chosen_weights(with_run: AppTest) -> None:
    open_part(with_run, "Model card")
    assert "# tiny" not in words_of(with_run)
    with_run.selectbox(key="evaluation_weights").set_value("Run mine").run()
    assert "# tiny" in words_of(with_run)


def test_weights_taken_into_use_are_judged_at_first(with_run: AppTest, tmp_path: Path) -> None:
    with_run.run()
    assert with_run.selectbox(key="evaluation_weights").value == "Shipped weights"
    with_run.session_state[STORE].weights = str(tmp_path / "runs" / "mine" / "resnet9.onnx")
    with_run.run()
    assert with_run.selectbox(key="evaluation_weights").value == "Run mine"
    with_run.selectbox(key="evaluation_weights").set_value("Shipped weights").run()
    assert with_run.selectbox(key="evaluation_weights").value == "Shipped weights"  # and left where one puts it


def test_a_table_without_weights_says_so(with_run: AppTest, tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine" / "resnet9.onnx").unlink()
    with_run.run()
    with_run.selectbox(key="evaluation_weights").set_value("Run mine").run()
    open_part(with_run, "Model card")
    assert r"Run mine\: the weights file is not on this computer" in with_run.error[0].value


def test_a_weights_file_is_compared_by_reading_the_set(
    with_tiny: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "set"))
    assert with_tiny.selectbox(key="evaluation_compare_second").value == "Run tiny"  # not the shipped table with itself
    with_tiny.selectbox(key="evaluation_compare_first").set_value("Run angry").run()
    assert not with_tiny.exception
    assert not with_tiny.error
    faces = open_cache(tmp_path / "set" / CACHE_NAME)
    judged = evaluation_data.judge(imagined_table(faces, mistaken=ANGRY), "PrivateTest", "FER2013", "One view")
    tested = faces.split("PrivateTest")
    said = tiny.probabilities(tested.images).argmax(axis=1)
    only_first = int((judged.right & (said != tested.labels)).sum())
    only_second = int((~judged.right & (said == tested.labels)).sum())
    assert min(only_first, only_second) > 0
    assert with_tiny.selectbox(key="evaluation_only").options == [
        f"Only the first is right ({only_first:,})",
        f"Only the second is right ({only_second:,})",
    ]
    p = binomtest(only_second, only_first + only_second).pvalue
    assert f">{evaluation_words.p_value(p)}<" in words_of(with_tiny)
    change = metrics.row_shares(metrics.confusion(tested.labels, said)) - metrics.row_shares(judged.matrix)
    data = [json.loads(element.proto.json) for element in with_tiny.get("bidi_component")]
    (drawn,) = [one for one in data if str(one.get("title", "")).startswith("Second minus first")]
    assert drawn["texts"][FEAR][FEAR] == (f"{100 * change[FEAR, FEAR]:+.1f}" if change[FEAR, FEAR] else "0")
    assert np.sign(drawn["shades"]).tolist() == np.sign(np.round(change, 4)).tolist()


def test_a_weights_file_without_the_set_says_what_to_do(with_tiny: AppTest) -> None:
    assert not with_tiny.exception
    assert "scripts/prepare.py" in with_tiny.error[0].value
    assert "Choose two." in with_tiny.info[0].value


def test_a_set_without_row_numbers_gets_a_word(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer.data.dataset import write_cache
    from fer.data.faceset import FaceSet

    faces = drawn_set(tmp_path / "x")
    unknown = FaceSet(faces.images, faces.labels, faces.splits, faces.votes, np.full(len(faces), -1))
    write_cache(unknown, tmp_path / "unknown" / CACHE_NAME)
    monkeypatch.setenv("FER_DATA", str(tmp_path / "unknown"))
    page.run()
    assert not page.exception
    assert "row numbers" in page.warning[0].value


def test_no_table_is_no_error(page: AppTest, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "weights")
    page.run()
    assert not page.exception
    assert "No evaluation table yet" in words_of(page)


def test_a_damaged_table_says_what_to_do(page: AppTest, tmp_path: Path) -> None:
    (tmp_path / "weights" / "evaluation.parquet").write_bytes(b"PAR1")
    page.run()
    assert not page.exception
    assert "scripts/evaluate.py" in page.error[0].value


def test_faces_that_nobody_measured_have_no_parts(page: AppTest) -> None:
    open_part(page.run(), "Where it fails")
    assert "These faces were not measured" in words_of(page)


def test_ones_own_photos_are_judged_by_group(page: AppTest) -> None:
    open_part(page.run(), "Your photos")
    listed = "file,label,age\na.jpg,happy,![old](http://example.org/a.png)\nb.jpg,sad,young\n"
    page.file_uploader(key="evaluation_list").set_value(("list.csv", listed.encode(), "text/csv"))
    photo = SAMPLE.read_bytes()
    page.file_uploader(key="evaluation_photos").set_value([(f"{name}.jpg", photo, "image/jpeg") for name in "ab"])
    page.run()
    page.button(key="evaluation_judge_photos").click().run()
    assert not page.exception
    assert "| all | 2 | 50.0% |" in words_of(page)
    assert "Largest gap: 100.0 points" in words_of(page)
    assert "![old](" not in words_of(page)  # a list's words load no picture
    assert "1 faces: sad, named happy" in words_of(page)
    assert "A part needs at least 20 photos" in words_of(page)
    page.run()
    assert "| all | 2 | 50.0% |" in words_of(page), "a press elsewhere keeps what was judged"
    page.file_uploader(key="evaluation_photos").set_value([]).run()
    assert "| all |" not in words_of(page), "nothing is kept of photos that were taken away"


def test_a_photo_that_the_list_names_and_nobody_gave_is_told(page: AppTest) -> None:
    open_part(page.run(), "Your photos")
    page.file_uploader(key="evaluation_list").set_value(("list.csv", b"file,label\nc.jpg,happy\n", "text/csv"))
    page.file_uploader(key="evaluation_photos").set_value([("a.jpg", SAMPLE.read_bytes(), "image/jpeg")])
    page.run()
    page.button(key="evaluation_judge_photos").click().run()
    assert "c.jpg" in page.error[0].value
