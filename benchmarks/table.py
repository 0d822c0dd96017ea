"""What the parts of benchmarks/cpu.py share: taking turns, medians, goals, Markdown, the machine's description."""

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

MB, GB = 1e6, 1e9


@dataclass(frozen=True)
class Goal:
    """A goal and the figure measured for it.

    text: the goal. measured: the figure as text. reached: None if nothing was measured.
    """

    text: str
    measured: str
    reached: bool | None

    def row(self) -> tuple[str, str, str]:
        return self.text, self.measured, {True: "yes", False: "**no**", None: "not measured"}[self.reached]


@dataclass(frozen=True)
class Section:
    """One part of the report: a heading, words, a table, and the goals that its figures decide."""

    title: str
    words: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    goals: Sequence[Goal] = field(default=())

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"{self.title}: a row has {len(row)} cells, the head {len(self.head)}: {row}")

    def markdown(self) -> str:
        return f"## {self.title}\n\n{self.words}\n" + (f"\n{markdown_table(self.head, self.rows)}" if self.rows else "")


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a bar in a cell is escaped. Ends with a line break."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def report(title: str, words: str, sections: Sequence[Section]) -> str:
    """The whole file: title, words, every section's goals in one table, then the sections."""
    goals = [goal.row() for section in sections for goal in section.goals]
    parts = [f"# {title}\n\n{words}\n"]
    if goals:
        parts.append(f"## Goals\n\n{markdown_table(('goal', 'measured', 'reached'), goals)}")
    return "\n".join([*parts, *(section.markdown() for section in sections)])


T = TypeVar("T")


def in_turns(actions: Mapping[str, Callable[[], T]], rounds: int, pause_s: float = 0.05) -> dict[str, list[T]]:
    """Runs every action once per round and returns their values, by name.

    A busy or throttled machine then slows all of them alike. Each round starts with another action. During the
    pause, threads of the previous action, which spin for a while after their work, go to sleep.
    """
    values: dict[str, list[T]] = {name: [] for name in actions}
    names = list(actions)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            time.sleep(pause_s)
            values[name].append(actions[name]())
    return values


def median_ms(action: Callable[[], object], calls: int, warm_up: int = 1) -> float:
    """The median time of a few calls after a warm-up, in ms."""
    for _ in range(warm_up):
        action()
    times_s = []
    for _ in range(calls):
        start_s = time.perf_counter()
        action()
        times_s.append(time.perf_counter() - start_s)
    return 1000 * statistics.median(times_s)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and, in brackets, the fastest and the slowest."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine() -> str:
    """Processor, cores, memory and system, as text."""
    cpu = _first_field(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()
    flags = (_first_field(Path("/proc/cpuinfo"), "flags") or "").split()
    width = next((name for name in ("avx512f", "avx2") if name in flags), "")
    memory = (_first_field(Path("/proc/meminfo"), "MemTotal") or "0 kB").split()[0]
    return f"{cpu}{f' ({width})' if width else ''}, {cores()} cores, {int(memory) / 2**20:.0f} GiB, {platform.system()}"


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(*packages: str) -> str:
    """Name and version of each installed package, and of Python."""
    found = [f"Python {platform.python_version()}"]
    for name in packages:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _first_field(file: Path, name: str) -> str | None:
    """The value of the first line 'name : value' of a file of /proc; None where there is none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name) and ":" in line), None)
