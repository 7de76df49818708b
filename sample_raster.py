"""A scene and its labels to a table of samples."""

from __future__ import annotations

from collections.abc import Sequence

from landcover.cli import script


def main(argv: Sequence[str] | None = None) -> int:
    """Run `landcover sample` and return its exit code."""
    return script("sample", argv)


if __name__ == "__main__":
    raise SystemExit(main())
