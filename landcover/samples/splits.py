"""Spatial blocks dealt to train, validation and test.

Neighbouring pixels resemble each other, so pixels dealt one by one tell a
classifier the answers in advance. Whole blocks are dealt instead, so that every
class occurs in each split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landcover.errors import InputError, require_seed
from landcover.grid import Window, in_metres
from landcover.legend import class_codes
from landcover.samples.blocks import (
    SPLITS,
    TEST,
    TRAIN,
    Blocks,
    Layout,
    layout,
    usable_zones_of,
)

FRACTIONS = (0.6, 0.2, 0.2)

#: Fewer blocks cannot give each split one.
MIN_BLOCKS = 3

#: Work spent on looking for a better deal: zones times classes, looked at this often in all.
_EFFORT = 40_000_000


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
    InputError
        If labels are no raster of class codes, if there are fewer than three
        labelled blocks, or if the guard leaves a split without a pixel.

    Examples
    --------
    >>> labels = np.repeat([[211, 312], [312, 211]], 64, axis=0).repeat(64, axis=1)
    >>> blocks = spatial_blocks(labels, block_px=16)
    >>> blocks.splits.shape, blocks.guard_px
    ((8, 8), 4)
    >>> np.bincount(blocks.splits.ravel())
    array([38, 13, 13])
    """
    labels = class_codes(labels, "labels")
    if labels.ndim != 2 or not labels.size:
        raise InputError(f"labels have the shape {labels.shape}; give (rows, cols)")
    codes, index = np.unique(labels, return_inverse=True)
    index = index.reshape(labels.shape) - int(codes[0] == 0)
    rows, cols = labels.shape
    plan = layout(rows, cols, block_px, guard_px)
    counts = plan.no_counts(len(codes))
    plan.count(counts, index, Window(0, 0, rows, cols))
    return deal(plan, counts, fractions, seed)


