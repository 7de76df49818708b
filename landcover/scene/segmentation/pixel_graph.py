"""Compiled joins of a pixel graph: a forest of segments, and which edges still matter to it.

The forest is one int32 a pixel: the parent, or at a root minus the segment's size. `limit`
is, at a root, the weight that an edge must stay below to join the segment. A segment's limit
changes only when it is joined, and edges come in ascending order: once its limit is not above
the weights to come, a segment is final.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from landcover.scene.segmentation.pixel_edges import (
    mask_row,
    other_end,
    smooth_row,
    sort_edges,
    weigh_row,
)


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
def _top(parent, i):
    """Root of a tree of the forest, leaving the forest alone."""
    while parent[i] >= 0:
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _unite(parent, a, b):
    """Join two roots, the smaller segment below the larger; returns the root."""
    if parent[a] > parent[b]:
        a, b = b, a
    parent[a] += parent[b]
    parent[b] = a
    return a


@njit(cache=True, nogil=True)
def shorten(parent, start, stop):
    """Let pixels [start, stop) point to their roots."""
    for i in range(start, stop):
        top = _top(parent, i)
        if top != i:
            parent[i] = top


@njit(cache=True, nogil=True)
def _workspace(bands, cols, kernel):
    """Two rows of smoothed pixels, what smoothing and weighing them needs, and their weights."""
    this, below = np.empty((bands, cols)), np.empty((bands, cols))
    work, padded = np.empty((3, cols)), np.empty(cols + 2 * len(kernel))
    return this, below, work, padded, np.empty((4, cols))


@njit(cache=True, nogil=True)
def collect_edges(source, low, high, start, stop, parent, limit, min_size):
    """Edges that may still join segments, with weights' bits in [low, high), by number.

    Those of rows [start, stop): squared weights and numbers. With a `min_size`, edges of
    segments below it; without, of segments that are not final at weight `low`. It only reads
    the forest, so that several threads may collect at once.
    """
    image, usable, masked, kernel = source
    bands, rows, cols = image.shape
    this, below, work, padded, row_weights = _workspace(bands, cols, kernel)
    tops, tops_below = np.empty(cols, np.int32), np.empty(cols, np.int32)
    done, done_below = np.empty(cols, np.bool_), np.empty(cols, np.bool_)
    row_bits = row_weights.view(np.int64)
    # One beyond the most: an edge is written first and counted then.
    most = 4 * cols * (stop - start) + 1
    weights, edges = np.empty(most), np.empty(most, np.uint32)
    floor = np.sqrt(np.array([low]).view(np.float64)[0])
    n = 0
    smooth_row(image, usable, masked, kernel, start, work, padded, below)
    _look_up(parent, limit, floor, min_size, start, tops_below, done_below)
    for row in range(start, stop):
        this, below = below, this
        tops, tops_below = tops_below, tops
        done, done_below = done_below, done
        last = row == rows - 1
        if not last:
            smooth_row(image, usable, masked, kernel, row + 1, work, padded, below)
            _look_up(parent, limit, floor, min_size, row + 1, tops_below, done_below)
        weigh_row(this, below, last, row_weights)
        if masked:
            mask_row(usable, row, last, row_weights)
        either = min_size == 0
        _drop(tops[:-1], tops[1:], done[:-1], done[1:], either, row_weights[0])
        if not last:
            _drop(tops[1:], tops_below[:-1], done[1:], done_below[:-1], either, row_weights[1, 1:])
            _drop(tops, tops_below, done, done_below, either, row_weights[2])
            _drop(tops[:-1], tops_below[1:], done[:-1], done_below[1:], either, row_weights[3])
        # Counting on without branches: which edges are wanted cannot be foreseen.
        edge = 4 * row * cols
        for i in range(cols):
            for k in range(4):
                bits = row_bits[k, i]
                weights[n] = row_weights[k, i]
                edges[n] = edge
                n += (low <= bits) & (bits < high)
                edge += 1
    return weights[:n], edges[:n]


@njit(cache=True, nogil=True)
def _look_up(parent, limit, floor, min_size, row, tops, done):
    """Segments of a row's pixels, and whether they are large enough, or final."""
    first = row * len(tops)
    for i in range(len(tops)):
        top = _top(parent, first + i)
        tops[i] = top
        done[i] = -parent[top] >= min_size if min_size > 0 else limit[top] <= floor


@njit(cache=True, nogil=True)
def _drop(tops_a, tops_b, done_a, done_b, either, weights):
    """Make edges infinite that lie inside a segment, or join segments that are done."""
    for i in range(len(tops_a)):
        settled = (done_a[i] | done_b[i]) if either else (done_a[i] & done_b[i])
        if (tops_a[i] == tops_b[i]) | settled:
            weights[i] = np.inf


@njit(cache=True, nogil=True)
def count_bits(bits, low, shift, counts):
    """Add to the numbers of weights in bins of 2**shift bits."""
    for b in bits:
        counts[(b - low) >> shift] += 1


