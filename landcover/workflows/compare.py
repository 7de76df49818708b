"""The comparison: which map is best, by how much, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from landcover import accuracy, reports
from landcover.runs import Run, read_json
from landcover.workflows.postprocess import in_words, require_same_maps
from landcover.workflows.score import MEASURES, WALL_TO_WALL, Tally, tally_maps

#: The score that ranks the maps.
LEADING = "overall_accuracy"

#: Intervals from fewer blocks are rough, and the page says so.
FEW_BLOCKS = 20

COARSE = (
    "Labels of the CORINE kind are coarse: nothing smaller than 25 hectares or narrower than "
    "100 metres is drawn, and the product promises to be at least 85 % right."
)
_TITLES = {
    "random-forest": "random forest",
    "mlp": "MLP",
    "mlp-segments": "MLP with segment types",
    "knn": "k-nearest-neighbours classifier",
}


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
    from landcover.workflows import page

    names = reports.mapped_models(run)
    model_reports = {name: reports.read_report(run, name) for name in names}
    require_same_maps(run, model_reports)
    tally = tally_maps(run, names)
    comparison = facts(run, tally, model_reports)
    html = page.html(run, comparison, tally.legend)
    markdown = reports.render("comparison.md", c=comparison, metrics=accuracy.METRICS)
    products = reports.write_comparison(run, comparison, markdown, html)
    inputs = [path for name in names for path in (run.map(name), run.report(name))]
    run.record("compare", {"models": names, "seed": comparison["seed"]}, inputs, products)
    return products


def facts(run: Run, tally: Tally, model_reports: Mapping[str, dict]) -> dict[str, Any]:
    """Everything that comparison.json holds."""
    against = "reference" if "reference" in tally.confusions else "labels"
    seed = min(report["seed"] for report in model_reports.values())
    models = [_model(run, name, tally, report, seed) for name, report in model_reports.items()]
    models.sort(key=lambda model: -model["scores"][against][LEADING])
    ranked = [model["name"] for model in models]
    pairs = [_pair(tally.confusions[against], a, b, seed) for a, b in combinations(ranked, 2)]
    baseline = _labels_as_map(tally, ranked[0], seed)
    leading = models[0]["scores"][against]
    comparison = {
        "run": run.path.resolve().name,
        "against": against,
        "measure": MEASURES[against],
        "scored_on": WALL_TO_WALL,
        "split": model_reports[ranked[0]]["split"],
        "n_test": leading["n_test"],
        "n_blocks": leading["n_blocks"],
        "seed": seed,
        "best": ranked[0],
        "models": models,
        "pairs": pairs,
        "labels_against_reference": baseline,
        "classes": _classes(tally, ranked),
        "made": _made(run),
    }
    comparison |= {"headline": headline(comparison), "remarks": _remarks(comparison)}
    return comparison


def headline(comparison: Mapping[str, Any]) -> str:
    """One sentence: which map is best, how good it is, and how sure that is."""
    models, against = comparison["models"], comparison["against"]
    best, scores = models[0]["title"], models[0]["scores"][against]
    right = "of pixels right" if against == "reference" else "of pixels as the labels have them"
    how_good = f"{reports.percent(scores[LEADING])} {right}{_how_sure(scores)}"
    if len(models) == 1:
        return f"The {best} maps {how_good}; there is no other map to compare it with."
    titles = {model["name"]: f"the {model['title']}" for model in models}
    rivals = [pair for pair in comparison["pairs"] if pair["a"] == models[0]["name"]]
    tied = [pair for pair in rivals if not _is_clear(pair)]
    if tied:
        lead = tied[0][LEADING]
        gap = reports.points(lead["difference"]).lstrip("+") + " points"
        gap += f" ({reports.interval(lead['ci95'], signed=True)})" if lead["ci95"] else ""
        others = _listed([titles[pair["b"]] for pair in tied])
        to_first = f" to {titles[tied[0]['b']]}" if len(tied) > 1 else ""
        return (
            f"The {best} scores highest, {how_good}, but cannot be told apart from {others}: "
            f"the difference{to_first} is {gap}."
        )
    lead = rivals[0][LEADING]
    verb = "makes the best map" if against == "reference" else "agrees best with the labels"
    gap = reports.points(lead["difference"]).lstrip("+")
    return (
        f"The {best} {verb}: {how_good}, {gap} points ({reports.interval(lead['ci95'])}) "
        f"more than {titles[rivals[0]['b']]}."
    )


def title_of(name: str) -> str:
    """A model's name in words.

    >>> title_of("cnn-7x7"), title_of("mlp-segments-on-reference")
    ('patch CNN 7×7', 'MLP with segment types trained on the reference')
    >>> title_of("random-forest+smooth")
    'random forest after smoothing'
    """
    name, _, steps = name.partition("+")
    name, studied, _ = name.partition("-on-reference")
    suffix = " trained on the reference" if studied else ""
    suffix += f" after {in_words(steps)}" if steps else ""
    cnn = re.fullmatch(r"cnn-(\d+)x\1(-published)?", name)
    if cnn:
        return f"{'published' if cnn[2] else 'patch'} CNN {cnn[1]}×{cnn[1]}{suffix}"
    return _TITLES.get(name, name) + suffix


def _how_sure(scores: Mapping[str, Any]) -> str:
    bounds = scores[f"{LEADING}_ci95"]
    return f" (95 % interval {reports.interval(bounds)})" if bounds else " (in a single block)"


def _is_clear(pair: Mapping[str, Any]) -> bool:
    """Whether the interval of a pair's difference leaves out zero."""
    bounds = pair[LEADING]["ci95"]
    return bool(bounds) and bounds[0] > 0


