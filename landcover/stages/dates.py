"""The dates of a run, as models of sequences learn and map them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from landcover.classifiers.kind import Kind
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.models import Model
from landcover.classifiers.protocol import Inputs
from landcover.classifiers.sequences import SEGMENT
from landcover.errors import InputError, MissingProduct, typed
from landcover.files import rasters
from landcover.files.atomic import short_digest
from landcover.progress import say
from landcover.run import Run
from landcover.samples.dated_rows import of_own_year, values_at, with_dates
from landcover.samples.labelled_tiles import TILE_PX
from landcover.samples.rows import Rows
from landcover.scene.sequence import Dates
from landcover.stages.segment_dates import read_means, segment_dates

#: What reads means of segments, on any machine that has the run.
Means: TypeAlias = Callable[[], np.ndarray]
#: Letters of the word that tells a map of other dates.
_LONGEST_WORD = 30


def dates_of(run: Run) -> Dates:
    """The dates of a run, and the bands that each of them has.

    Raises
    ------
    MissingProduct
        If the run has a single date.
    InputError
        If dates.vrt or a date is not as prep made it: of other bands, or on another grid. It would
        be read all the same, at the wrong place.
    """
    path = run.require("sequence")
    try:
        dates = Dates.of_names(rasters.band_names(path))
    except InputError as error:
        raise InputError(f"{path}: {error}; prepare the run again") from error
    grid = rasters.grid_of(run.require("scene"))
    for file, bands in [(path, dates.names), *((run.date(day), dates.bands) for day in dates.days)]:
        found = tuple(rasters.band_names(file))
        if found != bands:
            raise InputError(
                f"{file} has the bands {' '.join(found)}, and {path} was made of "
                f"{' '.join(bands)}; prepare the run again"
            )
        difference = grid.difference(rasters.grid_of(file))
        if difference:
            raise InputError(
                f"{file} is not on the grid of {run.scene}: {difference}; prepare the run again"
            )
    return dates


def dated_inputs(
    run: Run, kind: Kind, chosen: dict[str, Any], features: Sequence[str] | None
) -> Inputs:
    """What a model of the dates of a run reads: all bands of all dates, or those that are named."""
    held = dates_of(run)
    named = LearntDates(held.days).chosen(held, chosen["dates"] or None, kind.name, str(run.path))
    learnt = kind.learns_dates(chosen, named.days) if kind.learns_dates else None
    if learnt is not None and learnt.together is None:  # the others say it themselves
        learnt.chosen(held, chosen["dates"] or None, kind.name, str(run.path))
    bands = held.bands
    if features is not None and list(features) != ["bands"]:
        unknown = [name for name in features if name not in bands]
        if unknown:
            raise InputError(
                f"features {' '.join(unknown)}: models of kind {kind.name} see the bands of dates "
                f"alone, which are {' '.join(bands)}; name some of these"
            )
        bands = tuple(band for band in bands if band in features)
    return Inputs(bands, patch_size=TILE_PX if kind.learns_tiles else 1, dates=learnt)


def _means_at(run: Run, rows: Rows, held: Dates) -> np.ndarray:
    """Means of the segments that samples lie in, (samples, dates x bands)."""
    if SEGMENT not in rows.samples:
        raise MissingProduct(
            f"{run.samples} does not say which segments samples lie in; make them with: "
            f"landcover segment {typed(run.path)} && landcover sample {typed(run.path)}"
        )
    every = dates_of(run)
    means = read_means(segment_dates(run, every), every, held)
    return means[rows.samples[SEGMENT].to_numpy(np.int64)].reshape(len(rows.samples), -1)


def dated_rows(run: Run, rows: Rows, kind: Kind, inputs: Inputs) -> Rows:
    """Rows with the bands of every date that a model learns; those without a valid one are out."""
    if inputs.dates is None:
        return rows
    held = Dates(inputs.dates.days, inputs.bands)
    row, col = (rows.samples[axis].to_numpy().astype(np.int64) for axis in ("row", "col"))
    if kind.segments:
        values = _means_at(run, rows, held)
    else:
        values = values_at(run.require("sequence"), held.names, row, col, "reading the dates")
    own, values = of_own_year(rows, held.days, values)
    dated = with_dates(own, held.names, values)
    lost = len(rows.train) + len(rows.scored) - len(dated.train) - len(dated.scored)
    if lost:
        say(f"{lost:,} training and test samples have no valid date and are left out")
    return dated


def dates_to_map(run: Run, model: Model, asked: Sequence[str] | None) -> Dates | None:
    """The dates of a run that a model maps; None for a model of one image.

    Raises
    ------
    InputError
        If dates are asked for of a model of one image, are not there, or are too few.
    """
    learnt = model.inputs.dates
    if learnt is None:
        if asked:
            raise InputError(
                f"dates {' '.join(asked)}: model {model.name} sees one image; leave them out, or "
                "map with a model of sequences"
            )
        return None
    held = learnt.chosen(dates_of(run), asked, model.name, str(run.path))
    years = sorted({day[:4] for day in held.days})
    if asked is None and learnt.by_year and len(years) > 1:
        raise InputError(
            f"model {model.name} learnt each year by its own labels, and {run.path} has dates of "
            f"{' '.join(years)}; choose a year with dates=YEAR among these"
        )
    return held


def note_on_folding(held: Dates | None, model: Model) -> str | None:
    """A sentence where dates of several years are read together: by their days of the year."""
    years = sorted({day[:4] for day in held.days}) if held is not None else []
    if len(years) < 2:
        return None
    return (
        f"note: model {model.name} reads dates by their days of the year, so those of "
        f"{' '.join(years)} count as of one year; map one year with dates={years[-1]}"
    )


def raster_of(run: Run, held: Dates | None) -> Path:
    """The raster that is mapped: the sequence of the run, or its scene."""
    return run.scene if held is None else run.sequence


def date_files(run: Run, held: Dates) -> list[Path]:
    """The rasters of some dates."""
    return [run.date(day) for day in held.days]


def map_name(run: Run, model: Model, held: Dates | None) -> str:
    """The name of a model's map of some dates: the model's own, with a word for other dates.

    The word is the year of dates that are all of their year, the days where they are few, and else
    their number with a short name of them.
    """
    if held is None or held == _default(run, model):
        return model.name
    days = dates_of(run).days
    years = sorted({day[:4] for day in held.days})
    word = ".".join(day.replace("-", "") for day in held.days)
    if list(held.days) == [day for day in days if day[:4] in years]:
        word = ".".join(years)
    if len(word) > _LONGEST_WORD:
        word = f"{len(held.days)}dates.{short_digest(word.encode())[:8]}"
    return f"{model.name}{'.' if '@' in model.name else '@'}{word}"


def must_be_told(run: Run, model: Model) -> bool:
    """Whether a model reads one of several dates, and has to be told which one it maps."""
    return model.inputs.dates is not None and _default(run, model) is None


def _default(run: Run, model: Model) -> Dates | None:
    """The dates that a model maps unless told; None where it must be told."""
    try:
        return dates_to_map(run, model, None)
    except InputError:
        return None


def segments_of(run: Run, model: Model) -> Path | None:
    """The raster of segments, or of their types, that a model reads beside the scene."""
    if model.kind.segments:
        return run.require("segments")
    return run.require("segment_types") if model.inputs.segment_layers else None


def means_of(run: Run, model: Model, held: Dates | None) -> Means | None:
    """What reads the means of segments that a model maps; None for a model of pixels."""
    if not model.kind.segments or held is None:
        return None
    every = dates_of(run)
    path = segment_dates(run, every).absolute()
    return partial(read_means, path, every, Dates(held.days, model.bands))
