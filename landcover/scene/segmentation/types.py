"""Mean colours of segments, and the types into which similar colours are grouped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Percentiles of brightness that separate six types.
PERCENTILES = (10.0, 25.0, 50.0, 75.0, 90.0)

#: More segments than this are grouped before clustering, whose cost grows with the square.
MAX_CENTRES = 2000

_BLOCK_PIXELS = 2**20


def segment_means(image: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of every band for every segment, in one pass over the pixels.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        Reflectance; only pixels of a segment are used.
    segments : array of int, (rows, cols)
        Segments 1 to n; 0 where there is none.

    Returns
    -------
    means : array of float64, (segments, bands)
        Row i belongs to segment i + 1; NaN for a number that has no pixels.
    counts : array of int64, (segments,)
        Pixels of each segment.

    Examples
    --------
    >>> means, counts = segment_means(np.array([[[1.0, 3.0, 9.0, 7.0]]]), np.array([[1, 1, 0, 2]]))
    >>> means.ravel(), counts
    (array([2., 7.]), array([2, 1]))
    """
    bands = len(image)
    if image.shape[1:] != segments.shape:
        raise InputError(
            f"image of shape {image.shape} and segments of {segments.shape} differ in rows and "
            "cols; segment this image again"
        )
    n = int(segments.max(initial=0)) + 1
    sums, counts = np.zeros((bands, n)), np.zeros(n, np.int64)
    step = max(1, _BLOCK_PIXELS // max(1, segments.shape[1]))
    for row in range(0, len(segments), step):
        ids = segments[row : row + step].ravel()
        counts += np.bincount(ids, minlength=n)
        for band in range(bands):
            sums[band] += np.bincount(ids, image[band, row : row + step].ravel(), minlength=n)
    with np.errstate(invalid="ignore"):
        return (sums[:, 1:] / counts[1:]).T, counts[1:]


def percentile_types(means: np.ndarray, percentiles: Sequence[float] = PERCENTILES) -> np.ndarray:
    """Types by brightness: bins of the first principal component of the segments' means.

    Parameters
    ----------
    means : array of float, (segments, bands)
        Mean colours, as `segment_means` makes them.
    percentiles : sequence of float
        Ascending limits between types, taken over segments; five limits make six types.

    Returns
    -------
    array of uint8, (segments,)
        1 for the darkest to ``len(percentiles) + 1`` for the brightest.

    Notes
    -----
    The component's sign is the one whose loadings sum to a positive number, so that more
    means brighter. A segment is of a type above a limit when it is strictly above it.

    Examples
    --------
    >>> percentile_types(np.array([[0.1, 0.1], [0.5, 0.6], [0.2, 0.2]]), [34, 67])
    array([1, 3, 2], dtype=uint8)
    """
    means = _checked_means(means)
    limits = np.asarray(percentiles, float)
    if limits.ndim != 1 or not (0 < limits.size < 255 and (np.diff(limits) > 0).all()):
        raise InputError(
            f"percentiles {list(percentiles)} are not 1 to 254 ascending numbers, such as 25 50 75"
        )
    if limits[0] < 0 or limits[-1] > 100:
        raise InputError(f"percentiles {list(percentiles)} are not between 0 and 100")
    if len(means) == 0:
        return np.zeros(0, np.uint8)
    scores = _first_component(means)
    return (1 + np.searchsorted(np.percentile(scores, limits), scores)).astype(np.uint8)


def hierarchy_types(
    means: np.ndarray, counts: np.ndarray, levels: Sequence[int] = (4, 8, 16)
) -> np.ndarray:
    """Types by a hierarchy of mean colours, cut at several numbers of types.

    Agglomerative clustering after Ward, with distances in reflectance. Each segment has the
    weight of its pixels. Above 2000 segments, those in one small cube of the colour space are
    grouped first.

    Parameters
    ----------
    means : array of float, (segments, bands)
        Mean colours, as `segment_means` makes them.
    counts : array of int, (segments,)
        Pixels of each segment.
    levels : sequence of int
        Numbers of types, ascending, 1 to 255 each.

    Returns
    -------
    array of uint8, (levels, segments)
        Types from 1, darkest, in ascending order of the mean over bands and pixels. A type of
        a fine level lies in one type of every coarser level. Fewer distinct colours than
        types make fewer types.

    References
    ----------
    J. H. Ward, Hierarchical grouping to optimize an objective function, Journal of the
    American Statistical Association 58 (1963), doi 10.1080/01621459.1963.10500845

    Examples
    --------
    >>> means = np.array([[0.1], [0.5], [0.11], [0.3]])
    >>> hierarchy_types(means, np.array([5, 5, 5, 5]), levels=(2, 3))
    array([[1, 2, 1, 2],
           [1, 3, 1, 2]], dtype=uint8)
    """
    means = _checked_means(means)
    check_levels(levels)
    if counts.shape != means.shape[:1]:
        raise InputError(
            f"counts of shape {counts.shape} do not fit {len(means)} segments; give one a segment"
        )
    if len(means) == 0:
        return np.zeros((len(levels), 0), np.uint8)
    group, centres, weights = _colour_groups(means, counts.astype(float))
    merges = _ward(centres, weights)
    return np.stack(
        [_numbered(_cut(merges, len(centres), int(level)), centres, weights) for level in levels]
    )[:, group]


def check_levels(levels: Sequence[int]) -> None:
    """Raise InputError unless `levels` suit `hierarchy_types`."""
    given = list(levels) if isinstance(levels, Iterable) else []
    whole = all(isinstance(n, Real) and n == int(n) and 1 <= n <= 255 for n in given)
    if not given or not whole or any(a >= b for a, b in pairwise(given)):
        raise InputError(
            f"levels {given or levels} are not ascending numbers of types from 1 to 255; "
            "give some such as 4 8 16"
        )


def types_of_pixels(segments: np.ndarray, types: np.ndarray) -> np.ndarray:
    """The type of every pixel, by the index of its segment.

    Parameters
    ----------
    segments : array of int
        Segments 1 to n of some pixels; 0 where there is none.
    types : array of uint8, (segments,)
        Type of every segment.

    Returns
    -------
    array of uint8, like `segments`
        0 where there is no segment.
    """
    return np.concatenate([np.zeros(1, types.dtype), types])[segments]


def type_column(layer: str) -> str:
    """The column of a sample table for a layer of segment types.

    >>> type_column("percentile"), type_column("hierarchy-4")
    ('segment_type', 'segment_type_hierarchy_4')
    """
    suffix = "" if layer == "percentile" else "_" + layer.replace("-", "_")
    return "segment_type" + suffix


def add_segments(
    samples: pd.DataFrame, segments: np.ndarray, types: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """A sample table with the segment and segment types of every sample, by row and col.

    Parameters
    ----------
    samples : DataFrame or GeoDataFrame
        Has columns row and col; earlier segment columns are replaced.
    segments : array of int, (rows, cols)
        Segments of the scene.
    types : mapping from layer name to array of uint8, (segments,)
        Type of every segment, by layer; `type_column` names their columns.

    Returns
    -------
    DataFrame
        A table of the same kind; `samples` stays as it is.
    """
    row, col = samples["row"].to_numpy(), samples["col"].to_numpy()
    if len(row) and (row.max() >= segments.shape[0] or col.max() >= segments.shape[1]):
        raise InputError(
            f"a sample at row {row.max()}, col {col.max()} lies outside segments of "
            f"{segments.shape[0]} x {segments.shape[1]} pixels; draw the samples again"
        )
    stale = [c for c in samples.columns if c == "segment" or c.startswith("segment_type")]
    of_sample = segments[row, col]
    columns = {"segment": of_sample.astype(np.uint32)}
    columns |= {
        type_column(layer): types_of_pixels(of_sample, values) for layer, values in types.items()
    }
    return samples.drop(columns=stale).assign(**columns)


def _checked_means(means: np.ndarray) -> np.ndarray:
    """Means as float64, finite, two-dimensional."""
    means = np.asarray(means, np.float64)
    if means.ndim != 2 or not np.isfinite(means).all():
        raise InputError(
            f"segment means of shape {means.shape} are not a table of finite numbers, "
            "(segments, bands); number segments 1 to n and leave out nodata"
        )
    return means


def _first_component(means: np.ndarray) -> np.ndarray:
    """Scores on the first principal component, higher for brighter."""
    centred = means - means.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    loadings = vectors[:, -1]
    if loadings.sum() < 0:
        loadings = -loadings
    return centred @ loadings


def _colour_groups(
    means: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments grouped by cubes of colour, the smallest that leave few groups.

    Returns the group of each segment, and the groups' weighted means and weights.
    """
    group = np.arange(len(means))
    if len(means) > MAX_CENTRES:
        fine, coarse = 1, MAX_CENTRES
        while coarse - fine > 1:
            middle = (fine + coarse) // 2
            if len(np.unique(_cube_of(means, middle))) <= MAX_CENTRES:
                fine = middle
            else:
                coarse = middle
        group = np.unique(_cube_of(means, fine), return_inverse=True)[1]
    total = np.bincount(group, weights)
    centres = np.stack([np.bincount(group, weights * band) / total for band in means.T], axis=1)
    return group, centres, total


def _cube_of(means: np.ndarray, parts: int) -> np.ndarray:
    """A number for the cube that holds each mean; the widest band is `parts` cubes wide."""
    low, extent = means.min(axis=0), (means.max(axis=0) - means.min(axis=0)).max()
    steps = np.floor((means - low) / (extent / parts or 1.0)).astype(np.int64)
    cube, room = np.zeros(len(means), np.int64), 2**62
    for step in steps.T:
        room //= parts + 1
        if room == 0:
            # Many bands: number the cubes again before the numbers overflow.
            cube = np.unique(cube, return_inverse=True)[1]
            room = 2**62 // len(means) // (parts + 1)
        cube = cube * (parts + 1) + step
    return cube


def _ward(centres: np.ndarray, weights: np.ndarray) -> list[tuple[float, int, int]]:
    """Weighted Ward clustering by chains of nearest neighbours: merges in ascending order.

    A merge is its rise of the sum of squares, and one member of each of the two clusters.
    scipy's and scikit-learn's Ward take no weights.
    """
    centres, weights = centres.copy(), weights.copy()
    active = np.ones(len(centres), bool)
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(merges) < len(centres) - 1:
        if not chain:
            chain.append(int(np.argmax(active)))
        here = chain[-1]
        rise = weights * weights[here] / (weights + weights[here])
        rise = rise * ((centres - centres[here]) ** 2).sum(axis=1)
        rise[~active] = np.inf
        rise[here] = np.inf
        nearest = int(np.argmin(rise))
        if len(chain) > 1 and rise[chain[-2]] <= rise[nearest]:
            other = chain[-2]
            del chain[-2:]
            merges.append((float(rise[other]), here, other))
            both = weights[here] + weights[other]
            centres[other] = (
                weights[here] * centres[here] + weights[other] * centres[other]
            ) / both
            weights[other] = both
            active[here] = False
        else:
            chain.append(nearest)
    return sorted(merges, key=lambda merge: merge[0])


def _cut(merges: list[tuple[float, int, int]], n: int, level: int) -> np.ndarray:
    """Cluster of each of n items after all merges but the last level - 1."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, (rise, a, b) in enumerate(merges):
        # Items of one colour are one type, whatever the number of types.
        if i < n - level or rise == 0:
            parent[root(a)] = root(b)
    return np.unique([root(i) for i in range(n)], return_inverse=True)[1]


def _numbered(cluster: np.ndarray, centres: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Clusters numbered from 1 by ascending brightness."""
    brightness = np.bincount(cluster, weights * centres.mean(axis=1)) / np.bincount(
        cluster, weights
    )
    rank = np.empty(len(brightness), np.uint8)
    rank[np.argsort(brightness, kind="stable")] = np.arange(1, len(brightness) + 1)
    return rank[cluster]
