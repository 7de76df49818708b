"""Reports and maps of a run to one comparison."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover compare` and return its exit code."""
    return script("compare", argv)


if __name__ == "__main__":
    raise SystemExit(main())
