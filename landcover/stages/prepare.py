"""Source rasters to a scene: mosaic, reflectance, area of interest, labels on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import write_bytes
from landcover.labels.on_grid import _require_overlap, write_classes
from landcover.legend import Legend
from landcover.reports import figures
from landcover.run import Run
from landcover.scene.mosaic import mosaic_grid, write_scene
from landcover.sources.tile import Tile, acquired, radiometry


def prepare(
    run: Run,
    tiles: Sequence[Tile],
    *,
    labels: Path | None = None,
    reference: Path | None = None,
    aoi: str | Path | Sequence[float] | None = None,
    level: int = 3,
) -> list[Path]:
    """Write the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run
        Where to write.
    tiles : sequence of Tile
        Tiles of one date on one pixel lattice. Where they overlap, the first
        one that has data wins.
    labels : path, optional
        CORINE raster (grid codes 1-44 or CLC codes 111-523) in any CRS.
    reference : path, optional
        Better labels in the same codes.
    aoi : path or (west, south, east, north), optional
        Area of interest; outside it the scene is nodata.
    level : int
        Level of the legend: 1, 2 or 3.

    Returns
    -------
    list of Path
        What was written.
    """
    area = None
    grid = mosaic_grid(tiles)
    if aoi is not None:
        from landcover.files import vectors

        area = vectors.read_aoi(aoi, grid)
        grid = grid.crop(vectors.aoi_window(area, grid))
    for raster in filter(None, (labels, reference)):
        _require_overlap(raster, grid)  # before the scene, which takes a while to write
    products = [write_scene(run.scene, tiles, grid, area)]
    for source, product in ((labels, run.labels), (reference, run.reference)):
        if source is not None:
            products += write_classes(product, source, grid, area, level)
    products += _pictures(run, products)
    run.record(
        "prep",
        {
            "level": level,
            "aoi": None if aoi is None else _plain(aoi),
            "acquired": acquired(tiles),
            "bands": radiometry(tiles),
        },
        [*(path for tile in tiles for path in tile.paths), *filter(None, (labels, reference))],
        products,
    )
    return products


def _pictures(run: Run, products: Iterable[Path]) -> list[Path]:
    """True colour and classes as PNG, thinned to a screen's size."""
    pictures = {}
    names = rasters.band_names(run.scene)
    pictures["true_colour"] = figures.true_colour(rasters.read_small(run.scene), names)
    for product in (run.labels, run.reference):
        if product in products:
            codes = rasters.read_small(product)[0]
            legend = Legend.corine(len(str(codes.max()))).subset(np.unique(codes))
            pictures[product.stem] = figures.class_picture(codes, legend)
    paths = []
    for name, picture in pictures.items():
        paths.append(write_bytes(run.figure(name), figures.png(picture)))
    return paths


def _plain(aoi: str | Path | Sequence[float]) -> Any:
    return str(aoi) if isinstance(aoi, (str, Path)) else list(aoi)
