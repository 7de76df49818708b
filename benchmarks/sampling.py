"""Seconds and peak memory of drawing samples, beside joining points to polygons.

    python -m benchmarks.sampling            # 100,000 samples of 600 x 2000 pixels
    python -m benchmarks.sampling --full     # and 400,000 samples of a whole tile

The run has a reference, segments and segment types too. The alternative is the one that
scripts often take: random points, a spatial join to the labels as polygons, and the raster
read point by point; it deals no blocks and reads nothing but labels and bands.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import in_process, interleaved, peak_mib, ratio
from benchmarks.records import Ratio, Row
from benchmarks.report import options, report

TILE_PX = 10_980


def make_run(folder: Path, rows: int, cols: int) -> None:
    """A run with a four-band scene and irregular classes and segments, written by windows."""
    from affine import Affine
    from rasterio.crs import CRS
    from scipy.ndimage import zoom

    from landcover.files.raster_writer import RasterWriter
    from landcover.grid import Grid
    from landcover.legend import Legend
    from landcover.run import Run

    run = Run(folder)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5900000), rows, cols)
    rng = np.random.default_rng(0)
    codes = np.array([112, 121, 211, 231, 243, 311, 312, 324, 512])
    legend = Legend.corine().subset(codes)
    coarse = rng.random((rows // 50 + 2, cols // 50 + 2), dtype=np.float32)
    field = zoom(coarse, 50, order=1)[:rows, :cols]
    limits = np.quantile(field[::7, ::7], np.linspace(0.1, 0.9, 8))
    ranks = np.searchsorted(limits, field).astype(np.uint8)
    types = ["percentile", "hierarchy-4", "hierarchy-8", "hierarchy-16"]
    with (
        RasterWriter(run.labels, grid, np.uint16, ["class"], 0, legend) as labels,
        RasterWriter(run.reference, grid, np.uint16, ["class"], 0, legend) as reference,
        RasterWriter(run.segments, grid, np.uint32, ["segment"], 0) as segments,
        RasterWriter(run.segment_types, grid, np.uint8, types, 0) as segment_types,
        RasterWriter(run.scene, grid, np.float32, ["B02", "B03", "B04", "B08"]) as scene,
    ):
        for window in grid.windows(1024):
            rank = ranks[window.slices]
            labels.write(codes[rank], window)
            reference.write(codes[(rank + (field[window.slices] * 200 % 9 < 1)) % 9], window)
            down = np.arange(window.row, window.row + window.rows)[:, None] // 40
            ids = down * (cols // 40 + 1) + np.arange(window.col, window.col + window.cols) // 40
            segments.write((ids * 9 + rank + 1).astype(np.uint32), window)
            segment_types.write(np.stack([rank % n + 1 for n in (6, 4, 8, 16)]), window)
            noise = rng.normal(0, 0.02, (4, window.rows, window.cols))
            scene.write(np.round(rank / 20 + 0.05 + noise, 4).astype(np.float32), window)


def by_strips(folder: Path, samples: int) -> int:
    """What `landcover sample` does."""
    import pyarrow.parquet

    from landcover.run import Run
    from landcover.samples.table import Draw
    from landcover.stages.sample import sample

    sample(Run(folder), Draw(samples))
    return pyarrow.parquet.read_metadata(Run(folder).samples).num_rows


def by_join(folder: Path, samples: int) -> int:
    """Random points, joined to label polygons, and the raster sampled at each."""
    import geopandas
    import rasterio
    import rasterio.features
    from shapely.geometry import shape

    rng = np.random.default_rng(0)
    with rasterio.open(folder / "labels.tif") as source:
        bounds, crs = source.bounds, source.crs
        shapes = list(rasterio.features.shapes(source.read(1), transform=source.transform))
    polygons = geopandas.GeoDataFrame(
        {"label": [int(code) for _, code in shapes]},
        geometry=[shape(geometry) for geometry, _ in shapes],
        crs=crs,
    )
    x = rng.uniform(bounds.left, bounds.right, samples)
    y = rng.uniform(bounds.bottom, bounds.top, samples)
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(x, y), crs=crs)
    joined = geopandas.sjoin(points, polygons, predicate="within")
    with rasterio.open(folder / "scene.tif") as source:
        places = zip(joined.geometry.x, joined.geometry.y, strict=True)
        values = np.array(list(source.sample(places)))
    joined[["B02", "B03", "B04", "B08"]] = values
    joined.to_parquet(folder / "joined.parquet")
    return len(joined)


WAYS = {"strips": by_strips, "join": by_join}


def main() -> None:
    """Compare both ways on a small scene, then measure each in a process of its own."""
    parser = options("sampling", __doc__)
    parser.add_argument("--full", action="store_true", help="400,000 samples of a whole tile")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        way, folder, samples = a.child
        run_alone(way, Path(folder), int(samples))
        return
    report(parser, a, measured(a))


def measured(a: argparse.Namespace) -> Iterator[Row]:
    """The rows of a small scene, and with --full of a tile."""
    with tempfile.TemporaryDirectory() as name:
        yield from compare(Path(name) / "small", 600, 2000, 100_000, a.runs)
        if a.full:
            make_run(Path(name) / "tile", TILE_PX, TILE_PX)
            yield alone("strips", Path(name) / "tile", 400_000, "a tile")


def compare(folder: Path, rows: int, cols: int, samples: int, runs: int) -> Iterator[Row]:
    """The ratio of times, and each way's own time and memory."""
    make_run(folder, rows, cols)
    times = interleaved({k: partial(way, folder, samples) for k, way in WAYS.items()}, runs)
    faster = ratio(times["join"], times["strips"], "joining points to polygons")
    for way in WAYS:
        ratios = (faster,) if way == "strips" else ()
        yield alone(way, folder, samples, f"{rows} x {cols} pixels", ratios)


def alone(way: str, folder: Path, samples: int, of: str, ratios: tuple[Ratio, ...] = ()) -> Row:
    """Time and memory of a way in a process of its own."""
    printed = in_process("benchmarks.sampling", "--child", way, str(folder), str(samples))[-1]
    seconds, mib, drawn = map(float, printed.split())
    more = {"drawn": int(drawn)}
    return Row(f"{samples:,} samples of {of} by {way}", seconds, "s", ratios, mib, more)


def run_alone(way: str, folder: Path, samples: int) -> None:
    """What the process started by `alone` does."""
    started = time.perf_counter()
    drawn = WAYS[way](folder, samples)
    seconds = time.perf_counter() - started
    print(seconds, peak_mib(), drawn)


if __name__ == "__main__":
    main()
