"""The comparison: which map is best, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from landcover.classifiers.names import title_of
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.legend import UNLABELLED, level_of
from landcover.progress import track
from landcover.reports import accuracy, mcnemar, store, verdict, words, zones
from landcover.reports.scores import MEASURES, WALL_TO_WALL
from landcover.reports.tally import Tally, tally_maps
from landcover.reports.verdict import LEADING
from landcover.run import Run
from landcover.samples.blocks import TEST, read_blocks
from landcover.samples.rows import read_rows
from landcover.stages.denoise import is_made
from landcover.stages.postprocess import require_same_maps


def compare(run: Run) -> list[Path]:
    """Set every map of a run beside the others, on the same pixels of the test blocks.

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
    LandcoverError
        If there is no map, or a map has no report; the message names the command.
    """
    from landcover.reports import comparison_page

    names = store.mapped_models(run)
    model_reports = {name: store.read_report(run, name) for name in names}
    require_same_maps(run, model_reports)
    tally = tally_maps(run, names)
    comparison = facts(run, tally, model_reports)
    html = comparison_page.html(run, comparison, tally.legend)
    markdown = words.render(
        "comparison.md", c=comparison, metrics=accuracy.METRICS, zones=zones.ZONES
    )
    products = store.write_comparison(run, comparison, markdown, html)
    inputs = [path for name in names for path in (run.map(name), run.report(name))]
    run.record("compare", {"models": names, "seed": comparison["seed"]}, inputs, products)
    return products


def facts(run: Run, tally: Tally, model_reports: Mapping[str, dict]) -> dict[str, Any]:
    """Everything that comparison.json holds."""
    against = "reference" if "reference" in tally.confusions else "labels"
    seed = min(report["seed"] for report in model_reports.values())
    models = [_model(run, name, tally, report, seed) for name, report in model_reports.items()]
    chosen = criteria(run, list(model_reports))
    for model in models:
        model["criterion"] = chosen and chosen[model["name"]]
    if against == "labels" and chosen:
        models.sort(key=lambda model: -model["criterion"])
    else:
        models.sort(key=lambda model: -model["scores"][against][LEADING])
    ranked = [model["name"] for model in models]
    pairs = [_pair(tally, against, a, b, seed) for a, b in combinations(ranked, 2)]
    baseline = _labels_as_map(tally, ranked[0], seed)
    leading = models[0]["scores"][against]
    comparison = {
        "run": run.path.resolve().name,
        "against": against,
        "measure": MEASURES[against],
        "scored_on": WALL_TO_WALL,
        "split": model_reports[ranked[0]]["split"],
        "blocks": _blocks(run),
        "level": level_of(tally.codes),
        "n_test": leading["n_test"],
        "n_blocks": leading["n_blocks"],
        "seed": seed,
        "best": ranked[0],
        "chosen_without_reference": max(chosen, key=chosen.__getitem__) if chosen else None,
        "models": models,
        "pairs": pairs,
        "labels_against_reference": baseline,
        "classes": _classes(tally, ranked),
        "made": _made(run),
    }
    comparison |= {"headline": verdict.headline(comparison), "remarks": verdict.remarks(comparison)}
    return comparison


def _blocks(run: Run) -> dict[str, Any]:
    """Sizes of the blocks, and how far the labels that they were dealt by are alike."""
    blocks = read_blocks(run)
    return {
        "block_px": blocks.block_px,
        "guard_px": blocks.guard_px,
        "label_range_px": blocks.label_range_px,
    }


def _model(run: Run, name: str, tally: Tally, report: Mapping, seed: int) -> dict[str, Any]:
    """One model: scores of its map, those of a random split, and how it came about."""
    scores = {
        against: accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend)
        for against, by_model in tally.confusions.items()
    }
    leading = next(iter(tally.confusions))
    random_split = {k: v for k, v in report["scores"].items() if k.endswith("_random")}
    history = run.model(name) / "history.json"
    errors = tally.errors[name].correlation()
    return {
        "name": name,
        "title": title_of(name),
        "scores": scores | random_split,
        "levels": zones.score_levels(tally.confusions[leading][name], tally.codes, seed),
        "zones": _zones(tally.zones[leading][name], seed),
        "error_correlation": errors.as_dict() if errors else None,
        "calibration": report.get("calibration"),
        "leaks": {k.removesuffix("_random"): v["leak"] for k, v in random_split.items()},
        "seconds": report["seconds"],
        "seed": report["seed"],
        "versions": report["versions"],
        "card": report.get("card", {}),
        "history": read_json(history) if history.exists() else {},
    }


def _zones(counts: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Overall accuracy in each zone that the run has rasters for."""
    held = [zone for zone in zones.ZONES if zone in counts]
    return {zone: zones.score_zone(counts[zone], seed) for zone in held}


