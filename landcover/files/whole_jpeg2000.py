"""Whether a JPEG 2000 file is whole, by its boxes and the lengths of its tile-parts.

Facts on the format: ISO/IEC 15444-1, annexes A (codestream) and I (boxes). No pixel is decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

#: How a file begins: the signature box, or a bare codestream.
SIGNATURES = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")

_SOC, _SOT, _EOC = b"\xff\x4f", b"\xff\x90", b"\xff\xd9"
#: A tile-part's marker, length, tile, bytes, number and number of parts
_TILE_PART = struct.Struct(">2sHHIBB")


def missing_part(file: BinaryIO, size: int) -> str | None:
    """What a JPEG 2000 file lacks, in words; None where it is whole.

    Parameters
    ----------
    file : binary file
        From which is read, at any place.
    size : int
        Its bytes.
    """
    file.seek(0)
    if file.read(2) == _SOC:
        return _missing_of_codestream(file, 0, size)
    codestreams = 0
    for kind, start, end in _boxes(file, size):
        if end > size:
            return f"{end - size:,} bytes of the box {kind!r} are missing"
        if kind == "jp2c":
            codestreams += 1
            missing = _missing_of_codestream(file, start, end)
            if missing:
                return missing
    return None if codestreams else "it holds no image"


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of the content of each box of a file; zeros at the end are padding."""
    position = 0
    while position < size:
        file.seek(position)
        head = file.read(16)
        if not head.strip(b"\0"):
            return
        length, kind = struct.unpack(">I4s", head[:8].ljust(8, b"\0"))
        start = position + 8
        if length == 1:  # the length follows in eight bytes
            length = int.from_bytes(head[8:].ljust(8, b"\0"), "big")
            start += 8
        end = size if length == 0 else position + max(length, start - position)
        yield kind.decode("latin-1"), start, end if len(head) >= 8 else position + 8
        position = end


def _missing_of_codestream(file: BinaryIO, start: int, end: int) -> str | None:
    """What lacks between the start and the end of a codestream: each tile-part, and its end."""
    position = _first_tile_part(file, start, end)
    parts = 0
    while position is not None and position < end:
        file.seek(position)
        head = file.read(_TILE_PART.size)
        if head[:2] == _EOC:
            return None if parts else "it holds no tile"
        if head[:2] != _SOT or len(head) < _TILE_PART.size:
            return f"after {parts} parts of tiles there is something else"
        length = _TILE_PART.unpack(head)[3]
        if length == 0:  # the last one, which reaches to the end
            file.seek(end - 2)
            return None if file.read(2) == _EOC else "the end of its last tile is missing"
        position += max(length, _TILE_PART.size)
        parts += 1
    return f"it breaks off after the beginning of {parts} parts of tiles"


def _first_tile_part(file: BinaryIO, start: int, end: int) -> int | None:
    """Where the first tile-part begins, after the segments of the main header."""
    position = start + len(_SOC)
    while position < end:
        file.seek(position)
        head = file.read(4)
        if head[:2] in (_SOT, _EOC):
            return position
        if len(head) < 4 or head[0] != 0xFF:
            return None
        position += 2 + int.from_bytes(head[2:], "big")
    return None
