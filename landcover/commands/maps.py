"""From trained classifiers to maps, exports and comparisons: what the commands take and do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import (
    COUNT,
    COUNT_OR_NONE,
    SHARE,
    Arguments,
    Command,
    add_features,
    add_run,
    add_seed,
)
from landcover.errors import InputError, typed

if TYPE_CHECKING:
    from landcover.classifiers.models import Model
    from landcover.run import Run

#: Side of the windows that a map is made by, unless another is given.
_TILE_PX = 1024


def _define_map(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--model",
        help="name of a model of the run, or the folder of another run's model; "
        "the newest patch CNN by default",
    )
    add_features(
        parser,
        "map with the run's newest model that was trained with these features; with --model they "
        "must be that model's",
    )
    parser.add_argument(
        "--tile-px",
        type=COUNT,
        default=_TILE_PX,
        help="side of the windows read at once; the map does not depend on it",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="also write the probability of every class"
    )
    parser.add_argument(
        "--entropy", action="store_true", help="also write how undecided the probabilities are"
    )
    parser.add_argument(
        "--applicability",
        action=argparse.BooleanOptionalAction,
        help="also write where the scene is unlike what the model learnt (default: where the model "
        "is another run's)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32"),
        default="auto",
        help="float32 keeps patch networks from computing in reduced precision where it is faster",
    )
    parser.add_argument(
        "--stride",
        type=COUNT,
        metavar="PX",
        help="of a model of whole images: classify the patch around every cell of so many pixels "
        "(default 32); up to the model's own side",
    )
    parser.add_argument(
        "--dates",
        nargs="+",
        metavar="DAY",
        help="of a model of sequences: the days of the run to map, such as 2022-04-15, or 2022 for "
        "all of a year (default: "
        "those that it learnt from where it reads a fixed number, else all)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="map on the workers of this Dask scheduler, such as tcp://10.0.0.1:8786; each takes "
        "windows of RUN's scene, or one of --products at a time",
    )
    parser.add_argument(
        "--products",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="map these instead of RUN's scene: products (X.SAFE, X.zip), prepared run folders, "
        "text files with one such path a line, or a CSV of product, labels and reference",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="run folders and report of --products go here (default RUN/products)",
    )
    parser.add_argument(
        "--verify",
        type=COUNT_OR_NONE,
        default=0,
        metavar="N",
        help="predict N random pixels patch by patch too, and report the differences",
    )
    add_seed(parser)


def _map(a: Arguments) -> list[Path]:
    from landcover.reports.left_out import never_mapped
    from landcover.run import Run
    from landcover.stages.map import map_scene, on_cluster, verify
    from landcover.stages.map_cells import map_patches
    from landcover.stages.map_products import map_products

    run = Run(a.run)
    model = chosen_model(run, a.model) if a.features is None else _model_seeing(run, a)
    _require_fit(a)
    if model.kind.classifies_images:
        _refuse_what_pixels_need(a, model.name)
        paths = map_patches(run, model, a.stride or 32)
        for line in _held(run, model, paths[0]):
            print(line)
        return paths
    if a.stride:
        raise InputError(
            f"--stride {a.stride} is for models of whole images, and {model.name} sees every "
            "pixel; leave it out"
        )
    with on_cluster(a.scheduler) as client:
        how = {
            "tile_px": a.tile_px,
            "probabilities": a.probabilities,
            "precision": a.precision,
            "client": client,
            "entropy": a.entropy,
            "applicability": a.applicability,
        }
        if a.products:
            paths = map_products(model, a.products, a.out or run.path / "products", **how)
            for note in never_mapped(model.card):
                print(f"note: {note}")
            return paths
        paths = map_scene(run, model, dates=a.dates, **how)
    for line in _held(run, model, paths[0]):
        print(line)
    if a.verify:
        found = verify(run, model, a.verify, a.seed, a.dates)
        print(f"against patch by patch on {found}")
    return paths


def _require_fit(a: Arguments) -> None:
    """Raise InputError if options of one scene and of a list of products are mixed."""
    if a.products and a.verify:
        raise InputError("--verify is of one scene; give it without --products")
    if a.out and not a.products:
        raise InputError(f"--out {a.out} is where --products go; give it with --products")
    if a.dates and a.products:
        raise InputError("--dates are days of RUN; give them without --products")


def _held(run: Run, model: Model, path: Path) -> list[str]:
    """How much of a map has a class, why the rest has none, and which classes it never shows."""
    from landcover.files.class_rasters import class_pixels
    from landcover.files.rasters import grid_of
    from landcover.reports.left_out import map_pixels, never_mapped

    grid, prep = grid_of(path), run.read_manifest()["stages"].get("prep", {})
    said = map_pixels(sum(class_pixels(path).values()), grid.rows * grid.cols, model.bands)
    reasons = [f"{n:,} {why}" for why, n in prep.get("pixels", {}).items() if n and why != "data"]
    if reasons and "without" in said:
        said += f" (pixels of the scene without data: {', '.join(reasons)})"
    return [f"map: {said}", *(f"note: {note}" for note in never_mapped(model.card))]


def _model_seeing(run: Run, a: Arguments) -> Model:
    """The model of --model, or the run's newest one, that was trained with the --features."""
    from landcover.files.rasters import band_names
    from landcover.scene.feature_names import layers_of
    from landcover.stages.models import models_of_run, newest

    layers = layers_of(band_names(run.require("scene")), a.features)
    wanted = (layers.bands, layers.unseen, sorted(layers.features))

    def sees(model: Model) -> bool:
        held = model.inputs
        return (held.bands, held.unseen, sorted(held.features)) == wanted

    model = chosen_model(run, a.model) if a.model else None
    if model is None:
        model = newest([held for held in models_of_run(run) if sees(held)])
    if model is None or not sees(model):
        found = f"{run.path} has none"
        if model:
            found = f"model {model.name} sees {' '.join(model.inputs.columns)}"
        asked = " ".join(map(typed, a.features))
        raise InputError(
            f"--features {asked} asks for a model that was trained with these, and {found}; train "
            f"one: landcover train random-forest {typed(run.path)} --features {asked}"
        )
    return model


