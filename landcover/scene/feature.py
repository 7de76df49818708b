"""A feature: what is known of one layer that classifiers of pixels see beside the bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from landcover.errors import InputError

#: As a need: all bands, one array (bands, rows, cols), in the order that the fit has.
ALL = "bands"
#: The most pixels around a pixel that a feature looks at.
FARTHEST_PX = 200


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
    radius_m : float
        The same in metres, of a feature that is fitted to the size of a pixel; `radius` is 0 then.
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
    radius_m: float = 0.0

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
        pixel_m = cast("Sequence[float]", fitted) if self.radius_m else None
        around = self.around(pixel_m)
        inner = [trimmed(array, around) for array in arrays]
        if self.needs != (ALL,):
            inner = [layer[np.newaxis] for layer in inner]
        known = np.logical_and.reduce([~np.isnan(layers).any(axis=0) for layers in inner])
        value = np.where(np.isfinite(value), value, np.float32(0))
        return np.where(known, value, np.float32(np.nan)).astype(np.float32)

    def around(self, pixel_m: Sequence[float] | None = None) -> int:
        """Pixels around a pixel that its value depends on, of pixels of some height and width.

        Raises
        ------
        InputError
            If the size of pixels is needed and not known, or so many pixels are not looked at.
        """
        if not self.radius_m:
            return self.radius
        if pixel_m is None:
            raise InputError(f"feature {self.name} needs the size of a pixel; give fitted=fit(...)")
        found = whole_pixels(self.radius_m, pixel_m)
        if found > FARTHEST_PX:
            raise InputError(
                f"feature {self.name} reaches {self.radius_m:g} m, which are {found} pixels here; "
                f"choose a radius of at most {FARTHEST_PX} pixels"
            )
        return found


def whole_pixels(length_m: float, pixel_m: Sequence[float]) -> int:
    """Whole pixels nearest to a length, at least one, as `landcover.grid.Grid.pixels` has it.

    >>> whole_pixels(300, (10, 10)), whole_pixels(300, (25, 15)), whole_pixels(3, (10, 10))
    (30, 15, 1)
    """
    return max(1, round(length_m / float(np.mean(pixel_m))))


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
