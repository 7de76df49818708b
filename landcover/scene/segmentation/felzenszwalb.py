"""Graph-based segmentation of all bands: the partition of Felzenszwalb and Huttenlocher (2004).

Pixels are joined along their 8-connected edges in ascending order of weight. Common
implementations hold all edges, four a pixel, which takes hundreds of bytes a pixel. They process
them in one order over the whole image, which is slow. Here strips of the image are first joined
alone, as far as pixels outside them have no influence. The other edges are processed one range of
weights at a time. Weights are computed again from the image whenever they are needed. Edges that
can no longer join anything are dropped before sorting. Every range is sorted exactly, so the
partition is that of one sort of all edges.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from numbers import Real
from typing import TypeVar

import numpy as np

from landcover.errors import InputError
from landcover.progress import track
from landcover.scene.segmentation.pixel_edges import deal_edges, sort_bins
from landcover.scene.segmentation.pixel_graph import (
    collect_edges,
    count_bits,
    join,
    join_strip,
    label,
    merge_small,
    shorten,
)

Found = TypeVar("Found")

#: An edge number is four times its pixel's number plus its direction, in 32 bits.
MAX_PIXELS = 2**30

#: Gaussian kernels end at this many standard deviations, as in scipy.
TRUNCATE = 4.0

#: Scale is given for images of 0-255, as in the paper.
GREY_LEVELS = 255.0

#: Edges that are sorted at once, a pixel; each takes 24 bytes.
EDGES_PER_PIXEL = 0.3
_LEAST_EDGES = 2**16

#: Strips are first joined alone, along this share of their edges, the lightest. In higher strips
#: fewer segments wait for edges outside; heavier edges mostly meet segments that wait.
STRIP_ROWS = 128
LIGHTEST = 0.35

_INFINITY_BITS = int(np.array(np.inf).view(np.int64))
_BLOCK_PIXELS = 2**14
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
    InputError
        If the image is not of floats (scikit-image would rescale integers silently), shapes
        disagree, a setting is out of range, or there are 2**30 pixels or more.

    Notes
    -----
    The partition of ``skimage.segmentation.felzenszwalb(np.moveaxis(image, 0, -1), ...)`` on
    the same floats, where edge weights are distinct. Edges of equal weight are taken in raster
    order of their first pixel; at one pixel: right, lower left, below, lower right.

    Takes at most 40 bytes a pixel beyond image and result, from a million pixels on.

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
    return _segments(image, scale / GREY_LEVELS, sigma, min_size, valid)


def segments_of_levels(
    levels: np.ndarray,
    scale: float,
    sigma: float,
    min_size: int,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """`felzenszwalb` of an image that is held in levels, in half of the memory of floats.

    Parameters
    ----------
    levels : array of uint16, (bands, rows, cols)
        Values counted in steps of one unit.
    scale : float
        In 255ths of a step, as the other is in 255ths of 1.
    sigma, min_size, valid
        As of `felzenszwalb`.

    Returns
    -------
    array of int32, (rows, cols)
        As of `felzenszwalb`, for the same numbers as floats.

    Raises
    ------
    InputError
        As of `felzenszwalb`.

    Examples
    --------
    >>> levels = np.zeros((1, 4, 6), np.uint16)
    >>> levels[0, :, 3:] = 500
    >>> segments_of_levels(levels, scale=10 * 1000, sigma=0, min_size=1)[0]
    array([1, 1, 1, 2, 2, 2], dtype=int32)
    """
    _check_shapes(levels, valid)
    check_settings(scale, sigma, min_size)
    if levels.dtype != np.uint16:
        raise InputError(f"levels of {levels.dtype} cannot be segmented; give uint16")
    return _segments(np.ascontiguousarray(levels), scale / GREY_LEVELS, sigma, min_size, valid)


def _segments(
    image: np.ndarray, scale: float, sigma: float, min_size: int, valid: np.ndarray | None
) -> np.ndarray:
    """Segments of an image of any numbers, `scale` in their unit."""
    if image.size == 0:
        return np.zeros(image.shape[1:], np.int32)
    min_size = min(int(min_size), MAX_PIXELS)
    usable, masked = _usable(image, valid)
    with ThreadPoolExecutor(_THREADS) as pool:
        graph = _Graph(image, usable, masked, _kernel(sigma), scale, min_size, pool)
        for _ in track(graph.join_all(), "joining segments"):
            pass
    parent = graph.parent
    del graph
    return label(parent, usable, masked, image.shape[1], image.shape[2])


class _Graph:
    """The pixel graph while it is being joined.

    See `pixel_graph` for `parent` and `limit`. Weights are squared until they meet a limit, and
    ranges of them are ranges of their bits as integers: the bits of positive floats sort as
    the floats do.
    """

    def __init__(
        self,
        image: np.ndarray,
        usable: np.ndarray,
        masked: bool,
        kernel: np.ndarray,
        scale: float,
        min_size: int,
        pool: ThreadPoolExecutor,
    ) -> None:
        _, self.rows, self.cols = image.shape
        self.source = image, usable, masked, kernel
        self.scale, self.min_size, self.pool = scale, min_size, pool
        # The smallest size, once small segments are being merged.
        self.merging = 0
        pixels = self.rows * self.cols
        self.parent = np.full(pixels, -1, np.int32)
        self.limit = np.full(pixels, scale, np.float64)
        capacity = min(4 * pixels, max(int(EDGES_PER_PIXEL * pixels), _LEAST_EDGES))
        self.weights, self.edges = np.empty(capacity), np.empty(capacity, np.uint32)
        self.other_weights, self.other_edges = np.empty(capacity), np.empty(capacity, np.uint32)
        self.block_rows = max(1, max(_BLOCK_PIXELS, pixels // 256) // self.cols)

    def join_all(self) -> Iterator[None]:
        """Join along all edges; yields after each part of the work, for a progress bar."""
        if len(self.weights) < 4 * len(self.parent):
            # In a small image, strips of full height would take more memory than everything else.
            rows = min(STRIP_ROWS, max(16, self.rows // 16))
            yield from self._each_block(self._join_strip, rows)
        yield from self._join_range(0, _INFINITY_BITS)
        if self.min_size > 1:
            self.merging = self.min_size
            yield from self._join_range(0, _INFINITY_BITS)

    def _join_strip(self, start: int, stop: int) -> None:
        join_strip(self.source, start, stop, LIGHTEST, self.scale, self.parent, self.limit)

    def _join_range(self, low: int, high: int) -> Iterator[None]:
        """Join along the edges of weights [low, high), whatever their number."""
        if self._try_join(low, high):
            yield
            return
        bins = _Bins(low, high)
        for weights, _ in self._collect(low, high):
            bins.add(weights)
        if bins.low + 1 == bins.high:
            # Edges of one weight need no sorting: they go block by block.
            for weights, edges in self._collect(bins.low, bins.high):
                self._join(weights, edges)
            self._shorten()
            yield
            return
        below = np.concatenate([[0], np.cumsum(bins.counts)])
        start, last = 0, len(bins.counts)
        while start < last:
            stop = int(np.searchsorted(below, below[start] + len(self.weights), side="right")) - 1
            stop = max(stop, start + 1)
            yield from self._join_range(*bins.range(start, stop))
            start = stop
            # Joining has made many heavier edges needless: mostly the rest fits at once.
            if start < last and self._try_join(*bins.range(start, last)):
                yield
                return

    def _try_join(self, low: int, high: int) -> bool:
        """Join along the edges of a range, if they fit at once."""
        n = 0
        for weights, edges in self._collect(low, high):
            if n + len(weights) > len(self.weights):
                return False
            self.weights[n : n + len(weights)] = weights
            self.edges[n : n + len(weights)] = edges
            n += len(weights)
        self._sort(n)
        self._join(self.weights[:n], self.edges[:n])
        self._shorten()
        return True

    def _sort(self, n: int) -> None:
        """Sort the first n edges by weight, then number: put into bins, then sorted bin by bin."""
        weights, edges = self.weights[:n], self.edges[:n]
        dealt_weights, dealt_edges = self.other_weights[:n], self.other_edges[:n]
        low, high = weights.min(initial=np.inf), weights.max(initial=0.0)
        # Bins even in bits suit a long tail of weights, which is what the last range is.
        long_tail = n and weights.mean() < low + (high - low) / 8
        keys = weights.view(np.int64) if long_tail else weights
        n_bins = min(max(n >> 13, 1), 1024)
        starts = deal_edges(keys, weights, edges, n_bins, dealt_weights, dealt_edges)

        def sort_part(first: int, last: int) -> None:
            sort_bins(dealt_weights, dealt_edges, starts, first, last, weights, edges)

        cuts = np.unique(np.searchsorted(starts, np.linspace(0, n, 4 * _THREADS + 1)))
        list(self.pool.map(sort_part, cuts[:-1], cuts[1:]))

    def _join(self, weights: np.ndarray, edges: np.ndarray) -> None:
        if self.merging:
            merge_small(edges, self.cols, self.merging, self.parent)
        else:
            join(weights, edges, self.cols, self.scale, self.parent, self.limit)

    def _shorten(self) -> None:
        for _ in self._each_block(
            lambda start, stop: shorten(self.parent, start * self.cols, stop * self.cols)
        ):
            pass

    def _collect(self, low: int, high: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Weights and numbers of the edges of a range that matter, a block of rows a time."""
        forest = self.parent, self.limit, self.merging
        return self._each_block(
            lambda start, stop: collect_edges(self.source, low, high, start, stop, *forest)
        )

    def _each_block(self, work: Callable[[int, int], Found], step: int = 0) -> Iterator[Found]:
        """Results of work on every block of rows, in order, a few ahead."""
        step = step or self.block_rows
        blocks = [(row, min(row + step, self.rows)) for row in range(0, self.rows, step)]
        if len(blocks) == 1:
            yield work(*blocks[0])
            return
        waiting: deque[Future[Found]] = deque()
        try:
            for block in blocks:
                waiting.append(self.pool.submit(work, *block))
                if len(waiting) > _THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


