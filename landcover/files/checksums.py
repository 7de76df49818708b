"""Checksums of files, as catalogues and archives give them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from landcover.errors import InputError
from landcover.progress import track

#: Hash functions by their number in a multihash (github.com/multiformats/multicodec), with the
#: names of hashlib; those that catalogues use.
_CODES = {
    0x11: "sha1",
    0x12: "sha256",
    0x13: "sha512",
    0x14: "sha3_512",
    0x16: "sha3_256",
    0xD5: "md5",
}
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Checksum:
    """A digest and the function that makes it.

    Attributes
    ----------
    function : str
        As hashlib names it.
    digest : str
        In hexadecimal digits, small letters.
    """

    function: str
    digest: str

    @classmethod
    def of_text(cls, text: str) -> Checksum | None:
        """That of ``md5:...``, as Zenodo writes it; None for what is none, or not known here.

        >>> Checksum.of_text("md5:900150983CD24FB0D6963F7D28E17F72")
        Checksum(function='md5', digest='900150983cd24fb0d6963f7d28e17f72')
        """
        function, _, digest = text.lower().partition(":")
        return _known(function.replace("-", ""), digest)

    @classmethod
    def of_multihash(cls, text: str) -> Checksum | None:
        """That of ``file:checksum`` of a STAC asset; None for what is none, or not known here.

        A multihash is the number of a function and the length of the digest, each in as many bytes
        of 7 bits as it takes, and the digest.

        >>> Checksum.of_multihash("1114" + "a9993e364706816aba3e25717850c26c9cd0d89d").function
        'sha1'
        """
        try:
            held = bytes.fromhex(text)
            code, held = _number(held)
            length, held = _number(held)
        except (ValueError, IndexError):
            return None
        return _known(_CODES.get(code, ""), held.hex()) if len(held) == length else None

    def of_file(self, path: Path) -> str:
        """The digest that a file has, by this function."""
        found = hashlib.new(self.function)
        blocks = -(-path.stat().st_size // _BLOCK)
        with path.open("rb") as file:
            for _ in track(range(blocks), f"checking {path.name.strip('.')}"):
                found.update(file.read(_BLOCK))
        return found.hexdigest()

    def require(self, path: Path, source: str) -> None:
        """Raise InputError, and remove the file, if its digest is another.

        Parameters
        ----------
        path : path
            The file.
        source : str
            Where it is from, for the message.
        """
        found = self.of_file(path)
        if found != self.digest:
            path.unlink()
            raise InputError(
                f"{source}: the {self.function} of what came is {found}, and it should be "
                f"{self.digest}; it was removed: run the same command again"
            )


def sha256_multihash(path: Path) -> str:
    """``file:checksum`` of a file, by SHA-256."""
    return "1220" + Checksum("sha256", "").of_file(path)


def _known(function: str, digest: str) -> Checksum | None:
    if function not in _CODES.values():
        return None
    right = len(digest) == 2 * hashlib.new(function).digest_size
    return (
        Checksum(function, digest) if right and not set(digest) - set("0123456789abcdef") else None
    )


def _number(held: bytes) -> tuple[int, bytes]:
    """The first number of some bytes, 7 bits a byte, and the bytes after it."""
    value, place = 0, 0
    for place in range(9):
        value |= (held[place] & 0x7F) << 7 * place
        if held[place] < 0x80:
            return value, held[place + 1 :]
    raise ValueError("a number of more than 63 bits")
