"""A user's own reference sample: what the commands that draw and use it take and do."""

from __future__ import annotations

import argparse
from pathlib import Path

from landcover.commands.options import (
    COUNT,
    Arguments,
    Command,
    add_layer,
    add_run,
    add_seed,
)


def _define_assess(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        required=True,
        metavar="FILE",
        help="points or polygons of a probability sample: GeoPackage, GeoJSON, GeoParquet",
    )
    add_layer(parser)
    parser.add_argument(
        "--class-field",
        metavar="NAME",
        help="its field with class codes or names (default reference)",
    )
    parser.add_argument(
        "--model", nargs="+", metavar="NAME", help="models; all with a map by default"
    )
    parser.add_argument(
        "--strata",
        type=Path,
        metavar="RASTER",
        help="class raster that the sample was drawn from; by default the design of a "
        "drawn sample, or else each map's own classes",
    )


def _assess(a: Arguments) -> list[Path]:
    from landcover.files.atomic import read_json
    from landcover.files.vectors import with_layer
    from landcover.reports.assessment import headline
    from landcover.run import Run
    from landcover.stages.assess import assess

    reference = with_layer(a.reference, a.layer)
    paths = assess(Run(a.run), reference, a.class_field, a.model or (), a.strata)
    for path in paths[1:]:
        found = read_json(path)
        print(headline(found))
        for remark in found["remarks"]:
            print(f"note: {remark}")
    return paths


def _define_sample_points(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--model", required=True, metavar="NAME", help="model whose map to sample")
    parser.add_argument(
        "--n", type=COUNT, default=400, metavar="N", help="points in all (default 400)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="GeoPackage (default RUN/NAME_points.gpkg); its design lies beside it",
    )
    parser.add_argument(
        "--where-it-helps",
        action="store_true",
        help="more points where the map's confidence is low, other maps of the run disagree or "
        "its applicability ends; strata and weights in the design keep estimates unbiased",
    )
    add_seed(parser)


def _sample_points(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.sample_points import sample_points

    run = Run(a.run)
    paths = sample_points(run, a.model, a.n, a.seed, a.out, a.where_it_helps)
    stage = run.read_manifest()["stages"][f"sample-points {a.model}"]
    if stage["not_drawn_from"]:
        print(f"note: {stage['not_drawn_from']:,} pixels without a class are not drawn from")
    if a.where_it_helps:
        print(f"note: points lie denser where errors are likely by {', '.join(stage['hints'])}")
    return paths


COMMANDS: dict[str, Command] = {
    "sample-points": (
        "Draw random points of a map, for somebody to say what is there.",
        _define_sample_points,
        _sample_points,
    ),
    "assess": (
        "Estimate accuracy and class areas from a reference sample.",
        _define_assess,
        _assess,
    ),
}
