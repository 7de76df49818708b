"""Whole files from a server: they go on where they broke off, and are checked before they appear.

What has come lies in a hidden file beside the place of the whole one, with a note of which version
of the server's file it is. The next attempt asks for the rest of that version alone (RFC 9110,
Range and If-Range).
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError, LandcoverError
from landcover.files.atomic import Fields, read_json, write_json
from landcover.files.checksums import Checksum
from landcover.files.http import TRIES, Sign, Web, WebError, pause, require_web, shown
from landcover.progress import track
from landcover.stopwatch import spent

if TYPE_CHECKING:
    import requests

#: Bytes that are taken at a time, and lost where an answer breaks off; progress counts these.
CHUNK = 1 << 16
#: More than any archive here; what a server sends beyond is not kept.
MOST_BYTES = 1 << 40
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Wanted:
    """A file on a server, and what is known of it beforehand.

    Attributes
    ----------
    url : str
        Of HTTP.
    size : int, optional
        Bytes.
    checksum : Checksum, optional
        Of the whole.
    sign : function, optional
        Signs the address.
    """

    url: str
    size: int | None = None
    checksum: Checksum | None = None
    sign: Sign | None = None


def download(web: Web, wanted: Wanted, path: Path) -> Path:
    """A file from a server, whole and checked, or not there at all.

    A file that is there already, of the size and checksum wanted, is kept.

    Parameters
    ----------
    web : Web
        The session.
    wanted : Wanted
        What to fetch.
    path : path
        Where the file will be.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If size or checksum are not as wanted; what came is removed.
    LandcoverError
        If the server fails again and again (`WebError`), or the disk is full. What came is kept for
        the next attempt.
    """
    require_web(wanted.url, "what is to be fetched")
    if is_whole(path, wanted):
        return path
    part = _Part(path, wanted)
    part.path.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while True:
        before = part.size()
        try:
            with spent("reading"):
                _go_on(web, wanted, part)
            break
        except _BrokeOffError as error:
            failures = 1 if part.size() > before else failures + 1
            if failures >= TRIES:
                raise WebError(
                    f"{shown(wanted.url)} breaks off after {part.size():,} bytes ({error}); the "
                    "same command goes on from there"
                ) from None
            pause(failures)
        except OSError as error:
            raise _full(path, error) from error
    if wanted.checksum:
        try:
            wanted.checksum.require(part.path, shown(wanted.url))
        except InputError:
            part.remove()
            raise
    os.replace(part.path, path)
    part.remove()  # the note
    return path


def came_before(path: Path, wanted: Wanted) -> int:
    """Bytes of a file that have come in an earlier attempt, beside the place of the whole one."""
    return _Part(path, wanted).size()


def is_whole(path: Path, wanted: Wanted) -> bool:
    """Whether a file is there, of the size and checksum wanted."""
    if not path.is_file() or wanted.size not in (None, path.stat().st_size):
        return False
    return not wanted.checksum or wanted.checksum.of_file(path) == wanted.checksum.digest


class _BrokeOffError(Exception):
    """An answer that ended too early."""


class _Part:
    """What has come of a file, and of which version of it."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path = path.with_name(f".{path.name}.part")
        self._note = path.with_name(f".{path.name}.part.json")
        self._wanted = wanted

    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> str | None:
        """What tells the version that was begun; "" where only the checksum can; None for none."""
        try:
            note: Fields = read_json(self._note)
        except LandcoverError:
            return None
        if note.get("url") != shown(self._wanted.url):
            return None
        return note.get("version") or ("" if self._wanted.checksum else None)

    def begin(self, version: str | None) -> None:
        """Start over, with a version."""
        self.path.write_bytes(b"")
        write_json(self._note, {"url": shown(self._wanted.url), "version": version})

    def remove(self) -> None:
        """Forget all."""
        for path in (self.path, self._note):
            with suppress(OSError):
                path.unlink()


