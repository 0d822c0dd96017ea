"""The run log under kills, full disks, torn lines, replaced files: nothing lost but the line being written."""

import contextlib
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fer.runs import log as runlog
from fer.runs.event import RunEvent, RunLogError, decode, encode
from fer.runs.heartbeat import SAME_START_S, HeartbeatReader, is_writer, machine_id, process_start, read_heartbeat
from fer.runs.log import LOG_NAME, RunLog, Tail

ROOT = Path(__file__).parents[2]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.dictionaries(st.text().filter(lambda name: name not in ("event", "seq", "time", "nonfinite")), values)


@given(kind=st.text(min_size=1), seq=st.integers(0, 2**53), at=st.floats(-1e10, 1e10), values=fields)
def test_any_event_comes_back_as_it_was(kind: str, seq: int, at: float, values: dict[str, Any]) -> None:
    event = RunEvent(kind, seq, at, values)
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == event


def test_nan_and_infinity_stay_valid_json_and_come_back() -> None:
    line = encode(RunEvent("epoch", 3, 1.0, {"loss": math.nan, "a/b~c": [1.0, math.inf, {"x": -math.inf}]}))
    strict = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert strict["loss"] is None
    back = decode(line)
    assert back is not None
    assert math.isnan(back.values["loss"])
    assert back.values["a/b~c"] == [1.0, math.inf, {"x": -math.inf}]


def test_numpy_values_paths_and_dataclasses_are_plain_in_the_log(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")

    @dataclass(frozen=True)
    class Config:
        lr: float = 0.1
        sizes: tuple[int, ...] = (1, 2)

    line = encode(RunEvent("start", 0, 0.0, {"config": Config(), "m": np.eye(2, dtype=np.int64), "f": np.float32(0.5),
                                             "where": tmp_path}))  # fmt: skip
    event = decode(line)
    assert event is not None
    assert event.values == {
        "config": {"lr": 0.1, "sizes": [1, 2]}, "m": [[1, 0], [0, 1]], "f": 0.5, "where": str(tmp_path)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [({"x": object()}, "/x is a object"), ({"a": [1, {2}]}, "/a/1 is a set"), ({"seq": 1}, "cannot be called seq")],
)
def test_what_a_log_cannot_hold_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RunLogError, match=message):
        encode(RunEvent("step", 0, 0.0, values))


@pytest.mark.parametrize("bad", [("", 0, 0.0), ("x", -1, 0.0), ("x", 0, math.nan), ("x", 0, math.inf)])
def test_an_event_is_checked_where_it_is_made(bad: tuple[str, int, float]) -> None:
    with pytest.raises(ValueError, match="no run event"):
        RunEvent(*bad, {})


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"null", b"7", b"[]", b'"event"', b"\xff\xfe", b"\0" * 40, b"[" * 100_000, b"1" * 5000,
        b'{"event":"x","seq":1}', b'{"event":"x","seq":true,"time":1}', b'{"event":"x","seq":1,"time":"now"}',
        b'{"event":7,"seq":1,"time":1}', b'{"event":"","seq":1,"time":1}', b'{"event":"x","seq":-1,"time":1}',
        b'{"event":"x","seq":1,"time":1e999}', b'{"event":"x","seq":1,"time":1,"nonfinite":{"/a/0":"nan"}}',
        b'{"event":"x","seq":1,"time":1,"nonfinite":7}', b'{"event":"x","seq":1,"time":1,"nonfinite":{"":"nan"}}',
        b'{"event":"x","seq":1,"time":1,"a":[],"nonfinite":{"/a/9":"nan"}}',
        b'{"event":"x","seq":1,"time":1,"a":1,"nonfinite":{"/a":"many"}}', b"2024-01-01 INFO started",
    ],
)  # fmt: skip
def test_a_foreign_line_is_passed_over(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / LOG_NAME
    good = encode(RunEvent("step", 0, 1.0, {}))
    path.write_bytes(good + line + b"\n" + good)
    tail = Tail(path)
    assert len(tail.read()) == 2
    assert tail.skipped == (line != b"")


@given(line=st.binary())
def test_no_line_raises(line: bytes) -> None:
    decode(line)


@given(data=st.data(), sizes=st.lists(st.integers(0, 300), max_size=12), chunk=st.integers(1, 400))
def test_events_are_the_same_however_the_bytes_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: st.DataObject, sizes: list[int], chunk: int
) -> None:
    monkeypatch.setattr(runlog, "_CHUNK_BYTES", chunk)
    content = b"".join(encode(RunEvent("step", seq, 1.0, {"pad": "é" * size})) for seq, size in enumerate(sizes))
    path = tmp_path / LOG_NAME
    path.write_bytes(b"")
    tail, events = Tail(path), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    for begin, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        with open(path, "ab") as file:
            file.write(content[begin:end])
        events += tail.read()
    assert [event.seq for event in events] == list(range(len(sizes)))
    assert tail.restarts == 0


