#!/usr/bin/env python3
"""Times the whole product on the CPU and writes benchmarks/cpu.md: network, photo, start, memory, disk.

python benchmarks/cpu.py --peer PEER/bin/python --install

--peer names the Python of a separate environment with PyPI's `fer`, the package that people install today:

python3 -m venv PEER && PEER/bin/pip install fer==25.10.3

OpenVINO is timed if `openvino` can be imported. Run nothing else on the machine meanwhile.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Section, machine, report, versions

TABLE = ROOT / "benchmarks" / "cpu.md"
PARTS = ("network", "photo", "start", "app", "disk")
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "torch", "openvino", "streamlit")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", type=absolute, help="interpreter of an environment with PyPI's fer")
    parser.add_argument("--install", action="store_true", help="time an installation of requirements.txt as well")
    parser.add_argument("--rounds", type=int, default=20, help="turns that every way takes; default: 20")
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts, printed and not written")
    options = parser.parse_args(arguments)

    load_before, start_s = os.getloadavg()[0], time.monotonic()
    sections: list[Section] = []
    for name in options.only or PARTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        sections += parts(options)[name]()
    text = report("Speed on the CPU", words(options, load_before, time.monotonic() - start_s), sections)
    if not options.only:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(text, encoding="utf-8")
    print(text)


def absolute(path: str) -> str:
    """Absolute, because processes are also started in other folders. Links are kept: an environment's Python is one."""
    return str(Path(path).absolute())


def parts(options: argparse.Namespace) -> dict[str, Callable[[], list[Section]]]:
    """The function for each part's sections. Imports are late: the photo needs no torch, the network no browser."""
    from benchmarks.photo import photo_sections
    from benchmarks.start import app_section, disk_section, process_section

    def network() -> list[Section]:
        from benchmarks.network import network_section

        return [network_section(options.rounds)]

    return {
        "network": network,
        "photo": lambda: photo_sections(options.peer, options.rounds),
        "start": lambda: [process_section(options.peer, max(3, options.rounds // 3))],
        "app": lambda: [app_section(max(1, options.rounds // 6))],
        "disk": lambda: [disk_section(options.peer, options.install)],
    }


def words(options: argparse.Namespace, load_before: float, elapsed_s: float) -> str:
    """The command, machine and versions with which every row of the report was measured."""
    command = ["python benchmarks/cpu.py", "--peer PEER/bin/python" * bool(options.peer)]
    command += ["--install" * options.install, f"--rounds {options.rounds}"]
    text = f"`{' '.join(filter(None, command))}`, {elapsed_s / 60:.0f} minutes. {machine()}. {versions(*PACKAGES)}."
    if load_before > 0.5:
        text += (
            f" Other work kept the machine busy (load {load_before:.0f} at the start): compare within a table, where "
            "all took turns; a machine that is free is faster."
        )
    return f"{text} Beside them {peer_version(options.peer)}." if options.peer else text


def peer_version(python: str) -> str:
    """The versions in the peer's environment, as it reports them."""
    names = "('fer', 'tensorflow', 'opencv-contrib-python', 'numpy')"
    code = f"from importlib.metadata import version; print(', '.join(f'{{n}} {{version(n)}}' for n in {names}))"
    return subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
