"""Two dates of one place brought to one radiometry, by the pixels that did not change.

Haze, sun and the sensor make a band of one date a straight line of the same band of the other,
with a gain and an offset that vary slowly over the scene. What has changed does not lie on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.files.rasters import valid_pixels
from landcover.grid import Window

#: Distance of the nodes at which lines are fitted; between them they are interpolated.
NODE_PX = 32
#: Deviation of the Gaussian that a node weighs its surroundings by, in nodes: 640 m, wider than
#: a field, and narrow enough for haze.
REACH_NODES = 2.0
#: Share of the scene as a whole in every node's line, so that it stands where all is alike.
SCENE_SHARE = 0.02
#: A pixel so many robust deviations off its line has changed for sure, and does not count.
FURTHEST = 3.0
#: Robust deviations up to which two dates look alike, and from which they look like two places.
ALIKE = (FURTHEST, 10.0)
#: Rounds of weighing, at most; the first few fit one line for the scene.
ROUNDS, SCENE_ROUNDS = 20, 3
#: With fewer pixels than this no line is fitted.
LEAST_PIXELS = 500
#: With a lower correlation of unchanged pixels no line is fitted.
LEAST_CORRELATION = 0.3


@dataclass(frozen=True)
class Lines:
    """Gain and offset by place, which bring one date to the other.

    Attributes
    ----------
    gain, offset : array of float64, (bands, nodes down, nodes across)
        At the nodes.
    unchanged : float
        Share of pixels that keep more than half of their weight.
    spread : array of float64, (bands,)
        Robust deviation of unchanged pixels from the line, reflectance.
    """

    gain: np.ndarray
    offset: np.ndarray
    unchanged: float
    spread: np.ndarray

    def apply(self, image: np.ndarray, window: Window) -> np.ndarray:
        """A window of the other date, (bands, rows, cols), as the first date would show it."""
        rows = np.arange(window.row, window.row + window.rows) + 0.5
        cols = np.arange(window.col, window.col + window.cols) + 0.5
        return np.stack(
            [
                _between(gain, rows, cols) * band + _between(offset, rows, cols)
                for gain, offset, band in zip(self.gain, self.offset, image, strict=True)
            ]
        ).astype(np.float32)


def likeness(first: np.ndarray, second: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """How alike two dates of one radiometry look: 0 alike, 1 different, 2 very different.

    By the root mean square over bands of their difference, in robust deviations of unchanged
    pixels, with the bounds `ALIKE`.

    Parameters
    ----------
    first, second : array of float, (bands, rows, cols)
        NaN where missing, which counts as alike.
    spread : array of float, (bands,)
        Of `Lines`.

    Returns
    -------
    array of uint8, (rows, cols)

    Examples
    --------
    >>> likeness(np.zeros((1, 1, 3)), np.array([[[0.02, 0.05, 0.2]]]), np.array([0.01])).tolist()
    [[0, 1, 2]]
    """
    scale = spread[:, np.newaxis, np.newaxis]
    distance = np.sqrt(np.mean(((first - second) / scale) ** 2, axis=0))
    return np.searchsorted(ALIKE, np.nan_to_num(distance)).astype(np.uint8)


def fit_lines(
    first: np.ndarray, second: np.ndarray, shape: tuple[int, int], bands: Sequence[str]
) -> Lines:
    """The lines that bring the second date to the first.

    Band by band ``first = gain * second + offset``, by orthogonal regression, since both dates
    have noise. Every pixel has one weight for all bands, Tukey's biweight of its distance from
    its lines in robust deviations; lines and weights are made in turn. Each node draws its line
    through the weighted pixels around it, and a little through all of the scene.

    Parameters
    ----------
    first, second : array of float, (bands, rows, cols)
        Reflectance of both dates, thinned alike where scenes are large; NaN where missing.
    shape : (int, int)
        Rows and columns of the scene before thinning.
    bands : sequence of str
        Names, for errors.

    Returns
    -------
    Lines
        Equal images give a gain of 1 and an offset of 0, exactly.

    Raises
    ------
    InputError
        If too few pixels are valid in both, or the unchanged ones of a band do not correlate.

    Notes
    -----
    Pixels that do not change as the ground of relative normalisation, and orthogonal regression:
    Canty and Nielsen 2008, doi:10.1016/j.rse.2007.07.013. They find them by iteratively
    re-weighted multivariate alteration detection; docs/change.md says why that is not done here.
    Biweight: Beaton and Tukey 1974, doi:10.1080/00401706.1974.10489171.

    Examples
    --------
    >>> first = np.random.default_rng(0).uniform(0.02, 0.4, (1, 64, 64))
    >>> second = (first - 0.01) / 0.9
    >>> second[0, :16, :16] = 0.3  # built over
    >>> lines = fit_lines(first, second, (64, 64), ["B04"])
    >>> lines.gain.round(3).tolist(), lines.offset.round(3).tolist()
    ([[[0.9, 0.9], [0.9, 0.9]]], [[[0.01, 0.01], [0.01, 0.01]]])
    """
    valid = valid_pixels(first) & valid_pixels(second)
    if valid.sum() < LEAST_PIXELS:
        raise InputError(
            f"only {int(valid.sum())} pixels have data at both dates, too few to compare their "
            f"radiometry; {LEAST_PIXELS} are needed"
        )
    y, x = first[:, valid].astype(np.float64), second[:, valid].astype(np.float64)
    at = [
        (place + 0.5) * full / thin
        for place, full, thin in zip(np.nonzero(valid), shape, valid.shape, strict=True)
    ]
    nodes = tuple(-(-full // NODE_PX) for full in shape)
    node = (at[0] // NODE_PX).astype(np.int64) * nodes[1] + (at[1] // NODE_PX).astype(np.int64)
    weight = np.ones(y.shape[1])
    for number in range(ROUNDS):
        sums = [_sums(node, nodes, weight, *pair) for pair in zip(x, y, strict=True)]
        lines = [_lines(part, local=number >= SCENE_ROUNDS) for part in sums]
        rest = np.stack(
            [
                b - _along(gain, at) * a - _along(offset, at)
                for a, b, (gain, offset) in zip(x, y, lines, strict=True)
            ]
        )
        spread = 1.4826 * np.median(np.abs(rest), axis=1) + 1e-6
        distance = np.mean((rest / spread[:, np.newaxis]) ** 2, axis=0) / FURTHEST**2
        before, weight = weight, np.clip(1 - distance, 0, None) ** 2
        if number > SCENE_ROUNDS and np.abs(weight - before).mean() < 1e-3:
            break
    _require_correlation(sums, bands)
    gain, offset = (np.stack(part) for part in zip(*lines, strict=True))
    return Lines(gain, offset, float((weight > 0.5).mean()), spread)


def _sums(
    node: np.ndarray, nodes: tuple[int, ...], weight: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Weighted sums of 1, x, y, xx, yy and xy around every node, (6, down, across)."""
    terms = (np.ones_like(x), x, y, x * x, y * y, x * y)
    return np.stack(
        [np.bincount(node, weight * term, nodes[0] * nodes[1]).reshape(nodes) for term in terms]
    )


