"""Items of a catalogue brought to disk: a folder each, with the windows of an area and an item.

A folder ``DATE_ID`` holds a file a band (B02.tif, ..., SCL.tif) on the band's own lattice, and
item.json, a STAC item that `landcover.sources.stac.open_stac` reads. All bands of it cover the same
ground. A folder waits under a hidden name until all is whole, and the same request goes on there.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event

import numpy as np
from rasterio.dtypes import in_dtype_range

from landcover.errors import InputError, LandcoverError
from landcover.files import rasters, vectors
from landcover.files.atomic import Fields, read_json, short_digest, write_json
from landcover.files.checksums import Checksum
from landcover.files.download import Wanted
from landcover.files.http import Sign, Web, require_web, shown
from landcover.files.raster_writer import RasterWriter
from landcover.files.rasters import WINDOW_PX
from landcover.files.remote_rasters import RemoteRaster
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.sources.cloud_mask import SCL_EMPTY, SCL_HIDDEN, SCL_LAYER, SCL_STILL
from landcover.sources.online.catalogue import when
from landcover.sources.online.item_files import AssetFile, LeftOutError, files_of, folder_name
from landcover.stopwatch import spent

#: Name of the item in a folder; it is written last.
ITEM = "item.json"
#: Property of an item that tells the area it was fetched for.
AREA = "landcover:area"
#: Windows begin and end at multiples of this, so that bands of 10, 20 and 60 m cover the same.
_STEP_M = 60.0
#: Corners closer than this to an edge of a pixel lie on it.
_SNAP_PX = 0.01
#: More pixels of a band than this are no area of interest: a tile has 120 million at 10 m.
MOST_PIXELS = 400_000_000
#: Bands of an item that are read at once: servers answer late, and then fast.
_AT_ONCE = 4
#: What is known of a folder that is not whole yet.
_FACTS = "facts.json"
#: Shares are counted on so many pixels of a side.
_LOOK_PX = 1000
#: Classes of SCL of cloud and its shadow: shadow, cloud of medium and high probability, cirrus.
_CLOUDY = tuple(sorted({*SCL_HIDDEN} - {SCL_EMPTY, *SCL_STILL}))


@dataclass(frozen=True)
class Request:
    """What is fetched of every item.

    Attributes
    ----------
    area : path or (west, south, east, north)
        As `landcover.files.vectors.read_aoi` takes it.
    bands : tuple of str
        Names; an item without one of the first four of the sensor is left out.
    folder : path
        Where the folders of the items are put.
    """

    area: str | Path | Sequence[float]
    bands: tuple[str, ...]
    folder: Path

    @cached_property
    def digest(self) -> str:
        """`area_digest` of its area."""
        return area_digest(self.area)


@dataclass
class Fetched:
    """An item whose bands are on disk.

    Attributes
    ----------
    item : dict
        As the catalogue gives it.
    folder : path
        Where it is going to be, or is.
    waiting : path
        Where files are until the item is written.
    files : dict of AssetFile
        By band.
    valid, cloudy : float or None
        Shares of the area's window: with data, and of these cloud or shadow by SCL.
    came : int
        Bands that were read now; the others were there.
    """

    item: Fields
    folder: Path
    waiting: Path
    files: dict[str, AssetFile]
    valid: float = 0.0
    cloudy: float | None = None
    came: int = 0

    @property
    def day(self) -> str:
        """When it was taken."""
        return when(self.item)[:10]

    @property
    def bands(self) -> list[str]:
        """Its bands of reflectance, all but SCL."""
        return [name for name in self.files if name != SCL_LAYER]

    @property
    def system(self) -> str:
        """The reference system of its bands."""
        return rasters.grid_of(self.path(next(iter(self.files)))).crs.to_string()

    def path(self, name: str) -> Path:
        """The file of a band, where it is now."""
        path = self.waiting / f"{name}.tif"
        return path if path.exists() else self.folder / path.name


class StoppedError(Exception):
    """A band that is not read on, since another one failed."""


def fetch_item(
    web: Web, item: Fields, request: Request, sign: Sign | None = None, shows: bool = False
) -> Fetched:
    """The bands of an item on disk, in the folder where they wait.

    Parameters
    ----------
    web : Web
        The session.
    item : dict
        As the catalogue gives it.
    request : Request
        What to fetch.
    sign : function, optional
        Signs addresses.
    shows : bool
        Whether to show a bar of its bands.

    Raises
    ------
    LeftOutError
        If the item does not hold what is wanted.
    LandcoverError
        If a server fails, or a file is not what was said.
    """
    files = files_of(item, request.bands)
    folder = request.folder / folder_name(item)
    waiting = folder.with_name(f".{folder.name}.part")
    there = whole_files(folder, request.digest)
    found = Fetched(item, folder, waiting, files)
    open_ones = [file for name, file in files.items() if name not in there]
    if open_ones:
        hrefs = {name: shown(file.href) for name, file in files.items()}
        _begin(waiting, {"area": request.digest, "hrefs": hrefs})
        open_ones = [file for file in open_ones if not (waiting / f"{file.name}.tif").exists()]
    if open_ones:
        with RemoteRaster(
            web, _wanted(files, next(iter(files)), sign), waiting, keep=True
        ) as raster:
            bounds = _bounds(raster.grid, request.area)
        wanted = [_wanted(files, file.name, sign) for file in open_ones]
        _fetch_bands(web, wanted, open_ones, bounds, waiting, shows)
    found.came = len(open_ones)
    found.valid, found.cloudy = _shares(found)
    if not found.valid:
        shutil.rmtree(waiting, ignore_errors=True)
        raise LeftOutError("has no data in the area")
    return found


def area_digest(area: str | Path | Sequence[float]) -> str:
    """What tells one area from another, however it was given."""
    return short_digest(vectors.area_in_degrees(area).wkb)


def whole_files(folder: Path, area: str) -> set[str]:
    """Bands of a folder that are there whole; none where there is no such folder.

    Raises
    ------
    InputError
        If it was fetched for another area.
    """
    if not (folder / ITEM).exists():
        return set()
    item = read_json(folder / ITEM)
    if item.get("properties", {}).get(AREA) != area:
        raise InputError(
            f"{folder} holds another area, or was not fetched; choose another folder with out=, or "
            "remove it"
        )
    return {
        name
        for name, asset in item.get("assets", {}).items()
        if _is_whole(folder / f"{name}.tif", asset)
    }


def _is_whole(path: Path, asset: Fields) -> bool:
    checksum = Checksum.of_multihash(str(asset.get("file:checksum", "")))
    good = path.is_file() and path.stat().st_size == asset.get("file:size")
    return good and checksum is not None and checksum.of_file(path) == checksum.digest


def _begin(waiting: Path, facts: Fields) -> None:
    """The folder that an item waits in; what is there of another request is removed."""
    path = waiting / _FACTS
    try:
        same = path.exists() and read_json(path) == facts
    except LandcoverError:
        same = False
    if not same:
        shutil.rmtree(waiting, ignore_errors=True)
        write_json(path, facts)


def _wanted(files: dict[str, AssetFile], name: str, sign: Sign | None) -> Wanted:
    file = files[name]
    return Wanted(require_web(file.href, f"asset {file.asset}"), file.size, file.checksum, sign)


def _bounds(grid: Grid, area: str | Path | Sequence[float]) -> tuple[float, float, float, float]:
    """The ground to fetch: what lies of an area on a grid, in steps that all bands have."""
    try:
        geometry = vectors.read_aoi(area, grid)
        window = vectors.aoi_window(geometry, grid)
    except InputError as error:
        raise LeftOutError(f"does not reach the area ({error})") from None
    if window.rows * window.cols > MOST_PIXELS:
        raise InputError(
            f"the area is of {window.rows:,} x {window.cols:,} pixels, and at most "
            f"{MOST_PIXELS:,} are fetched of a band; give a smaller one"
        )
    step = _STEP_M / grid.resolution[0]
    step = round(step) if grid.crs.is_projected and step >= 1 and step == round(step) else 1
    first_row, first_col = (start // step * step for start in (window.row, window.col))
    rows = min(-(-(window.row + window.rows) // step) * step, grid.rows) - first_row
    cols = min(-(-(window.col + window.cols) // step) * step, grid.cols) - first_col
    return grid.crop(Window(first_row, first_col, rows, cols)).bounds


def _fetch_bands(
    web: Web,
    wanted: Sequence[Wanted],
    files: Sequence[AssetFile],
    bounds: tuple[float, float, float, float],
    waiting: Path,
    shows: bool,
) -> None:
    """Fetch several bands at once, with a bar where the item `shows` one; an error ends all."""
    stop = Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tasks = [
            pool.submit(_fetch_band, web, one, file, bounds, waiting, stop)
            for one, file in zip(wanted, files, strict=True)
        ]
        done = as_completed(tasks)
        try:
            with spent("reading"):
                for task in track(done, "fetching bands", len(tasks)) if shows else done:
                    task.result()
        except BaseException:  # also when somebody stops the command
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch_band(
    web: Web,
    wanted: Wanted,
    file: AssetFile,
    bounds: tuple[float, float, float, float],
    waiting: Path,
    stop: Event,
) -> None:
    """Write the window of one band, unless it is to stop."""
    with RemoteRaster(web, wanted, waiting) as raster:
        window = _window(raster.grid, bounds, wanted.url)
        nodata = next((n for n in (raster.nodata, file.nodata) if n is not None), 0)
        if not in_dtype_range(nodata, raster.dtype.name):
            nodata = 0
        grid = raster.grid.crop(window)
        with RasterWriter(
            waiting / f"{file.name}.tif", grid, raster.dtype, [file.name], nodata
        ) as out:
            for part in grid.windows(WINDOW_PX):
                if stop.is_set():
                    raise StoppedError
                there = Window(window.row + part.row, window.col + part.col, part.rows, part.cols)
                out.write(raster.read(there), part)


def _window(grid: Grid, bounds: tuple[float, float, float, float], url: str) -> Window:
    """The pixels of a band that some ground touches.

    Bands of a tile end together. Those of a part of one may lack a pixel at an edge.

    Raises
    ------
    InputError
        If more of the ground is missing.
    """
    west, south, east, north = bounds
    width, height = grid.resolution
    first = np.array([(grid.transform.f - north) / height, (west - grid.transform.c) / width])
    end = np.array([(grid.transform.f - south) / height, (east - grid.transform.c) / width])
    if (first <= -1).any() or (end >= np.array(grid.shape) + 1).any():
        raise InputError(
            f"{shown(url)} does not cover the ground of the item's first band; the item is wrong"
        )
    row, col = np.maximum(np.floor(first + _SNAP_PX), 0).astype(int).tolist()
    end_row, end_col = np.minimum(np.ceil(end - _SNAP_PX), grid.shape).astype(int).tolist()
    return Window(row, col, end_row - row, end_col - col)


def _shares(found: Fetched) -> tuple[float, float | None]:
    """Shares of pixels with data, and of these cloud or shadow."""
    seen = thinned(found.path(found.bands[0])) != 0
    cloudy = None
    if SCL_LAYER in found.files:
        classes = thinned(found.path(SCL_LAYER))
        covered = classes != 0
        cloudy = float(np.isin(classes[covered], _CLOUDY).mean()) if covered.any() else None
    return float(seen.mean()), cloudy


def thinned(path: Path) -> np.ndarray:
    """Pixels (rows, cols) of a band, thinned and not averaged; 0 where there is no data."""
    pixels = rasters.read_small(path, _LOOK_PX, [1], average=False)[0]
    return np.nan_to_num(pixels, copy=False, nan=0)
