"""Graph-based segmentation of all bands: the partition of Felzenszwalb and Huttenlocher (2004).

Pixels are joined along their 8-connected edges in ascending order of weight. Holding all
edges, four a pixel, is what makes common implementations take hundreds of bytes a pixel.
Here the weights are computed again from the image whenever they are needed, row by row, and
edges are taken one range of weights at a time: those that already lie inside one segment
are dropped before anything is sorted. Every range is sorted exactly, so the partition is
that of one sort of all edges.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np

from landcover.errors import LandcoverError
from landcover.pixel_graph import (
    collect_edges,
    count_bits,
    join,
    label,
    merge_small,
    sort_edges_by,
)
from landcover.progress import track

#: An edge number is four times its pixel's number plus its direction, in 32 bits.
MAX_PIXELS = 2**30

#: Gaussian kernels end at this many standard deviations, as in scipy.
TRUNCATE = 4.0

#: Scale is given for images of 0-255, as in the paper.
GREY_LEVELS = 255.0

_INFINITY_BITS = int(np.array(np.inf).view(np.int64))
_BLOCK_PIXELS = 2**16
_COUNT_BITS = 18
_THREADS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def felzenszwalb(
    image: np.ndarray,
    scale: float = 1200.0,
    sigma: float = 0.5,
    min_size: int = 500,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Segments of an image, joined along the edges of its pixel graph.

    Each band is smoothed by a Gaussian; an edge joins each pixel to its eight neighbours and
    weighs the Euclidean distance of their smoothed colours. In ascending order of weight, an
    edge joins two segments when it weighs less than ``largest inner edge + scale / 255 / size``
    of both. Then, in the same order, edges join every segment below `min_size` to a neighbour.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        Values in one unit; `scale` refers to images that span 0-1. Not finite means invalid.
    scale : float
        Larger scale, larger segments; at least 0, in grey levels of 0-255.
    sigma : float
        Standard deviation of the Gaussian in pixels, at least 0. Around invalid pixels, and
        only there, it is a normalised convolution over the valid pixels.
    min_size : int
        Smallest segment, pixels. Only an area that invalid pixels cut off may be smaller.
    valid : array of bool, (rows, cols), optional
        False where pixels take no part.

    Returns
    -------
    array of int32, (rows, cols)
        Segments 1 to n in raster order of their first pixel; 0 where not valid.

    Raises
    ------
    LandcoverError
        If the image is not of floats (scikit-image would rescale integers silently), shapes
        disagree, a setting is out of range, or there are 2**30 pixels or more.

    Notes
    -----
    The partition of ``skimage.segmentation.felzenszwalb(np.moveaxis(image, 0, -1), ...)`` on
    the same floats, where edge weights are distinct. Edges of equal weight are taken in raster
    order of their first pixel; at one pixel: right, lower left, below, lower right.

    Takes up to 38 bytes a pixel beyond image and result, typically 25 to 30.

    References
    ----------
    P. F. Felzenszwalb and D. P. Huttenlocher, Efficient graph-based image segmentation,
    International Journal of Computer Vision 59 (2004), doi 10.1023/B:VISI.0000022288.19776.77

    Examples
    --------
    >>> image = np.zeros((1, 4, 6))
    >>> image[0, :, 3:] = 0.5
    >>> felzenszwalb(image, scale=10, sigma=0, min_size=1)[0]
    array([1, 1, 1, 2, 2, 2], dtype=int32)
    """
    _check(image, scale, sigma, min_size, valid)
    image = np.ascontiguousarray(image, None if image.dtype == np.float32 else np.float64)
    if image.size == 0:
        return np.zeros(image.shape[1:], np.int32)
    min_size = min(int(min_size), MAX_PIXELS)
    usable, masked = _usable(image, valid)
    graph = _Graph(image, usable, masked, _kernel(sigma), scale / GREY_LEVELS, min_size)
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in track(graph.join_all(pool), "joining segments"):
            pass
    merge_small(graph.rejected[: graph.n_rejected], graph.cols, min_size, graph.parent)
    return label(graph.parent, usable, masked, image.shape[1], image.shape[2])


