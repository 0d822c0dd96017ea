"""The dataset page without a browser: filters, findings, lasso, augmentation, fetching, and the page in AppTest."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fer.data import dataset
from fer.data.dataset import CACHE_NAME
from fer.data.faceset import FaceSet
from fer.data.summary import summary
from fer.emotions import CLASSES
from fer.learn.config import PRESETS
from tests.fakes import tiny
from tests.fakes.evaluated import drawn_set, imagined_audit
from tests.fakes.tiny import write_tiny
from webui.dataset import audit as audit_data
from webui.dataset import augmentation, face_details
from webui.dataset import charts as dataset_charts
from webui.dataset import data as dataset_data
from webui.dataset import fetch as dataset_fetch
from webui.dataset import filters as dataset_filters
from webui.dataset.audit import FINDINGS
from webui.dataset.filters import Filter
from webui.parts import face_grid as gallery
from webui.parts.charts import probability_bars
from webui.parts.face_map import inside

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a loaded machine; never part of a verdict


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("set")


@pytest.fixture(scope="module")
def faces_(folder: Path) -> FaceSet:
    return drawn_set(folder)


@pytest.fixture
def page(faces_: FaceSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with the drawn set and its imagined audit."""
    st.cache_resource.clear()
    imagined_audit(faces_).to_parquet(tmp_path / "audit.parquet")
    monkeypatch.setattr(audit_data, "AUDIT", tmp_path / "audit.parquet")
    monkeypatch.setenv("FER_DATA", str(folder))
    monkeypatch.setenv("FER_ALLOW_FETCH", "1")
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "pages" / "dataset.py"), default_timeout=TIMEOUT_S)


def open_part(page: AppTest, name: str) -> AppTest:
    page.session_state["dataset_part"] = name
    return page.run()


def headings(page: AppTest) -> list[str]:
    return [element.value for element in page.header]


def words_of(page: AppTest) -> str:
    return " ".join([e.proto.body for e in page.get("html")] + [e.value for e in (*page.markdown, *page.caption)])


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(), 224),
        (Filter(splits=("PublicTest",)), 70),
        (Filter(splits=("PublicTest", "PrivateTest"), classes=("fear",)), 20),
        (Filter(classes=("fear", "sad"), majority="fear"), 32),
        (Filter(majority="no majority"), 0),
        (Filter(agreement=(0.9, 1.0)), 0),
        (Filter(agreement=(0.8, 0.8)), 224),
        (Filter(brightness=(256.0, 300.0)), 0),
    ],
)
def test_filters(faces_: FaceSet, wanted: dataset_filters.Filter, count: int) -> None:
    brightness = faces_.images.mean(axis=(1, 2))
    assert len(dataset_filters.select(faces_, brightness, wanted)) == count


def test_brightness_splits_the_set_in_two(faces_: FaceSet) -> None:
    brightness = faces_.images.mean(axis=(1, 2))
    middle = float(np.median(brightness))
    dark = dataset_filters.select(faces_, brightness, Filter(brightness=(0, middle)))
    assert (brightness[dark] <= middle).all()
    assert len(dark) == (brightness <= middle).sum()


def test_a_set_without_votes_asks_none(faces_: FaceSet) -> None:
    bare = FaceSet(faces_.images, faces_.labels, faces_.splits, None, faces_.rows)
    assert len(dataset_filters.select(bare, np.zeros(224), Filter(majority="fear", agreement=(0.5, 1.0)))) == 224
    assert "ferplus_majority" not in dataset_filters.as_table(bare, np.zeros(224), np.arange(3))


@pytest.mark.parametrize(
    "changes",
    [{"splits": ("Test",)}, {"classes": ("joy",)}, {"majority": "joy"}, {"agreement": (0.9, 0.1)},
     {"brightness": (9.0, 1.0)}],
)  # fmt: skip
def test_impossible_filters_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|majority|lies above"):
        Filter(**changes)


