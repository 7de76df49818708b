"""A scene by patches: an image network gives every cell of a stride one class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover import maps
from landcover.classifiers.models import Model
from landcover.classifiers.names import PATCHES
from landcover.classifiers.whole_images import require_scale
from landcover.errors import InputError
from landcover.files import rasters, styles
from landcover.files.class_rasters import class_writer
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Window, in_metres
from landcover.legend import UNLABELLED
from landcover.maps import CONFIDENCE_NODATA
from landcover.maps.cells import cells_of
from landcover.progress import track
from landcover.run import Run
from landcover.samples.chips import views
from landcover.stages.models import require_no_namesake

if TYPE_CHECKING:
    from landcover.classifiers.networks import ImageClassifier

#: Rows of cells that are read at once.
_ROWS = 8


def map_patches(run: Run, model: Model, stride_px: int = 32) -> list[Path]:
    """Classify the patch around every cell of `stride_px` x `stride_px` pixels of a scene.

    Parameters
    ----------
    run : Run
        Run folder with a scene; it gets maps/NAME_patches.tif and its confidence.
    model : Model
        An image network.
    stride_px : int
        Side of a cell. A patch is wider than a cell of less than its own side, and reaches
        over the scene's edge at its border; what lies outside counts as the patch's mean.

    Returns
    -------
    list of Path
        Classes and confidence in percent, one pixel a cell, on the scene's CRS and origin, and
        a QGIS style. A cell without a valid pixel is nodata.

    Raises
    ------
    LandcoverError
        If the model is missing, classifies pixels, needs bands that the scene lacks, or has the
        name of another one of the run, or if the scene's pixels are not about 10 m wide.
    """
    require_no_namesake(run, model)
    network, name = model.image_classifier(), model.name + PATCHES
    scene = run.require("scene")
    maps.require_bands(network, rasters.band_names(scene), scene)
    grid = rasters.grid_of(scene)
    if stride_px > network.side_px:
        stride, patch = (in_metres(px, grid.pixel_m) for px in (stride_px, network.side_px))
        raise InputError(
            f"a stride of {stride} is wider than the patch of {patch}, so pixels between patches "
            f"would not be seen; choose up to {network.side_px} px"
        )
    require_scale(grid, str(scene))
    cells = cells_of(grid, stride_px)
    out = run.map(name)
    confidence = run.confidence(name)
    with (
        class_writer(out, cells, network.legend) as classes,
        RasterWriter(
            confidence,
            cells,
            np.uint8,
            ["confidence_percent"],
            CONFIDENCE_NODATA,
            style=styles.CONFIDENCE,
        ) as certainty,
    ):
        starts = range(0, cells.rows, _ROWS)
        for start in track(starts, f"mapping with {model.name} every {stride_px} px"):
            window = Window(start, 0, min(_ROWS, cells.rows - start), cells.cols)
            codes, sure = _classified(scene, network, window, stride_px)
            classes.write(codes, window)
            certainty.write(sure, window)
    paths = [out, confidence, styles.qml_path(out)]
    settings = {"model": model.name, "stride_px": stride_px}
    run.record(f"map {name}", settings, [scene, model.card_path], paths)
    return paths


def _classified(
    scene: Path, network: ImageClassifier, window: Window, stride_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and confidence (rows, cols) of a window of cells."""
    side = network.side_px
    margin = (side - stride_px) // 2  # the patch lies around the middle of its cell
    pixels = rasters.read(
        scene,
        Window(
            window.row * stride_px - margin,
            window.col * stride_px - margin,
            (window.rows - 1) * stride_px + side,
            (window.cols - 1) * stride_px + side,
        ),
        network.bands,
    )
    patches = views(np.moveaxis(pixels, 0, -1), side)[::stride_px, ::stride_px]
    cell = slice(margin, margin + stride_px)
    empty = np.isnan(patches[:, :, cell, cell]).any(axis=-1).all(axis=(2, 3))
    probabilities = np.concatenate([network.probabilities(row) for row in patches])
    codes = network.legend.code(probabilities.argmax(axis=1)).reshape(empty.shape)
    sure = np.round(100 * probabilities.max(axis=1)).astype(np.uint8).reshape(empty.shape)
    return np.where(empty, UNLABELLED, codes), np.where(empty, CONFIDENCE_NODATA, sure)
