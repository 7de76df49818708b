"""Chips and other squares of a scene, cut when a batch is made.

What is held is the smaller of two things: the scene once, with the squares as views
on it, or the squares themselves. 400,000 chips of 61 x 61 pixels and 4 bands would
take 23.8 GB when cut; 40,000 of 7 x 7 take 31 MB, where a whole Sentinel-2 tile
takes 1.9 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from landcover.errors import InputError
from landcover.grid import Window

#: Rows of a scene that are read at a time.
STRIP_ROWS = 512


def radius_of(size: int) -> int:
    """Pixels from the centre of an odd chip to its edge.

    >>> radius_of(7)
    3
    """
    if size < 1 or size % 2 == 0:
        kind = "even" if size % 2 == 0 else "negative"
        raise InputError(
            f"patch size {size} is {kind}; a patch has a centre pixel: "
            f"choose an odd size, such as {max(1, size + 1)}"
        )
    return size // 2


def require_fits(size: int, rows: int, cols: int) -> None:
    """Raise InputError unless chips of a size can be cut from a scene of rows x cols."""
    radius_of(size)
    if size > min(rows, cols):
        raise InputError(
            f"patch size {size} is larger than the scene ({rows} x {cols} pixels); "
            f"choose an odd size of at most {(min(rows, cols) - 1) // 2 * 2 + 1}"
        )


def cut_nbytes(count: int, size: int, bands: int) -> int:
    """Memory of squares cut in advance, float32.

    >>> cut_nbytes(400_000, 61, 4) / 1e9
    23.8144
    """
    return count * size * size * bands * 4


@dataclass(frozen=True)
class Squares:
    """Squares of one size of a scene, each by the place of its upper left corner.

    Attributes
    ----------
    held : array of float32 (rows, cols, size, size, bands)
        A square for every place: views on the scene, or (squares, 1, ...) when they are cut.
    rows, cols : arrays of int (squares,)
        Where in `held` each one is.
    nbytes : int
        Memory held.
    """

    held: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    nbytes: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """(squares, size, size, bands): what cutting all of them would give."""
        return (len(self), *self.held.shape[2:])

    def batch(self, indices: int | slice | np.ndarray) -> np.ndarray:
        """Cut some squares: float32 (n, size, size, bands), NaN for nodata and outside."""
        return self.held[self.rows[indices], self.cols[indices]]

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Cut squares by index, slice, list or mask."""
        return self.batch(key)


def squares(
    read: Callable[[Window], np.ndarray], tops: np.ndarray, lefts: np.ndarray, size: int
) -> Squares:
    """Read what some squares need of a scene, each strip of it once.

    Parameters
    ----------
    read : callable
        A window, which may reach over the edge, to (bands, rows, cols), NaN outside.
    tops, lefts : arrays of int (squares,)
        Corner pixels; negative ones lie outside the scene.
    size : int
        Side in pixels.

    Returns
    -------
    Squares
        Views on the region that they span, or cut ones where those are smaller.
    """
    tops, lefts = np.asarray(tops, np.int64), np.asarray(lefts, np.int64)
    top, left = (int(at.min(initial=0)) for at in (tops, lefts))
    rows, cols = int(tops.max(initial=0)) - top + size, int(lefts.max(initial=0)) - left + size
    bands = len(read(Window(0, 0, 1, 1)))
    as_views = rows * cols < len(tops) * size * size
    # The two forms are filled alike: a strip is read, and what lies in it is copied
    shape = (rows, cols, bands) if as_views else (len(tops), size, size, bands)
    held = np.full(shape, np.nan, np.float32)
    for start in range(0, rows, STRIP_ROWS):
        inside = np.flatnonzero((tops - top >= start) & (tops - top < start + STRIP_ROWS))
        if not as_views and len(inside):
            strip = read(Window(top + start, left, STRIP_ROWS + size - 1, cols))
            found = views(np.moveaxis(strip, 0, -1), size)
            held[inside] = found[tops[inside] - top - start, lefts[inside] - left]
        elif as_views:
            height = min(STRIP_ROWS, rows - start)
            strip = read(Window(top + start, left, height, cols))
            held[start : start + height] = np.moveaxis(strip, 0, -1)
    if as_views:
        return Squares(views(held, size), tops - top, lefts - left, held.nbytes)
    return Squares(held[:, np.newaxis], np.arange(len(tops)), np.zeros_like(tops), held.nbytes)


