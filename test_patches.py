"""A trained CNN to a wall-to-wall map over overlapping tiles, and its report."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover map` and return its exit code."""
    return script("map", argv)


if __name__ == "__main__":
    raise SystemExit(main())
