"""Layers that are served as tiles, cut to an area: WorldCover, Copernicus DEM, any class raster.

ESA WorldCover is served by ESA as tiles of 3 degrees (bucket esa-worldcover), Copernicus DEM GLO-30
by Sinergise as tiles of one degree (bucket copernicus-dem-30m), both without an account.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.dtypes import in_dtype_range
from shapely.geometry.base import BaseGeometry

from landcover.errors import InputError, LandcoverError
from landcover.files import meridian, vectors
from landcover.files.atomic import Fields, read_json, write_json
from landcover.files.checksums import sha256_multihash
from landcover.files.download import Wanted
from landcover.files.http import Web, WebError, require_web, shown
from landcover.files.raster_writer import RasterWriter
from landcover.files.rasters import WINDOW_PX
from landcover.files.remote_rasters import RemoteRaster
from landcover.grid import Grid, Window, same_crs
from landcover.progress import track
from landcover.sources.online.fetched import MOST_PIXELS, area_digest

#: Tiles that one area may take: a country of Europe has some hundred of the DEM.
MOST_TILES = 400
_WORLDCOVER = {2020: "v100", 2021: "v200"}
#: Elevation where there is none; the DEM declares no such value itself.
_NO_ELEVATION = -9999.0


@dataclass(frozen=True)
class Layer:
    """A layer of the world in tiles.

    Attributes
    ----------
    name, title : str
        Of the layer.
    degrees : int
        Side of a tile.
    base : str
        Where its tiles are served.
    asset : str
        What STAC items of it call the file.
    nodata : float
        For pixels that no tile has, unless the tiles declare another value.
    """

    name: str
    title: str
    degrees: int
    base: str
    asset: str
    nodata: float

    def tile(self, south: int, west: int, year: int) -> str:
        """The address of a tile by its south-western corner, after `base`."""
        ns, ew = "N" if south >= 0 else "S", "E" if west >= 0 else "W"
        if self.name == "worldcover":
            version, corner = _WORLDCOVER[year], f"{ns}{abs(south):02d}{ew}{abs(west):03d}"
            return f"{version}/{year}/map/ESA_WorldCover_10m_{year}_{version}_{corner}_Map.tif"
        name = f"Copernicus_DSM_COG_10_{ns}{abs(south):02d}_00_{ew}{abs(west):03d}_00_DEM"
        return f"{name}/{name}.tif"


LAYERS = {
    layer.name: layer
    for layer in (
        Layer(
            "worldcover", "ESA WorldCover", 3,
            "https://esa-worldcover.s3.eu-central-1.amazonaws.com", "map", 0,
        ),
        Layer(
            "dem", "Copernicus DEM GLO-30", 1,
            "https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com", "data", _NO_ELEVATION,
        ),
    )
}  # fmt: skip


def tiles_of(
    layer: Layer, area: BaseGeometry, year: int = 2021, base: str | None = None
) -> list[str]:
    """Addresses of the tiles that an area in degrees takes, from the north-west.

    Examples
    --------
    >>> from shapely import box
    >>> urls = tiles_of(LAYERS["worldcover"], box(11, 50, 12.5, 51))
    >>> [url.rpartition("_v200_")[2] for url in urls]
    ['N48E009_Map.tif', 'N48E012_Map.tif']

    Raises
    ------
    InputError
        For a year that there is no map of, or an area of too many tiles.
    """
    if layer.name == "worldcover" and year not in _WORLDCOVER:
        raise InputError(f"year {year}: WorldCover is of {' and '.join(map(str, _WORLDCOVER))}")
    served = require_web(base or layer.base, "base_url=").rstrip("/")
    side, corners = layer.degrees, dict[tuple[int, int], None]()
    for west, south, east, north in meridian.boxes(area):
        rows = range(math.floor(south / side), math.ceil(north / side))
        cols = range(math.floor(west / side), math.ceil(east / side))
        if len(rows) * len(cols) > MOST_TILES:
            raise InputError(
                f"the area takes {len(rows) * len(cols):,} tiles of {layer.title}, and at most "
                f"{MOST_TILES} are fetched; give a smaller one"
            )
        corners |= {(row * side, col * side): None for row in reversed(rows) for col in cols}
    return [f"{served}/{layer.tile(south, west, year)}" for south, west in corners]


@dataclass
class Cut:
    """A layer on disk, cut to an area.

    Attributes
    ----------
    paths : list of path
        A raster, or several where tiles are not on one lattice.
    absent : list of str
        Tiles that the server does not have.
    came : bool
        Whether it was fetched now.
    """

    paths: list[Path]
    absent: list[str]
    came: bool = True


def fetch_tiles(
    web: Web,
    wanted: Sequence[Wanted],
    area: str | Path | Sequence[float],
    path: Path,
    nodata: float = 0,
) -> Cut:
    """The part of tiles that an area takes, as one raster on the tiles' own lattice.

    Beside it a JSON file of its name says where it is from. A raster that is there, whole and of
    the same tiles and area, stays.

    Parameters
    ----------
    web : Web
        The session.
    wanted : sequence of Wanted
        The tiles, in one CRS.
    area : path or (west, south, east, north)
        As `landcover.files.vectors.read_aoi` takes it.
    path : path
        The raster. Where tiles have several lattices, as those of the DEM at some latitudes, or
        lie on both sides of the 180th meridian, there are several, with numbers in their names.
    nodata : float
        For pixels that no tile has, unless the tiles declare another value.

    Raises
    ------
    LandcoverError
        If a server fails, no tile is there or reaches the area, or the area is too large.
    """
    facts = {"area": area_digest(area), "tiles": [shown(one.url) for one in wanted]}
    note = path.with_suffix(".json")
    there = _there(note, facts)
    if there is not None:
        return Cut([note.with_name(name) for name in there["files"]], there["absent"], came=False)
    absent: list[str] = []
    with ExitStack() as stack:
        held = []
        for one in track(wanted, "looking at tiles"):
            try:
                raster = stack.enter_context(RemoteRaster(web, one, path.parent))
            except WebError as error:
                # a bucket that lists nothing says 403 of what it lacks
                if error.status != 404 and (error.status != 403 or one.sign):
                    raise
                absent.append(shown(one.url))
                continue
            window = _window(raster.grid, area)
            if window:
                held.append((raster, window))
        if not held:
            raise InputError(
                f"none of {len(wanted)} tiles is there and reaches the area "
                f"(not there: {', '.join(absent[:3]) or 'none'}); check the area and the address"
            )
        groups = list(_lattices(held))
        paths = [path] if len(groups) == 1 else [
            path.with_name(f"{path.stem}-{number}{path.suffix}")
            for number in range(1, len(groups) + 1)
        ]  # fmt: skip
        for target, group in zip(paths, groups, strict=True):
            _write(target, group, nodata)
    sums = {one.name: sha256_multihash(one) for one in paths}
    write_json(note, facts | {"files": sums, "absent": absent})
    return Cut(paths, absent)


def _there(note: Path, facts: Fields) -> Fields | None:
    """What an earlier command wrote of the same tiles and area, if it is whole."""
    try:
        held = read_json(note)
        same = all(held.get(key) == value for key, value in facts.items())
        whole = same and all(
            sha256_multihash(note.with_name(name)) == digest
            for name, digest in held["files"].items()
        )
    except (LandcoverError, OSError, KeyError, AttributeError):
        return None
    return held if whole else None


def _window(grid: Grid, area: str | Path | Sequence[float]) -> Window | None:
    """The part of a tile that an area takes; None where it takes none."""
    try:
        return vectors.aoi_window(vectors.read_aoi(area, grid), grid)
    except InputError:
        return None


Held = tuple[RemoteRaster, Window]


def _lattices(held: Sequence[Held]) -> Iterator[list[Held]]:
    """Tiles whose pixels are on one lattice, together."""
    groups: list[list[Held]] = []
    for one in held:
        group = next((group for group in groups if _on_lattice(group[0][0], one[0])), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    yield from groups


def _on_lattice(first: RemoteRaster, other: RemoteRaster) -> bool:
    if not same_crs(first.grid.crs, other.grid.crs) or first.dtype != other.dtype:
        return False
    if not np.allclose(first.grid.resolution, other.grid.resolution, rtol=1e-6):
        return False
    apart = abs(first.grid.bounds[0] - other.grid.bounds[0])
    if first.grid.crs.is_geographic and apart > 180:  # neighbours across the 180th meridian
        return False
    place = np.array(first.grid.position(other.grid))
    return bool(np.abs(place - np.rint(place)).max() < 0.05)


def _write(path: Path, group: Sequence[Held], nodata: float) -> None:
    """Write the windows of tiles of one lattice as a raster."""
    first = group[0][0]
    places = [_place(first.grid, raster, window) for raster, window in group]
    row, col = min(p.row for p in places), min(p.col for p in places)
    rows = max(p.row + p.rows for p in places) - row
    cols = max(p.col + p.cols for p in places) - col
    if rows * cols > MOST_PIXELS:
        raise InputError(
            f"the area is of {rows:,} x {cols:,} pixels, and at most {MOST_PIXELS:,} are fetched; "
            "give a smaller one"
        )
    grid = first.grid.crop(Window(row, col, rows, cols))
    empty = next((raster.nodata for raster, _ in group if raster.nodata is not None), nodata)
    if not in_dtype_range(empty, first.dtype.name):
        empty = 0
    with RasterWriter(path, grid, first.dtype, [path.stem], empty) as out:
        for part in track(list(grid.windows(WINDOW_PX)), f"fetching {path.stem}"):
            pixels = np.full((part.rows, part.cols), empty, first.dtype)
            for (raster, window), place in zip(group, places, strict=True):
                _fill(pixels, part, raster, window, Window(
                    place.row - row, place.col - col, place.rows, place.cols
                ))  # fmt: skip
            out.write(pixels, part)


def _place(grid: Grid, raster: RemoteRaster, window: Window) -> Window:
    """The window of a tile, in pixels of another tile's grid."""
    row, col = (round(start) for start in grid.position(raster.grid))
    return Window(row + window.row, col + window.col, window.rows, window.cols)


def _fill(
    pixels: np.ndarray, part: Window, raster: RemoteRaster, window: Window, place: Window
) -> None:
    """Put what a tile holds of a part into its pixels; `place` is the tile's window there."""
    asked = Window(part.row - place.row, part.col - place.col, part.rows, part.cols)
    held, here = asked.within(place.rows, place.cols)
    if held.rows and held.cols:
        row, col = window.row + held.row, window.col + held.col
        pixels[here] = raster.read(Window(row, col, held.rows, held.cols))
