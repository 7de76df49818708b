"""Features as a table: what classifiers of pixels see beside the bands.

A row of `FEATURES`, or a name of `feature_families`, is all that the package knows of a feature,
be it an index of single pixels or a value of the window around a pixel. The same function makes
them for scenes, for sample tables and for maps, so a map shows a classifier what training showed
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from landcover.errors import InputError
from landcover.scene.components import Components, fit_components
from landcover.scene.expressions import is_expression
from landcover.scene.feature import ALL, Feature, require_once, trimmed
from landcover.scene.feature_families import (
    BOUNDS,
    FAMILIES,
    GROUPS,
    PCA,
    PIXEL_M,
    TERRAIN_FEATURES,
    expanded,
    in_family,
)
from landcover.scene.indices import INDICES
from landcover.scene.segmentation.statistics import (
    OF_LAYERS,
    OF_SHAPES,
    OF_TYPES,
    SOURCE,
    is_of_segments,
    layers_of_statistics,
)
from landcover.sensors import SENSORS, reflectance_bands, roles_of, sensor_of

#: What is fitted before some features can be computed, by key, as plain values for a model's card.
Fitted: TypeAlias = Mapping[str, Any]

#: Features of windows, each from the module of its function.
WINDOWED: tuple[Feature, ...] = ()
#: Every feature of a fixed name, by it.
FEATURES: dict[str, Feature] = {
    name: Feature(name, index.needs, index.function, index.formula, index.source)
    for name, index in INDICES.items()
} | {feature.name: feature for feature in WINDOWED}
#: Greenness, water and brightness: what the four 10 m bands say beyond their levels.
DEFAULTS = ("ndvi", "ndwi", "bi2")
#: Percentiles between which the levels of a texture lie: outliers would leave most of them empty.
BOUND_PERCENTILES = (1.0, 99.0)

#: Bands of terrain and of vector files, which components are not made of.
_MAPPED = re.compile(r"elevation|.+_(?:distance|mask)")
_ROLES = {band.role for sensor in SENSORS.values() for band in sensor.bands}


def feature(name: str) -> Feature:
    """The feature of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    found = FEATURES.get(name) or in_family(name)
    if is_of_segments(name):
        raise InputError(
            f"feature {name} is of segments, and made with the scene: landcover prep --segment "
            f"--features {name}"
        )
    if found is None:
        raise InputError(
            f"there is no feature {name!r}; the features are {' '.join(FEATURES)} and "
            f"{', '.join(family for family, *_ in FAMILIES)}, which landcover features lists"
        )
    return found


@dataclass(frozen=True)
class Layers:
    """What a classifier of pixels sees of a scene.

    Attributes
    ----------
    bands : tuple of str
        Bands that are read, in the scene's order.
    features : tuple of str
        Features that are computed from them.
    unseen : tuple of str
        Bands that only features are made from.
    fitted : mapping
        What features are fitted to; nothing yet.
    """

    bands: tuple[str, ...]
    features: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    fitted: Fitted = field(default_factory=dict, hash=False, repr=False)


def layers_of(bands: Sequence[str], names: Sequence[str] | None = None) -> Layers:
    """What is seen of a scene: the layers of these names, and no others.

    Parameters
    ----------
    bands : sequence of str
        Of the scene.
    names : sequence of str, optional
        Names of its bands, "bands" for all of them, and features; by default all bands and those
        of `DEFAULTS` that they allow.

    Raises
    ------
    InputError
        If there is no layer of a name, or one is named twice.

    Examples
    --------
    >>> layers_of(["B02", "B03", "B04", "B08"], ["B03", "ndvi"])
    Layers(bands=('B03', 'B04', 'B08'), features=('ndvi',), unseen=('B04', 'B08'))
    """
    if names is None:
        return Layers(tuple(bands), tuple(n for n in available(bands) if n not in bands))
    names = expanded(names)
    if not names:
        raise InputError("features are an empty list; name layers, such as bands and ndvi")
    require_once(names)
    whole = ALL in names
    seen = tuple(band for band in bands if whole or band in names)
    made = tuple(name for name in names if name != ALL and name not in bands)
    _require_named(made, bands)
    read = {*seen, *reads(bands, made)}
    return Layers(
        tuple(band for band in bands if band in read),
        made,
        tuple(band for band in bands if band in read and band not in seen),
    )