class _Bins:
    """Numbers of edges in bins of a range of weights, and where in it they lie."""

    def __init__(self, low: int, high: int) -> None:
        self.shift = max(0, (high - low - 1).bit_length() - _COUNT_BITS)
        self.counts = np.zeros(((high - low - 1) >> self.shift) + 1, np.int64)
        self.first, self.end = low, high
        self.low, self.high = high, low

    def add(self, weights: np.ndarray) -> None:
        """Count edges."""
        bits = weights.view(np.int64)
        if len(bits):
            count_bits(bits, self.first, self.shift, self.counts)
            self.low = min(self.low, int(bits.min()))
            self.high = max(self.high, int(bits.max()) + 1)

    def range(self, start: int, stop: int) -> tuple[int, int]:
        """Range of weights of some bins."""
        bits = self.first + (start << self.shift), self.first + (stop << self.shift)
        return max(bits[0], self.low), min(bits[1], self.high)


def check_settings(scale: float, sigma: float, min_size: float) -> None:
    """Raise InputError for settings that `felzenszwalb` cannot take."""
    for name, value in {"scale": scale, "sigma": sigma}.items():
        if not (isinstance(value, Real) and np.isfinite(value) and value >= 0):
            raise InputError(f"{name} {value} is out of range; give a number from 0 up")
    if not isinstance(min_size, Real) or not 0 <= min_size < np.inf or min_size != int(min_size):
        raise InputError(f"min_size {min_size} is not a whole number of pixels from 0 up")


