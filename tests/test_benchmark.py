"""What scripts/benchmark.py writes: tables, goals, turns. No timing is judged here."""

import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.append(str(SCRIPTS))

import benchmark  # noqa: E402
from benchmark_table import Goal, Section, in_turns, markdown_table, report, spread  # noqa: E402


def test_a_bar_in_a_cell_does_not_break_the_table():
    table = markdown_table(("way", "ms"), [("a|b", 1.5)])
    assert table == "| way | ms |\n| --- | --- |\n| a\\|b | 1.5 |\n"


@pytest.mark.parametrize(("reached", "word"), [(True, "yes"), (False, "**no**"), (None, "not measured")])
def test_every_goal_stands_beside_its_figure(reached, word):
    sections = [
        Section("One", "Words.", ("x",), [(1,)], [Goal("under 1 s", "0.8 s", reached)]),
        Section("Two", "No table.", goals=[Goal("small", "12 MB", True)]),
    ]
    text = report("Speed", "On this machine.", sections)
    goals, one, two = (text.index(heading) for heading in ("## Goals", "## One", "## Two"))
    assert goals < one < two
    assert f"| under 1 s | 0.8 s | {word} |\n| small | 12 MB | yes |\n" in text[goals:one]
    assert text[two:] == "## Two\n\nNo table.\n"


def test_a_row_of_another_width_is_refused():
    with pytest.raises(ValueError, match="Two cells: a row has 1 cells, the head 2"):
        Section("Two cells", "", ("way", "ms"), [("ours",)])


def test_every_action_takes_its_turn_in_every_round():
    called = []
    values = in_turns({name: lambda name=name: called.append(name) or len(called) for name in "abc"}, 3, pause_s=0)
    assert "".join(called) == "abcbcacab"
    assert values == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_spread_is_median_fastest_and_slowest():
    assert spread([3.0, 1.0, 2.004]) == "2.00 (1.00–3.00)"


def test_only_some_parts_are_printed_and_not_written(monkeypatch, capsys, tmp_path):
    section = Section("Disk", "", ("what",), [("x",)])
    monkeypatch.setattr(benchmark, "TABLE", tmp_path / "cpu.md")
    monkeypatch.setattr(benchmark, "parts", lambda options: dict.fromkeys(benchmark.PARTS, lambda: [section]))
    benchmark.main(["--only", "disk", "--rounds", "1"])
    assert "| x |" in capsys.readouterr().out
    assert not (tmp_path / "cpu.md").exists()
    benchmark.main(["--rounds", "1"])
    text = (tmp_path / "cpu.md").read_text(encoding="utf-8")
    assert text.count("## Disk") == len(benchmark.PARTS)
    assert "`python scripts/benchmark.py --rounds 1`" in text


def test_work_of_the_network_is_counted_from_its_layers():
    from benchmark_network import flops

    from fer.learn.model import ResNet9

    by_hand = 48**2 * 9 * 1 * 64 + 24**2 * 9 * 64 * 128 + 2 * 12**2 * 9 * 128**2 + 12**2 * 9 * 128 * 256
    by_hand += 6**2 * 9 * 256 * 512 + 2 * 3**2 * 9 * 512**2 + 512 * 7
    assert flops(ResNet9(64), batch=2) == 2 * 2 * by_hand


def test_torch_computes_what_the_shipped_file_does():
    import numpy as np
    from benchmark_network import shipped, torch_run

    from fer.see.classify import Classifier

    network = shipped()
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    # Another order of sums in float32; far below the 1e-3 that fp16 storage may move.
    assert np.abs(torch_run(network.torch, network.card)(faces) - Classifier().probabilities(faces)).max() < 1e-5
