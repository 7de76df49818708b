"""EuroSAT and BigEarthNet as their authors publish them on Zenodo: which files, and fetching them.

Sizes and checksums are those that Zenodo's record gives when it is asked.

EuroSAT: record 7711810 (Helber et al.). BigEarthNet v2, reBEN: record 10891137 (Clasen et al.).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from landcover.errors import InputError, LandcoverError
from landcover.files.checksums import Checksum
from landcover.files.download import Wanted, came_before, download, is_whole
from landcover.files.http import Web, require_web

#: Where records are asked for: their numbers are put after it.
ZENODO = "https://zenodo.org/api/records"


@dataclass(frozen=True)
class Archive:
    """A published data set.

    Attributes
    ----------
    name, title : str
        Of the data set.
    record : str
        Its number at Zenodo.
    usual : tuple of str
        Files that landcover reads, fetched unless others are named.
    """

    name: str
    title: str
    record: str
    usual: tuple[str, ...]


ARCHIVES = {
    archive.name: archive
    for archive in (
        Archive("eurosat", "EuroSAT", "7711810", ("EuroSAT_RGB.zip", "EuroSAT_MS.zip")),
        Archive(
            "bigearthnet",
            "BigEarthNet v2",
            "10891137",
            ("BigEarthNet-S2.tar.zst", "Reference_Maps.tar.zst", "metadata.parquet"),
        ),
    )
}


@dataclass(frozen=True)
class PublishedFile:
    """A file of a record.

    Attributes
    ----------
    name : str
        Of the file.
    wanted : Wanted
        Its address, size and checksum.
    """

    name: str
    wanted: Wanted


def published_files(web: Web, archive: Archive, records: str = ZENODO) -> list[PublishedFile]:
    """The files of a data set, with the sizes and checksums that its record gives.

    Parameters
    ----------
    web : Web
        The session.
    archive : Archive
        Which data set.
    records : str
        Where records are asked for; another address serves copies and tests.

    Raises
    ------
    LandcoverError
        If the record cannot be had, or is none.
    """
    address = f"{require_web(records, 'records').rstrip('/')}/{archive.record}"
    record = web.json(address)
    listed = record.get("files") if isinstance(record, dict) else None
    try:
        found = [_file(address, entry) for entry in listed or []]
    except (KeyError, TypeError, ValueError, AttributeError):
        found = []
    if not found:
        raise InputError(f"{address} is no record of Zenodo with files; check the address")
    return found


def _file(address: str, entry: dict) -> PublishedFile:
    name = PurePosixPath(str(entry["key"])).name  # never a way out of the folder
    if not name or name.startswith("."):
        raise ValueError(name)
    checksum = Checksum.of_text(str(entry.get("checksum", "")))
    links = entry.get("links") or {}
    url = links.get("content") or links.get("self") or f"{address}/files/{name}/content"
    return PublishedFile(name, Wanted(require_web(url, address), int(entry["size"]), checksum))


def chosen(
    archive: Archive, published: Sequence[PublishedFile], names: Sequence[str] = ()
) -> list[PublishedFile]:
    """The files named, or those that landcover reads.

    Raises
    ------
    InputError
        If the record has no file of a name.
    """
    by_name = {file.name: file for file in published}
    missing = [name for name in names or archive.usual if name not in by_name]
    if missing:
        raise InputError(
            f"record {archive.record} of {archive.title} has no file {' '.join(missing)}; it has "
            f"{' '.join(by_name)}"
        )
    return [by_name[name] for name in names or archive.usual]


def fetch_files(web: Web, files: Sequence[PublishedFile], folder: Path) -> list[Path]:
    """Fetch files into a folder, each whole and checked; what is there whole stays.

    Raises
    ------
    LandcoverError
        If the disk has no room for all of them, or of `landcover.files.download.download`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    open_ones = [file for file in files if not is_whole(folder / file.name, file.wanted)]
    needed = sum(
        (file.wanted.size or 0) - came_before(folder / file.name, file.wanted) for file in open_ones
    )
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LandcoverError(
            f"{len(open_ones)} files need {needed / 1e9:.2f} GB and {folder} has {free / 1e9:.2f} "
            "GB free; make room, or name fewer with files="
        )
    for file in open_ones:
        download(web, file.wanted, folder / file.name)
    return [folder / file.name for file in files]