def _listed(words: Sequence[str]) -> str:
    """'a', 'a or b', 'a or 3 others'."""
    if len(words) > 2:
        return f"{words[0]} or {len(words) - 1} others"
    return " or ".join(words)


def _model(run: Run, name: str, tally: Tally, report: Mapping, seed: int) -> dict[str, Any]:
    """One model: scores of its map, those of a random split, and how it came about."""
    scores = {
        against: accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend)
        for against, by_model in tally.confusions.items()
    }
    random_split = {k: v for k, v in report["scores"].items() if k.endswith("_random")}
    history = run.model(name) / "history.json"
    return {
        "name": name,
        "title": title_of(name),
        "scores": scores | random_split,
        "leaks": {k.removesuffix("_random"): v["leak"] for k, v in random_split.items()},
        "seconds": report["seconds"],
        "seed": report["seed"],
        "versions": report["versions"],
        "card": report.get("card", {}),
        "history": read_json(history) if history.exists() else {},
    }


def _pair(confusions: Mapping[str, Any], a: str, b: str, seed: int) -> dict[str, Any]:
    """Every metric's difference between two models."""
    return {"a": a, "b": b} | {
        metric: accuracy.paired_difference(confusions[a], confusions[b], metric, seed)
        for metric in accuracy.METRICS
    }


def _labels_as_map(tally: Tally, best: str, seed: int) -> dict[str, Any] | None:
    """How right the labels themselves are, and the best map beside them."""
    by_model = tally.confusions.get("reference", {})
    if "labels" not in by_model:
        return None
    scores = accuracy.score_confusions(by_model["labels"], tally.codes, seed, legend=tally.legend)
    pair = accuracy.paired_difference(by_model[best], by_model["labels"], LEADING, seed)
    return {"scores": scores, "best_map_beyond_labels": pair}


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


def _remarks(comparison: Mapping[str, Any]) -> list[str]:
    """What a reader must know to take the scores for what they are."""
    remarks = []
    labels = comparison["labels_against_reference"]
    if labels:
        beyond = labels["best_map_beyond_labels"]
        gap = beyond["difference"]
        word = "more" if gap >= 0 else "less"
        bounds = f" ({reports.interval(beyond['ci95'], signed=True)})" if beyond["ci95"] else ""
        remarks.append(
            f"The coarse labels themselves are right on "
            f"{reports.percent(labels['scores'][LEADING])} of the same pixels: the best map is "
            f"{reports.points(abs(gap)).lstrip('+')} points{bounds} {word} right than they are."
        )
    remarks += _other_winner(comparison)
    if comparison["against"] == "labels":
        remarks.append(
            "There is no reference for this scene, so a score is agreement with the labels. "
            f"{COARSE} A map that shows what they leave out loses points for it."
        )
    else:
        remarks.append(f"Scores are measured against the reference. {COARSE}")
    blocks = comparison["n_blocks"]
    if blocks < FEW_BLOCKS:
        remarks.append(
            f"The test set is {blocks} block{'s' if blocks > 1 else ''}: "
            "with so few the intervals are rough, and likely too narrow."
        )
    return remarks


def _other_winner(comparison: Mapping[str, Any]) -> list[str]:
    """Another map may lead once rare classes count as much as common ones: then say so."""
    models, against = comparison["models"], comparison["against"]
    first = models[0]
    best = max(models, key=lambda model: model["scores"][against]["macro_f1"])
    if best is first:
        return []
    pair = next(p for p in comparison["pairs"] if (p["a"], p["b"]) == (first["name"], best["name"]))
    bounds = pair["macro_f1"]["ci95"]
    clear = bounds is not None and bounds[1] < 0
    scores = [reports.percent(m["scores"][against]["macro_f1"]) for m in (best, first)]
    return [
        f"Where every class counts alike, however rare (macro F1), the {best['title']} scores "
        f"highest: {scores[0]} against {scores[1]} of the {first['title']}, "
        + ("a clear difference." if clear else "a difference that could be chance.")
    ]


def _made(run: Run) -> dict[str, Any]:
    """Settings of every stage, from the manifest."""
    stages = run.read_manifest()["stages"]
    return {
        stage: {key: entry[key] for key in ("settings", "seconds") if key in entry}
        for stage, entry in stages.items()
        if stage != "compare"
    }
