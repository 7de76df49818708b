"""Whether a raster's files are whole, asked before anything is read of them.

A window can be read of a file that breaks off behind it, and some formats give zeros for what is
missing. So the files themselves are asked, by their own structure, without decoding a pixel. What
has no such structure is read as it is.
"""

from __future__ import annotations

import gzip
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast
from xml.etree import ElementTree

import numpy as np

from landcover.errors import InputError, MissingProduct
from landcover.files import whole_jpeg2000, whole_others, whole_tiff
from landcover.files.raster_names import (
    RasterName,
    archive_member,
    file_of,
    raster_name,
    without_driver,
)

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

#: How formats begin, and what tells what a file of theirs lacks.
_FORMATS: dict[tuple[bytes, ...], Callable[[BinaryIO, int], str | None]] = {
    whole_jpeg2000.SIGNATURES: whole_jpeg2000.missing_part,
    whole_tiff.SIGNATURES: whole_tiff.missing_part,
    (whole_others.HDF5,): whole_others.missing_of_hdf5,
    (whole_others.SQLITE,): whole_others.missing_of_sqlite,
    (whole_others.IMAGINE,): whole_others.missing_of_imagine,
    whole_others.NETCDF: whole_others.missing_of_netcdf,
}
_MOST_MAGIC = 16
_VRT = b"<VRTDataset"
#: Drivers of plain pixels, whose file is as long as the header beside it says.
_PLAIN = ("ENVI", "EHdr", "RRASTER")
#: Sources of a VRT that are no local file: of the network, of memory, or of a driver's own.
_NO_FILE = re.compile(r"^(?:/vsi|<|[A-Za-z]\w+:)")
#: Addresses, and GDAL's names of files of the network.
_ELSEWHERE = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]+:/|/vsi(?!zip|tar|gzip|mem))")
_CHUNK = 2**20


def require_whole(name: RasterName) -> None:
    """Refuse a raster whose file is cut short; of a VRT, also one whose sources are.

    Raises
    ------
    MissingProduct
        If the file, or a source of a VRT, does not exist.
    InputError
        If it is not whole.
    """
    for part in _parts(name, set()):
        file = file_of(part)
        if _ELSEWHERE.match(without_driver(str(part))) and not os.path.exists(file):
            raise InputError(
                f"{part} is no file on this machine, and nothing is fetched from elsewhere; "
                "download it and give the file"
            )
        if not os.path.exists(file):  # False, too, for names that no file can have
            raise MissingProduct(
                f"{file} does not exist; check the path"
                if part == name
                else f"{name} is made of {file}, which does not exist; put it back or leave it out"
            )
        missing = _missing(part)
        if missing:
            whose = "it" if part == name else f"{part}, which it is made of,"
            raise InputError(
                f"{name} cannot be read as a raster: {whose} is damaged or truncated ({missing}); "
                "fetch or copy it again"
            )


def require_whole_parts(dataset: DatasetReader) -> None:
    """Refuse an open raster when a file is cut short that only GDAL knows of.

    These are overviews and masks beside it, images of a product, and plain pixels, whose length
    only their header tells.
    """
    for file in map(raster_name, dataset.files):
        missing = _missing(file) if file_of(file).is_file() else None
        if file == raster_name(dataset.files[0]) and dataset.driver in _PLAIN:
            missing = missing or _missing_of_plain(dataset, Path(file))
        if missing:
            raise InputError(
                f"{dataset.name} cannot be read as a raster: {file} is damaged or truncated "
                f"({missing}); fetch or copy it again"
            )


def is_tiff(name: RasterName) -> bool:
    """Whether a name is that of a TIFF on disk."""
    path = file_of(name)
    if archive_member(name) or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in whole_tiff.SIGNATURES


def _parts(name: RasterName, seen: set[RasterName]) -> Iterator[RasterName]:
    """A raster and what a VRT is made of, each once."""
    if name in seen:
        return
    seen.add(name)
    yield name
    for source in _sources(name):
        yield from _parts(source, seen)


def _sources(name: RasterName) -> list[RasterName]:
    """The local rasters that a VRT names; none of another raster."""
    path = file_of(name)
    if not path.is_file() or archive_member(name):
        return []
    with path.open("rb") as file:
        if not file.read(1024).lstrip().startswith(_VRT):
            return []
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return []  # GDAL says what is wrong with it
    sources: list[RasterName] = []
    for tag in ("SourceFilename", "SourceDataset"):
        for element in root.iter(tag):
            source = raster_name((element.text or "").strip())
            relative = element.get("relativeToVRT") == "1"
            if isinstance(source, Path) and not _NO_FILE.match(str(element.text)):
                sources.append(path.parent / source if relative else source)
            elif isinstance(source, str):
                sources.append(_beside(path, source) if relative else source)
    return sources


def _beside(vrt: Path, name: str) -> str:
    """GDAL's name of a raster in a file, which is named as it is seen from a VRT."""
    file = str(file_of(name))
    return name if archive_member(name) else name.replace(file, str(vrt.parent / file), 1)


def _missing(name: RasterName) -> str | None:
    """What the file of a raster lacks, in words; None where it is whole or cannot be asked."""
    member = archive_member(name)
    path = member[0] if member else file_of(name)
    if not path.is_file():
        return None
    state = path.stat()
    return _missing_of_file(
        str(path), member[1] if member else None, state.st_size, state.st_mtime_ns
    )


@lru_cache(maxsize=4096)
def _missing_of_file(path: str, member: str | None, size: int, _changed: int) -> str | None:
    """`_missing` of a file as it is now: a raster is opened many times."""
    if member is None:
        with Path(path).open("rb") as file:
            return _missing_of_bytes(file, size)
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            entry = archive.getinfo(member)
            with archive.open(entry) as content:
                while content.read(_CHUNK):  # to the end, where the checksum is compared
                    pass
            with archive.open(entry) as content:
                return _missing_of_bytes(content, entry.file_size)
    except (KeyError, NotImplementedError, RuntimeError):
        return None  # GDAL says what is wrong with it
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error, gzip.BadGzipFile) as error:
        return str(error) or "it breaks off"  # zipfile's EOFError says nothing


def _missing_of_bytes(file: IO[bytes], size: int) -> str | None:
    """What a file lacks, of the format that its first bytes tell."""
    if not size:
        return "it is empty"
    head = file.read(_MOST_MAGIC)
    for signatures, missing in _FORMATS.items():
        if head.startswith(signatures):
            return missing(cast(BinaryIO, file), size)
    return None


def _missing_of_plain(dataset: DatasetReader, path: Path) -> str | None:
    """What a file of plain pixels lacks."""
    if not path.is_file() or "NBITS" in dataset.tags(1, ns="IMAGE_STRUCTURE"):
        return None
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":  # compressed
            return None
    pixel = sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes)
    skipped = int(dataset.tags(ns="ENVI").get("header_offset", 0))
    needed = dataset.width * dataset.height * pixel + skipped
    size = path.stat().st_size
    return f"{needed - size:,} of its {needed:,} bytes are missing" if size < needed else None
