"""The `landcover` command, where it is called as ``python -m landcover``."""

from __future__ import annotations

from landcover.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
