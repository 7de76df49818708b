"""Which features there are, by name, and what each is made of.

A row of `FEATURES`, or a name of `feature_families`, is all that the package knows of a feature,
be it an index of single pixels or a value of the window around a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from landcover.errors import InputError
from landcover.scene.expressions import is_expression, own_name
from landcover.scene.feature import ALL, Feature, require_once
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
from landcover.scene.segmentation.statistics import is_of_segments, layers_of_statistics
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
    return several or name in _ROLES or formula or made_by(name) is not None


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
        too_many = [of.part for of in tree(feature(name)) if of.fit == PCA
                    and int(of.part) > len(measured(bands))]  # fmt: skip
        if too_many:
            own = measured(bands)
            raise InputError(
                f"feature {name} needs component {too_many[0]}, and {len(own)} bands have "
                f"{len(own)}: {' '.join(own)}"
            )
    require_once(names)
    _require_own_names(names, bands)


def _require_own_names(names: Sequence[str], bands: Sequence[str]) -> None:
    """Raise InputError if a formula has the name of something else."""
    held = {own: band for band in bands if (own := own_name(band))}
    for formula in (of.name for name in names for of in tree(feature(name))):
        own = own_name(formula)
        if not own:
            continue
        first = held.setdefault(own, formula)
        if first != formula:
            raise InputError(f"features {first} and {formula} have one name; give one another name")
        if own in bands or is_reserved(own) or reflectance_bands([own]):
            raise InputError(
                f"feature {formula}: {own} is the name of a band, a role or a feature; give the "
                f"formula another name, such as my_{formula}"
            )


def _require_single_pixels(of: Feature) -> None:
    """Raise InputError if a texture is of a layer that is itself made of windows."""
    made = {need: part for need in of.needs if (part := made_by(need)) is not None}
    wide = [need for need, part in made.items() if _is_windowed(part)]
    if of.fit.startswith(BOUNDS) and wide:
        raise InputError(
            f"feature {of.name} is of {wide[0]}, which is made of windows; texture is of a "
            "band, an index or a component"
        )


def margin(names: Sequence[str], fitted: Fitted | None = None) -> int:
    """Pixels that features need around an image: the largest of their radii.

    Parameters
    ----------
    names : sequence of str
        Features.
    fitted : mapping, optional
        Of `features.fit`; needed where a radius is in metres, such as that of tpi.

    >>> margin(["ndvi", "bi2"]), margin(["ndvi", "glcm:ndvi:entropy:5"])
    (0, 2)
    >>> margin(["pca:3"])
    0
    """
    pixel_m = (fitted or {}).get(PIXEL_M)
    return max((_margin(feature(name), pixel_m) for name in expanded(names)), default=0)


def _margin(of: Feature, pixel_m: Sequence[float] | None) -> int:
    """The radius of a feature, and of what it is made of."""
    parts = [found for need in of.needs if (found := made_by(need)) is not None]
    return of.around(pixel_m) + max((_margin(part, pixel_m) for part in parts), default=0)


def windowed(names: Sequence[str]) -> tuple[str, ...]:
    """Those features whose value depends on pixels around a pixel.

    >>> windowed(["ndvi", "slope", "tpi", "glcm:ndvi:entropy", "pc1"])
    ('slope', 'tpi', 'glcm:ndvi:entropy')
    """
    return tuple(name for name in names if _is_windowed(feature(name)))


def _is_windowed(of: Feature) -> bool:
    return any(part.radius or part.radius_m for part in tree(of))


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
    found = {of.fit for name in names for of in tree(feature(name)) if of.fit}
    return tuple(sorted(found, key=lambda key: (key.startswith(BOUNDS), key)))


def made_by(name: str) -> Feature | None:
    """The feature that a need is, or None for a band, a role or all bands."""
    if name == ALL or name in _ROLES:
        return None
    return FEATURES.get(name) or in_family(name)


def tree(of: Feature) -> Iterator[Feature]:
    """A feature and all that it is made of."""
    yield of
    for need in of.needs:
        part = made_by(need)
        if part is not None:
            yield from tree(part)


def measured(bands: Sequence[str]) -> tuple[str, ...]:
    """Those of a scene's bands that are measured by a sensor: what components are made of."""
    return tuple(band for band in bands if not (made_by(band) or _MAPPED.fullmatch(band)
                                                or is_of_segments(band)))  # fmt: skip


def _grounds(name: str) -> Iterator[str]:
    """Roles and bands that a feature is made of in the end."""
    for of in tree(feature(name)):
        yield from (need for need in of.needs if made_by(need) is None)


def _lacking(name: str, bands: Sequence[str], roles: Mapping[str, str]) -> Iterator[str]:
    """Roles and bands that a feature needs and that are not there."""
    held = {*bands, *roles}
    for of in tree(feature(name)):
        needs = () if of.fit == PCA else of.needs
        yield from (need for need in needs if made_by(need) is None and need not in held)


def _in_words(need: str, bands: Sequence[str]) -> str:
    """A role and the band of it, red (B04); or the name of a band."""
    if need not in _ROLES:
        return f"a band {need}"
    sensor = sensor_of(bands)
    named = next((band.name for band in sensor.bands if band.role == need), None)
    return f"{need} ({named or f'which {sensor.title} has not'})"
