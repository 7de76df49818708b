"""Dates composed by windows, beside numpy.nanmedian of whole arrays: memory and time.

    python -m benchmarks.composite                     # the array function, and a part of a tile
    python -m benchmarks.composite --make FOLDER       # six dates of a whole tile, once
    python -m benchmarks.composite --tile FOLDER       # compose them

The first compares the median of an array of dates with numpy.nanmedian, and with the medoid and the
percentiles. Files are deflated GeoTIFFs of digital numbers, four bands a date, with holes.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import interleaved, peak_mib, ratio
from benchmarks.prepare_tile import BANDS
from benchmarks.records import Row
from benchmarks.report import options, report

DAYS = tuple(f"2022-{month:02d}-05" for month in range(4, 10))


def main() -> None:
    """Compare the array functions, or make or compose a tile."""
    parser = options("composite", __doc__)
    parser.add_argument("--size", type=int, default=1024, help="side of the arrays in pixels")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="write dates of a tile")
    parser.add_argument("--tile", type=Path, metavar="FOLDER", help="compose dates of a tile")
    parser.add_argument("--tile-px", type=int, default=10_980, help="side of the tile to make")
    parser.add_argument("--method", default="median")
    a = parser.parse_args()
    if a.make:
        make_dates(a.make, a.tile_px)
    elif a.tile:
        report(parser, a, compose_tile(a.tile, a.method))
    else:
        report(parser, a, compare(a.size, a.runs))


def compare(size: int, runs: int) -> Iterator[Row]:
    """How fast an array of dates is composed, in turn with NumPy."""
    from landcover.scene.composite import Composite, compose

    rng = np.random.default_rng(0)
    stack = rng.random((len(DAYS), len(BANDS), size, size), np.float32)
    valid = rng.random((len(DAYS), size, size)) > 0.3
    holed = np.where(valid[:, np.newaxis], stack, np.float32(np.nan))
    ways = {
        method: partial(compose, Composite(method), stack, valid, DAYS)
        for method in ("median", "medoid", "percentiles", "best")
    }
    warnings.simplefilter("ignore", RuntimeWarning)
    times = interleaved(ways | {"numpy.nanmedian": partial(np.nanmedian, holed, axis=0)}, runs)
    for way, took in times.items():
        slow = times["numpy.nanmedian"]
        faster = (ratio(slow, took, "numpy.nanmedian"),) if way in ways else ()
        yield Row(f"{way} of {len(DAYS)} dates, {size} px", float(np.median(took)), "s", faster)


def make_dates(folder: Path, size: int) -> None:
    """Dates of a tile, one folder a day, with a file a band."""
    import rasterio
    from rasterio.windows import Window

    how = {
        "driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "uint16",
        "crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 300_000, 0, -10, 5_800_000),
        "nodata": 0, "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate",
        "zlevel": 1, "predictor": 2,
    }  # fmt: skip
    cols = np.arange(size)
    for number, day in enumerate(DAYS):
        (folder / day).mkdir(parents=True, exist_ok=True)
        for band in BANDS:
            rng = np.random.default_rng([number, int(band[1:])])
            with rasterio.open(folder / day / f"{band}.tif", "w", **how) as out:
                for row in range(0, size, 512):
                    rows = np.arange(row, min(row + 512, size))
                    holes = np.random.default_rng([number, row]).random((len(rows), size)) < 0.2
                    fields = 1200 + 600 * np.sin(rows // 40)[:, np.newaxis] * np.cos(cols // 60)
                    noise = rng.standard_normal((len(rows), size), np.float32)
                    dn = np.where(holes, 0, fields + 60 * noise).astype(np.uint16)
                    out.write(dn, 1, window=Window(0, row, size, len(rows)))
        print(folder / day, flush=True)


def compose_tile(folder: Path, method: str) -> Iterator[Row]:
    """What `landcover prep --composite` does with dates of a tile."""
    import landcover as lc

    start = time.perf_counter()
    files = sorted(folder.glob("*/B*.tif"))
    lc.prepare(folder / f"run-{method}", bands=files, composite=method)
    seconds = time.perf_counter() - start
    dates = len(files) // len(BANDS)
    yield Row(f"{method} of {dates} dates of a tile", seconds, "s", memory_mib=peak_mib())


if __name__ == "__main__":
    main()
