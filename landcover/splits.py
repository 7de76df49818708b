"""Spatial blocks dealt to train, validation and test, with a guard between them.

Neighbouring pixels resemble each other, so pixels dealt one by one tell a
classifier the answers in advance. Whole blocks are dealt instead, and training
pixels near a validation or test block are left out: with a guard as wide as
the largest patch radius no training chip holds a pixel that is scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.grid import Window

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

FRACTIONS = (0.6, 0.2, 0.2)

#: A default guard never exceeds the radius of the largest patch, 61 x 61.
MAX_GUARD_PX = 30

#: Fewer blocks cannot give each split one.
MIN_BLOCKS = 3

#: Work spent on looking for a better deal: zones times classes, looked at this often in all.
_EFFORT = 40_000_000


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
        Side of a block; blocks at the lower and right edge may be smaller.
    guard_px : int
        Width of the guard, at most half a block.
    """

    rows: int
    cols: int
    block_px: int
    guard_px: int

    def __post_init__(self) -> None:
        if self.block_px < 1 or self.guard_px < 0:
            raise LandcoverError(
                f"blocks of {self.block_px} px with a guard of {self.guard_px} px do not exist; "
                "choose a positive block and a guard of 0 or more"
            )
        if 2 * self.guard_px > self.block_px:
            raise LandcoverError(
                f"a guard of {self.guard_px} px leaves nothing of blocks of {self.block_px} px; "
                f"choose blocks of at least {4 * self.guard_px} px, or a smaller guard"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks down and across."""
        return -(-self.rows // self.block_px), -(-self.cols // self.block_px)

    def block_of(self, rows: Any, cols: Any) -> np.ndarray:
        """Block of each pixel: 0, 1, ... row by row, int64."""
        down, across = np.asarray(rows) // self.block_px, np.asarray(cols) // self.block_px
        return down * self.shape[1] + across

    def zones_of(self, pixels: np.ndarray) -> np.ndarray:
        """Zone of each row, or of each column: three a block, int64."""
        block, offset = np.divmod(pixels, self.block_px)
        strip = (offset >= self.guard_px).astype(np.int64)
        return 3 * block + strip + (offset >= self.block_px - self.guard_px)

    def no_counts(self, classes: int) -> np.ndarray:
        """Zeros to which `count` adds: int64 (3 blocks down, 3 blocks across, classes)."""
        return np.zeros((3 * self.shape[0], 3 * self.shape[1], classes), np.int64)

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
        rows = self.zones_of(np.arange(window.row, window.row + window.rows))
        cols = self.zones_of(np.arange(window.col, window.col + window.cols))
        part = counts[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        down, across, number = part.shape
        zone = (rows - rows[0])[:, None] * across + (cols - cols[0])[None, :]
        cell = (zone * number + classes)[classes >= 0]
        part += np.bincount(cell, minlength=down * across * number).reshape(part.shape)


@dataclass(frozen=True, eq=False)
class Blocks(Layout):
    """Blocks and the split that each is dealt to.

    Attributes
    ----------
    splits : array of uint8 (blocks down, blocks across)
        0 train, 1 validation, 2 test: positions in `SPLITS`.
    """

    splits: np.ndarray

    def split_of(self, rows: Any, cols: Any) -> np.ndarray:
        """Split of each pixel's block, uint8; says nothing of the guard."""
        return self.splits.ravel()[self.block_of(rows, cols)]

    def usable(self, window: Window) -> np.ndarray:
        """Which split each pixel of a window may be used for.

        Returns
        -------
        array of uint8 (rows, cols)
            0 in the guard and outside the scene; else 1 train, 2 validation, 3 test. No
            pixel of a validation or test block lies within `guard_px` (rows
            or cols, whichever is more) of a 1, nor of a test block of a 2.
        """
        rows = np.arange(window.row, window.row + window.rows)
        cols = np.arange(window.col, window.col + window.cols)
        there = ((rows >= 0) & (rows < self.rows))[:, None] & (cols >= 0) & (cols < self.cols)
        zones = np.ix_(
            self.zones_of(rows.clip(0, self.rows - 1)), self.zones_of(cols.clip(0, self.cols - 1))
        )
        return np.where(there, self.usable_zones[zones], np.uint8(0))

    @cached_property
    def usable_zones(self) -> np.ndarray:
        """`usable` by zones: uint8 (3 blocks down, 3 blocks across)."""
        return _usable_zones(self.splits)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "names": list(SPLITS),
            "rows": self.rows,
            "cols": self.cols,
            "block_px": self.block_px,
            "guard_px": self.guard_px,
            "splits": self.splits.tolist(),
        }

    def digest(self) -> str:
        """A short name of this very split; models remember it."""
        sizes = np.array([self.rows, self.cols, self.block_px, self.guard_px], np.int64)
        return hashlib.sha256(sizes.tobytes() + self.splits.tobytes()).hexdigest()[:16]

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Blocks:
        """The inverse of `to_dict`."""
        sizes = {key: int(content[key]) for key in ("rows", "cols", "block_px", "guard_px")}
        return cls(**sizes, splits=np.asarray(content["splits"], np.uint8))