def read_chips(
    read: Callable[[Window], np.ndarray], rows: np.ndarray, cols: np.ndarray, size: int
) -> Squares:
    """Chips around pixels, read as by `squares`; the pixel of a chip is at [radius, radius]."""
    radius = radius_of(size)
    return squares(read, np.asarray(rows) - radius, np.asarray(cols) - radius, size)


def chips(image: np.ndarray, rows: np.ndarray, cols: np.ndarray, size: int) -> Squares:
    """Chips around pixels of an array.

    Parameters
    ----------
    image : array (bands, rows, cols)
        Reflectance, NaN for nodata.
    rows, cols : arrays of int (chips,)
        Centre pixels, within the image.
    size : int
        Side in pixels: odd, and not more than the image's sides.

    Returns
    -------
    Squares
        Chips that are cut when they are asked for: ``chips(...)[0:100]`` is float32
        (100, size, size, bands), NaN for nodata and outside the image.

    Raises
    ------
    InputError
        If the size is even, not positive, or larger than the image; or a centre lies outside it.

    Examples
    --------
    >>> image = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    >>> found = chips(image, [1, 0], [1, 4], size=3)
    >>> found.shape
    (2, 3, 3, 1)
    >>> found[0][..., 0]
    array([[ 0.,  1.,  2.],
           [ 5.,  6.,  7.],
           [10., 11., 12.]], dtype=float32)
    >>> found[1][..., 0]
    array([[nan, nan, nan],
           [ 3.,  4., nan],
           [ 8.,  9., nan]], dtype=float32)
    """
    image = np.asarray(image)
    if image.ndim != 3:
        raise InputError(f"image has the shape {image.shape}; give (bands, rows, cols)")
    height, width = image.shape[1:]
    require_fits(size, height, width)
    rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    if rows.shape != cols.shape or rows.ndim != 1:
        raise InputError(
            f"rows have shape {rows.shape} and cols {cols.shape}; give a row and a col a chip"
        )
    if len(rows) and not (
        0 <= rows.min() <= rows.max() < height and 0 <= cols.min() <= cols.max() < width
    ):
        raise InputError(
            f"centres lie outside the image of {height} x {width} pixels; "
            "rows and cols count its pixels from 0"
        )
    return read_chips(lambda window: cut(image, window, dtype=np.float32), rows, cols, size)


def views(image: np.ndarray, size: int) -> np.ndarray:
    """Every square of an image (rows, cols, bands), as (rows, cols, size, size, bands)."""
    found = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    return found.transpose(0, 1, 3, 4, 2)


def cut(
    values: np.ndarray,
    window: Window,
    outside: float = np.nan,
    dtype: npt.DTypeLike | None = None,
) -> np.ndarray:
    """A window of an image (bands, rows, cols), which may reach over its edges.

    Only the window is padded: a whole image of 1 x 4,000,000 pixels, padded to
    tiles of 256, would take 256 times its memory.

    >>> cut(np.ones((1, 2, 3), np.float32), Window(1, -1, 2, 3)).tolist()
    [[[nan, 1.0, 1.0], [nan, nan, nan]]]
    """
    found = np.full((len(values), window.rows, window.cols), outside, dtype or values.dtype)
    part, place = window.within(*values.shape[1:])
    found[:, *place] = values[:, *part.slices]
    return found


@njit(cache=True, nogil=True)
def cut_chips(image: np.ndarray, pixels: np.ndarray, chips: np.ndarray, first: int) -> None:
    """Copy the patches of an image's pixels side by side.

    Parameters
    ----------
    image : array of float32, (bands, rows + 2 radius, cols + 2 radius)
    pixels : array of int64, (n,)
        Numbers of pixels without the margin, counted along the rows.
    chips : array of float32, (bands, size, size, m)
        Takes the patches; size is 2 radius + 1.
    first : int
        Where the first of them goes.
    """
    bands, size = chips.shape[:2]
    width = image.shape[2]
    corners = pixels // (width - size + 1) * width + pixels % (width - size + 1)
    for band in range(bands):
        values = image[band].ravel()
        for down in range(size):
            for right in range(size):
                line, offset = chips[band, down, right], down * width + right
                for i in range(len(corners)):
                    line[first + i] = values[corners[i] + offset]
