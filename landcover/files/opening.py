"""Rasters opened for reading: whole, with bands, and so that no error of GDAL's is lost.

GDAL decodes several blocks of a JPEG 2000 file in threads of its own, and what goes wrong in them
is lost: a damaged file gives pixels that it does not hold. So a file is read by one thread,
whatever GDAL_NUM_THREADS says, and several files are read at once. TIFFs are not concerned.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar
from zipfile import is_zipfile

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from landcover.errors import InputError, LandcoverError
from landcover.files.raster_names import RasterName
from landcover.files.wholeness import is_tiff, require_whole, require_whole_parts
from landcover.stopwatch import spent

# GDAL's block cache is a share of the machine's memory unless told otherwise, far more than
# windows need. GDAL reads these from the environment, where a user's own setting wins.
CACHE_MIB = 128
os.environ.setdefault("GDAL_CACHEMAX", str(CACHE_MIB))
# Errors reach us as exceptions; what GDAL's own threads print beside them would bury our line.
os.environ.setdefault("CPL_LOG", os.devnull)

#: Threads that TIFFs are read and written with, as GDAL counts them: a user's own setting wins.
THREADS = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")

#: What GDAL is told while it reads. rasterio sets it for the thread, or from the main thread for
#: all that set nothing else; so it is set around every read, not once. A VRT has its own number.
_ONE_THREAD = {"GDAL_NUM_THREADS": 1, "VRT_NUM_THREADS": 1}

_MOST_SHOWN = 8

Dataset: TypeAlias = DatasetReader | WarpedVRT
Found = TypeVar("Found")


def threads() -> int:
    """Files to read at once."""
    return max(1, int(THREADS)) if THREADS.isdecimal() else os.cpu_count() or 1


@contextmanager
def reading(name: RasterName) -> Iterator[None]:
    """Read inside with one thread; whatever GDAL makes of damaged bytes is one line with a name.

    Raises
    ------
    InputError
        That names the raster, for every error inside.
    """
    try:
        with spent("reading"), rasterio.Env(**_ONE_THREAD):
            yield
    except LandcoverError:
        raise
    except Exception as error:  # GDAL's errors share no public base class
        raise InputError(
            f"{name} cannot be read as a raster ({root_cause(error)}); "
            "it may be truncated or of another kind: fetch it again, or save it as GeoTIFF"
        ) from error


def read_at_once(reads: Sequence[tuple[Dataset, Callable[[], Found]]]) -> list[Found]:
    """What several reads of open datasets give, in order.

    Several files are read at the same time, and each of them by one thread at a time.

    Parameters
    ----------
    reads : sequence of (dataset, function)
        A function reads the dataset beside it, and no other; a dataset may occur several times.

    Raises
    ------
    InputError
        Of the first file that cannot be read, which it names.

    Examples
    --------
    >>> from functools import partial
    >>> from landcover.files.rasters import open_raster, read_window
    >>> with open_raster("B02.tif") as blue, open_raster("B03.tif") as green:
    ...     images = read_at_once([(file, partial(read_window, file)) for file in (blue, green)])
    >>> [image.shape for image in images]
    [(1, 60, 80), (1, 60, 80)]
    """
    by_file: dict[int, list[int]] = {}
    for number, (dataset, _) in enumerate(reads):
        by_file.setdefault(id(getattr(dataset, "src_dataset", dataset)), []).append(number)

    def read_file(numbers: list[int]) -> list[Found]:
        return [reads[number][1]() for number in numbers]

    found: dict[int, Found] = {}
    with spent("reading"), ThreadPoolExecutor(max(1, min(len(by_file), threads()))) as pool:
        for numbers, values in zip(
            by_file.values(), pool.map(read_file, by_file.values()), strict=True
        ):
            found |= zip(numbers, values, strict=True)
    return [found[number] for number in range(len(reads))]


def open_dataset(name: RasterName) -> DatasetReader:
    """A dataset of bands, whose files are whole; to be closed by the caller."""
    require_whole(name)
    options = {"num_threads": THREADS} if is_tiff(name) else {}
    if isinstance(name, Path) and name.is_dir() and not _is_known(name):
        what = (
            "is a product; give it with product="
            if any(name.glob("*MTD_MSIL*.xml")) or any(name.glob("S2*_MTD_SAFL*.xml"))
            else "is a folder and no raster; give its files, or with product= a folder that holds "
            "MTD_MSIL1C.xml or MTD_MSIL2A.xml"
        )
        raise InputError(f"{name} {what}")
    if isinstance(name, Path) and _is_archive(name):
        raise InputError(
            f"{name} is a zip archive and no raster; give a product with product=, and a raster "
            f"in it by a name such as /vsizip/{name}/B02.tif"
        )
    with reading(name), warnings.catch_warnings():
        # A raster without a CRS is refused, with an error of ours, where its grid is needed
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(name, **options)
        except rasterio.RasterioIOError:
            _require_no_features(name)
            raise
        try:
            _require_bands(dataset)
            _require_facts(dataset)
            require_whole_parts(dataset)
        except BaseException:
            dataset.close()
            raise
    return dataset


def _is_archive(path: Path) -> bool:
    """Whether a file is a zip archive that GDAL opens by a longer name; not one of SRTM's tiles."""
    name = path.name.lower()
    return name.endswith(".zip") and not name.endswith(".hgt.zip") and is_zipfile(path)


