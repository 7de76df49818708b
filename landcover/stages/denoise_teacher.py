"""What a teacher makes of a scene: small segments, and the labels that it expects of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.patch_training import PatchNetwork, PatchTraining
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.grid import Window
from landcover.progress import track
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.samples.rows import Rows
from landcover.stages.inputs import pixel_inputs, read_blocks

if TYPE_CHECKING:
    from landcover.classifiers.networks import PatchClassifier

#: The teacher's patch, where the guard between splits allows it, and how long it may learn.
TEACHER_PATCH, TEACHER_EPOCHS = 7, 40
#: Small segments: of bands in units of their own deviation, smoothed against noise, at least 20
#: pixels. They hold to borders in the image to a pixel or two, and still average errors out.
SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX = 32.0, 0.7, 20
#: Side of the windows that the teacher predicts.
ASKING_PX = 1024


@dataclass(frozen=True)
class Segmented:
    """Small segments of a scene, and what the teacher says of them.

    Attributes
    ----------
    ids : array of int32 (rows, cols)
        Segments from 1; 0 where the scene has no data.
    sizes : array of int64 (segments + 1,)
        Pixels; those of 0 count as none.
    probabilities : array of float64 (segments + 1, classes)
        Mean probabilities of labels.
    labelled : array of int64 (segments + 1, classes)
        Pixels of each label outside the test blocks.
    """

    ids: np.ndarray
    sizes: np.ndarray
    probabilities: np.ndarray
    labelled: np.ndarray

    def own(self) -> np.ndarray:
        """Segments most of whose pixels carry the label of each class, int64 (classes,)."""
        return (2 * self.labelled > self.sizes[:, np.newaxis]).sum(axis=0)


def patch_size(run: Run) -> int:
    """Side of the teacher's patch."""
    guard = read_blocks(run).guard_px
    if guard < 1:
        raise InputError(
            "a guard of 0 px leaves no room for the patches that find doubtful labels; draw the "
            f"samples again: landcover sample {typed(run.path)} --max-patch {TEACHER_PATCH}, or "
            "learn labels as they are (landcover train cnn RUN --denoise none)"
        )
    return min(TEACHER_PATCH, 2 * guard + 1)


def teacher(run: Run, rows: Rows, size: int, seed: int) -> PatchClassifier:
    """A patch classifier that has learnt the labels as they are."""
    from landcover.classifiers import networks

    bands, _ = pixel_inputs(run, rows.samples)
    training = PatchTraining(run.require("scene"), bands, rows, PatchNetwork(size), seed)
    model, _ = training.fit(rows, TEACHER_EPOCHS, "the teacher")
    return networks.PatchClassifier("teacher", rows.legend, training.bands, size, model)


def segment(run: Run) -> np.ndarray:
    """Small segments of the scene, int32 (rows, cols)."""
    from landcover.files.rasters import read_image
    from landcover.scene.segmentation.felzenszwalb import felzenszwalb

    image = read_image(run.scene)
    for band in image:
        band /= max(float(np.nanstd(band)), 1e-9)
    return felzenszwalb(image, SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX)


def segmented(
    run: Run, rows: Rows, ids: np.ndarray, model: PatchClassifier
) -> tuple[Segmented, np.ndarray]:
    """Segments with the mean probabilities of the teacher, and those at every sample."""
    classes = len(rows.legend)
    sums = np.zeros((int(ids.max()) + 1, classes))
    sizes = np.zeros(len(sums), np.int64)
    labelled = np.zeros(sums.shape, np.int64)
    blocks = read_blocks(run)
    pixels = np.full((len(rows.samples), classes), 1 / classes, np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    for window, probabilities in _predicted(run, model):
        valid = np.isfinite(probabilities[0])
        if not valid.any():
            continue
        numbers = ids[window.slices][valid]
        found = slice(int(numbers.min()), int(numbers.max()) + 1)
        numbers -= found.start
        sizes[found] += np.bincount(numbers)
        for position, layer in enumerate(probabilities):
            sums[found, position] += np.bincount(numbers, layer[valid])
        # labels of test blocks decide nothing
        learnt = rasters.read_classes(run.labels, window)
        label = np.where(blocks.holds(window, TEST), -1, rows.legend.index(learnt))[valid]
        np.add.at(labelled[found], (numbers[label >= 0], label[label >= 0]), 1)
        inside = window.contains(at_row, at_col)
        here = probabilities[:, at_row[inside] - window.row, at_col[inside] - window.col].T
        pixels[inside] = np.where(np.isfinite(here), here, 1 / classes)
    sums[0] = 1
    probabilities = sums / sums.sum(axis=1, keepdims=True)
    return Segmented(ids, sizes, probabilities, labelled), pixels


def _predicted(run: Run, model: PatchClassifier) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the scene and the teacher's probabilities (classes, rows, cols), NaN nodata."""
    from landcover import maps

    source = maps.Source(model, run.scene)
    windows = maps.reading_windows(source.grid, ASKING_PX)
    for window in track(windows, "asking the teacher"):
        layers = (maps.PROBABILITIES,)
        yield window, source.predict(window, *source.read_tiles(window), layers)[layers[0]]
