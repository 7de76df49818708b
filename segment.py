"""A scene to segments and segment types."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover segment` and return its exit code."""
    return script("segment", argv)


if __name__ == "__main__":
    raise SystemExit(main())
