"""Features computed: what classifiers of pixels see beside the bands.

The same function makes them for scenes, for sample tables and for maps, so a map shows a classifier
what training showed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.scene.components import Components, fit_components
from landcover.scene.feature import ALL, Feature, trimmed
from landcover.scene.feature_families import BOUNDS, PCA, PIXEL_M, expanded
from landcover.scene.feature_names import (
    DEFAULTS,
    Fitted,
    feature,
    made_by,
    margin,
    measured,
    require,
    to_fit,
    tree,
)
from landcover.sensors import roles_of

#: Percentiles between which the levels of a texture lie: outliers would leave most of them empty.
BOUND_PERCENTILES = (1.0, 99.0)


def fit(
    values: np.ndarray,
    bands: Sequence[str],
    names: Sequence[str],
    pixel_m: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """What features need beside the bands: components, bounds of levels, size of a pixel.

    Parameters
    ----------
    values : array (bands, samples) or (bands, rows, cols)
        Reflectance, NaN for nodata: training samples, or pixels of a scene.
    bands : sequence of str
        Their names.
    names : sequence of str
        Features.
    pixel_m : (float, float), optional
        Height and width of a pixel on the ground in metres, which terrain needs.

    Returns
    -------
    dict
        Plain values, for the argument `fitted` of `compute_features` and for a model's card.

    Raises
    ------
    InputError
        If a feature is unknown or lacks its bands, terrain is asked for without `pixel_m`, or
        there are too few valid samples.
    """
    names = expanded(names)
    require(bands, names)
    image = _filled(values, bands)
    table = image.reshape(len(image), -1).astype(np.float32, copy=False)
    found: dict[str, Any] = {}
    for key in to_fit(names):
        if key == PIXEL_M:
            if pixel_m is None:
                raise InputError("features of terrain need the size of a pixel; give pixel_m")
            found[key] = [float(side) for side in pixel_m]
        elif key == PCA:
            count = max(int(of.part) for name in names
                        for of in tree(feature(name)) if of.fit == PCA)  # fmt: skip
            own = measured(bands)
            places = [list(bands).index(band) for band in own]
            found[key] = fit_components(table[places].T, own, count).to_json()
        else:
            found[key] = _bounds(table, bands, key.removeprefix(BOUNDS), found)
    return found


def compute_features(
    image: np.ndarray,
    bands: Sequence[str],
    names: Sequence[str] = DEFAULTS,
    fitted: Fitted | None = None,
) -> np.ndarray:
    """Features of every pixel.

    Parameters
    ----------
    image : array (bands, rows, cols), or (bands, samples) of a table
        Reflectance from 0 to 1, NaN for nodata. Where `margin(names, fitted)` is m, the image has m
        pixels more on every side, NaN outside the scene; a table has none, so m must be 0.
    bands : sequence of str
        Names of the image's bands, such as B04.
    names : sequence of str
        Keys of `FEATURES`, names of families such as glcm:B08:entropy, or words for several, such
        as pca:3.
    fitted : mapping, optional
        From `fit`; fitted on the image itself where something is needed and this is not given.

    Returns
    -------
    array of float32 (features, rows, cols), or (features, samples)
        NaN where one of a feature's bands is NaN, finite elsewhere. Of a window with nodata in
        it, the valid pixels count.

    Raises
    ------
    InputError
        If a feature is unknown or named twice, the image lacks one of its bands, or features of
        windows are asked of a table.

    Examples
    --------
    >>> pixels = np.array([[0.25, 0.0, np.nan], [0.75, 0.0, 0.5]])
    >>> compute_features(pixels, ["B04", "B08"], ["ndvi"])
    array([[0.5, 0. , nan]], dtype=float32)
    """
    image = _filled(image, bands)
    names = expanded(names)
    require(bands, names)
    if fitted is None:
        fitted = fit(image, bands, names)
    fits = opened(names, fitted)
    around = margin(names, fits)
    if around and (image.ndim != 3 or min(image.shape[1:]) <= 2 * around):
        raise InputError(
            f"features {' '.join(names)} need {around} pixels around every pixel, and an array of "
            f"{image.shape} has none; give (bands, rows + {2 * around}, cols + {2 * around})"
        )
    layers = _Layers(image, bands, around, fits)
    layers.prepare(names)
    found = np.empty((len(names), *trimmed(image, around).shape[1:]), np.float32)
    for position, name in enumerate(names):
        found[position] = layers.of(name, 0)
    return found


#: The same, for `features.compute`.
compute = compute_features


def _filled(image: np.ndarray, bands: Sequence[str]) -> np.ndarray:
    """An array with a row a band, NaN where it is masked; InputError for another shape."""
    if np.ma.isMaskedArray(image):
        image = np.ma.filled(image.astype(np.float32), np.nan)
    image = np.asarray(image)
    if image.ndim not in (2, 3) or len(image) != len(bands):
        raise InputError(
            f"image has {len(image) if image.ndim else 0} bands and {len(bands)} names, and the "
            f"shape {image.shape}; give (bands, rows, cols) or (bands, samples), and a name a band"
        )
    return image


class _Layers:
    """Bands of an image and what is made of them, each once.

    Parameters
    ----------
    image : array (bands, rows + 2 around, cols + 2 around), or a table
        Reflectance.
    bands : sequence of str
        Names of its bands.
    around : int
        Margin of the image.
    fits : mapping
        From `opened`.
    """

    def __init__(
        self, image: np.ndarray, bands: Sequence[str], around: int, fits: Mapping[str, Any]
    ) -> None:
        self.image, self.bands, self.around, self.fits = image, list(bands), around, fits
        self.roles = roles_of(bands)
        self.made: dict[tuple[str, int], np.ndarray] = {}
        self.wanted: dict[tuple[str, int], dict[str, str]] = {}

    def prepare(self, names: Sequence[str], keep: int = 0) -> None:
        """Note which parts of each group will be asked for, to make them in one call."""
        for name in names:
            of = made_by(name)
            if of is None:
                continue
            if of.parts:
                self.wanted.setdefault((of.parts, keep), {})[name] = of.part
            self.prepare([need for need in of.needs if need != ALL], keep + self._around(of))

    def of(self, name: str, keep: int) -> np.ndarray:
        """A layer with a margin of so many pixels."""
        of = made_by(name)
        if of is None:
            return self._band(self.roles.get(name, name), keep)
        if (name, keep) not in self.made:
            arrays = [self._need(need, keep + self._around(of)) for need in of.needs]
            together = self.wanted[of.parts, keep] if of.parts else {name: of.part}
            found = of.together(tuple(together.values()), *arrays, fitted=self.fits.get(of.fit))
            self.made |= {(one, keep): layer for one, layer in zip(together, found, strict=True)}
        return self.made[name, keep]

    def _around(self, of: Feature) -> int:
        return of.around(self.fits.get(PIXEL_M))

    def _need(self, name: str, keep: int) -> np.ndarray:
        if name != ALL:
            return self.of(name, keep)
        order = [self.bands.index(band) for band in self.fits[PCA].names]
        return trimmed(self.image[order], self.around - keep)

    def _band(self, name: str, keep: int) -> np.ndarray:
        return trimmed(self.image[self.bands.index(name)], self.around - keep)


def fitted_on(grid: Grid, fitted: Mapping[str, Any]) -> dict[str, Any]:
    """What features were fitted to, with the size of a grid's own pixels where that is needed.

    Slopes of a scene are of its pixels, and not of those that a model learnt from.
    """
    return {key: on_the_ground(grid) if key == PIXEL_M else fitted[key] for key in fitted}


def on_the_ground(grid: Grid) -> tuple[float, float]:
    """Height and width of a grid's pixels in metres."""
    width, height = grid.pixel_size_m
    return height, width


