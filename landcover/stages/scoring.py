"""Maps and models of a run scored, and their reports written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.cards import CARD, holds_model
from landcover.classifiers.names import model_of
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.atomic import Fields, read_json, short_file_digest, write_json
from landcover.labels.origin import POLYGONS
from landcover.reports import scores, tally
from landcover.reports.records import Foreign
from landcover.reports.scores import (
    ALL_POLYGONS,
    ALL_SAMPLES,
    IN_POLYGONS,
    SAMPLES,
    WALL_TO_WALL,
    WHOLE_SCENE,
    split_in_words,
)
from landcover.reports.tally import Tally
from landcover.run import Run
from landcover.samples.blocks import TEST, Blocks, layout
from landcover.samples.correlation import Thinned
from landcover.stages import store
from landcover.stages.inputs import read_blocks
from landcover.stages.models import folder_of_model, is_guest, map_of, run_of
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scenes import overlaps, split_seen
from landcover.stages.truths import (
    held_truths,
    is_of_samples,
    labels_from,
    open_truths,
    truths_of,
    years_of_labels,
)

if TYPE_CHECKING:
    from landcover.classifiers.models import Model
    from landcover.legend import Legend

#: Cards of models by their names.
Cards = Mapping[str, Fields]


class NothingToScore(LandcoverError):
    """No labelled pixel that a map could be scored on has data."""


def write_report(run: Run, report: Mapping[str, object]) -> Path:
    """Write reports/NAME.json of the model that the report names."""
    path = run.report(str(report["model"]))
    write_json(path, dict(report))
    return path


def score_map(
    run: Run,
    name: str,
    seconds: Mapping[str, float],
    computed: Mapping[str, object] | None = None,
    cards: Cards | None = None,
    foreign: Foreign | None = None,
) -> dict[str, object]:
    """Score a map on every labelled pixel of the test blocks and write reports/NAME.json.

    The map of a model that has not seen the scene is scored on the whole of it. In a run that has
    classes for its samples alone, these are the labelled pixels. The scores of the random split,
    the calibration, the training time and the seed are kept from the report that training wrote.

    Parameters
    ----------
    run : Run
        Run folder with labels, splits and the model's map.
    name : str
        Model, or a postprocessed map.
    seconds : mapping
        ``predict``, the time that the map took.
    computed : mapping, optional
        How it was computed, for the report: ``engine`` and ``measured`` of a patch network.
    cards : mapping, optional
        The model's card by its name; that of the run's own model by default.
    foreign : Foreign, optional
        What is known of a model that has not seen the scene.

    Returns
    -------
    dict
        The report.

    Raises
    ------
    NothingToScore
        If no labelled pixel of these has data.
    """
    model = model_of(name)
    if not is_of_samples(run):
        truths_of(run)  # what there is nothing to score by needs no split either
    earlier = _earlier_report(run, model)
    # the random split and the calibration are the model's, not those of what became of its map
    cards = cards_of(run, [name]) if cards is None else cards
    blocks = blocks_to_score(run, foreign is not None)
    _require_same_split(run, [name], cards, foreign is not None)
    on = scored_on(run, foreign is not None)
    tally = tally_maps(run, [name], blocks)
    if not all(by_model[name].any() for by_model in tally.confusions.values()):
        raise NothingToScore(
            f"the map of {name} is not scored: no labelled pixel of {run.scene} has data"
            f"{'' if foreign else ' in the test blocks'}; give labels of land that the scene shows"
        )
    found = scores.score_map(tally, name, earlier, of_model=name == model, scored_on=on)
    took = earlier.get("seconds", {}) | dict(seconds)
    seed = earlier.get("seed", 0)
    card, title = cards.get(model, {}), read_nomenclature(run).title
    split = split_in_words(blocks)
    if foreign:
        split = f"none, for the model has not seen the scene; intervals by {split}"
    report = scores.report_of(name, found, took, seed, split, card, title)
    year = years_of_labels(run, [name]).get(name)
    if year is not None:
        report["labels_of_years"] = [year]
    if foreign:
        report["foreign"] = foreign
    calibration = scores.calibration_of(earlier, report["against"])
    if name == model and calibration:
        report["calibration"] = calibration
    whole = {**report, **(computed or {})}
    write_report(run, whole)
    return whole


def tally_maps(run: Run, names: Sequence[str], blocks: Blocks) -> Tally:
    """What maps of a run hold, and what is right of it in the test blocks.

    Parameters
    ----------
    run : Run
        Run folder with the maps.
    names : sequence of str
        Of the maps.
    blocks : Blocks
        Whose test blocks count, from `blocks_to_score`.

    Raises
    ------
    LandcoverError
        If a map is missing or on another grid, or there are neither labels nor a reference.
    """
    with open_truths(run) as layers:
        layers |= {name: map_of(run, name) for name in names}
        zoned = labels_from(run) != POLYGONS  # borders and cells are those of a map
        classes = read_nomenclature(run)
        scene, years = run.require("scene"), years_of_labels(run, names)
        own = {name: run.labels_of_year(year) for name, year in years.items()}
        return tally.tally_maps(layers, scene, blocks, classes, zoned, own)


def scored_on(run: Run, foreign: bool, against: str | None = None) -> str:
    """Which pixels of a run maps are scored on, in words; of foreign models, or of its own.

    Scores are against "reference" or "labels", by default against what leads.
    """
    against = against or next(iter(held_truths(run)), "labels")
    if against not in held_truths(run):
        return ALL_SAMPLES if foreign else SAMPLES
    if against == "labels" and labels_from(run) == POLYGONS:
        return ALL_POLYGONS if foreign else IN_POLYGONS
    return WHOLE_SCENE if foreign else WALL_TO_WALL


def blocks_to_score(run: Run, foreign: bool) -> Blocks:
    """The blocks of a run's scene: as they were dealt, or all of them to test a foreign model by.

    A scene that was never sampled has no split. It gets the blocks that it would have by the
    range of its labels, which is all that intervals need.
    """
    if run.splits.exists() or not foreign:
        blocks = read_blocks(run)
        return blocks.all_tested() if foreign else blocks
    scene = rasters.grid_of(run.require("scene"))
    truth = next(iter(truths_of(run).values()))
    thinned = Thinned(*scene.shape)
    for window in scene.windows(rasters.WINDOW_PX):
        thinned.add(rasters.read_classes(truth, window), window)
    found = thinned.correlation()
    cell_px = scene.pixels(read_nomenclature(run).cell_m)
    range_px = round(found.range_px, 1) if found else None
    plan = layout(*scene.shape, range_px=range_px or 0.0, cell_px=cell_px)
    splits = np.full(plan.shape, TEST, np.uint8)
    return Blocks(*scene.shape, plan.block_px, plan.guard_px, splits, range_px)


def require_scorable(
    run: Run, name: str, legend: Legend, cards: Cards, foreign: bool = False
) -> None:
    """Raise LandcoverError unless the map of a model, yet to be made, could be scored.

    Parameters
    ----------
    run : Run
        Run folder.
    name : str
        Model, or a map that was made of its map.
    legend : Legend
        Its classes, which must be of the scheme and level of the run's labels.
    cards : mapping
        The model's card by its name.
    foreign : bool
        Whether the model has not seen the scene, so that any split is fair.
    """
    tally.require_same_grid(held_truths(run), run.require("scene"))
    read_nomenclature(run).require_like(legend, f"model {name}", str(run.path))
    _require_same_split(run, [name], cards, foreign)


def is_foreign(run: Run, model: Model) -> bool:
    """Whether a model has not seen a run's scene.

    A model of several scenes is at home in each of them. One of an older version, whose card
    names no scene, is at home in its own run alone.
    """
    return is_guest(run, model) and split_seen(model.card, run, own=False) is None


def foreign_to(run: Run, model: Model) -> Foreign | None:
    """What is known of a model that has not seen a run's scene; None of one that has."""
    if not is_foreign(run, model):
        return None
    learnt = [held["run"] for held in model.card.get("scenes", ()) if "run" in held]
    return {
        "home": str(run_of(model).path),
        "scenes": learnt,
        "overlaps": overlaps(model.card, run),
    }


