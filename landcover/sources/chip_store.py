"""Labelled chips as one memory-mapped array with an index beside it: large sets for training.

A store is a folder: ``chips.npy``, digital numbers (chips, rows, cols, bands) as uint16, since
16-bit floats would lose them; ``index.parquet``, a row a chip; ``store.json``, bands and legend.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import arrays, tables
from landcover.files.atomic import folder_when_whole, read_json, write_json
from landcover.legend import Legend
from landcover.progress import track
from landcover.sensors import DEFAULT_QUANTIFICATION

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Labelled:
    """What is known of chips, without their pixels.

    Attributes
    ----------
    names : tuple of str
        One a chip.
    codes : tuple of tuples of int
        Codes of the classes in each chip, ascending.
    splits : tuple of str
        "train", "validation", "test", or "" for a chip of no part.
    legend : Legend
        The classes in play.
    """

    names: tuple[str, ...]
    codes: tuple[tuple[int, ...], ...]
    splits: tuple[str, ...]
    legend: Legend

    def __len__(self) -> int:
        return len(self.names)

    def part(self, split: str) -> np.ndarray:
        """Positions of the chips of a part, ascending."""
        if split not in SPLITS:
            raise InputError(f"part {split!r} is unknown; choose {', '.join(SPLITS)}")
        return np.flatnonzero(np.array(self.splits, object) == split)

    def multi_hot(self, legend: Legend | None = None) -> np.ndarray:
        """Classes of each chip, uint8 (chips, classes): 1 where a class occurs.

        Classes that `legend`, the set's own by default, lacks are left out.
        """
        legend = legend or self.legend
        column = {code: number for number, code in enumerate(legend.codes)}
        hot = np.zeros((len(self), len(legend)), np.uint8)
        for row, codes in zip(hot, self.codes, strict=True):
            row[[column[code] for code in codes if code in column]] = 1
        return hot

    def single(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the chips of exactly one class, and that class's place in the legend."""
        alone = np.flatnonzero([len(codes) == 1 for codes in self.codes])
        codes = np.array([self.codes[place][0] for place in alone], np.int64)
        return alone, self.legend.index(codes).astype(np.int64)


@dataclass(frozen=True)
class Store(Labelled):
    """Chips on disk; only those asked for are read.

    Attributes
    ----------
    chips : memory map of uint16 (chips, rows, cols, bands)
        Digital numbers.
    bands : tuple of str
        Their bands.
    """

    chips: np.ndarray
    bands: tuple[str, ...]

    def batches(
        self, size: int, indices: Iterable[int] | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Reflectance, float32, and classes as `multi_hot` gives them, in batches.

        Parameters
        ----------
        size : int
            Chips in a batch; fewer in the last one.
        indices : iterable of int, optional
            Positions of the chips wanted, in the order wanted; all by default.
        """
        wanted = np.fromiter(range(len(self)) if indices is None else indices, np.int64)
        hot = self.multi_hot()
        for start in range(0, len(wanted), size):
            batch = wanted[start : start + size]
            yield reflectance(self.chips[batch]), hot[batch]


def reflectance(dn: np.ndarray) -> np.ndarray:
    """Reflectance, float32, of digital numbers.

    >>> reflectance(np.array([0, 2500], np.uint16)).tolist()
    [0.0, 0.25]
    """
    return dn.astype(np.float32) / np.float32(DEFAULT_QUANTIFICATION)


def write_store(
    path: str | os.PathLike[str],
    labelled: Labelled,
    bands: Sequence[str],
    chips: Iterable[np.ndarray],
    px: int,
) -> Path:
    """Write chips as they come, and their index; the store appears when it is whole.

    Parameters
    ----------
    path : path
        Folder to make; it must not exist, since a store may hold hours of reading.
    labelled : Labelled
        One name, its classes and its part for every chip.
    bands : sequence of str
        Bands of the chips.
    chips : iterable of arrays of uint16 (px, px, bands)
        Digital numbers, in the order of the names.
    px : int
        Rows and columns of a chip.

    Raises
    ------
    LandcoverError
        If there are no chips, the folder exists, or the disk is too small or unwritable.
    """
    path = Path(path)
    shape = (len(labelled), px, px, len(bands))
    if not len(labelled):
        raise InputError(f"no chips are left to write into {path}; choose fewer filters")
    if path.exists():
        raise InputError(f"{path} exists; remove it, or choose another folder")
    with folder_when_whole(path) as part:
        _check_room(part, shape)
        stored = (chip[np.newaxis] for chip in track(chips, "storing chips", shape[0]))
        arrays.write_parts(part / "chips.npy", shape, "<u2", stored)
        _write_index(part, labelled, bands)
    return path


def open_store(path: str | os.PathLike[str]) -> Store:
    """Open what `write_store` wrote, without reading the chips.

    Raises
    ------
    LandcoverError
        If the folder holds no store, or its files do not belong together.
    """
    path = Path(path)
    if not (path / "store.json").exists():
        raise MissingProduct(
            f"{path} holds no store.json; make a store in a checkout of the project with: "
            f"python -m experiments.bigearth_read SOURCE --out {path}"
        )
    facts = read_json(path / "store.json")
    try:
        index = tables.read_columns(path / "index.parquet", "make the store again")
        chips = arrays.open_array(path / "chips.npy")
        store = Store(
            tuple(index["name"]),
            tuple(tuple(codes) for codes in index["codes"]),
            tuple(index["split"]),
            Legend.from_dicts(facts["classes"]),
            chips,
            tuple(facts["bands"]),
        )
    except (LandcoverError, OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LandcoverError(f"{path} is no whole store ({reason}); make it again") from None
    expected = (len(store), *chips.shape[1:3], len(store.bands))
    if chips.shape != expected or chips.dtype != np.uint16:
        raise LandcoverError(
            f"{path}: chips.npy holds {chips.dtype} of {chips.shape}, and its index speaks of "
            f"uint16 of {expected}; make the store again"
        )
    return store


def _check_room(folder: Path, shape: tuple[int, ...]) -> None:
    """Raise LandcoverError before any work if the disk is too small."""
    needed, free = int(np.prod(shape)) * 2, shutil.disk_usage(folder).free
    if needed > free:
        raise LandcoverError(
            f"{shape[0]} chips take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free in "
            f"{folder.parent}; choose fewer bands or chips, or another disk"
        )


def _write_index(folder: Path, labelled: Labelled, bands: Sequence[str]) -> None:
    import pyarrow as pa

    index = pa.table(
        {
            "name": pa.array(labelled.names, pa.string()),
            "codes": pa.array([list(codes) for codes in labelled.codes], pa.list_(pa.int32())),
            "split": pa.array(labelled.splits, pa.string()),
        }
    )
    tables.write_columns(folder / "index.parquet", index)
    facts = {"bands": list(bands), "classes": [c.as_dict() for c in labelled.legend.classes]}
    write_json(folder / "store.json", facts)
