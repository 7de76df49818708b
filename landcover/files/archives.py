"""Files of a folder or of a zip archive, read in the same way and without unpacking."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from landcover.errors import InputError, reading_error

#: A member's name to its bytes.
Fetch = Callable[[str], bytes]


def open_members(path: Path, most_bytes: int, remedy: str) -> tuple[list[str], Fetch]:
    """Names of all files below a folder or in a zip archive, and a function that reads one.

    An archive stays open as long as the function is in use.

    Parameters
    ----------
    path : path
        Folder or zip archive.
    most_bytes : int
        A larger file is read up to one byte more, by which the caller knows it.
    remedy : str
        What to do when `path` is no whole archive, for the message.

    Raises
    ------
    InputError, MissingProduct
        If a file is no whole archive; the function raises it if a member cannot be read.
    """
    return _folder(path, most_bytes) if path.is_dir() else _archive(path, most_bytes, remedy)


def _folder(root: Path, most_bytes: int) -> tuple[list[str], Fetch]:
    def fetch(member: str) -> bytes:
        try:
            with (root / member).open("rb") as file:
                return file.read(most_bytes + 1)
        except OSError as error:
            raise reading_error(error)(
                f"{root / member} cannot be read ({error.strerror})"
            ) from None

    return [path.relative_to(root).as_posix() for path in root.rglob("*")], fetch


def _archive(path: Path, most_bytes: int, remedy: str) -> tuple[list[str], Fetch]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise reading_error(error)(f"{path} is no whole zip archive ({error}); {remedy}") from None

    def fetch(member: str) -> bytes:
        try:
            with archive.open(member) as file:
                return file.read(most_bytes + 1)
        # RuntimeError: an encrypted member, or a compression that Python does not know
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(
                f"{member} in {path} cannot be read ({error}); fetch the archive again"
            ) from None

    return archive.namelist(), fetch
