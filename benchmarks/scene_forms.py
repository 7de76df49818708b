"""What a scene costs in other forms: bytes, and processor seconds of writing and of one reading.

    python -m benchmarks.scene_forms --run RUN              # a window of 2048 px of its scene
    python -m benchmarks.scene_forms --run RUN --side 4096

Forms are floats and, where the scene is made of such, digital numbers of 16 bits x 10,000. They are
compressed by deflate or zstd of level 1, with and without TIFF's predictor. Reading gives float32
reflectance of either. Times are those of all threads, so a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil

from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.files import rasters
from landcover.grid import Grid, Window

_SCALE = np.float32(10_000)
_FORMS = [
    (kind, method, predictor)
    for kind in ("float32", "uint16")
    for method in ("deflate", "zstd")
    for predictor in ("yes", "no")
]


def write_plain(path: Path, pixels: np.ndarray, grid: Grid) -> None:
    """Pixels without compression, in blocks, from which every form is made."""
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.cols, height=grid.rows, count=len(pixels),
        dtype=pixels.dtype, crs=grid.crs, transform=grid.transform, tiled=True, blockxsize=512,
        blockysize=512, interleave="pixel", photometric="minisblack",
    ) as out:  # fmt: skip
        out.write(pixels)


def write_form(plain: Path, path: Path, method: str, predictor: str) -> float:
    """Write a Cloud-Optimised GeoTIFF; processor seconds."""
    started = time.process_time()
    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", ZSTD_LEVEL_OVERVIEW=1):
        rasterio.shutil.copy(
            plain, path, driver="COG", compress=method, level=1, predictor=predictor,
            blocksize=512, overview_resampling="average", num_threads="ALL_CPUS",
        )  # fmt: skip
    return time.process_time() - started


def read_form(path: Path, grid: Grid) -> float:
    """Read all of it as reflectance; processor seconds."""
    started = time.process_time()
    for _, pixels in rasters.read_windows(path, grid.windows(rasters.WINDOW_PX)):
        if pixels.dtype == np.uint16:
            _ = pixels.astype(np.float32) / _SCALE
    return time.process_time() - started


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """A row a form."""
    scene = args.run / "scene.tif"
    whole = rasters.grid_of(scene)
    side = min(args.side, whole.rows, whole.cols)
    middle = Window((whole.rows - side) // 2, (whole.cols - side) // 2, side, side)
    image, grid = rasters.read(scene, middle), whole.crop(middle)
    numbers = np.rint(np.nan_to_num(image) * _SCALE).clip(0, 65535).astype(np.uint16)
    exact = np.array_equal(numbers / _SCALE, np.nan_to_num(image))
    with tempfile.TemporaryDirectory() as folder:
        plain, path = Path(folder, "plain.tif"), Path(folder, "form.tif")
        for kind, method, predictor in _FORMS:
            write_plain(plain, image if kind == "float32" else numbers, grid)
            writing = write_form(plain, path, method, predictor)
            reading = min(read_form(path, grid) for _ in range(3))
            more: dict[str, Cell] = {
                "writing, s": round(writing, 2),
                "reading, s": round(reading, 2),
                "lossless": kind == "float32" or bool(exact),
            }
            yield Row(
                f"{kind}, {method}, predictor {predictor}",
                path.stat().st_size / 1e6,
                "MB",
                more=more,
            )


def main() -> None:
    """Measure every form."""
    parser = options("scene_forms", __doc__)
    parser.add_argument("--run", type=Path, required=True, help="run whose scene is measured")
    parser.add_argument("--side", type=int, default=2048, help="of the window in its middle, px")
    args = parser.parse_args()
    report(parser, args, rows(args))


if __name__ == "__main__":
    main()
