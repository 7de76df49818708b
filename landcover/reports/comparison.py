"""The comparison: which map is best, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from landcover.classifiers.names import title_of
from landcover.files.atomic import Fields
from landcover.labels.origin import POLYGONS, RASTER
from landcover.maps.outside import WARNED_SHARE
from landcover.reports import accuracy, foreign, left_out, mcnemar, verdict, zones
from landcover.reports.choice import Criteria
from landcover.reports.records import (
    BlockSizes,
    ComparedModel,
    Comparison,
    Difference,
    LabelsAsMap,
    Lead,
    Leak,
    MapDates,
    Pair,
    Scores,
    ZoneScores,
)
from landcover.reports.refinement import Refinement, remarks
from landcover.reports.scores import OTHER_SPLITS, WALL_TO_WALL, measure_of, split_in_words
from landcover.reports.tally import Tally
from landcover.reports.verdict import LEADING
from landcover.reports.words import percent
from landcover.samples.blocks import Blocks

if TYPE_CHECKING:
    import numpy as np

#: Said where there is no truth to measure confidence by; the numbers are those of
#: experiments/confidence.py on real land.
CONFIDENCE_NOTE = (
    "Confidence is of agreement with what was learnt, not with the truth: on real land, models of "
    "refined labels were right 10 to 17 points less often than they said (docs/accuracy.md)."
)
#: The same where models learnt training polygons.
POLYGON_CONFIDENCE_NOTE = (
    "Confidence is of agreement with training polygons: how often a map is right between them is "
    "not known."
)
#: Said beside the intervals of classes.
CLASS_INTERVAL_NOTE = (
    "Intervals are from resampling blocks, and say nothing where these do not vary. So a class "
    "that is all right or all wrong has the interval of Clopper and Pearson, with each block that "
    "holds it as one trial, and a class in a single block has none."
)


@dataclass(frozen=True)
class About:
    """What is known of compared maps beside their pixels.

    Attributes
    ----------
    run : str
        Name of the run.
    reports : mapping
        Report of every model.
    histories : mapping
        Learning curves of the models that have some.
    criteria : Criteria, optional
        From `choice.criteria`; None where the run has no refined labels.
    blocks : Blocks
        How the scene was split.
    made : mapping
        Settings of every stage.
    pixel_m : float, optional
        Mean side of a pixel on the ground, metres.
    refinement : Refinement, optional
        What was done with the labels before models learnt them.
    left_out : sequence of str
        Sentences on pixels, files and classes that were left out.
    least_ha : float, optional
        How large the regions of the labels are, by `labels.detail.least_region_ha`.
    outside : mapping
        Share of each map outside its model's area of applicability, where that is known.
    dates : mapping
        Which dates each map shows, in a run of several.
    scored_on : str
        Which pixels the tally counted, in words of `scores`.
    labels_from : str
        What labels are drawn from, of `labels.origin`.
    """

    run: str
    reports: Mapping[str, Fields]
    blocks: Blocks
    histories: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    criteria: Criteria | None = None
    made: Mapping[str, object] = field(default_factory=dict)
    refinement: Refinement | None = None
    left_out: Sequence[str] = ()
    pixel_m: float | None = None
    least_ha: float | None = None
    outside: Mapping[str, float] = field(default_factory=dict)
    dates: Mapping[str, MapDates] = field(default_factory=dict)
    scored_on: str = WALL_TO_WALL
    labels_from: str = RASTER


def facts(tally: Tally, about: About) -> Comparison:
    """Everything that comparison.json holds."""
    against = "reference" if "reference" in tally.confusions else "labels"
    seed = min(report["seed"] for report in about.reports.values())
    models = [_model(name, tally, about, seed) for name in about.reports]
    criteria = about.criteria
    if against == "labels" and criteria:
        models.sort(key=lambda model: -criteria.criterion(model["name"]))
    else:
        models.sort(key=lambda model: -model["scores"][against][LEADING])
    chosen, why_not = criteria.choice() if criteria else (None, "")
    ranked = [model["name"] for model in models]
    pairs = [_pair(tally, against, a, b, seed) for a, b in combinations(ranked, 2)]
    # polygons are no map: what lies between them is not wrong
    of_map = about.labels_from != POLYGONS
    baseline = _labels_as_map(tally, ranked[0], seed) if of_map else None
    leading = models[0]["scores"][against]
    comparison: Comparison = {
        "run": about.run,
        "against": against,
        "measure": measure_of(against, tally.nomenclature.title),
        "scored_on": about.scored_on,
        "labels_from": about.labels_from,
        "split": split_in_words(about.blocks),
        "blocks": _blocks(about.blocks),
        "pixel_m": about.pixel_m,
        "level": tally.nomenclature.level,
        "n_test": leading["n_test"],
        "n_blocks": leading["n_blocks"],
        "seed": seed,
        "best": ranked[0],
        "chosen_without_reference": chosen,
        "not_chosen_because": why_not,
        "lead": _lead(criteria, seed),
        "models": models,
        "pairs": pairs,
        "labels_against_reference": baseline,
        "classes": _classes(tally, ranked),
        "made": dict(about.made),
        "refinement": about.refinement,
    }
    comparison["headline"] = verdict.headline(comparison, tally.nomenclature.title)
    comparison["left_out"] = [
        *left_out.untested(comparison),
        *about.left_out,
        *left_out.of_models(models),
    ]
    comparison["remarks"] = [
        *(remarks(about.refinement) if about.refinement else ()),
        *verdict.remarks(comparison, tally.nomenclature, about.least_ha),
        *foreign.remarks(models, against, comparison["measure"]),
        *_outside(models),
        *comparison["left_out"],
    ]
    return comparison


def _lead(criteria: Criteria | None, seed: int) -> Lead | None:
    """How far the map of the highest criterion is ahead of the next one."""
    if criteria is None or len(criteria.refined) < 2:
        return None
    first, second = sorted(criteria.refined, key=lambda name: -criteria.criterion(name))[:2]
    gap = criteria.criterion(first) - criteria.criterion(second)
    return {
        "second": second,
        "difference": gap,
        "ci95": list(criteria.interval(first, second, seed)),
    }


def confidence_note(comparison: Comparison) -> str:
    """What to say of confidence where there is no reference."""
    of_polygons = comparison["labels_from"] == POLYGONS
    return POLYGON_CONFIDENCE_NOTE if of_polygons else CONFIDENCE_NOTE


def distinct_levels(comparison: Comparison) -> list[str]:
    """Levels of the legend, the finest first, without those that join no class of the level before.

    There every score is that of the finer level.
    """
    found: dict[str, list[list[float | None]]] = {}
    finest = str(comparison["level"])
    for level in (finest, *comparison["models"][0]["levels"]):
        scores = [
            model["scores"][comparison["against"]] if level == finest else model["levels"][level]
            for model in comparison["models"]
        ]
        shown = [[s["overall_accuracy"], s["macro_f1"], s["kappa"]] for s in scores]
        if shown not in found.values():
            found[level] = shown
    return list(found)


def _blocks(blocks: Blocks) -> BlockSizes:
    """Sizes of the blocks, and how far the labels that they were dealt by are alike."""
    return {
        "block_px": blocks.block_px,
        "guard_px": blocks.guard_px,
        "label_range_px": blocks.label_range_px,
    }


def _model(name: str, tally: Tally, about: About, seed: int) -> ComparedModel:
    """One model: scores of its map, those of a random split, and how it came about."""
    report = about.reports[name]
    scores = {
        against: accuracy.score_confusions(by_model[name], tally.codes, seed, legend=tally.legend)
        for against, by_model in tally.confusions.items()
    }
    leading = next(iter(tally.confusions))
    others = {k: v for k, v in report["scores"].items() if k.endswith(OTHER_SPLITS)}
    errors = tally.errors[name].correlation()
    return {
        "name": name,
        "title": title_of(name) + " (foreign)" * ("foreign" in report),
        "scores": scores | others,
        "levels": zones.score_levels(
            tally.confusions[leading][name], tally.codes, tally.nomenclature, seed
        ),
        "zones": _zones(tally.zones[leading][name], seed),
        "error_correlation": errors.as_dict() if errors else None,
        "calibration": report.get("calibration"),
        "leaks": _leaks(others, "_random"),
        "polygon_leaks": _leaks(others, "_polygons"),
        "seconds": report["seconds"],
        "seed": report["seed"],
        "versions": report["versions"],
        "card": report.get("card", {}),
        "history": dict(about.histories.get(name, {})),
        "criterion": about.criteria.criterion(name) if about.criteria else None,
        "criteria": about.criteria.values(name) if about.criteria else None,
        "outside_share": about.outside.get(name),
        "foreign": foreign.score_of(report),
        "dates": about.dates.get(name),
    }


def _leaks(scores: Mapping[str, Scores], of: str) -> dict[str, Leak]:
    """How much higher another split scores, by what it is scored against."""
    return {k.removesuffix(of): v["leak"] for k, v in scores.items() if k.endswith(of)}


def _outside(models: Sequence[ComparedModel]) -> Iterator[str]:
    """Sentences on maps that lie for a good part outside their model's area of applicability."""
    for model in models:
        share = model["outside_share"]
        if share is not None and share > WARNED_SHARE:
            yield (
                f"{percent(share)} of the map of the {model['title']} lies outside its area of "
                "applicability: nothing that the model learnt from is like these pixels."
            )


