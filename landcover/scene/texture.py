"""Texture: how the grey levels of neighbouring pixels go together in a window around a pixel.

A grey-level co-occurrence matrix (GLCM) counts the pairs of neighbours of a window by the levels
of the two. Its properties are those of Haralick et al. 1973, as scikit-image computes them. The
pairs are counted while the window slides, in integers, so that a pixel's value depends on its
window alone, to the last bit, and not on where an array begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.scene.by_rows import by_rows

#: Grey levels, and pixels a side of the window, unless others are asked for.
LEVELS, WINDOW_PX = 32, 9
#: The most levels: those of a byte.
_MOST_LEVELS = 256
_HARALICK = "doi:10.1109/TSMC.1973.4309314"
_HALL_BEYER = "doi:10.11575/PRISM/33280"


@dataclass(frozen=True)
class Property:
    """A property of a co-occurrence matrix.

    Attributes
    ----------
    formula : str
        Of P(i, j), the share of the pairs with levels i and j, in either order.
    source : str
        Where the formula comes from.
    counted : bool
        Whether different pairs have to be counted one by one, which takes longer.
    """

    formula: str
    source: str
    counted: bool = False


#: Every property by its name in scikit-image's graycoprops. `landcover.scene.texture_loops` knows
#: them by their place here.
PROPERTIES: dict[str, Property] = {
    "contrast": Property("sum P (i - j)**2", _HARALICK),
    "dissimilarity": Property("sum P |i - j|", _HALL_BEYER),
    "homogeneity": Property("sum P / (1 + (i - j)**2)", _HARALICK),
    "ASM": Property("sum P**2", _HARALICK, counted=True),
    "energy": Property("sqrt(sum P**2)", _HALL_BEYER, counted=True),
    "entropy": Property("-sum P ln P", _HARALICK, counted=True),
    "mean": Property("m = sum P i", _HALL_BEYER),
    "variance": Property("v = sum P (i - m)**2", _HARALICK),
    "correlation": Property("sum P (i - m) (j - m) / v, 1 where v is 0", _HARALICK),
}


def texture(
    layer: np.ndarray,
    properties: Sequence[str],
    *,
    low: float,
    high: float,
    window: int = WINDOW_PX,
    levels: int = LEVELS,
) -> np.ndarray:
    """Properties of the co-occurrence matrix of the window around every pixel.

    Pairs are direct neighbours with both pixels in the window, in either order, at 0, 45, 90 and
    135 degrees. A property is computed for every direction and averaged over the four. These are
    the numbers of scikit-image's graycomatrix (symmetric, normed) and graycoprops.

    Parameters
    ----------
    layer : array (rows + window - 1, cols + window - 1)
        Any quantity, such as reflectance, with half a window more on every side; NaN for nodata
        and places outside the scene.
    properties : sequence of str
        Keys of `PROPERTIES`.
    low, high : float
        Bounds of the grey levels, as `quantised` takes them. They have to be the same for all
        parts of a scene, and for training and map.
    window : int
        Pixels a side, odd, 3 or more.
    levels : int
        Grey levels, 2 to 256.

    Returns
    -------
    array of float32 (properties, rows, cols)
        Pairs with a NaN are left out, and so are directions without a pair. 0 where a window has
        no pair at all. A pixel that is NaN itself has a value too, of the others of its window.

    Raises
    ------
    InputError
        If a property is unknown, bounds, window or levels are not as said, or the layer is smaller
        than a window.

    Examples
    --------
    >>> board = np.indices((5, 5)).sum(axis=0) % 2
    >>> found = texture(board, ["contrast", "homogeneity"], low=0, high=1, window=5, levels=2)
    >>> found[:, 0, 0].tolist()  # neighbours in rows and columns differ, diagonal ones do not
    [0.5, 0.75]
    """
    layer = np.asarray(layer)
    _require(layer, properties, window)
    from landcover.scene.texture_loops import fill_texture

    shape = tuple(side - window + 1 for side in layer.shape)
    image = np.empty((len(properties), *shape), np.float32)
    codes = np.array([list(PROPERTIES).index(name) for name in properties], np.int64)
    counted = any(PROPERTIES[name].counted for name in properties)
    grey = quantised(layer, low, high, levels)
    by_rows(fill_texture, shape[0], grey, levels, window, codes, counted, image)
    return image


def quantised(layer: np.ndarray, low: float, high: float, levels: int = LEVELS) -> np.ndarray:
    """Grey levels of equal width between two bounds.

    Level k, from 0, holds ``low + k w <= x < low + (k + 1) w`` with ``w = (high - low) / levels``.
    What lies below `low` has the first level, what lies at `high` or above it the last.

    Parameters
    ----------
    layer : array of any shape
        Numbers, NaN for nodata.
    low, high : float
        Bounds of the levels.
    levels : int
        How many, 2 to 256.

    Returns
    -------
    array of uint16
        0 to ``levels - 1``; `levels` where the layer is NaN, for which 256 levels leave no byte.

    Raises
    ------
    InputError
        If the bounds are not finite or not in order, or there are too few or many levels.

    Examples
    --------
    >>> quantised(np.array([-1, 0, 0.49, 0.5, 1, 7, np.nan]), 0, 1, levels=2)
    array([0, 0, 0, 1, 1, 1, 2], dtype=uint16)
    """
    if not -np.inf < low < high < np.inf:
        raise InputError(
            f"low={low} and high={high} bound no grey levels; give two numbers, the lower one first"
        )
    if not 2 <= levels <= _MOST_LEVELS:
        raise InputError(f"levels={levels} is not between 2 and {_MOST_LEVELS}; give so many")
    scaled = (np.asarray(layer, np.float64) - low) * (levels / (high - low))
    grey = np.where(np.isnan(scaled), levels, np.clip(np.floor(scaled), 0, levels - 1))
    return grey.astype(np.uint16)


def _require(layer: np.ndarray, properties: Sequence[str], window: int) -> None:
    """Raise InputError unless there are such properties, and such windows in the layer."""
    if isinstance(properties, str):
        raise InputError(
            f"properties are {properties!r}; give a list of names, such as [{properties!r}]"
        )
    for name in properties:
        if name not in PROPERTIES:
            raise InputError(
                f"there is no texture property {name!r}; the properties are {' '.join(PROPERTIES)}"
            )
    if window < 3 or window % 2 == 0:
        raise InputError(f"window={window} has no middle pixel with neighbours; give 3, 5, 7, ...")
    if layer.ndim != 2 or min(layer.shape) < window:
        raise InputError(
            f"a layer of {layer.shape} holds no window of {window} x {window} pixels; "
            f"give (rows + {window - 1}, cols + {window - 1})"
        )