def layout(
    rows: int,
    cols: int,
    block_px: int | None = None,
    guard_px: int | None = None,
    max_patch: int | None = None,
) -> Layout:
    """Blocks for a scene: about 64 of them, of 16 to 128 px, unless told otherwise.

    Parameters
    ----------
    rows, cols : int
        Shape of the scene.
    block_px, guard_px : int, optional
        Sides of blocks and width of the guard. The guard is a quarter of a
        block by default, at most 30 px.
    max_patch : int, optional
        Side of the largest patch of the run: the guard becomes its radius, and
        blocks at least four guards wide.

    Examples
    --------
    >>> layout(800, 1600)
    Layout(rows=800, cols=1600, block_px=128, guard_px=30)
    >>> layout(200, 200, max_patch=21)
    Layout(rows=200, cols=200, block_px=40, guard_px=10)
    """
    if max_patch is not None and guard_px is None:
        guard_px = max_patch // 2
    if block_px is None:
        block_px = int(np.clip(round((rows * cols / 64) ** 0.5 / 16) * 16, 16, 128))
        block_px = max(block_px, 4 * (guard_px or 0))
    if guard_px is None:
        guard_px = min(MAX_GUARD_PX, block_px // 4)
    return Layout(rows, cols, block_px, guard_px)


def spatial_blocks(
    labels: np.ndarray,
    block_px: int | None = None,
    guard_px: int | None = None,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
) -> Blocks:
    """Deal the blocks of a label raster to train, validation and test.

    Parameters
    ----------
    labels : array of int (rows, cols)
        Class codes; 0 for pixels that are unlabelled or not to be used.
    block_px, guard_px : int, optional
        See `layout`.
    fractions : three floats
        Wanted shares of labelled pixels in train, validation and test.
    seed : int
        The same seed deals the same blocks.

    Returns
    -------
    Blocks
        Every class that occurs in three blocks or more occurs in each split,
        and wherever the blocks allow it, outside the guard.

    Raises
    ------
    LandcoverError
        If there are fewer than three labelled blocks, or the guard leaves a
        split without a pixel.

    Examples
    --------
    >>> labels = np.repeat([[211, 312], [312, 211]], 64, axis=0).repeat(64, axis=1)
    >>> blocks = spatial_blocks(labels, block_px=16)
    >>> blocks.splits.shape, blocks.guard_px
    ((8, 8), 4)
    >>> np.bincount(blocks.splits.ravel())
    array([38, 13, 13])
    """
    codes, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape) - int(codes[0] == 0)
    rows, cols = labels.shape
    plan = layout(rows, cols, block_px, guard_px)
    counts = plan.no_counts(len(codes))
    plan.count(counts, index, Window(0, 0, rows, cols))
    return deal(plan, counts, fractions, seed)