def _require_named(names: Sequence[str], bands: Sequence[str]) -> None:
    """Raise InputError where a name is almost that of a layer: a role, or spelt otherwise."""
    roles = roles_of(bands)
    known = {name.lower(): name for name in (*FEATURES, *TERRAIN_FEATURES, *bands)}
    for name in names:
        near = known.get(re.sub(r"^b(?=\d$)", "b0", name.strip().lower()), roles.get(name, name))
        if near != name:
            raise InputError(
                f"there is no feature {name!r}, and no band of this name; did you mean {near}? "
                f"The bands are {' '.join(bands)}"
            )


def is_reserved(name: str) -> bool:
    """Whether a name means a feature, several layers, or a band by its role, in any scene.

    >>> is_reserved("slope"), is_reserved("nir"), is_reserved("a-b"), is_reserved("elevation")
    (True, True, True, False)
    """
    several = name == ALL or name in GROUPS
    formula = is_expression(name) or is_of_segments(name)
    return several or name in _ROLES or formula or _made(name) is not None


def of_reflectance(bands: Sequence[str]) -> tuple[str, ...]:
    """Those of a scene's bands that are features of its reflectance, or of segments' of it.

    >>> of_reflectance(["B04", "B08", "ndvi", "elevation", "slope", "segment_mean:ndvi"])
    ('ndvi', 'segment_mean:ndvi')
    """

    def made_of(name: str) -> bool:
        layers = layers_of_statistics([name])
        if layers:
            return bool(reflectance_bands(layers)) or made_of(layers[0])
        if not is_reserved(name) or is_of_segments(name):
            return False
        return bool(reflectance_bands(reads([band for band in bands if band != name], [name])))

    return tuple(band for band in bands if made_of(band))


def available(bands: Sequence[str], names: Sequence[str] = DEFAULTS) -> tuple[str, ...]:
    """Those features that bands allow, in the order given.

    >>> available(["B02", "B03", "B04"])
    ()
    >>> available(["B04", "B08"])
    ('ndvi',)
    """
    roles = roles_of(bands)
    return tuple(name for name in names if not any(_lacking(name, bands, roles)))


def require_known(names: Sequence[str]) -> None:
    """Raise InputError unless there are features of these names."""
    for name in names:
        feature(name)


def require(bands: Sequence[str], names: Sequence[str]) -> None:
    """Raise InputError unless the features exist, each is named once, and bands allow them."""
    roles = roles_of(bands)
    for name in names:
        missing = list(dict.fromkeys(_lacking(name, bands, roles)))
        if missing:
            raise InputError(
                f"feature {name} needs {' and '.join(_in_words(need, bands) for need in missing)}; "
                f"the bands are {' '.join(bands)}: "
                f"choose among {' '.join(available(bands, tuple(FEATURES))) or 'none'}"
            )
        _require_single_pixels(feature(name))
        too_many = [of.part for of in _tree(feature(name)) if of.fit == PCA
                    and int(of.part) > len(measured(bands))]  # fmt: skip
        if too_many:
            own = measured(bands)
            raise InputError(
                f"feature {name} needs component {too_many[0]}, and {len(own)} bands have "
                f"{len(own)}: {' '.join(own)}"
            )
    require_once(names)


def _require_single_pixels(of: Feature) -> None:
    """Raise InputError if a texture is of a layer that is itself made of windows."""
    wide = [need for need in of.needs if (made := _made(need)) is not None and _margin(made)]
    if of.fit.startswith(BOUNDS) and wide:
        raise InputError(
            f"feature {of.name} is of {wide[0]}, which is made of windows; texture is of a "
            "band, an index or a component"
        )


def margin(names: Sequence[str]) -> int:
    """Pixels that features need around an image: the largest of their radii.

    >>> margin(["ndvi", "bi2"]), margin(["ndvi", "glcm:ndvi:entropy:5"])
    (0, 2)
    >>> margin(["pca:3"])
    0
    """
    return max((_margin(feature(name)) for name in expanded(names)), default=0)


