"""Samples to a trained patch CNN and its report."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover train cnn` and return its exit code."""
    return script("train cnn", argv)


if __name__ == "__main__":
    raise SystemExit(main())
