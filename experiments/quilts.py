"""Real land with a 10 m map: quilts of Sentinel-2 chips, in several arrangements.

A quilt is a folder with bands.tif (four bands, reflectance times 10,000), s2glc.tif (classes at
10 m) and coarse.tif (the same as CORINE would draw it). Neighbouring chips do not belong
together: pixels near their seams are out of judgement, and no block crosses one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from affine import Affine
from rasterio.crs import CRS

from experiments.study import write_classes
from landcover.files import raster_writer, rasters
from landcover.grid import Grid
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.stages.sample import sample
from landcover.stages.segment import segment

CHIP_PX, QUILT_CHIPS = 256, 8
#: Pixels beside a seam that nothing is judged on: the radius of a 7 x 7 patch.
SEAM_PX = 3
#: Chips along each side of an arrangement.
SIDES = {"whole": 8, "quarter": 4, "sixteenth": 2}
#: Side of a block: a chip, or half of one where there would be four blocks.
_BLOCK_PX = {"whole": CHIP_PX, "quarter": CHIP_PX, "sixteenth": CHIP_PX // 2}
_FILES = ("bands.tif", "coarse.tif", "s2glc.tif")
_BANDS = ("B02", "B03", "B04", "B08")

#: A chip: quilt, row and column.
Chip = tuple[int, int, int]


def chips_of(kind: str, number: int) -> list[Chip]:
    """Chips of an arrangement, row by row.

    The first arrangements are the quilts as they lie, whole or by quarters; further ones are
    drawn from the chips of both quilts, without repeats.

    >>> chips_of("quarter", 1)[:2]
    [(0, 0, 4), (0, 0, 5)]
    """
    side = SIDES[kind]
    parts = (QUILT_CHIPS // side) ** 2
    if number < 2 * parts:
        quilt, part = divmod(number, parts)
        down, across = (side * k for k in divmod(part, QUILT_CHIPS // side))
        return [(quilt, down + k // side, across + k % side) for k in range(side**2)]
    every = [(q, *divmod(k, QUILT_CHIPS)) for q in (0, 1) for k in range(QUILT_CHIPS**2)]
    drawn = np.random.default_rng([7, number]).permutation(len(every))[: side**2]
    return [every[k] for k in drawn]


def quilt_run(data: Path, folder: Path, kind: str, number: int, samples: int = 40_000) -> Run:
    """The run FOLDER/KIND-NUMBER of an arrangement, segmented and sampled; what is there is kept.

    Parameters
    ----------
    data : path
        Folder with the quilts 0 and 1.
    folder : path
        Where runs are.
    kind : str
        Of `SIDES`.
    number : int
        Of the arrangement, from 0; also the seed of its split.
    samples : int
        Samples to draw.
    """
    run = Run(folder / f"{kind}-{number}")
    if run.samples.exists():
        return run
    chips, side = chips_of(kind, number), SIDES[kind]
    bands, labels, truth = (laid(data, name, chips, side) for name in _FILES)
    pixels = side * CHIP_PX
    grid = Grid(CRS.from_epsg(32631), Affine(10, 0, 4e5, 0, -10, 5.6e6), pixels, pixels)
    image = np.where((bands == 0).any(axis=0), np.nan, bands / np.float32(10_000))
    raster_writer.write(run.scene, image.astype(np.float32), grid, _BANDS, np.nan)
    write_classes(run.labels, labels[0].astype(np.uint16), grid)
    place = np.arange(pixels) % CHIP_PX
    seam = (place < SEAM_PX) | (place >= CHIP_PX - SEAM_PX)
    judged = np.where(seam[:, np.newaxis] | seam, 0, truth[0])
    write_classes(run.reference, judged.astype(np.uint16), grid)
    segment(run)
    sample(run, Draw(samples), block_px=_BLOCK_PX[kind], seed=number)
    return run


def laid(data: Path, name: str, chips: list[Chip], side: int) -> np.ndarray:
    """Chips of one file side by side, (bands, rows, cols)."""
    cut = [_quilt(data / str(q) / name)[:, _span(row), _span(col)] for q, row, col in chips]
    rows = [np.concatenate(cut[k : k + side], axis=2) for k in range(0, len(cut), side)]
    return np.concatenate(rows, axis=1)


def _span(chip: int) -> slice:
    return slice(chip * CHIP_PX, (chip + 1) * CHIP_PX)


@cache
def _quilt(path: Path) -> np.ndarray:
    """A whole file as it is stored."""
    with rasters.open_raster(path) as dataset:
        pixels: np.ndarray = dataset.read()
    return pixels
