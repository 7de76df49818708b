"""Compiled loops over the edges of a pixel graph: their weights, and their order.

Edges join a pixel to its right, lower left, lower and lower right neighbour; an edge's
number is four times its pixel's number plus its direction, 0 to 3 in that order. Squared
weights are computed from the image row by row and never kept for a whole image.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _reflected(i, n):
    """Index of a half-sample symmetric extension: d c b a | a b c d | d c b a."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@njit(cache=True, nogil=True)
def _convolve_line(padded, kernel, out):
    """The line in the middle of `padded` convolved with a kernel, terms added in scipy's order."""
    radius, n = len(kernel) - 1, len(out)
    line = padded[radius : radius + n]
    for i in range(radius):
        padded[i] = line[_reflected(i - radius, n)]
        padded[radius + n + i] = line[_reflected(n + i, n)]
    _scale(line, kernel[0], out)
    for j in range(radius, 0, -1):
        _add_pair(padded[radius - j :], padded[radius + j :], kernel[j], out)


@njit(cache=True, nogil=True)
def _scale(line, tap, out):
    """A line times the centre of a kernel."""
    for i in range(len(out)):
        out[i] = np.float64(line[i]) * tap


@njit(cache=True, nogil=True)
def _add_pair(left, right, tap, out):
    """Add the two terms of a symmetric kernel that share a tap."""
    for i in range(len(out)):
        out[i] += (np.float64(left[i]) + np.float64(right[i])) * tap


@njit(cache=True, nogil=True)
def _load_row(band, usable, row, out):
    """A row as float64, 0 where it takes no part."""
    for i in range(len(out)):
        out[i] = band[row, i] if usable[row, i] else 0.0


@njit(cache=True, nogil=True)
def smooth_row(image, usable, masked, kernel, row, work, padded, out):
    """Row `row` of every band, smoothed; `work` and `padded` are workspace."""
    _, rows, cols = image.shape
    radius = len(kernel) - 1
    up, down, share = work
    line = padded[radius : radius + cols]
    if masked:
        line[:] = 0.0
        for j in range(-radius, radius + 1):
            source = usable[_reflected(row + j, rows)]
            for i in range(len(line)):
                line[i] += source[i] * kernel[abs(j)]
        _convolve_line(padded, kernel, share)
    for k in range(len(image)):
        band = image[k]
        if masked:
            _load_row(band, usable, row, up)
            _scale(up, kernel[0], line)
        else:
            _scale(band[row], kernel[0], line)
        for j in range(radius, 0, -1):
            above, beneath = _reflected(row - j, rows), _reflected(row + j, rows)
            if masked:
                _load_row(band, usable, above, up)
                _load_row(band, usable, beneath, down)
                _add_pair(up, down, kernel[j], line)
            else:
                _add_pair(band[above], band[beneath], kernel[j], line)
        _convolve_line(padded, kernel, out[k])
        if masked:
            for i in range(len(line)):
                # A whole kernel sums to 1 but for rounding; only a cut one is normalised.
                if 0.0 < share[i] < 1.0 - 1e-12:
                    out[k, i] /= share[i]


@njit(cache=True, nogil=True)
def weigh_row(this, below, last, out):
    """Squared weights of a row's edges: right, lower left, below, lower right; else infinite."""
    out[:] = 0.0
    for band in range(len(this)):
        a, b = this[band], below[band]
        _add_squares(a[:-1], a[1:], out[0])
        _add_squares(a[1:], b[:-1], out[1, 1:])
        _add_squares(a, b, out[2])
        _add_squares(a[:-1], b[1:], out[3])
    out[0, -1] = out[1, 0] = out[3, -1] = np.inf
    if last:
        out[1:] = np.inf


@njit(cache=True, nogil=True)
def _add_squares(a, b, out):
    """Add squared differences."""
    for i in range(len(a)):
        difference = b[i] - a[i]
        out[i] += difference * difference


