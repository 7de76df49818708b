"""Samples to an MLP, with segment types or without, its report and its map."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover train mlp` and return its exit code."""
    return script("train mlp", argv)


if __name__ == "__main__":
    raise SystemExit(main())