class _Graph:
    """The pixel graph while it is being joined.

    `parent` is a union-find forest; a root holds minus its segment's size. `limit` is, at a
    root, the weight that an edge must stay below to join the segment. Weights are squared
    until they meet a limit, and ranges of them are ranges of their bits as integers: the
    bits of positive floats sort as the floats do.
    """

    def __init__(self, image, usable, masked, kernel, scale, min_size):
        _, self.rows, self.cols = image.shape
        pixels = self.rows * self.cols
        self.source = image, usable, masked, kernel
        self.scale, self.min_size = scale, min_size
        self.parent = np.full(pixels, -1, np.int32)
        self.limit = np.full(pixels, scale, np.float64)
        # Memory is taken only as far as it is filled: mostly far less than four a pixel.
        self.rejected = np.empty(4 * pixels, np.uint32)
        self.n_rejected = 0
        self.n_last = 0
        capacity = min(4 * pixels, max(pixels // 3, _BLOCK_PIXELS))
        self.weights, self.edges = np.empty(capacity), np.empty(capacity, np.uint32)
        self.sorted_weights, self.sorted_edges = np.empty(capacity), np.empty(capacity, np.uint32)

    def join_all(self, pool: Executor | None) -> Iterator[None]:
        """Join along all edges; yields after every range of weights."""
        self.pool = pool
        yield from self._join_range(0, _INFINITY_BITS)

    def _join_range(self, low: int, high: int) -> Iterator[None]:
        """Join along the edges of weights [low, high), whatever their number."""
        if self._try_join(low, high):
            yield
        elif high - low == 1:
            # Edges of one weight need no sorting: they go block by block.
            for weights, edges in self._blocks(low, high):
                self._join(weights, edges)
            yield
        else:
            yield from self._join_parts(low, high)

    def _join_parts(self, low: int, high: int) -> Iterator[None]:
        """Join along the edges of a range too full to sort at once."""
        shift = max(0, (high - low - 1).bit_length() - _COUNT_BITS)
        below = np.concatenate([[0], np.cumsum(self._count(low, high, shift))])
        capacity, last = len(self.weights), len(below) - 1
        start, share = 0, 1.0
        while start < last:
            # As much as fits if, as in the last part, only a share lies between segments.
            room = below[start] + capacity * 0.9 / share
            stop = int(np.searchsorted(below, room, side="right")) - 1
            stop = min(max(stop, start + 1), last)
            held = int(below[stop] - below[start])
            part = low + (start << shift), min(low + (stop << shift), high)
            if held and stop - start == 1:
                yield from self._join_range(*part)
            elif held:
                if not self._try_join(*part):
                    share = 1.0
                    continue
                yield
                share = max(self.n_last / held, 0.02)
            start = stop

    def _try_join(self, low: int, high: int) -> bool:
        """Join along the edges of a range, if they fit at once."""
        n = 0
        for weights, edges in self._blocks(low, high):
            if n + len(weights) > len(self.weights):
                return False
            self.weights[n : n + len(weights)] = weights
            self.edges[n : n + len(weights)] = edges
            n += len(weights)
        _sort(self.weights[:n], self.edges[:n], self.sorted_weights, self.sorted_edges)
        self._join(self.sorted_weights[:n], self.sorted_edges[:n])
        self.n_last = n
        return True

    def _count(self, low: int, high: int, shift: int) -> np.ndarray:
        """Number of edges in bins of 2**shift of a range."""
        counts = np.zeros(((high - low - 1) >> shift) + 1, np.int64)
        for weights, _ in self._blocks(low, high):
            count_bits(weights.view(np.int64), low, shift, counts)
        return counts

    def _blocks(self, low: int, high: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Weights and numbers of the edges of a range between segments, a block of rows a time."""
        step = max(1, _BLOCK_PIXELS // self.cols)
        blocks = [(row, min(row + step, self.rows)) for row in range(0, self.rows, step)]

        def collect(block):
            image, usable, masked, kernel = self.source
            first, stop = block
            return collect_edges(image, usable, masked, kernel, low, high, first, stop, self.parent)

        if self.pool is None or len(blocks) == 1:
            yield from map(collect, blocks)
            return
        for first in range(0, len(blocks), _THREADS):
            yield from list(self.pool.map(collect, blocks[first : first + _THREADS]))

    def _join(self, weights: np.ndarray, edges: np.ndarray) -> None:
        self.n_rejected = join(
            weights,
            edges,
            self.cols,
            self.scale,
            self.min_size,
            self.parent,
            self.limit,
            self.rejected,
            self.n_rejected,
        )


def _sort(weights, edges, sorted_weights, sorted_edges) -> None:
    """Sort edges by weight, then number."""
    low, high = weights.min(initial=np.inf), weights.max(initial=0.0)
    # Bins even in bits suit a long tail of weights, which is what the last range is.
    long_tail = weights.size and weights.mean() < low + (high - low) / 8
    keys = weights.view(np.int64) if long_tail else weights
    sort_edges_by(keys, weights, edges, sorted_weights, sorted_edges)


def _check(image, scale, sigma, min_size, valid) -> None:
    """Raise LandcoverError for what `felzenszwalb` cannot take."""
    if getattr(image, "ndim", 0) != 3:
        shape = getattr(image, "shape", type(image).__name__)
        raise LandcoverError(
            f"image of shape {shape} cannot be segmented; give (bands, rows, cols)"
        )
    if image.dtype.kind != "f":
        raise LandcoverError(
            f"image of {image.dtype} cannot be segmented: scale has no meaning on digital numbers; "
            "give reflectance or another float image of about 0-1"
        )
    rows, cols = image.shape[1:]
    if rows * cols >= MAX_PIXELS:
        raise LandcoverError(
            f"image of {rows} x {cols} pixels is too large to segment at once; "
            f"stay below {MAX_PIXELS} pixels, for example by cutting it into tiles"
        )
    for name, value in {"scale": scale, "sigma": sigma}.items():
        if not (np.isfinite(value) and value >= 0):
            raise LandcoverError(f"{name} {value} is out of range; give a number from 0 up")
    if not 0 <= min_size < float("inf") or min_size != int(min_size):
        raise LandcoverError(f"min_size {min_size} is not a whole number of pixels from 0 up")
    if valid is not None and (valid.shape != image.shape[1:] or valid.dtype != bool):
        raise LandcoverError(
            f"valid of shape {valid.shape} and type {valid.dtype} does not fit the image; "
            f"give bool of shape {image.shape[1:]}"
        )


def _usable(image: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """Which pixels take part, and whether any does not; a stand-in when all do."""
    usable = np.ones(image.shape[1:], bool) if valid is None else valid.copy()
    for band in image:
        usable &= np.isfinite(band)
    if usable.all():
        return np.ones((1, 1), bool), False
    return usable, True


def _kernel(sigma: float) -> np.ndarray:
    """Half a Gaussian kernel, centre first, as scipy makes it."""
    if sigma <= 1e-15:
        return np.ones(1)
    radius = int(TRUNCATE * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 / (sigma * sigma) * x**2)
    return (kernel / kernel.sum())[radius:].copy()
