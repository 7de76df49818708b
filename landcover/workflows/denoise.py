"""Where the labels of a run are doubtful, and what to learn from them instead.

A patch network, the teacher, learns the labels as they are. What it predicts is averaged over
small segments and corrected as `label_noise` says; this gives every pixel its likeliest class
and its label a probability of being right. Everything here comes from the image and the labels:
a reference, where there is one, only measures how good the estimate is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover import label_noise, rasters
from landcover.denoising import CHOICES, LEFT_OUT, METHODS, PLAIN, Evidence
from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.progress import say, track
from landcover.runs import Run, digest, replace_when_whole
from landcover.workflows.patch_training import PatchTraining
from landcover.workflows.split import read_blocks
from landcover.workflows.training import TARGET, Rows, pixel_inputs, read_rows

if TYPE_CHECKING:
    import pandas as pd

STAGE = "denoise"
#: The teacher's patch, where the guard between splits allows it, and how long it may learn.
TEACHER_PATCH, TEACHER_EPOCHS = 7, 40
#: Small segments: of bands in units of their own deviation, smoothed against noise, at least 20
#: pixels. They hold to borders in the image to a pixel or two, and still average errors out.
SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX = 32.0, 0.7, 20
CONFIDENCE_NODATA = 255
_WINDOW_PX = 1024
#: Distances to a border of labels are known up to this many pixels.
FAR_PX = 30


@dataclass(frozen=True)
class Segmented:
    """Small segments of a scene, and what the teacher says of them.

    Attributes
    ----------
    ids : array of int32 (rows, cols)
        Segments from 1; 0 where the scene has no data.
    sizes : array of int64 (segments + 1,)
        Pixels; those of 0 count as none.
    shares : array of float64 (segments + 1, classes)
        Mean probabilities of labels.
    """

    ids: np.ndarray
    sizes: np.ndarray
    shares: np.ndarray


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
        label_confidence.tif: probability that the label is right, percent, 255 nodata.
        refined_labels.tif: the likeliest class. label_noise.parquet: what is known of every
        sample. label_noise.md and label_noise.json: doubt by class and by distance to borders, and
        which class hides in which.

    Raises
    ------
    LandcoverError
        If samples or labels are missing.
    """
    from landcover.workflows.noise_report import write_report

    rows = read_rows(run, "labels")
    run.require("labels")
    teacher, in_bands = _teacher(run, rows, seed)
    segmented, pixels = _segmented(run, rows, teacher, in_bands)
    priors = np.bincount(rows.targets(rows.train), minlength=len(rows.legend)) / len(rows.train)
    transition = label_noise.transitions(segmented.shares[1:], segmented.sizes[1:], priors)
    posterior = label_noise.posterior(segmented.shares, priors, transition)
    border_px = _write_rasters(run, rows, segmented, posterior)
    evidence = _write_evidence(run, rows, segmented, pixels, border_px)
    report = write_report(run, rows.legend, priors, transition)
    products = [run.label_confidence, run.refined_labels, evidence, *report]
    settings = {
        "seed": seed,
        "made_of": _made_of(run, rows),
        "codes": list(rows.legend.codes),
        "priors": priors.tolist(),
        "transition": transition.tolist(),
        "segments": len(segmented.sizes) - 1,
    }
    run.record(STAGE, settings, [run.scene, run.labels, run.samples], products)
    return products


def rows_to_learn(run: Run, trained_on: str, method: str, seed: int = 0) -> Rows:
    """The rows of a run, with the targets that a way of denoising gives them.

    What the way needs is made first where it is missing or of other samples, labels or scene.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    trained_on : {"labels", "reference"}
        A reference is learnt as it is.
    method : str
        Of `denoising.CHOICES`; "none" learns labels as they are.
    seed : int
        Of the teacher, if it has to be trained.
    """
    if method not in CHOICES:
        raise LandcoverError(
            f"way of denoising {method!r} is unknown; choose among {', '.join(CHOICES)}"
        )
    rows = read_rows(run, trained_on)
    if method == PLAIN or trained_on != "labels":
        return rows
    if not _is_made(run, rows):
        say("estimating where the labels are wrong (--denoise none learns them as they are)")
        denoise(run, seed)
    settings = run.read_manifest()["stages"][STAGE]["settings"]
    targets = METHODS[method](_evidence(run, rows, settings))
    return _with_targets(rows, targets, method)


