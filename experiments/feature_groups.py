"""Groups of features of pixels: bands, indices, texture, terrain, segments and further dates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from experiments.feature_places import Place
from landcover.scene.feature_names import FEATURES, available, margin
from landcover.scene.features import compute_features, fit
from landcover.scene.segmentation.felzenszwalb import felzenszwalb
from landcover.scene.segmentation.statistics import segment_statistics
from landcover.sensors import TRUE_COLOUR_BANDS
from landcover.stages.segment import FULL_SCALE_REFLECTANCE

#: Texture of these bands, by these properties; others of the co-occurrence matrix say much the same
#: (Hall-Beyer 2017, doi:10.1080/01431161.2016.1278314).
TEXTURE_BANDS = ("B04", "B08")
PROPERTIES = ("contrast", "homogeneity", "entropy", "correlation", "mean")
#: Topographic position is that within 150 m.
TERRAIN = ("slope", "aspect_sin", "aspect_cos", "curvature", "tpi:150")
PIXEL_M = 10.0
#: Segments of about 4 ha, finer than those of `landcover segment`, whose mean is 25 ha.
SCALE, SIGMA, MIN_PX = 300.0, 0.5, 40

#: Columns (features, samples) by name.
Columns = dict[str, np.ndarray]


def columns_of(place: Place, rows: np.ndarray, cols: np.ndarray) -> dict[str, Columns]:
    """Features of samples, by group; groups that the scene does not allow are absent.

    Parameters
    ----------
    place : Place
        The scene.
    rows, cols : arrays of int, (samples,)
        Pixels that have data.

    Returns
    -------
    dict of dict of array of float32, (samples,)
        By group of `GROUPS`, then by the name of the feature.
    """
    found = {}
    for group, make in GROUPS.items():
        layers = make(place)
        if layers:
            found[group] = {
                name: layer[rows, cols].astype(np.float32) for name, layer in layers.items()
            }
    return found


def _bands(place: Place) -> Columns:
    return dict(zip(place.bands, place.image, strict=True))


def _visible(place: Place) -> Columns:
    return {name: _bands(place)[name] for name in TRUE_COLOUR_BANDS}


def _near_infrared(place: Place) -> Columns:
    return {"B08": _bands(place)["B08"]}


def _further_bands(place: Place) -> Columns:
    known = (*TRUE_COLOUR_BANDS, "B08")
    return {name: layer for name, layer in _bands(place).items() if name not in known}


def _indices(place: Place) -> Columns:
    names = [name for name, of in FEATURES.items() if not of.radius]
    return _named(place.image, place.bands, available(place.bands, names))


def _texture(place: Place) -> Columns:
    """Levels lie between percentiles of the scene, of pixels with labels and without."""
    names = [f"glcm:{band}:{of}" for band in TEXTURE_BANDS for of in PROPERTIES]
    return _named(place.image, place.bands, names)


def _terrain(place: Place) -> Columns:
    if place.elevation is None:
        return {}
    layers = _named(place.elevation[np.newaxis], ["elevation"], TERRAIN)
    return {"elevation": place.elevation, **layers}


def _named(image: np.ndarray, bands: Sequence[str], names: Sequence[str]) -> Columns:
    """Features by name, as samples and maps have them."""
    fitted = fit(image, bands, names, (PIXEL_M, PIXEL_M))
    around = margin(names, fitted)
    wide = np.pad(image, ((0, 0), (around, around), (around, around)), constant_values=np.nan)
    return dict(zip(names, compute_features(wide, bands, names, fitted), strict=True))


def _segments(place: Place) -> Columns:
    """Mean and deviation of every band in the segment around a pixel, its size and its shape."""
    number = felzenszwalb(place.image, SCALE * FULL_SCALE_REFLECTANCE, SIGMA, MIN_PX)
    of_bands = [f"segment_{of}:{band}" for of in ("mean", "std") for band in place.bands]
    names = [*of_bands, "segment_ha", "segment_compactness"]
    of_segments = segment_statistics(_bands(place), number, names, (PIXEL_M, PIXEL_M))
    return dict(zip(names, of_segments[:, np.maximum(number - 1, 0)], strict=True))


def _dates(place: Place) -> Columns:
    if place.further is None:
        return {}
    return {f"date:{k}": layer for k, layer in enumerate(place.further)}


#: What makes the layers (rows, cols) of each group of a scene, by name; none where it cannot.
GROUPS: dict[str, Callable[[Place], Columns]] = {
    "visible": _visible,
    "near infrared": _near_infrared,
    "further bands": _further_bands,
    "indices": _indices,
    "texture": _texture,
    "terrain": _terrain,
    "segments": _segments,
    "dates": _dates,
}