def deal(
    plan: Layout,
    counts: np.ndarray,
    fractions: Sequence[float] = FRACTIONS,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Blocks:
    """Deal blocks by the classes that they hold; the form of `spatial_blocks` for windows.

    Several deals by iterative stratification [1]_ are compared, and the best
    is improved by exchanging blocks until each class is in each split. A class
    that lies in fewer than three blocks, or in the guard, is trained on first,
    and tested where a further block holds it. Blocks without labels go to
    train, where they keep no other pixel out.

    Parameters
    ----------
    plan : Layout
        The blocks.
    counts : array of int (3 blocks down, 3 blocks across, classes)
        Labelled pixels in each zone, from `Layout.count`. With a further axis of two, pixels
        outside polygons and inside them: they are dealt as two classes, and only those inside
        can be trained on.
    fractions, seed
        As in `spatial_blocks`.
    groups : array of int (blocks,), optional
        Blocks of one number are dealt together, as `polygon_groups.Ties` ties them.

    References
    ----------
    .. [1] Sechidis, Tsoumakas and Vlahavas (2011), On the stratification of
       multi-label data, doi:10.1007/978-3-642-23808-6_10
    """
    require_seed(seed)
    shares = _checked_fractions(fractions)
    learnt, scored = counts, counts
    if counts.ndim == 4:
        learnt, scored = counts[..., 1], counts.sum(axis=-1)
        counts = counts.reshape(*counts.shape[:2], -1)
        counts = counts[..., counts.any(axis=(0, 1))]
    tied = np.arange(np.prod(plan.shape)) if groups is None else groups
    by_group = _by_group(plan.by_block(counts), tied)
    labelled = int((by_group.sum(axis=1) > 0).sum())
    if labelled < MIN_BLOCKS:
        raise InputError(
            f"only {labelled} of {len(by_group)} blocks of "
            f"{in_metres(plan.block_px, plan.pixel_m)} hold labels, too few for train, validation "
            "and test; give a larger scene, more labels or smaller blocks (block_px=)"
        )
    rng = np.random.default_rng(seed)
    judge = _Judge(plan, counts, tied, shares)
    effort = int(np.clip(_EFFORT // max(counts.size, 1), 24, 600))
    deals = (_iterative_stratification(by_group, shares, rng) for _ in range(max(4, effort // 20)))
    best = min(deals, key=judge)
    best = _exchange(best, judge, by_group, rng, effort)
    best = _rescue(best, judge, _Lost(plan, learnt, scored, tied), rng, effort)
    splits = best[tied].reshape(plan.shape)
    blocks = Blocks(plan.rows, plan.cols, plan.block_px, plan.guard_px, splits)
    for name, pixels in zip(SPLITS, judge.usable_pixels(best).sum(axis=1), strict=True):
        if not pixels:
            raise InputError(
                f"no pixel is left for {name}: {labelled} labelled {plan.in_words()} are too few; "
                "give a larger scene, more labels, or smaller patches (max_patch=)"
            )
    return blocks


def _checked_fractions(fractions: Sequence[float]) -> np.ndarray:
    """Three positive shares that make 1."""
    shares = np.asarray(fractions, float)
    if shares.shape != (3,) or not (shares > 0).all() or not np.isclose(shares.sum(), 1):
        raise InputError(
            f"fractions {list(fractions)} are not three positive shares that make 1; "
            "give train, validation and test, such as 0.6 0.2 0.2"
        )
    return shares


def _by_group(by_block: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Pixels of each group of blocks, (groups, classes)."""
    found = np.zeros((int(groups.max()) + 1, by_block.shape[1]), by_block.dtype)
    np.add.at(found, groups, by_block)
    return found


class _Judge:
    """How far a deal of groups of blocks is from what is wanted; lower is better."""

    def __init__(
        self, plan: Layout, counts: np.ndarray, groups: np.ndarray, shares: np.ndarray
    ) -> None:
        self._shape, self._groups = plan.shape, groups
        by_block = _by_group(plan.by_block(counts), groups)
        self._zones = counts.reshape(-1, counts.shape[-1]).astype(np.float64)
        self._by_block = by_block.astype(np.float64)
        self._shares = shares
        self._pixels = np.maximum(self._by_block.sum(axis=0), 1)
        # a class in fewer blocks cannot be everywhere
        self.spread = (by_block > 0).sum(axis=0) >= MIN_BLOCKS
        self.labelled = by_block.any(axis=1)

    def usable_pixels(self, splits: np.ndarray) -> np.ndarray:
        """Pixels outside the guard, (splits, classes)."""
        usable = usable_zones_of(splits[self._groups].reshape(self._shape)).ravel()
        return (usable == np.arange(1, 4)[:, None]).astype(np.float64) @ self._zones

    def empty(self, splits: np.ndarray) -> int:
        """How many splits have no usable pixel at all."""
        return int((self.usable_pixels(splits).sum(axis=1) == 0).sum())

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


class _Lost:
    """Which classes a deal leaves without a pixel to train on, or to test on.

    A class in a single block cannot have both: it is trained on.
    """

    def __init__(
        self, plan: Layout, learnt: np.ndarray, scored: np.ndarray, groups: np.ndarray
    ) -> None:
        self._shape, self._groups = plan.shape, groups
        self._zones = [part.reshape(-1, part.shape[-1]) for part in (learnt, scored)]
        self._by_block = [_by_group(plan.by_block(part), groups) > 0 for part in (learnt, scored)]

    def __call__(self, splits: np.ndarray) -> list[tuple[int, int]]:
        """Split and class of each loss."""
        usable = usable_zones_of(splits[self._groups].reshape(self._shape)).ravel()
        learnt, scored = self._by_block
        untrained = learnt.any(axis=0) & ~self._zones[0][usable == 1 + TRAIN].any(axis=0)
        untested = (scored.sum(axis=0) > 1) & ~scored[splits == TEST].any(axis=0)
        return [
            (split, int(one))
            for split, lost in ((TRAIN, untrained), (TEST, untested))
            for one in np.flatnonzero(lost)
        ]

    @staticmethod
    def cost(losses: list[tuple[int, int]]) -> int:
        """A class that is not tested can still be mapped, so the other loss is the worse one."""
        return sum(2 if split == TRAIN else 1 for split, _ in losses)

    def holding(self, split: int, one: int) -> np.ndarray:
        """Blocks that could make up for a loss."""
        return np.flatnonzero(self._by_block[int(split == TEST)][:, one])

    def in_the_way(self, splits: np.ndarray, group: int) -> np.ndarray:
        """Groups beside the blocks of a training group whose guard reaches into it."""
        there = splits[self._groups].reshape(self._shape)
        numbers = self._groups.reshape(self._shape)
        found = list[int]()
        for block in np.flatnonzero(self._groups == group).tolist():
            row, col = divmod(block, self._shape[1])
            around = np.s_[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
            found += numbers[around][there[around] > there[row, col]].tolist()
        return np.array(list(dict.fromkeys(found)), np.int64)


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


def _rescue(
    splits: np.ndarray, judge: _Judge, lost: _Lost, rng: np.random.Generator, tries: int
) -> np.ndarray:
    """Exchange blocks until no class is lost to training, nor to testing without need.

    A deal that loses none stays as it is, and so does one with a split of no pixel. A block
    that holds the class changes its split, and those do whose guard covers it; others take
    their place.
    """
    losses = [] if judge.empty(splits) else lost(splits)
    score = (judge.empty(splits), lost.cost(losses), judge(splits))
    for _ in range(tries):
        if not losses:
            break
        split, one = losses[rng.integers(len(losses))]
        trial = splits.copy()
        block = int(rng.choice(lost.holding(split, one)))
        moved = np.array([block] if splits[block] != split else [], np.int64)
        trial[moved] = split
        if split == TRAIN:
            near = lost.in_the_way(trial, block)
            moved = np.append(moved, rng.permutation(near)[: rng.integers(near.size + 1)])
            trial[moved] = split
        others = np.setdiff1d(np.flatnonzero((splits == split) & judge.labelled), moved)
        others = rng.permutation(others)[: rng.integers(len(moved) + 1)]
        trial[others] = splits[moved[: len(others)]]
        trial_losses = lost(trial)
        trial_score = (judge.empty(trial), lost.cost(trial_losses), judge(trial))
        if trial_score < score:
            splits, losses, score = trial, trial_losses, trial_score
    return splits
