"""What a segment is like: means and deviations of layers, size and compactness."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from landcover.errors import InputError
from landcover.scene.feature import require_once
from landcover.scene.segmentation.types import segment_means

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


def segment_statistics(
    layers: dict[str, np.ndarray],
    segments: np.ndarray,
    names: Sequence[str],
    pixel_m: tuple[float, float],
) -> np.ndarray:
    """Statistics of every segment.

    Parameters
    ----------
    layers : dict of str to array of float (rows, cols)
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
    found: dict[str, np.ndarray] = {}
    for layer, values in layers.items():
        means, deviations = _moments(values, segments)
        found |= {f"segment_mean:{layer}": means, f"segment_std:{layer}": deviations}
    if set(names) & set(OF_SHAPES):
        areas, perimeters = _shapes(segments, pixel_m)
        found["segment_ha"] = areas / 1e4
        found["segment_compactness"] = 4 * np.pi * areas / np.maximum(perimeters, 1e-9) ** 2
    return np.stack([found[name] for name in names]).astype(np.float32)


def _moments(values: np.ndarray, segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a layer in every segment; the second pass is of deviations."""
    known = np.where(np.isnan(values), 0, segments)
    means = segment_means(values[np.newaxis], known)[0][:, 0]
    n = int(segments.max(initial=0))
    means = np.concatenate([means, np.full(n - len(means), np.nan)])
    deviations = values - np.concatenate([[0.0], means])[known]
    squares = segment_means((deviations**2)[np.newaxis], known)[0][:, 0]
    return means, np.sqrt(np.concatenate([squares, np.full(n - len(squares), np.nan)]))


def _shapes(segments: np.ndarray, pixel_m: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Area in square metres and length of the border in metres of every segment."""
    height, width = pixel_m
    n = int(segments.max(initial=0)) + 1
    areas = np.bincount(segments.ravel(), minlength=n) * (height * width)
    framed = np.pad(segments, 1)
    perimeters = np.zeros(n)
    for one, other, side in (
        (framed[:-1], framed[1:], width),
        (framed[:, :-1], framed[:, 1:], height),
    ):
        differ = one != other
        for ids in (one[differ], other[differ]):
            perimeters += np.bincount(ids, minlength=n) * side
    return areas[1:], perimeters[1:]