@njit(cache=True, nogil=True)
def mask_row(usable, row, last, out):
    """Make the edges of pixels that take no part infinite."""
    cols = out.shape[1]
    for i in range(cols):
        here = usable[row, i]
        if not here or (i + 1 < cols and not usable[row, i + 1]):
            out[0, i] = np.inf
        if last:
            continue
        if not here or (i > 0 and not usable[row + 1, i - 1]):
            out[1, i] = np.inf
        if not here or not usable[row + 1, i]:
            out[2, i] = np.inf
        if not here or (i + 1 < cols and not usable[row + 1, i + 1]):
            out[3, i] = np.inf


@njit(cache=True, nogil=True)
def other_end(edge, cols):
    """The second pixel of an edge."""
    pixel, direction = edge >> 2, edge & 3
    if direction == 0:
        return pixel + 1
    return pixel + cols + direction - 2


@njit(cache=True, nogil=True)
def deal_edges(keys, weights, edges, n_bins, dealt_weights, dealt_edges):
    """Deal edges to bins that are even in their keys, keeping order; returns the bins' starts."""
    n = len(keys)
    starts = np.zeros(n_bins + 1, np.int64)
    if n == 0:
        return starts
    low, high = keys.min(), keys.max()
    per_key = (n_bins - 1) / np.float64(high - low) if high > low else 0.0
    if not np.isfinite(per_key):
        per_key = 0.0
    for i in range(n):
        starts[int((keys[i] - low) * per_key) + 1] += 1
    for i in range(n_bins):
        starts[i + 1] += starts[i]
    free = starts[:-1].copy()
    for i in range(n):
        b = int((keys[i] - low) * per_key)
        at = free[b]
        free[b] += 1
        dealt_weights[at] = weights[i]
        dealt_edges[at] = edges[i]
    return starts


@njit(cache=True, nogil=True)
def sort_bins(weights, edges, starts, first, last, sorted_weights, sorted_edges):
    """Sort the edges of bins [first, last) by weight, then number, into place."""
    for b in range(first, last):
        bin = slice(starts[b], starts[b + 1])
        sort_edges(weights[bin], edges[bin], sorted_weights[bin], sorted_edges[bin])


@njit(cache=True, nogil=True)
def sort_edges(weights, edges, sorted_weights, sorted_edges):
    """Sort edges by weight; those of equal weight keep their order."""
    n_bins = len(weights) // 2 + 1
    starts = deal_edges(weights, weights, edges, n_bins, sorted_weights, sorted_edges)
    for b in range(n_bins):
        start, stop = starts[b], starts[b + 1]
        if stop - start > 1:
            _sort_bin(sorted_weights[start:stop], sorted_edges[start:stop])


@njit(cache=True, nogil=True)
def _before(weights, edges, i, j):
    """Whether item i comes before item j."""
    return weights[i] < weights[j] or (weights[i] == weights[j] and edges[i] < edges[j])


@njit(cache=True, nogil=True)
def _sort_bin(weights, edges):
    """Insertion sort of a short bin, heap sort of a long one; a sorted bin is left alone."""
    n = len(weights)
    if n <= 32:
        for i in range(1, n):
            w, e = weights[i], edges[i]
            j = i
            # Bins are filled in order of edge numbers, so equal weights stay in that order.
            while j > 0 and weights[j - 1] > w:
                weights[j], edges[j] = weights[j - 1], edges[j - 1]
                j -= 1
            weights[j], edges[j] = w, e
        return
    i = 1
    while i < n and weights[i - 1] <= weights[i]:
        i += 1
    if i == n:
        return
    for i in range(n // 2 - 1, -1, -1):
        _sift(weights, edges, i, n)
    for end in range(n - 1, 0, -1):
        weights[0], weights[end] = weights[end], weights[0]
        edges[0], edges[end] = edges[end], edges[0]
        _sift(weights, edges, 0, end)


@njit(cache=True, nogil=True)
def _sift(weights, edges, i, n):
    """Restore the heap below item i."""
    while True:
        child = 2 * i + 1
        if child >= n:
            return
        if child + 1 < n and _before(weights, edges, child, child + 1):
            child += 1
        if not _before(weights, edges, i, child):
            return
        weights[i], weights[child] = weights[child], weights[i]
        edges[i], edges[child] = edges[child], edges[i]
        i = child
