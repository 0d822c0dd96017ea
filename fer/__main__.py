"""python -m fer PHOTO...: see fer.cli."""

from fer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
