"""Features as a table: what classifiers of pixels see beside the bands.

A row of `FEATURES` is all that the package knows of a feature, be it an index of single pixels or
a value of the window around a pixel. The same function makes them for sample tables and for maps,
so a map shows a classifier what training showed it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError
from landcover.scene.indices import INDICES
from landcover.sensors import roles_of, sensor_of


@dataclass(frozen=True)
class Feature:
    """A feature of pixels.

    Attributes
    ----------
    name : str
        Key of `FEATURES`, column of sample tables, word of cards.
    needs : tuple of str
        Roles of bands, of `landcover.sensors`, in the order in which the function takes them.
    function : callable
        Arrays of reflectance, one a role, to the feature. Of radius 0: arrays of any shape to
        one of that shape. Of radius r: (rows + 2r, cols + 2r) to (rows, cols); NaN marks nodata
        and places outside the scene, and what valid pixels of the window say is the value. A
        pixel's value depends on its window alone, to the last bit, and so not on where an array
        begins: maps are made tile by tile. Running sums and Fourier transforms break that.
    formula : str
        For people and other programs: roles for bands, functions of NumPy where radius is 0.
    source : str
        Where the formula comes from.
    radius : int
        Pixels around a pixel that its value depends on; 0 for an index.
    """

    name: str
    needs: tuple[str, ...]
    function: Callable[..., np.ndarray]
    formula: str
    source: str
    radius: int = 0

    def __call__(self, *arrays: np.ndarray) -> np.ndarray:
        """The feature, float32, from arrays of reflectance in the order of `needs`.

        NaN where the pixel itself is NaN in one of them. At other pixels 0 where the function
        gives no finite number, as where it divides by 0, so that a valid pixel has a value.
        """
        arrays = tuple(np.asarray(array, np.float32) for array in arrays)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = self.function(*arrays)
        known = np.logical_and.reduce([~np.isnan(trimmed(a, self.radius)) for a in arrays])
        value = np.where(np.isfinite(value), value, np.float32(0))
        return np.where(known, value, np.float32(np.nan)).astype(np.float32)


#: Features of windows, each from the module of its function.
WINDOWED: tuple[Feature, ...] = ()
#: Every feature by name.
FEATURES: dict[str, Feature] = {
    name: Feature(name, index.needs, index.function, index.formula, index.source)
    for name, index in INDICES.items()
} | {feature.name: feature for feature in WINDOWED}
#: Greenness, water and brightness: what the four 10 m bands say beyond their levels.
DEFAULTS = ("ndvi", "ndwi", "bi2")


def available(bands: Sequence[str], names: Sequence[str] = DEFAULTS) -> tuple[str, ...]:
    """Those features that bands allow, in the order given.

    >>> available(["B02", "B03", "B04"])
    ()
    >>> available(["B04", "B08"])
    ('ndvi',)
    """
    roles = roles_of(bands)
    return tuple(name for name in names if roles.keys() >= set(_feature(name).needs))


def require_known(names: Sequence[str]) -> None:
    """Raise InputError unless there are features of these names."""
    for name in names:
        _feature(name)


def require(bands: Sequence[str], names: Sequence[str]) -> None:
    """Raise InputError unless the features exist, each is named once, and bands allow them."""
    if isinstance(names, str):
        raise InputError(f"features are {names!r}; give a list of names, such as [{names!r}]")
    roles = roles_of(bands)
    for name in names:
        missing = [role for role in _feature(name).needs if role not in roles]
        if missing:
            raise InputError(
                f"feature {name} needs {' and '.join(_in_words(role, bands) for role in missing)}; "
                f"the bands are {' '.join(bands)}: "
                f"choose among {' '.join(available(bands, tuple(FEATURES))) or 'none'}"
            )
    if len(set(names)) < len(names):
        raise InputError(f"features {' '.join(names)} name one twice; name each once")


def margin(names: Sequence[str]) -> int:
    """Pixels that features need around an image: the largest of their radii.

    >>> margin(["ndvi", "bi2"])
    0
    """
    return max((_feature(name).radius for name in names), default=0)


def compute_features(
    image: np.ndarray, bands: Sequence[str], names: Sequence[str] = DEFAULTS
) -> np.ndarray:
    """Features of every pixel.

    Parameters
    ----------
    image : array (bands, rows, cols), or (bands, samples) of a table
        Reflectance from 0 to 1, NaN for nodata. Where `margin(names)` is m, the image has m
        pixels more on every side, NaN outside the scene; a table has none, so m must be 0.
    bands : sequence of str
        Names of the image's bands, such as B04.
    names : sequence of str
        Keys of `FEATURES`.

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
    image = np.asarray(image)
    if len(image) != len(bands):
        raise InputError(
            f"image has {len(image)} bands and {len(bands)} names; "
            "give (bands, rows, cols) and a name a band"
        )
    require(bands, names)
    around = margin(names)
    if around and (image.ndim != 3 or min(image.shape[1:]) <= 2 * around):
        raise InputError(
            f"features {' '.join(names)} need {around} pixels around every pixel, and an array of "
            f"{image.shape} has none; give (bands, rows + {2 * around}, cols + {2 * around})"
        )
    held = dict(zip(bands, image, strict=True))
    roles = roles_of(bands)
    found = np.empty((len(names), *trimmed(image, around).shape[1:]), np.float32)
    for position, name in enumerate(names):
        feature = FEATURES[name]
        more = around - feature.radius
        found[position] = feature(*(trimmed(held[roles[role]], more) for role in feature.needs))
    return found


def trimmed(array: np.ndarray, around: int) -> np.ndarray:
    """An array without its margin of the last two axes.

    >>> trimmed(np.arange(9).reshape(3, 3), 1)
    array([[4]])
    """
    return array[..., around:-around, around:-around] if around else array


def formula(name: str, bands: Sequence[str]) -> str:
    """A feature's formula with the names of bands for their roles.

    >>> formula("ndvi", ["B04", "B08"])
    'clip((B08 - B04) / (B08 + B04), -1, 1)'
    """
    require(bands, [name])
    roles = roles_of(bands)
    words = "|".join(_feature(name).needs)
    return re.sub(rf"\b({words})\b", lambda found: roles[found[1]], FEATURES[name].formula)


def table() -> str:
    """All features as a table of Markdown, for the documentation."""
    lines = [
        "| feature | needs | radius, px | formula | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{f.name}` | {', '.join(f.needs)} | {f.radius} | `{f.formula}` | {f.source} |"
        for f in FEATURES.values()
    ]
    return "\n".join(lines) + "\n"


def _feature(name: str) -> Feature:
    if name not in FEATURES:
        raise InputError(f"there is no feature {name!r}; the features are {' '.join(FEATURES)}")
    return FEATURES[name]


def _in_words(role: str, bands: Sequence[str]) -> str:
    """A role and the band of it: red (B04)."""
    sensor = sensor_of(bands)
    named = next((band.name for band in sensor.bands if band.role == role), None)
    return f"{role} ({named or f'which {sensor.title} has not'})"
