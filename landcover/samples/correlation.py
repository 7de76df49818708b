"""How far pixels of a class raster resemble each other: the range that blocks have to outgrow.

Two pixels side by side mostly hold one class; two pixels far apart agree only as often as the
shares of the classes let them. The lag at which little is left of that excess is the correlation
range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.grid import Window
from landcover.legend import UNLABELLED

#: The range is the lag at which this share of the excess agreement is left: the practical range.
LEFT = 0.05
#: Rasters are thinned to about this many pixels on their longer side.
MAX_PX = 1500
#: Lags looked at, evenly spaced in their logarithm, so that near and far ones weigh alike.
LAGS = 40


@dataclass(frozen=True)
class Correlation:
    """How the agreement of two pixels falls with their lag.

    Attributes
    ----------
    range_px : float
        Lag at which 5 % of the excess agreement is left, by the fitted curve; at most
        `longest_px`, and 0 where neighbours agree no more than distant pixels.
    longest_px : int
        The longest lag looked at: a range of that length is "at least".
    lags_px : tuple of int
        The lags.
    excess : tuple of float
        Excess agreement at each lag: 1 for the same pixel, 0 for chance.
    """

    range_px: float
    longest_px: int
    lags_px: tuple[int, ...]
    excess: tuple[float, ...]

    def as_dict(self) -> dict[str, object]:
        """As JSON takes it."""
        return {
            "range_px": round(self.range_px, 1),
            "longest_lag_px": self.longest_px,
            "lags_px": list(self.lags_px),
            "excess_agreement": [round(value, 4) for value in self.excess],
        }


class Thinned:
    """A raster thinned to every n-th row and column, filled by windows to keep memory small.

    Parameters
    ----------
    rows, cols : int
        Shape of the whole raster.

    Attributes
    ----------
    step : int
        Rows and columns from one kept pixel to the next.
    codes : array of uint16
        The kept pixels; 0 where no window has come yet.

    Examples
    --------
    >>> thinned = Thinned(2, 3000)
    >>> thinned.add(np.full((2, 3000), 211), Window(0, 0, 2, 3000))
    >>> thinned.step, thinned.codes.shape
    (2, (1, 1500))
    """

    def __init__(self, rows: int, cols: int) -> None:
        self.step = max(1, -(-max(rows, cols) // MAX_PX))
        self.codes = np.zeros((-(-rows // self.step), -(-cols // self.step)), np.uint16)

    def add(self, codes: np.ndarray, window: Window) -> None:
        """Keep what falls on the lattice of a window's pixels, (rows, cols)."""
        row, col = -(-window.row // self.step), -(-window.col // self.step)
        kept = codes[row * self.step - window.row :: self.step]
        kept = kept[:, col * self.step - window.col :: self.step]
        self.codes[row : row + kept.shape[0], col : col + kept.shape[1]] = kept

    def correlation(self) -> Correlation | None:
        """The correlation of the whole raster, in its own pixels."""
        return correlation(self.codes, self.step)


def correlation(codes: np.ndarray, step: int = 1) -> Correlation | None:
    """Estimate the correlation range of a class raster.

    Over all pairs of labelled pixels at a lag h along rows or columns, the excess agreement is

        e(h) = (share of pairs of one class - sum p_k^2) / (1 - sum p_k^2)

    with p_k the share of class k: 1 minus the sum of the indicator variograms of all classes,
    divided by its sill. A curve c exp(-h / a) is fitted to it by least squares, with c below 1
    where single pixels err on their own (the nugget). The range is the lag at which the curve
    falls to 5 %, a ln(c / 0.05): with c = 1 the practical range 3 a of the exponential model
    (Chiles & Delfiner 2012, Geostatistics, doi:10.1002/9781118136188).

    Parameters
    ----------
    codes : array of int, (rows, cols)
        Class codes, or any other kinds that pixels are of (right and wrong, say); 0 is left out.
    step : int
        Pixels of the scene from one of these to the next, if they were thinned.

    Returns
    -------
    Correlation, or None
        None where fewer than two classes occur or no two pixels can be paired.

    Notes
    -----
    Lags go up to half the shorter side. Ranges that are not much shorter come out too short: the
    shares of the classes are then those of a few patches. Patches all of one size lose their
    likeness sooner than the curve says; their range comes out up to twice their side.

    Examples
    --------
    >>> patches = np.random.default_rng(0).integers(1, 5, (60, 60))
    >>> round(correlation(patches.repeat(10, axis=0).repeat(10, axis=1)).range_px)
    17
    >>> correlation(patches).range_px
    0.0
    """
    kinds, counts = np.unique(codes[codes != UNLABELLED], return_counts=True)
    longest = min(codes.shape) // 2
    if len(kinds) < 2 or longest < 1:
        return None
    chance = float(((counts / counts.sum()) ** 2).sum())
    lags = np.unique(np.geomspace(1, longest, LAGS).round().astype(int))
    pairs, agreeing = np.array([_pairs(codes, int(lag)) for lag in lags]).T
    lags, agreeing, pairs = (values[pairs > 0] for values in (lags, agreeing, pairs))
    if not len(lags):
        return None
    excess = (agreeing / pairs - chance) / (1 - chance)
    at = min(_fitted_range(lags, excess, pairs), float(lags[-1]))
    return Correlation(
        at * step, int(lags[-1]) * step, tuple((lags * step).tolist()), tuple(excess.tolist())
    )


def _pairs(codes: np.ndarray, lag: int) -> tuple[int, int]:
    """Pairs of labelled pixels at a lag along rows and columns, and how many agree."""
    pairs = agreeing = 0
    for one, other in ((codes[lag:], codes[:-lag]), (codes[:, lag:], codes[:, :-lag])):
        both = (one != UNLABELLED) & (other != UNLABELLED)
        pairs += int(np.count_nonzero(both))
        agreeing += int(np.count_nonzero(both & (one == other)))
    return pairs, agreeing


def _fitted_range(lags: np.ndarray, excess: np.ndarray, pairs: np.ndarray) -> float:
    """Lag at which c exp(-lag / a), fitted with the pairs as weights, falls to `LEFT`."""
    from scipy.optimize import minimize_scalar

    def best_c(a: float) -> tuple[float, np.ndarray]:
        curve = np.exp(-lags / a)
        norm = (pairs * curve**2).sum()
        return float(np.clip((pairs * excess * curve).sum() / max(norm, 1e-300), 0, 1)), curve

    def misfit(log_a: float) -> float:
        c, curve = best_c(np.exp(log_a))
        return float((pairs * (excess - c * curve) ** 2).sum() / pairs.sum())

    bounds = np.log([lags[0] / 5, lags[-1] * 5])
    a = float(np.exp(minimize_scalar(misfit, bounds=bounds, method="bounded").x))
    c, _ = best_c(a)
    return a * float(np.log(c / LEFT)) if c > LEFT else 0.0
