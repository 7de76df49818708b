"""Training tiles that have a label at every pixel, dealt by the blocks of the sample table.

A pixel is learnt from only where its split may use it, so the run's guard lies between what is
learnt and what is tested. A tile holds no pixel of a block of a later split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from landcover.errors import InputError
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.samples.augmentation import turned
from landcover.samples.blocks import TEST, TRAIN, VALIDATION, Blocks
from landcover.stopwatch import spent

#: Side of tiles, and how far apart they begin.
TILE_PX, STEP_PX = 32, 16
#: A prediction keeps the middle of a tile: no pixel depends on what is further away than this.
FIELD_PX = TILE_PX - (TILE_PX - STEP_PX) // 2 - 1
#: A tile of which less may be learnt is left out.
_LEAST_SHARE = 1 / 8

#: A window, which may reach over edges, to an array of it.
Read = Callable[[Window], np.ndarray]


@dataclass(frozen=True)
class Ground:
    """What tiles are cut from.

    Attributes
    ----------
    grid : Grid
        Of the scene.
    read : callable
        A window to reflectance (bands, rows, cols), NaN outside; of several dates, all bands of
        the first, then those of the next.
    dates : int
        Dates that the bands are of.
    labels : callable
        A window within the scene to class codes (rows, cols), 0 for unlabelled.
    blocks : Blocks
        How the scene is split.
    years : sequence of (array of bool (dates,), callable)
        Which dates are of a year, and the labels of that year, where years have labels of their
        own; a tile then shows the dates of one year.
    """

    grid: Grid
    read: Read
    dates: int
    labels: Read
    blocks: Blocks
    years: Sequence[tuple[np.ndarray, Read]] = ()

    def by_year(self) -> list[Ground]:
        """The ground of each year, with nothing but its dates; itself where labels are of all."""
        return [
            replace(self, read=partial(self._of_dates, own), labels=labels, years=())
            for own, labels in self.years
        ] or [self]

    def _of_dates(self, own: np.ndarray, window: Window) -> np.ndarray:
        """A window with NaN in all other dates."""
        image = np.array(self.read(window), np.float32)
        image.reshape(self.dates, -1, *image.shape[1:])[~own] = np.nan
        return image


@dataclass(frozen=True)
class LabelledTiles:
    """Tiles of what is seen, and of classes.

    Attributes
    ----------
    images : array of float32 (tiles, side, side, dates, bands)
        Reflectance, or what a network says of it in place of bands; NaN where a date is masked,
        and outside the scene.
    targets : array of int32 (tiles, side, side)
        Positions in the legend; 0 where nothing is learnt too.
    learnt : array of bool (tiles, side, side)
        Where there is a class that may be learnt, and a date that shows it.
    """

    images: np.ndarray
    targets: np.ndarray
    learnt: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def joined(cls, parts: Sequence[LabelledTiles]) -> LabelledTiles:
        """Tiles of several parts."""
        names = ("images", "targets", "learnt")
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def dates_that_show(self) -> np.ndarray:
        """Which dates show anything that is learnt, bool (tiles, dates)."""
        valid = np.isfinite(self.images).all(axis=-1)
        return np.asarray((valid & self.learnt[..., np.newaxis]).any(axis=(1, 2)))

    def weights(self, of_class: np.ndarray | None) -> np.ndarray:
        """Weight of every pixel, 0 where nothing is learnt; their mean is 1.

        Parameters
        ----------
        of_class : array of float, optional
            Weight of every class; alike without.
        """
        weights = self.learnt.astype(np.float32)
        if of_class is not None:
            weights *= of_class.astype(np.float32)[self.targets]
        return np.asarray(weights / max(float(weights.mean()), 1e-9), np.float32)


def turned_alike(
    images: np.ndarray, others: list[np.ndarray], orientations: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Tiles of all dates, and what belongs to their pixels, in one of eight orientations each.

    Parameters
    ----------
    images : array (tiles, side, side, dates, bands)
        All dates of a tile are turned alike.
    others : list of arrays (tiles, side, side)
        Classes, weights.
    orientations : array of int (tiles,)
        0 to 7, as `augmentation.turned` has them.
    """
    flat = images.reshape(*images.shape[:3], -1)
    beside = [turned(values[..., np.newaxis], orientations)[..., 0] for values in others]
    return turned(flat, orientations).reshape(images.shape), beside


