"""Distances to borders between labels, beside a distance transform of every label.

    python -m benchmarks.borders             # 1,024 x 1,024 pixels
    python -m benchmarks.borders --full      # 4,096 x 4,096 pixels

The alternative is SciPy's `distance_transform_edt` of each label, in the box around it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from benchmarks.measure import interleaved, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
from landcover.labels.borders import border_distance
from landcover.sources import synthetic


def transformed(labels: np.ndarray, most: float) -> np.ndarray:
    """Distances (rows, cols) to other labels, from a transform of every label."""
    found = np.full(labels.shape, most, np.float32)
    reach = int(np.ceil(most))
    for number, box in enumerate(find_objects(labels), start=1):
        if box is not None:
            near = tuple(slice(max(0, k.start - reach), k.stop + reach) for k in box)
            own = labels[near] == number
            distance = distance_transform_edt(own)
            found[near][own] = np.minimum(distance[own], most)
    return found


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """A row for coarse labels and one for the 10 m truth, up to 300 m away."""
    side = 4096 if a.full else 1024
    scene = synthetic.make_scene(side, side, 0)
    for what, codes in (("coarse labels", scene.labels()), ("10 m truth", scene.truth)):
        labels = np.searchsorted(np.unique(codes), codes).astype(np.int32) + 1
        ways: dict[str, Callable[[], np.ndarray]] = {
            "landcover": partial(border_distance, labels, 30.0),
            "SciPy": partial(transformed, labels, 30.0),
        }
        found, expected = (way() for way in ways.values())  # the first call compiles
        times = interleaved(ways, a.runs, warm=False)
        seconds = {way: float(np.median(took)) for way, took in times.items()}
        differ = float(np.abs(found - expected).max())
        yield Row(
            f"{what}, {side} px",
            seconds["landcover"],
            "s",
            (ratio(times["SciPy"], times["landcover"], "SciPy"),),
            more={"SciPy, s": seconds["SciPy"], "largest difference": differ},
        )


def main() -> None:
    """Measure and print."""
    parser = options("borders", __doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
