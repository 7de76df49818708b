"""How fast four bands of a tile are read as JPEG 2000: one thread a file, against GDAL's threads.

    python -m benchmarks.reading            # of 4096 px, three times
    python -m benchmarks.reading --full     # of 10980 px, as products have them, once

Bands of noise and shapes, with tiles of 1024 px, are written once to a folder. Both ways read all
windows of 1024 px of all bands, in turn. The old way read band after band with GDAL's threads in
each file, which lose errors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window as RasterioWindow

from benchmarks.measure import ratio
from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.files import rasters, wholeness
from landcover.files.opening import read_at_once
from landcover.grid import Grid, Window

BANDS = ("B02", "B03", "B04", "B08")
TILE_PX = 1024


def write_bands(folder: Path, side: int) -> list[Path]:
    """One file a band, as large as those of a product: about one byte a pixel."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    fields = np.kron(rng.integers(300, 3000, (side // 60 + 1,) * 2), np.ones((60, 60), np.uint16))
    paths = [folder / f"{side}_{band}.jp2" for band in BANDS]
    for path in paths:
        if not path.exists():
            pixels = fields[:side, :side] + rng.normal(0, 40, (side, side)).astype(np.int16)
            with rasterio.open(
                path, "w", driver="JP2OpenJPEG", width=side, height=side, count=1,
                dtype="uint16", crs=CRS.from_epsg(32633), tiled=True, QUALITY="100",
                transform=Affine(10, 0, 3e5, 0, -10, 58e5), REVERSIBLE="YES",
                blockxsize=TILE_PX, blockysize=TILE_PX,
            ) as out:  # fmt: skip
                out.write(pixels.clip(1).astype(np.uint16), 1)
    return paths


def windows(side: int) -> list[Window]:
    """Windows of a scene, row by row."""
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 3e5, 0, -10, 58e5), side, side)
    return list(grid.windows(rasters.WINDOW_PX))


def old(paths: list[Path], places: list[Window]) -> int:
    """A sum of all pixels, read by GDAL's threads."""
    total = 0
    with ExitStack() as files, rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
        opened = [files.enter_context(rasterio.open(path)) for path in paths]
        for place in places:
            part = RasterioWindow(place.col, place.row, place.cols, place.rows)
            for dataset in opened:
                total += int(dataset.read(1, window=part).sum(dtype=np.int64))
    return total


def new(paths: list[Path], places: list[Window]) -> int:
    """The same sum, read by one thread a file."""
    total = 0
    with ExitStack() as files:
        opened = [files.enter_context(rasters.open_raster(path)) for path in paths]
        for place in places:
            read = read_at_once(
                [(file, partial(rasters.read_window, file, place)) for file in opened]
            )
            total += sum(int(band.sum(dtype=np.int64)) for band in read)
    return total


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """Seconds of the fastest round, with the ratio round by round, and of asking for wholeness."""
    side, rounds = (10980, 1) if a.full else (4096, 3)
    paths = write_bands(a.folder, side)
    size = sum(path.stat().st_size for path in paths) / 2**20
    started = time.perf_counter()
    for path in paths:
        wholeness.require_whole(path)
    asked = (time.perf_counter() - started) / len(paths)
    more: dict[str, Cell] = {"files, MiB": size}
    yield Row(f"asking whether a file is whole, {side:,} px", 1000 * asked, "ms", more=more)
    seconds: dict[str, list[float]] = {"old": [], "new": []}
    totals = set()
    for _ in range(rounds):
        for name, way in (("old", old), ("new", new)):
            started = time.perf_counter()
            totals.add(way(paths, windows(side)))
            seconds[name].append(time.perf_counter() - started)
    if len(totals) > 1:
        raise SystemExit("the two ways read different pixels")
    one_file = "GDAL's threads in one file after the other"
    faster = ratio(np.array(seconds["old"]), np.array(seconds["new"]), one_file)
    what = f"four bands, {side:,} px"
    yield Row(what, min(seconds["new"]), "s", (faster,), more={"GDAL's, s": min(seconds["old"])})


def main() -> None:
    """Measure and print."""
    parser = options("reading", __doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("data/bench/reading"))
    a = parser.parse_args()
    report(parser, a, rows(a))


if __name__ == "__main__":
    main()
