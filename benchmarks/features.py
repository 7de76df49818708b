"""Features by windows of a scene, beside spyndex on whole arrays.

    python -m benchmarks.features            # 2,048 x 2,048 px of 13 bands, half a minute
    python -m benchmarks.features --side 10980    # a whole tile

Twenty spectral indices, written as bands of a scene are read, made and thrown away by windows, as
maps make them; spyndex computes those that it has from arrays that lie in memory. The ratio is of
the indices that both have, from the same arrays. Terrain is timed beside them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import spyndex
from affine import Affine
from rasterio.crs import CRS

from benchmarks.measure import forget_peak, interleaved, peak_mib, ratio
from benchmarks.records import Row
from benchmarks.report import options, report
from landcover.files import raster_writer, rasters
from landcover.grid import Grid
from landcover.scene import features
from landcover.scene.indices import INDICES
from landcover.sensors import ALL_BANDS

TILE_PX = 10980**2
#: Twenty features that 13 bands allow, and their names in spyndex where it has them.
NAMES = tuple(name for name in INDICES if name != "ndsi")
SPYNDEX = {
    "ndvi": "NDVI", "gndvi": "GNDVI", "ndwi": "NDWI", "evi": "EVI", "evi2": "EVI2",
    "osavi": "OSAVI", "msavi2": "MSAVI", "ndmi": "NDMI", "mndwi": "MNDWI", "ndbi": "NDBI",
    "bsi": "BI", "ui": "UI", "nbr": "NBR", "ndre": "NDREI", "s2rep": "S2REP", "ireci": "IRECI",
}  # fmt: skip
SYMBOLS = {"B": "B02", "G": "B03", "R": "B04", "RE1": "B05", "RE2": "B06", "RE3": "B07",
           "N": "B08", "S1": "B11", "S2": "B12"}  # fmt: skip
CONSTANTS = {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0, "nexp": 2.0, "cexp": 1.16}
TERRAIN = ("slope", "aspect", "curvature", "tpi")


def write_scene(path: Path, side: int) -> None:
    """A scene of random reflectance with structure, so that it is compressed as scenes are."""
    rng = np.random.default_rng(0)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300_000, 0, -10, 5_800_000), side, side)
    with raster_writer.RasterWriter(path, grid, np.float32, ALL_BANDS, nodata=np.nan) as out:
        for window in grid.windows(rasters.WINDOW_PX):
            down, across = (-(-px // 32) for px in (window.rows, window.cols))
            fields = rng.uniform(0.02, 0.5, (len(ALL_BANDS), down, across))
            image = fields.astype(np.float32).repeat(32, axis=1).repeat(32, axis=2)
            image = image[:, : window.rows, : window.cols]
            image += rng.integers(-50, 50, image.shape, dtype=np.int8) / np.float32(10_000)
            out.write(image, window)


def by_windows(path: Path, names: tuple[str, ...]) -> tuple[float, float]:
    """Seconds and processor seconds of reading a scene and making features, by windows."""
    started, work = time.perf_counter(), time.process_time()
    for window in rasters.grid_of(path).windows(rasters.WINDOW_PX):
        features.compute(rasters.read(path, window), ALL_BANDS, names, {})
    return time.perf_counter() - started, time.process_time() - work


def beside_spyndex(side: int, runs: int) -> Row:
    """The times of the indices that both have, from the same arrays."""
    rng = np.random.default_rng(1)
    image = rng.uniform(0.02, 0.5, (len(ALL_BANDS), side, side)).astype(np.float32)
    held = dict(zip(ALL_BANDS, image, strict=True))
    params = {symbol: held[band] for symbol, band in SYMBOLS.items()} | CONSTANTS
    ours, theirs = tuple(SPYNDEX), list(SPYNDEX.values())
    seconds = interleaved(
        {
            "spyndex": lambda: spyndex.computeIndex(theirs, params),
            "landcover": lambda: features.compute(image, ALL_BANDS, ours, {}),
        },
        runs,
    )
    took = {name: float(np.median(each)) for name, each in seconds.items()}
    faster = ratio(seconds["spyndex"], seconds["landcover"], "spyndex")
    what = f"{len(ours)} indices of an array of {side} px"
    return Row(what, took["landcover"], "s", (faster,), more={"spyndex, s": took["spyndex"]})


def terrain(side: int) -> Iterator[Row]:
    """The processor time of features of elevation."""
    elevation = 300 + np.random.default_rng(2).uniform(0, 50, (1, side, side)).astype(np.float32)
    for name in TERRAIN:
        started = time.process_time()
        features.compute(elevation, ["elevation"], [name], {"pixel_m": [10.0, 10.0]})
        work = (time.process_time() - started) / side**2 * TILE_PX
        yield Row(f"{name} of a tile", work, "s of processor time")


def rows(side: int) -> Iterator[Row]:
    """Indices by windows, indices beside spyndex, and terrain."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        write_scene(path, side)
        forget_peak()
        seconds, work = by_windows(path, NAMES)
        memory = peak_mib()
    share = TILE_PX / side**2
    what = f"{len(NAMES)} indices of {len(ALL_BANDS)} bands by windows, {side} px"
    more = {"a tile, s": seconds * share, "a tile, s of processor time": work * share}
    yield Row(what, seconds, "s", memory_mib=memory, more=more)
    yield beside_spyndex(1024, 3)
    yield from terrain(1024)


def main() -> None:
    """Measure and print."""
    parser = options("features", __doc__)
    parser.add_argument("--side", type=int, default=2048, help="pixels (default 2048)")
    a = parser.parse_args()
    report(parser, a, rows(a.side))


if __name__ == "__main__":
    main()
