"""Post-processing by regions: a majority by region, and a smallest region.

Nothing here learns: `Ballot` gives every region of another layer one class, and `sieve` merges
what is smaller than a map is to show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from landcover.errors import InputError
from landcover.files.rasters import valid_pixels
from landcover.grid import Window
from landcover.legend import UNLABELLED

#: Probabilities are counted in these parts, so that their sums are exact in any order.
_PARTS = 2**24
#: Rows whose areas are in memory at once.
_STRIP_PX = 512


class Ballot:
    """Votes of pixels for the class of the region that holds them, gathered window by window.

    Parameters
    ----------
    codes : sequence of int
        Classes, ascending.

    Examples
    --------
    >>> ballot = Ballot([211, 311, 512])
    >>> regions = np.array([[1, 1, 1, 2, 2, 0]])
    >>> codes = np.array([[311, 211, 311, 512, 211, 512]])
    >>> ballot.add(regions, codes)
    >>> ballot.settle(regions, codes).tolist()
    [[311, 311, 311, 211, 211, 512]]
    """

    def __init__(self, codes: Sequence[int]) -> None:
        self.codes = np.array([*codes, UNLABELLED], np.uint16)
        self._votes = np.zeros((1, len(codes)))

    def add(self, regions: np.ndarray, codes: np.ndarray) -> None:
        """Count a vote of every pixel for its class.

        Parameters
        ----------
        regions : array of int
            Number of each pixel's region, from 1; pixels of 0 have no vote.
        codes : array of int, same shape
            Class codes; a pixel of 0 (unlabelled) has no vote.
        """
        voting = (regions > 0) & (codes != UNLABELLED)
        index = np.searchsorted(self.codes[:-1], codes[voting])
        self._count(regions[voting].astype(np.int64), index, None)

    def add_probabilities(self, regions: np.ndarray, probabilities: np.ndarray) -> None:
        """Count every pixel's probabilities, (classes, rows, cols), NaN where it has no vote."""
        voting = (regions > 0) & valid_pixels(probabilities)
        number = regions[voting].astype(np.int64)
        for k, probability in enumerate(probabilities):
            parts = np.rint(probability[voting].astype(np.float64) * _PARTS)
            self._count(number, np.full(number.size, k), parts)

    def _count(self, number: np.ndarray, index: np.ndarray, parts: np.ndarray | None) -> None:
        """Add votes; there are as many regions as have been seen."""
        if not number.size:
            return
        classes = self._votes.shape[1]
        first, end = int(number.min()), int(number.max()) + 1
        if end > len(self._votes):
            self._votes = np.pad(self._votes, ((0, end - len(self._votes)), (0, 0)))
        cells = (number - first) * classes + index
        seen = np.bincount(cells, parts, minlength=(end - first) * classes)
        self._votes[first:end] += seen.reshape(-1, classes)

    def winners(self) -> np.ndarray:
        """Class of every region by its number, uint16; the lowest of equals, 0 without votes."""
        best = self._votes.argmax(axis=1)
        return np.where(self._votes.any(axis=1), self.codes[best], UNLABELLED).astype(np.uint16)

    def settle(self, regions: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Class codes in which every region has one class.

        Pixels outside all regions keep theirs, and pixels without a class stay without.
        """
        winners = self.winners()
        counted = np.where(regions < len(winners), regions, 0)
        won = winners[counted]
        return np.where((won > 0) & (codes != UNLABELLED), won, codes).astype(np.uint16)


def sieve(codes: np.ndarray, smallest_px: int, connectivity: int = 4) -> np.ndarray:
    """Merge every region of a map that is too small into its largest neighbour.

    A region is made of connected pixels of one class. GDAL's sieve filter does the merging, on
    the whole array at once. Called once, it leaves regions alone whose neighbours are all
    small too, as in a noisy map. So it is called for 2, 4, 8, ... pixels, and at `smallest_px`
    until nothing changes: the smallest merge first, and their neighbours grow.

    Parameters
    ----------
    codes : array of uint16, (rows, cols)
        Class codes; 0 is nodata, stays so, and counts as no neighbour.
    smallest_px : int
        Fewest pixels of a region that stays.
    connectivity : int
        4: pixels are connected by their sides. 8: by their corners too, which keeps diagonal
        lines of pixels, such as brooks, in one piece.

    Returns
    -------
    array of uint16, (rows, cols)
        Smaller regions are left only on islands in nodata where no region is large enough.

    Raises
    ------
    InputError
        If the size or connectivity is out of range.

    Examples
    --------
    >>> codes = np.array([[211, 211, 211, 0], [211, 512, 311, 0], [311, 311, 311, 512]], np.uint16)
    >>> sieve(codes, 2).tolist()
    [[211, 211, 211, 0], [211, 211, 311, 0], [311, 311, 311, 311]]
    """
    from rasterio.features import sieve as gdal_sieve

    if not 2 <= smallest_px < codes.size:
        raise InputError(
            f"a smallest region of {smallest_px} pixels does not sieve a map of {codes.size}; "
            "choose at least 2 pixels, and fewer than the map has"
        )
    if connectivity not in (4, 8):
        raise InputError(f"connectivity {connectivity} does not exist; choose 4 or 8")
    mask = (codes != UNLABELLED).astype(np.uint8)
    for size in (2**i for i in range(1, int(smallest_px - 1).bit_length())):
        codes = gdal_sieve(codes, size, mask=mask, connectivity=connectivity)
    while True:
        before = codes
        codes = gdal_sieve(before, smallest_px, mask=mask, connectivity=connectivity)
        if np.array_equal(codes, before):
            return codes


def sieve_by_area(
    codes: np.ndarray, areas: Callable[[Window], np.ndarray], smallest: float, pixel: float
) -> np.ndarray:
    """The same as `sieve` for pixels of unequal area: a region has the sum of its own pixels.

    Where all pixels are alike, the result is that of `sieve`, but for the choice among neighbours
    of one size.

    Parameters
    ----------
    codes : array of uint16, (rows, cols)
        Class codes; 0 is nodata, stays so, and counts as no neighbour.
    areas : callable
        From a window to the area of each of its pixels.
    smallest : float
        Least area of a region that stays; less by a tenth of `pixel` is enough.
    pixel : float
        Area of the smallest pixel: the first sizes tried are twice as large, 4, 8, ... times.

    Returns
    -------
    array of uint16, (rows, cols)
        Smaller regions are left only on islands in nodata where no region is large enough.

    Examples
    --------
    >>> codes = np.array([[211, 211, 311], [211, 211, 512], [211, 211, 512]], np.uint16)
    >>> rows = np.array([[1.0], [2.0], [3.0]])
    >>> sieve_by_area(codes, lambda w: rows[w.slices[0]] + np.zeros(w.cols), 4.0, 1.0).tolist()
    [[211, 211, 211], [211, 211, 512], [211, 211, 512]]
    """
    size = 2 * pixel
    while size < smallest:
        codes = _merged(codes, areas, size - 0.1 * pixel)
        size *= 2
    while True:
        before = codes
        codes = _merged(before, areas, smallest - 0.1 * pixel)
        if np.array_equal(codes, before):
            return codes


def large_regions(
    held: np.ndarray, areas: Callable[[Window], np.ndarray], smallest: float, pixel: float
) -> np.ndarray:
    """What is left where regions that are too small are left out.

    Parameters
    ----------
    held : array of bool, (rows, cols)
        A region is made of connected pixels that are true, connected by their sides.
    areas, smallest, pixel
        As for `sieve_by_area`.

    Returns
    -------
    array of bool, (rows, cols)

    Examples
    --------
    >>> held = np.array([[1, 1, 0, 1], [0, 1, 0, 0]], bool)
    >>> large_regions(held, lambda w: np.ones((w.rows, w.cols)), 2, 1).astype(int).tolist()
    [[1, 1, 0, 0], [0, 1, 0, 0]]
    """
    from skimage.measure import label

    regions, n = label(held, background=0, connectivity=1, return_num=True)
    large = _areas(regions, n, areas) >= smallest - 0.1 * pixel
    large[0] = False
    return large[regions]


def _areas(regions: np.ndarray, n: int, areas: Callable[[Window], np.ndarray]) -> np.ndarray:
    """Area of every one of n regions by its number, with that of what is in none."""
    found = np.zeros(n + 1)
    for row in range(0, regions.shape[0], _STRIP_PX):
        strip = Window(row, 0, min(_STRIP_PX, regions.shape[0] - row), regions.shape[1])
        held = regions[strip.slices].ravel()
        found += np.bincount(held, areas(strip).ravel(), minlength=n + 1)
    return found


def _merged(codes: np.ndarray, areas: Callable[[Window], np.ndarray], least: float) -> np.ndarray:
    """Codes in which regions of less than an area have become their largest neighbour's class.

    Those whose neighbours are all as small stay.
    """
    from skimage.measure import label

    regions, n = label(codes, background=UNLABELLED, connectivity=1, return_num=True)
    area = _areas(regions, n, areas)
    code_of = np.zeros(n + 1, codes.dtype)
    code_of[regions] = codes
    small, large = _neighbours(regions, area < least)
    # The last of a region's neighbours counts: the largest, of equals the first in the raster
    order = np.lexsort((-large, area[large], small))
    becomes = np.arange(n + 1)
    becomes[small[order]] = large[order]
    return code_of[becomes][regions]


def _neighbours(regions: np.ndarray, is_small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a small region and one beside it that is not small."""
    pairs = [(regions[:-1], regions[1:]), (regions[:, :-1], regions[:, 1:])]
    found = []
    for one, other in pairs:
        for a, b in ((one, other), (other, one)):
            meet = is_small[a] & ~is_small[b] & (a > 0) & (b > 0)
            found.append(np.stack([a[meet], b[meet]]))
    small, large = np.concatenate(found, axis=1)
    return small, large
