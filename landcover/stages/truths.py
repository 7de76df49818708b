"""What is known of a run's land: the rasters or samples that maps are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import Fields, staging_folder
from landcover.files.raster_writer import RasterWriter
from landcover.labels.origin import POLYGONS, RASTER
from landcover.legend import UNLABELLED
from landcover.reports.tally import TRUTHS
from landcover.run import Run
from landcover.samples.rows import TARGETS, read_samples
from landcover.stages.models import days_of_map


def held_truths(run: Run) -> dict[str, Path]:
    """The class rasters of a run that maps can be judged by, the leading one first."""
    paths: dict[str, Path] = {name: getattr(run, name) for name in TRUTHS}
    return {name: path for name, path in paths.items() if path.exists()}


def labelled_years(run: Run, days: Sequence[str]) -> list[int]:
    """Years of some days that have labels of their own, ascending."""
    years = sorted({int(day[:4]) for day in days})
    return [year for year in years if run.labels_of_year(year).exists()]


def years_of_labels(run: Run, names: Iterable[str]) -> dict[str, int]:
    """The years whose labels maps are scored by, by the names of the maps.

    Those are maps of the dates of one year that has labels of its own. All others, of several
    years or of the composite of all dates, are scored by the labels of the run.
    """
    found = {}
    for name in names:
        days = days_of_map(run, name)
        if len({day[:4] for day in days}) == 1 and labelled_years(run, days):
            found[name] = int(days[0][:4])
    return found


def labels_from(run: Run) -> str:
    """What the labels that maps of a run are scored by are drawn from, as the run records it.

    Returns
    -------
    str
        `origin.RASTER`, `origin.POLYGONS` or `origin.RASTER_AND_POLYGONS`. Runs of older
        versions do not record it: their labels are of a raster.
    """
    if not run.labels.exists() and samples_from(run) == POLYGONS:
        return POLYGONS
    return _settings(run, "prep").get("labels_from") or RASTER


def samples_from(run: Run) -> str:
    """What the labels of a run's samples are drawn from, which models learn; as `labels_from`."""
    if _settings(run, "sample").get("class_field"):
        return POLYGONS
    return _settings(run, "prep").get("labels_from") or RASTER


def _settings(run: Run, stage: str) -> Fields:
    found: Fields = run.read_manifest()["stages"].get(stage, {}).get("settings", {})
    return found


def is_of_samples(run: Run) -> bool:
    """Whether nothing but a run's samples knows the classes of its land.

    Such samples are of polygons that were given when they were drawn; polygons that were given
    with the scene are in its labels.
    """
    if held_truths(run) or not run.samples.exists():
        return False
    return samples_from(run) == POLYGONS


@contextmanager
def open_truths(run: Run) -> Iterator[dict[str, Path]]:
    """Give the class rasters that maps are judged by, `truths_of`, or a raster of the samples."""
    if not is_of_samples(run):
        yield truths_of(run)
        return
    with raster_of_samples(run, "labels") as path:
        yield {"labels": path}


@contextmanager
def raster_of_samples(run: Run, truth: str) -> Iterator[Path]:
    """Give a raster of what the samples of a run know, which is gone when the block ends.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    truth : {"labels", "reference"}
        What they know.
    """
    samples = read_samples(run.samples)
    row, col, codes = (samples[name].to_numpy() for name in ("row", "col", TARGETS[truth]))
    grid = rasters.grid_of(run.require("scene"))
    with staging_folder(run.path) as stage:
        path = stage / f"{truth}.tif"
        with RasterWriter(path, grid, np.uint16, [truth], UNLABELLED) as out:
            for window in grid.windows(rasters.WINDOW_PX):
                inside = window.contains(row, col)
                part = np.full((window.rows, window.cols), UNLABELLED, np.uint16)
                part[row[inside] - window.row, col[inside] - window.col] = codes[inside]
                out.write(part, window)
        yield path


def truths_of(run: Run) -> dict[str, Path]:
    """The class rasters that maps are judged by, the leading one first."""
    found = held_truths(run)
    if not found:
        run.require("labels")
    return found
