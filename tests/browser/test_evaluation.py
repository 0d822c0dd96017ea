"""The evaluation page in a real browser: the matrix, the faces behind its cells, files, comparison, the card."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from scipy.stats import binomtest

pytestmark = pytest.mark.browser

from fer.data.dataset import open_faces  # noqa: E402
from fer.emotions import CLASSES  # noqa: E402
from fer.judge import metrics  # noqa: E402
from fer.judge.evaluation import EvaluationTable  # noqa: E402
from fer.weights import EVALUATION  # noqa: E402
from tests.browser.conftest import StartApp  # noqa: E402
from tests.fakes import tiny  # noqa: E402
from tests.fakes.evaluated import ANGRY, FEAR_TO_SAD, drawn_set, imagined_table  # noqa: E402
from tests.fakes.tiny import write_tiny  # noqa: E402
from webui.evaluation.words import p_value  # noqa: E402


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the drawn set, two runs with their imagined tables, and a third table as a file."""
    folder = tmp_path_factory.mktemp("evaluated")
    faces = drawn_set(folder)
    imagined_table(faces).to_parquet(folder / "runs" / "imagined" / EVALUATION.name)
    imagined_table(faces, mistaken=ANGRY).to_parquet(folder / "runs" / "angry" / EVALUATION.name)
    imagined_table(faces, seed=1).to_parquet(folder / "other.parquet")
    return folder


