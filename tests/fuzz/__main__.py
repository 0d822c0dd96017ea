"""`python -m tests.fuzz --minutes 60 [TARGET …]`: damaged files through every reader for hours; a table of it.

Each call goes on where the table left off: `--first N` begins at another number.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from benchmarks.table import machine, versions
from tests.fuzz.run import Result, fuzz
from tests.fuzz.targets import TARGETS

OUT = Path(__file__).parents[2] / "benchmarks" / "fuzz.md"
BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together")
    parser.add_argument("--first", type=int, default=0, help="number of the first damaged file")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    rows = []
    for name in names:
        found, took_s = for_a_while(name, options.first, 60 * options.minutes / len(names))
        kinds = Counter(
            (f["what"], str(f["where"]).splitlines()[-1][:80] if f["where"] else "") for f in found.findings
        )
        words = "; ".join(f"{n} × {what} {where}".strip() for (what, where), n in kinds.most_common()) or "none"
        for finding in found.findings:
            print(name, finding, flush=True)
        died = f"{found.crashes:,}" if TARGETS[name].fragile else "–"
        rows.append(f"| {name} | {found.inputs:,} | {took_s:,.0f} | {died} | {words} |")
        print(rows[-1], flush=True)
    command = " ".join([f"python -m tests.fuzz --minutes {options.minutes:g}", *options.targets])
    command += f" --first {options.first}" if options.first else ""
    packages = versions("pyarrow", "pillow", "av", "onnxruntime", "torch")
    head = [
        "# Damaged files through every reader",
        "",
        f"Made by `{command}`. {machine()}; {packages}.",
        "Each input is a good file, made by the test, with one to eight changes; weights and states are resealed. A "
        "reader may refuse it with its documented error, in at most 5 s of processor time and 1 GB. Anything else is a "
        "finding. 'Own process died': the reader runs apart from the server (`fer.confined`), which refuses the file.",
        "",
        "| reader | inputs | s | own process died | findings |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    options.out.write_text("\n".join([*head, *rows]) + "\n")


def for_a_while(name: str, first: int, seconds: float) -> tuple[Result, float]:
    started, total = time.monotonic(), Result()
    size = 20
    while (left := seconds - (time.monotonic() - started)) > 0:
        begun = time.monotonic()
        found = fuzz(name, first, first + size)
        first += size
        total.inputs, total.crashes = total.inputs + found.inputs, total.crashes + found.crashes
        total.findings += found.findings
        rate = size / (time.monotonic() - begun)
        size = max(20, min(100_000, int(rate * min(left, 120))))
    return total, time.monotonic() - started


if __name__ == "__main__":
    main()