def test_a_seed_shuffles_the_same_way_each_time() -> None:
    at = np.arange(50)
    first, again, other = (dataset_filters.ordered(at, "Shuffled", seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert sorted(first) == at.tolist()
    assert np.array_equal(dataset_filters.ordered(at, "As in the file", 1), at)


def test_the_exported_list_names_what_the_grid_shows(faces_: FaceSet) -> None:
    table = dataset_filters.as_table(faces_, np.full(224, 99.96), np.array([200, 0]))
    assert table["row"].tolist() == [200, 0]
    assert table["split"].tolist() == ["PrivateTest", "Training"]
    assert table["label"].tolist() == [CLASSES[faces_.labels[200]], CLASSES[faces_.labels[0]]]
    assert table["ferplus_majority"].tolist() == table["label"].tolist()
    assert table["brightness"].tolist() == [100.0, 100.0]


@pytest.mark.parametrize(
    ("name", "split", "label", "expected"),
    [
        ("Leaks", None, None, [3, 223]),
        ("Leaks", "PrivateTest", None, [223]),
        ("Exact duplicates", None, None, [3, 223]),
        ("Near duplicates", None, None, []),  # exact ones are not listed twice
        ("Not a face", None, None, [5]),
        ("Likely wrong labels", None, None, [9, 8, 7]),
        ("Likely wrong labels", "Training", CLASSES[1], [8]),
    ],
)
def test_findings(faces_: FaceSet, name: str, split: str | None, label: str | None, expected: list[int]) -> None:
    assert audit_data.finding(imagined_audit(faces_), name, split, label).at.tolist() == expected


def test_hardest_faces_come_first(faces_: FaceSet) -> None:
    found = audit_data.finding(imagined_audit(faces_), "Hardest faces")
    assert found.at[:3].tolist() == [223, 222, 221]
    label = faces_.labels[223]
    assert found.caption(223) == f"{CLASSES[label]}\n→ {CLASSES[(label + 1) % 7]}"


def test_copies_stand_side_by_side(faces_: FaceSet) -> None:
    near = np.full(224, -1, np.int32)
    near[[0, 100]], near[[1, 50, 200]] = 0, 1
    table = replace(imagined_audit(faces_), near=near)
    assert audit_data.finding(table, "Leaks").at.tolist() == [0, 100, 1, 50, 200]


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ([(0, 0), (10, 0), (10, 10), (0, 10)], [True, False, True, True]),
        ([(0, 0), (10, 0), (0, 10)], [True, False, False, True]),
        ([(0, 0), (10, 10), (10, 0), (0, 10)], [True, False, True, False]),  # crosses itself: two triangles
        ([(0, 0), (10, 10)], [False, False, False, False]),
    ],
)
def test_points_inside_a_lasso(corners: list[tuple[int, int]], expected: list[bool]) -> None:
    x, y = np.array([2, 12, 9, 5], np.uint16), np.array([4, 4, 5, 1], np.uint16)
    assert inside(np.array(corners), x, y).tolist() == expected


def test_the_sprite_holds_every_face_in_its_place(faces_: FaceSet) -> None:
    picture = gallery.sprite(faces_.images[:13], columns=5)
    assert picture.shape == (3 * 48, 5 * 48)
    assert np.array_equal(picture[48:96, 96:144], faces_.images[7])
    assert not picture[96:, 144:].any()


def test_vote_bars_are_as_long_as_the_votes() -> None:
    votes = np.zeros(10, np.uint8)
    votes[[3, 8]] = 8, 2
    bars = face_details.vote_bars(votes)
    assert bars.count('class="fill"') == 2
    assert "<dt>sadness</dt>" in bars
    assert "width:80%" in bars
    assert "width:20%" in bars


def test_positions_find_rows_and_say_where_there_is_none(faces_: FaceSet) -> None:
    shuffled = faces_.take(np.random.default_rng(0).permutation(224)[:100])
    rows = np.concatenate([shuffled.rows[[40, 3]], [9999, -1]])
    assert dataset_data.positions(shuffled, rows).tolist() == [40, 3, -1, -1]


