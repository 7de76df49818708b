"""Models that have not seen the scene they map: their scores, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from landcover.reports.records import ComparedModel, Foreign, ForeignScore, Overlap
from landcover.reports.words import interval, percent

#: Overlaps that are named at most.
_NAMED = 3


def score_of(report: Mapping[str, Any]) -> ForeignScore | None:
    """What a report says of a foreign model, with its score on the whole scene; None of others."""
    if "foreign" not in report:
        return None
    known: Foreign = report["foreign"]
    return {
        **known,
        "against": report["against"],
        "n_test": report["n_test"],
        "n_blocks": report["n_blocks"],
        "overall_accuracy": report["overall_accuracy"],
        "overall_accuracy_ci95": report["overall_accuracy_ci95"],
    }


def remarks(models: Sequence[ComparedModel], against: str, measure: str) -> Iterator[str]:
    """Sentences on foreign models beside the run's own: what they are scored on."""
    guests = [model for model in models if model["foreign"]]
    mixed = len(guests) < len(models)
    for model in guests:
        known = cast("ForeignScore", model["foreign"])
        home = known["home"]
        said = f"The {model['title']} was trained in {home} and has not seen this scene"
        if known["against"] == against:
            share = percent(known["overall_accuracy"])
            bounds = known["overall_accuracy_ci95"]
            within = f" ({interval(bounds)})" if bounds else ""
            said += f": on all its {known['n_test']:,} labelled pixels, {share}{within} {measure}"
        yield f"{said}."
        if known["overlaps"]:
            yield overlap_remark(known["overlaps"], f"the {model['title']}")
    if guests and mixed:
        yield (
            "Models of this run have seen all but its test blocks. So scores and differences of "
            "this page are of the test blocks, the same pixels for foreign models and for the "
            "run's own; the score of a foreign model on the whole scene stands above and in its "
            "report."
        )


def overlap_remark(overlaps: Sequence[Overlap], of: str) -> str:
    """A sentence on ground that a model learnt from on another scene."""
    named = [
        f"{percent(held['share'])} of the ground by {held['run'] or 'a scene of its run'}"
        + (f" of {', '.join(held['days'])}" if held["days"] else "")
        for held in overlaps[:_NAMED]
    ]
    return (
        f"It is no land that {of} is new to: {'; '.join(named)}. Where it was trained there, "
        "scores say too much."
    )