def cut(ground: Ground, split: int, codes: tuple[int, ...], most: int, seed: int) -> LabelledTiles:
    """Tiles of a split, at most so many, drawn at random.

    Parameters
    ----------
    ground : Ground
        What they are cut from.
    split : {0, 1}
        `blocks.TRAIN` or `blocks.VALIDATION`.
    codes : tuple of int
        Classes of the legend, ascending; other labels are not learnt.
    most : int
        Tiles at most.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If there is none.
    """
    grounds = ground.by_year()
    each = max(1, most // len(grounds))
    return LabelledTiles.joined([_cut(one, split, codes, each, seed) for one in grounds])


def _cut(ground: Ground, split: int, codes: tuple[int, ...], most: int, seed: int) -> LabelledTiles:
    """The same of one map of labels."""
    corners = _corners(ground, split, codes)
    if not len(corners):
        name = "training" if split == TRAIN else "validation"
        raise InputError(
            f"no tile of {TILE_PX} x {TILE_PX} pixels lies in the {name} blocks; draw samples in "
            "larger blocks: landcover sample RUN --block-px N"
        )
    if len(corners) > most:
        drawn = np.random.default_rng([seed, split]).choice(len(corners), most, replace=False)
        corners = corners[np.sort(drawn)]
    side = (len(corners), TILE_PX, TILE_PX)
    targets, learnt = np.zeros(side, np.int32), np.zeros(side, bool)
    held = np.array(codes)
    for number, (row, col) in enumerate(corners.tolist()):
        place = Window(row, col, TILE_PX, TILE_PX)
        part, inside = place.within(*ground.grid.shape)
        labels = np.zeros((TILE_PX, TILE_PX), np.int64)
        labels[inside] = ground.labels(part)
        learnt[number] = np.isin(labels, held) & (ground.blocks.usable(place) == split + 1)
        targets[number] = np.where(learnt[number], np.searchsorted(held, labels), 0)
    images = np.empty((*side, ground.dates, 0), np.float32)
    for at, tiles in read_tiles(ground.read, corners, ground.dates, "reading tiles"):
        if not images.size:
            images = np.empty((*side, *tiles.shape[3:]), np.float32)
        images[at] = tiles
    # nothing is to be learnt from a pixel that no date shows
    learnt &= np.isfinite(images).all(axis=-1).any(axis=-1)
    targets[~learnt] = 0
    return LabelledTiles(images, targets, learnt)


def read_tiles(
    read: Read, corners: np.ndarray, dates: int, title: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Tiles of a scene, strip by strip: their positions, and (tiles, side, side, dates, bands).

    Parameters
    ----------
    read : callable
        As of `Ground`.
    corners : array of int (tiles, 2)
        Rows and columns where tiles begin.
    dates : int
        Dates that the bands are of.
    title : str
        What the progress bar calls it.
    """
    for row in track(np.unique(corners[:, 0]).tolist(), title):
        at = np.flatnonzero(corners[:, 0] == row)
        left, right = int(corners[at, 1].min()), int(corners[at, 1].max()) + TILE_PX
        with spent("reading"):
            strip = read(Window(row, left, TILE_PX, right - left))
        strip = np.moveaxis(strip, 0, -1).reshape(TILE_PX, right - left, dates, -1)
        cols = corners[at, 1] - left
        yield at, np.stack([strip[:, col : col + TILE_PX] for col in cols.tolist()])


def _corners(ground: Ground, split: int, codes: tuple[int, ...]) -> np.ndarray:
    """Where tiles of a split begin, (tiles, 2): counted in cells, of which a tile has 2 x 2."""
    rows, cols = (-(-side // STEP_PX) for side in ground.grid.shape)
    learnt, foreign = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), np.int64)
    others = (VALIDATION, TEST) if split == TRAIN else (TEST,)
    for row in range(rows):
        strip = Window(row * STEP_PX, 0, STEP_PX, ground.grid.cols)
        part, _ = strip.within(*ground.grid.shape)
        usable = ground.blocks.usable(part) == split + 1
        own = np.isin(ground.labels(part), codes) & usable
        of_other = np.any([ground.blocks.holds(part, other) for other in others], axis=0)
        learnt[row], foreign[row] = (_by_cell(values, cols) for values in (own, of_other))
    whole = _of_tiles(learnt) >= _LEAST_SHARE * TILE_PX**2
    return np.argwhere(whole & (_of_tiles(foreign) == 0)) * STEP_PX


def _by_cell(values: np.ndarray, cols: int) -> np.ndarray:
    """How many pixels of each cell of a strip are true."""
    padded = np.pad(values.sum(axis=0), (0, cols * STEP_PX - values.shape[1]))
    return np.asarray(padded.reshape(cols, STEP_PX).sum(axis=1))


def _of_tiles(cells: np.ndarray) -> np.ndarray:
    """Sums over the 2 x 2 cells of every tile; tiles begin inside the scene."""
    wide = np.pad(cells, ((0, 1), (0, 1)))
    found = wide[:-1, :-1] + wide[1:, :-1] + wide[:-1, 1:] + wide[1:, 1:]
    return np.asarray(found[: max(1, len(cells) - 1), : max(1, cells.shape[1] - 1)])
