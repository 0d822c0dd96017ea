"""Builds fer/web/kernels.wasm and kernels_relaxed.wasm from fer/web/kernels.c.

python scripts/build_kernels.py            # needs ziglang (requirements-dev.txt), whose clang targets WebAssembly
python scripts/build_kernels.py --check    # exit status 1 if the committed files do not match the source
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fer" / "web"
FILES = {"kernels.wasm": [], "kernels_relaxed.wasm": ["-mrelaxed-simd"]}
FLAGS = [
    *("-target", "wasm32-freestanding", "-O3", "-msimd128", "-nostdlib", "-std=c17", "-Wall", "-Wextra"),
    *("-ffp-contract=off", "-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all"),
]


def build(name: str, target: Path) -> None:
    """Compiles one of FILES. Raises CalledProcessError if the compiler rejects the source."""
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *FILES[name], "-o", str(target), "kernels.c"]
    subprocess.run(command, cwd=FOLDER, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing into the repository")
    check = parser.parse_args().check
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            built = Path(folder) / name
            build(name, built)
            same = (FOLDER / name).is_file() and (FOLDER / name).read_bytes() == built.read_bytes()
            print(f"{name}: {built.stat().st_size} bytes, {'as committed' if same else 'other than committed'}")
            if check:
                status |= not same
            elif not same:
                (FOLDER / name).write_bytes(built.read_bytes())
    return status


if __name__ == "__main__":
    sys.exit(main())
