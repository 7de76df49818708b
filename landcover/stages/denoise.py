"""Where the labels of a run are doubtful, and what is probably there instead.

A patch network, the teacher, learns the labels as they are. What it predicts is averaged over
small segments and corrected as `label_noise` says; this gives every pixel its likeliest class
and its label a probability of being right. Everything here comes from the image and the labels:
a reference, where there is one, only measures how good the estimate is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.patch_training import PatchNetwork, PatchTraining
from landcover.errors import InputError, typed
from landcover.files import rasters, tables
from landcover.files.atomic import digest, short_digest, staging_folder, write_together
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.labels import noise
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track
from landcover.reports import words
from landcover.reports.label_noise import Counts, LabelNoise, Unjudged, facts_of
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.stages.inputs import pixel_inputs, read_blocks, read_rows
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.training import check_seed

if TYPE_CHECKING:
    import pandas as pd

    from landcover.classifiers.networks import PatchClassifier

STAGE = "denoise"
#: The teacher's patch, where the guard between splits allows it, and how long it may learn.
TEACHER_PATCH, TEACHER_EPOCHS = 7, 40
#: Small segments: of bands in units of their own deviation, smoothed against noise, at least 20
#: pixels. They hold to borders in the image to a pixel or two, and still average errors out.
SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX = 32.0, 0.7, 20
CONFIDENCE_NODATA = 255
#: Raised when labels are judged in another way; what a run holds is then made again.
ALGORITHM_VERSION = 2
#: Side of the windows that the teacher predicts.
ASKING_PX = 1024
#: Side of the windows that are written.
WRITING_PX = rasters.WINDOW_PX
#: Distances to a border of labels are known up to so many metres.
FAR_M = 300.0


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
    """

    ids: np.ndarray
    sizes: np.ndarray
    probabilities: np.ndarray


def denoise(run: Run, seed: int = 0) -> list[Path]:
    """Estimate where labels are wrong, and what is there instead.

    Parameters
    ----------
    run : Run
        Run folder with scene, labels and samples.
    seed : int
        Of the teacher.

    Returns
    -------
    list of Path
        label_confidence.tif: probability that the label is right, percent; 255 where there is no
        data, no label, or a label that the training rows do not hold. refined_labels.tif: the
        likeliest class. label_noise.parquet: what is known of every sample. label_noise.md and
        label_noise.json: doubt by class and by distance to borders, and which class hides in
        which. They appear together, or not at all.

    Raises
    ------
    LandcoverError
        If samples or labels are missing, labels or reference lie on another grid than the scene,
        the guard between splits leaves no room for patches, or the seed is out of range.
    """
    check_seed(seed)
    rows = read_rows(run, "labels")
    grid, size = _grid(run), _patch_size(run)
    run.read_manifest()  # a damaged one ends it before anything is replaced
    ids = _segment(run)  # before the teacher: it takes most memory, and gives it back
    segmented, pixels = _segmented(run, rows, ids, _teacher(run, rows, size, seed))
    priors = np.bincount(rows.targets(rows.train), minlength=len(rows.legend)) / len(rows.train)
    transition = noise.transitions(segmented.probabilities[1:], segmented.sizes[1:], priors)
    posterior = noise.posterior(segmented.probabilities, priors, transition)
    counts = Counts.of(rows.legend, grid)
    unjudged = Unjudged()
    with staging_folder(run.path) as folder:
        stage = Run(folder)
        border_px = _write_rasters(run, stage, grid, rows, segmented, posterior, (counts, unjudged))
        _write_evidence(stage, rows, segmented, pixels, border_px)
        cell_m = read_nomenclature(run).cell_m
        facts = facts_of(counts, priors, transition, stage.refined_labels, cell_m)
        facts["notes"] = unjudged.notes(read_nomenclature(run))
        report = _write_report(stage, facts, cell_m)
        for path in sorted(stage.path.iterdir()):
            path.replace(run.path / path.name)
    products = [run.label_confidence, run.refined_labels, run.label_noise]
    products += [run.path / path.name for path in report]
    settings = {
        "seed": seed,
        "made_of": _made_of(run, rows),
        "codes": list(rows.legend.codes),
        "priors": priors.tolist(),
        "transition": transition.tolist(),
        "segments": len(segmented.sizes) - 1,
    }
    found = {"notes": facts["notes"]}
    run.record(STAGE, settings, [run.scene, run.labels, run.samples], products, found)
    return products