def _pair(tally: Tally, against: str, a: str, b: str, seed: int) -> dict[str, Any]:
    """Every metric's difference between two models, and McNemar's tests."""
    confusions = tally.confusions[against]
    differences = {
        metric: accuracy.paired_difference(confusions[a], confusions[b], metric, seed)
        for metric in accuracy.METRICS
    }
    return {"a": a, "b": b} | differences | {"mcnemar": mcnemar.paired_tests(*tally.only(a, b))}


def _labels_as_map(tally: Tally, best: str, seed: int) -> dict[str, Any] | None:
    """How right the labels themselves are, and the best map beside them."""
    by_model = tally.confusions.get("reference", {})
    if "labels" not in by_model:
        return None
    scores = accuracy.score_confusions(by_model["labels"], tally.codes, seed, legend=tally.legend)
    pair = accuracy.paired_difference(by_model[best], by_model["labels"], LEADING, seed)
    return {
        "scores": scores,
        "levels": zones.score_levels(by_model["labels"], tally.codes, seed),
        "zones": _zones(tally.zones["reference"]["labels"], seed),
        "best_map_beyond_labels": pair,
    }


def _classes(tally: Tally, ranked: Sequence[str]) -> list[dict[str, Any]]:
    """The legend, with the share of each class in every layer's labelled area."""
    layers = [layer for layer in tally.areas if layer not in ranked] + list(ranked)
    totals = {layer: sum(tally.areas[layer].values()) for layer in layers}
    return [
        c.as_dict()
        | {
            "area": {
                layer: tally.areas[layer].get(c.code, 0) / totals[layer] if totals[layer] else 0.0
                for layer in layers
            }
        }
        for c in tally.legend.classes
    ]


def _made(run: Run) -> dict[str, Any]:
    """Settings of every stage, from the manifest."""
    stages = run.read_manifest()["stages"]
    return {
        stage: {key: entry[key] for key in ("settings", "seconds") if key in entry}
        for stage, entry in stages.items()
        if stage != "compare"
    }


def criteria(run: Run, names: Sequence[str]) -> dict[str, float] | None:
    """Share of the test blocks' pixels that each map has as the refined labels have them.

    Parameters
    ----------
    run : Run
        Run folder with maps.
    names : sequence of str
        Their models.

    Returns
    -------
    dict or None
        A number from 0 to 1 a model; None where the run has no refined labels of its present
        scene, labels and split.
    """
    if not run.samples.exists() or not is_made(run, read_rows(run, "labels")):
        return None
    blocks, grid = read_blocks(run), rasters.grid_of(run.refined_labels)
    pixels, same = 0, dict.fromkeys(names, 0)
    for window in track(list(grid.windows(rasters.WINDOW_PX)), "comparing with refined labels"):
        rows = np.arange(window.row, window.row + window.rows)[:, np.newaxis]
        cols = np.arange(window.col, window.col + window.cols)[np.newaxis]
        refined = rasters.read_classes(run.refined_labels, window)
        judged = (blocks.split_of(rows, cols) == TEST) & (refined != UNLABELLED)
        pixels += int(judged.sum())
        for name in names if judged.any() else ():
            found = rasters.read_classes(run.map(name), window)
            same[name] += int((found == refined)[judged].sum())
    return {name: count / pixels for name, count in same.items()} if pixels else None
