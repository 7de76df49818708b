"""What a teacher makes of a scene: the labels that it expects of segments and of pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.patch_training import PatchNetwork, PatchTraining
from landcover.errors import InputError, typed
from landcover.files import rasters
from landcover.files.ahead import ahead
from landcover.files.spool import Spool
from landcover.grid import Window
from landcover.labels.segment_sums import add_to_segments
from landcover.progress import track
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.stages.denoise_segments import Segments
from landcover.stages.inputs import pixel_inputs, read_blocks

if TYPE_CHECKING:
    from landcover.classifiers.networks import PatchClassifier

#: The teacher's patch, where the guard between splits allows it, and how long it may learn.
TEACHER_PATCH, TEACHER_EPOCHS = 7, 40
#: Side of the windows that the teacher predicts.
ASKING_PX = 1024
#: Pixels at equal distances that areas of classes are counted on, at most about so many.
SPREAD_PX = 2_000_000
#: Of probabilities that are kept as float16. NumPy takes ten times as long over smaller ones, which
#: float16 holds with fewer digits.
_LEAST_KEPT = float(np.finfo(np.float16).tiny)


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


def training_of(run: Run, rows: Rows, size: int, seed: int) -> PatchTraining:
    """What teachers of a run are trained with; patches of its samples are read once."""
    bands = pixel_inputs(run, rows.samples).bands
    return PatchTraining([run.require("scene")], bands, rows, PatchNetwork(size), seed)


def teacher(training: PatchTraining, rows: Rows) -> PatchClassifier:
    """A patch classifier that has learnt the targets of rows."""
    from landcover.classifiers import networks

    model, _ = training.fit(rows, TEACHER_EPOCHS, "the teacher")
    bands, size, engine = training.bands, training.patch_size, networks.unproven_float32()
    return networks.PatchClassifier("teacher", rows.legend, bands, size, model, engine=engine)


def asked(
    run: Run, rows: Rows, segments: Segments, model: PatchClassifier, kept: Spool | None = None
) -> Answers:
    """What a teacher says of a scene, by segments, at samples, and at pixels spread over it.

    Its answers of whole windows are put into `kept`, as float16 (rows, cols, classes), 0 where
    nothing is said, and where it is less than `_LEAST_KEPT`.
    """
    ids, classes = segments.ids, len(rows.legend)
    sums = np.zeros((len(segments.sizes), classes))
    samples = np.full((len(rows.samples), classes), 1 / classes, np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    step, spread = math.ceil(math.sqrt(ids.size / SPREAD_PX)), []
    for window, found in predicted(run, model, "asking the teacher"):
        here, label = ids[window.slices], segments.labels[window.slices]
        add_to_segments(found, here, sums)
        probabilities, valid = np.moveaxis(found, 0, -1), np.isfinite(found[0])
        if kept is not None:
            told = probabilities >= _LEAST_KEPT  # not where it is NaN
            probabilities = np.where(told, probabilities, np.float32(0))
            kept.put(probabilities.astype(np.float16))
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


def asking_windows(run: Run) -> list[Window]:
    """Windows of the scene, in the order in which a teacher is asked about them."""
    from landcover import maps

    return maps.reading_windows(rasters.grid_of(run.scene), ASKING_PX)


def predicted(run: Run, model: PatchClassifier, doing: str) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the scene and a teacher's probabilities (classes, rows, cols), NaN nodata."""
    from landcover import maps

    source, layers = maps.Source(model, run.scene), (maps.PROBABILITIES,)
    windows = asking_windows(run)
    found = ahead(
        lambda window: source.predict(window, *source.read_tiles(window), layers)[layers[0]],
        windows,
        3 * 4 * len(model.legend) * ASKING_PX**2,
    )
    return zip(track(windows, doing), found, strict=True)
