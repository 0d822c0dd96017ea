"""python -m fer COMMAND …: see fer.cli."""

from fer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
