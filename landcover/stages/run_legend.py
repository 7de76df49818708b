"""The classes of a run: legend.json, written by prep and read by everything after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import class_rasters, legends, rasters
from landcover.files.atomic import write_json
from landcover.labels.schemes import read_nomenclature_file
from landcover.legend import Legend, Nomenclature, corine
from landcover.run import Run


def write_nomenclature(path: Path, nomenclature: Nomenclature) -> Path:
    """Write legend.json."""
    write_json(path, nomenclature.as_dict())
    return path


def read_nomenclature(run: Run) -> Nomenclature:
    """The classes of a run, at the level of its labels.

    A run made before there was a legend.json holds classes of CORINE; the codes of its labels,
    or else of its reference, tell the level. So has a run without labels, at level 3, until a
    map of it says otherwise (`nomenclature_of_map`).

    Parameters
    ----------
    run : Run
        The run.

    Raises
    ------
    LandcoverError
        If the legend is broken, or the labels of such a run are no classes of CORINE.
    """
    if run.legend.exists():
        return read_nomenclature_file(run.legend)
    for path in (run.labels, run.reference):
        if path.exists():
            return _corine_of(path)
    return corine()


def nomenclature_of_map(run: Run, path: Path) -> Nomenclature:
    """The classes of a map in a run folder, at the map's level.

    They are the run's, as far as it has them; the map of a model from elsewhere has those that it
    holds itself.

    Parameters
    ----------
    run : Run
        The run.
    path : path
        A class raster in it.
    """
    legend = legends.legend_of(path) if path.exists() else None
    if legend is not None:
        return nomenclature_of(run, legend)
    own = read_nomenclature(run)
    return own.holding(class_rasters.class_pixels(path)) if path.exists() else own


def legend_of_map(run: Run, path: Path) -> Legend:
    """The classes of a class raster in a run folder: those that it holds, or else the run's.

    The style beside it has no say: it is the user's to change.
    """
    held = legends.legend_of(path)
    if held is not None:
        return held
    codes = class_rasters.class_pixels(path)
    return read_nomenclature(run).holding(codes).legend.subset(codes)


def nomenclature_of(run: Run, legend: Legend) -> Nomenclature:
    """The classes of a run that a legend belongs to, at its level; itself where they do not fit."""
    own = read_nomenclature(run)
    for level in own.levels_of(legend.codes):
        held = own.at(level)
        if all(held.legend[c.code].is_like(c) for c in legend.classes):
            return held
    return Nomenclature.of("legend", "another legend", [(c,) for c in legend.classes])


def _corine_of(path: Path) -> Nomenclature:
    """CORINE at the level of a class raster."""
    codes = np.unique(rasters.read_small(path, bands=[1]))
    try:
        return corine().holding(codes.tolist())
    except LandcoverError as error:
        raise LandcoverError(
            f"{path}: {error}; prepare the run again with landcover prep, which writes legend.json"
        ) from None
