"""Names of rasters: paths, and GDAL's own names of rasters inside of other files.

GDAL names a raster in a container ``netcdf:cube.nc:B02``, and one in an archive
``/vsizip/scene.zip/B02.tif``. They are no paths: ``Path`` would drop a slash of ``/vsizip//data``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

#: A path, or a name as GDAL gives it.
RasterName = str | Path

_ARCHIVES = (".zip", ".tar", ".tgz", ".gz")
_ARCHIVE = re.compile(r"^/vsi(?:zip|tar|gzip)/")
#: The drivers whose rasters in files have names; a page of a TIFF is named by its number before.
_IN_FILE = re.compile(
    r"^(?:netcdf|hdf4_\w+|hdf5|gpkg|zarr|sentinel2_l\w+|gtiff_dir(?::(?:off:)?\d+)?):",
    re.IGNORECASE,
)


def raster_name(text: RasterName) -> RasterName:
    """A path as ``Path``, and what GDAL names as it is.

    >>> raster_name("netcdf:data/cube.nc:B02")
    'netcdf:data/cube.nc:B02'
    >>> raster_name("/vsizip//data/scene.zip/B02.tif")
    '/vsizip//data/scene.zip/B02.tif'
    >>> raster_name("data/B02.tif").name
    'B02.tif'
    """
    own = isinstance(text, str) and (_ARCHIVE.match(text) or _IN_FILE.match(text))
    return text if own else Path(text)


def file_of(name: RasterName) -> Path:
    """The file on disk that holds a raster; where there is none, where it was looked for.

    >>> file_of("netcdf:data/cube.nc:B02").as_posix()
    'data/cube.nc'
    >>> file_of('HDF5:"data/cube.h5"://group/B02').as_posix()
    'data/cube.h5'
    >>> file_of("/vsizip/data/scene.zip/10m/B02.tif").as_posix()
    'data/scene.zip'
    """
    if isinstance(name, Path):
        return name
    inner = without_driver(name)
    if _ARCHIVE.match(inner):
        inner = _ARCHIVE.sub("", inner)
        places = [Path(inner[:end]) for end in _ends("/", inner)]
        archives = [path for path in places if path.suffix.lower() in _ARCHIVES]
        return next(filter(Path.is_file, places), archives[-1] if archives else places[0])
    places = [Path(inner[:end]) for end in (_ends(":", inner) if _IN_FILE.match(name) else [None])]
    return next((path for path in places if os.path.exists(path)), places[-1])


def archive_member(name: RasterName) -> tuple[Path, str] | None:
    """The archive and the member in it, of a name that speaks of one.

    >>> archive_member("/vsizip/data/scene.zip/10m/B02.tif")
    (PosixPath('data/scene.zip'), '10m/B02.tif')
    """
    if isinstance(name, Path) or not _ARCHIVE.match(without_driver(name)):
        return None
    inside = _ARCHIVE.sub("", without_driver(name))
    archive = file_of(name)
    return archive, inside.removeprefix(str(archive)).lstrip("/").split(":")[0]


def stem_of(name: RasterName) -> str:
    """What tells a raster from others of its kind: the stem of a file, or its name inside of one.

    >>> [stem_of(name) for name in ("a/B02.tif", "netcdf:a.nc:B03", "HDF5:a.h5://x/B04")]
    ['B02', 'B03', 'B04']
    """
    if isinstance(name, Path) or not _IN_FILE.match(name):
        return Path(name).stem
    return re.split(r"[:/]", name)[-1] or file_of(name).stem


def without_driver(name: str) -> str:
    """A name without the driver; of a quoted path, the path alone.

    >>> without_driver("netcdf:data/cube.nc:B02"), without_driver('HDF5:"data/cube.h5"://B02')
    ('data/cube.nc:B02', 'data/cube.h5')
    """
    inner = _IN_FILE.sub("", name)
    return inner.split('"')[1] if inner.startswith('"') and inner.count('"') > 1 else inner


def _ends(mark: str, text: str) -> list[int]:
    """Where the beginnings of a text end that a mark follows, the longest first."""
    marks = [found.start() for found in re.finditer(mark, text) if found.start() > 0]
    return [len(text), *reversed(marks)]
