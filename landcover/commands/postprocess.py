"""Post-processing of a map: what the command takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import POSITIVE, Arguments, Command, add_layer, add_run

if TYPE_CHECKING:
    from landcover.files.atomic import Fields


def _define_postprocess(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--model",
        help="whose map; a model of the run, the folder of another run's model, or a map made by "
        "this command; the newest patch CNN by default",
    )
    parser.add_argument(
        "--smooth",
        action="store_true",
        help="weigh each pixel's probabilities against its neighbours', up to edges in the image",
    )
    parser.add_argument(
        "--segments", action="store_true", help="give every segment its commonest class"
    )
    parser.add_argument(
        "--polygons",
        type=Path,
        metavar="FILE",
        help="give every polygon of this vector file its commonest class",
    )
    add_layer(parser)
    parser.add_argument(
        "--mmu-ha",
        type=POSITIVE,
        metavar="X",
        help="merge regions of less than X hectares into their largest neighbour",
    )
    parser.add_argument(
        "--by-probability",
        action="store_true",
        help="segments and polygons take the class of the highest summed probability",
    )


def _postprocess(a: Arguments) -> list[Path]:
    from landcover.classifiers.cards import holds_model
    from landcover.commands.maps import chosen_model
    from landcover.files.vectors import with_layer
    from landcover.run import Run
    from landcover.stages.postprocess import postprocess
    from landcover.stages.store import read_report

    run = Run(a.run)
    maker = None
    if a.model is None or holds_model(a.model):
        maker = chosen_model(run, a.model)
    paths = postprocess(
        run,
        maker.name if maker else a.model,
        smooth=a.smooth,
        segments=a.segments,
        polygons=with_layer(a.polygons, a.layer) if a.polygons else None,
        mmu_ha=a.mmu_ha,
        by_probability=a.by_probability,
        maker=maker,
    )
    name = paths[0].stem
    if run.report(name) in paths:
        from landcover.stages.run_legend import read_nomenclature

        for line in _changes(read_report(run.report(name)), read_nomenclature(run).title):
            print(line)
    return paths


def _changes(report: Fields, labels: str) -> list[str]:
    """What the steps changed, a line for the reference and one for the labels."""
    from landcover.reports.scores import measure_of
    from landcover.reports.words import interval, percent, points

    return [
        f"{measure_of(against, labels)}: {percent(report['scores'][against]['overall_accuracy'])}, "
        f"{points(change['difference'])} points against {report['postprocessing']['of']} "
        f"(95 % interval {interval(change['ci95'], signed=True)})"
        for against, change in report["change"].items()
    ]


COMMANDS: dict[str, Command] = {
    "postprocess": (
        "Smooth a map or remove its small regions, and score both maps.",
        _define_postprocess,
        _postprocess,
    ),
}
