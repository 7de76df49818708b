"""What a teacher makes of a scene: small segments, and the labels that it expects of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.patch_training import PatchNetwork, PatchTraining
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.files.ahead import read_ahead
from landcover.grid import Window
from landcover.labels.units import Units
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
#: Pixels at equal distances that areas of classes are counted on, at most about so many.
SPREAD_PX = 2_000_000


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


@dataclass(frozen=True)
class Spread:
    """Labelled pixels at equal distances over the scene.

    Attributes
    ----------
    ids : array of int (pixels,)
        Their segments.
    labels : array of int (pixels,)
        Positions of their labels.
    probabilities : array of float32 (pixels, classes)
        What a teacher says of them.
    """

    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Answers:
    """What a teacher says of a scene.

    Attributes
    ----------
    means : array of float64 (segments + 1, classes)
        Mean probabilities of each segment.
    samples : array of float32 (samples, classes)
        Of the pixel of each sample.
    spread : Spread
        Of pixels at equal distances.
    """

    means: np.ndarray
    samples: np.ndarray
    spread: Spread


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
    """A patch classifier that has learnt the targets of rows."""
    from landcover.classifiers import networks

    bands = pixel_inputs(run, rows.samples).bands
    training = PatchTraining([run.require("scene")], bands, rows, PatchNetwork(size), seed)
    model, _ = training.fit(rows, TEACHER_EPOCHS, "the teacher")
    return networks.PatchClassifier("teacher", rows.legend, training.bands, size, model)


def segment(run: Run) -> np.ndarray:
    """Small segments of the scene, int32 (rows, cols)."""
    from landcover.scene.look import DEVIATION, look_at
    from landcover.scene.segmentation.felzenszwalb import felzenszwalb

    look = look_at(run.scene)
    image = look.read(run.scene)
    for band in image:  # components have one unit, and the last ones are small
        band /= DEVIATION if look.components else max(float(np.nanstd(band)), 1e-9)
    valid = look.valid(run.scene, image)
    return felzenszwalb(image, SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX, valid)


def segments_of(run: Run, rows: Rows) -> Segments:
    """Small segments of a run's scene, with the labels that may decide."""
    ids, blocks = segment(run), read_blocks(run)
    labels = np.full(ids.shape, -1, np.int16)
    for window in rasters.grid_of(run.labels).windows(ASKING_PX):
        found = rows.legend.index(rasters.read_classes(run.labels, window))
        labels[window.slices] = np.where(blocks.holds(window, TEST), -1, found)
    sizes, units = np.bincount(ids.ravel()), Units.of(labels, ids)
    sizes[0] = 0
    return Segments(ids, sizes, labels, units, units.by_class(len(rows.legend)))


def asked(run: Run, rows: Rows, segments: Segments, model: PatchClassifier) -> Answers:
    """What a teacher says of a scene, by segments, at samples, and at pixels spread over it."""
    ids, classes = segments.ids, len(rows.legend)
    sums = np.zeros((len(segments.sizes), classes))
    samples = np.full((len(rows.samples), classes), 1 / classes, np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    step, spread = math.ceil(math.sqrt(ids.size / SPREAD_PX)), []
    for window, probabilities in predicted(run, model, "asking the teacher"):
        valid = np.isfinite(probabilities[..., 0])
        if not valid.any():
            continue
        here, label = ids[window.slices], segments.labels[window.slices]
        numbers = here[valid]
        found = slice(int(numbers.min()), int(numbers.max()) + 1)
        numbers -= found.start
        for position in range(classes):
            layer = probabilities[..., position][valid]
            sums[found, position] += np.bincount(numbers, layer)
        inside = window.contains(at_row, at_col)
        place = at_row[inside] - window.row, at_col[inside] - window.col
        samples[inside] = np.where(valid[place][:, np.newaxis], probabilities[place], 1 / classes)
        thin = slice(-window.row % step, None, step), slice(-window.col % step, None, step)
        use = valid[thin] & (label[thin] >= 0)
        spread.append((here[thin][use], label[thin][use], probabilities[thin][use]))
    sums[0] = 1
    means = sums / sums.sum(axis=1, keepdims=True)
    pixels = Spread(*(np.concatenate(part) for part in zip(*spread, strict=True)))
    return Answers(means, samples, pixels)


def predicted(run: Run, model: PatchClassifier, doing: str) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the scene and a teacher's probabilities (rows, cols, classes), NaN nodata."""
    from landcover import maps

    source = maps.Source(model, run.scene)
    windows = maps.reading_windows(source.grid, ASKING_PX)
    layers = (maps.PROBABILITIES,)
    for window, held in read_ahead(track(windows, doing), source.read_tiles):
        found = source.predict(window, *held, layers)[layers[0]]
        yield window, np.moveaxis(found, 0, -1)
