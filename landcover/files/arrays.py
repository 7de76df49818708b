"""Arrays in files: large ones as .npy, in parts and by memory map; several small ones as .npz."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole


def write_parts(
    path: Path, shape: tuple[int, ...], dtype: str, parts: Iterable[np.ndarray]
) -> None:
    """Write an .npy file whose first axis comes in parts, in order.

    Not through a writable memory map: on a full disk that kills the process instead of raising
    an error.

    Parameters
    ----------
    path : path
        The file.
    shape : tuple of int
        Of the whole array.
    dtype : str
        Of the file, such as "<f4".
    parts : iterable of arrays
        Each with the trailing axes of `shape`.

    Raises
    ------
    ValueError
        If the parts do not add up to `shape`.
    """
    count = 0
    with path.open("wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            if part.shape[1:] != shape[1:] or part.dtype != np.dtype(dtype):
                raise ValueError(
                    f"part at {count} is {part.dtype} of {part.shape[1:]}, not {dtype} of "
                    f"{shape[1:]}"
                )
            file.write(np.ascontiguousarray(part, dtype).data)
            count += len(part)
    if count != shape[0]:
        raise ValueError(f"{count} rows came and {shape[0]} were announced")


def open_array(path: Path) -> np.ndarray:
    """An .npy file as a read-only memory map."""
    array: np.ndarray = np.load(path, mmap_mode="r")
    return array


def write_arrays(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write an .npz file of arrays by name, whole or not at all; the same arrays give one file."""
    with replace_when_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_arrays(path: Path, again: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name.

    Parameters
    ----------
    path : path
        The file.
    again : str
        How it can be made again, for messages.

    Raises
    ------
    LandcoverError
        If the file is damaged or holds anything but arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise LandcoverError(f"{path} cannot be read ({error}); {again}") from None