class GrowingFile(RuleBasedStateMachine):
    """Any order of appends, torn ends, foreign bytes and replacements; the reader ends with the file's events."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / LOG_NAME
        self.content = b""
        self.seq = 0
        self.tail = Tail(self.path)
        self.collected: list[RunEvent] = []
        self.restarts = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def line(self) -> bytes:
        self.seq += 1  # never the same bytes twice, as no two real runs are
        return encode(RunEvent("step", self.seq, 1.0, {"loss": 1 / self.seq}))

    def append(self, data: bytes) -> None:
        self.content += data
        with open(self.path, "ab") as file:
            file.write(data)

    @rule(count=st.integers(1, 5))
    def append_events(self, count: int) -> None:
        self.append(b"".join(self.line() for _ in range(count)))

    @rule(keep=st.integers(1, 60))
    def append_torn(self, keep: int) -> None:
        self.append(self.line()[:keep])

    @rule(data=st.binary(min_size=1, max_size=80))
    def append_foreign(self, data: bytes) -> None:
        self.append(data)

    @rule(count=st.integers(0, 6), way=st.sampled_from(["move over", "rewrite", "delete first"]))
    def replace(self, count: int, way: str) -> None:
        self.content = b"".join(self.line() for _ in range(count))
        target = self.path.with_suffix(".new") if way == "move over" else self.path
        if way == "delete first":
            self.path.unlink(missing_ok=True)
        target.write_bytes(self.content)
        target.replace(self.path)

    @precondition(lambda self: self.content)
    @rule(share=st.floats(0, 0.99))
    def truncate(self, share: float) -> None:
        self.content = self.content[: int(len(self.content) * share)]
        self.path.write_bytes(self.content)

    @invariant()
    def the_reader_has_the_files_events(self) -> None:
        events = self.tail.read()
        if self.tail.restarts != self.restarts:
            self.collected, self.restarts = [], self.tail.restarts
        self.collected += events
        expected = [event for line in self.content.split(b"\n")[:-1] if (event := decode(line))]
        assert self.collected == expected


TestGrowingFile = GrowingFile.TestCase
TestGrowingFile.settings = settings(max_examples=60)
TestGrowingFile = pytest.mark.app(TestGrowingFile)


def test_reading_costs_only_the_new_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / LOG_NAME
    decoded: list[bytes] = []

    def spy(line: bytes) -> RunEvent | None:
        decoded.append(line)
        return decode(line)

    monkeypatch.setattr(runlog, "decode", spy)
    tail = Tail(path)
    with open(path, "ab", buffering=0) as file:
        for seq in range(10_000):
            file.write(encode(RunEvent("epoch", seq, float(-seq), {"epoch": seq})))  # the clock goes back all along
            if seq % 100 == 99:
                assert len(tail.read()) == 100
    assert len(decoded) == 10_000
    assert tail.read() == []
    assert len(decoded) == 10_000


def test_a_line_without_end_is_neither_held_nor_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "MAX_LINE_BYTES", 1000)
    path = tmp_path / LOG_NAME
    tail = Tail(path)
    for _ in range(20):
        with open(path, "ab") as file:
            file.write(b"x" * 300)
        assert tail.read() == []
        assert len(tail._rest) <= 1001
    with open(path, "ab") as file:
        file.write(b"\n" + encode(RunEvent("step", 1, 1.0, {})))
    assert [event.kind for event in tail.read()] == ["step"]
    assert tail.skipped == 1


def test_a_resumed_log_ends_the_torn_line_and_goes_on_counting(tmp_path: Path) -> None:
    with RunLog(tmp_path) as log:
        log.write("start")
        log.write("epoch", epoch=1)
    path = tmp_path / LOG_NAME
    path.write_bytes(path.read_bytes() + b'{"event":"epoch","se')
    tail = Tail(path)
    assert len(tail.read()) == 2
    with RunLog(tmp_path) as log:
        log.write("epoch", epoch=2)
    assert [(event.kind, event.seq) for event in tail.read()] == [("epoch", 2)]
    assert (tail.skipped, tail.restarts) == (1, 0)


def test_two_writers_of_one_run_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runlog, "_LOCK_WAIT_S", 0.1)
    with RunLog(tmp_path), pytest.raises(RunLogError, match="being written by another process"):
        RunLog(tmp_path)
    RunLog(tmp_path).close()


@pytest.mark.parametrize(("error", "reason"), [(KeyboardInterrupt, "stopped"), (MemoryError, "failed")])
def test_leaving_by_an_exception_writes_why(tmp_path: Path, error: type[BaseException], reason: str) -> None:
    with pytest.raises(error), RunLog(tmp_path) as log:  # noqa: PT012
        log.write("start")
        raise error("no more")
    last = Tail(log.path).read()[-1]
    assert (last.kind, last.values["reason"]) == ("end", reason)
    assert "no more" in last.values["message"]


def test_an_end_is_written_once_and_a_closed_log_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="after"), RunLog(tmp_path) as log:  # noqa: PT012
        log.write("end", reason="finished")
        raise ValueError("after")
    assert [event.kind for event in Tail(log.path).read()] == ["end"]
    with pytest.raises(RunLogError, match="closed"):
        log.write("step")


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The nearest thing to a full disk without a disk: past this size the system writes what fits, then refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_only_what_it_refused(tmp_path: Path) -> None:
    with RunLog(tmp_path) as log:
        while log.path.stat().st_size < 4000:
            log.write("step", pad="x" * 100)
        before = log.path.stat().st_size
        with largest_file(before + 50):
            for _ in range(3):
                log.write("step", pad="x" * 200)
        assert log.path.stat().st_size == before + 50, "the system should have torn the line"
        log.write("epoch", epoch=1)
        assert log.lost == 3
    tail = Tail(log.path)
    seqs = [event.seq for event in tail.read()]
    assert tail.skipped == 1
    assert seqs[-1] - seqs[-2] == 4, "a lost line leaves a gap"
    assert seqs[:-1] == list(range(len(seqs) - 1))


WRITER = """
import os, random, sys
from fer.runs.log import RunLog
generator = random.Random(int(sys.argv[2]))
with RunLog(sys.argv[1]) as log:
    while True:
        event = log.write("step", pad="x" * generator.choice([10, 300, 200_000]))
        os.write(1, b"%d\\n" % event.seq)