@njit(cache=True, nogil=True)
def join(squares, edges, cols, scale, parent, limit):
    """Join along sorted edges where the weight stays below the limits of both segments."""
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        a, b = _root(parent, edge >> 2), _root(parent, other_end(edge, cols))
        if a == b:
            continue
        weight = np.sqrt(squares[i])
        # A single pixel's limit is the scale: looking it up would wait for memory.
        limit_a = scale if parent[a] == -1 else limit[a]
        limit_b = scale if parent[b] == -1 else limit[b]
        if weight < min(limit_a, limit_b):
            root = _unite(parent, a, b)
            limit[root] = weight + scale / -parent[root]


@njit(cache=True, nogil=True)
def merge_small(edges, cols, min_size, parent):
    """Join, along edges in order, every segment below `min_size` pixels to a neighbour."""
    for i in range(len(edges)):
        edge = np.int64(edges[i])
        a, b = _root(parent, edge >> 2), _root(parent, other_end(edge, cols))
        if a != b and (-parent[a] < min_size or -parent[b] < min_size):
            _unite(parent, a, b)


@njit(cache=True, nogil=True)
def join_strip(source, start, stop, share, scale, parent, limit):
    """Join along the lightest edges of rows [start, stop) as far as their order allows.

    A segment that meets an edge out of the strip, or to a segment that waits, waits too: what
    it becomes is decided outside. Until then nothing else can have touched it, so strips may
    be joined alone, in any order and at once, and the partition stays that of one sort.
    """
    cols = source[0].shape[2]
    top = _light_weight(source, start, stop, share)
    weights, edges = _light_edges(source, start, stop, top)
    n = len(weights)
    sorted_weights, sorted_edges = np.empty(n), np.empty(n, np.uint32)
    sort_edges(weights, edges, sorted_weights, sorted_edges)
    first, end = start * cols, stop * cols
    for i in range(n):
        edge = np.int64(sorted_edges[i])
        p, q = edge >> 2, other_end(edge, cols)
        weight = np.sqrt(sorted_weights[i])
        a = _root(parent, p) if p >= first else -1
        b = _root(parent, q) if q < end else -1
        if a == b:
            continue
        limit_a = limit[a] if a >= 0 else -1.0
        limit_b = limit[b] if b >= 0 else -1.0
        if limit_a < 0 or limit_b < 0:
            # Waiting is a negative limit; what is final stays so.
            if limit_a > weight:
                limit[a] = -limit_a
            if limit_b > weight:
                limit[b] = -limit_b
        elif weight < min(limit_a, limit_b):
            root = _unite(parent, a, b)
            limit[root] = weight + scale / -parent[root]
    for i in range(first, end):
        limit[i] = abs(limit[i])
    shorten(parent, first, end)


@njit(cache=True, nogil=True)
def _light_weight(source, start, stop, share):
    """Squared weight below which about a share of a strip's edges lie; 0 where most are equal."""
    image, usable, masked, kernel = source
    bands, rows, cols = image.shape
    this, below, work, padded, row_weights = _workspace(bands, cols, kernel)
    sample = np.empty(4 * cols * (1 + (stop - start) // 8) // 8 + 4)
    n = 0
    for row in range(start, min(stop, rows - 1), 8):
        smooth_row(image, usable, masked, kernel, row, work, padded, this)
        smooth_row(image, usable, masked, kernel, row + 1, work, padded, below)
        weigh_row(this, below, False, row_weights)
        if masked:
            mask_row(usable, row, False, row_weights)
        for i in range(0, cols, 8):
            for k in range(4):
                if n < len(sample) and np.isfinite(row_weights[k, i]):
                    sample[n] = row_weights[k, i]
                    n += 1
    if n == 0:
        return 0.0
    ordered = np.sort(sample[:n])
    top = ordered[int(share * (n - 1))]
    return top if ordered[int(share * 0.5 * (n - 1))] < top else 0.0


@njit(cache=True, nogil=True)
def _light_edges(source, start, stop, top):
    """Edges with an end in rows [start, stop) and a squared weight below `top`."""
    image, usable, masked, kernel = source
    bands, rows, cols = image.shape
    this, below, work, padded, row_weights = _workspace(bands, cols, kernel)
    first = max(start - 1, 0)
    most = 4 * cols * (stop - first) + 1
    weights, edges = np.empty(most), np.empty(most, np.uint32)
    n = 0
    smooth_row(image, usable, masked, kernel, first, work, padded, below)
    for row in range(first, stop):
        this, below = below, this
        last = row == rows - 1
        if not last:
            smooth_row(image, usable, masked, kernel, row + 1, work, padded, below)
        weigh_row(this, below, last, row_weights)
        if masked:
            mask_row(usable, row, last, row_weights)
        if row < start:
            row_weights[0] = np.inf
        for i in range(cols):
            for k in range(4):
                weights[n] = row_weights[k, i]
                edges[n] = 4 * (row * cols + i) + k
                n += row_weights[k, i] < top
    return weights[:n], edges[:n]


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