def _zones(counts: Mapping[str, np.ndarray], seed: int) -> dict[str, ZoneScores]:
    """Overall accuracy in each zone that the run has rasters for."""
    held = [zone for zone in zones.ZONES if zone in counts]
    return {zone: zones.score_zone(counts[zone], seed) for zone in held}


def _pair(tally: Tally, against: str, a: str, b: str, seed: int) -> Pair:
    """Every metric's difference between two models, and McNemar's tests."""
    confusions = tally.confusions[against]

    def difference(metric: str) -> Difference:
        return accuracy.paired_difference(confusions[a], confusions[b], metric, seed)

    overall, tests = difference("overall_accuracy"), mcnemar.paired_tests(*tally.only(a, b))
    return {
        "a": a,
        "b": b,
        "overall_accuracy": overall,
        "balanced_accuracy": difference("balanced_accuracy"),
        "macro_f1": difference("macro_f1"),
        "macro_jaccard": difference("macro_jaccard"),
        "kappa": difference("kappa"),
        "mcnemar": tests,
        "verdict": verdict.of_pair(overall, tests),
    }


def _labels_as_map(tally: Tally, best: str, seed: int) -> LabelsAsMap | None:
    """How right the labels themselves are, and the best map beside them."""
    by_model = tally.confusions.get("reference", {})
    if "labels" not in by_model:
        return None
    scores = accuracy.score_confusions(by_model["labels"], tally.codes, seed, legend=tally.legend)
    pair = accuracy.paired_difference(by_model[best], by_model["labels"], LEADING, seed)
    return {
        "scores": scores,
        "levels": zones.score_levels(by_model["labels"], tally.codes, tally.nomenclature, seed),
        "zones": _zones(tally.zones["reference"]["labels"], seed),
        "best_map_beyond_labels": pair,
    }


def _classes(tally: Tally, ranked: Sequence[str]) -> list[dict[str, object]]:
    """The legend, with the share of each class in the area that every layer has classes of."""
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
