"""What the models of a run learn: its labels, its reference, or targets better than the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError, LandcoverError, typed
from landcover.files import rasters, tables
from landcover.labels.denoising import CHOICES, DEFAULT, LEFT_OUT, METHODS, PLAIN, Evidence
from landcover.labels.origin import POLYGONS, RASTER_AND_POLYGONS
from landcover.legend import UNLABELLED
from landcover.progress import say
from landcover.reports.refinement import summary
from landcover.run import Run
from landcover.samples.layers import POLYGON
from landcover.samples.rows import TARGET, Rows, inputs_of, with_features
from landcover.stages.denoise import STAGE, denoise, is_made
from landcover.stages.inputs import pixel_inputs, read_rows
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.truths import labels_from, samples_from

if TYPE_CHECKING:
    import pandas as pd


def rows_to_learn(run: Run, targets: str, method: str | None = None) -> Rows:
    """The rows of a run, with the targets that a way of denoising gives them.

    What the way needs is made first where it is missing, or of other samples, labels or scene.
    It is made with seed 0, whatever the model's: so a model does not depend on which was trained
    first. `denoise` with another seed makes another teacher, and all models then learn from it.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    targets : {"labels", "reference"}
        A reference is learnt as it is.
    method : str, optional
        Of `denoising.CHOICES`; "none" learns labels as they are. By default labels are refined
        that come from a raster, and learnt as they are where they are a user's own, from
        polygons with a class field.

    Raises
    ------
    LandcoverError
        If there is no such way, it leaves too little to learn from, or what it needs is missing
        or damaged.
    """
    if method is not None and method not in CHOICES:
        raise InputError(
            f"way of denoising {method!r} is unknown; choose among {', '.join(CHOICES)}"
        )
    rows = read_rows(run, targets)
    if targets != "labels":
        return rows
    method = method or _default(run)
    if method == PLAIN:
        return rows
    if not is_made(run, rows):
        say("estimating where the labels are wrong (denoise none learns them as they are)")
        denoise(run)
    elif method == DEFAULT:
        say(summary(run.read_manifest()["stages"][STAGE]["refinement"]))
    return _with_targets(rows, _led(run, rows, _targets(run, rows, method)), method)


def labels_raster(run: Run, targets: str, method: str | None = None) -> Path:
    """The raster that models of tiles learn: the reference, the labels, or the refined labels.

    Parameters are those of `rows_to_learn`, which makes what is missing.

    Raises
    ------
    InputError
        If the way of denoising has targets for samples alone, or samples are of polygons that the
        labels know nothing of.
    """
    if targets != "labels":
        return run.require("reference")
    if samples_from(run) == POLYGONS and not (run.labels.exists() and labels_from(run) == POLYGONS):
        raise InputError(
            f"the samples of {run.path} are of polygons that were given when they were drawn, and "
            "a model of tiles learns a raster of labels; prepare the run with polygons= and "
            "class_field=, or train a model of pixels"
        )
    method = method or (PLAIN if samples_from(run) == POLYGONS else DEFAULT)
    if method not in (PLAIN, DEFAULT):
        raise InputError(
            f"denoise={method} is for samples, and a model of tiles learns every pixel; "
            f"choose denoise={DEFAULT} or denoise={PLAIN}"
        )
    return run.refined_labels if method == DEFAULT else run.require("labels")


def _default(run: Run) -> str:
    """What is done unless told: a user's own polygons are no coarse labels."""
    if samples_from(run) != POLYGONS:
        return DEFAULT
    say("labels from polygons are learnt as they are (denoise refine doubts them too)")
    return PLAIN


def _led(run: Run, rows: Rows, targets: np.ndarray) -> np.ndarray:
    """Targets with what training polygons say where they lead over coarse labels: nobody doubts it.

    Polygons that are the only labels are doubted, since only who asks for it gets here.
    """
    prepared = run.read_manifest()["stages"].get("prep", {}).get("settings", {})
    if prepared.get("labels_from") != RASTER_AND_POLYGONS or POLYGON not in rows.samples:
        return targets
    known = rows.legend.index(rows.samples[rows.column].to_numpy())
    return np.where(rows.samples[POLYGON].to_numpy() > 0, known, targets)


def _targets(run: Run, rows: Rows, method: str) -> np.ndarray:
    """Positions of classes that a way finds for every row; -1 for rows that it leaves out.

    What training and validation rows are learnt as does not depend on labels of test rows:
    those count only for the rows that a random split borrows from test blocks.
    """
    known, way = _evidence(run, rows), METHODS[method]
    honest = np.full(len(known.labels), LEFT_OUT)
    for part in (rows.train, rows.validation):
        honest[part] = known.labels[part]
    targets = way(replace(known, labels=honest))
    targets[rows.random_split_extra] = way(known)[rows.random_split_extra]
    return targets


def _evidence(run: Run, rows: Rows) -> Evidence:
    """What `denoise` has found of the samples."""
    settings = run.read_manifest()["stages"][STAGE]["settings"]
    codes = settings["codes"]
    table = _read_table(run, codes, len(rows.samples))
    labels = rows.samples[rows.column].to_numpy()
    usable = np.zeros(len(labels), bool)  # what no split may use says nothing of a class either
    usable[np.concatenate([rows.train, rows.validation, rows.random_split_extra])] = True
    seen = pixel_inputs(run, rows.samples)
    samples = with_features(run.scene, rows.samples, seen)
    return Evidence(
        labels=np.where(usable, rows.legend.index(labels), LEFT_OUT),
        pixels=table[[f"pixel_{code}" for code in codes]].to_numpy(np.float64),
        segments=table[[f"segment_{code}" for code in codes]].to_numpy(np.float64),
        refined=rows.legend.index(table["refined"].to_numpy()),
        border_px=table["border_px"].to_numpy(),
        blocks=rows.samples["block"].to_numpy(),
        values=inputs_of(samples, seen.bands, seen.features)[0],
        priors=np.array(settings["priors"]),
        transition=np.array(settings["transition"]),
        reach_px=rasters.grid_of(run.scene).length_px(read_nomenclature(run).border_m),
    )


def _read_table(run: Run, codes: list[int], samples: int) -> pd.DataFrame:
    """label_noise.parquet, a row a sample."""
    columns = [f"{of}_{code}" for of in ("pixel", "segment") for code in codes]
    again = f"make it again: landcover denoise {typed(run.path)}"
    table = tables.read(run.label_noise, again, ["border_px", "refined", *columns])
    if len(table) != samples:
        raise LandcoverError(
            f"{run.label_noise} is not readable (it has {len(table)} rows for {samples} samples); "
            f"{again}"
        )
    return table


def _with_targets(rows: Rows, targets: np.ndarray, method: str) -> Rows:
    """Rows with these positions in the legend as targets; those left out serve nothing."""
    codes = rows.legend.code(targets)
    train = rows.train[codes[rows.train] != UNLABELLED]
    held = np.unique(codes[train])
    usable = np.isin(codes, held)
    validation = rows.validation[usable[rows.validation]]
    if len(held) < 2 or not len(validation):
        left = "no validation row" if len(held) > 1 else f"{len(held)} class"
        raise InputError(
            f"denoise={method} leaves {left} to learn from, and training needs two classes and "
            "validation rows of them; draw more samples, or use denoise=none"
        )
    return replace(
        rows,
        samples=rows.samples.assign(**{TARGET: codes}),
        column=TARGET,
        legend=rows.legend.subset(held.tolist()),
        train=train,
        validation=validation,
        random_split_extra=rows.random_split_extra[usable[rows.random_split_extra]],
        denoise=method,
    )
