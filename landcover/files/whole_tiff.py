"""Whether a TIFF is whole: every strip and tile of every image in it lies within the file.

Facts on the format: TIFF 6.0 and BigTIFF, of both byte orders; images are pages, overviews and
masks. GDAL's sparse files leave out blocks, which have offset or length 0. No pixel is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

#: How a file begins, classic and big, of both byte orders.
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: Bytes of a value of each type, by the type's number.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
_UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}

_SUB_IMAGES = 330
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _COLOURS, _SAMPLES = 256, 257, 258, 259, 262, 277
_SUBSAMPLED = 6  # YCbCr, which may have fewer samples of colour than of brightness
#: Tags of the offsets of blocks and of their lengths: strips, tiles.
_BLOCKS = ((273, 279), (324, 325))


class _BreaksOff(Exception):
    """Says what lies beyond the end of the file."""


@dataclass(frozen=True)
class _Tiff:
    """A file of one byte order, with offsets of four or eight bytes."""

    file: BinaryIO
    size: int
    order: str
    big: bool

    def bytes_at(self, position: int, length: int) -> bytes:
        """Bytes of the file."""
        if position + length > self.size:
            raise _BreaksOff(f"{position + length - self.size:,} bytes of its tables are missing")
        self.file.seek(position)
        return self.file.read(length)

    def numbers(self, content: bytes, dtype: str) -> np.ndarray:
        """Unsigned numbers of bytes."""
        return np.frombuffer(content, self.order + dtype).astype(np.uint64)

    def number(self, position: int, dtype: str) -> int:
        """One unsigned number."""
        return int(self.numbers(self.bytes_at(position, np.dtype(dtype).itemsize), dtype)[0])

    def images(self) -> Iterator[dict[int, np.ndarray]]:
        """The unsigned tags of each image, by number."""
        waiting = [self.number(8, "u8") if self.big else self.number(4, "u4")]
        seen = {0}
        while waiting:
            position = waiting.pop()
            if position in seen:
                continue
            seen.add(position)
            tags, following = self._directory(position)
            waiting += [following, *map(int, tags.get(_SUB_IMAGES, ()))]
            yield tags

    def _directory(self, position: int) -> tuple[dict[int, np.ndarray], int]:
        """Tags of the image described at a place, and where the next one is described."""
        offset, entry_bytes = ("u8", 20) if self.big else ("u4", 12)
        count = self.number(position, "u8" if self.big else "u2")
        position += 8 if self.big else 2
        table = self.bytes_at(position, count * entry_bytes)
        tags = {}
        for start in range(0, len(table), entry_bytes):
            entry = table[start : start + entry_bytes]
            tag, kind = (int(number) for number in self.numbers(entry[:4], "u2"))
            inline = entry[12:] if self.big else entry[8:]
            length = int(self.numbers(entry[4 : entry_bytes - len(inline)], offset)[0])
            length *= _BYTES.get(kind, 0)
            if length <= len(inline):
                content = inline[:length]
            else:
                content = self.bytes_at(int(self.numbers(inline, offset)[0]), length)
            if kind in _UNSIGNED:
                tags[tag] = self.numbers(content, _UNSIGNED[kind])
        return tags, self.number(position + len(table), offset)


def missing_part(file: BinaryIO, size: int) -> str | None:
    """What a TIFF lacks, in words; None where it is whole.

    Parameters
    ----------
    file : binary file
        From which is read, at any place.
    size : int
        Its bytes.
    """
    file.seek(0)
    head = file.read(4)
    tiff = _Tiff(file, size, "<" if head[:1] == b"I" else ">", head in SIGNATURES[2:])
    try:
        for tags in tiff.images():
            for offsets, lengths in _BLOCKS:
                if offsets in tags:
                    _require_blocks(tags[offsets], tags.get(lengths), size)
                    _require_plain_pixels(tags, tags[offsets], size)
    except _BreaksOff as error:
        return str(error)
    return None


def _require_blocks(offsets: np.ndarray, lengths: np.ndarray | None, size: int) -> None:
    """Raise where a block reaches over the end of the file."""
    if lengths is None or len(lengths) != len(offsets):
        lengths = np.ones_like(offsets)
    held = (offsets > 0) & (lengths > 0)
    # Not the sum: it could be more than a number of 64 bits can hold
    beyond = held & ((offsets > size) | (lengths > size - np.minimum(offsets, size)))
    if beyond.any():
        raise _BreaksOff(f"{beyond.sum():,} of its {held.sum():,} blocks lie beyond its end")


def _require_plain_pixels(tags: dict[int, np.ndarray], offsets: np.ndarray, size: int) -> None:
    """Raise where pixels without compression need more bytes than the file has."""

    def first(tag: int, default: int) -> int:
        return int(tags[tag][0]) if len(tags.get(tag, ())) else default

    plain = first(_COMPRESSION, 1) == 1 and first(_COLOURS, 1) != _SUBSAMPLED
    if plain and (offsets > 0).all():
        bits = first(_BITS, 1) * first(_SAMPLES, 1)
        needed = first(_WIDTH, 0) * first(_HEIGHT, 0) * bits // 8
        if needed > size:
            raise _BreaksOff(f"its pixels take {needed:,} bytes and it has {size:,}")
