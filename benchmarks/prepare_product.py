"""Preparing a tile of ten bands from a product: time and memory, and what the bands of 20 m cost.

    python -m benchmarks.prepare_product                     # an eighth of a tile
    python -m benchmarks.prepare_product --full              # 10980 x 10980 pixels
    python -m benchmarks.prepare_product --full --folder DIR # made there, and used again

The product is of level 2A: lossless JPEG 2000 in the tiles that ESA uses, 1024 pixels wide at 10 m
and 640 at 20 m, smooth fields with noise. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import in_process, interleaved, peak_mib
from benchmarks.records import Row
from benchmarks.report import options, report

NAME = "S2B_MSIL2A_20230601T101559_N0509_R065_T33UUU_20230601T124759.SAFE"
GRANULE = "GRANULE/L2A_T33UUU_A033753_20230601T101559/IMG_DATA"
#: Pixels of a side of JPEG 2000's own tiles, and the bands, by metres a pixel.
BLOCK_PX = {10: 1024, 20: 640}
BANDS = {10: ("B02", "B03", "B04", "B08"), 20: ("B05", "B06", "B07", "B8A", "B11", "B12")}
KEEP = {"ten bands": "20m", "four bands": "core"}


def main() -> None:
    """Make the product, prepare it with ten bands and with four, print times and memory."""
    parser = options("prepare_product", __doc__)
    parser.add_argument("--size", type=int, default=3840, help="side of the scene in 10 m pixels")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="a whole tile, 10980 pixels")
    parser.add_argument("--folder", type=Path, help="where the product is made, and stays")
    parser.add_argument("--child", nargs=2, metavar=("KEEP", "FOLDER"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        prepare_product(Path(a.child[1]), a.child[0])
        print(time.process_time(), peak_mib())
        return
    report(parser, a, rows(a))


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """A row for ten bands and one for four, each with the memory of a process of its own."""
    size = 10_980 if a.full else a.size
    with tempfile.TemporaryDirectory() as name:
        folder = a.folder or Path(name)
        make_product(folder, size)
        costs: dict[str, list[tuple[float, float]]] = {way: [] for way in KEEP}
        ways = {way: partial(in_own_process, way, folder, costs[way]) for way in KEEP}
        times = interleaved(ways, a.runs, warm=False)
    for way in KEEP:
        cpu_s, mib = np.median(costs[way], axis=0)
        seconds, more = float(np.median(times[way])), {"of cores, s": float(cpu_s)}
        yield Row(f"{way}, {size:,} px", seconds, "s", memory_mib=float(mib), more=more)


def make_product(folder: Path, size: int) -> None:
    """The images of ten bands and the XML; those that are there are left as they are."""
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))
    (folder / NAME / GRANULE).mkdir(parents=True, exist_ok=True)
    (folder / NAME / "MTD_MSIL2A.xml").write_text(
        "<Level-2A_User_Product><PRODUCT_START_TIME>2023-06-01T10:15:59.024Z</PRODUCT_START_TIME>"
        "<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>"
        f"{offsets}</Level-2A_User_Product>"
    )
    for pixel_m, names in BANDS.items():
        for name in names:
            image = f"R{pixel_m}m/T33UUU_20230601T101559_{name}_{pixel_m}m.jp2"
            make_image(folder / NAME / GRANULE / image, size * 10 // pixel_m, pixel_m)


def make_image(path: Path, size: int, pixel_m: int) -> None:
    """A lossless image of smooth digital numbers with noise; through a TIFF, by windows."""
    import rasterio
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.shutil import copy

    from landcover.files import rasters
    from landcover.grid import Grid

    if path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(list(path.name.encode()))
    transform = Affine(pixel_m, 0, 300_000, 0, -pixel_m, 5_800_020)
    grid = Grid(CRS.from_epsg(32633), transform, size, size)
    plain = path.with_suffix(".tif")
    with rasterio.open(
        plain, "w", driver="GTiff", width=size, height=size, count=1, dtype="uint16",
        crs=grid.crs, transform=grid.transform, tiled=True,
    ) as out:  # fmt: skip
        for window in grid.windows(rasters.WINDOW_PX):
            rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis] * pixel_m / 400
            cols = np.arange(window.col, window.col + window.cols) * pixel_m / 600
            pixels = rng.normal(2200 + 600 * np.sin(rows) * np.cos(cols), 60).astype(np.uint16)
            place = rasterio.windows.Window(window.col, window.row, window.cols, window.rows)
            out.write(pixels, 1, window=place)
    half = path.with_suffix(".half.jp2")  # by its ending the driver writes where it lies
    block = BLOCK_PX[pixel_m]
    copy(
        plain, half, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES",
        BLOCKXSIZE=block, BLOCKYSIZE=block, NUM_THREADS="ALL_CPUS",
    )  # fmt: skip
    plain.unlink()
    half.rename(path)


def prepare_product(folder: Path, keep: str) -> None:
    """What `landcover prep --product X.SAFE --keep ...` does."""
    from landcover.run import Run
    from landcover.sources.sentinel2 import open_sentinel2
    from landcover.stages.prepare import prepare

    prepare(Run(folder / f"run-{keep}"), [open_sentinel2(folder / NAME, keep)])


def in_own_process(way: str, folder: Path, costs: list[tuple[float, float]]) -> None:
    """Prepare in a process of its own; note seconds of all cores, and peak memory in MiB."""
    lines = in_process("benchmarks.prepare_product", "--child", KEEP[way], str(folder))
    cpu_s, mib = map(float, lines[-1].split()[-2:])
    costs.append((cpu_s, mib))


if __name__ == "__main__":
    main()
