"""Where the labels of a run are doubtful, and what is probably there instead.

A patch network, the teacher, learns the labels as they are. What it predicts is averaged over
small segments and corrected as `label_noise` says; this gives every pixel its likeliest class
and its label a probability of being right. Classes that the image is not known to show keep their
labels (`stages.denoise_evidence`), and no class gains or loses more than coarse labels explain
(`labels.restraint`). Everything here comes from the image and the labels: a reference, where there
is one, only measures how good the estimate is.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.files import rasters, tables
from landcover.files.atomic import digest, short_digest, staging_folder, write_bytes, write_together
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.labels import noise
from landcover.labels.decision import Decision
from landcover.labels.refined import Refined
from landcover.legend import UNLABELLED, Legend
from landcover.progress import say, track
from landcover.reports import figures, refinement, words
from landcover.reports.label_noise import Counts, LabelNoise, Unjudged, facts_of
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.stages.denoise_evidence import decision_of
from landcover.stages.denoise_teacher import Segmented, patch_size, segment, segmented, teacher
from landcover.stages.inputs import read_rows
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.training import check_seed

if TYPE_CHECKING:
    import pandas as pd


STAGE = "denoise"
CONFIDENCE_NODATA = 255
#: Raised when labels are judged in another way; what a run holds is then made again.
ALGORITHM_VERSION = 3
#: Side of the windows that are written.
WRITING_PX = rasters.WINDOW_PX
#: Distances to a border of labels are known up to so many metres.
FAR_M = 300.0


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
        class that is learnt. label_noise.parquet: what is known of every sample. label_noise.md and
        label_noise.json: doubt by class and by distance to borders, and which class hides in
        which, what was refined and why not. They appear together, or not at all. A picture
        figures/label_noise.png.

    Raises
    ------
    LandcoverError
        If samples or labels are missing, labels or reference lie on another grid than the scene,
        the guard between splits leaves no room for patches, or the seed is out of range.
    """
    check_seed(seed)
    rows = read_rows(run, "labels")
    grid, size = _grid(run), patch_size(run)
    run.read_manifest()  # a damaged one ends it before anything is replaced
    ids = segment(run)  # before the teacher: it takes most memory, and gives it back
    small, pixels = segmented(run, rows, ids, teacher(run, rows, size, seed))
    priors = np.bincount(rows.targets(rows.train), minlength=len(rows.legend)) / len(rows.train)
    transition = noise.transitions(small.probabilities[1:], small.sizes[1:], priors)
    posterior = noise.posterior(small.probabilities, priors, transition)
    decision, judge = decision_of(run, rows, grid, small.own())
    refined = _refined(rows, decision, posterior, small)
    if judge is not None:
        targets = _targets_of(refined, rows, small.ids, judge.part)
        decision = judge.proven(decision, targets)
        refined = _refined(rows, decision, posterior, small)
    counts, unjudged = Counts.of(rows.legend, grid), Unjudged()
    with staging_folder(run.path) as folder:
        stage = Run(folder)
        columns = _write_rasters(
            run, stage, rows, small.ids, posterior, refined, (counts, unjudged)
        )
        _write_evidence(stage, rows, small, pixels, columns)
        cell_m = read_nomenclature(run).cell_m
        found = refinement.refinement_of(decision, rows.legend, counts.hidden)
        facts = facts_of(counts, priors, transition, stage.refined_labels, cell_m)
        facts["notes"] = unjudged.notes(read_nomenclature(run))
        report = _write_report(stage, facts, found, cell_m)
        shown = refinement.picture(
            run.labels, stage.refined_labels, stage.label_confidence, read_nomenclature(run).legend
        )
        for path in sorted(stage.path.iterdir()):
            path.replace(run.path / path.name)
    products = [run.label_confidence, run.refined_labels, run.label_noise]
    products += [run.path / path.name for path in report]
    products.append(write_bytes(run.figure("label_noise"), figures.png(shown)))
    settings = {
        "seed": seed,
        "made_of": _made_of(run, rows),
        "codes": list(rows.legend.codes),
        "priors": priors.tolist(),
        "transition": transition.tolist(),
        "segments": len(small.sizes) - 1,
    }
    inputs = [run.scene, run.labels, run.samples]
    found_out = {"notes": facts["notes"], "refinement": found}
    run.record(STAGE, settings, inputs, products, found_out)
    for line in refinement.lines(found):
        say(line)
    return products


