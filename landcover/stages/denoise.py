"""Where the labels of a run are doubtful, and what is probably there instead.

A patch network, the teacher, learns the labels as they are. What it predicts is averaged over
small segments and corrected as `labels.noise` says, so that every area of one label is mostly of
its class (`labels.units`). A second teacher learns what comes of that, and its averages, held to
the same, give every pixel its likeliest class and its label a probability of being right. Classes
that the image is not known to show keep their labels (`stages.denoise_evidence`), and no class
gains or loses more than coarse labels explain (`labels.restraint`). Everything here comes from the
image and the labels: a reference, where there is one, only measures how good the estimate is.
Where haze lies unevenly, teachers see the scene without it (`stages.denoise_veil`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.files import rasters, styles, tables
from landcover.files.ahead import ahead
from landcover.files.atomic import digest, staging_folder, write_bytes, write_together
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.labels.borders import border_distance
from landcover.legend import UNLABELLED, Legend
from landcover.progress import say
from landcover.reports import figures, refinement, words
from landcover.reports.label_noise import Counts, LabelNoise, Unjudged, facts_of
from landcover.run import Run
from landcover.samples.rows import Rows
from landcover.stages.denoise_estimate import Estimate, estimate
from landcover.stages.denoise_teacher import ASKING_PX
from landcover.stages.denoise_veil import view_of
from landcover.stages.inputs import read_rows
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.training import check_seed

STAGE = "denoise"
CONFIDENCE_NODATA = 255
#: Raised when labels are judged in another way; what a run holds is then made again.
ALGORITHM_VERSION = 7
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
    rows, grid = read_rows(run, "labels"), _grid(run)
    run.read_manifest()  # a damaged one ends it before anything is replaced
    counts, unjudged = Counts.of(rows.legend, grid), Unjudged()
    with staging_folder(run.path) as folder:
        stage = Run(folder)
        with view_of(run, rows, grid, folder) as view:
            known = estimate(view.run, view.rows, grid, seed, folder)
            columns = _write_rasters(view.run, stage, rows, known, (counts, unjudged))
        _write_evidence(stage, rows, known, columns)
        classes, cell_m = read_nomenclature(run).legend, read_nomenclature(run).cell_m
        not_learnt = {classes[code]: count for code, count in unjudged.not_learnt.items()}
        found = refinement.refinement_of(known.decision, rows.legend, counts.hidden, not_learnt)
        facts = facts_of(counts, known.priors, known.transition, stage.refined_labels, cell_m)
        facts["view"] = view.note
        facts["notes"] = unjudged.notes(read_nomenclature(run))
        report = _write_report(stage, facts, found, cell_m)
        shown = refinement.picture(
            run.labels, stage.refined_labels, stage.label_confidence, classes
        )
        known.close()
        for path in sorted(stage.path.iterdir()):
            path.replace(run.path / path.name)
    products = [run.label_confidence, run.refined_labels, run.label_noise]
    products += [run.path / path.name for path in report]
    products.append(write_bytes(run.figure("label_noise"), figures.png(shown)))
    settings = {
        "seed": seed,
        "made_of": _made_of(run, rows),
        "codes": list(rows.legend.codes),
        "priors": known.priors.tolist(),
        "transition": known.transition.tolist(),
        "segments": len(known.segments.sizes) - 1,
    }
    inputs = [run.scene, run.labels, run.samples]
    found_out = {"notes": facts["notes"], "view": view.note, "refinement": found}
    run.record(STAGE, settings, inputs, products, found_out)
    for line in [*filter(None, [view.note]), *refinement.lines(found)]:
        say(line)
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
        "samples": tables.digest_of(rows.samples[["row", "col", "label", "split"]]),
    }


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
    known: Estimate,
    counted: tuple[Counts, Unjudged],
) -> dict[str, np.ndarray]:
    """label_confidence.tif and refined_labels.tif, counted; columns of label_noise.parquet."""
    grid, (counts, unjudged) = rasters.grid_of(run.scene), counted
    ids, held = known.segments.ids, _held(run, grid, rows.legend)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    # Several arrays of single precision a class, in Posterior.at and Refined.classes
    window_bytes = 6 * 4 * len(rows.legend) * ASKING_PX**2
    border_px, at_sample = np.zeros(len(at_row), np.float32), np.zeros(len(at_row), np.uint16)

    def judge(part: tuple[Window, np.ndarray | None]) -> tuple[Window, _Judged]:
        window, said = part
        return window, _judged(run, grid, window, known, known.at(window, said))

    with (
        RasterWriter(
            stage.label_confidence,
            grid,
            np.uint8,
            ["label_confidence"],
            CONFIDENCE_NODATA,
            style=styles.CONFIDENCE,
        ) as confidence,
        RasterWriter(stage.refined_labels, grid, np.uint16, ["class"], UNLABELLED, held) as out,
    ):
        for window, judged in ahead(judge, known.windows(run), window_bytes):
            confidence.write(judged.percent, window)
            out.write(judged.classes, window)
            learnt = judged.percent != CONFIDENCE_NODATA
            unjudged.add(judged.labels, ids[window.slices] > 0, learnt)
            counts.add(
                learnt,
                judged.labels,
                judged.classes,
                judged.percent,
                judged.border_px,
                judged.truth,
            )
            inside = window.contains(at_row, at_col)
            place = at_row[inside] - window.row, at_col[inside] - window.col
            border_px[inside], at_sample[inside] = judged.border_px[place], judged.classes[place]
    return {"border_px": border_px, "refined": at_sample}


@dataclass(frozen=True)
class _Judged:
    """What is known of the pixels (rows, cols) of a window."""

    labels: np.ndarray
    border_px: np.ndarray
    percent: np.ndarray
    classes: np.ndarray
    truth: np.ndarray | None


def _judged(
    run: Run, grid: Grid, window: Window, known: Estimate, posterior: np.ndarray
) -> _Judged:
    """Labels of a window, how probable they are, and what they become."""
    here = known.segments.ids[window.slices]
    labels, border_px = _labels(run, grid, window)
    return _Judged(
        labels,
        border_px,
        _percent(labels, here, posterior, known.refined.legend),
        known.refined.classes(labels, here, posterior),
        rasters.read_classes(run.reference, window) if run.reference.exists() else None,
    )


def _held(run: Run, grid: Grid, legend: Legend) -> Legend:
    """Classes that are learnt, and those that labels hold beside them."""
    codes = set(legend.codes)
    for window in grid.windows(rasters.WINDOW_PX):
        codes.update(np.unique(rasters.read_classes(run.labels, window)).tolist())
    return read_nomenclature(run).legend.subset(codes)


def _labels(run: Run, grid: Grid, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Labels of a window, and their distance to a border between labels, up to FAR_M.

    Distances are in pixels of the mean of their sides.
    """
    sides, far = grid.relative_sides, max(1.0, grid.length_px(FAR_M))
    down, across = (math.ceil(far / side) for side in sides)
    padded = rasters.read_classes(run.labels, window.padded(down, across))
    inner = slice(down, -down), slice(across, -across)
    return padded[inner], border_distance(padded, far, sides)[inner]


def _percent(
    labels: np.ndarray, ids: np.ndarray, posterior: np.ndarray, legend: Legend
) -> np.ndarray:
    """Probability in percent that labels are right; nodata where that is not known."""
    position = legend.index(labels)
    own = np.take_along_axis(posterior, np.maximum(position, 0)[..., np.newaxis], axis=-1)
    percent = np.rint(100 * own[..., 0]).astype(np.uint8)
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
    known: Estimate,
    columns: dict[str, np.ndarray],
) -> None:
    """label_noise.parquet: a row a sample, in the order of the sample table."""
    samples = rows.samples
    of_segment = known.first.means[known.segments.ids[samples["row"], samples["col"]]]
    for position, code in enumerate(rows.legend.codes):
        columns[f"pixel_{code}"] = known.first.samples[:, position]
        columns[f"segment_{code}"] = of_segment[:, position].astype(np.float32)
    tables.write(stage.label_noise, columns)