def _check(
    image: np.ndarray, scale: float, sigma: float, min_size: float, valid: np.ndarray | None
) -> None:
    """Raise InputError for what `felzenszwalb` cannot take."""
    _check_shapes(image, valid)
    check_settings(scale, sigma, min_size)
    if image.dtype.kind != "f":
        raise InputError(
            f"image of {image.dtype} cannot be segmented: scale has no meaning on digital numbers; "
            "give reflectance or another float image of about 0-1"
        )


def _check_shapes(image: np.ndarray, valid: np.ndarray | None) -> None:
    """Raise InputError unless an image has bands, and `valid` fits it."""
    if getattr(image, "ndim", 0) != 3:
        shape = getattr(image, "shape", type(image).__name__)
        raise InputError(f"image of shape {shape} cannot be segmented; give (bands, rows, cols)")
    rows, cols = image.shape[1:]
    if rows * cols >= MAX_PIXELS:
        raise InputError(
            f"image of {rows} x {cols} pixels is too large to segment at once; "
            f"stay below {MAX_PIXELS} pixels, for example by cutting it into tiles"
        )
    if valid is not None and (valid.shape != image.shape[1:] or valid.dtype != bool):
        raise InputError(
            f"valid of shape {valid.shape} and type {valid.dtype} does not fit the image; "
            f"give bool of shape {image.shape[1:]}"
        )


def _usable(image: np.ndarray, valid: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """Which pixels take part, and whether any does not; an array of one pixel when all do."""
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
