"""`python -m landcover` is the command `landcover`."""

from landcover.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
