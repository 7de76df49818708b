"""A feature: what is known of one layer that classifiers of pixels see beside the bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError

#: As a need: all bands, one array (bands, rows, cols), in the order that the fit has.
ALL = "bands"


@dataclass(frozen=True)
class Feature:
    """A feature of pixels.

    Attributes
    ----------
    name : str
        As people and cards write it, column of sample tables.
    needs : tuple of str
        What the function takes, in its order: roles of bands, of `landcover.sensors`; names of
        bands, such as elevation; names of other features; or `ALL` alone.
    function : callable
        Arrays, one a need, to the feature. Of radius 0: arrays of any shape to one of that
        shape. Of radius r: (rows + 2r, cols + 2r) to (rows, cols); NaN marks nodata and places
        outside the scene, and what valid pixels of the window say is the value. A pixel's value
        depends on its window alone, to the last bit, and so not on where an array begins: maps
        are made tile by tile. Running sums of floats and Fourier transforms break that.
    formula : str
        For people and other programs: roles for bands, functions of NumPy where radius is 0.
    source : str
        Where the formula comes from.
    radius : int
        Pixels around a pixel that its value depends on; 0 for an index.
    fit : str
        Key of what is fitted on a scene, or on training samples, before the feature can be
        computed; the function takes that as its last argument. Empty for most.
    parts : str
        Where one call makes several features: what is written of the group before the part.
        The function then takes `parts`, a tuple, and gives (parts, rows, cols).
    part : str
        Which of them this is.
    """

    name: str
    needs: tuple[str, ...]
    function: Callable[..., np.ndarray]
    formula: str
    source: str
    radius: int = 0
    fit: str = ""
    parts: str = ""
    part: str = ""

    def __call__(self, *arrays: np.ndarray, fitted: object = None) -> np.ndarray:
        """The feature, float32, from arrays in the order of `needs`.

        NaN where the pixel itself is NaN in one of them. At other pixels 0 where the function
        gives no finite number, as where it divides by 0, so that a valid pixel has a value.
        """
        found = self.together((self.part,), *arrays, fitted=fitted)
        return found[0]

    def together(
        self, parts: tuple[str, ...], *arrays: np.ndarray, fitted: object = None
    ) -> np.ndarray:
        """Several features of one group, float32 (parts, ...), as calling each gives them."""
        arrays = tuple(np.asarray(array, np.float32) for array in arrays)
        last = (fitted,) if self.fit else ()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.parts:
                value = np.asarray(self.function(*arrays, *last, parts=parts))
            else:
                value = self.function(*arrays, *last)[np.newaxis]
        known = np.logical_and.reduce([~np.isnan(self._centre(a)).any(axis=0) for a in arrays])
        value = np.where(np.isfinite(value), value, np.float32(0))
        return np.where(known, value, np.float32(np.nan)).astype(np.float32)

    def _centre(self, array: np.ndarray) -> np.ndarray:
        """An array without the margin of the radius, (1, ...) or (bands, ...)."""
        inside = trimmed(array, self.radius)
        return inside if self.needs == (ALL,) else inside[np.newaxis]


def require_once(names: Sequence[str]) -> None:
    """Raise InputError if a feature is named twice."""
    if len(set(names)) < len(names):
        raise InputError(f"features {' '.join(names)} name one twice; name each once")


def trimmed(array: np.ndarray, around: int) -> np.ndarray:
    """An array without its margin of the last two axes.

    >>> trimmed(np.arange(9).reshape(3, 3), 1)
    array([[4]])
    """
    return array[..., around:-around, around:-around] if around else array
