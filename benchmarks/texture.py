"""Texture of moving windows, beside scikit-image called window by window: ratio of time.

    python -m benchmarks.texture             # a scene of 4,000 px, a minute
    python -m benchmarks.texture --full      # and a whole tile of 10,980 px

The alternative is the usual loop: graycomatrix of the window around each pixel, and graycoprops
for each property. It gets a few hundred pixels of the same band, in turn with landcover, which
gets a window of a map. Both compute the same: 32 levels, 9 x 9 pixels, four directions.
Scenes are computed by windows, as maps are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.measure import forget_peak, interleaved, peak_mib, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
from benchmarks.segmentation import TILE_PX, fields
from landcover.files.rasters import WINDOW_PX
from landcover.grid import windows_of
from landcover.scene.texture import LEVELS, quantised, texture
from landcover.scene.texture import WINDOW_PX as SIDE

#: What is computed by sums alone, and with counts of pairs, which take longer.
SETS = (("contrast", "homogeneity", "variance"), ("contrast", "correlation", "entropy"))
AROUND = SIDE // 2
#: Pixels a side that the loop gets.
LOOP_PX = 20


def ours(layer: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """landcover's texture of a layer with a margin."""
    return texture(layer, names, low=0.0, high=1.0)


def theirs(layer: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """The same by a loop over scikit-image."""
    from skimage.feature import graycomatrix, graycoprops

    grey = quantised(layer, 0.0, 1.0)
    angles = np.deg2rad([0, 45, 90, 135])
    rows, cols = (side - 2 * AROUND for side in grey.shape)
    found = np.empty((len(names), rows, cols), np.float32)
    for row, col in np.ndindex(rows, cols):
        window = grey[row : row + SIDE, col : col + SIDE]
        matrix = graycomatrix(window, [1], angles, LEVELS, symmetric=True, normed=True)
        found[:, row, col] = [graycoprops(matrix, name).mean() for name in names]
    return found


def compare(band: np.ndarray, runs: int) -> Iterator[Row]:
    """How far the two differ, and the ratio of their times for a pixel."""
    little = band[: LOOP_PX + 2 * AROUND, : LOOP_PX + 2 * AROUND]
    window = band[: WINDOW_PX + 2 * AROUND, : WINDOW_PX + 2 * AROUND]
    pixels = (window.shape[0] - 2 * AROUND) * (window.shape[1] - 2 * AROUND)
    for names in SETS:
        differ = float(np.abs(ours(little, names) - theirs(little, names)).max())
        times = interleaved(
            {"ours": partial(ours, window, names), "theirs": partial(theirs, little, names)}, runs
        )
        rate = pixels / np.median(times["ours"])
        slow = LOOP_PX**2 / np.median(times["theirs"])
        loop = "a loop of scikit-image"
        faster = (ratio(times["theirs"] / LOOP_PX**2, times["ours"] / pixels, loop),)
        more = {"the loop, pixels/s": float(slow), "largest difference": differ}
        yield Row(" ".join(names), float(rate), "pixels/s", faster, more=more)


def scene(band: np.ndarray, size: int, names: tuple[str, ...]) -> Row:
    """How long a scene takes by windows, and what that is for a tile."""
    forget_peak()
    before, started, worked = peak_mib(), time.perf_counter(), time.process_time()
    for window in windows_of(size, size, WINDOW_PX):
        rows = slice(window.row, window.row + window.rows + 2 * AROUND)
        cols = slice(window.col, window.col + window.cols + 2 * AROUND)
        ours(band[rows, cols], names)
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    tile = (TILE_PX / size) ** 2
    more = {
        "of cores, s": worked, "memory above the band, MiB": peak_mib() - before,
        "a tile, s": seconds * tile, "a tile, s of cores": worked * tile,
    }  # fmt: skip
    return Row(f"{' '.join(names)}, {size} px", seconds, "s", more=more)


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """The comparison, and scenes by windows."""
    for size in (a.size, TILE_PX) if a.full else (a.size,):
        band = fields(size + 2 * AROUND)[0].copy()
        if size == a.size:
            yield from compare(band, a.runs)
        for names in SETS:
            yield scene(band, size, names)


def main() -> None:
    """Measure and print."""
    parser = options("texture", __doc__)
    parser.add_argument("--full", action="store_true", help="also a whole tile")
    parser.add_argument("--size", type=int, default=4000, help="side of the scene, pixels")
    parser.add_argument("--runs", type=int, default=3)
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
