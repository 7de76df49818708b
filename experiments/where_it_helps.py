"""What reference points where they help gain over points by class, on a run with a reference.

    python -m experiments.where_it_helps RUN --model random-forest [--n 400] [--draws 500]

Both designs of `landcover sample-points` are drawn again and again, the classes are read from
the reference, and `landcover assess`'s estimates are set against the truth: how far they spread,
and how often their 95 % intervals hold it. "Hints shuffled" has the strata of a run whose hints
say nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import study
from landcover.commands.options import COUNT
from landcover.files import rasters
from landcover.grid import Window
from landcover.progress import track
from landcover.reports import words
from landcover.reports.area_estimation import allocate, estimate
from landcover.reports.need import LEVELS, PARTS, NeedStrata
from landcover.run import Run
from landcover.stages.models import map_of
from landcover.stages.sample_need import Hints
from landcover.stages.sample_points import least_of

#: Classes below this share of the area are scored by themselves: few points meet them.
COMMON = 0.05


def outcomes(
    truth: np.ndarray, mapped: np.ndarray, needed: np.ndarray, most: int, n: int, draws: int,
    seed: int = 0,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Draw samples, and set their estimates against the truth.

    Parameters
    ----------
    truth, mapped : arrays of int (pixels,)
        Class codes.
    needed : array of uint8 (pixels,)
        Percent of need; 0 everywhere for points by class.
    most : int
        Strata of a class.
    n, draws, seed
        Points of a sample, samples, and the seed of the first.

    Returns
    -------
    dict of str to array
        ``truth`` (1 + classes,): overall accuracy and the share of every class; ``estimates``
        and ``held`` (draws, 1 + classes): what samples say, and whether intervals hold the truth.
    """
    counts = {int(c): np.bincount(needed[mapped == c], minlength=LEVELS) for c in np.unique(mapped)}
    strata = NeedStrata.of(counts, most)
    dealt = allocate(
        strata.pixels, n, least_of(strata, n, most), strata.weights() if most > 1 else None
    )
    stratum = strata.place(mapped, needed)
    members = {h: np.flatnonzero(stratum == h) for h in strata.pixels}
    codes, shares = np.unique(truth, return_counts=True)
    right = np.array([(truth == mapped).mean(), *(shares / truth.size)])
    rng = np.random.default_rng(seed)
    estimates, held = np.zeros((draws, right.size)), np.zeros((draws, right.size), bool)
    for draw in track(range(draws), "drawing samples"):
        units = np.concatenate(
            [rng.choice(members[h], k, replace=False, shuffle=False) for h, k in dealt.items()]
        )
        found = estimate(truth[units], mapped[units], stratum[units], strata.pixels)
        of_class = [found["per_class"].get(str(code)) for code in codes.tolist()]
        estimates[draw] = [
            found["overall_accuracy"], *(c["area_share"] if c else 0 for c in of_class)
        ]  # fmt: skip
        intervals = [
            found["overall_accuracy_ci95"], *(c["area_share_ci95"] if c else None for c in of_class)
        ]  # fmt: skip
        held[draw] = [
            i is not None and i[0] <= value <= i[1]
            for i, value in zip(intervals, right, strict=True)
        ]
    return {"truth": right, "estimates": estimates, "held": held}


def row(design: str, found: dict[str, np.ndarray]) -> str:
    """A line of the table."""
    errors = found["estimates"].std(axis=0)
    held = found["held"].mean(axis=0)
    common, rare = found["truth"][1:] >= COMMON, found["truth"][1:] < COMMON
    cells = [design, f"{100 * errors[0]:.2f}", words.percent(held[0])]
    for which in (common, rare):
        spread = 100 * np.sqrt((errors[1:][which] ** 2).mean()) if which.any() else np.nan
        share = held[1:][which].mean() if which.any() else None
        cells += [f"{spread:.2f}", words.percent(share)]
    return f"| {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw by class, by need, and by need that is shuffled among pixels; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--n", type=COUNT, default=400)
    parser.add_argument("--draws", type=COUNT, default=500)
    a = parser.parse_args(argv)
    with study.refusals(parser):
        run = Run(a.run)
        grid = rasters.grid_of(map_of(run, a.model))
        mapped = rasters.read_classes(run.map(a.model))
        truth = rasters.read_classes(run.require("reference"))
        needed = Hints.of(run, a.model).need(mapped, Window(0, 0, grid.rows, grid.cols))
    both = (mapped > 0) & (truth > 0)
    mapped, truth, needed = mapped[both], truth[both], needed[both]
    shuffled = np.random.default_rng(0).permutation(needed)
    spread = "error of shares of classes"
    head = ["points", "error of overall accuracy, points", "intervals that hold it"]
    head += [f"{spread} of 5 % and more", "intervals", f"{spread} below", "intervals"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for design, by, most in (
        ("by class", needed, 1),
        ("where it helps", needed, PARTS),
        ("hints shuffled", shuffled, PARTS),
    ):
        print(row(design, outcomes(truth, mapped, by, most, a.n, a.draws)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
