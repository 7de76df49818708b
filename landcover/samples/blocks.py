"""Spatial blocks on a scene: where they lie, their split, and the guard between them.

Training pixels near a validation or test block are left out, and validation
pixels near a test block: with a guard as wide as the largest patch radius no
training chip holds a pixel that is scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from landcover.errors import InputError, LandcoverError, typed
from landcover.files import rasters
from landcover.files.atomic import Fields, read_json, short_digest
from landcover.grid import Window, in_metres

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

#: A default guard never exceeds the radius of the largest patch, 61 x 61.
MAX_GUARD_PX = 30
#: Blocks are four guards wide or more, so that most of them is left.
GUARDS = 4

#: Blocks chosen here are whole numbers of the labels' cells; CORINE's have 100 m.
CELL_PX = 10
MIN_BLOCK_PX = 20
#: With fewer blocks a test set of a fifth is a handful, and its intervals say little.
FEWEST_BLOCKS = 24
#: Blocks are not made so small as to have more than about these, unless the scene is large.
ENOUGH_BLOCKS = 64
#: A strip at the edge that leaves less than this, or a quarter of a block, beyond its guard is a
#: sliver: it belongs to the block beside it.
LEAST_PX = 10


@dataclass(frozen=True)
class Layout:
    """Square blocks on a scene, before they are dealt.

    A block has nine zones: its middle, and strips of `guard_px` along its
    edges and corners. All pixels of a zone have the same blocks within
    `guard_px` of them, so a deal is judged by zones instead of by pixels.

    Attributes
    ----------
    rows, cols : int
        Shape of the scene in pixels.
    block_px : int
        Side of a block. Those at the lower and right edge may be smaller; where they would be
        slivers, the blocks before them reach to the edge.
    guard_px : int
        Width of the guard, at most half a block.
    pixel_m : float, optional
        Side of a pixel on the ground, for messages.
    """

    rows: int
    cols: int
    block_px: int
    guard_px: int
    pixel_m: float | None = field(default=None, kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.block_px < 1 or self.guard_px < 0:
            raise InputError(
                f"{self.in_words()} do not exist; choose a positive block and a guard of 0 or more"
            )
        if 2 * self.guard_px > self.block_px:
            raise InputError(
                f"a guard of {in_metres(self.guard_px, self.pixel_m)} leaves nothing of blocks of "
                f"{in_metres(self.block_px, self.pixel_m)}; choose blocks of at least "
                f"{in_metres(4 * self.guard_px, self.pixel_m)}, or a smaller guard"
            )

    def in_words(self) -> str:
        """Sizes of blocks and guard, for messages."""
        block, guard = (in_metres(side, self.pixel_m) for side in (self.block_px, self.guard_px))
        return f"blocks of {block} with a guard of {guard}"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks down and across."""
        sides = self.block_px, self.guard_px
        return blocks_along(self.rows, *sides), blocks_along(self.cols, *sides)

    def block_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> np.ndarray:
        """Block of each pixel: 0, 1, ... row by row, int64."""
        across = self.shape[1]
        down, right = (
            np.minimum(np.asarray(at) // self.block_px, number - 1)
            for at, number in zip((rows, cols), self.shape, strict=True)
        )
        return down * across + right

    def blocks_in(self, window: Window) -> np.ndarray:
        """Block of each pixel of a window, int64 (rows, cols)."""
        rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
        return self.block_of(rows, np.arange(window.col, window.col + window.cols))

    def zones_of(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Zone of each row, and of each column: three a block, int64.

        Where a block reaches further than its side, to the edge of the scene, its last zone does.
        """
        down, across = self.shape
        return self._zones_along(rows, down), self._zones_along(cols, across)

    def _zones_along(self, pixels: np.ndarray, blocks: int) -> np.ndarray:
        block = np.minimum(pixels // self.block_px, blocks - 1)
        offset = pixels - block * self.block_px
        strip = (offset >= self.guard_px).astype(np.int64)
        return 3 * block + strip + (offset >= self.block_px - self.guard_px)

    def no_counts(self, classes: int) -> np.ndarray:
        """Zeros to which `count` adds: int64 (3 blocks down, 3 blocks across, classes)."""
        return np.zeros((3 * self.shape[0], 3 * self.shape[1], classes), np.int64)

    def by_block(self, counts: np.ndarray) -> np.ndarray:
        """Pixels of each block, (blocks, classes), from those of zones."""
        down, across = self.shape
        return counts.reshape(down, 3, across, 3, -1).sum(axis=(1, 3)).reshape(down * across, -1)

    def count(self, counts: np.ndarray, classes: np.ndarray, window: Window) -> None:
        """Add the pixels of a window to the counts of their zones.

        Parameters
        ----------
        counts : array of int64 (3 blocks down, 3 blocks across, classes)
            From `no_counts`; changed in place.
        classes : array of int (rows, cols)
            Class index of each pixel of the window; -1 for pixels not counted.
        window : Window
            Where on the scene they lie.
        """
        rows, cols = self.zones_of(
            np.arange(window.row, window.row + window.rows),
            np.arange(window.col, window.col + window.cols),
        )
        part = counts[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        down, across, number = part.shape
        places = ((cols - cols[0]) * (number + 1) + 1).astype(np.int32)  # 0 is not counted
        for zone in range(down):
            first, end = np.searchsorted(rows - rows[0], (zone, zone + 1))
            found = np.bincount(
                (classes[first:end] + places).ravel(), minlength=across * (number + 1)
            )
            part[zone] += found.reshape(across, number + 1)[:, 1:]


@dataclass(frozen=True, eq=False)
class Blocks(Layout):
    """Blocks and the split that each is dealt to.

    Attributes
    ----------
    splits : array of uint8 (blocks down, blocks across)
        0 train, 1 validation, 2 test: positions in `SPLITS`.
    label_range_px : float, optional
        Correlation range of the labels that the blocks were dealt by, where it is known.
    """

    splits: np.ndarray
    label_range_px: float | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks down and across, as they were dealt: once, slivers were blocks too."""
        down, across = self.splits.shape
        return down, across

    @property
    def shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Numbers of blocks that such a split may have: without slivers, and with them."""
        plan = Layout(self.rows, self.cols, self.block_px, self.guard_px)
        with_slivers = -(-self.rows // self.block_px), -(-self.cols // self.block_px)
        return plan.shape, with_slivers

    @cached_property
    def test_blocks(self) -> np.ndarray:
        """Numbers of the test blocks, ascending, int64."""
        return np.flatnonzero(self.splits.ravel() == TEST)

    def all_tested(self) -> Blocks:
        """The same blocks for a model that has seen none of them: all are test blocks.

        Returns
        -------
        Blocks
            With nothing to train on.
        """
        return replace(self, splits=np.full_like(self.splits, TEST))

    def split_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> np.ndarray:
        """Split of each pixel's block, uint8; says nothing of the guard.

        Parameters
        ----------
        rows, cols : array of int
            Pixels of the scene.

        Returns
        -------
        array of uint8
            0 train, 1 validation, 2 test, in the shape of `rows` and `cols`.
        """
        return self.splits.ravel()[self.block_of(rows, cols)]

    def usable(self, window: Window) -> np.ndarray:
        """Which split each pixel of a window may be used for.

        Parameters
        ----------
        window : Window
            Pixels of the scene.

        Returns
        -------
        array of uint8 (rows, cols)
            0 in the guard and outside the scene; else 1 train, 2 validation, 3 test. No
            pixel of a validation or test block lies within `guard_px` (rows
            or cols, whichever is more) of a 1, nor of a test block of a 2.
        """
        rows = np.arange(window.row, window.row + window.rows)
        cols = np.arange(window.col, window.col + window.cols)
        down, across = self.zones_of(rows.clip(0, self.rows - 1), cols.clip(0, self.cols - 1))
        found = self.usable_zones[:, across][down]
        found[(rows < 0) | (rows >= self.rows)] = 0
        found[:, (cols < 0) | (cols >= self.cols)] = 0
        return found

    @cached_property
    def usable_zones(self) -> np.ndarray:
        """`usable` by zones: uint8 (3 blocks down, 3 blocks across)."""
        return usable_zones_of(self.splits)

    def to_dict(self) -> Fields:
        """As JSON takes it.

        Returns
        -------
        dict
            What splits.json holds.
        """
        return {
            "names": list(SPLITS),
            "rows": self.rows,
            "cols": self.cols,
            "block_px": self.block_px,
            "guard_px": self.guard_px,
            "label_range_px": self.label_range_px,
            "splits": self.splits.tolist(),
        }

    def digest(self) -> str:
        """A short name of this very split; models remember it.

        Returns
        -------
        str
            16 hexadecimal digits.
        """
        sizes = np.array([self.rows, self.cols, self.block_px, self.guard_px], np.int64)
        return short_digest(sizes.tobytes() + self.splits.tobytes())

    @classmethod
    def from_dict(cls, content: Fields) -> Blocks:
        """The inverse of `to_dict`.

        Parameters
        ----------
        content : mapping
            What `to_dict` gave.

        Returns
        -------
        Blocks
            The blocks and their splits.
        """
        sizes = {key: int(content[key]) for key in ("rows", "cols", "block_px", "guard_px")}
        return cls(
            **sizes,
            splits=np.asarray(content["splits"], np.uint8),
            label_range_px=content.get("label_range_px"),
        )

    @classmethod
    def read(cls, path: Path, scene: Path) -> Blocks:
        """The blocks in a splits.json, which must be those of a scene.

        Parameters
        ----------
        path : path
            A splits.json.
        scene : path
            The raster that the blocks lie on.

        Returns
        -------
        Blocks
            The blocks and their splits.

        Raises
        ------
        LandcoverError
            If the file is missing, damaged, or of a scene of another size.
        """
        content = read_json(path)
        again = f"draw the samples again: landcover sample {typed(path.parent)}"
        try:
            blocks = cls.from_dict(content)
        except (KeyError, TypeError, ValueError) as error:
            raise LandcoverError(f"{path} is damaged ({error}); {again}") from error
        shape = rasters.grid_of(scene).shape
        if (blocks.rows, blocks.cols) != shape or blocks.splits.shape not in blocks.shapes:
            raise LandcoverError(
                f"{path} is of a scene of {blocks.rows} x {blocks.cols} pixels and "
                f"{scene} has {shape[0]} x {shape[1]}; {again}"
            )
        return blocks

    def holds(self, window: Window, split: int) -> np.ndarray:
        """Which pixels of a window lie in blocks of a split, bool (rows, cols); guards count.

        Parameters
        ----------
        window : Window
            Pixels of the scene.
        split : int
            0 train, 1 validation, 2 test.

        Returns
        -------
        array of bool, (rows, cols)
            True in blocks of the split.
        """
        return self.splits.ravel()[self.blocks_in(window)] == split


def layout(
    rows: int,
    cols: int,
    block_px: int | None = None,
    guard_px: int | None = None,
    max_patch: int | None = None,
    range_px: float = 0.0,
    cell_px: int = CELL_PX,
    pixel_m: float | None = None,
) -> Layout:
    """Blocks for a scene, as wide as the labels are alike, unless told otherwise.

    Parameters
    ----------
    rows, cols : int
        Shape of the scene.
    block_px : int, optional
        Side of a block. By default whole cells, at least `range_px`, and at least 120,
        four guards of the largest patch, where that leaves 64 blocks or so. However long the
        range, blocks do not grow until fewer than 24 are left.
    guard_px : int, optional
        Width of the guard: a quarter of a block by default, at most 30 px.
    max_patch : int, optional
        Side of the largest patch of the run: the guard becomes its radius, and
        blocks at least four guards wide.
    range_px : float
        Correlation range of the labels (`landcover.samples.correlation`).
    cell_px : int
        Side of the labels' cells.
    pixel_m : float, optional
        Side of a pixel on the ground, for messages.

    Examples
    --------
    >>> layout(800, 1600)
    Layout(rows=800, cols=1600, block_px=120, guard_px=30)
    >>> layout(800, 1600, range_px=151.3).block_px
    160
    >>> layout(800, 1600, range_px=900).shape
    (4, 7)
    >>> layout(200, 200, max_patch=21)
    Layout(rows=200, cols=200, block_px=40, guard_px=10)
    """
    if max_patch is not None and guard_px is None:
        guard_px = max_patch // 2
    if block_px is None:
        block_px = _default_block_px(rows, cols, range_px, cell_px, guard_px)
        block_px = max(block_px, GUARDS * (guard_px or 0))
    if guard_px is None:
        guard_px = _default_guard_px(block_px)
    return Layout(rows, cols, block_px, guard_px, pixel_m=pixel_m)


def blocks_along(side: int, block_px: int, guard_px: int) -> int:
    """Number of blocks along a side of a scene; a sliver at its end is none.

    >>> blocks_along(240, 120, 30), blocks_along(279, 120, 30), blocks_along(280, 120, 30)
    (2, 2, 3)
    """
    whole, rest = divmod(side, block_px)
    least = min(LEAST_PX, math.ceil(block_px / 4))
    return whole if whole and rest - guard_px < least else whole + bool(rest)


def _default_guard_px(block_px: int) -> int:
    return min(MAX_GUARD_PX, block_px // GUARDS)


def _default_block_px(
    rows: int, cols: int, range_px: float, cell_px: int, guard_px: int | None
) -> int:
    """Side of a block by the range, within what the scene's size allows."""

    def number(block_px: int) -> int:
        guard = _default_guard_px(block_px) if guard_px is None else guard_px
        return blocks_along(rows, block_px, guard) * blocks_along(cols, block_px, guard)

    def cells(side: float) -> int:
        """A side in pixels, made up to whole cells."""
        return math.ceil(side / cell_px) * cell_px

    fewest = max(cells(MIN_BLOCK_PX), 2 * cell_px)
    enough = round((rows * cols / ENOUGH_BLOCKS) ** 0.5 / cell_px) * cell_px
    wanted = max(cells(range_px), min(enough, cells(GUARDS * MAX_GUARD_PX)))
    while wanted > fewest and number(wanted) < FEWEST_BLOCKS:
        wanted -= cell_px
    return max(wanted, fewest)


def usable_zones_of(splits: np.ndarray) -> np.ndarray:
    """1 + split of each zone, 0 in the guard.

    A strip touches the neighbouring block's zones and only those, so "within
    the guard" is "in the 3 x 3 zones around".
    """
    zones = splits.repeat(3, axis=0).repeat(3, axis=1)
    padded = np.pad(zones, 1)  # outside the scene counts as train: it keeps nothing out
    down, across = zones.shape
    highest = zones.copy()
    for i in range(3):
        for j in range(3):
            np.maximum(highest, padded[i : i + down, j : j + across], out=highest)
    # train near any other split, or validation near test, sees a higher split
    return np.where(highest > zones, np.uint8(0), zones + np.uint8(1))