def _refuse_what_pixels_need(a: Arguments, model: str) -> None:
    """Raise InputError if something was asked for that patches do not give."""
    asked = {
        "--products": a.products,
        "--probabilities": a.probabilities,
        "--entropy": a.entropy,
        "--applicability": a.applicability,
        "--verify": a.verify,
        "--scheduler": a.scheduler,
        "--dates": a.dates,
        "--precision": a.precision != "auto",
        "--tile-px": a.tile_px != _TILE_PX,
    }
    given = [option for option, value in asked.items() if value]
    if given:
        raise InputError(
            f"{', '.join(given)}: of maps of pixels, and {model} classifies whole images; "
            "leave it out, or choose a model of pixels"
        )


def chosen_model(run: Run, given: str | None) -> Model:
    """The model that is named, by its name or folder, or else the run's newest patch CNN."""
    from landcover.stages.models import default_map_model, model_of_run

    return model_of_run(run, given) if given else default_map_model(run)


def _define_export(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model", help="name of a model of the run, or its folder; the newest patch CNN by default"
    )
    what.add_argument(
        "--vectors",
        choices=("gpkg",),
        help="instead of a model: samples, splits and segments of the run as a GeoPackage",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to write (default: the model's folder, and of vectors the run's)",
    )


def _export(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.export import export
    from landcover.stages.export_vectors import export_vectors, left_out

    if a.vectors:
        paths = export_vectors(Run(a.run), a.out)
        for remark in left_out(Run(a.run)):
            print(f"note: {remark}")
        return paths
    exported = export(chosen_model(Run(a.run), a.model), a.out)
    for remark in exported.remarks:
        print(remark)
    return exported.paths


def _define_compare(parser: argparse.ArgumentParser) -> None:
    add_run(parser)


def _compare(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.compare import compare
    from landcover.stages.store import read_comparison

    paths = compare(Run(a.run))
    found = read_comparison(Run(a.run).path)
    print(found["headline"])
    for note in found["left_out"]:
        print(f"note: {note}")
    return paths


def _define_bench_tile(parser: argparse.ArgumentParser) -> None:
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size", type=COUNT, metavar="PX", help="side of the scene in pixels (default 10980)"
    )
    size.add_argument(
        "--share",
        nargs="+",
        type=SHARE,
        metavar="SHARE",
        help="parts of a tile, such as 1/16 1/4 1; several show how the cost grows",
    )
    parser.add_argument("--samples", type=COUNT, default=40_000, help="number to train with")
    add_seed(parser)
    parser.add_argument(
        "--folder",
        dest="run",
        type=Path,
        default=Path("data/bench"),
        metavar="FOLDER",
        help="where scenes, runs and tables go (default data/bench; 5 GB for a tile); "
        "remove it to make the scenes again",
    )


def _bench_tile(a: Arguments) -> list[Path]:
    from landcover.commands.bench import TILE_PX, bench_tile
    from landcover.files.texts import read_text

    sizes = [a.size or TILE_PX]
    if a.share:
        sizes = [round(TILE_PX * float(share) ** 0.5) for share in a.share]
    paths = bench_tile(a.run, sizes, a.samples, a.seed, tell=print)
    print(read_text(paths[0], "table", "measure again"))
    return paths


COMMANDS: dict[str, Command] = {
    "map": ("Map a scene wall to wall with a trained model.", _define_map, _map),
    "export": (
        "Write a model, or a run's samples and segments, as other programs read it.",
        _define_export,
        _export,
    ),
    "compare": ("Set the classifiers' scores and maps side by side.", _define_compare, _compare),
    "bench tile": (
        "Take a tile through every stage; print time, memory and where the time goes.",
        _define_bench_tile,
        _bench_tile,
    ),
}
