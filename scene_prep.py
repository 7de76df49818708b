"""Source rasters to a scene with labels and samples; --segment adds segments."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover prep` and return its exit code."""
    return script("prep", argv)


if __name__ == "__main__":
    raise SystemExit(main())
