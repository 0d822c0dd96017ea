"""What the command line shows of a run, and the TensorBoard files, from the events of the run log."""

import io
import math
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from fer.learn import display
from fer.learn.config import PRESETS
from fer.runs.event import RunEvent


def event(kind: str, **values: Any) -> RunEvent:
    return RunEvent(kind, 0, 1000.0, values)


def start(**changes: Any) -> RunEvent:
    values = {"config": PRESETS["smoke"].to_dict(), "hardware": {"device": "a CPU"}, "parameters": 103_895,
              "faces": {"Training": 28_709, "PublicTest": 3_589}, "start_epoch": 0}  # fmt: skip
    return event("start", **(values | changes))


def epoch(number: int, **changes: Any) -> RunEvent:
    values = {"epoch": number, "epochs": 2, "lr": 0.01, "train_loss": 1.5, "valid_loss": 1.25, "valid_accuracy": 0.5,
              "images_per_s": 1234.0, "elapsed_s": 6.0, "memory_mb": 500.0, "grad_norm": 1.0, "update_ratio": 1e-3,
              "recall": [0.5, 0.25, 0, 0, 0, 0, 1]}  # fmt: skip
    return event("epoch", **(values | changes))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_one_plain_line_an_epoch() -> None:
    stream = io.StringIO()
    with display.watching(stream=stream) as show:
        for shown in (
            start(),
            event("step", epoch=0, step=1, steps=2),
            epoch(0),
            epoch(1),
            event("end", reason="finished"),
        ):
            show(shown)
    head, titles, *lines = stream.getvalue().splitlines()
    assert head == "preset smoke · 0.10 M parameters · 28,709 Training, 3,589 PublicTest · a CPU"
    assert len(lines) == 2
    assert lines[0].split() == ["1/2", "0.01000", "1.5000", "1.2500", "50.00%", "1,234", "1", "1.0e-03", "500", "6.0"]
    assert len(titles) == len(lines[0]), "the headings stand above their figures"
    assert "\x1b" not in stream.getvalue()


def test_a_resumed_run_says_from_where() -> None:
    assert display.start_words(start(start_epoch=3).values).endswith("going on after epoch 3")


def test_a_terminal_shows_the_same_figures_and_marks_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    with display.watching(stream=stream) as show:
        show(start())
        show(event("step", epoch=0, step=1, steps=2, train_loss=1.5, images_per_s=900.0))
        show(epoch(0))
        show(epoch(1, valid_accuracy=0.4, train_loss=math.nan))
    words = stream.getvalue()
    assert words.count("★") == 1
    for figure in display.epoch_words(epoch(0).values).split():
        assert figure in words
    assert "nan" in words
    assert "best 50.00%" in words


def read_records(path: Path) -> list[bytes]:
    """TensorBoard's record files: length, its check sum, content, its check sum."""
    content, at, records = path.read_bytes(), 0, []
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        records.append(content[at + 12 : at + 12 + length])
        at += 16 + length
    return records


def test_tensorboard_files_hold_the_logs_values_at_once(tmp_path: Path) -> None:
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    with display.watching(tmp_path / "run", io.StringIO()) as show:
        show(start())
        show(epoch(0))
        show(epoch(1, train_loss=math.inf))
        [path] = (tmp_path / "run").glob("*.tfevents.*")  # read before it is closed: a kill loses nothing
        _, first, second = [event_pb2.Event.FromString(record) for record in read_records(path)]
    values = {value.tag: value.simple_value for value in first.summary.value}
    assert values == pytest.approx(display.scalars(epoch(0).values))
    assert (first.step, second.step, first.wall_time) == (1, 2, 1000.0)
    assert values["recall/disgust"] == 0.25
    assert math.inf in {value.simple_value for value in second.summary.value}
