"""Whether files of other formats are whole, as far as their headers say how long they are.

GDAL itself gives zeros for what lies beyond the end of a classic netCDF, and leaves out bands of
an ERDAS Imagine file that breaks off. No pixel is decoded.
"""

from __future__ import annotations

import math
import struct
from typing import BinaryIO

HDF5 = b"\x89HDF\r\n\x1a\n"
NETCDF = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
SQLITE = b"SQLite format 3\0"
IMAGINE = b"EHFA_HEADER_TAG\0"

#: Bytes of a value of a classic netCDF, by the number of its type.
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
#: A list of more dimensions, attributes or variables is damage.
_MOST_ENTRIES = 100_000


def _beyond(needed: int, size: int) -> str | None:
    return f"{needed - size:,} of its {needed:,} bytes are missing" if needed > size else None


def missing_of_hdf5(file: BinaryIO, size: int) -> str | None:
    """What an HDF5 or netCDF-4 file lacks: its superblock says where it ends."""
    file.seek(0)
    head = file.read(64).ljust(64, b"\0")
    version = head[8]
    width, start = (head[13], (24, 28)[version]) if version < 2 else (head[9], 12)
    return _beyond(int.from_bytes(head[start + 2 * width : start + 3 * width], "little"), size)


def missing_of_sqlite(file: BinaryIO, size: int) -> str | None:
    """What a GeoPackage lacks: its header counts pages, if the last writer kept the number."""
    file.seek(0)
    head = file.read(100).ljust(100, b"\0")
    (page,) = struct.unpack(">H", head[16:18])
    (pages,) = struct.unpack(">I", head[28:32])
    kept = head[24:28] == head[92:96]
    return _beyond(pages * (65536 if page == 1 else page), size) if kept else None


def missing_of_imagine(file: BinaryIO, size: int) -> str | None:
    """What an ERDAS Imagine file lacks: every node of its tree, with its data, lies in it."""
    file.seek(16)
    (header,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
    file.seek(header + 8)  # after the version and the list of free space
    (root,) = struct.unpack("<I", file.read(4).ljust(4, b"\0"))
    waiting, seen = [root], {0}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        file.seek(node)
        head = file.read(24)
        if len(head) < 24:
            return "a part of its tables is missing"
        following, _, _, child, data, length = struct.unpack("<6I", head)
        if data + length > size:
            return "a part of its tables is missing"
        waiting += [following, child]
    return None


def missing_of_netcdf(file: BinaryIO, size: int) -> str | None:
    """What a classic netCDF lacks: its header says where each variable begins and how long it is.

    Facts on the format: the netCDF classic format specification.
    """
    try:
        return _beyond(_NetcdfHeader(file).end(), size)
    except struct.error:
        return "a part of its header is missing"


class _NetcdfHeader:
    """The header of a classic netCDF, read from its start."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(3)
        version = file.read(1)[0]
        self._count = ">Q" if version == 5 else ">I"
        self._offset = ">I" if version == 1 else ">Q"

    def end(self) -> int:
        """The byte after the last one that holds data."""
        records = self._number(self._count)
        unknown = 256 ** struct.calcsize(self._count) - 1  # of a file that is still written
        sides = [self._named(self._count) for _ in range(self._entries())]
        self._skip_attributes()
        fixed, by_record = [], []
        for _ in range(self._entries()):
            shape, length, start = self._variable(sides)
            if shape and shape[0] == 0:  # the dimension that grows with every record
                by_record.append((start, length * math.prod(shape[1:])))
            else:
                fixed.append(start + length * math.prod(shape))
        if not by_record or records in (0, unknown):
            return max(fixed, default=0)
        padded = len(by_record) > 1
        step = sum(length + (-length % 4 if padded else 0) for _, length in by_record)
        return max(*fixed, 0, *(start + (records - 1) * step + held for start, held in by_record))

    def _variable(self, sides: list[int]) -> tuple[list[int], int, int]:
        """Shape, bytes of a value, and where the values begin."""
        count = self._named(self._count)
        if count > len(sides):
            raise struct.error
        shape = [sides[self._number(self._count) % len(sides)] for _ in range(count)]
        self._skip_attributes()
        length = _VALUE_BYTES.get(self._number(">I"), 1)
        self._number(self._count)  # bytes in all, which are wrong where they are over 4 GB
        return shape, length, self._number(self._offset)

    def _skip_attributes(self) -> None:
        for _ in range(self._entries()):
            length = _VALUE_BYTES.get(self._named(">I"), 1)
            self._skip(self._number(self._count) * length)

    def _entries(self) -> int:
        """How many entries the list has that begins here."""
        self._number(">I")  # which list
        entries = self._number(self._count)
        if entries > _MOST_ENTRIES:
            raise struct.error
        return entries

    def _named(self, form: str) -> int:
        """The number after a name."""
        self._skip(self._number(self._count))
        return self._number(form)

    def _number(self, form: str) -> int:
        (number,) = struct.unpack(form, self._file.read(struct.calcsize(form)))
        return int(number)

    def _skip(self, length: int) -> None:
        """Pass over bytes, which are padded to a multiple of four."""
        self._file.seek(min(length + -length % 4, 2**62), 1)
