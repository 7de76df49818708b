"""Probabilities smoothed with those of neighbours, up to edges in the image."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from landcover.errors import InputError
from landcover.files.rasters import valid_pixels

#: A probability below this counts as this: a forest's 0 means "rare", and nothing could undo it.
LEAST_PROBABILITY = 1e-3
#: What neighbours that look the same and agree add to the log-odds of their class: as much as the
#: surest pixel can say against it.
BETA = -math.log(LEAST_PROBABILITY)
#: Rounds of smoothing, which is also how many pixels far it reaches.
ITERATIONS = 8

#: East, south, south-east and south-west: every pair of neighbours once.
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
_DISTANCES = np.sqrt([down**2 + right**2 for down, right in _STEPS]).astype(np.float32)


def contrast(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared differences of neighbouring pixels, for the scale on which `smooth` sees an edge.

    Parameters
    ----------
    image : array of float, (bands, rows, cols)
        Reflectance, NaN where missing.

    Returns
    -------
    sums : array of float64, (bands,)
        Of squared differences between pixels beside and below each other. Sums and pairs of
        several windows add up; ``sums / pairs`` is the ``scale`` of `smooth`.
    pairs : array of int64, (bands,)
        Pairs of pixels that have both values.

    Examples
    --------
    >>> sums, pairs = contrast(np.array([[[0.1, 0.3], [0.1, np.nan]]]))
    >>> sums.round(3).tolist(), pairs.tolist()
    ([0.04], [2])
    """
    sums, pairs = np.zeros(len(image)), np.zeros(len(image), np.int64)
    for axis in (1, 2):
        squares = np.diff(image.astype(np.float64), axis=axis) ** 2
        sums += np.nansum(squares, axis=(1, 2))
        pairs += np.isfinite(squares).sum(axis=(1, 2))
    return sums, pairs


def smooth(
    probabilities: np.ndarray,
    image: np.ndarray,
    scale: np.ndarray,
    beta: float = BETA,
    iterations: int = ITERATIONS,
) -> np.ndarray:
    """Smoothed probabilities: mean field of a contrast-sensitive Potts model.

    In every round, for all pixels at once::

        q_i(k)  ~  p_i(k) exp(beta a_i(k)),    a_i(k) = sum_j w_ij q_j(k) / sum_j 1 / d_ij
        w_ij    =  exp(-mean_b((x_ib - x_jb)**2 / (2 scale_b))) / d_ij

    over the eight neighbours j of i at distance d_ij (1 or sqrt 2). The agreement a_i is 1 for a
    class on which eight equal-looking neighbours are sure, and 0 behind an edge of the image. It
    is the field of Boykov and Jolly's energy; Schindler compares such smoothing on land cover.

    Parameters
    ----------
    probabilities : array of float32, (classes, rows, cols)
        Probabilities p; NaN where there are none.
    image : array of float, (bands, rows, cols)
        Reflectance x of the same pixels. One that lacks a band has no neighbours.
    scale : array of float, (bands,)
        Mean squared difference of neighbouring pixels, from `contrast` of the whole scene.
    beta : float
        Weight of the neighbours, in log-odds; 0 changes nothing.
    iterations : int
        Rounds. A pixel depends on those up to so many pixels away, and on no others: windows
        read with such a margin give, to the bit, what the whole scene gives.

    Returns
    -------
    array of float32, (classes, rows, cols)
        Probabilities q; NaN where `probabilities` are.

    References
    ----------
    Y. Boykov, M.-P. Jolly, Interactive graph cuts, ICCV 2001, doi 10.1109/ICCV.2001.937505;
    K. Schindler, An overview and comparison of smooth labeling methods for land-cover
    classification, IEEE TGRS 50 (2012), doi 10.1109/TGRS.2012.2192741

    Examples
    --------
    >>> probabilities = np.full((2, 3, 3), [[[0.9]], [[0.1]]], np.float32)
    >>> probabilities[:, 1, 1] = 0.4, 0.6
    >>> flat = smooth(probabilities, np.zeros((1, 3, 3)), np.ones(1))
    >>> bool(flat[0, 1, 1] > 0.9)
    True
    >>> edge = np.zeros((1, 3, 3))
    >>> edge[0, 1, 1] = 9
    >>> smooth(probabilities, edge, np.ones(1))[:, 1, 1].round(3).astype(str).tolist()
    ['0.4', '0.6']
    """
    if probabilities.shape[1:] != image.shape[1:]:
        raise InputError(
            f"probabilities of {probabilities.shape[1:]} pixels and an image of "
            f"{image.shape[1:]} differ; give both of the same window"
        )
    known = valid_pixels(probabilities)
    weights = _weights(np.where(known, image, np.nan), scale)
    evidence = np.log(
        np.maximum(np.where(known, probabilities, 1), LEAST_PROBABILITY), dtype=np.float32
    )
    field = _normalised(evidence.copy(), known)
    agreement = np.empty_like(field)
    for _ in range(iterations):
        _agree(field, weights, agreement)
        agreement *= np.float32(beta)
        agreement += evidence
        field, agreement = _normalised(agreement, known), field
    field[:, ~known] = np.nan
    return field


def _weights(image: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Weight of every pair of neighbours, float32 (4, rows, cols), at the pair's first pixel."""
    rows, cols = image.shape[1:]
    weights = np.zeros((len(_STEPS), rows, cols), np.float32)
    # A band without any contrast tells no two pixels apart
    factor = np.divide(0.5 / len(scale), scale, out=np.zeros(len(scale)), where=scale > 0)
    for weight, (down, right), distance in zip(weights, _STEPS, _DISTANCES, strict=True):
        left, end = max(0, -right), cols - max(0, right)
        first = image[:, : rows - down, left:end]
        second = image[:, down:, left + right : end + right]
        squares = sum(f * (a - b) ** 2 for f, a, b in zip(factor, first, second, strict=True))
        pair = np.exp(-np.float32(squares)) / (distance * 2 * (1 / _DISTANCES).sum())
        weight[: rows - down, left:end] = np.nan_to_num(pair, nan=0.0)
    return weights


def _normalised(logits: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Softmax over classes, in place; 0 where nothing is known."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)
    logits *= known
    return logits


@njit(cache=True, nogil=True)
def _agree(field, weights, agreement):
    """Weighted sum of the neighbours' probabilities, line by line, always in the same order."""
    classes, rows, _ = field.shape
    for k in range(classes):
        for row in range(rows):
            line = agreement[k, row]
            line[:] = 0
            for n in range(4):
                down, right = _STEPS[n]
                if row + down < rows:
                    _add(line, weights[n, row], field[k, row + down], right, False)
                if row >= down:
                    _add(line, weights[n, row - down], field[k, row - down], -right, True)


@njit(cache=True, nogil=True)
def _add(line, weight, values, shift, backwards):
    """Add the values at `shift` columns, times the weight kept at the pair's first pixel."""
    start, end = max(0, -shift), len(line) - max(0, shift)
    if backwards:
        for i in range(start, end):
            line[i] += weight[i + shift] * values[i + shift]
    else:
        for i in range(start, end):
            line[i] += weight[i] * values[i + shift]