@pytest.fixture(scope="module")
def server(start_app: StartApp, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    environment = {"FER_DATA": str(home), "FER_RUNS": str(home / "runs")}
    with start_app(tmp_path_factory.mktemp("home"), **environment) as url:
        yield url


@pytest.fixture
def evaluation(page: Page) -> Page:
    """The page with the imagined run chosen."""
    page.goto("/")
    page.goto("/evaluation")
    choose(page, "Weights", "Run imagined")
    return page


def choose(page: Page, label: str, option: str) -> None:
    box = page.get_by_role("combobox", name=label).first
    expect(box).to_be_visible()
    # A list closes when the page scrolls beneath it or redraws its box.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    if option not in (box.input_value() or ""):
        box.click()
        page.get_by_role("option", name=option, exact=True).click()


def cell(page: Page, true: str, named: str) -> Locator:
    return page.get_by_role("button", name=f"true {true}, named {named}:")


def test_a_cell_shows_as_many_faces_as_the_table_says(evaluation: Page) -> None:
    cell(evaluation, "happy", "happy").click()
    expect(evaluation.get_by_role("heading", name="10 faces: happy, and named so")).to_be_visible()
    cell(evaluation, "fear", "sad").click()
    expect(evaluation.get_by_role("heading", name=f"{FEAR_TO_SAD} faces: fear, named sad")).to_be_visible()
    faces = evaluation.get_by_role("group", name="5 faces: fear, named sad").get_by_role("button")
    expect(faces).to_have_count(FEAR_TO_SAD)
    shares = [int(text.split("\N{NO-BREAK SPACE}")[0]) for text in faces.all_inner_texts()]
    assert shares == sorted(shares, reverse=True)


def test_a_cell_without_faces_says_none(evaluation: Page) -> None:
    cell(evaluation, "happy", "sad").click()
    expect(evaluation.get_by_text("None.", exact=True)).to_be_visible()


def test_the_matrix_is_reached_by_keyboard(evaluation: Page) -> None:
    cell(evaluation, "fear", "sad").focus()
    evaluation.keyboard.press("ArrowRight")
    evaluation.keyboard.press("Enter")
    expect(evaluation.get_by_role("heading", name="0 faces: fear, named surprise")).to_be_visible()


def test_a_face_opens_large_with_votes_and_the_model(evaluation: Page) -> None:
    cell(evaluation, "fear", "sad").click()
    grid = evaluation.get_by_role("group", name="5 faces: fear, named sad")
    grid.get_by_role("button").first.click()
    dialog = evaluation.get_by_role("dialog")
    for words in ("of fer2013.csv", "The model", "FER+ taggers", "Majority: fear."):
        expect(dialog.get_by_text(words)).to_be_visible()
    expect(dialog.get_by_role("img", name="the face, 48×48 pixels")).to_be_visible()


def test_another_view_gives_another_matrix(evaluation: Page) -> None:
    expect(cell(evaluation, "fear", "sad")).to_have_accessible_name("true fear, named sad: 5 faces, 50 % of fear")
    evaluation.get_by_role("radio", name="Flip-averaged").click()
    expect(cell(evaluation, "fear", "sad")).to_have_accessible_name("true fear, named sad: 0 faces, 0 % of fear")


def test_the_unsure_slider_trades_coverage_for_accuracy(evaluation: Page) -> None:
    evaluation.get_by_role("tab", name="Confidence").click()
    slider = evaluation.get_by_role("slider")
    expect(slider).to_be_visible()
    slider.focus()
    evaluation.keyboard.press("End")
    expect(evaluation.get_by_text("Answers 0.0\N{NO-BREAK SPACE}% of the faces")).to_be_visible()


def test_a_bar_of_a_class_shows_its_faces(evaluation: Page) -> None:
    evaluation.get_by_role("tab", name="Classes").click()
    wrong = evaluation.get_by_role("button", name="fear named wrong: 5 faces")
    wrong.click()
    expect(evaluation.get_by_role("heading", name="5 faces: fear, named wrong")).to_be_visible()
    expect(evaluation.get_by_role("group", name="5 faces: fear, named wrong").get_by_role("button")).to_have_count(5)
    expect(wrong).to_have_attribute("aria-pressed", "true")
    evaluation.get_by_role("button", name="happy named right: 10 faces").click()
    expect(evaluation.get_by_role("group", name="10 faces: happy, named right").get_by_role("button")).to_have_count(10)
    evaluation.get_by_role("button", name="happy named right: 10 faces").click()
    expect(evaluation.get_by_role("img", name="Precision (%) by recall (%)")).to_be_visible()


def test_two_weights_are_compared_by_file(evaluation: Page, home: Path) -> None:
    evaluation.get_by_role("tab", name="Compare").click()
    choose(evaluation, "First", "Run imagined")
    choose(evaluation, "Second", "A file …")
    evaluation.locator("input[type=file]").set_input_files(home / "other.parquet")
    expect(evaluation.get_by_text("exact McNemar")).to_be_visible()
    expect(evaluation.get_by_text("Second minus first")).to_be_visible()
    expect(evaluation.get_by_text("Only the first is right (0)").first).to_be_visible()


def test_a_weights_file_is_compared(evaluation: Page, home: Path, tmp_path: Path) -> None:
    """The tiny network, read over the set, against the imagined table: cells, faces and p-value as the tests reckon."""
    tested = open_faces(home).split("PrivateTest")
    said = tiny.probabilities(tested.images).argmax(axis=1)
    first = imagined_table(open_faces(home), mistaken=ANGRY).split("PrivateTest").single.argmax(axis=1)
    only_first = int(((first == tested.labels) & (said != tested.labels)).sum())
    only_second = int(((first != tested.labels) & (said == tested.labels)).sum())
    evaluation.get_by_role("tab", name="Compare").click()
    choose(evaluation, "First", "Run angry")
    choose(evaluation, "Second", "A file …")
    evaluation.locator("input[type=file]").set_input_files(write_tiny(tmp_path / "tiny.onnx"))
    words = f"Only the first is right ({only_first})"
    expect(evaluation.get_by_role("heading", name=words)).to_be_visible()
    grid = evaluation.get_by_role("group", name=words).get_by_role("button")
    expect(grid).to_have_count(min(only_first, 48))
    tile = evaluation.locator(".tile", has_text="exact McNemar")
    p = binomtest(only_second, only_first + only_second).pvalue
    expect(tile.locator(".figure")).to_have_text(p_value(p))
    now = metrics.confusion(tested.labels, said)[CLASSES.index("angry"), CLASSES.index("sad")]
    expect(cell(evaluation, "angry", "sad")).to_have_accessible_name(
        re.compile(rf"true angry, named sad: .*; {FEAR_TO_SAD} faces by the first, {now} by the second")
    )
    words = f"Only the second is right ({only_second})"
    choose(evaluation, "Faces", words)
    expect(evaluation.get_by_role("group", name=words).get_by_role("button")).to_have_count(only_second)


def test_a_weights_file_without_the_set_says_what_to_do(start_app: StartApp, page: Page, tmp_path: Path) -> None:
    with start_app(tmp_path, FER_DATA=str(tmp_path / "none"), FER_RUNS=str(tmp_path / "none")) as url:
        other = page.context.new_page()
        other.set_default_timeout(60_000)
        other.goto(f"{url}/evaluation?evaluation_part=Compare")
        choose(other, "Second", "A file …")
        other.locator("input[type=file]").set_input_files(write_tiny(tmp_path / "tiny.onnx"))
        expect(other.get_by_text("scripts/prepare.py")).to_be_visible()
        expect(other.get_by_text("Choose two.")).to_be_visible()


def test_a_file_that_is_no_table_is_refused_in_words(evaluation: Page, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"not a table")
    choose(evaluation, "Weights", "A file …")
    evaluation.locator("input[type=file]").set_input_files(tmp_path / "x.parquet")
    expect(evaluation.get_by_text("not a Parquet file")).to_be_visible()


def test_the_card_is_that_of_the_weights_asked_about(evaluation: Page) -> None:
    """Of the imagined run only the table is here, so it has no card; the shipped one's must not stand in its place."""
    evaluation.get_by_role("tab", name="Model card").click()
    expect(evaluation.get_by_text("the weights file is not on this computer")).to_be_visible()
    expect(evaluation.get_by_role("button", name="Download as Markdown")).to_have_count(0)
    choose(evaluation, "Weights", "Shipped weights")
    expect(evaluation.get_by_text("An expression is not an emotion.")).to_be_visible()
    with evaluation.expect_download() as download:
        evaluation.get_by_role("button", name="Download as Markdown").click()
    assert "FER2013" in download.value.path().read_text()


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
def test_no_part_is_wider_than_the_screen(evaluation: Page, size: tuple[int, int]) -> None:
    evaluation.set_viewport_size({"width": size[0], "height": size[1]})
    expect(evaluation.get_by_role("tab", name="Model card")).to_be_visible()
    names = evaluation.get_by_role("tab").all_inner_texts()
    assert len(names) == 8
    for name in names:
        evaluation.get_by_role("tab", name=name).click()
        evaluation.wait_for_timeout(300)
        main = evaluation.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 1, name


@pytest.mark.data
@pytest.mark.skipif(not EVALUATION.is_file(), reason="the shipped weights have no evaluation table yet")
def test_fear_taken_for_sad_in_the_shipped_table(
    start_app: StartApp, prepared_folder: Path, page: Page, tmp_path: Path
) -> None:
    """The real table on the real set: the cell's faces, page by page, are those that the table counts."""
    table = EvaluationTable.from_parquet(EVALUATION).split("PrivateTest")
    fear, sad = CLASSES.index("fear"), CLASSES.index("sad")
    count = int(metrics.confusion(table.truth("FER2013"), table.single.argmax(axis=1))[fear, sad])
    assert len(open_faces(prepared_folder)) == 35887
    with start_app(tmp_path, FER_DATA=str(prepared_folder), FER_RUNS=str(tmp_path / "runs")) as url:
        other = page.context.new_page()
        other.set_default_timeout(60_000)
        other.goto(f"{url}/")
        other.goto(f"{url}/evaluation")
        cell(other, "fear", "sad").click()
        expect(other.get_by_role("heading", name=f"{count} faces: fear, named sad")).to_be_visible()
        buttons = other.get_by_role("group", name=f"{count} faces: fear, named sad").get_by_role("button")
        expect(buttons).to_have_count(min(count, 48))
        seen = len(buttons.all())
        while seen < count:
            other.get_by_role("button", name="›").click()
            expect(other.get_by_text(f"{seen + 1} to {min(count, seen + 48)} of {count}")).to_be_visible()
            expect(buttons).to_have_count(min(48, count - seen))
            seen += len(buttons.all())
        assert seen == count