"""


@pytest.mark.app
def test_a_hundred_kills_lose_at_most_the_line_being_written(tmp_path: Path) -> None:
    """One log, killed and resumed a hundred times at random points while a reader follows it all along."""
    generator, tail, seen = random.Random(7), Tail(tmp_path / LOG_NAME), []
    told: list[int] = []
    for round_ in range(100):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(round_)],
                                 cwd=ROOT, stdout=subprocess.PIPE)  # fmt: skip
        assert child.stdout is not None
        first = child.stdout.readline()
        deadline = time.perf_counter() + generator.uniform(0, 0.004)
        while time.perf_counter() < deadline:
            seen += tail.read()
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        child.wait()
        child.stdout.close()
        told += [int(line) for line in (first + rest).split()]
        seen += tail.read()
        seqs = [event.seq for event in seen]
        assert seqs == sorted(set(seqs)), "no event twice, none out of order"
        assert set(told) <= set(seqs), "an event that was written is gone"
        assert len(set(seqs) - set(told)) <= round_ + 1
    assert tail.restarts == 0
    assert tail.skipped <= 100
    assert seqs == list(range(len(seqs))), "the sequence goes on over resumes"


def test_a_living_a_killed_and_a_foreign_writer(tmp_path: Path) -> None:
    reader = HeartbeatReader(tmp_path)
    assert not reader.alive(), "no heartbeat file"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "1"], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert reader.alive()
    child.kill()
    child.stdout.read()
    deadline = time.monotonic() + 10
    while reader.alive():  # before wait(): a zombie counts as dead
        assert time.monotonic() < deadline
    child.wait()
    child.stdout.close()
    beat = read_heartbeat(reader.path)
    assert beat is not None
    assert beat["machine"] == machine_id()
    beat["pid"] = os.getpid()  # the number was given to another process
    reader.path.write_text(json.dumps(beat))
    assert not reader.alive()


def test_another_machines_heartbeat_counts_by_its_changes_not_by_its_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    reader = HeartbeatReader(tmp_path)

    def beat(number: int, its_clock: float) -> None:
        who = {"pid": 1, "machine": "elsewhere", "beat": number, "time": its_clock}
        reader.path.write_text(json.dumps(who))

    beat(1, its_clock=time.time() - 3600)
    assert not reader.alive(), "an hour old, as far as one look can tell"
    beat(2, its_clock=time.time() - 3598)
    assert reader.alive(), "it changed while we looked: alive, with a slow clock"
    now += 14
    assert reader.alive()
    now += 2
    assert not reader.alive()


BROKEN_HEARTBEATS = (
    *("", "{", "[]", '{"pid": "1", "time": 1}', '{"pid": 0, "time": 1}', '{"pid": 7}'),
    f'{{"pid": 7, "time": {10**400}}}',
)


@pytest.mark.parametrize("text", BROKEN_HEARTBEATS)
def test_a_broken_heartbeat_is_no_heartbeat(tmp_path: Path, text: str) -> None:
    reader = HeartbeatReader(tmp_path)
    reader.path.write_text(text)
    assert not reader.alive()


def test_a_process_is_told_by_its_start() -> None:
    own = process_start(os.getpid())
    assert own is not None
    assert own == pytest.approx(process_start(os.getpid()), abs=SAME_START_S)
    assert process_start(2**22 + 1) is None
    assert process_start(10**30) is None
    beat = {"pid": os.getpid(), "process_start": own}
    assert is_writer(beat)
    assert not is_writer(beat | {"process_start": own - 60}), "its number was another process's a minute before"
    assert not is_writer({"pid": os.getpid()})


def test_setting_the_clock_moves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = process_start(os.getpid())
    real = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: real + 3600)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: real + 3600)
    assert process_start(os.getpid()) == pytest.approx(before, abs=SAME_START_S)


def test_a_heartbeat_that_tells_no_start_counts_by_its_changes(tmp_path: Path) -> None:
    reader = HeartbeatReader(tmp_path)
    for number in (1, 2):
        beat = {"pid": os.getpid(), "machine": machine_id(), "process_start": "ticks", "beat": number, "time": 1.0}
        reader.path.write_text(json.dumps(beat))
        assert reader.alive() == (number == 2)