def _with_targets(rows: Rows, targets: np.ndarray, method: str) -> Rows:
    """Rows with these positions in the legend as targets; those left out serve nothing."""
    codes = rows.legend.code(targets)
    known = codes != UNLABELLED
    train = rows.train[known[rows.train]]
    held = np.unique(codes[train])
    if len(held) < 2:
        raise LandcoverError(
            f"--denoise {method} leaves class {held[0] if len(held) else 'none'} alone to learn; "
            "draw more samples, or use --denoise none"
        )
    usable = np.isin(codes, held)
    validation = rows.validation[usable[rows.validation]]
    return replace(
        rows,
        samples=rows.samples.assign(**{TARGET: codes}),
        column=TARGET,
        legend=rows.legend.subset(held.tolist()),
        train=train,
        validation=validation if len(validation) else rows.validation,
        beside=rows.beside[usable[rows.beside]],
        denoise=method,
    )


def _teacher(run: Run, rows: Rows, seed: int) -> tuple[Any, tuple[str, ...]]:
    """A patch classifier that has learnt the labels as they are."""
    from landcover import networks

    guard = read_blocks(run).guard_px
    if guard < 1:
        raise LandcoverError(
            "a guard of 0 px leaves no room for the patches that find doubtful labels; draw the "
            f"samples again: python sample_raster.py {run.path} --max-patch 7, or learn labels "
            "as they are: --denoise none"
        )
    size = min(TEACHER_PATCH, 2 * guard + 1)
    training = PatchTraining(run, rows, size, seed)
    model, _ = training.fit(rows, TEACHER_EPOCHS, "the teacher")
    return networks.PatchClassifier(
        "teacher", rows.legend, training.bands, size, model
    ), training.bands


