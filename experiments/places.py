"""Places of studies by name: synthetic scenes, and arrangements of real chips."""

from __future__ import annotations

from pathlib import Path

from experiments import study
from experiments.quilts import quilt_run
from landcover.run import Run

#: Synthetic scenes; the quilts whole, by quarters and by sixteenths (5 km), and further
#: arrangements of their chips.
SYNTHETIC = tuple(f"kind-{number}" for number in range(len(study.KINDS)))
WHOLES = tuple(f"whole-{k}" for k in range(6))
QUARTERS = tuple(f"quarter-{k}" for k in range(8))
SIXTEENTHS = tuple(f"sixteenth-{k}" for k in range(32))


def title_of(place: str) -> str:
    """What a place is, in words."""
    kind, number = place.split("-")
    return study.kind_title(int(number)) if kind == "kind" else place


def run_of(
    place: str,
    out: Path,
    quilts: Path | None,
    samples: int = 40_000,
    size: tuple[int, int] = study.SIZE,
) -> Run:
    """The run of a place in the folder OUT, sampled; what is there is kept.

    `quilts` is the folder s2glc-quilts, see experiments/quilts.py; `size` is that of synthetic
    scenes, rows and cols.
    """
    kind, number = place.split("-")
    if kind == "kind":
        return study.kind_run(out, int(number), samples, size=size)
    if quilts is None:
        raise SystemExit(f"{place} is a quilt: give the folder s2glc-quilts with --data")
    return quilt_run(quilts, out, kind, int(number), samples)
