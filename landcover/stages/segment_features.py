"""Statistics of segments as bands of a scene that has just been segmented."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.progress import track
from landcover.run import Run
from landcover.scene.feature import require_once
from landcover.scene.feature_bands import append_bands
from landcover.scene.features import on_the_ground
from landcover.scene.segmentation.statistics import (
    Part,
    layer_of_types,
    layers_of_statistics,
    require_statistics,
    statistics_by_parts,
)
from landcover.scene.segmentation.types import type_column
from landcover.stages.segment import read_segments

if TYPE_CHECKING:
    import pandas as pd


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
    of_pixels, table = run.require("segments"), read_segments(run)
    statistics = [name for name in names if layer_of_types(name) is None]
    found = _types(run, table, [name for name in names if name not in statistics])
    if statistics:
        layers = list(layers_of_statistics(statistics))

        def parts(doing: str) -> Iterator[Part]:
            for window in track(list(grid.windows(rasters.WINDOW_PX)), doing):
                held = rasters.read(scene, window, layers) if layers else ()
                framed = rasters.read(of_pixels, window.padded(1))[0]
                yield dict(zip(layers, held, strict=True)), framed.astype(np.int64)

        values = statistics_by_parts(parts, len(table), statistics, on_the_ground(grid))
        found |= dict(zip(statistics, values, strict=True))
    columns = np.stack([np.concatenate([[np.nan], found[name]]) for name in names])
    columns = columns.astype(np.float32)
    append_bands(
        scene,
        names,
        lambda _, window: columns[:, rasters.read(of_pixels, window)[0].astype(np.int64)],
        "Writing segments' features",
    )
    _record_again(run, names)


def require_segment_features(names: Sequence[str], bands: Sequence[str]) -> None:
    """Raise InputError unless the bands allow these features of segments, each named once."""
    require_statistics([name for name in names if layer_of_types(name) is None], bands)
    require_once(names)


def _types(run: Run, table: pd.DataFrame, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Types of every segment (segments,), by the names of features."""
    if not names:
        return {}
    held = rasters.band_names(run.segment_types)
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
