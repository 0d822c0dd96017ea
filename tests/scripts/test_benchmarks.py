"""What benchmarks/cpu.py writes: tables, goals, turns. No timing is judged here."""

from functools import partial
from pathlib import Path

import pytest

from benchmarks import cpu as benchmark
from benchmarks.table import Goal, Section, in_turns, markdown_table, report, spread


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    table = markdown_table(("way", "ms"), [("a|b", 1.5)])
    assert table == "| way | ms |\n| --- | --- |\n| a\\|b | 1.5 |\n"


@pytest.mark.parametrize(("reached", "word"), [(True, "yes"), (False, "**no**"), (None, "not measured")])
def test_every_goal_stands_beside_its_figure(reached: bool | None, word: str) -> None:
    sections = [
        Section("One", "Words.", ("x",), [(1,)], [Goal("under 1 s", "0.8 s", reached)]),
        Section("Two", "No table.", goals=[Goal("small", "12 MB", True)]),
    ]
    text = report("Speed", "On this machine.", sections)
    goals, one, two = (text.index(heading) for heading in ("## Goals", "## One", "## Two"))
    assert goals < one < two
    assert f"| under 1 s | 0.8 s | {word} |\n| small | 12 MB | yes |\n" in text[goals:one]
    assert text[two:] == "## Two\n\nNo table.\n"


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="Two cells: a row has 1 cells, the head 2"):
        Section("Two cells", "", ("way", "ms"), [("ours",)])


def test_every_action_takes_its_turn_in_every_round() -> None:
    called: list[str] = []

    def call(name: str) -> int:
        called.append(name)
        return len(called)

    values = in_turns({name: partial(call, name) for name in "abc"}, 3, pause_s=0)
    assert "".join(called) == "abcbcacab"
    assert values == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_spread_is_median_fastest_and_slowest() -> None:
    assert spread([3.0, 1.0, 2.004]) == "2.00 (1.00–3.00)"


def test_only_some_parts_are_printed_and_not_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    section = Section("Disk", "", ("what",), [("x",)])
    monkeypatch.setattr(benchmark, "TABLE", tmp_path / "cpu.md")
    monkeypatch.setattr(benchmark, "parts", lambda options: dict.fromkeys(benchmark.PARTS, lambda: [section]))
    benchmark.main(["--only", "disk", "--rounds", "1"])
    assert "| x |" in capsys.readouterr().out
    assert not (tmp_path / "cpu.md").exists()
    benchmark.main(["--rounds", "1"])
    text = (tmp_path / "cpu.md").read_text(encoding="utf-8")
    assert text.count("## Disk") == len(benchmark.PARTS)
    assert "`python benchmarks/cpu.py --rounds 1`" in text


def test_work_of_the_network_is_counted_from_its_layers() -> None:
    from fer.learn.model import ResNet9, flops

    by_hand = 48**2 * 9 * 1 * 64 + 24**2 * 9 * 64 * 128 + 2 * 12**2 * 9 * 128**2 + 12**2 * 9 * 128 * 256
    by_hand += 6**2 * 9 * 256 * 512 + 2 * 3**2 * 9 * 512**2 + 512 * 7
    assert flops(ResNet9(64), batch=2) == 2 * 2 * by_hand


def test_torch_computes_what_the_shipped_file_does() -> None:
    import numpy as np

    from benchmarks.network import shipped, torch_run
    from fer.see.classify import Classifier

    network = shipped()
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    # Another order of sums in float32; far below the 1e-3 that fp16 storage may move.
    assert np.abs(torch_run(network.torch, network.card)(faces) - Classifier().probabilities(faces)).max() < 1e-5


def test_the_training_table_stands_each_preset_beside_the_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from benchmarks import training as benchmark_training
    from fer.learn import model
    from fer.learn.config import PRESETS, TrainConfig

    rates = {"bf16 product": 2e12, "fp32 product": 1e12, "toy": 100.0, "toy loader": 2000.0}
    monkeypatch.setitem(PRESETS, "toy", TrainConfig(width=4))
    monkeypatch.setattr(
        benchmark_training, "in_turns", lambda actions, rounds: {n: [rates[n]] * rounds for n in actions}
    )
    monkeypatch.setattr(model, "flops", lambda network, batch: 10**9)
    out = tmp_path / "training.md"
    assert benchmark_training.main(["--presets", "toy", "--faces", "70", "--device", "cpu", "--out", str(out)]) == 0
    row = next(line for line in out.read_text().splitlines() if line.startswith("| toy |"))
    # 100 images/s of 3 GFLOP each are 0.3 TFLOP/s; the loader alone does 20 times the images.
    share = "0.15" if "share of the bf16 limit" in out.read_text() else "0.30"
    assert row.split(" | ")[2:] == ["400", "100", "100–100", share, "5.0% |"]


def test_a_preset_is_timed_by_a_real_training() -> None:
    from benchmarks import training as benchmark_training
    from fer.learn import devices
    from fer.learn.config import TrainConfig

    device, faces = devices.resolve("cpu", "fp32"), benchmark_training.random_faces(70)
    config = TrainConfig(epochs=2, batch_size=35, width=4, precision="fp32")
    assert benchmark_training.epoch_rate(config, faces, device) > 0
    assert benchmark_training.loader_rate(config, faces, device) > 0
    assert benchmark_training.product_rate(device, "fp32") > 0