def _go_on(web: Web, wanted: Wanted, part: _Part) -> None:
    """Ask for what is missing, and write it; _BrokeOffError where the answer ends too early."""
    import requests

    start, version = part.size(), part.version()
    headers = {}
    if start and version is not None:
        headers = {"Range": f"bytes={start}-"} | ({"If-Range": version} if version else {})
    with web.get(wanted.url, headers, wanted.sign) as answer:
        coded = bool(answer.headers.get("Content-Encoding"))
        first, total = _place(answer, start if headers else 0)
        if answer.status_code == 416:
            if total == start:
                return
            part.remove()
            raise _BrokeOffError("it has become shorter")
        if answer.status_code == 206 and not _goes_on(answer, first, start, version):
            part.remove()
            raise _BrokeOffError("other bytes came than were asked for")
        _require_size(wanted, None if coded else total, part)
        if not start or answer.status_code != 206:
            part.begin(None if coded else _version(answer))
            first = 0
        try:
            _write(answer, part, wanted, first, None if coded else total)
        except (requests.RequestException, EOFError) as error:
            if coded:  # a place in what is unpacked cannot be asked for
                part.remove()
            raise _BrokeOffError(_reason(error)) from None
    came = part.size()
    if not coded and total is not None and came < total:
        raise _BrokeOffError(f"{total:,} bytes were announced")
    if wanted.size is not None and came != wanted.size:
        part.remove()
        raise _other_size(wanted, came)


def _write(
    answer: requests.Response, part: _Part, wanted: Wanted, first: int, total: int | None
) -> None:
    """Append what comes, up to the size that it may have."""
    expected = wanted.size or total
    _require_room(part, wanted, (expected or 0) - first)
    most = expected or MOST_BYTES
    chunks = None if expected is None else -(-(expected - first) // CHUNK)
    name = part.path.name.removeprefix(".").removesuffix(".part")
    came = first
    with part.path.open("ab") as file:
        for chunk in track(answer.iter_content(CHUNK), f"fetching {name}", chunks):
            came += len(chunk)
            if came > most:
                file.close()
                part.remove()
                raise _other_size(wanted, came, "at least ")
            file.write(chunk)


def _place(answer: requests.Response, start: int) -> tuple[int, int | None]:
    """Where an answer begins in the file, and how long the file is, where that is said."""
    if answer.status_code in (206, 416):
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
        if not found:
            return (start if answer.status_code == 206 else 0), None
        return int(found[1] or 0), None if found[2] == "*" else int(found[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _goes_on(answer: requests.Response, first: int, start: int, version: str | None) -> bool:
    """Whether a part of a file begins where it should, and is of the version that was begun."""
    came = _version(answer)
    return first == start and (not start or not version or came in (None, version))


def _version(answer: requests.Response) -> str | None:
    """What tells this version of a file: its ETag, unless it is a weak one, or its date."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _require_size(wanted: Wanted, total: int | None, part: _Part) -> None:
    """Refuse a file of another size before it is fetched."""
    if None not in (wanted.size, total) and wanted.size != total:
        part.remove()
        raise _other_size(wanted, total or 0)


def _other_size(wanted: Wanted, came: int, least: str = "") -> InputError:
    said = "the server announced" if wanted.size is None else "it should be of"
    size = "less" if wanted.size is None else f"{wanted.size:,}"
    return InputError(
        f"{shown(wanted.url)} is of {least}{came:,} bytes, and {said} {size}; it was not kept: run "
        "the same command again later"
    )


def _require_room(part: _Part, wanted: Wanted, needed: int) -> None:
    """Raise LandcoverError if the disk has no room for what is still to come."""
    free = shutil.disk_usage(part.path.parent).free
    if needed > free:
        raise LandcoverError(
            f"{shown(wanted.url)} needs {needed / 1e9:.2f} GB more and {part.path.parent} has "
            f"{free / 1e9:.2f} GB free; make room, and run the same command"
        )


def _full(path: Path, error: OSError) -> LandcoverError:
    return LandcoverError(
        f"cannot write {path}: {error.strerror or error}; check free disk space and permissions, "
        "and run the same command: it goes on"
    )


def _reason(error: BaseException) -> str:
    """A short text of what broke off."""
    return type(error).__name__.removesuffix("Error")
