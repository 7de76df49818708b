"""Features whose names hold a choice: texture, principal components, terrain and band maths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from landcover.errors import InputError
from landcover.scene.components import Components
from landcover.scene.expressions import FUNCTIONS, is_expression, parse
from landcover.scene.feature import ALL, Feature, whole_pixels
from landcover.scene.terrain import PixelSize, aspect, curvature, position, slope
from landcover.scene.texture import LEVELS, PROPERTIES, WINDOW_PX, texture

#: Key of the principal components among what is fitted, and of the size of a pixel in metres.
PCA, PIXEL_M = "pca", "pixel_m"
#: Before the layer, in the key of the bounds that its levels lie between.
BOUNDS = "bounds:"
#: Radius of topographic position, metres.
POSITION_M = 300
#: Words that stand for several layers.
GROUPS = {"aspect": ("aspect_sin", "aspect_cos")}

# numbers of more digits are none of these: what they stand for would not fit into memory
_TEXTURE = re.compile(rf"glcm:(.+?):({'|'.join(PROPERTIES)})(?::(\d{{1,4}}))?(?::(\d{{1,4}}))?")
_COMPONENT = re.compile(r"pc([1-9]\d{0,3})")
_POSITION = re.compile(r"tpi:(\d{1,4})")
_COMPONENTS = re.compile(r"pca:([1-9]\d{0,3})")

_HORN = "Horn 1981, doi:10.1109/PROC.1981.11918"

_SURFACE = "Zevenbergen and Thorne 1987, doi:10.1002/esp.3290120107"

_WEISS = "Weiss 2001, without the pixel itself: Wilson et al. 2007, doi:10.1080/01490410701295962"

#: How each family is written, its formula, what it needs and its source: rows of the table.
FAMILIES: tuple[tuple[str, str, str, str], ...] = (
    (
        "glcm:LAYER:PROPERTY[:WINDOW[:LEVELS]]",
        "any band, index or component",
        f"of the grey-level co-occurrence matrix, the mean over four directions; PROPERTY is one "
        f"of {' '.join(PROPERTIES)}; WINDOW {WINDOW_PX} px and LEVELS {LEVELS} unless said",
        "Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314",
    ),
    ("pca:K", "bands of sensors and stacks", "pc1 to pcK", "Jolliffe 2002, doi:10.1007/b98835"),
    (
        "pcN",
        "bands of sensors and stacks",
        "the N-th principal component of the standardised bands",
        "Jolliffe 2002, doi:10.1007/b98835",
    ),
    ("tpi:RADIUS", "elevation", "tpi within another radius, in metres", _WEISS),
    (
        "[NAME=]EXPRESSION",
        "the bands that it names",
        "band maths, such as ratio=nir/red or (B08-B04)/B02, of + - * / ** and "
        f"{', '.join(FUNCTIONS)}",
        "the user",
    ),
)


@cache
def in_family(name: str) -> Feature | None:
    """The feature that a name with a choice stands for; None for other names.

    Raises
    ------
    InputError
        If the name is of a family and the choice is none.
    """
    found: Feature | None = TERRAIN_FEATURES.get(name)
    if found:
        return found
    if name.startswith("glcm:"):
        return _texture(name)
    if radius := _POSITION.fullmatch(name):
        return _position(name, int(radius[1]))
    if component := _COMPONENT.fullmatch(name):
        return _component(name, component[1])
    if is_expression(name):
        expression = parse(name)
        return Feature(
            name, expression.names, expression.function, expression.text.split("=")[-1], "the user"
        )
    return None


def expanded(names: Sequence[str]) -> tuple[str, ...]:
    """Names with each word for several layers, such as aspect or pca:3, taken apart.

    >>> expanded(["ndvi", "pca:2", "aspect"])
    ('ndvi', 'pc1', 'pc2', 'aspect_sin', 'aspect_cos')
    """
    if isinstance(names, str):
        raise InputError(f"features are {names!r}; give a list of names, such as [{names!r}]")
    if names is None or not all(isinstance(name, str) for name in names):
        raise InputError(f"features are {names!r}; give a list of names, such as ['ndvi']")
    found: list[str] = []
    for name in names:
        several = _COMPONENTS.fullmatch(name)
        if several:
            found += [f"pc{number}" for number in range(1, int(several[1]) + 1)]
        elif is_expression(name):
            found.append(parse(name).text)
        elif name.startswith("glcm:"):
            found.append(re.sub(r"\s+", "", name))
        else:
            found += GROUPS.get(name, (name,))
    return tuple(found)


def _texture(name: str) -> Feature:
    """A property of the co-occurrence matrix of a layer."""
    matched = _TEXTURE.fullmatch(name)
    if matched is None:
        raise InputError(
            f"feature {name!r} is not glcm:LAYER:PROPERTY[:WINDOW[:LEVELS]], such as "
            f"glcm:B08:entropy; PROPERTY is one of {' '.join(PROPERTIES)}"
        )
    layer, part = matched[1], matched[2]
    window, levels = int(matched[3] or WINDOW_PX), int(matched[4] or LEVELS)
    if window % 2 == 0 or not 3 <= window <= 61:
        raise InputError(f"feature {name!r}: window {window} is not odd, from 3 to 61")
    if not 2 <= levels <= 256:
        raise InputError(f"feature {name!r}: {levels} levels are not 2 to 256")
    return Feature(
        name,
        (layer,),
        partial(_textures, window=window, levels=levels),
        f"{PROPERTIES[part].formula}, window {window}, {levels} levels of {layer}",
        PROPERTIES[part].source,
        radius=window // 2,
        fit=f"{BOUNDS}{layer}",
        parts=f"glcm:{layer}:{window}:{levels}",
        part=part,
    )


def _textures(
    layer: np.ndarray,
    bounds: tuple[float, float],
    *,
    parts: tuple[str, ...],
    window: int,
    levels: int,
) -> np.ndarray:
    low, high = bounds
    return texture(layer, parts, low=low, high=high, window=window, levels=levels)


def _component(name: str, number: str) -> Feature:
    """A principal component of all bands."""
    return Feature(
        name,
        (ALL,),
        _components,
        f"principal component {number} of the standardised bands",
        "Jolliffe 2002, doi:10.1007/b98835",
        fit=PCA,
        parts=PCA,
        part=number,
    )


def _components(bands: np.ndarray, components: Components, *, parts: tuple[str, ...]) -> np.ndarray:
    most = max(map(int, parts))
    if most > len(components.vectors):
        raise InputError(
            f"component {most} was not fitted, only {len(components.vectors)} were; fit with the "
            "names of all that are computed"
        )
    found = components.apply(bands)
    return found[[int(part) - 1 for part in parts]]


def _terrain(name: str, formula: str, source: str, parts: str = "") -> Feature:
    """A feature of 3 x 3 elevations."""
    function = _FUNCTIONS[parts or name]
    return Feature(
        name, ("elevation",), function, formula, source, 1, PIXEL_M, parts, name if parts else ""
    )


def _aspects(
    elevation: np.ndarray, pixel_m: PixelSize, *, parts: tuple[str, ...]
) -> list[np.ndarray]:
    made = dict(zip(("aspect_sin", "aspect_cos"), aspect(elevation, pixel_m), strict=True))
    return [made[part] for part in parts]


def _curvatures(
    elevation: np.ndarray, pixel_m: PixelSize, *, parts: tuple[str, ...]
) -> list[np.ndarray]:
    names = ("curvature", "curvature_profile", "curvature_plan")
    made = dict(zip(names, curvature(elevation, pixel_m), strict=True))
    return [made[part] for part in parts]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "slope": slope,
    "aspect": _aspects,
    "curvatures": _curvatures,
}


def _position(name: str, radius_m: int) -> Feature:
    """Topographic position within some radius."""
    if not radius_m:
        raise InputError(f"feature {name!r}: radius 0 m holds no other pixel; give metres")
    return Feature(
        name,
        ("elevation",),
        partial(_positions, radius_m=radius_m),
        f"elevation less the mean of the other pixels up to {radius_m} m to each side",
        _WEISS,
        fit=PIXEL_M,
        radius_m=radius_m,
    )


def _positions(elevation: np.ndarray, pixel_m: PixelSize, *, radius_m: float) -> np.ndarray:
    return position(elevation, whole_pixels(radius_m, pixel_m))


_ROWS = (
    _terrain("slope", "steepness in degrees, of 3 x 3 pixels", _HORN),
    _terrain("aspect_sin", "sine of the direction of fall, 1 in the east", _HORN, "aspect"),
    _terrain("aspect_cos", "cosine of the direction of fall, 1 in the north", _HORN, "aspect"),
    _terrain("curvature", "general curvature, 1/m, positive on hilltops", _SURFACE, "curvatures"),
    _terrain("curvature_profile", "curvature along the line of fall", _SURFACE, "curvatures"),
    _terrain("curvature_plan", "curvature across the line of fall", _SURFACE, "curvatures"),
    _position("tpi", POSITION_M),
)
#: Features of the band elevation.
TERRAIN_FEATURES: dict[str, Feature] = {feature.name: feature for feature in _ROWS}
