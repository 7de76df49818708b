"""One grid for overlapping tiles, and their bands on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.files.ahead import read_ahead
from landcover.files.open_rasters import OpenRasters
from landcover.files.raster_writer import RasterWriter
from landcover.files.styles import scene_style
from landcover.grid import TOLERANCE_PX, Grid, Window, same_crs
from landcover.progress import track
from landcover.scene.layers import Layer, LayerReader
from landcover.scene.tile_reader import TileReader
from landcover.sources.reflectance import CLOUD, DATA, NODATA, OUTSIDE, REASONS
from landcover.sources.tile import Tile, common_bands

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry


def mosaic_grid(tiles: Sequence[Tile]) -> Grid:
    """The smallest grid that holds all tiles.

    Raises
    ------
    InputError
        If tiles differ in CRS or resolution, or lie between each other's pixels.
    """
    first = tiles[0].grid
    width, height = first.resolution
    for tile in tiles[1:]:
        other = tile.grid
        row, col = first.position(other)
        shift = max(abs(col - round(col)), abs(row - round(row)))
        if not same_crs(other.crs, first.crs):
            raise InputError(
                f"{tile.paths[0]} is in {other.crs.to_string()} and {tiles[0].paths[0]} in "
                f"{first.crs.to_string()}, and tiles of a mosaic share one: give those of one zone "
                "(of a product with granule=), or bring them to one with to_crs=auto"
            )
        alike = np.allclose(other.resolution, first.resolution)
        if not alike or shift > TOLERANCE_PX:
            raise InputError(
                f"{tile.paths[0]} is not on the pixel lattice of {tiles[0].paths[0]} "
                f"({_lattice(other)} against {_lattice(first)}, shifted by "
                f"{shift:.2f} px); tiles of a mosaic share CRS, resolution and alignment: warp it "
                "first"
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


def _lattice(grid: Grid) -> str:
    """The reference system and the pixels of a grid, so exactly that small differences show."""
    width, height = grid.resolution
    return f"{grid.crs.to_string()} at {width:.9g} x {height:.9g}"


@dataclass(frozen=True)
class Written:
    """What a scene became.

    Attributes
    ----------
    pixels : dict
        Pixels of the scene by what they are: ``data``, or why they have none: ``cloud`` by the
        mask of clouds, ``nodata`` and ``masked`` in the files, ``implausible`` values, or
        ``outside`` of tiles and area.
    notes : list of str
        Sentences on values that are no reflectance, and on holes of one band.
    dates : dict of dict
        Of a composite, the same as `pixels` by date.
    valid_dates : list of float
        Of a composite, the shares of pixels at which 0, 1, 2, ... dates are valid; what lies
        outside an area of interest does not count.
    """

    pixels: dict[str, int]
    notes: list[str]
    dates: dict[str, dict[str, int]] = field(default_factory=dict)
    valid_dates: list[float] = field(default_factory=list)


def write_scene(
    path: Path,
    tiles: Sequence[Tile],
    grid: Grid,
    area: BaseGeometry | None,
    layers: Sequence[Layer] = (),
) -> Written:
    """Reflectance of all tiles on one grid, and layers beside it; NaN where a band has no value.

    Parameters
    ----------
    path : path
        Of the scene.
    tiles : sequence of Tile
        Where they overlap, the first that has data wins. There may be none where layers are.
    grid : Grid
        Of the scene, on the lattice of the tiles.
    area : shapely geometry, optional
        Outside it the scene has no data.
    layers : sequence of Layer
        Further bands. Without tiles, a pixel has data where all of these have a value.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        If a file is damaged, if many values are no reflectance, if a layer does not fit the grid,
        or if no pixel has data in all bands; nothing is written then.
    """
    names = common_bands(tiles)
    pixels = np.zeros(OUTSIDE + 1, np.int64)
    with OpenRasters() as files:
        beside = LayerReader(files, layers, grid)
        every = [*names, *beside.names]
        side = rasters.window_px(len(every))
        style = scene_style(every)
        with RasterWriter(path, grid, np.float32, every, np.nan, style=style) as out:
            mosaic = MosaicReader(files, tiles, names, grid)

            def read(window: Window) -> tuple[np.ndarray, np.ndarray]:
                image, why = mosaic.read(window)
                if not tiles:
                    why[:] = DATA
                outside = np.zeros(why.shape, bool)
                if area is not None:
                    outside = ~vectors.inside(area, grid, window)
                    why[outside] = OUTSIDE
                image = beside.with_layers(image, window, why == DATA)
                image[:, outside] = np.nan
                if not tiles:
                    why[(why == DATA) & ~rasters.valid_pixels(image)] = NODATA
                return image, why

            windows = track(list(grid.windows(side)), "Writing the scene")
            for window, (image, why) in read_ahead(windows, read):
                pixels += np.bincount(why.ravel(), minlength=len(pixels))
                out.write(image, window)
            notes = mosaic.notes()
            if tiles:
                require_data(pixels, tiles, area, [mosaic])
            elif not pixels[DATA]:
                raise InputError(
                    f"{layers[0].paths[0]} has no pixel with data in all bands, in the area of "
                    "interest if there is one; check its nodata value, or give a larger area"
                )
            notes += beside.notes()
    return Written(dict(zip(REASONS, pixels.tolist(), strict=True)), notes)


def require_data(
    pixels: np.ndarray,
    tiles: Sequence[Tile],
    area: BaseGeometry | None,
    readers: Sequence[MosaicReader],
) -> None:
    """Raise InputError if no pixel of a scene has data, by the numbers of pixels by reason."""
    if pixels[DATA]:
        return
    _refuse_empty_band(tiles[0], readers)
    first = tiles[0].paths[0]
    shares = [
        f"{100 * n / pixels.sum():.1f} % {reason}"
        for n, reason in zip(pixels.tolist(), REASONS, strict=True)
        if n
    ]
    if pixels[CLOUD]:
        raise InputError(
            f"{first} has no pixel left beside its mask ({', '.join(shares)}); choose "
            "fewer mask_classes=, a smaller mask_dilation=, or other dates"
        )
    masks = dict.fromkeys(str(tile.mask.path) for tile in tiles if tile.mask)
    if masks:
        raise InputError(
            f"{first} has no pixel with data in all bands and a value in its mask "
            f"{next(iter(masks))} ({', '.join(shares)}); give a mask that covers it, or "
            "leave it out"
        )
    raise InputError(
        f"{first} has no pixel with data in all bands"
        f"{' and its middle in the area of interest' if area is not None else ''}; "
        "a scene needs some: check the files and their nodata value"
        f"{', or give a larger area' if area is not None else ''}"
    )


def _refuse_empty_band(tile: Tile, readers: Sequence[MosaicReader]) -> None:
    """Raise InputError if some bands have no pixel with data, and others have."""
    seen = Counter[str]()
    for reader in readers:
        seen.update(reader.seen())  # a sum would drop bands without any
    empty = [name for name, pixels in seen.items() if not pixels]
    if not empty or len(empty) == len(seen):
        return
    further = [name for name in seen if name not in tile.sensor.core]
    left = [name for name in further if name not in empty] or ["core"]
    remedy = (
        f"leave it out: keep={' '.join(left)}"
        if set(empty) <= set(further)
        else "a scene needs it: give a file that is whole, and check its nodata value"
    )
    raise InputError(
        f"{tile.bands[empty[0]].path} has no pixel with data in {' '.join(empty)}, so that none "
        f"has data in all bands; {remedy}"
    )


class MosaicReader:
    """Windows of a grid from the tiles of one date, each of which may cover a part of it.

    Parameters
    ----------
    files : OpenRasters
        Where the files of tiles are open.
    tiles : sequence of Tile
        Where they overlap, the first that has data wins.
    names : sequence of str
        Bands that all of them have, in order.
    grid : Grid
        On the lattice of the tiles.
    """

    def __init__(
        self, files: OpenRasters, tiles: Sequence[Tile], names: Sequence[str], grid: Grid
    ) -> None:
        self.grid = grid
        self.bands = len(names)
        self.tiles = [TileReader(files, tile, names) for tile in tiles]

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Reflectance (bands, rows, cols), and why pixels lack a band (rows, cols)."""
        image = np.full((self.bands, window.rows, window.cols), np.nan, np.float32)
        why = np.full(image.shape[1:], OUTSIDE, np.uint8)
        for reader in self.tiles:
            _fill(image, why, reader, _shifted(window, self.grid, reader.grid))
        return image, why

    def seen(self) -> Counter[str]:
        """Pixels of the tiles with data, by band; those of bands without any are there too."""
        counts = Counter[str]()
        for reader in self.tiles:
            counts.update({name: tally.seen for name, tally in reader.tallies.items()})
        return counts

    def notes(self) -> list[str]:
        """What is to be said of what was read."""
        return [note for reader in self.tiles for note in reader.notes()]


def _fill(image: np.ndarray, why: np.ndarray, reader: TileReader, window: Window) -> None:
    """Fill pixels that no earlier tile has given."""
    part, _ = window.within(*reader.grid.shape)
    empty = why != DATA
    if part.rows and part.cols and empty.any():
        values, reasons = reader.read(window)
        # where no tile has all bands, the one that came nearest stays
        better = empty & (reasons < why)
        np.copyto(image, values, where=better)
        np.copyto(why, reasons, where=better)


def _shifted(window: Window, grid: Grid, other: Grid) -> Window:
    """The same pixels, counted from the corner of another grid on the same lattice."""
    row, col = other.position(grid)
    return Window(window.row + round(row), window.col + round(col), window.rows, window.cols)
