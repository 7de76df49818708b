"""Small segments of a scene, over which what a teacher says is averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landcover.files import rasters
from landcover.grid import Grid
from landcover.labels.units import Units
from landcover.progress import track
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.samples.rows import Rows
from landcover.scene.look import DEVIATION, Look, look_at
from landcover.scene.segmentation.felzenszwalb import segments_of_levels
from landcover.stages.inputs import read_blocks

#: Small segments: of bands in units of their own deviation, smoothed against noise, at least 20
#: pixels. They hold to borders in the image to a pixel or two, and still average errors out.
SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX = 32.0, 0.7, 20
#: Bands are held in so many levels a deviation: half of the memory of floats. A step is a third of
#: one of Sentinel-2's digital numbers where reflectance deviates by 0.03.
_LEVELS = 1024
#: Windows of this side, spread over the scene, on which deviations are measured. Where they hold
#: less data than this, as those of a scene with data in a corner alone, others are looked at too.
_MEASURED, _MEASURED_PX, _LEAST_PIXELS = 16, 1024, 2**16


@dataclass(frozen=True)
class Segments:
    """Small segments of a scene, and the labels in them.

    Attributes
    ----------
    ids : array of int32 (rows, cols)
        Segments from 1; 0 where the scene has no data.
    sizes : array of int64 (segments + 1,)
        Pixels; those of 0 count as none.
    labels : array of int16 (rows, cols)
        Positions of labels among the classes; -1 for others, and in test blocks, whose labels
        decide nothing.
    units : Units
        Areas of one label, and what they share with segments.
    labelled : array of int64 (segments + 1, classes)
        Pixels of each label.
    """

    ids: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    units: Units
    labelled: np.ndarray

    def own(self) -> np.ndarray:
        """Segments most of whose pixels carry the label of each class, int64 (classes,)."""
        return (2 * self.labelled > self.sizes[:, np.newaxis]).sum(axis=0)


def segments_of(run: Run, rows: Rows) -> Segments:
    """Small segments of a run's scene, with the labels that may decide."""
    ids, blocks = segment(run), read_blocks(run)
    labels = np.full(ids.shape, -1, np.int16)
    for window in rasters.grid_of(run.labels).windows(rasters.WINDOW_PX):
        found = rows.legend.index(rasters.read_classes(run.labels, window))
        labels[window.slices] = np.where(blocks.holds(window, TEST), -1, found)
    sizes, units = np.bincount(ids.ravel()), Units.of(labels, ids)
    sizes[0] = 0
    return Segments(ids, sizes, labels, units, units.by_class(len(rows.legend)))


def segment(run: Run) -> np.ndarray:
    """Small segments of the scene, int32 (rows, cols)."""
    levels, valid = _levels(run)
    return segments_of_levels(levels, SEGMENT_SCALE * _LEVELS, SEGMENT_SIGMA, SEGMENT_MIN_PX, valid)


def _levels(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """What is seen of the scene, uint16 (bands, rows, cols), and where (rows, cols) it has data."""
    look, grid, names = (
        look_at(run.scene),
        rasters.grid_of(run.scene),
        rasters.band_names(run.scene),
    )
    seen = [names.index(band) for band in look.bands]
    middle, unit = _spread(look, run, grid)
    levels = np.empty((len(look.names), *grid.shape), np.uint16)
    valid = np.empty(grid.shape, bool)
    windows = track(list(grid.windows(rasters.window_px(len(names)))), "Reading the scene")
    for window, image in rasters.read_windows(run.scene, windows):
        found = (np.nan_to_num(look.of(image[seen])) - middle) * (_LEVELS / unit) + 2**15
        levels[:, *window.slices] = np.clip(np.rint(found), 0, 2**16 - 1)
        valid[window.slices] = rasters.valid_pixels(image)
    return levels, valid


def _spread(look: Look, run: Run, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations (bands, 1, 1) of what is seen, on windows spread over the scene."""
    windows = list(grid.windows(_MEASURED_PX))
    spread = np.unique(np.linspace(0, len(windows) - 1, _MEASURED).round().astype(int)).tolist()
    found, held = [], 0
    for number, k in enumerate(dict.fromkeys([*spread, *range(len(windows))])):
        if number >= len(spread) and held >= _LEAST_PIXELS:
            break
        seen = look.of(rasters.read(run.scene, windows[k], list(look.bands)))
        found.append(seen[:, rasters.valid_pixels(seen)])
        held += found[-1].shape[1]
    pixels = np.concatenate(found, axis=1)
    if not pixels.shape[1]:
        pixels = np.zeros((len(pixels), 1))
    mean = pixels.mean(axis=1, dtype=np.float64)
    deviation = np.maximum(pixels.std(axis=1, dtype=np.float64), 1e-9)
    if look.components:  # they have one unit, and the last ones are small
        deviation[:] = DEVIATION
    return mean[:, np.newaxis, np.newaxis], deviation[:, np.newaxis, np.newaxis]
