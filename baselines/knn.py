"""Samples to nearest neighbours, their report and their map."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover train knn` and return its exit code."""
    return script("train knn", argv)


if __name__ == "__main__":
    raise SystemExit(main())
