"""What a segment is like: means and deviations of layers, size and compactness."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from landcover.errors import InputError
from landcover.scene.feature import require_once

#: Statistics of a layer, and of the shape alone: name, formula, source.
OF_LAYERS = {
    "segment_mean": "mean of LAYER over the segment",
    "segment_std": "standard deviation of LAYER over the segment",
}
OF_SHAPES = {
    "segment_ha": "size of the segment, hectares",
    "segment_compactness": "4 pi area / perimeter**2 of the segment: pi / 4 for a square",
}
OF_TYPES = {"segment_type": "type of the segment in layer TYPES of segment_types.tif, a number"}
SOURCE = "Blaschke 2010, doi:10.1016/j.isprsjprs.2009.06.004; Polsby and Popper 1991"
_NAME = re.compile(rf"(?:({'|'.join(OF_LAYERS)}):(.+)|({'|'.join(OF_SHAPES)}))")
_TYPE = re.compile(r"segment_type:(.+)")


def is_of_segments(name: str) -> bool:
    """Whether a feature is a statistic of segments, or their type.

    >>> is_of_segments("segment_mean:B08"), is_of_segments("ndvi")
    (True, False)
    """
    return _NAME.fullmatch(name) is not None or layer_of_types(name) is not None


def layer_of_types(name: str) -> str | None:
    """The layer of segment types that a feature is; None for others.

    >>> layer_of_types("segment_type:hierarchy-8"), layer_of_types("segment_ha")
    ('hierarchy-8', None)
    """
    matched = _TYPE.fullmatch(name)
    return matched[1] if matched else None


def require_statistics(names: Sequence[str], bands: Sequence[str]) -> None:
    """Raise InputError unless the bands allow these statistics, and each is named once."""
    for name in names:
        matched = _NAME.fullmatch(name)
        if matched is None or (matched[2] and matched[2] not in bands):
            raise InputError(
                f"feature {name} is no statistic of segments of these bands: "
                f"{', '.join(f'{of}:LAYER' for of in OF_LAYERS)} or {', '.join(OF_SHAPES)}, "
                f"LAYER being one of {' '.join(bands)}"
            )
    require_once(names)


def layers_of_statistics(names: Sequence[str]) -> tuple[str, ...]:
    """Layers that statistics are of, each once.

    >>> layers_of_statistics(["segment_std:B08", "segment_mean:B08", "segment_ha"])
    ('B08',)
    """
    found = (matched[2] for name in names if (matched := _NAME.fullmatch(name)))
    return tuple(dict.fromkeys(layer for layer in found if layer))


#: Layers by name (rows, cols) of a window, and its segments with a margin of one pixel.
Part: TypeAlias = tuple[Mapping[str, np.ndarray], np.ndarray]


def segment_statistics(
    layers: Mapping[str, np.ndarray],
    segments: np.ndarray,
    names: Sequence[str],
    pixel_m: tuple[float, float],
) -> np.ndarray:
    """Statistics of every segment.

    Parameters
    ----------
    layers : mapping of str to array of float (rows, cols)
        The layers that statistics are of; a segment's pixels that are NaN are left out.
    segments : array of int, (rows, cols)
        Segments 1 to n; 0 where there is none.
    names : sequence of str
        Such as segment_mean:B08, segment_std:ndvi, segment_ha, segment_compactness.
    pixel_m : (float, float)
        Height and width of a pixel on the ground, metres.

    Returns
    -------
    array of float32, (statistics, segments)
        Column i belongs to segment i + 1. NaN where no pixel of a segment has a value.

    Examples
    --------
    >>> segments = np.array([[1, 1, 2], [1, 1, 2]])
    >>> segment_statistics({}, segments, ["segment_ha", "segment_compactness"], (10, 10)).round(3)
    array([[0.04 , 0.02 ],
           [0.785, 0.698]], dtype=float32)
    """
    require_statistics(names, tuple(layers))
    part = layers, np.pad(segments, 1)
    return statistics_by_parts(lambda _: [part], int(segments.max(initial=0)), names, pixel_m)


def statistics_by_parts(
    parts: Callable[[str], Iterable[Part]],
    count: int,
    names: Sequence[str],
    pixel_m: tuple[float, float],
) -> np.ndarray:
    """Statistics of every segment of a scene that is read by windows, as `segment_statistics`.

    Parameters
    ----------
    parts : callable
        What is done, in words, to the windows of the scene. Called again for deviations, which are
        taken from the means.
    count : int
        Number of segments.
    names, pixel_m : sequence of str, (float, float)
        As of `segment_statistics`.
    """
    layers, shapes = layers_of_statistics(names), bool(set(names) & set(OF_SHAPES))
    known, sums = ({layer: np.zeros(count + 1) for layer in layers} for _ in range(2))
    areas, borders = np.zeros(count + 1), np.zeros(count + 1)
    for held, framed in parts("Averaging segments"):
        inner = framed[1:-1, 1:-1]
        for layer, (ids, values) in _valid(held, inner).items():
            known[layer] += np.bincount(ids, minlength=count + 1)
            sums[layer] += np.bincount(ids, values, minlength=count + 1)
        if shapes:
            areas += np.bincount(inner.ravel(), minlength=count + 1)
            borders += _borders(framed, count, pixel_m)
    found: dict[str, np.ndarray] = {}
    with np.errstate(invalid="ignore"):
        means = {layer: sums[layer] / known[layer] for layer in layers}
    if any(name.startswith("segment_std:") for name in names):
        squares = {layer: np.zeros(count + 1) for layer in layers}
        for held, framed in parts("Deviations in segments"):
            for layer, (ids, values) in _valid(held, framed[1:-1, 1:-1]).items():
                from_mean = values - means[layer][ids]
                squares[layer] += np.bincount(ids, from_mean**2, minlength=count + 1)
        with np.errstate(invalid="ignore"):
            found |= {f"segment_std:{of}": np.sqrt(squares[of] / known[of]) for of in layers}
    found |= {f"segment_mean:{layer}": means[layer] for layer in layers}
    area_m2 = areas * pixel_m[0] * pixel_m[1]
    found["segment_ha"] = area_m2 / 1e4
    found["segment_compactness"] = 4 * np.pi * area_m2 / np.maximum(borders, 1e-9) ** 2
    return np.stack([found[name][1:] for name in names]).astype(np.float32)


def _valid(
    layers: Mapping[str, np.ndarray], segments: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Segments and values (pixels,) of the pixels that have a value in a layer, by layer."""
    known = {name: ~np.isnan(layer) for name, layer in layers.items()}
    return {name: (segments[has], layers[name][has].astype(float)) for name, has in known.items()}


def _borders(framed: np.ndarray, count: int, pixel_m: tuple[float, float]) -> np.ndarray:
    """Metres of the border of every segment, from 0, that pixels within the frame have."""
    height, width = pixel_m
    inner, total = framed[1:-1, 1:-1], np.zeros(count + 1)
    for beside, side in (
        (framed[:-2, 1:-1], width),
        (framed[2:, 1:-1], width),
        (framed[1:-1, :-2], height),
        (framed[1:-1, 2:], height),
    ):
        total += np.bincount(inner[inner != beside], minlength=count + 1) * side
    return total
