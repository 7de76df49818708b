"""Preparing a scene by windows, beside doing it in whole arrays: memory and time.

    python -m benchmarks.prepare_tile               # an eighth of a tile
    python -m benchmarks.prepare_tile --full        # 10980 x 10980 pixels

The alternative is what most scripts do: rasterio reads every band whole, numpy converts,
rasterio writes a compressed file. landcover's product is Cloud-Optimised besides, with
overviews, and read once more against checksums. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import in_process, interleaved, peak_mib, ratio
from benchmarks.records import Row
from benchmarks.report import options, report

BANDS = ("B02", "B03", "B04", "B08")


def main() -> None:
    """Make the bands, prepare them both ways in turn, print the ratios."""
    parser = options("prepare_tile", __doc__)
    parser.add_argument("--size", type=int, default=3840, help="side of the scene in pixels")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="a whole tile, 10980 pixels")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        WAYS[a.child[0]](Path(a.child[1]))
        print(peak_mib())
        return
    report(parser, a, rows(a))


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """A row a way; that of windows has the ratios of time and of memory."""
    size = 10_980 if a.full else a.size
    with tempfile.TemporaryDirectory() as name:
        for band in BANDS:
            make_band(Path(name), band, size)
        peaks: dict[str, list[float]] = {way: [] for way in WAYS}
        ways = {way: partial(prepare_in_process, way, name, peaks[way]) for way in WAYS}
        times = interleaved(ways, a.runs, warm=False)
    memory = np.array(peaks["whole-arrays"]), np.array(peaks["windows"])
    ratios = (
        ratio(times["whole-arrays"], times["windows"], "whole arrays"),
        ratio(*memory, "whole arrays", "times less memory than"),
    )
    for way, compared in (("windows", ratios), ("whole-arrays", ())):
        what, seconds = f"{way}, {size:,} px", float(np.median(times[way]))
        yield Row(what, seconds, "s", compared, max(peaks[way]))


def make_band(folder: Path, name: str, size: int) -> None:
    """A band of smooth digital numbers with noise, written by windows."""
    from affine import Affine
    from rasterio.crs import CRS

    from landcover.files import rasters
    from landcover.files.raster_writer import RasterWriter
    from landcover.grid import Grid

    rng = np.random.default_rng(int(name[1:]))
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300_000, 0, -10, 5_800_000), size, size)
    with RasterWriter(folder / f"{name}.tif", grid, np.uint16, [name], nodata=0) as out:
        for window in grid.windows(rasters.WINDOW_PX):
            rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
            cols = np.arange(window.col, window.col + window.cols)
            fields = 1200 + 600 * np.sin(rows // 40) * np.cos(cols // 60)
            out.write(rng.normal(fields, 60).astype(np.uint16), window)


def prepare_in_process(way: str, folder: str, peaks: list[float]) -> None:
    """Run a way in a process of its own and note its peak memory, MiB."""
    peaks.append(float(in_process("benchmarks.prepare_tile", "--child", way, folder)[-1]))


def by_windows(folder: Path) -> None:
    """What `landcover prep` does with the bands of a scene."""
    from landcover.run import Run
    from landcover.sources.band_files import open_bands
    from landcover.stages.prepare import prepare

    prepare(Run(folder / "run"), open_bands([folder / f"{band}.tif" for band in BANDS]))


def by_whole_arrays(folder: Path) -> None:
    """What scripts do."""
    import rasterio

    bands = []
    for band in BANDS:
        with rasterio.open(folder / f"{band}.tif") as source:
            profile, dn = source.profile, source.read(1)
        bands.append(np.where(dn == 0, np.nan, dn / 10_000).astype("float32"))
    profile.update(
        count=len(bands), dtype="float32", nodata=np.nan, compress="deflate", predictor=3
    )
    with rasterio.open(folder / "whole.tif", "w", **profile) as target:
        target.write(np.stack(bands))


WAYS = {"windows": by_windows, "whole-arrays": by_whole_arrays}

if __name__ == "__main__":
    main()
