"""Tiles brought to one reference system in metres, with square pixels, as they are read.

A scene in degrees has pixels of another shape at every latitude, and neighbouring zones of UTM do
not make one mosaic. Here a tile gets another grid, and its bands keep theirs, so that they are
warped once, by `landcover.sources.regrid`, and nothing is written in between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.grid import Grid, same_crs
from landcover.sources.tile import Tile

if TYPE_CHECKING:
    from rasterio.crs import CRS

#: The zone of the place.
AUTO = "auto"
#: Pixels of Sentinel-2, metres. Those of a source are these where they are it to `_NEAR`.
_USUAL_M = (10.0, 20.0, 60.0)
_NEAR = 0.05
#: Pixels are square where their sides differ by less.
_SQUARE = 1e-3
#: Latitudes of UTM.
_SOUTH, _NORTH = -80.0, 84.0
#: A metre of the reference system may be so much more or less on the ground.
_TRUE = 0.05
#: A zone of UTM is not used farther from its meridian, nor a southern one farther north, km.
#: Northern zones are used south of the equator too, by Landsat.
_FAR_KM = 1_000.0
_DEGREE_KM = 111.32
#: Points a side, from which the extent of a grid is found in another reference system.
_POINTS = 41


def to_crs(tiles: Sequence[Tile], wanted: str) -> list[Tile]:
    """Tiles on square pixels of one reference system in metres.

    Parameters
    ----------
    tiles : sequence of Tile
        In any reference systems.
    wanted : str
        ``"auto"``, the zone of UTM in which the middle of the tiles lies, or a name such as
        ``EPSG:3035``.

    Returns
    -------
    list of Tile
        Those that are in it already, with square pixels, as they are; with ``"auto"`` all, if they
        are in one zone of UTM, whichever. Others have a grid of multiples of its pixels, as wide as
        those of the source on the ground, or 10, 20 or 60 m where these are that to 5 %. A note of
        the tile says so.

    Raises
    ------
    InputError
        If the place lies beyond UTM, or the reference system is none, or not in metres there.

    Examples
    --------
    >>> from landcover.sources.band_files import open_bands
    >>> (tile,) = to_crs(open_bands(["B02.tif", "B03.tif", "B04.tif", "B08.tif"]), "auto")
    >>> tile.notes
    ('already in EPSG:32633 with square pixels: nothing was warped',)
    """
    crs = _wanted(tiles, wanted)
    _require_near(tiles, crs)
    held = [same_crs(tile.grid.crs, crs) and _square(tile.grid) for tile in tiles]
    if all(held):
        return [_noted(tile, f"already in {name_of(crs)} with square pixels: nothing was warped")
                for tile in tiles]  # fmt: skip
    kept = next((tile.grid for tile, own in zip(tiles, held, strict=True) if own), None)
    if kept:
        pixel_m, corner = kept.resolution[0], (kept.transform.c, kept.transform.f)
    else:
        pixel_m, corner = min(ground_pixel_m(tile.grid) for tile in tiles), (0.0, 0.0)
    return [
        tile if own else _warped(tile, crs, pixel_m, corner)
        for tile, own in zip(tiles, held, strict=True)
    ]


def _wanted(tiles: Sequence[Tile], wanted: str) -> CRS:
    """The reference system that is asked for."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    first = tiles[0].grid.crs
    if wanted == AUTO:
        alike = all(same_crs(tile.grid.crs, first) and _square(tile.grid) for tile in tiles)
        return first if alike and _is_utm(first) else utm_of(*_middle(tiles))
    try:
        crs = CRS.from_user_input(wanted)
    except CRSError:
        raise InputError(
            f"to_crs={wanted} is no reference system; give auto, or one such as EPSG:32633"
        ) from None
    if not crs.is_projected or crs.linear_units_factor[1] != 1.0:
        raise InputError(
            f"to_crs={wanted} is not in metres, and pixels of a scene are; give auto, or a "
            "reference system in metres such as EPSG:32633"
        )
    return crs


def _require_near(tiles: Sequence[Tile], crs: CRS) -> None:
    """Refuse a zone of UTM that lies far from the place; neighbouring zones are near."""
    zone = _zone_of(crs)
    if zone is None:
        return
    lon, lat = _middle(tiles)
    turn = abs((lon - (6 * int(zone[:-1]) - 183) + 180) % 360 - 180)
    across_km, north_km = turn * _DEGREE_KM * math.cos(math.radians(lat)), lat * _DEGREE_KM
    southern = zone.endswith("S")
    if turn >= 90 or across_km > _FAR_KM or (southern and north_km > _FAR_KM):
        raise InputError(
            f"{tiles[0].paths[0]} lies at {lon:.1f} east and {lat:.1f} north, far from the zone "
            f"{zone} of to_crs={name_of(crs)}; give the one that fits, "
            f"to_crs={name_of(utm_of(lon, lat))}"
        )