def _lines(sums: np.ndarray, local: bool) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset of orthogonal regression at every node."""
    from scipy import ndimage

    whole = sums.mean(axis=(1, 2), keepdims=True)
    if local:
        around = np.stack([ndimage.gaussian_filter(s, REACH_NODES, mode="reflect") for s in sums])
        sums = around + SCENE_SHARE * whole
    else:
        sums = np.broadcast_to(whole, sums.shape)
    n, x, y, xx, yy, xy = sums
    x, y = x / n, y / n
    xx, yy, xy = xx / n - x**2, yy / n - y**2, np.maximum(xy / n - x * y, 1e-12)
    gain = (yy - xx + np.sqrt((yy - xx) ** 2 + 4 * xy**2)) / (2 * xy)
    return gain, y - gain * x


def _require_correlation(sums: Sequence[np.ndarray], bands: Sequence[str]) -> None:
    """Raise InputError unless unchanged pixels of every band go together."""
    for band, part in zip(bands, sums, strict=True):
        n, x, y, xx, yy, xy = part.sum(axis=(1, 2))
        both = (xx - x * x / n) * (yy - y * y / n)
        correlation = (xy - x * y / n) / np.sqrt(both) if both > 0 else 0.0
        if correlation < LEAST_CORRELATION:
            raise InputError(
                f"band {band} of the two dates hardly goes together (correlation "
                f"{correlation:.2f} of the pixels most alike); compare dates of one season and "
                "place, or leave the radiometry alone with normalise=False"
            )


def _along(nodes: np.ndarray, at: Sequence[np.ndarray]) -> np.ndarray:
    """Values at nodes, interpolated at places in pixels."""
    from scipy import ndimage

    places = [place / NODE_PX - 0.5 for place in at]
    return ndimage.map_coordinates(nodes, places, order=1, mode="nearest")


def _between(nodes: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Values at nodes, interpolated on rows and columns."""
    return _along(nodes, np.meshgrid(rows, cols, indexing="ij"))