def test_every_overview_chart_has_a_title_with_its_unit() -> None:
    original = summary()
    figures = (
        dataset_charts.counts(original.counts),
        dataset_charts.balance(original.counts),
        dataset_charts.agreement(original.ferplus),
    )
    for figure in figures:
        assert "%" in figure.title or "number of faces" in figure.title


def test_augmentation_is_the_trainers_own(faces_: FaceSet) -> None:
    torch = pytest.importorskip("torch")
    from fer.learn.augment import Augmenter

    config = PRESETS["cpu"]
    preview = augmentation.Preview()
    found = preview.faces(faces_.images[0], config, 6, seed=3)
    copies = torch.tensor(np.broadcast_to(faces_.images[0], (6, 48, 48)))
    drawn = Augmenter(copies, config, 0.5, 0.5)(torch.arange(6), torch.Generator().manual_seed(3))
    expected = ((drawn[:, 0].numpy() * 0.5 + 0.5) * 255).round().clip(0, 255)
    assert np.abs(found - expected).max() <= 1  # rounding at .5
    with pytest.raises(augmentation.PreviewError, match="count must lie"):
        preview.faces(faces_.images[0], config, 1000, seed=0)
    assert preview._process is not None
    preview._process.kill()
    preview._process.wait()
    assert preview.faces(faces_.images[0], config, 1, seed=0).shape == (1, 48, 48)  # restarted
    preview.close()


def test_without_torch_the_preview_says_what_to_install(faces_: FaceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(augmentation.PreviewError, match="requirements-train"):
        augmentation.Preview().faces(faces_.images[0], PRESETS["article"], 1, 0)


@pytest.mark.parametrize("name", ["Overview", "Faces", "Audit", "Map"])
def test_every_part_opens(page: AppTest, name: str) -> None:
    page.run()
    open_part(page, name)
    assert not page.exception
    assert not page.error


def test_a_class_shows_its_faces(page: AppTest) -> None:
    open_part(page, "Faces")
    assert headings(page) == ["224 faces"]
    page.get("button_group")[1].set_value(["fear"]).run()
    assert headings(page) == ["32 faces"]


def test_the_audit_states_its_precision_against_ferplus(page: AppTest) -> None:
    open_part(page, "Audit")
    assert headings(page) == ["3 faces"]
    assert "Of Training's 100 most suspect" in words_of(page)
    assert "another class for **0**, the same for **3**" in words_of(page)
    next(box for box in page.selectbox if box.label == "Split").select("PublicTest").run()
    assert "Of PublicTest's 100 most suspect" in words_of(page)
    assert "another class for **0**, the same for **0**" in words_of(page)
    assert set(page.get("button_group")[0].options) == set(FINDINGS)


def test_without_the_set_counts_and_audit_stand(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "no-data"))
    page.run()
    assert not page.exception
    assert "35,887" in words_of(page)
    assert "not on this computer" in words_of(page)
    open_part(page, "Audit")
    assert len(page.dataframe) == 1
    assert len(page.dataframe[0].value) == 3


def test_pointing_to_a_copy_prepares_it(
    page: AppTest, faces_: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "new"))
    rows = ["emotion,pixels,Usage"]
    usage = ("Training", "PublicTest", "PrivateTest")
    for image, label, split in zip(faces_.images, faces_.labels, faces_.splits, strict=True):
        rows.append(f"{label},{' '.join(map(str, image.ravel()))},{usage[split]}")
    (tmp_path / "fer2013.csv").write_text("\n".join(rows) + "\n")
    page.run()
    page.text_input[0].set_value(str(tmp_path / "fer2013.csv"))
    next(b for b in page.button if b.label == "Prepare it").click().run()
    assert not page.error
    assert len(dataset.open_cache(tmp_path / "new" / CACHE_NAME)) == 224
    assert "not on this computer" not in words_of(page)


def test_pointing_to_nothing_says_so(page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "new"))
    page.run()
    page.text_input[0].set_value(str(tmp_path / "nothing.csv"))
    next(b for b in page.button if b.label == "Prepare it").click().run()
    assert "no such file" in page.error[0].value