def _warped(tile: Tile, crs: CRS, pixel_m: float, corner: tuple[float, float]) -> Tile:
    """A tile on a grid of a reference system, whose bands keep their own."""
    from affine import Affine

    own = tile.grid
    west, south, east, north = _bounds(tile, crs)
    across = [math.floor((west - corner[0]) / pixel_m), math.ceil((east - corner[0]) / pixel_m)]
    down = [math.floor((corner[1] - north) / pixel_m), math.ceil((corner[1] - south) / pixel_m)]
    transform = Affine(
        pixel_m, 0, corner[0] + across[0] * pixel_m, 0, -pixel_m, corner[1] - down[0] * pixel_m
    )
    grid = Grid(crs, transform, down[1] - down[0], across[1] - across[0])
    _require_true(tile, grid)
    bands = {name: replace(band, grid=band.grid or own) for name, band in tile.bands.items()}
    width, height = own.pixel_size_m
    note = (
        f"warped from {name_of(own.crs)}, pixels of {width:.4g} x {height:.4g} m on the ground, to "
        f"{name_of(crs)}, {pixel_m:g} m, by cubic convolution"
    )
    return _noted(replace(tile, grid=grid, bands=bands), note)


def _bounds(tile: Tile, crs: CRS) -> np.ndarray:
    """West, south, east and north of a tile in another reference system."""
    from rasterio.warp import transform

    grid = tile.grid
    rows, cols = (np.linspace(0, size, _POINTS) - 0.5 for size in grid.shape)
    x, y = grid.xy(*np.meshgrid(rows, cols, indexing="ij"))
    x, y = (np.array(v) for v in transform(grid.crs, crs, x.ravel(), y.ravel()))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError(
            f"{tile.paths[0]} does not lie on the map of {name_of(crs)} as a whole; give another "
            "to_crs=, such as auto"
        )
    return np.array([x.min(), y.min(), x.max(), y.max()])


def _require_true(tile: Tile, grid: Grid) -> None:
    """Refuse a reference system whose metres are none at the place, such as Web Mercator's."""
    sides = np.array(grid.pixel_size_m) / grid.resolution[0]
    if (np.abs(sides - 1) > _TRUE).any():
        raise InputError(
            f"{tile.paths[0]}: a metre of {name_of(grid.crs)} is {sides[0]:.3g} x {sides[1]:.3g} m "
            "on the ground there; give to_crs=auto, or a reference system of that place"
        )


def _noted(tile: Tile, note: str) -> Tile:
    return replace(tile, notes=(*tile.notes, note))


def ground_pixel_m(grid: Grid) -> float:
    """Side of the square pixels that those of a grid become, metres.

    The root of a pixel's area on the ground; or 10, 20 or 60 where that, or the longer side, is so
    to 5 %: degrees that are 10 m at the equator are narrower elsewhere, and no finer.

    >>> from affine import Affine
    >>> from rasterio.crs import CRS
    >>> ground_pixel_m(Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13, 0, -9e-5, 52), 100, 100))
    10.0
    """
    sides = grid.pixel_size_m
    root = math.sqrt(sides[0] * sides[1])
    for side in (root, max(sides)):
        for usual in _USUAL_M:
            if abs(side / usual - 1) <= _NEAR:
                return usual
    return float(f"{root:.3g}")


def utm_of(lon: float, lat: float) -> CRS:
    """The zone of UTM of a place, WGS 84, as Sentinel-2's tiles are cut.

    South-western Norway belongs to zone 32, and Svalbard to 31, 33, 35 and 37.

    >>> [utm_of(*place).to_epsg() for place in ((13.4, 52.5), (5.3, 60.4), (-180, -17), (180, 65))]
    [32633, 32632, 32701, 32601]

    Raises
    ------
    InputError
        Beyond 84 degrees north and 80 degrees south.
    """
    from rasterio.crs import CRS

    if not _SOUTH <= lat <= _NORTH:
        near = "EPSG:3995" if lat > 0 else "EPSG:3031"
        raise InputError(
            f"the place lies at {lat:.2f} degrees north, where UTM has no zone (80 south to 84 "
            f"north); give a reference system of the pole, such as to_crs={near}"
        )
    lon = (lon + 180) % 360 - 180
    zone = int((lon + 180) // 6) + 1
    if 56 <= lat < 64 and 3 <= lon < 12:
        zone = 32
    elif lat >= 72 and 0 <= lon < 42:
        zone = 31 + 2 * int((lon + 3) // 12)
    return CRS.from_epsg((32_600 if lat >= 0 else 32_700) + zone)


def _middle(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Longitude and latitude of the middle of tiles, also across the 180th meridian."""
    from rasterio.warp import transform

    points = []
    for tile in tiles:
        west, south, east, north = tile.grid.bounds
        lon, lat = transform(tile.grid.crs, "EPSG:4326", [(west + east) / 2], [(south + north) / 2])
        points.append(np.radians([lon[0], lat[0]]))
    lon, lat = np.array(points).T
    x, y, z = (
        (np.cos(lat) * np.cos(lon)).sum(),
        (np.cos(lat) * np.sin(lon)).sum(),
        np.sin(lat).sum(),
    )
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _is_utm(crs: CRS) -> bool:
    """Whether a reference system is a zone of UTM, of WGS 84 or another datum."""
    return _zone_of(crs) is not None


def _zone_of(crs: CRS) -> str | None:
    """The zone of UTM that a reference system is, such as 33N; None for others."""
    import pyproj

    zone = pyproj.CRS.from_wkt(crs.to_wkt()).utm_zone
    return str(zone) if zone else None


def _square(grid: Grid) -> bool:
    width, height = grid.resolution
    return abs(width / height - 1) <= _SQUARE


def name_of(crs: CRS) -> str:
    """EPSG code of a reference system where it has one."""
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else str(crs.to_string())[:40]
