"""A map made of a map: smoothed, by segment, by polygon or sieved; and its scores."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from landcover.classifiers import names
from landcover.classifiers.models import Model
from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.files.class_rasters import write_classes
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend
from landcover.maps.postprocessing import Choices, Source, steps_of
from landcover.reports.records import Foreign
from landcover.run import Run
from landcover.stages.models import (
    days_of_map,
    how_to_map,
    map_of,
    model_of_run,
    probabilities_of,
    settings_of_map,
)
from landcover.stages.scoring import (
    Cards,
    blocks_to_score,
    foreign_to,
    is_scored,
    map_digest,
    require_scorable,
    score_map,
    tally_maps,
)


def postprocess(
    run: Run,
    model: str,
    *,
    smooth: bool = False,
    segments: bool = False,
    polygons: Path | None = None,
    mmu_ha: float | None = None,
    by_probability: bool = False,
    maker: Model | None = None,
) -> list[Path]:
    """Make a new map of a model's map, by the steps asked for, in the order of the parameters.

    The map is held in memory as a whole, 2 bytes a pixel; all else is read by windows. Pixels
    without a class stay so.

    Parameters
    ----------
    run : Run
        Run folder with the map.
    model : str
        Name of the model, or of a map that was made here before.
    smooth : bool
        Weigh every pixel's probabilities against its neighbours' (`smoothing.smooth`).
    segments : bool
        Give every segment of segments.tif its commonest class; of equals the lowest code.
    polygons : path, optional
        Give every polygon of this vector file its commonest class. A pixel belongs to the
        polygon that holds its centre, where polygons overlap to the last in the file; pixels
        outside all polygons stay as they are.
    mmu_ha : float, optional
        Merge regions smaller than this, in hectares, into their largest neighbour
        (`postprocess.sieve`, pixels connected by their sides).
    by_probability : bool
        Segments and polygons take the class of the highest summed probability instead, by the
        model's own probabilities, whatever steps came before.
    maker : Model, optional
        The model, where it is another run's.

    Returns
    -------
    list of Path
        The map ``MODEL+STEP+...``, its QGIS style and STAC item, and where the run has labels
        the report, whose ``change`` holds the paired difference to the map that it came from.

    Raises
    ------
    LandcoverError
        If no step is chosen, the map or a file that a step needs is missing or of another
        grid, or a setting is out of range. Nothing is written then.
    """
    from landcover.stages.map_item import write_map_item

    maker = maker or _maker(run, names.model_of(model))
    legend = maker.legend
    source = Source(run.scene, legend, _grid_of_map(run, model))
    if by_probability and not (segments or polygons):
        raise InputError(
            "by_probability=True says how regions choose; give it with segments=True or polygons="
        )
    chosen = Choices(
        smooth,
        segments=run.require("segments") if segments else None,
        polygons=polygons,
        mmu_ha=mmu_ha,
        probabilities=_probabilities(run, model, legend) if smooth or by_probability else None,
        by_probability=by_probability,
    )
    steps = list(steps_of(source, chosen))
    if not steps:
        raise InputError(
            "no step was chosen; give at least one of smooth=, segments=, polygons=, mmu_ha="
        )
    foreign, cards = foreign_to(run, maker), {maker.name: maker.card}
    scored = is_scored(run, foreign is not None)
    if scored:
        require_scorable(run, model, legend, cards, foreign is not None)
    started = time.perf_counter()
    codes = _read(run, model, source)
    for step in steps:
        codes = step.apply(codes)
    name = "+".join([model, *(step.suffix for step in steps)])
    paths = write_classes(run.map(name), codes, source.grid, legend)
    seconds = time.perf_counter() - started
    paths.append(write_map_item(run, name, maker))
    inputs = [run.map(model), *(path for step in steps for path in step.inputs)]
    settings = {"of": model, "mmu_ha": mmu_ha, "polygons": polygons and str(polygons)}
    run.record(f"postprocess {name}", settings, inputs, paths)
    if scored:
        paths.append(_score(run, model, name, seconds, cards, foreign))
    return paths


def _maker(run: Run, name: str) -> Model:
    """The run's own model of a map, which of some dates has another name than its model."""
    made_by = settings_of_map(run, name).get("model", name)
    return model_of_run(run, made_by if days_of_map(run, name) else name)


def _grid_of_map(run: Run, model: str) -> Grid:
    """The grid of the map, which must be there and that of the scene."""
    path = map_of(run, model)
    grid = rasters.grid_of(run.require("scene"))
    grid.require_equal(rasters.grid_of(path), str(run.scene), str(path))
    return grid


def _probabilities(run: Run, model: str, legend: Legend) -> Path:
    """The probabilities that belong to the map."""
    if model != names.model_of(model):
        raise InputError(
            f"{model} has no probabilities of its own; smooth= and by_probability= work on a "
            f"model's own map: model={names.model_of(model)}"
        )
    return probabilities_of(run, model, legend)


def _read(run: Run, model: str, source: Source) -> np.ndarray:
    """The map as a whole."""
    codes = np.empty(source.grid.shape, np.uint16)
    for window in source.grid.windows(rasters.WINDOW_PX):
        codes[window.slices] = rasters.read_classes(run.map(model), window)
    foreign = set(np.unique(codes).tolist()) - {UNLABELLED, *source.legend.codes}
    if foreign:
        raise LandcoverError(
            f"{run.map(model)} holds class {min(foreign)}, which its model does not "
            f"know; {how_to_map(run, model)}"
        )
    return codes


def _score(
    run: Run, model: str, name: str, seconds: float, cards: Cards, foreign: Foreign | None
) -> Path:
    """Score the new map as any other, and beside the one that it came from."""
    from landcover.reports import accuracy

    blocks = blocks_to_score(run, foreign is not None)
    confusions = tally_maps(run, [model, name], blocks).confusions
    change = {
        against: accuracy.paired_difference(by_map[name], by_map[model])
        for against, by_map in confusions.items()
    }
    made = {"of": model, "map": map_digest(run, model)}
    facts = {"postprocessing": made, "change": change}
    score_map(run, name, {"postprocess": seconds}, facts, cards, foreign)
    return run.report(name)
