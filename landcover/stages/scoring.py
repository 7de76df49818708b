"""Maps and models of a run scored, and their reports written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.cards import CARD, holds_model
from landcover.classifiers.names import model_of
from landcover.errors import LandcoverError
from landcover.files.atomic import Fields, read_json, write_json
from landcover.reports import scores, tally
from landcover.reports.records import Report
from landcover.reports.tally import TRUTHS, Tally
from landcover.run import Run
from landcover.stages import store
from landcover.stages.inputs import read_blocks
from landcover.stages.models import map_of
from landcover.stages.run_legend import read_nomenclature

if TYPE_CHECKING:
    import pandas as pd

    from landcover.legend import Legend

#: Cards of models by their names.
Cards = Mapping[str, Fields]


def write_report(run: Run, report: Mapping[str, object]) -> Path:
    """Write reports/NAME.json of the model that the report names."""
    path = run.report(str(report["model"]))
    write_json(path, dict(report))
    return path


def score_samples(
    run: Run,
    name: str,
    samples: pd.DataFrame,
    predicted: np.ndarray,
    seconds: Mapping[str, float],
    seed: int = 0,
    of_random_split: np.ndarray | None = None,
    cards: Cards | None = None,
) -> Report:
    """Score a model on the test samples of a run and write reports/NAME.json.

    Parameters
    ----------
    run : Run
        Run folder; its splits.json and the model's card are described in the report.
    name : str
        Model.
    seconds : mapping
        ``train`` and ``predict``, as far as they were measured.
    samples, predicted, seed, of_random_split
        See `reports.scores.score_samples`.
    cards : mapping, optional
        The model's card by its name; read by default.

    Returns
    -------
    dict
        The report.
    """
    nomenclature = read_nomenclature(run)
    found = scores.score_samples(samples, predicted, nomenclature, seed, of_random_split)
    card = (cards_of(run, [name]) if cards is None else cards).get(name, {})
    title = nomenclature.title
    report = scores.report_of(name, found, seconds, seed, read_blocks(run), card, title)
    write_report(run, report)
    return report


def score_map(
    run: Run,
    name: str,
    seconds: Mapping[str, float],
    computed: Mapping[str, object] | None = None,
    cards: Cards | None = None,
) -> dict[str, object]:
    """Score a map on every labelled pixel of the test blocks and write reports/NAME.json.

    The scores of the random split, the calibration, the training time and the seed are kept
    from the report that training wrote.

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
        See `tally_maps`.

    Returns
    -------
    dict
        The report.
    """
    model = model_of(name)
    earlier = _earlier_report(run, model)
    # the random split and the calibration are the model's, not those of what became of its map
    cards = cards_of(run, [name]) if cards is None else cards
    found = scores.score_map(tally_maps(run, [name], cards), name, earlier, of_model=name == model)
    took = earlier.get("seconds", {}) | dict(seconds)
    seed = earlier.get("seed", 0)
    card, title = cards.get(model, {}), read_nomenclature(run).title
    report = scores.report_of(name, found, took, seed, read_blocks(run), card, title)
    calibration = scores.calibration_of(earlier, report["against"])
    if name == model and calibration:
        report["calibration"] = calibration
    whole = {**report, **(computed or {})}
    write_report(run, whole)
    return whole


def tally_maps(run: Run, names: Sequence[str], cards: Cards | None = None) -> Tally:
    """What maps of a run hold, and what is right of it in the test blocks.

    Parameters
    ----------
    run : Run
        Run folder with the maps.
    names : sequence of str
        Of the maps.
    cards : mapping, optional
        Cards of the run's own models among those that made them, by name; read by default.

    Raises
    ------
    LandcoverError
        If a map is missing or on another grid, there are neither labels nor a reference, or a
        model was trained on another split than the run's present one.
    """
    layers = truths_of(run)
    for name in names:
        layers[name] = map_of(run, name)
    _require_same_split(run, names, cards_of(run, names) if cards is None else cards)
    nomenclature = read_nomenclature(run)
    return tally.tally_maps(layers, run.require("scene"), read_blocks(run), nomenclature)


def require_scorable(run: Run, name: str, legend: Legend, cards: Cards) -> None:
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
        The model's card by its name; empty where it was trained in another run, so that any
        split is fair.
    """
    tally.require_same_grid(truths_of(run), run.require("scene"))
    read_nomenclature(run).require_like(legend, f"model {name}", str(run.path))
    _require_same_split(run, [name], cards)


def truths_of(run: Run) -> dict[str, Path]:
    """The class rasters that maps are judged by, the leading one first."""
    paths = {name: getattr(run, name) for name in TRUTHS}
    found = {name: path for name, path in paths.items() if path.exists()}
    if not found:
        run.require("labels")
    return found


def _require_same_split(run: Run, names: Sequence[str], cards: Cards) -> None:
    """Raise LandcoverError if a model of the run was trained on another split than its present one.

    The present test blocks may hold pixels that such a model was trained on.
    """
    digest = read_blocks(run).digest()
    for name in names:
        if cards.get(model_of(name), {}).get("split", {}).get("digest", digest) != digest:
            raise LandcoverError(
                f"model {model_of(name)} was trained on another split than {run.splits} holds, "
                "so its test pixels are not unseen; train it again, or remove its folders and maps"
            )


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
