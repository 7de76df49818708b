"""Scene to segments, segment types, a table of segments and two pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError, typed
from landcover.files import rasters, styles, tables
from landcover.files.atomic import write_bytes
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid
from landcover.progress import track
from landcover.reports.figures import png
from landcover.reports.segment_figures import borders_picture, types_figure
from landcover.run import Run
from landcover.samples.rows import read_samples, with_segments
from landcover.scene.look import look_at

if TYPE_CHECKING:
    import pandas as pd

#: Reflectance that counts as the 255 grey levels in which `scale` is given. Land fills a small
#: part of reflectances 0-1, so that with 1 scale=1200 leaves a scene in a dozen segments;
#: with 0.05 the mean segment has CORINE's 25 ha, about (see docs/segmentation.md).
FULL_SCALE_REFLECTANCE = 0.05
#: The table of segments.
SEGMENTS = "segments.parquet"


def segment(
    run: Run,
    scale: float = 1200.0,
    sigma: float = 0.5,
    min_size: int = 500,
    levels: Sequence[int] = (4, 8, 16),
) -> list[Path]:
    """Segment the scene of a run and give every segment its types.

    By all bands of reflectance; a scene without any by its first components (`scene.look`).

    Parameters
    ----------
    run : Run
        Run folder with a scene. Samples that it already has get the new segments.
    scale, sigma, min_size
        See `segmentation.felzenszwalb`; scale in grey levels of 0-255, where 255 is a
        reflectance of 0.05.
    levels : sequence of int
        Numbers of types of the hierarchy, ascending.

    Returns
    -------
    list of Path
        segments.tif, segment_types.tif, segments.parquet (a row a segment: pixels, mean of
        every band that was seen, types), two figures, and samples.parquet where it was brought up
        to date.

    Raises
    ------
    LandcoverError
        If the scene is missing or has no valid pixel, or a setting is out of range.
    """
    from landcover.scene.segmentation import types as segment_types
    from landcover.scene.segmentation.felzenszwalb import check_settings, felzenszwalb

    segment_types.check_levels(levels)
    check_settings(scale, sigma, min_size)
    scene = run.require("scene")
    samples = read_samples(run.samples, geometry=True) if run.samples.exists() else None
    grid, look = rasters.grid_of(scene), look_at(scene)
    bands, image = look.names, look.read(scene)
    # A scale of a twentieth is an image times twenty, without a second image.
    segments = felzenszwalb(image, scale * FULL_SCALE_REFLECTANCE, sigma, min_size)
    if not segments.any():
        raise InputError(
            f"{scene} has no pixel that is valid in every band; check nodata and the AOI"
        )
    means, counts = segment_types.segment_means(image, segments)
    borders = borders_picture(image, bands, segments)
    del image
    hierarchy = segment_types.hierarchy_types(means, counts, levels)
    names = ["percentile", *(f"hierarchy-{level}" for level in levels)]
    types = dict(zip(names, [segment_types.percentile_types(means), *hierarchy], strict=True))
    _write_rasters(run, grid, segments, types)
    products = [
        run.segments,
        run.segment_types,
        _write_table(run, bands, means, counts, types),
        write_bytes(run.figure("segments"), png(borders)),
        write_bytes(run.figure("segment_types"), types_figure(segments, types)),
    ]
    if samples is not None:
        products.append(tables.write(run.samples, with_segments(samples, segments, types)))
    settings = {
        "scale": scale,
        "sigma": sigma,
        "min_size": min_size,
        "levels": list(levels),
        "full_scale_reflectance": FULL_SCALE_REFLECTANCE,
        "segments": len(counts),
    }
    without = int(segments.size - counts.sum())
    run.record("segment", settings, [scene], products, {"without_data": without})
    return products


def _write_rasters(
    run: Run, grid: Grid, segments: np.ndarray, types: Mapping[str, np.ndarray]
) -> None:
    """segments.tif and segment_types.tif, by windows."""
    from landcover.scene.segmentation.types import types_of_pixels

    with (
        RasterWriter(
            run.segments,
            grid,
            np.uint32,
            ["segment"],
            nodata=0,
            style=styles.Numbers(len(next(iter(types.values())))),
        ) as out,
        RasterWriter(
            run.segment_types,
            grid,
            np.uint8,
            list(types),
            nodata=0,
            style=styles.Types(int(max(next(iter(types.values())), default=1))),
        ) as types_out,
    ):
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "Writing segments"):
            part = segments[window.slices]
            out.write(part.astype(np.uint32), window)
            types_out.write(np.stack([types_of_pixels(part, t) for t in types.values()]), window)


def _write_table(
    run: Run,
    bands: Sequence[str],
    means: np.ndarray,
    counts: np.ndarray,
    types: Mapping[str, np.ndarray],
) -> Path:
    """segments.parquet: a row a segment."""
    from landcover.scene.segmentation.types import type_column

    columns = {"segment": np.arange(1, len(counts) + 1, dtype=np.uint32), "pixels": counts}
    columns |= dict(zip(bands, means.T, strict=True))
    columns |= {type_column(name): values for name, values in types.items()}
    return tables.write(run.path / SEGMENTS, columns)


def read_segments(run: Run) -> pd.DataFrame:
    """The table of segments that a run holds, a row a segment."""
    return tables.read(run.path / SEGMENTS, f"make it again: landcover segment {typed(run.path)}")