@pytest.fixture
def fetching(page: AppTest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """The page without the set; told the last line of a script that stands in for scripts/prepare.py, presses Fetch."""
    monkeypatch.setenv("FER_DATA", str(tmp_path / "new"))
    monkeypatch.setattr(dataset_fetch, "ROOT", tmp_path)
    (tmp_path / "scripts").mkdir()

    def press(last_line: str) -> AppTest:
        lines = [
            "import pathlib, shutil, sys",
            "assert sys.argv[1:] == ['--download']",
            "print('half of it')",
            last_line,
        ]
        (tmp_path / "scripts" / "prepare.py").write_text("\n".join(lines))
        page.run()
        return next(b for b in page.button if b.label == "Fetch and prepare").click().run()

    return press


def test_fetching_shows_the_set(fetching: Callable[[str], AppTest], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    page = fetching(f"shutil.copy({str(folder / CACHE_NAME)!r}, {str(tmp_path / 'new')!r})")
    assert not page.exception
    assert "not on this computer" not in words_of(page)


def test_fetching_that_fails_shows_its_last_lines(fetching: Callable[[str], AppTest]) -> None:
    page = fetching("sys.exit('no network')")
    assert not page.exception
    (code,) = [element.value for element in page.code]
    assert code == "half of it\nno network"
    assert page.status[0].label == "That did not work"


def large_face() -> None:
    from webui.dataset import data as dataset_data
    from webui.dataset import face_details
    from webui.frame import weights

    found = dataset_data.faces()
    assert found is not None
    face_details.face_page(found, 40, weights.in_use())


def test_a_face_opens_with_all_that_is_known_of_it(page: AppTest, faces_: FaceSet) -> None:
    """Row, split, label, votes as bars, the model's probabilities, and its neighbours by the audit's table."""
    opened = AppTest.from_function(large_face, default_timeout=TIMEOUT_S).run()
    assert not opened.exception
    words = words_of(opened)
    name = CLASSES[faces_.labels[40]]
    assert f"Row **40** of fer2013.csv  \nSplit **Training**  \nLabel **{name}**" in words
    assert f"Majority: {name}." in words
    assert words.count('<dl class="bars">') == 2
    (grid,) = [json.loads(element.proto.json) for element in opened.get("bidi_component")]
    assert [row for row, _, _ in grid["faces"]] == list(range(41, 49))


def large_face_of_a_run() -> None:
    import os
    from pathlib import Path

    from webui.dataset import data as dataset_data
    from webui.dataset import face_details
    from webui.frame import weights

    found = dataset_data.faces()
    assert found is not None
    face_details.face_page(found, 40, weights.of_run(Path(os.environ["FER_RUNS"]) / "mine"))


def test_a_face_is_shown_with_what_the_runs_weights_say(
    page: AppTest, faces_: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    write_tiny(tmp_path / "runs" / "mine" / "resnet9.onnx")
    opened = AppTest.from_function(large_face_of_a_run, default_timeout=TIMEOUT_S).run()
    assert not opened.exception
    assert "**The model**: Run mine (probability)" in words_of(opened)
    face = faces_.images[[40]]
    both = (tiny.probabilities(face) + tiny.probabilities(face[:, :, ::-1])) / 2  # as the app reads each face
    assert probability_bars(both[0]) in words_of(opened)


def test_only_the_operators_switch_lets_visitors_name_files(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "new"))
    monkeypatch.delenv("FER_ALLOW_FETCH")
    monkeypatch.setattr(st, "get_option", lambda name: "localhost")  # as behind a reverse proxy
    page.run()
    assert "FER_ALLOW_FETCH=1" in words_of(page)
    assert not page.text_input
    assert not [b for b in page.button if "etch" in b.label]


def test_a_damaged_audit_says_what_to_do(page: AppTest, tmp_path: Path) -> None:
    (tmp_path / "audit.parquet").write_bytes(b"PAR1")
    open_part(page, "Audit")
    assert not page.exception
    assert "scripts/audit.py" in page.error[0].value
