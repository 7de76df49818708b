"""Loose band files and stacked files as tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.sensors import SENSORS, SENTINEL2, Sensor
from landcover.sources.tile import Band, Tile, tile_of


def open_bands(
    paths: Sequence[str | Path],
    quantification: float | None = None,
    offset: float | None = None,
    band_names: Sequence[str] = (),
    sensor: str = SENTINEL2.name,
) -> list[Tile]:
    """Tiles from band files.

    A file of several bands is a tile of its own; files of one band are put
    together by the band in their names (``..._B02.jp2``, ``b2.tif``), by the
    names given, or, where neither says, as four files in the order blue, green,
    red, near-infrared: B02 B03 B04 B08. The second file of a band belongs to the
    second tile, and so on.

    Parameters
    ----------
    paths : sequence of path
        Raster files.
    quantification, offset : float, optional
        reflectance = (dn + offset) / quantification; the sensor's own by default.
    band_names : sequence of str
        Names of a stacked file's bands, where it does not hold them itself; or of
        single-band files, one a file.
    sensor : str
        Whose bands they are, of `sensors.SENSORS`.

    Returns
    -------
    list of Tile
        Bands by name, on one grid a tile; nothing is read yet but what files say of themselves.

    Raises
    ------
    MissingProduct
        If a file does not exist.
    LandcoverError
        If a band is missing or given twice for one tile, grids differ, or there is no such sensor.

    Examples
    --------
    >>> tiles = open_bands(["B02.tif", "B03.tif", "B04.tif", "B08.tif"], offset=-1000)
    >>> len(tiles), list(tiles[0].bands), tiles[0].grid.shape
    (1, ['B02', 'B03', 'B04', 'B08'], (60, 80))
    """
    if sensor not in SENSORS:
        raise LandcoverError(f"there is no sensor {sensor!r}; choose among {', '.join(SENSORS)}")
    of = SENSORS[sensor]
    quantification = of.quantification if quantification is None else quantification
    offset = of.offset if offset is None else offset
    files = [Path(path) for path in paths]
    counts = {path: len(rasters.band_names(path)) for path in files}
    groups: list[dict[str, tuple[Path, int]]] = [
        _stacked(path, band_names, of) for path in files if counts[path] > 1
    ]
    singles = [path for path in files if counts[path] == 1]
    groups += _grouped(singles, () if groups else band_names, of)
    return [
        tile_of({name: Band(*place, quantification, offset) for name, place in group.items()}, of)
        for group in groups
    ]


def _stacked(path: Path, band_names: Sequence[str], sensor: Sensor) -> dict[str, tuple[Path, int]]:
    """Bands of a stacked file by its own names, the names given, or the core order."""
    held = rasters.band_names(path)
    names: Sequence[str | None] = [sensor.band_of(name) for name in held]
    if band_names:
        if len(band_names) != len(held):
            raise LandcoverError(
                f"{path} has {len(held)} bands and band_names= gives {len(band_names)}; "
                "name every band, in order"
            )
        names = [sensor.band_of(name) for name in band_names]
    elif not any(names) and len(held) == len(sensor.core):
        names = list(sensor.core)
    return {name: (path, number) for number, name in enumerate(names, start=1) if name}


def _grouped(
    paths: Sequence[Path], band_names: Sequence[str], sensor: Sensor
) -> list[dict[str, tuple[Path, int]]]:
    """Single-band files as tiles; the k-th file of a band belongs to the k-th tile."""
    if band_names and len(band_names) != len(paths):
        raise LandcoverError(
            f"{len(paths)} single-band files were given and band_names= gives {len(band_names)}; "
            "name every file, in order"
        )
    core = sensor.core
    given = band_names or [path.stem for path in paths]
    said = [sensor.band_of(name) for name in given]
    names = [name for name in said if name is not None]
    if len(names) < len(said):
        in_order = all(name in (None, core) for name, core in zip(said, core, strict=False))
        if band_names or len(paths) != len(core) or not in_order:
            unnamed = next(path for path, name in zip(paths, said, strict=True) if name is None)
            raise LandcoverError(
                f"nothing says which band {unnamed.name} is; name files like {core[0]}.tif, give "
                f"band_names= like {core[0]}, or exactly four in the order {' '.join(core)}"
            )
        names = list(sensor.core)
    groups: list[dict[str, tuple[Path, int]]] = []
    for path, name in zip(paths, names, strict=True):
        group = next((group for group in groups if name not in group), None)
        if group is None:
            group = {}
            groups.append(group)
        group[name] = (path, 1)
    return groups
