"""Peak memory and time of preparing a tile, by windows and by whole arrays.

    python benchmarks/prepare_tile.py [--size 10980]

Both run in processes of their own on the same generated bands; memory is the peak
resident size that the operating system reports. The alternative is what most scripts
do: rasterio reads every band whole, numpy converts, rasterio writes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from landcover import rasters
from landcover.grid import Grid

ROOT = Path(__file__).parent.parent
BANDS = ("B02", "B03", "B04", "B08")
MEASURED = """
import resource, runpy, sys, time
started = time.perf_counter()
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as stop:
    assert not stop.code, stop.code
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
print(f"{time.perf_counter() - started:.1f} {peak:.2f}")
"""
WHOLE = """
import sys, numpy, rasterio
out, *paths = sys.argv[1:]
bands = []
for path in paths:
    with rasterio.open(path) as source:
        profile, dn = source.profile, source.read(1)
    bands.append(numpy.where(dn == 0, numpy.nan, dn / 10_000).astype("float32"))
profile.update(count=len(bands), dtype="float32", nodata=numpy.nan, compress="deflate", predictor=3)
with rasterio.open(out, "w", **profile) as target:
    target.write(numpy.stack(bands))
"""


def main() -> None:
    """Make the bands, prepare them both ways, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2745, help="side of the tile in pixels")
    size = parser.parse_args().size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [str(make_band(folder / f"{band}.tif", size)) for band in BANDS]
        ours = measure(str(ROOT / "scene_prep.py"), "--bands", *paths, "--out", str(folder / "run"))
        whole = folder / "whole.py"
        whole.write_text(WHOLE)
        theirs = measure(str(whole), str(folder / "whole.tif"), *paths)
    print(f"{size} x {size} pixels, 4 bands")
    print(f"by windows:   {ours[0]:6.1f} s  {ours[1]:5.2f} GiB at most")
    print(f"whole arrays: {theirs[0]:6.1f} s  {theirs[1]:5.2f} GiB at most")
    memory, time = ours[1] / theirs[1], ours[0] / theirs[0]
    print(f"windows need {memory:.2f} of the memory, {time:.2f} of the time")


def make_band(path: Path, size: int) -> Path:
    """A band of smooth digital numbers with noise, written by windows."""
    rng = np.random.default_rng(int(path.stem[1:]))
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300_000, 0, -10, 5_800_000), size, size)
    with rasters.RasterWriter(path, grid, np.uint16, [path.stem], nodata=0) as out:
        for window in grid.windows(rasters.WINDOW_PX):
            rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
            cols = np.arange(window.col, window.col + window.cols)
            fields = 1200 + 600 * np.sin(rows // 40) * np.cos(cols // 60)
            out.write(rng.normal(fields, 60).astype(np.uint16), window)
    return path


def measure(*command: str) -> tuple[float, float]:
    """Seconds and peak GiB of a Python script in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], capture_output=True, text=True, check=True
    )
    seconds, gib = done.stdout.splitlines()[-1].split()
    return float(seconds), float(gib)


if __name__ == "__main__":
    main()
