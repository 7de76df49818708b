"""The area of applicability: where a model meets what it has learnt from, and where it guesses.

After Meyer and Pebesma (2021, doi:10.1111/2041-210X.13650). A pixel's dissimilarity is its
distance to the nearest training sample, divided by the mean distance between training samples, in
the space of what the model decides by: inputs times their importance, or the last hidden layer of
a patch network. The area ends where a pixel is less like any sample than samples are like those
of other blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from landcover.errors import InputError, LandcoverError
from landcover.files.arrays import read_arrays, write_arrays

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

#: Name of the file in a model's folder.
APPLICABILITY = "applicability.npz"
#: Beyond this share of the threshold it is not said how far a pixel lies outside.
MOST_PERCENT = 254
#: Training samples that are looked at, drawn at random, and those kept to compare pixels with.
_MOST_ROWS, _MOST_POINTS = 20_000, 1000
#: Samples between which the mean distance is found; all pairs of them.
_PAIRED_ROWS = 1000
#: Rows whose predictions say how much each input matters.
_WEIGHED_ROWS = 2000
#: Coordinates that distances are measured in, at most, and those of them that are random there.
_MOST_AXES, _RANDOM_AXES = 8, 2


@dataclass(frozen=True)
class Space:
    """What a model decides by.

    Attributes
    ----------
    describe : callable
        Positions of rows to where they lie (rows, dimensions).
    weigh : callable
        Positions of rows to the weight of every dimension (dimensions,), over its unit.
    """

    describe: Callable[[np.ndarray], np.ndarray]
    weigh: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Applicability:
    """The area of applicability of a model.

    Attributes
    ----------
    projection : array of float64, (dimensions, coordinates)
        What the model decides by, multiplied with it, gives the coordinates that distances are
        measured in.
    points : array of float64, (samples, coordinates)
        Training samples that pixels are compared with.
    mean_distance : float
        Between training samples.
    threshold : float
        Dissimilarity up to which a pixel lies inside.
    """

    projection: np.ndarray
    points: np.ndarray
    mean_distance: float
    threshold: float

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.points)

    def dissimilarity(self, coordinates: np.ndarray, most: float = np.inf) -> np.ndarray:
        """Distance to the nearest training sample over the mean distance between samples.

        Parameters
        ----------
        coordinates : array of float, (coordinates, rows, cols)
            Of a window, as the model's classifier gives them.
        most : float
            Beyond this it need not be known; what is farther away gets infinity.

        Returns
        -------
        array of float64, (rows, cols)
            NaN for pixels with a missing value.
        """
        at = coordinates.reshape(len(coordinates), -1).T
        known = np.isfinite(at).all(axis=1)
        found = np.full(len(at), np.nan)
        limit = most * self.mean_distance
        nearest, _ = self._tree.query(at[known], distance_upper_bound=limit, workers=-1)
        found[known] = nearest / self.mean_distance
        return found.reshape(coordinates.shape[1:])

    def percent_of_threshold(self, coordinates: np.ndarray) -> np.ndarray:
        """How far a window reaches out, in percent of the threshold, rounded up.

        Parameters
        ----------
        coordinates : array of float, (coordinates, rows, cols)
            As for `dissimilarity`.

        Returns
        -------
        array of float64, (rows, cols)
            1 to `MOST_PERCENT`, which stands for all beyond; above 100 just where a pixel lies
            outside.
        """
        limit = self.threshold * MOST_PERCENT / 100
        found = self.dissimilarity(coordinates, limit)
        return np.clip(np.ceil(100 * found / self.threshold), 1, MOST_PERCENT)

    def store(self, path: Path) -> None:
        """Write it to a file of plain arrays."""
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)})


class Bounded(Protocol):
    """What may know its area of applicability."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def applicability(self) -> Applicability | None: ...  # noqa: D102


def known(classifier: Bounded) -> Applicability:
    """The area of applicability of a classifier, which must have been loaded with it.

    Raises
    ------
    InputError
        If it was not.
    """
    if classifier.applicability is None:
        raise InputError(
            f"classifier {classifier.name} was loaded without its area of applicability; give "
            "with_applicability=True to Model.classifier, or leave applicability out"
        )
    return classifier.applicability


