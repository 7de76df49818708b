"""Seconds and peak memory of drawing samples, beside joining points to polygons.

    python -m benchmarks.sampling                   # 400,000 samples of 1100 x 4000 pixels
    python -m benchmarks.sampling --rows 10980 --cols 10980

Each way runs in a process of its own. The alternative is the one that scripts often take:
random points, a spatial join to the labels as polygons, and the raster read point by point.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def make_run(folder: Path, rows: int, cols: int) -> None:
    """A run with a four-band scene and labels in irregular patches, written by windows."""
    from affine import Affine
    from rasterio.crs import CRS
    from scipy.ndimage import zoom

    from landcover import rasters
    from landcover.grid import Grid
    from landcover.legend import Legend
    from landcover.runs import Run

    run = Run(folder)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5900000), rows, cols)
    rng = np.random.default_rng(0)
    codes = np.array([112, 121, 211, 231, 243, 311, 312, 324, 512])
    field = zoom(rng.random((rows // 50 + 2, cols // 50 + 2)), 50, order=1)[:rows, :cols]
    ranks = np.searchsorted(np.quantile(field[::7, ::7], np.linspace(0.1, 0.9, 8)), field)
    labels = codes[ranks].astype(np.uint16)
    rasters.write(run.labels, labels, grid, ["class"], 0, Legend.corine().subset(codes))
    with rasters.RasterWriter(run.scene, grid, np.float32, ["B02", "B03", "B04", "B08"]) as out:
        for window in grid.windows(1024):
            level = ranks[window.slices] / 20 + 0.05
            noise = rng.normal(0, 0.02, (4, window.rows, window.cols))
            out.write(np.round(level + noise, 4).astype(np.float32), window)


def by_strips(folder: Path, samples: int) -> int:
    """What `landcover sample` does."""
    import pyarrow.parquet

    from landcover.runs import Run
    from landcover.workflows.sample import sample

    sample(Run(folder), samples=samples)
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


def peak_mib() -> float:
    """Peak memory of this process; getrusage would count the parent's at the fork too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


WAYS = {"strips": by_strips, "join": by_join}


def main() -> None:
    """Make the run once and time each way in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1100)
    parser.add_argument("--cols", type=int, default=4000)
    parser.add_argument("--samples", type=int, default=400_000)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        started = time.perf_counter()
        drawn = WAYS[a.child[0]](Path(a.child[1]), a.samples)
        seconds = time.perf_counter() - started
        print(f"{seconds} {peak_mib()} {drawn}")
        return
    with tempfile.TemporaryDirectory() as folder:
        make_run(Path(folder), a.rows, a.cols)
        print(f"{a.samples:,} samples of {a.rows} x {a.cols} pixels, 4 bands")
        first = None
        for way in a.ways:
            command = [sys.executable, "-m", "benchmarks.sampling", "--child", way, folder]
            command += ["--samples", str(a.samples)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, peak, drawn = (float(v) for v in done.stdout.split())
            first = first or seconds
            print(
                f"{way:>7}: {seconds:6.2f} s, peak {peak:6.0f} MiB, {drawn:,.0f} drawn, "
                f"{seconds / first:.1f} x"
            )


if __name__ == "__main__":
    main()
