"""Files below a folder or in a zip archive, read in place: nothing is unpacked.

An archive is looked at before it is used. What is refused is of no well-meant archive: paths that
lead out of it, links, sizes that a few bytes unpack to, files that lie on one another.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landcover.errors import InputError, MissingProduct, reading_error
from landcover.files.raster_names import RasterName

#: Files that an archive may hold: a product of many granules has a few thousand.
MOST_MEMBERS = 100_000
#: A file of more bytes than `FEW_BYTES` that is packed to less than a part of this is no data.
MOST_PACKED, FEW_BYTES = 200, 2**24
_ABSOLUTE = re.compile(r"^(?:[/\\]|[A-Za-z]:)")
#: What macOS writes beside a file on disks of other systems, and into archives; no file of its own.
_MACOS = "._"


@dataclass(frozen=True)
class Members:
    """Files of a folder or of an archive.

    Attributes
    ----------
    path : Path
        The folder or the archive.
    names : tuple of str
        Of files, with ``/`` between folders, sorted.
    packed : bool
        Whether `path` is a zip archive.
    """

    path: Path
    names: tuple[str, ...]
    packed: bool

    def called(self, name: str) -> str:
        """What errors call a file."""
        return f"{name} in {self.path}" if self.packed else str(self.path / name)

    def raster(self, name: str) -> RasterName:
        """A name that opens a file as a raster, where it lies."""
        return f"/vsizip/{self.path}/{name}" if self.packed else self.path / name

    def read(self, name: str, most_bytes: int, remedy: str) -> bytes:
        """The bytes of a file.

        Raises
        ------
        InputError
            If it cannot be read, or is larger than `most_bytes`.
        """
        try:
            if self.packed:
                with zipfile.ZipFile(self.path) as archive, archive.open(name) as file:
                    content = file.read(most_bytes + 1)
            else:
                with (self.path / name).open("rb") as file:
                    content = file.read(most_bytes + 1)
        # RuntimeError, NotImplementedError: a compression that Python does not know
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{self.called(name)} cannot be read ({error}); {remedy}") from None
        if len(content) > most_bytes:
            raise InputError(
                f"{self.called(name)} has more than {most_bytes:,} bytes, which none of its kind "
                f"has; {remedy}"
            )
        return content


def members_of(path: Path, remedy: str) -> Members:
    """The files below a folder, or in a zip archive that is safe to use.

    Parameters
    ----------
    path : path
        Folder or zip archive.
    remedy : str
        What to do where an archive is refused, for the message.

    Raises
    ------
    MissingProduct, InputError
        If there is no such path, or an archive is damaged, encrypted, or not safe.
    """
    if path.is_dir():
        names = (
            file.relative_to(path).as_posix()
            for file in path.rglob("*")
            if file.is_file() and not file.name.startswith(_MACOS)
        )
        return Members(path, tuple(sorted(names)), packed=False)
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; check the path")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise reading_error(error)(f"{path} is no whole zip archive ({error}); {remedy}") from None
    _require_safe(path, entries, remedy)
    names = (entry.filename for entry in entries)
    own = (name for name in names if not name.rpartition("/")[2].startswith(_MACOS))
    return Members(path, tuple(sorted(own)), packed=True)


def _require_safe(path: Path, entries: Sequence[zipfile.ZipInfo], remedy: str) -> None:
    """Raise InputError for an archive that is not what somebody packed to be read."""
    if len(entries) > MOST_MEMBERS:
        raise InputError(
            f"{path} holds {len(entries):,} files, and a product has at most {MOST_MEMBERS:,}; "
            f"{remedy}"
        )
    for entry in entries:
        for is_wrong, what in _WRONG.items():
            if is_wrong(entry):
                raise InputError(f"{path} holds {entry.filename!r}, {what}; {remedy}")
    twice, times = (
        Counter(entry.filename for entry in entries).most_common(1)[0] if entries else ("", 0)
    )
    if times > 1:
        raise InputError(f"{path} holds {twice!r} {times} times; {remedy}")
    packed, held = sum(entry.compress_size for entry in entries), path.stat().st_size
    if packed > held:
        raise InputError(
            f"{path} has {held:,} bytes and its files would have {packed:,}, packed: they lie on "
            f"one another; {remedy}"
        )


def _leads_out(entry: zipfile.ZipInfo) -> bool:
    parts = re.split(r"[/\\]", entry.orig_filename)
    return bool(_ABSOLUTE.match(entry.orig_filename)) or ".." in parts


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > FEW_BYTES and entry.file_size > MOST_PACKED * max(
        1, entry.compress_size
    )


#: What no file of an archive may be, and what is said of it.
_WRONG: dict[Callable[[zipfile.ZipInfo], bool], str] = {
    _leads_out: "a path that leads out of the archive",
    lambda entry: stat.S_ISLNK(entry.external_attr >> 16): "a link",
    lambda entry: bool(entry.flag_bits & 0x1): "which is encrypted",
    _is_bomb: f"which would unpack to over {MOST_PACKED} times its size",
    lambda entry: entry.filename.lower().endswith(".zip"): "an archive in the archive",
    lambda entry: (
        "\\" in entry.filename
    ): "with backslashes between folders, which GDAL cannot read",
}
