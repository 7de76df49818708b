"""Labels of one year each: what models of dates learn of them.

A class is of a year. So where years have labels of their own, the dates of each year make samples
of their own, with the labels of that year: a place that was felled is forest in the samples of one
year and a clearing in those of the next. Labels of a year are refined on the composite of its own
dates, in a run folder of that year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, tables
from landcover.files.atomic import copied, digest, staging_folder
from landcover.files.raster_writer import RasterWriter
from landcover.files.styles import scene_style
from landcover.labels.denoising import CHOICES, DEFAULT, PLAIN
from landcover.labels.origin import RASTER
from landcover.progress import say, track
from landcover.run import Run
from landcover.samples.dated_rows import YEAR, values_at
from landcover.samples.rows import TARGET, Rows, deal_rows, read_samples
from landcover.scene.composite import Composite, compose
from landcover.scene.sequence import Dates, as_sequence, valid_dates
from landcover.stages.dates import dates_of
from landcover.stages.inputs import read_blocks
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.targets import rows_to_learn
from landcover.stages.truths import labelled_years, labels_from, samples_from

if TYPE_CHECKING:
    import pandas as pd

#: What the samples of a year keep of those of the run; the others are of its scene.
_KEPT = ("row", "col", "x", "y", "label", "reference", "block", "split", "random_test", "segment")
#: Stage of the manifest of a year's run folder.
_STAGE = "year"


def years_to_learn(run: Run, days: Sequence[str], targets: str) -> tuple[int, ...]:
    """The years of some days, where labels of one year each are learnt; none elsewhere.

    A reference, and polygons with classes, are of all dates. Where all dates of a run are of one
    year whose labels are those of the run, there is nothing to learn apart.
    """
    if targets != "labels" or {samples_from(run), labels_from(run)} != {RASTER}:
        return ()
    if not labelled_years(run, days):
        return ()
    years = sorted({int(day[:4]) for day in days})
    whole = len({day[:4] for day in dates_of(run).days}) == 1
    if whole and digest(run.labels_of_year(years[0])) == digest(run.require("labels")):
        return ()
    return tuple(years)


def runs_to_learn(run: Run, years: Sequence[int]) -> dict[int, Run]:
    """Where the labels of each year are: in a folder of the year, or in the run itself."""
    return {
        year: _folder(run, year) if run.labels_of_year(year).exists() else run for year in years
    }


def labels_of_years(run: Run, years: Sequence[int], method: str | None) -> dict[int, Path]:
    """The raster of labels that is learnt for the dates of each year; `rows_of_years` makes it."""
    _require_method(method)
    if (method or DEFAULT) == DEFAULT:
        return {year: of.refined_labels for year, of in runs_to_learn(run, years).items()}
    if method != PLAIN:
        raise InputError(
            f"denoise={method} is for samples, and a model of tiles learns every pixel; "
            f"choose denoise={DEFAULT} or denoise={PLAIN}"
        )
    return {year: _labels(run, year) for year in years}


def rows_of_years(run: Run, years: Sequence[int], method: str | None) -> Rows:
    """The samples of a run once for each year, with its labels, and a column that tells the year.

    Parameters
    ----------
    run : Run
        Run folder with samples and dates.
    years : sequence of int
        From `years_to_learn`. One without labels of its own has those of the run.
    method : str, optional
        How doubtful labels are treated, as of `targets.rows_to_learn`.
    """
    _require_method(method)
    method = method or DEFAULT
    samples = read_samples(run.require("samples"))
    read_blocks(run)
    parts = []
    for year in years:
        own = run.labels_of_year(year).exists()
        say(f"dates of {year} learn the labels of {year if own else 'the run'}")
        if method != PLAIN:
            of_year = run_of_year(run, year, samples) if own else run
            rows = rows_to_learn(of_year, "labels", method)
        else:
            table = _with_labels(samples, _labels(run, year))
            rows = deal_rows(table, "labels", run.samples, read_nomenclature(run))
        kept = [name for name in (*_KEPT, TARGET) if name in rows.samples]
        parts.append(replace(rows, samples=rows.samples[kept].assign(**{YEAR: year})))
    return _together(run, parts, method)


def run_of_year(run: Run, year: int, samples: pd.DataFrame) -> Run:
    """The run folder of a year: the median of its dates, its labels, and the samples with both.

    Labels are refined there as in any run. It is made again where dates, labels or samples are
    other ones.
    """
    held = dates_of(run)
    held = held.select([day for day in held.days if day.startswith(f"{year}-")])
    folder, labels = _folder(run, year), run.labels_of_year(year)
    made = {
        "dates": {day: digest(run.date(day)) for day in held.days},
        "labels": digest(labels),
        "splits": digest(run.require("splits")),
        "samples": tables.digest_of(samples[["row", "col", "split"]]),
    }
    if folder.read_manifest()["stages"].get(_STAGE, {}).get("settings") == made:
        return folder
    with staging_folder(folder.path) as path:
        stage = Run(path)
        _write_median(run, stage, held)
        for source, target in (
            (labels, stage.labels), (run.splits, stage.splits), (run.legend, stage.legend)
        ):  # fmt: skip
            if source.exists():
                copied(source, target)
        tables.write(stage.samples, _with_bands(_with_labels(samples, labels), stage.scene))
        products = sorted(stage.path.iterdir())
        for product in products:
            product.replace(folder.path / product.name)
    folder.record("prep", {"labels_from": labels_from(run)})
    inputs = [*map(run.date, held.days), labels]
    folder.record(_STAGE, made, inputs, [folder.path / product.name for product in products])
    return folder


def _folder(run: Run, year: int) -> Run:
    """The run folder of a year."""
    return Run(run.year(year))


def _labels(run: Run, year: int) -> Path:
    """The labels of a year, or those of the run where it has none."""
    own = run.labels_of_year(year)
    return own if own.exists() else run.require("labels")


def _require_method(method: str | None) -> None:
    if method is not None and method not in CHOICES:
        raise InputError(
            f"way of denoising {method!r} is unknown; choose among {', '.join(CHOICES)}"
        )


def _write_median(run: Run, stage: Run, held: Dates) -> None:
    """The median of some dates as a scene."""
    grid = rasters.grid_of(run.scene)
    windows = list(grid.windows(rasters.window_px(2 * len(held.names))))
    style = scene_style(held.bands)
    with RasterWriter(stage.scene, grid, np.float32, held.bands, np.nan, style=style) as out:
        for window in track(windows, f"composing the dates of {held.days[0][:4]}"):
            series = as_sequence(rasters.read(run.sequence, window, list(held.names)), held)
            valid = valid_dates(series)
            out.write(compose(Composite("median"), series, valid, held.days)[0], window)


def _with_labels(samples: pd.DataFrame, labels: Path) -> pd.DataFrame:
    """Samples with the labels that a raster has there."""
    row, col = (samples[axis].to_numpy(np.int64) for axis in ("row", "col"))
    found = np.zeros(len(row), np.uint16)
    for window in rasters.grid_of(labels).windows(rasters.WINDOW_PX):
        inside = window.contains(row, col)
        if inside.any():
            codes = rasters.read_classes(labels, window)
            found[inside] = codes[row[inside] - window.row, col[inside] - window.col]
    return samples.assign(label=found)


def _with_bands(samples: pd.DataFrame, scene: Path) -> pd.DataFrame:
    """Samples with the bands of a scene in the place of others; those without data are out."""
    names = rasters.band_names(scene)
    row, col = (samples[axis].to_numpy(np.int64) for axis in ("row", "col"))
    values = values_at(scene, names, row, col, "reading the samples of a year")
    kept = samples[[name for name in _KEPT if name in samples]]
    table = kept.assign(**dict(zip(names, values.T, strict=True)))
    return table[np.isfinite(values).all(axis=1)].reset_index(drop=True)


def _together(run: Run, parts: Sequence[Rows], method: str) -> Rows:
    """Rows of several years as those of one table."""
    import pandas as pd

    starts = np.cumsum([0, *(len(part.samples) for part in parts[:-1])])
    column = TARGET if any(part.column == TARGET for part in parts) else parts[0].column
    samples = [
        part.samples.assign(**{column: part.samples[part.column].to_numpy()}) for part in parts
    ]

    def all_of(name: str) -> np.ndarray:
        return np.concatenate(
            [getattr(part, name) + start for part, start in zip(parts, starts, strict=True)]
        )

    codes = sorted({code for part in parts for code in part.legend.codes})
    return Rows(
        pd.concat(samples, ignore_index=True),
        column,
        read_nomenclature(run).holding(codes).legend.subset(codes),
        all_of("train"),
        all_of("validation"),
        all_of("scored"),
        all_of("random_split_extra"),
        method,
    )
