"""Statistics of segments as bands of a scene that has just been segmented."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.run import Run
from landcover.scene.feature import require_once
from landcover.scene.feature_bands import append_bands, on_the_ground
from landcover.scene.segmentation.statistics import (
    layer_of_types,
    layers_of_statistics,
    require_statistics,
    segment_statistics,
)
from landcover.scene.segmentation.types import type_column
from landcover.stages.segment import read_segments


def write_segment_features(run: Run, names: Sequence[str]) -> None:
    """Add statistics of segments to the scene, as bands of their names behind its own.

    Parameters
    ----------
    run : Run
        With scene and segments of it, before samples are drawn: those of another scene are gone.
    names : sequence of str
        Such as segment_mean:B08, segment_std:ndvi, segment_ha, segment_compactness, and
        segment_type:hierarchy-8.

    Raises
    ------
    InputError
        If there is no such statistic or type, or the scene lacks the layer of one.
    """
    scene = run.require("scene")
    grid, bands = rasters.grid_of(scene), rasters.band_names(scene)
    require_segment_features(names, bands)
    segments = rasters.read(run.require("segments"))[0].astype(np.int64)
    statistics = [name for name in names if layer_of_types(name) is None]
    layers = {
        name: rasters.read(scene, bands=[name])[0] for name in layers_of_statistics(statistics)
    }
    found = _types(run, [name for name in names if name not in statistics])
    if statistics:
        values = segment_statistics(layers, segments, statistics, on_the_ground(grid))
        found |= dict(zip(statistics, values, strict=True))
    table = np.stack([np.concatenate([[np.nan], found[name]]) for name in names])
    table = table.astype(np.float32)
    append_bands(
        scene,
        names,
        lambda _, window: table[:, segments[window.slices]],
        "Writing segments' features",
    )
    _record_again(run, names)


def require_segment_features(names: Sequence[str], bands: Sequence[str]) -> None:
    """Raise InputError unless the bands allow these features of segments, each named once."""
    require_statistics([name for name in names if layer_of_types(name) is None], bands)
    require_once(names)


def _types(run: Run, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Types of every segment (segments,), by the names of features."""
    if not names:
        return {}
    held, table = rasters.band_names(run.segment_types), read_segments(run)
    found: dict[str, np.ndarray] = {}
    for name in names:
        layer = layer_of_types(name)
        if layer not in held:
            raise InputError(
                f"feature {name}: {run.segment_types} has no layer {layer}; choose among "
                f"{' '.join(held)}"
            )
        found[name] = table[type_column(layer)].to_numpy(np.float64)
    return found


def _record_again(run: Run, names: Sequence[str]) -> None:
    """Let the manifest know the scene as it is now, which segments were made of before."""
    stages = run.read_manifest()["stages"]
    entry = stages["segment"]
    found = {key: entry[key] for key in entry if key not in ("settings", "inputs", "products",
                                                             "versions")}  # fmt: skip
    run.record(
        "segment",
        entry["settings"] | {"features": list(names)},
        [run.scene],
        [run.path / path for path in entry["products"]],
        found,
    )