def opened(names: Sequence[str], fitted: Fitted) -> dict[str, Any]:
    """What features were fitted to, as their functions take it, by key.

    Raises
    ------
    InputError
        If something was not fitted, or is damaged.
    """
    found = {}
    for key in to_fit(names):
        if not isinstance(fitted, Mapping) or key not in fitted:
            raise InputError(f"features need {key}, which was not fitted; give fitted=fit(...)")
        found[key] = _opened(key, fitted[key])
    return found


def _opened(key: str, value: Any) -> Components | tuple[float, float]:  # noqa: ANN401 - of a card
    """What was fitted, as functions take it: components, or two numbers."""
    if key == PCA:
        return Components.from_json(value)
    try:
        first, second = (float(number) for number in value)
    except (TypeError, ValueError):
        first = second = np.nan
    fits = min(first, second) > 0 if key == PIXEL_M else first < second
    if not (fits and np.isfinite([first, second]).all()):
        raise InputError(f"fitted {key} is {value!r}, no two numbers that it could be")
    return first, second


def _bounds(table: np.ndarray, bands: Sequence[str], layer: str, fitted: Fitted) -> list[float]:
    """Values of a layer between which its levels lie."""
    if made_by(layer) is None:
        values = table[list(bands).index(roles_of(bands).get(layer, layer))]
    else:
        values = compute_features(table, bands, [layer], fitted)[0]
    values = values[np.isfinite(values)]
    if not values.size:
        raise InputError(f"{layer} has no valid pixel to take the bounds of its levels from")
    low, high = np.percentile(values, BOUND_PERCENTILES).tolist()
    return [low, high if high > low else low + 1.0]