def _segmented(
    run: Run, rows: Rows, teacher: Any, bands: tuple[str, ...]
) -> tuple[Segmented, np.ndarray]:
    """Small segments with the teacher's mean shares, and its shares at every sample."""
    ids = _segment(run)
    classes = len(rows.legend)
    sums = np.zeros((int(ids.max()) + 1, classes))
    pixels = np.full((len(rows.samples), classes), 1 / classes, np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    for window, shares in _predicted(run, teacher):
        part = ids[window.slices]
        first = int(part.min())
        found = slice(first, int(part.max()) + 1)
        valid = np.isfinite(shares[0])
        numbers = (part - first)[valid]
        for position, layer in enumerate(shares):
            sums[found, position] += np.bincount(
                numbers, layer[valid], minlength=found.stop - first
            )
        inside = window.contains(at_row, at_col)
        here = shares[:, at_row[inside] - window.row, at_col[inside] - window.col].T
        pixels[inside] = np.where(np.isfinite(here), here, 1 / classes)
    sizes = np.bincount(ids.ravel(), minlength=len(sums))
    sizes[0] = 0
    sums[0] = 1
    return Segmented(ids, sizes, sums / sums.sum(axis=1, keepdims=True)), pixels


def _segment(run: Run) -> np.ndarray:
    """Small segments of the scene, int32 (rows, cols)."""
    from landcover.segmentation import felzenszwalb
    from landcover.workflows.segment import read_image

    image = read_image(run.scene)
    for band in image:
        band /= max(float(np.nanstd(band)), 1e-9)
    return felzenszwalb(image, SEGMENT_SCALE, SEGMENT_SIGMA, SEGMENT_MIN_PX)


def _predicted(run: Run, teacher: Any) -> Iterator[tuple[Window, np.ndarray]]:
    """Windows of the scene and the teacher's probabilities (classes, rows, cols), NaN nodata."""
    from landcover import mapping

    source = mapping.Source(teacher, run.scene)
    windows = mapping.reading_windows(source.grid, _WINDOW_PX)
    for window in track(windows, "asking the teacher"):
        layers = (mapping.PROBABILITIES,)
        yield window, source.predict(window, *source.read_tiles(window), layers)[layers[0]]


def _write_rasters(run: Run, rows: Rows, segmented: Segmented, posterior: np.ndarray) -> np.ndarray:
    """label_confidence.tif and refined_labels.tif; returns every sample's distance to a border."""
    grid, legend = rasters.grid_of(run.scene), rows.legend
    grid.require_equal(rasters.grid_of(run.labels), str(run.scene), str(run.labels))
    best = legend.code(posterior.argmax(axis=1)).astype(np.uint16)
    best[0] = UNLABELLED
    border_px = np.zeros(len(rows.samples), np.float32)
    at_row, at_col = (rows.samples[axis].to_numpy() for axis in ("row", "col"))
    with (
        rasters.RasterWriter(
            run.label_confidence, grid, np.uint8, ["label_confidence"], CONFIDENCE_NODATA
        ) as confidence,
        rasters.RasterWriter(
            run.refined_labels, grid, np.uint16, ["class"], UNLABELLED, legend
        ) as refined,
    ):
        for window in track(list(grid.windows(rasters.WINDOW_PX)), "writing doubts"):
            ids = segmented.ids[window.slices]
            labels = rasters.read_classes(run.labels, window)
            confidence.write(_percent(labels, ids, posterior, legend), window)
            refined.write(best[ids], window)
            inside = window.contains(at_row, at_col)
            distance = distances(run, grid, window)
            border_px[inside] = distance[at_row[inside] - window.row, at_col[inside] - window.col]
    return border_px


def distances(run: Run, grid: Grid, window: Window) -> np.ndarray:
    """Distance of a window's pixels to a border between labels, up to FAR_PX."""
    padded = rasters.read_classes(run.labels, window.padded(FAR_PX))
    inner = slice(FAR_PX, -FAR_PX)
    return label_noise.border_distance(padded, FAR_PX)[inner, inner]


def _percent(
    labels: np.ndarray, ids: np.ndarray, posterior: np.ndarray, legend: Legend
) -> np.ndarray:
    """Probability in percent that labels are right; classes that were not learnt get 0."""
    position = legend.index(labels)
    right = np.where(position >= 0, posterior[ids, np.maximum(position, 0)], 0.0)
    percent = np.rint(100 * right).astype(np.uint8)
    return np.where((labels == UNLABELLED) | (ids == 0), CONFIDENCE_NODATA, percent)


def _write_evidence(
    run: Run, rows: Rows, segmented: Segmented, pixels: np.ndarray, border_px: np.ndarray
) -> Path:
    """label_noise.parquet: a row a sample, in the order of the sample table."""
    import pandas as pd

    samples = rows.samples
    of_segment = segmented.shares[segmented.ids[samples["row"], samples["col"]]]
    columns: dict[str, np.ndarray] = {"border_px": border_px}
    for position, code in enumerate(rows.legend.codes):
        columns[f"pixel_{code}"] = pixels[:, position]
        columns[f"segment_{code}"] = of_segment[:, position].astype(np.float32)
    with replace_when_whole(run.label_noise) as part:
        pd.DataFrame(columns).to_parquet(part, index=False)
    return run.label_noise


def _evidence(run: Run, rows: Rows, settings: dict[str, Any]) -> Evidence:
    """What `denoise` has found of the samples."""
    import pandas as pd

    table = pd.read_parquet(run.label_noise)
    codes = settings["codes"]
    bands, features = pixel_inputs(run, rows.samples)
    everything = np.arange(len(rows.samples))
    labels = rows.samples[rows.column].to_numpy()
    usable = np.zeros(len(labels), bool)  # what no split may use says nothing of a class either
    usable[np.concatenate([rows.train, rows.validation, rows.beside])] = True
    known = usable & np.isin(labels, codes)
    positions = rows.legend.index(np.where(known, labels, codes[0]))
    return Evidence(
        labels=np.where(known, positions, LEFT_OUT),
        pixels=table[[f"pixel_{code}" for code in codes]].to_numpy(np.float64),
        segments=table[[f"segment_{code}" for code in codes]].to_numpy(np.float64),
        border_px=table["border_px"].to_numpy(),
        blocks=rows.samples["block"].to_numpy(),
        values=rows.values(everything, bands, features)[0],
        priors=np.array(settings["priors"]),
        transition=np.array(settings["transition"]),
    )


def _is_made(run: Run, rows: Rows) -> bool:
    """Whether the run holds what `denoise` makes of its present files."""
    entry = run.read_manifest()["stages"].get(STAGE)
    if entry is None or not all((run.path / path).exists() for path in entry["products"]):
        return False
    return bool(entry["settings"]["made_of"] == _made_of(run, rows))


def _made_of(run: Run, rows: Rows) -> dict[str, str]:
    """What doubts depend on; of the samples, not the columns that segmenting changes."""
    return {
        "scene": digest(run.scene),
        "labels": digest(run.labels),
        "splits": digest(run.splits),
        "samples": _digest_of(rows.samples[["row", "col", "label", "split"]]),
    }


def _digest_of(table: pd.DataFrame) -> str:
    """A short name of what a table holds."""
    import hashlib

    import pandas as pd

    hashed = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return hashlib.sha256(hashed.tobytes()).hexdigest()[:16]
