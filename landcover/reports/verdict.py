"""What a comparison says in words: its headline, and what a reader must know beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from landcover.labels.detail import SLIVERS, SPECIFIED_HA, as_specified
from landcover.labels.origin import POLYGONS, RASTER, RASTER_AND_POLYGONS
from landcover.legend import Nomenclature
from landcover.reports.records import ComparedModel, Comparison, Difference, PairedTests, Scores
from landcover.reports.scores import OF_SAMPLES
from landcover.reports.words import interval, p_value, percent, points

#: The score that ranks the maps.
LEADING: Final = "overall_accuracy"

#: Intervals from fewer blocks are rough, and the page says so.
FEW_BLOCKS = 20

#: McNemar's test by block speaks for a difference below this p-value.
SIGNIFICANT = 0.05
NOT_TOLD_APART, CLEARLY, PROBABLY = "not told apart", "clearly", "probably"

#: A class of a lower F1 counts as hardly found.
HARDLY_FOUND = 0.1

#: Said where all that maps are scored by is polygons.
OF_POLYGONS = (
    "The only labels of this scene are polygons, so a score is agreement with {labels} on "
    "{pixels}. It says nothing of land between them: polygons that somebody drew where a class is "
    "easy to tell are no sample of the scene, and no split of them measures how right the map is. "
    "Points drawn at random, by landcover sample-points, do."
)

#: What labels are specified to be, by their scheme.
SPECIFIED = {
    "corine": f"CORINE is specified to draw nothing smaller than {SPECIFIED_HA['corine']:g} "
    "hectares or narrower than 100 metres, and to be at least 85 % right."
}


def of_pair(overall: Difference, tests: PairedTests) -> str:
    """Whether the first of two maps is better, as far as interval and test by block agree.

    Parameters
    ----------
    overall : Difference
        Of the leading score, the first less the second.
    tests : PairedTests
        Of both maps.

    Returns
    -------
    str
        "clearly better" where the interval leaves out zero and McNemar's test by block is
        significant, "probably better" where only one of them says so, and "not told apart";
        "worse" where the second is better.
    """
    bounds, test = overall["ci95"], tests["blocks"]
    apart = bounds is not None and (bounds[0] > 0 or bounds[1] < 0)
    significant = test is not None and test["p_value"] < SIGNIFICANT
    if not (apart or significant):
        return NOT_TOLD_APART
    how = CLEARLY if apart and significant else PROBABLY
    return f"{how} {'better' if (overall['difference'] or 0.0) >= 0 else 'worse'}"


def headline(comparison: Comparison, labels: str) -> str:
    """One sentence: which map is best, how good it is, and how sure that is.

    Parameters
    ----------
    comparison : dict
        From `comparison.facts`.
    labels : str
        Title of the labels' nomenclature.
    """
    models, against = comparison["models"], comparison["against"]
    best, scores = models[0]["title"], models[0]["scores"][against]
    share = f"{percent(scores[LEADING])} of pixels"
    right = "right" if against == "reference" else f"in agreement with {labels}"
    how_good = f"{share} {right}{_how_sure(scores)}"
    if len(models) == 1:
        return f"The {best} maps {how_good}; there is no other map to compare it with."
    if against == "labels" and comparison["not_chosen_because"]:
        return f"No map is chosen: {comparison['not_chosen_because']}."
    if against == "labels" and comparison["chosen_without_reference"]:
        return _choice(comparison, labels)
    titles = {model["name"]: f"the {model['title']}" for model in models}
    rivals = [pair for pair in comparison["pairs"] if pair["a"] == models[0]["name"]]
    tied = [pair for pair in rivals if pair["verdict"] == NOT_TOLD_APART]
    if tied:
        lead = tied[0][LEADING]
        gap = points(lead["difference"]).lstrip("+") + " points"
        gap += f" ({interval(lead['ci95'], signed=True)})" if lead["ci95"] else ""
        others = _listed([titles[pair["b"]] for pair in tied])
        to_first = f" to {titles[tied[0]['b']]}" if len(tied) > 1 else ""
        return (
            f"The {best} scores highest, {how_good}, but cannot be told apart from {others}: "
            f"the difference{to_first} is {gap}."
        )
    lead = rivals[0][LEADING]
    gap = points(lead["difference"]).lstrip("+")
    more = f"{gap} points ({interval(lead['ci95'])}) more than {titles[rivals[0]['b']]}"
    doubtful = [pair for pair in rivals if pair["verdict"].startswith(PROBABLY)]
    test = doubtful[0]["mcnemar"]["blocks"] if doubtful else None
    if test is not None:
        more += (
            "; probably, for the interval of the difference to "
            f"{titles[doubtful[0]['b']]} and McNemar's test by block "
            f"(p = {p_value(test['p_value'])}) disagree"
        )
    if against == "reference":
        word = "probably makes" if doubtful else "makes"
        return f"The {best} {word} the best map: {how_good}, {more}."
    return (
        f"The {best} has the highest agreement with {labels}: {share}{_how_sure(scores)}, {more}."
    )


def detail(nomenclature: Nomenclature, least_ha: float | None, labels_from: str = RASTER) -> str:
    """How fine the labels are drawn, as it was measured, and what CORINE's are specified to be.

    Parameters
    ----------
    nomenclature : Nomenclature
        Of the labels, with the size of their cells.
    least_ha : float, optional
        From `labels.detail.least_region_ha`.
    labels_from : str
        `origin.RASTER_AND_POLYGONS` where polygons lead: how fine the raster is drawn cannot be
        told then from labels and polygons together, and stays unsaid. Of `origin.POLYGONS` nothing
        is said of cells, borders and a specification of rasters.

    Returns
    -------
    str
        The specification only where the labels are as coarse as it says.
    """
    if labels_from == POLYGONS:
        return "Labels are those of polygons, and there are none between them."
    said = []
    if least_ha is not None:
        said.append(
            f"Of the area of the labels, {100 - 100 * SLIVERS:g} % lies in regions of "
            f"{least_ha:.3g} hectares or more."
        )
    if nomenclature.name in SPECIFIED and as_specified(nomenclature, least_ha):
        said.append(SPECIFIED[nomenclature.name])
    led = labels_from == RASTER_AND_POLYGONS
    them = "Labels are those of polygons where these lie; elsewhere they" if led else "Labels"
    said.append(
        f"{them} leave out what they cannot draw, here in cells of {nomenclature.cell_m:g} m, and "
        "are wrong in places."
    )
    return " ".join(said)


def remarks(
    comparison: Comparison, nomenclature: Nomenclature, least_ha: float | None = None
) -> list[str]:
    """What a reader must know to take the scores for what they are.

    Parameters
    ----------
    comparison : dict
        From `comparison.facts`.
    nomenclature : Nomenclature
        Of the labels.
    least_ha : float, optional
        From `labels.detail.least_region_ha`.

    Returns
    -------
    list of str
        Sentences.
    """
    said, title = [], nomenclature.title
    source = comparison["labels_from"]
    coarse = detail(nomenclature, least_ha, source)
    labels = comparison["labels_against_reference"]
    if labels:
        beyond = labels["best_map_beyond_labels"]
        gap = beyond["difference"] or 0.0
        word = "more" if gap >= 0 else "less"
        ends = [end if gap >= 0 else -end for end in beyond["ci95"] or ()]  # of the gap as worded
        bounds = f" ({interval(sorted(ends), signed=True)})" if ends else ""
        said.append(
            "The labels themselves are right on "
            f"{percent(labels['scores'][LEADING])} of the same pixels: the best map is "
            f"{points(abs(gap)).lstrip('+')} points{bounds} {word} right than they are."
        )
    said += _other_winner(comparison) + _chosen(comparison, title)
    if comparison["against"] == "labels" and source == POLYGONS:
        sampled = comparison["scored_on"] in OF_SAMPLES
        pixels = "their sampled pixels" if sampled else "the pixels inside them"
        said.append(OF_POLYGONS.format(labels=title, pixels=pixels))
    elif comparison["against"] == "labels":
        said.append(
            f"There is no reference for this scene, so a score is agreement with {title}. "
            f"{coarse} A map that shows what they leave out loses points for it."
        )
    else:
        said.append(
            f"Scores are measured against the reference. {coarse if labels else ''}".rstrip()
        )
    blocks = comparison["n_blocks"]
    if blocks is not None and blocks < FEW_BLOCKS:
        said.append(
            f"The test set is {blocks} block{'s' if blocks > 1 else ''}: "
            "with so few the intervals are rough, and likely too narrow."
        )
    return said + _hardly_found(comparison) + _wide_errors(comparison)


def _hardly_found(comparison: Comparison) -> list[str]:
    """The classes of the test pixels that the first map hardly finds."""
    first = comparison["models"][0]
    classes = first["scores"][comparison["against"]]["per_class"]
    missed = [
        f"{scores['name']} ({percent(scores['f1'])})"
        for scores in classes.values()
        if scores["support"] and scores["f1"] is not None and scores["f1"] < HARDLY_FOUND
    ]
    if not missed:
        return []
    return [
        f"The {first['title']} hardly finds, with an F1 below {100 * HARDLY_FOUND:.0f} %: "
        + ", ".join(missed)
        + "."
    ]


def _wide_errors(comparison: Comparison) -> list[str]:
    """A warning where errors reach over more than a block: then blocks are not independent."""
    block_px = comparison["blocks"]["block_px"]
    ranges = {
        f"the {model['title']}": model["error_correlation"]["range_px"]
        for model in comparison["models"]
        if model["error_correlation"] and model["error_correlation"]["range_px"] > block_px
    }
    if not ranges:
        return []
    widest = max(ranges, key=lambda title: ranges[title])
    others = f" (and {len(ranges) - 1} more)" if len(ranges) > 1 else ""
    return [
        f"Errors of {widest}{others} are alike over up to {ranges[widest]:.0f} pixels and a block "
        f"is {block_px} wide: errors of neighbouring blocks depend on one another, and "
        "intervals are likely too narrow. Wider blocks: "
        f"landcover sample RUN --block-px {math.ceil(ranges[widest] / 10) * 10}, "
        "where the scene has room for enough of them."
    ]


def _choice(comparison: Comparison, labels: str) -> str:
    """The headline where a map is chosen without a reference."""
    first, scores = comparison["models"][0], comparison["models"][0]["scores"]["labels"]
    ahead = ""
    if (lead := comparison["lead"]) is not None:
        second = next(m["title"] for m in comparison["models"] if m["name"] == lead["second"])
        bounds = lead["ci95"]
        told = bounds is not None and bounds[0] > 0
        ahead = (
            f"; by this criterion it is {points(lead['difference']).lstrip('+')} points "
            f"({interval(bounds, signed=True)}) ahead of the {second}"
        )
        ahead += "" if told else ", which it cannot be told from"
    return (
        f"The {first['title']} is chosen: {percent(scores[LEADING])} of its pixels are in "
        f"agreement with {labels}{_how_sure(scores)}. It {_by_criteria(first)}{ahead}."
    )


def _chosen(comparison: Comparison, labels: str) -> list[str]:
    """Which map would be chosen without a reference, and by what."""
    name, why = comparison["chosen_without_reference"], comparison["not_chosen_because"]
    if name is None and not why:
        return []
    if comparison["against"] == "labels":
        return [
            f"Agreement with {labels} favours maps that repeat its coarseness. So maps stand in "
            "the order of the mean of two shares: of refined labels, which follow the image "
            "(label_noise.md), and of the cores of labelled areas, every class counting the same."
        ]
    if name is None:
        return [f"Without the reference no map would be chosen: {why}."]
    chosen = next(model for model in comparison["models"] if model["name"] == name)
    return [
        f"Without the reference the {chosen['title']} would be chosen: it {_by_criteria(chosen)}."
    ]


def _by_criteria(model: ComparedModel) -> str:
    """What speaks for a map where there is no reference."""
    refined, cores = model["criteria"] or (None, None)
    text = (
        f"agrees with {percent(refined)} of the refined labels in the test blocks, which are an "
        "estimate by a network"
    )
    return (
        text
        if cores is None
        else f"{text}, and finds {percent(cores)} of the cores of labelled areas"
    )


def _other_winner(comparison: Comparison) -> list[str]:
    """A remark where another map leads once rare classes count as much as common ones."""
    models, against = comparison["models"], comparison["against"]
    first = models[0]
    best = max(models, key=lambda model: model["scores"][against]["macro_f1"])
    if best is first:
        return []
    pair = next(p for p in comparison["pairs"] if (p["a"], p["b"]) == (first["name"], best["name"]))
    bounds = pair["macro_f1"]["ci95"]
    clear = bounds is not None and bounds[1] < 0
    scores = [percent(m["scores"][against]["macro_f1"]) for m in (best, first)]
    return [
        f"Where every class counts alike, however rare (macro F1), the {best['title']} scores "
        f"highest: {scores[0]} against {scores[1]} of the {first['title']}, "
        + ("a clear difference." if clear else "a difference that could be chance.")
    ]


def _how_sure(scores: Scores) -> str:
    bounds = scores["overall_accuracy_ci95"]
    return f" (95 % interval {interval(bounds)})" if bounds else " (in a single block)"


def _listed(words: Sequence[str]) -> str:
    """'a', 'a or b', 'a or 3 others'."""
    if len(words) > 2:
        return f"{words[0]} or {len(words) - 1} others"
    return " or ".join(words)