def is_scored(run: Run, foreign: bool) -> bool:
    """Whether there is something to score a map by, of a model that is foreign to it or not."""
    if is_of_samples(run):
        return run.splits.exists()
    return bool(held_truths(run)) and (foreign or run.splits.exists())


def require_same_splits(run: Run, names: Sequence[str], cards: Cards) -> None:
    """Raise LandcoverError if a model learnt from the scene by another split than its present one.

    The present test blocks may hold pixels that such a model was trained on.
    """
    digest = read_blocks(run).digest()
    for name in names:
        model = model_of(name)
        own = holds_model(run.model(model))
        if split_seen(cards.get(model, {}), run, own) not in (None, digest):
            raise LandcoverError(
                f"model {model} was trained on another split than {run.splits} holds, "
                "so its test pixels are not unseen; train it again, or remove its folders and maps"
            )


def require_same_maps(run: Run, reports: Mapping[str, Fields]) -> None:
    """Raise LandcoverError if a map came from one that has been made again since."""
    for name, report in reports.items():
        made = report.get("postprocessing")
        sources = {made["of"]: made["map"]} if made else report.get("ensemble", {}).get("of", {})
        for source, digest in sources.items():
            if run.map(source).exists() and map_digest(run, source) != digest:
                command = "postprocess" if made else "ensemble"
                raise LandcoverError(
                    f"{run.map(name)} was made of another map {source} than {run.path} holds now; "
                    f"run landcover {command} again, or remove it"
                )


def map_digest(run: Run, name: str) -> str:
    """A short name of a map, by which maps that are made of it remember it."""
    return short_file_digest(run.map(name))


def _require_same_split(run: Run, names: Sequence[str], cards: Cards, foreign: bool) -> None:
    if not foreign:
        require_same_splits(run, names, cards)


def known_cards(run: Run, names: Sequence[str]) -> Cards:
    """Cards of the models that maps come from, by name, of this run or others, that are there."""
    folders = {model: folder_of_model(run, model) for model in map(model_of, names)}
    return {model: read_json(path / CARD) for model, path in folders.items() if path is not None}


def own_cards(run: Run, cards: Cards) -> Cards:
    """Those cards that are of models that the run holds."""
    return {model: card for model, card in cards.items() if holds_model(run.model(model))}


def cards_of(run: Run, names: Sequence[str]) -> Cards:
    """Cards of the models that maps come from, by name, of those that the run holds."""
    folders = {model: run.model(model) for model in map(model_of, names)}
    return {model: read_json(path / CARD) for model, path in folders.items() if holds_model(path)}


def _earlier_report(run: Run, name: str) -> Fields:
    """The report that training wrote; a lost or broken one is about to be replaced anyway."""
    try:
        return store.read_report(run.report(name))
    except LandcoverError:
        return {}