def _margin(of: Feature) -> int:
    """The radius of a feature, and of what it is made of."""
    parts = [found for need in of.needs if (found := _made(need)) is not None]
    return of.radius + max((_margin(part) for part in parts), default=0)


def reads(bands: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Those of a scene's bands that features are made from, in the scene's order.

    >>> reads(["B02", "B03", "B04", "B08"], ["ndvi"])
    ('B04', 'B08')
    """
    require(bands, names)
    roles = roles_of(bands)
    found: set[str] = set()
    for name in names:
        for need in _grounds(name):
            found |= set(measured(bands)) if need == ALL else {roles.get(need, need)}
    return tuple(band for band in bands if band in found)


def to_fit(names: Sequence[str]) -> tuple[str, ...]:
    """Keys of what has to be fitted before features can be computed, in that order.

    >>> to_fit(["ndvi", "glcm:pc1:entropy"])
    ('pca', 'bounds:pc1')
    """
    found = {of.fit for name in names for of in _tree(feature(name)) if of.fit}
    return tuple(sorted(found, key=lambda key: (key.startswith(BOUNDS), key)))


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
                        for of in _tree(feature(name)) if of.fit == PCA)  # fmt: skip
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
        Reflectance from 0 to 1, NaN for nodata. Where `margin(names)` is m, the image has m
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
    around = margin(names)
    if around and (image.ndim != 3 or min(image.shape[1:]) <= 2 * around):
        raise InputError(
            f"features {' '.join(names)} need {around} pixels around every pixel, and an array of "
            f"{image.shape} has none; give (bands, rows + {2 * around}, cols + {2 * around})"
        )
    if fitted is None:
        fitted = fit(image, bands, names)
    layers = _Layers(image, bands, around, fitted)
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
    fitted : mapping
        From `fit`.
    """

    def __init__(
        self, image: np.ndarray, bands: Sequence[str], around: int, fitted: Fitted
    ) -> None:
        self.image, self.bands, self.around, self.fitted = image, list(bands), around, fitted
        self.roles = roles_of(bands)
        self.made: dict[tuple[str, int], np.ndarray] = {}
        self.wanted: dict[tuple[str, int], dict[str, str]] = {}
        self.opened: dict[str, object] = {}

    def prepare(self, names: Sequence[str], keep: int = 0) -> None:
        """Note which parts of each group will be asked for, to make them in one call."""
        for name in names:
            of = _made(name)
            if of is None:
                continue
            if of.parts:
                self.wanted.setdefault((of.parts, keep), {})[name] = of.part
            self.prepare([need for need in of.needs if need != ALL], keep + of.radius)

    def of(self, name: str, keep: int) -> np.ndarray:
        """A layer with a margin of so many pixels."""
        of = _made(name)
        if of is None:
            return self._band(self.roles.get(name, name), keep)
        if (name, keep) not in self.made:
            arrays = [self._need(need, keep + of.radius) for need in of.needs]
            together = self.wanted[of.parts, keep] if of.parts else {name: of.part}
            found = of.together(tuple(together.values()), *arrays, fitted=self._fit(of.fit))
            self.made |= {(one, keep): layer for one, layer in zip(together, found, strict=True)}
        return self.made[name, keep]

    def _need(self, name: str, keep: int) -> np.ndarray:
        if name != ALL:
            return self.of(name, keep)
        order = [self.bands.index(band) for band in self._fit(PCA).names]
        return trimmed(self.image[order], self.around - keep)

    def _band(self, name: str, keep: int) -> np.ndarray:
        return trimmed(self.image[self.bands.index(name)], self.around - keep)

    def _fit(self, key: str) -> Any:  # noqa: ANN401 - each function knows what it was fitted to
        """What was fitted, as functions take it."""
        if key and key not in self.opened:
            if key not in self.fitted:
                raise InputError(f"features need {key}, which was not fitted; give fitted=fit(...)")
            value = self.fitted[key]
            self.opened[key] = Components.from_json(value) if key == PCA else tuple(value)
        return self.opened.get(key)


def formula(name: str, bands: Sequence[str]) -> str:
    """A feature's formula with the names of bands for their roles.

    >>> formula("ndvi", ["B04", "B08"])
    'clip((B08 - B04) / (B08 + B04), -1, 1)'
    """
    require(bands, [name])
    roles = roles_of(bands)
    of = feature(name)
    if not of.needs or of.needs == (ALL,):
        return of.formula
    words = "|".join(map(re.escape, of.needs))
    return re.sub(rf"\b({words})\b", lambda found: roles.get(found[1], found[1]), of.formula)


def table() -> str:
    """All features as a table of Markdown, for the documentation."""
    lines = [
        "| feature | needs | radius, px | formula | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{row['name']}` | {row['needs']} | {row['radius']} | {_as_code(row)} "
        f"| {row['source']} |"
        for row in rows()
    ]
    return "\n".join(lines) + "\n"


def rows() -> list[dict[str, Any]]:
    """Every feature and family as plain values: name, needs, radius, formula, source."""
    return [
        *({"name": f.name, "needs": ", ".join(f.needs), "radius": f.radius,
           "formula": f.formula, "source": f.source} for f in _listed()),
        *({"name": name, "needs": needs, "radius": "" , "formula": text, "source": source}
          for name, needs, text, source in FAMILIES),
        *({"name": f"{name}:LAYER", "needs": "segments and a band", "radius": "",
           "formula": text, "source": SOURCE} for name, text in OF_LAYERS.items()),
        *({"name": name, "needs": "segments", "radius": "", "formula": text, "source": SOURCE}
          for name, text in OF_SHAPES.items()),
        *({"name": f"{name}:TYPES", "needs": "segments", "radius": "", "formula": text,
           "source": SOURCE} for name, text in OF_TYPES.items()),
    ]  # fmt: skip


def _listed() -> Iterator[Feature]:
    """Features of fixed names."""
    yield from FEATURES.values()
    yield from TERRAIN_FEATURES.values()


def _as_code(row: Mapping[str, Any]) -> str:
    """A formula as code, and the words for a family as they are."""
    return f"`{row['formula']}`" if row["radius"] != "" else str(row["formula"])


def _made(name: str) -> Feature | None:
    """The feature that a need is, or None for a band, a role or all bands."""
    if name == ALL or name in _ROLES:
        return None
    return FEATURES.get(name) or in_family(name)


def _tree(of: Feature) -> Iterator[Feature]:
    """A feature and all that it is made of."""
    yield of
    for need in of.needs:
        part = _made(need)
        if part is not None:
            yield from _tree(part)


def measured(bands: Sequence[str]) -> tuple[str, ...]:
    """Those of a scene's bands that are measured by a sensor: what components are made of."""
    return tuple(band for band in bands if not (_made(band) or _MAPPED.fullmatch(band)
                                                or is_of_segments(band)))  # fmt: skip


def _grounds(name: str) -> Iterator[str]:
    """Roles and bands that a feature is made of in the end."""
    for of in _tree(feature(name)):
        yield from (need for need in of.needs if _made(need) is None)


def _lacking(name: str, bands: Sequence[str], roles: Mapping[str, str]) -> Iterator[str]:
    """Roles and bands that a feature needs and that are not there."""
    held = {*bands, *roles}
    for of in _tree(feature(name)):
        needs = () if of.fit == PCA else of.needs
        yield from (need for need in needs if _made(need) is None and need not in held)


def _bounds(table: np.ndarray, bands: Sequence[str], layer: str, fitted: Fitted) -> list[float]:
    """Values of a layer between which its levels lie."""
    if _made(layer) is None:
        values = table[list(bands).index(roles_of(bands).get(layer, layer))]
    else:
        values = compute_features(table, bands, [layer], fitted)[0]
    values = values[np.isfinite(values)]
    if not values.size:
        raise InputError(f"{layer} has no valid pixel to take the bounds of its levels from")
    low, high = np.percentile(values, BOUND_PERCENTILES).tolist()
    return [low, high if high > low else low + 1.0]


def _in_words(need: str, bands: Sequence[str]) -> str:
    """A role and the band of it, red (B04); or the name of a band."""
    if need not in _ROLES:
        return f"a band {need}"
    sensor = sensor_of(bands)
    named = next((band.name for band in sensor.bands if band.role == need), None)
    return f"{need} ({named or f'which {sensor.title} has not'})"