def _is_known(folder: Path) -> bool:
    """Whether a folder is a raster to GDAL, as those of Zarr are."""
    try:
        with rasterio.open(folder):
            return True
    except RasterioIOError:
        return False


class VectorDataError(InputError):
    """Vector data where a raster is wanted."""


def _require_no_features(name: RasterName) -> None:
    """Refuse vector data by what it is; nothing where a file is of no kind that is known."""
    import pyogrio

    try:
        layers = [layer for layer, kind in pyogrio.list_layers(name) if kind is not None]
    except Exception:  # of damaged files, the library raises what it likes
        return
    if layers:
        raise VectorDataError(
            f"{name} is vector data (layer {', '.join(layers[:_MOST_SHOWN])}) and no raster; give "
            "a raster here"
        )


def _require_bands(dataset: DatasetReader) -> None:
    """Refuse complex numbers, and a container, whose rasters have names of their own.

    A TIFF of several pages is a container.
    """
    held = list(dataset.subdatasets)
    pages = dataset.driver == "GTiff" and not dataset.name.lower().startswith("gtiff_dir:")
    if dataset.count and not (pages and held):
        require_real(dataset, dataset.name)
        return
    if dataset.count:
        raise InputError(
            f"{dataset.name} is a TIFF of {len(held)} pages, each a raster of its own: "
            f"{_shown(held)}; give the wanted ones by these names in its place"
        )
    if not held:
        raise InputError(
            f"{dataset.name} holds no bands ({dataset.driver}); give a raster of one band or more"
        )
    raise InputError(
        f"{dataset.name} holds {len(held)} rasters and no bands of its own: "
        f"{_shown(sorted(held))}; give the wanted ones by these names in its place"
    )


def _require_facts(dataset: DatasetReader) -> None:
    """Read once what the header says beside the pixels, so that its damage is found here.

    GDAL keeps some errors of a damaged header until one of these is asked for.
    """
    bands = [(dataset.tags(band), dataset.tags(band, ns="IMAGERY")) for band in dataset.indexes]
    _ = (dataset.tags(), dataset.colorinterp, dataset.mask_flag_enums, dataset.nodatavals, bands)
    _ = (dataset.scales, dataset.offsets, dataset.descriptions, dataset.units, dataset.gcps)


def require_real(dataset: DatasetReader, called: str) -> None:
    """Raise InputError for complex numbers; NumPy has no type for those of integers."""
    for dtype in dataset.dtypes:
        if dtype.startswith("complex"):
            raise InputError(
                f"{called} holds complex numbers ({dtype}), as of radar; give a raster of real "
                "numbers"
            )


def _shown(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return f"{', '.join(names[:_MOST_SHOWN])}{more}"


def root_cause(error: BaseException) -> str:
    """The deepest cause, which is where GDAL says what happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
