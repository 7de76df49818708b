"""Synthetic scenes written as files like a user's own: bands, CORINE, truth."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from landcover import __version__
from landcover.errors import InputError
from landcover.files import raster_writer
from landcover.files.atomic import read_json, write_json
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.labels import generalise
from landcover.progress import track
from landcover.sensors import digital_numbers
from landcover.sources import synthetic
from landcover.sources.keep import Keep

if TYPE_CHECKING:
    from landcover.sources.synthetic import SyntheticScene, SyntheticSequence

#: Side of the scenes of a mosaic, about: eight of them span a tile. Larger ones take more memory
#: while they are drawn; much smaller ones leave no room for regions of 25 ha.
SCENE_PX = 1373
#: Processes that draw scenes; each takes about half a gigabyte.
PROCESSES = min(4, os.cpu_count() or 1)


class Sources(NamedTuple):
    """Paths of the files of a scene.

    Attributes
    ----------
    bands : list of Path
        One file a band, by default B02, B03, B04 and B08, in the band's own pixels, as uint16
        digital numbers; 0 is nodata.
    corine : Path
        CLC grid codes (1 to 44) of 100 m cells in EPSG:3035.
    truth : Path
        Exact CLC codes at 10 m.
    """

    bands: list[Path]
    corine: Path
    truth: Path


def write_demo(folder: Path, seed: int, keep: Keep = "core") -> Sources:
    """Write the demo scene.

    Parameters
    ----------
    folder : path
        Where the files go.
    seed : int
        Seed of the scene.
    keep : str or sequence of str
        Bands of the scene, as `make_scene` takes them.
    """
    scene = synthetic.make_scene(seed=seed, keep=keep)
    sources = _names(folder, scene.bands)
    for path, shown in zip(sources.bands, scene.image, strict=True):
        pixels = digital_numbers(scene.native.get(path.stem, shown))
        grid = _coarser(scene.grid, synthetic.SIDE_PX[path.stem])
        raster_writer.write(path, pixels, grid, [path.stem], nodata=0)
    raster_writer.write(
        sources.corine, scene.corine, scene.corine_grid, ["CLC grid code"], nodata=0
    )
    raster_writer.write(sources.truth, scene.truth, scene.grid, ["CLC code"], nodata=0)
    return sources


class SequenceFiles(NamedTuple):
    """Paths of the files of a sequence.

    Attributes
    ----------
    dates : dict of str to Path
        By day, a stack of reflectance, float32; NaN where the mask of the date hides it.
    corine : Path
        CLC grid codes (1 to 44) of 100 m cells in EPSG:3035, of the first year.
    labels, truth : dict of int to Path
        By year, CLC codes at 10 m: coarse labels, and the exact classes.
    """

    dates: dict[str, Path]
    corine: Path
    labels: dict[int, Path]
    truth: dict[int, Path]


def write_sequence(folder: Path, sequence: SyntheticSequence) -> SequenceFiles:
    """Write a sequence as files like a user's own.

    Parameters
    ----------
    folder : path
        Where the files go.
    sequence : SyntheticSequence
        From `make_sequence`.
    """
    years = list(sequence.labels_of_year)
    found = SequenceFiles(
        {day: folder / f"{day}.tif" for day in sequence.days},
        folder / "corine.tif",
        {year: folder / f"labels_{year}.tif" for year in years},
        {year: folder / f"truth_{year}.tif" for year in years},
    )
    grid = sequence.grid
    for path, image in zip(found.dates.values(), sequence.images, strict=True):
        raster_writer.write(path, image, grid, sequence.bands, nodata=np.nan)
    cells = sequence.corine, sequence.corine_grid
    raster_writer.write(found.corine, *cells, ["CLC grid code"], nodata=0)
    for year, labels in sequence.labels_of_year.items():
        at = next(n for n, day in enumerate(sequence.days) if day.startswith(f"{year}-"))
        raster_writer.write(found.labels[year], labels, grid, ["CLC code"], nodata=0)
        truth = sequence.reference[at]
        raster_writer.write(found.truth[year], truth, grid, ["CLC code"], nodata=0)
    return found


def write_mosaic(folder: Path, size: int, seed: int = 0) -> Sources:
    """Write a square mosaic of scenes with different seeds, once.

    Each scene is made at its own place, so its labels lie on the cells of the one CORINE
    raster. Processes draw the scenes, and each is written when it is ready, so memory does not
    grow with the mosaic.

    Parameters
    ----------
    folder : path
        Where the files go. Files of the same mosaic that are there already are kept.
    size : int
        Side in pixels; 10980 is a tile of Sentinel-2.
    seed : int
        Decides the seeds of all scenes.

    Raises
    ------
    LandcoverError
        If the mosaic is smaller than a scene can be, or the folder cannot be written.
    """
    if size < synthetic.MINIMUM_PX:
        raise InputError(
            f"size {size} is too small for a scene; choose at least {synthetic.MINIMUM_PX}"
        )
    sources, mark = _names(folder), folder / "mosaic.json"
    made = {"size": size, "seed": seed, "scene_px": SCENE_PX, "landcover": __version__}
    if mark.exists() and read_json(mark) == made and all(map(Path.exists, _flat(sources))):
        return sources
    mark.unlink(missing_ok=True)
    places = list(_places(size, seed))
    grid = _grid(Window(0, 0, size, size))
    cells_grid = generalise.corine_grid(grid)
    cells = np.zeros(cells_grid.shape, np.uint8)
    with ExitStack() as files:
        outs = [
            files.enter_context(RasterWriter(path, grid, np.uint16, [path.stem], 0))
            for path in (*sources.bands, sources.truth)
        ]
        drawn = files.enter_context(_pool()).map(_make, places)
        for (window, _), scene in zip(
            places, track(drawn, "Drawing scenes", len(places)), strict=True
        ):
            for out, pixels in zip(outs, (*digital_numbers(scene.image), scene.truth), strict=True):
                out.write(pixels, window)
            _add_labels(cells, cells_grid, scene)
    raster_writer.write(sources.corine, cells, cells_grid, ["CLC grid code"], nodata=0)
    write_json(mark, made)
    return sources


def _coarser(grid: Grid, side: int) -> Grid:
    """The grid of pixels of `side` pixels of another one, from its corner on."""
    from affine import Affine

    rows, cols = (-(-size // side) for size in grid.shape)
    fine = grid.transform
    coarse = Affine(fine.a * side, fine.b, fine.c, fine.d, fine.e * side, fine.f)
    return Grid(grid.crs, coarse, rows, cols)


def _names(folder: Path, names: Sequence[str] = synthetic.BANDS) -> Sources:
    """Where the files of a folder are."""
    bands = [folder / f"{name}.tif" for name in names]
    return Sources(bands, folder / "corine.tif", folder / "truth.tif")


def _flat(sources: Sources) -> list[Path]:
    return [*sources.bands, sources.corine, sources.truth]


def _places(size: int, seed: int) -> Iterator[tuple[Window, int]]:
    """Window and seed of every scene; a mosaic of half the side is a corner of the larger one."""
    across = max(1, round(size / SCENE_PX))
    edges = [round(size * i / across) for i in range(across + 1)]
    for i in range(across):
        for j in range(across):
            rows, cols = edges[i + 1] - edges[i], edges[j + 1] - edges[j]
            yield Window(edges[i], edges[j], rows, cols), (seed << 20) + (i << 10) + j


def _grid(window: Window) -> Grid:
    """The grid of a part of the mosaic."""
    from affine import Affine
    from rasterio.crs import CRS

    west, north = _corner(window)
    transform = Affine(10, 0, west, 0, -10, north)
    return Grid(CRS.from_epsg(32633), transform, window.rows, window.cols)


def _corner(window: Window) -> tuple[float, float]:
    """North-west corner of a window, m."""
    west, north = synthetic.ORIGIN
    return west + 10 * window.col, north - 10 * window.row


def _pool() -> ProcessPoolExecutor:
    """New processes, not forks: a fork would inherit GDAL's threads and locks."""
    return ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"))


def _make(place: tuple[Window, int]) -> SyntheticScene:
    """The scene of a place; runs in a process of its own."""
    window, seed = place
    return synthetic.make_scene(window.rows, window.cols, seed, origin=_corner(window))


def _add_labels(cells: np.ndarray, cells_grid: Grid, scene: SyntheticScene) -> None:
    """Write a scene's labels into the mosaic's; where scenes meet, the first keeps the cell."""
    row, col = (round(shift) for shift in cells_grid.position(scene.corine_grid))
    rows, cols = np.nonzero(scene.corine)
    place = rows + row, cols + col
    cells[place] = np.where(cells[place] > 0, cells[place], scene.corine[rows, cols])
