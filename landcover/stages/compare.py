"""Every map of a run set beside the others, on the same pixels of the test blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landcover.errors import MissingProduct, typed
from landcover.files import rasters
from landcover.files.atomic import Fields, read_json
from landcover.labels.denoising import DEFAULT
from landcover.labels.detail import least_region_ha
from landcover.labels.origin import RASTER
from landcover.legend import Legend
from landcover.maps.outside import outside_share
from landcover.reports import (
    accuracy,
    choice,
    comparison,
    left_out,
    refinement,
    words,
    zones,
)
from landcover.reports.choice import Criteria
from landcover.reports.refinement import Refinement
from landcover.run import Run
from landcover.stages import store
from landcover.stages.compare_dates import dates_of_maps
from landcover.stages.denoise import is_made
from landcover.stages.inputs import read_blocks, read_rows
from landcover.stages.models import folder_of_model, how_to_map
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scoring import (
    Cards,
    blocks_to_score,
    known_cards,
    own_cards,
    require_same_maps,
    require_same_splits,
    scored_on,
    tally_maps,
)
from landcover.stages.truths import (
    held_truths,
    is_of_samples,
    labels_from,
    open_truths,
    years_of_labels,
)


def compare(run: Run) -> list[Path]:
    """Set every map of a run beside the others, on the same pixels.

    Those are the test blocks; or the whole scene, where no model that made a map has seen it. In a
    run that has classes for its samples alone, they are the samples there.

    Parameters
    ----------
    run : Run
        Run folder with labels or a reference, splits, maps and their reports.

    Returns
    -------
    list of Path
        comparison.json, comparison.md and comparison.html.

    Raises
    ------
    MissingProduct
        If there is no map, nothing to compare maps by, or a map has no report; the message names
        the commands.
    """
    from landcover.reports import comparison_page

    run.require_folder()
    run.require_one_scene()
    names = store.mapped_models(run.path / "maps")
    _require_truth(run, names)  # maps have no reports before there is something to score them by
    read_blocks(run)
    model_reports = {name: store.read_report(run.report(name), again(run, name)) for name in names}
    require_same_maps(run, model_reports)
    known = known_cards(run, names)
    cards = own_cards(run, known)
    require_same_splits(run, names, known)
    foreign = all("foreign" in report for report in model_reports.values())
    blocks = blocks_to_score(run, foreign)
    tally = tally_maps(run, names, blocks)
    maps = {name: run.map(name) for name in names}
    labels, held = labels_from(run), run.labels.exists()
    facts = comparison.facts(
        tally,
        comparison.About(
            run=run.path.resolve().name,
            reports=model_reports,
            blocks=blocks,
            histories=_histories(run, names),
            criteria=criteria(run, names),
            made=_made(run),
            pixel_m=round(float(np.mean(rasters.grid_of(run.scene).pixel_size_m)), 4),
            refinement=_refinement(run, cards),
            left_out=[
                *left_out.of_stages(run.read_manifest()["stages"]),
                *left_out.of_cells(store.map_names(run.path / "maps")),
            ],
            least_ha=least_region_ha(run.labels) if labels == RASTER and held else None,
            labels_from=labels,
            outside=_outside(run, names),
            dates=dates_of_maps(run, names),
            scored_on=scored_on(run, foreign),
        ),
    )
    doubt = _doubt(run, tally.legend) if facts["refinement"] else None
    with open_truths(run) as truths:
        html = comparison_page.html(facts, truths | maps, run.scene, blocks, tally, doubt)
    markdown = words.render(
        "comparison.md",
        c=facts,
        metrics=accuracy.METRICS,
        zones=zones.ZONES,
        levels=comparison.distinct_levels(facts),
        labels=tally.nomenclature.title,
        confidence_note=comparison.confidence_note(facts),
        class_interval_note=comparison.CLASS_INTERVAL_NOTE,
    )
    products = store.write_comparison(run.path, facts, markdown, html)
    inputs = [path for name in names for path in (run.map(name), run.report(name))]
    run.record("compare", {"models": names, "seed": facts["seed"]}, inputs, products)
    return products


def _require_truth(run: Run, names: Sequence[str]) -> None:
    """Raise MissingProduct if a run has neither labels nor a reference.

    They are not brought to a run that has maps without removing these, so that another is named.
    """
    if held_truths(run) or is_of_samples(run):
        return
    other = Run(run.path.parent / f"{run.path.resolve().name}-labelled")
    folders = filter(None, [folder_of_model(run, name) for name in names])
    mapped = [f"landcover map {typed(other.path)} --model {typed(folder)}" for folder in folders]
    steps = [other.made_by("labels"), *mapped, f"landcover compare {typed(other.path)}"]
    raise MissingProduct(
        f"{run.path} has neither labels nor a reference to compare its maps by; make a run with "
        f"labels beside it: {' && '.join(steps)}"
    )


def again(run: Run, name: str) -> str:
    """How the report of a map can be made."""
    return f"{how_to_map(run, name)}, or remove {run.map(name)}"


def _histories(run: Run, names: Sequence[str]) -> dict[str, Fields]:
    """Learning curves of the models that have some."""
    paths = {name: run.model(name) / "history.json" for name in names}
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def criteria(run: Run, names: Sequence[str]) -> Criteria | None:
    """By what maps are chosen without a reference; None where the run has no refined labels.

    Those of another scene, other labels or another split count as none.
    """
    held = run.samples.exists() and run.labels.exists()
    if years_of_labels(run, names):  # refined labels are those of the run, of another year perhaps
        return None
    if not held or not is_made(run, read_rows(run, "labels")):
        return None
    maps = {name: run.map(name) for name in names}
    border_m = read_nomenclature(run).border_m
    return choice.criteria(maps, run.refined_labels, run.labels, read_blocks(run), border_m)


def _refinement(run: Run, cards: Cards) -> Refinement | None:
    """What was done with the labels before models learnt them; None where none learnt that."""
    if not any(card.get("denoise") == DEFAULT for card in cards.values()):
        return None
    found: Refinement | None = run.read_manifest()["stages"].get("denoise", {}).get("refinement")
    return found


def _doubt(run: Run, legend: Legend) -> dict[str, np.ndarray] | None:
    """Pictures of labels, refined labels and doubt; None where a raster has been removed."""
    layers = run.labels, run.refined_labels, run.label_confidence
    if not all(path.exists() for path in layers):
        return None
    return refinement.panels(*layers, legend)


def _outside(run: Run, names: Sequence[str]) -> dict[str, float]:
    """Share of each map outside its model's area of applicability, where that was mapped."""
    shares = {name: outside_share(run.applicability(name)) for name in names}
    return {name: share for name, share in shares.items() if share is not None}


def _made(run: Run) -> dict[str, object]:
    """Settings of every stage, from the manifest."""
    stages = run.read_manifest()["stages"]
    return {
        stage: {key: entry[key] for key in ("settings", "seconds") if key in entry}
        for stage, entry in stages.items()
        if stage != "compare"
    }
