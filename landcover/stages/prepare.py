"""Source rasters to a scene: mosaic, reflectance, area of interest, labels on one grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters, styles
from landcover.grid import TOLERANCE_PX, Grid, Window
from landcover.legend import Legend, corine_recoder, to_level
from landcover.progress import track
from landcover.reports import figures
from landcover.run import Run, replace_when_whole
from landcover.sources.sentinel2 import Tile, reflectance

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def prepare(
    run: Run,
    tiles: Sequence[Tile],
    *,
    labels: Path | None = None,
    reference: Path | None = None,
    aoi: str | Path | Sequence[float] | None = None,
    level: int = 3,
) -> list[Path]:
    """Write the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run
        Where to write.
    tiles : sequence of Tile
        Tiles of one date on one pixel lattice. Where they overlap, the first
        one that has data wins.
    labels : path, optional
        CORINE raster (grid codes 1-44 or CLC codes 111-523) in any CRS.
    reference : path, optional
        Better labels in the same codes.
    aoi : path or (west, south, east, north), optional
        Area of interest; outside it the scene is nodata.
    level : int
        Level of the legend: 1, 2 or 3.

    Returns
    -------
    list of Path
        What was written.
    """
    area = None
    grid = mosaic_grid(tiles)
    if aoi is not None:
        from landcover.files import vectors

        area = vectors.read_aoi(aoi, grid)
        grid = grid.crop(vectors.aoi_window(area, grid))
    for raster in filter(None, (labels, reference)):
        _require_overlap(raster, grid)  # before the scene, which takes a while to write
    products = [_write_scene(run.scene, tiles, grid, area)]
    for source, product in ((labels, run.labels), (reference, run.reference)):
        if source is not None:
            products += _write_classes(product, source, grid, area, level)
    products += _pictures(run, products)
    run.record(
        "prep",
        {
            "level": level,
            "aoi": None if aoi is None else _plain(aoi),
            "acquired": _acquired(tiles),
            "bands": _radiometry(tiles),
        },
        [*(path for tile in tiles for path in tile.paths), *filter(None, (labels, reference))],
        products,
    )
    return products


def mosaic_grid(tiles: Sequence[Tile]) -> Grid:
    """The smallest grid that holds all tiles.

    Raises
    ------
    LandcoverError
        If tiles differ in CRS or resolution, or lie between each other's pixels.
    """
    first = tiles[0].grid
    width, height = first.resolution
    for tile in tiles[1:]:
        other = tile.grid
        row, col = first.position(other)
        shift = max(abs(col - round(col)), abs(row - round(row)))
        alike = other.crs == first.crs and np.allclose(other.resolution, first.resolution)
        if not alike or shift > TOLERANCE_PX:
            raise LandcoverError(
                f"{tile.paths[0]} is not on the pixel lattice of {tiles[0].paths[0]} "
                f"({other.crs.to_string()} at {other.resolution[0]:g}, shifted by {shift:.2f} px); "
                "tiles of a mosaic share CRS, resolution and alignment: warp it first"
            )
    bounds = np.array([tile.grid.bounds for tile in tiles])
    (west, south), (east, north) = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    window = Window(
        round((first.bounds[3] - north) / height),
        round((west - first.bounds[0]) / width),
        round((north - south) / height),
        round((east - west) / width),
    )
    return first.crop(window)


def _write_scene(path: Path, tiles: Sequence[Tile], grid: Grid, area: BaseGeometry | None) -> Path:
    """Reflectance of all tiles on one grid, NaN where there is none."""
    names = _common_bands(tiles)
    valid = 0
    with (
        ExitStack() as files,
        rasters.RasterWriter(path, grid, np.float32, names, nodata=np.nan) as out,
    ):
        readers = [_reader(files, tile, names) for tile in tiles]
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "Writing the scene"):
            image = np.full((len(names), window.rows, window.cols), np.nan, np.float32)
            for tile, read in zip(tiles, readers, strict=True):
                _fill(image, read, _shifted(window, grid, tile.grid), tile.grid)
            if area is not None:
                image[:, ~_inside(area, grid, window)] = np.nan
            valid += int(np.isfinite(image).all(axis=0).sum())
            out.write(image, window)
        if not valid:
            raise LandcoverError(
                f"{tiles[0].paths[0]} has no pixel with data in all bands"
                f"{' inside the area of interest' if area is not None else ''}; "
                "a scene needs some: check the files and their nodata value"
            )
    return path


def _common_bands(tiles: Sequence[Tile]) -> list[str]:
    """Bands that every tile has."""
    return [name for name in tiles[0].bands if all(name in tile.bands for tile in tiles)]


def _reader(files: ExitStack, tile: Tile, names: Sequence[str]) -> Callable[[Window], np.ndarray]:
    """A function that reads a window of a tile as reflectance, from files opened once."""
    opened = {path: files.enter_context(rasters.open_raster(path)) for path in tile.paths}
    bands = [tile.bands[name] for name in names]

    def read(window: Window) -> np.ndarray:
        return np.stack(
            [
                reflectance(rasters.read_window(opened[band.path], window, [band.number])[0], band)
                for band in bands
            ]
        )

    return read


def _fill(
    image: np.ndarray, read: Callable[[Window], np.ndarray], window: Window, grid: Grid
) -> None:
    """Fill pixels that no earlier tile has given."""
    outside = (
        window.row >= grid.rows
        or window.col >= grid.cols
        or window.row + window.rows <= 0
        or window.col + window.cols <= 0
    )
    empty = ~np.isfinite(image).all(axis=0)
    if not outside and empty.any():
        np.copyto(image, read(window), where=empty)


def _shifted(window: Window, grid: Grid, other: Grid) -> Window:
    """The same pixels, counted from the corner of another grid on the same lattice."""
    row, col = other.position(grid)
    return Window(window.row + round(row), window.col + round(col), window.rows, window.cols)


def _inside(area: BaseGeometry, grid: Grid, window: Window) -> np.ndarray:
    from landcover.files import vectors

    return vectors.inside(area, grid, window)


def _write_classes(
    path: Path, source: Path, grid: Grid, area: BaseGeometry | None, level: int
) -> list[Path]:
    """A class raster brought to the grid by nearest neighbour, at a level of the legend."""
    windows = list(grid.windows(rasters.WINDOW_PX))
    with rasters.open_on_grid(source, grid) as warped:
        values: set[float] = set()
        for window in track(windows, f"Reading {source.name}"):
            values.update(np.unique(rasters.read_window(warped, window, [1])).tolist())
        try:
            recode = corine_recoder(values)
        except LandcoverError as error:
            raise LandcoverError(f"{source}: {error}") from None
        codes = set(to_level(recode(np.array(sorted(values))), level).tolist()) - {0}
        if len(codes) < 2:
            held = f"only class {codes.pop()}" if codes else "no labelled pixel"
            raise LandcoverError(
                f"{source} has {held} within the scene; at least two classes are needed: "
                "take a larger scene or a finer --level"
            )
        legend = Legend.corine(level).subset(codes)
        with rasters.RasterWriter(path, grid, np.uint16, ["class"], 0, legend) as out:
            for window in track(windows, f"Writing {path.name}"):
                labels = to_level(recode(rasters.read_window(warped, window, [1])[0]), level)
                if area is not None:
                    labels[~_inside(area, grid, window)] = 0
                out.write(labels, window)
    return [path, styles.write_qml(path, legend)]


def _require_overlap(source: Path, grid: Grid) -> None:
    """Refuse a class raster that lies elsewhere, naming both extents."""
    from rasterio.warp import transform_bounds

    own = rasters.grid_of(source)
    west, south, east, north = transform_bounds(grid.crs, own.crs, *grid.bounds)
    theirs = own.bounds
    if west >= theirs[2] or east <= theirs[0] or south >= theirs[3] or north <= theirs[1]:
        scene = ", ".join(f"{v:.6g}" for v in (west, south, east, north))
        raise LandcoverError(
            f"{source} does not overlap the scene: it spans {', '.join(f'{v:.6g}' for v in theirs)}"
            f" (W S E N in {own.crs.to_string()}) and the scene {scene}; "
            "give the raster of the scene's region"
        )


def _pictures(run: Run, products: Iterable[Path]) -> list[Path]:
    """True colour and classes as PNG, thinned to a screen's size."""
    pictures = {}
    names = rasters.band_names(run.scene)
    pictures["true_colour"] = figures.true_colour(rasters.read_small(run.scene), names)
    for product in (run.labels, run.reference):
        if product in products:
            codes = rasters.read_small(product)[0]
            legend = Legend.corine(len(str(codes.max()))).subset(np.unique(codes))
            pictures[product.stem] = figures.class_picture(codes, legend)
    paths = []
    for name, picture in pictures.items():
        paths.append(run.figure(name))
        with replace_when_whole(paths[-1]) as part:
            part.write_bytes(figures.png(picture))
    return paths


def _acquired(tiles: Sequence[Tile]) -> list[str]:
    """When the tiles were taken, where all of them say so."""
    times = {tile.acquired for tile in tiles}
    return sorted(filter(None, times)) if None not in times else []


def _radiometry(tiles: Sequence[Tile]) -> dict[str, Any]:
    """File, quantification and offset of each band, for the manifest."""
    return {
        name: [
            {
                "file": tile.bands[name].path.name,
                "band": tile.bands[name].number,
                "quantification": tile.bands[name].quantification,
                "offset": tile.bands[name].offset,
            }
            for tile in tiles
        ]
        for name in _common_bands(tiles)
    }


def _plain(aoi: str | Path | Sequence[float]) -> Any:
    return str(aoi) if isinstance(aoi, (str, Path)) else list(aoi)