def _refined(rows: Rows, decision: Decision, posterior: np.ndarray, small: Segmented) -> Refined:
    """What every segment is, as far as was decided."""
    trust = decision.trust(len(rows.legend))
    return Refined.of(rows.legend, trust, posterior, small.labelled)


def _targets_of(refined: Refined, rows: Rows, ids: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Positions of the refined labels of some rows of the sample table."""
    samples = rows.samples.iloc[part]
    labels = samples[rows.column].to_numpy()
    return rows.legend.index(refined.classes(labels, ids[samples["row"], samples["col"]]))


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


def _write_rasters(
    run: Run,
    stage: Run,
    rows: Rows,
    ids: np.ndarray,
    posterior: np.ndarray,
    refined: Refined,
    counted: tuple[Counts, Unjudged],
) -> dict[str, np.ndarray]:
    """label_confidence.tif and refined_labels.tif, counted; columns of label_noise.parquet."""
    grid, legend, (counts, unjudged) = rasters.grid_of(run.scene), rows.legend, counted
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    border_px, at_sample = np.zeros(len(at_row), np.float32), np.zeros(len(at_row), np.uint16)
    with (
        RasterWriter(
            stage.label_confidence, grid, np.uint8, ["label_confidence"], CONFIDENCE_NODATA
        ) as confidence,
        RasterWriter(stage.refined_labels, grid, np.uint16, ["class"], UNLABELLED, legend) as out,
    ):
        for window in track(list(grid.windows(WRITING_PX)), "writing doubts"):
            here = ids[window.slices]
            labels, distance = _labels(run, grid, window)
            percent = _percent(labels, here, posterior, legend)
            truth = rasters.read_classes(run.reference, window) if run.reference.exists() else None
            classes = refined.classes(labels, here)
            confidence.write(percent, window)
            out.write(classes, window)
            learnt = percent != CONFIDENCE_NODATA
            unjudged.add(labels, here > 0, learnt)
            counts.add(learnt, labels, classes, percent, distance, truth)
            inside = window.contains(at_row, at_col)
            place = at_row[inside] - window.row, at_col[inside] - window.col
            border_px[inside], at_sample[inside] = distance[place], classes[place]
    return {"border_px": border_px, "refined": at_sample}


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


def _write_report(
    stage: Run, facts: LabelNoise, found: refinement.Refinement, cell_m: float
) -> list[Path]:
    """label_noise.md and label_noise.json."""
    text, data = stage.path / "label_noise.md", stage.path / "label_noise.json"
    said = refinement.summary(found)
    page = words.render(
        "label_noise.md", facts=facts, refinement=found, summary=said, cell_m=cell_m
    )
    write_together({text: page}, data, facts | {"refinement": found})
    return [text, data]


def _write_evidence(
    stage: Run,
    rows: Rows,
    segmented: Segmented,
    pixels: np.ndarray,
    columns: dict[str, np.ndarray],
) -> None:
    """label_noise.parquet: a row a sample, in the order of the sample table."""
    samples = rows.samples
    of_segment = segmented.probabilities[segmented.ids[samples["row"], samples["col"]]]
    for position, code in enumerate(rows.legend.codes):
        columns[f"pixel_{code}"] = pixels[:, position]
        columns[f"segment_{code}"] = of_segment[:, position].astype(np.float32)
    tables.write(stage.label_noise, columns)