def is_made(run: Run, rows: Rows) -> bool:
    """Whether the run holds what `denoise` makes of its present scene, labels and samples."""
    entry = run.read_manifest()["stages"].get(STAGE)
    if entry is None or not all((run.path / path).exists() for path in entry["products"]):
        return False
    return bool(run.labels.exists() and entry["settings"]["made_of"] == _made_of(run, rows))


def _made_of(run: Run, rows: Rows) -> dict[str, int | str]:
    """What doubts depend on; of the samples, not the columns that segmenting changes."""
    return {
        "method": ALGORITHM_VERSION,
        "scene": digest(run.scene),
        "labels": digest(run.labels),
        "splits": digest(run.splits),
        "samples": _digest_of(rows.samples[["row", "col", "label", "split"]]),
    }


def _digest_of(table: pd.DataFrame) -> str:
    """A short name of what a table holds."""
    import pandas as pd

    return short_digest(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())


def _grid(run: Run) -> Grid:
    """The scene's grid, on which the labels lie, and the reference where there is one."""
    grid = rasters.grid_of(run.scene)
    for path in (run.require("labels"), run.reference):
        if path.exists():
            grid.require_equal(rasters.grid_of(path), str(run.scene), str(path))
    return grid


def _patch_size(run: Run) -> int:
    """Side of the teacher's patch."""
    guard = read_blocks(run).guard_px
    if guard < 1:
        raise InputError(
            "a guard of 0 px leaves no room for the patches that find doubtful labels; draw the "
            f"samples again: landcover sample {typed(run.path)} --max-patch {TEACHER_PATCH}, or "
            "learn labels as they are (landcover train cnn RUN --denoise none)"
        )
    return min(TEACHER_PATCH, 2 * guard + 1)


def _teacher(run: Run, rows: Rows, size: int, seed: int) -> PatchClassifier:
    """A patch classifier that has learnt the labels as they are."""
    from landcover.classifiers import networks

    bands, _ = pixel_inputs(run, rows.samples)
    training = PatchTraining(run.require("scene"), bands, rows, PatchNetwork(size), seed)
    model, _ = training.fit(rows, TEACHER_EPOCHS, "the teacher")
    return networks.PatchClassifier("teacher", rows.legend, training.bands, size, model)


def _segment(run: Run) -> np.ndarray:
    """Small segments of the scene, int32 (rows, cols)."""
    from landcover.files.rasters import read_image
    from landcover.scene.segmentation.felzenszwalb import felzenszwalb

    image = read_image(run.scene)
    for band in image:
        band /= max(float(np.nanstd(band)), 1e-9)
    return felzenszwalb(image, SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX)


