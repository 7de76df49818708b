"""Compiled loops over the edges of a pixel graph, for `segmentation`.

Edges join a pixel to its right, lower left, lower and lower right neighbour; an edge's
number is four times its pixel's number plus its direction, 0 to 3 in that order. Squared
weights are computed from the image row by row and never kept for a whole image. A forest
of segments is one int32 a pixel: the parent, or at a root minus the segment's size.
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
def _smooth_row(image, usable, masked, kernel, row, work, padded, out):
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
def _weigh_row(this, below, last, out):
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
def _mask_row(usable, row, last, out):
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
def _root(parent, i):
    """Root of a tree of the forest, with path halving."""
    while parent[i] >= 0:
        up = parent[i]
        if parent[up] >= 0:
            parent[i] = parent[up]
        i = up
    return i


@njit(cache=True, nogil=True)
def _other_end(edge, cols):
    """The second pixel of an edge."""
    pixel, direction = edge >> 2, edge & 3
    if direction == 0:
        return pixel + 1
    return pixel + cols + direction - 2


@njit(cache=True, nogil=True)
def collect_edges(image, usable, masked, kernel, low, high, start, stop, parent):
    """Edges between segments whose weights' bits lie in [low, high), in order of their numbers.

    Those of rows [start, stop): weights and numbers. It only reads the forest, so that several
    threads may collect at once.
    """
    bands, rows, cols = image.shape
    this, below = np.empty((bands, cols)), np.empty((bands, cols))
    work, padded = np.empty((3, cols)), np.empty(cols + 2 * len(kernel))
    row_weights = np.empty((4, cols))
    row_bits = row_weights.view(np.int64)
    wanted = np.empty(4 * cols + 1, np.int64)
    # One beyond the most: an edge is written first and counted then.
    most = 4 * cols * (stop - start) + 1
    weights, edges = np.empty(most), np.empty(most, np.uint32)
    n = 0
    _smooth_row(image, usable, masked, kernel, start, work, padded, below)
    for row in range(start, stop):
        this, below = below, this
        last = row == rows - 1
        if not last:
            _smooth_row(image, usable, masked, kernel, row + 1, work, padded, below)
        _weigh_row(this, below, last, row_weights)
        if masked:
            _mask_row(usable, row, last, row_weights)
        # Counting on without branches: which edges are wanted cannot be foreseen.
        m = 0
        for i in range(cols):
            for k in range(4):
                bits = row_bits[k, i]
                wanted[m] = 4 * i + k
                m += (low <= bits) & (bits < high)
        for edge in wanted[:m]:
            i, k = edge >> 2, edge & 3
            edge += 4 * row * cols
            weights[n] = row_weights[k, i]
            edges[n] = edge
            n += _top(parent, edge >> 2) != _top(parent, _other_end(edge, cols))
    return weights[:n], edges[:n]


@njit(cache=True, nogil=True)
def _top(parent, i):
    """Root of a tree of the forest, leaving the forest alone."""
    while parent[i] >= 0:
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def count_bits(bits, low, shift, counts):
    """Add to the numbers of weights in bins of 2**shift bits."""
    for b in bits:
        counts[(b - low) >> shift] += 1


@njit(cache=True, nogil=True)
def sort_edges_by(keys, weights, edges, sorted_weights, sorted_edges):
    """Deal edges to bins that are even in their keys, in order; then sort each bin."""
    n = len(keys)
    if n == 0:
        return
    low, high = keys.min(), keys.max()
    bins = n // 2 + 1
    per_key = (bins - 1) / np.float64(high - low) if high > low else 0.0
    if not np.isfinite(per_key):
        per_key = 0.0
    starts = np.zeros(bins + 1, np.uint32)
    for i in range(n):
        starts[int((keys[i] - low) * per_key) + 1] += 1
    for i in range(bins):
        starts[i + 1] += starts[i]
    for i in range(n):
        b = int((keys[i] - low) * per_key)
        at = starts[b]
        starts[b] += 1
        sorted_weights[at] = weights[i]
        sorted_edges[at] = edges[i]
    start = 0
    for b in range(bins):
        stop = starts[b]
        if stop - start > 1:
            _sort_bin(sorted_weights[start:stop], sorted_edges[start:stop])
        start = stop


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


@njit(cache=True, nogil=True)
def _unite(parent, a, b):
    """Join two roots, the smaller segment below the larger; returns the root."""
    if parent[a] > parent[b]:
        a, b = b, a
    parent[a] += parent[b]
    parent[b] = a
    return a


@njit(cache=True, nogil=True)
def join(squares, edges, cols, scale, min_size, parent, limit, rejected, n_rejected):
    """Join along sorted edges; edges that might still join a small segment go to `rejected`."""
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        a, b = _root(parent, edge >> 2), _root(parent, _other_end(edge, cols))
        if a == b:
            continue
        weight = np.sqrt(squares[i])
        # A single pixel's limit is the scale: looking it up would wait for memory.
        limit_a = scale if parent[a] == -1 else limit[a]
        limit_b = scale if parent[b] == -1 else limit[b]
        if weight < min(limit_a, limit_b):
            root = _unite(parent, a, b)
            limit[root] = weight + scale / -parent[root]
        elif -parent[a] < min_size or -parent[b] < min_size:
            rejected[n_rejected] = edge
            n_rejected += 1
    for i in range(len(parent)):
        top = _top(parent, i)
        if top != i:
            parent[i] = top
    return n_rejected


@njit(cache=True, nogil=True)
def merge_small(edges, cols, min_size, parent):
    """Join, along edges in order, every segment below `min_size` pixels to a neighbour."""
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        a, b = _root(parent, edge >> 2), _root(parent, _other_end(edge, cols))
        if a != b and (-parent[a] < min_size or -parent[b] < min_size):
            _unite(parent, a, b)


@njit(cache=True, nogil=True)
def label(parent, usable, masked, rows, cols):
    """Number the trees in raster order of their first pixel; 0 where not usable."""
    labels = np.zeros(rows * cols, np.int32)
    n = 0
    for i in range(rows * cols):
        if masked and not usable[i // cols, i % cols]:
            continue
        root = _root(parent, i)
        # The root's own label is kept at the root, which may come after i.
        if labels[root] == 0:
            n += 1
            labels[root] = n
        labels[i] = labels[root]
    return labels.reshape(rows, cols)