def deal(
    plan: Layout, counts: np.ndarray, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> Blocks:
    """Deal blocks by the classes that they hold; the form of `spatial_blocks` for windows.

    Several deals by iterative stratification [1]_ are compared, and the best
    is improved by exchanging blocks until each class is in each split. Blocks
    without labels go to train, where they keep no other pixel out.

    Parameters
    ----------
    plan : Layout
        The blocks.
    counts : array of int (3 blocks down, 3 blocks across, classes)
        Labelled pixels in each zone, from `Layout.count`.
    fractions, seed
        As in `spatial_blocks`.

    References
    ----------
    .. [1] Sechidis, Tsoumakas and Vlahavas (2011), On the stratification of
       multi-label data, doi:10.1007/978-3-642-23808-6_10
    """
    shares = _checked_fractions(fractions)
    by_block = _by_block(plan, counts)
    labelled = int((by_block.sum(axis=1) > 0).sum())
    if labelled < MIN_BLOCKS:
        raise LandcoverError(
            f"only {labelled} of {len(by_block)} blocks of {plan.block_px} px hold labels, too few "
            "for train, validation and test; give a larger scene, more labels or smaller patches"
        )
    rng = np.random.default_rng(seed)
    judge = _Judge(plan, counts, by_block, shares)
    effort = int(np.clip(_EFFORT // max(counts.size, 1), 24, 600))
    deals = (_iterative_stratification(by_block, shares, rng) for _ in range(max(4, effort // 20)))
    best = min(deals, key=judge)
    best = _exchange(best, judge, by_block, rng, effort)
    blocks = Blocks(plan.rows, plan.cols, plan.block_px, plan.guard_px, best.reshape(plan.shape))
    for name, pixels in zip(SPLITS, judge.usable_pixels(best).sum(axis=1), strict=True):
        if not pixels:
            raise LandcoverError(
                f"no pixel is left for {name}: {labelled} labelled blocks of {plan.block_px} px "
                f"with a guard of {plan.guard_px} px are too few; "
                "give a larger scene, more labels or smaller patches"
            )
    return blocks


def _checked_fractions(fractions: Sequence[float]) -> np.ndarray:
    """Three positive shares that make 1."""
    shares = np.asarray(fractions, float)
    if shares.shape != (3,) or not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        raise LandcoverError(
            f"fractions {list(fractions)} are not three positive shares that make 1; "
            "give train, validation and test, such as 0.6 0.2 0.2"
        )
    return shares


def _by_block(plan: Layout, counts: np.ndarray) -> np.ndarray:
    """Labelled pixels of blocks, (blocks, classes), from those of zones."""
    down, across = plan.shape
    return counts.reshape(down, 3, across, 3, -1).sum(axis=(1, 3)).reshape(down * across, -1)


def _usable_zones(splits: np.ndarray) -> np.ndarray:
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


class _Judge:
    """How far a deal is from what is wanted; lower is better."""

    def __init__(self, plan: Layout, counts: np.ndarray, by_block: np.ndarray, shares: np.ndarray):
        self._shape = plan.shape
        self._zones = counts.reshape(-1, counts.shape[-1]).astype(np.float64)
        self._by_block = by_block.astype(np.float64)
        self._shares = shares
        self._pixels = np.maximum(self._by_block.sum(axis=0), 1)
        # a class in fewer blocks cannot be everywhere
        self.spread = (by_block > 0).sum(axis=0) >= MIN_BLOCKS

    def usable_pixels(self, splits: np.ndarray) -> np.ndarray:
        """Pixels outside the guard, (splits, classes)."""
        usable = _usable_zones(splits.reshape(self._shape)).ravel()
        return (usable == np.arange(1, 4)[:, None]).astype(np.float64) @ self._zones

    def missing(self, splits: np.ndarray) -> np.ndarray:
        """Which splits have no usable pixel of which class that could be everywhere."""
        return (self.usable_pixels(splits) == 0) & self.spread

    def __call__(self, splits: np.ndarray) -> tuple[int, int, float]:
        """Classes missing in blocks, classes missing outside the guard, lack of balance."""
        held = (splits == np.arange(3)[:, None]).astype(np.float64) @ self._by_block
        usable = self.usable_pixels(splits)
        wanted = self._shares[:, None]
        lacking = np.maximum(0, 1 - usable / (wanted * self._pixels)) ** 2
        uneven = np.abs(held.sum(axis=1) / held.sum() - self._shares).sum()
        balance = lacking[:, self.spread].mean() if self.spread.any() else 0.0
        return (
            int(((held == 0) & self.spread).sum() + (usable.sum(axis=1) == 0).sum()),
            int(((usable == 0) & self.spread).sum()),
            float(balance + uneven),
        )


def _iterative_stratification(
    by_block: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One random deal: the class in the fewest blocks first, to the split that lacks it most."""
    splits = np.zeros(len(by_block), np.uint8)
    open_blocks = by_block.sum(axis=1) > 0
    wanted = shares[:, None] * by_block.sum(axis=0)
    has_class = np.zeros(wanted.shape, bool)
    while open_blocks.any():
        holding = (by_block > 0) & open_blocks[:, None]
        blocks_left = holding.sum(axis=0)
        rarest = int(np.where(blocks_left > 0, blocks_left, len(by_block) + 1).argmin())
        queue = rng.permutation(np.flatnonzero(holding[:, rarest]))
        for left, block in zip(range(len(queue), 0, -1), queue, strict=True):
            desire = np.stack([wanted[:, rarest], wanted.sum(axis=1), rng.random(3)])
            lacking = ~has_class[:, rarest]
            if left <= lacking.sum():  # the last chance to bring the class into these splits
                desire[:, ~lacking] = -np.inf
            split = np.lexsort(desire[::-1])[-1]
            splits[block] = split
            wanted[split] -= by_block[block]
            has_class[split] |= by_block[block] > 0
        open_blocks[queue] = False
    return splits


def _exchange(
    splits: np.ndarray, judge: _Judge, by_block: np.ndarray, rng: np.random.Generator, tries: int
) -> np.ndarray:
    """Exchange two blocks at a time as long as the deal gets better.

    Where a class is missing, one of the two is a block that holds it.
    """
    labelled = np.flatnonzero(by_block.sum(axis=1) > 0)
    score = judge(splits)
    for _ in range(tries):
        missing = np.argwhere(judge.missing(splits))
        first = rng.choice(labelled)
        other = int(splits[first] + rng.integers(1, 3)) % 3
        if len(missing):
            other, lacked = (int(v) for v in missing[rng.integers(len(missing))])
            first = rng.choice(np.flatnonzero(by_block[:, lacked]))
        trial = splits.copy()
        trial[first] = other
        partners = labelled[splits[labelled] == other]
        if len(partners) and rng.random() < 0.75:
            trial[rng.choice(partners)] = splits[first]
        trial_score = judge(trial)
        if trial_score < score:
            splits, score = trial, trial_score
    return splits