def _segmented(
    run: Run, rows: Rows, ids: np.ndarray, teacher: PatchClassifier
) -> tuple[Segmented, np.ndarray]:
    """Segments with the mean probabilities of the teacher, and those at every sample."""
    classes = len(rows.legend)
    sums = np.zeros((int(ids.max()) + 1, classes))
    sizes = np.zeros(len(sums), np.int64)
    pixels = np.full((len(rows.samples), classes), 1 / classes, np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    for window, probabilities in _predicted(run, teacher):
        valid = np.isfinite(probabilities[0])
        if not valid.any():
            continue
        numbers = ids[window.slices][valid]
        found = slice(int(numbers.min()), int(numbers.max()) + 1)
        numbers -= found.start
        sizes[found] += np.bincount(numbers)
        for position, layer in enumerate(probabilities):
            sums[found, position] += np.bincount(numbers, layer[valid])
        inside = window.contains(at_row, at_col)
        here = probabilities[:, at_row[inside] - window.row, at_col[inside] - window.col].T
        pixels[inside] = np.where(np.isfinite(here), here, 1 / classes)
    sums[0] = 1
    return Segmented(ids, sizes, sums / sums.sum(axis=1, keepdims=True)), pixels


def _predicted(run: Run, teacher: PatchClassifier) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the scene and the teacher's probabilities (classes, rows, cols), NaN nodata."""
    from landcover import maps

    source = maps.Source(teacher, run.scene)
    windows = maps.reading_windows(source.grid, ASKING_PX)
    for window in track(windows, "asking the teacher"):
        layers = (maps.PROBABILITIES,)
        yield window, source.predict(window, *source.read_tiles(window), layers)[layers[0]]


def _write_rasters(
    run: Run,
    stage: Run,
    grid: Grid,
    rows: Rows,
    segmented: Segmented,
    posterior: np.ndarray,
    counted: tuple[Counts, Unjudged],
) -> np.ndarray:
    """label_confidence.tif and refined_labels.tif, counted; every sample's distance to a border."""
    legend, (counts, unjudged) = rows.legend, counted
    best = legend.code(posterior.argmax(axis=1)).astype(np.uint16)
    best[0] = UNLABELLED
    border_px = np.zeros(len(rows.samples), np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    with (
        RasterWriter(
            stage.label_confidence, grid, np.uint8, ["label_confidence"], CONFIDENCE_NODATA
        ) as confidence,
        RasterWriter(
            stage.refined_labels, grid, np.uint16, ["class"], UNLABELLED, legend
        ) as refined,
    ):
        for window in track(list(grid.windows(WRITING_PX)), "writing doubts"):
            ids = segmented.ids[window.slices]
            labels, distance = _labels(run, grid, window)
            percent = _percent(labels, ids, posterior, legend)
            truth = rasters.read_classes(run.reference, window) if run.reference.exists() else None
            confidence.write(percent, window)
            refined.write(best[ids], window)
            learnt = percent != CONFIDENCE_NODATA
            unjudged.add(labels, ids > 0, learnt)
            counts.add(learnt, labels, best[ids], percent, distance, truth)
            inside = window.contains(at_row, at_col)
            border_px[inside] = distance[at_row[inside] - window.row, at_col[inside] - window.col]
    return border_px


def _labels(run: Run, grid: Grid, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a window, and their distance to a border between labels, up to FAR_M.

    Distances are in pixels of the mean of their sides.
    """
    sides, far = grid.relative_sides, max(1.0, grid.length_px(FAR_M))
    down, across = (math.ceil(far / side) for side in sides)
    padded = rasters.read_classes(run.labels, window.padded(down, across))
    inner = slice(down, -down), slice(across, -across)
    return padded[inner], noise.border_distance(padded, far, sides)[inner]


def _percent(
    labels: np.ndarray, ids: np.ndarray, posterior: np.ndarray, legend: Legend
) -> np.ndarray:
    """Probability in percent that labels are right; nodata where that is not known."""
    position = legend.index(labels)
    percent = np.rint(100 * posterior[ids, np.maximum(position, 0)]).astype(np.uint8)
    return np.where((position < 0) | (ids == 0), CONFIDENCE_NODATA, percent).astype(np.uint8)


def _write_report(stage: Run, facts: LabelNoise, cell_m: float) -> list[Path]:
    """label_noise.md and label_noise.json."""
    text, data = stage.path / "label_noise.md", stage.path / "label_noise.json"
    page = words.render("label_noise.md", facts=facts, cell_m=cell_m)
    write_together({text: page}, data, facts)
    return [text, data]


def _write_evidence(
    stage: Run, rows: Rows, segmented: Segmented, pixels: np.ndarray, border_px: np.ndarray
) -> None:
    """label_noise.parquet: a row a sample, in the order of the sample table."""
    samples = rows.samples
    of_segment = segmented.probabilities[segmented.ids[samples["row"], samples["col"]]]
    columns: dict[str, np.ndarray] = {"border_px": border_px}
    for position, code in enumerate(rows.legend.codes):
        columns[f"pixel_{code}"] = pixels[:, position]
        columns[f"segment_{code}"] = of_segment[:, position].astype(np.float32)
    tables.write(stage.label_noise, columns)
