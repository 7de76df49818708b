"""Chips: square patches of a scene, as views until a batch is made.

A scene is kept once, with a margin of NaN; a chip is a place in it. Cutting
400,000 chips of 61 x 61 pixels and 4 bands in advance takes 23.8 GB; as views
they take the scene itself and 16 bytes each.
"""

from __future__ import annotations

import numpy as np

from landcover.errors import LandcoverError


def radius_of(size: int) -> int:
    """Pixels from the centre of an odd chip to its edge.

    >>> radius_of(7)
    3
    """
    if size < 1 or size % 2 == 0:
        kind = "even" if size % 2 == 0 else "negative"
        raise LandcoverError(
            f"patch size {size} is {kind}; a patch has a centre pixel: "
            f"choose an odd size, such as {max(1, size + 1)}"
        )
    return size // 2


def require_fits(size: int, rows: int, cols: int) -> None:
    """Raise LandcoverError unless chips of a size can be cut from a scene of rows x cols."""
    radius_of(size)
    if size > min(rows, cols):
        raise LandcoverError(
            f"patch size {size} is larger than the scene ({rows} x {cols} pixels); "
            f"choose an odd size of at most {(min(rows, cols) - 1) // 2 * 2 + 1}"
        )


def cut_nbytes(count: int, size: int, bands: int) -> int:
    """Memory of chips cut in advance, float32.

    >>> cut_nbytes(400_000, 61, 4) / 1e9
    23.8144
    """
    return count * size * size * bands * 4


def view_nbytes(count: int, size: int, bands: int, rows: int, cols: int) -> int:
    """Memory of the same chips as views on a scene of rows x cols pixels.

    >>> view_nbytes(400_000, 61, 4, 1100, 4000) / 1e6
    81.7536
    """
    margin = 2 * radius_of(size)
    return (rows + margin) * (cols + margin) * bands * 4 + count * 2 * 8


class Chips:
    """Chips of one size, one around each of some pixels.

    Parameters
    ----------
    image : array (bands, rows, cols)
        Reflectance, NaN for nodata.
    rows, cols : arrays of int (chips,)
        Centre pixels, within the image.
    size : int
        Side in pixels: odd, and not more than the image's sides.

    Raises
    ------
    LandcoverError
        If the size is even, not positive, or larger than the image.

    Examples
    --------
    >>> image = np.arange(20, dtype=np.float32).reshape(1, 4, 5)
    >>> chips = Chips(image, [1, 0], [1, 4], size=3)
    >>> len(chips), chips.nbytes
    (2, 200)
    >>> chips[0][..., 0]
    array([[ 0.,  1.,  2.],
           [ 5.,  6.,  7.],
           [10., 11., 12.]], dtype=float32)
    >>> chips[1][..., 0]
    array([[nan, nan, nan],
           [ 3.,  4., nan],
           [ 8.,  9., nan]], dtype=float32)
    """

    def __init__(self, image: np.ndarray, rows: np.ndarray, cols: np.ndarray, size: int):
        self.size = int(size)
        self.radius = radius_of(self.size)
        height, width = image.shape[1:]
        require_fits(self.size, height, width)
        self.rows = np.asarray(rows, np.int64)
        self.cols = np.asarray(cols, np.int64)
        if self.rows.shape != self.cols.shape or self.rows.ndim != 1:
            raise ValueError(f"{self.rows.shape} rows and {self.cols.shape} cols")
        if len(self) and not (
            0 <= self.rows.min() <= self.rows.max() < height
            and 0 <= self.cols.min() <= self.cols.max() < width
        ):
            raise ValueError(f"centres lie outside the image of {height} x {width} pixels")
        self._padded = _padded(image, self.radius)
        windows = np.lib.stride_tricks.sliding_window_view(
            self._padded, (self.size, self.size), axis=(0, 1)
        )
        self._windows = windows.transpose(0, 1, 3, 4, 2)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(chips, size, size, bands): what cutting all of them would give."""
        return len(self), self.size, self.size, self._padded.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes held: the scene with its margin and the chips' places."""
        return self._padded.nbytes + self.rows.nbytes + self.cols.nbytes

    def batch(self, indices: int | slice | np.ndarray) -> np.ndarray:
        """Cut some chips: float32 (n, size, size, bands), NaN for nodata and outside.

        The pixel that a chip belongs to is at [radius, radius].
        """
        return self._windows[self.rows[indices], self.cols[indices]]

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Cut chips by index, slice, list or mask."""
        return self.batch(key)


def _padded(image: np.ndarray, radius: int) -> np.ndarray:
    """The image with a margin of NaN, bands last as networks take them, float32."""
    bands, rows, cols = image.shape
    padded = np.full((rows + 2 * radius, cols + 2 * radius, bands), np.nan, np.float32)
    padded[radius : radius + rows, radius : radius + cols] = np.moveaxis(image, 0, -1)
    return padded