def load_applicability(path: Path) -> Applicability:
    """What `Applicability.store` wrote.

    Raises
    ------
    LandcoverError
        If the file is damaged.
    """
    held = read_arrays(path, "train the model again")
    try:
        return Applicability(
            projection=held["projection"],
            points=held["points"],
            mean_distance=float(held["mean_distance"]),
            threshold=float(held["threshold"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LandcoverError(
            f"{path} holds no area of applicability ({error}); train the model again"
        ) from None


def fit_applicability(
    space: Space, rows: np.ndarray, blocks: np.ndarray, seed: int
) -> Applicability | None:
    """The area of applicability of a model.

    Parameters
    ----------
    space : Space
        What the model decides by.
    rows : array of int, (rows,)
        Positions of the training rows.
    blocks : array of int, (rows,)
        Spatial block of each.
    seed : int
        Of the draw, where there are many rows.

    Returns
    -------
    Applicability or None
        None where the rows are of one block, or do not differ.
    """
    rng = np.random.default_rng([seed, 3])
    if len(rows) > _MOST_ROWS:
        drawn = np.sort(rng.choice(len(rows), _MOST_ROWS, replace=False))
        rows, blocks = rows[drawn], blocks[drawn]
    weights = space.weigh(rng.permutation(rows)[:_WEIGHED_ROWS])
    described = space.describe(rows).astype(np.float64)
    known = np.isfinite(described).all(axis=1)
    described, blocks = described[known], blocks[known]
    if len(np.unique(blocks)) < 2:
        return None
    projection = weights[:, np.newaxis] * few_axes(described * weights)
    coordinates = described @ projection
    between = _mean_distance(rng.permutation(coordinates)[:_PAIRED_ROWS])
    if not between > 0:
        return None
    kept = spread_out(coordinates, _MOST_POINTS)
    across = distance_to_other_blocks(coordinates, blocks, kept) / between
    return Applicability(projection, coordinates[kept], between, upper_whisker(across))


def importance(
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray],
    values: np.ndarray,
    types: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """How much each input matters: the probability that moves when it is shuffled among rows.

    One measure serves forests, nearest neighbours and networks alike. It needs no targets, so
    inputs that say the same keep their weight.

    Parameters
    ----------
    predict : callable
        Values and segment types to probabilities (rows, classes).
    values, types : array (rows, inputs), array (rows, layers)
        What the model reads.
    seed : int
        Of the shuffling.

    Returns
    -------
    array of float64, (inputs,)
        0 to 1; 1 would move all probability.
    """
    usual, rng = predict(values, types), np.random.default_rng(seed)

    def moved(column: int) -> float:
        shuffled = values.copy()
        shuffled[:, column] = rng.permutation(values[:, column])
        return float(np.abs(predict(shuffled, types) - usual).sum(axis=1).mean()) / 2

    return np.array([moved(column) for column in range(values.shape[1])])


def spread_out(points: np.ndarray, most: int) -> np.ndarray:
    """Positions of points that represent all: each next one is the farthest from those before.

    So no point lies farther from a kept one than twice the least possible (Gonzalez 1985,
    doi:10.1016/0304-3975(85)90224-5), and rare kinds are kept as well as frequent ones.

    >>> spread_out(np.array([[0.0], [1.0], [8.0], [10.0]]), 3)
    array([3, 0, 2])
    """
    first = int(np.square(points - points.mean(axis=0)).sum(axis=1).argmax())
    chosen, distance = [first], np.square(points - points[first]).sum(axis=1)
    while len(chosen) < most and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, np.square(points - points[chosen[-1]]).sum(axis=1), out=distance)
    return np.array(chosen)


def distance_to_other_blocks(
    points: np.ndarray, blocks: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Distance of every point to the nearest kept point of another block.

    Parameters
    ----------
    points : array of float, (rows, coordinates)
        Training samples.
    blocks : array of int, (rows,)
        Spatial block of each; two at least.
    kept : array of int
        Positions of those that pixels are compared with.

    Returns
    -------
    array of float64, (rows,)
        Without the rows of a block that alone holds all that is kept.
    """
    from scipy.spatial import cKDTree

    found = []
    for block in np.unique(blocks):
        others = points[kept[blocks[kept] != block]]
        if len(others):
            found.append(cKDTree(others).query(points[blocks == block])[0])
    return np.concatenate(found)


def upper_whisker(values: np.ndarray) -> float:
    """The largest value within one and a half interquartile ranges above the third quartile.

    >>> upper_whisker(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 30.0]))
    8.0
    """
    low, high = np.percentile(values, [25, 75])
    return float(values[values <= high + 1.5 * (high - low)].max())


def _mean_distance(points: np.ndarray) -> float:
    from scipy.spatial.distance import pdist

    return float(pdist(points).mean()) if len(points) > 1 else 0.0


def few_axes(points: np.ndarray) -> np.ndarray:
    """Axes (dimensions, n) to measure distances on: those of the dimensions where they are few.

    Of more dimensions the principal axes are taken that the points vary most along. Two random
    directions stand for all the rest, in which a pixel may be unlike any sample: stretched so, the
    length in them is on average the whole one (Johnson and Lindenstrauss 1984).
    """
    dimensions = points.shape[1]
    if dimensions <= _MOST_AXES:
        return np.eye(dimensions)
    _, vectors = np.linalg.eigh(np.cov(points, rowvar=False))
    principal = _MOST_AXES - _RANDOM_AXES
    rest = vectors[:, :-principal]
    drawn = np.random.default_rng(0).normal(size=(rest.shape[1], _RANDOM_AXES))
    stretched = np.linalg.qr(drawn)[0] * np.sqrt(rest.shape[1] / _RANDOM_AXES)
    return np.column_stack([vectors[:, : -principal - 1 : -1], rest @ stretched])
