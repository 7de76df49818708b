"""What each command takes and does; the stages themselves are in `workflows`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.errors import LandcoverError
from landcover.options import (
    ANY,
    COUNT,
    COUNT_OR_NONE,
    DEFAULT_RUN,
    POSITIVE,
    add_map_choice,
    add_random_split,
    add_run,
    add_sampling,
    add_seed,
    add_segmentation,
    add_training,
)

if TYPE_CHECKING:
    from landcover.runs import Run

Arguments = argparse.Namespace


def _define_prep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bands",
        nargs="+",
        type=Path,
        action="extend",
        metavar="TIF",
        help="B02 B03 B04 B08, or a stacked file; more files are further tiles of the date",
    )
    parser.add_argument(
        "--product", type=Path, action="append", metavar="X.SAFE", help="a Sentinel-2 product"
    )
    parser.add_argument(
        "--band-names",
        nargs="+",
        metavar="NAME",
        help="bands of a stacked file, or of the files in order",
    )
    parser.add_argument("--labels", type=Path, metavar="CORINE.tif", help="coarse labels")
    parser.add_argument("--reference", type=Path, metavar="TRUTH.tif", help="better labels")
    area = parser.add_mutually_exclusive_group()
    area.add_argument("--aoi", type=Path, metavar="AOI.geojson", help="area of interest")
    area.add_argument(
        "--bbox", nargs=4, type=ANY, metavar=("W", "S", "E", "N"), help="area of interest"
    )
    parser.add_argument("--segment", action="store_true", help="segment the scene too")
    add_segmentation(parser)
    parser.add_argument(
        "--quantification",
        type=POSITIVE,
        default=10_000.0,
        help="reflectance = (dn + offset) / quantification; of loose files (default 10000)",
    )
    parser.add_argument(
        "--offset",
        type=ANY,
        default=0.0,
        help="-1000 from processing baseline 04.00 on; of loose files (default 0)",
    )
    parser.add_argument(
        "--level", type=int, choices=(1, 2, 3), default=3, help="level of the CORINE legend"
    )
    add_sampling(parser)
    add_seed(parser)
    parser.add_argument(
        "--out", dest="run", type=Path, default=DEFAULT_RUN, metavar="RUN", help="run folder"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="remove what was made of another scene"
    )


def _prep(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.prep import prepare
    from landcover.workflows.sample import sample
    from landcover.workflows.segment import segment
    from landcover.workflows.staging import staged

    tiles, labels, reference = _sources(a)
    for warning in _warnings(tiles):
        print(f"warning: {warning}", file=sys.stderr)
    run = Run(a.run)
    with staged(run, a.overwrite) as stage:
        paths = prepare(
            stage, tiles, labels=labels, reference=reference, aoi=a.aoi or a.bbox, level=a.level
        )
        if a.segment:
            paths += segment(stage, a.scale, a.sigma, a.min_size)
        if labels is not None:
            paths += sample(stage, **_sampling(a))
            print(_drawn(stage))
    return [run.path / path.relative_to(stage.path) for path in paths]


def _sources(a: Arguments) -> tuple[list, Path | None, Path | None]:
    """Tiles, labels and reference that were asked for, or those of the demo scene."""
    from landcover import products
    from landcover.workflows.prep import demo_sources

    if a.bands and a.product:
        raise LandcoverError("--bands and --product were both given; give one of them")
    if a.product:
        return [products.from_safe(path) for path in a.product], a.labels, a.reference
    if a.bands:
        tiles = products.from_files(a.bands, a.quantification, a.offset, a.band_names or ())
        return tiles, a.labels, a.reference
    if a.labels or a.reference or a.aoi or a.bbox:
        raise LandcoverError(
            "labels, reference or area were given without a scene; "
            "give --bands B02.tif B03.tif B04.tif B08.tif or --product X.SAFE"
        )
    bands, corine, truth = demo_sources(Path("data/demo"), a.seed)
    return products.from_files(bands), corine, truth


def _warnings(tiles: list) -> list[str]:
    from landcover.products import radiometry_warning

    found = {radiometry_warning(tile): tile for tile in tiles}
    return [f"{tile.paths[0]}: {text}" for text, tile in found.items() if text]


def _sampling(a: Arguments) -> dict[str, Any]:
    return {
        "samples": a.samples,
        "method": "polygons" if a.polygons else a.method,
        "polygons": a.polygons,
        "class_field": a.class_field,
        "min_count": a.min_count,
        "max_patch": a.max_patch,
        "seed": a.seed,
    }


def _define_segment(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_segmentation(parser)


def _segment(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.segment import segment

    return segment(Run(a.run), a.scale, a.sigma, a.min_size)


def _define_sample(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_sampling(parser)
    parser.add_argument(
        "--buffer",
        type=COUNT_OR_NONE,
        metavar="R",
        help="also write chips of (2R + 1) x (2R + 1) pixels as one array",
    )
    add_seed(parser)


def _sample(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.sample import sample

    run = Run(a.run)
    paths = sample(run, **_sampling(a), buffer=a.buffer)
    print(_drawn(run))
    return paths


def _drawn(run: Run) -> str:
    """How many samples there are of each split, and which classes were too rare."""
    from landcover.runs import read_json

    settings = read_json(run.manifest)["stages"]["sample"]["settings"]
    text = "samples: " + ", ".join(f"{n} {split}" for split, n in settings["drawn"].items())
    if settings["dropped_classes"]:
        rare = ", ".join(f"{code} ({n} px)" for code, n in settings["dropped_classes"].items())
        text += f"; left out as too rare (--min-count): {rare}"
    return text


def _define_forest(parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    add_map_choice(parser)


def _train_forest(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.train import train_forest

    run = Run(a.run)
    paths = train_forest(run, **_training(a))
    return paths + _mapped(run, "random-forest", a)


def _define_knn(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_random_split(parser)
    add_seed(parser)
    add_map_choice(parser)


def _train_knn(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.train import train_knn

    run = Run(a.run)
    paths = train_knn(run, a.seed, random_split=not a.no_random_split)
    return paths + _mapped(run, "knn", a)


def _define_mlp(parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    types = parser.add_mutually_exclusive_group()
    types.add_argument("--no-segments", action="store_true", help="leave the segment types out")
    types.add_argument(
        "--segment-types",
        nargs="+",
        metavar="LAYER",
        help="layers of segment_types.tif to learn from (default hierarchy-8); "
        "percentile is the published way",
    )
    parser.add_argument("--epochs", type=COUNT, help="epochs at most")
    add_map_choice(parser)


def _train_mlp(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.train import MLP_EPOCHS, SEGMENT_LAYERS, train_mlp

    run = Run(a.run)
    layers = a.segment_types or SEGMENT_LAYERS
    epochs = a.epochs or MLP_EPOCHS
    paths = train_mlp(run, not a.no_segments, epochs=epochs, segment_layers=layers, **_training(a))
    return paths + _mapped(run, "mlp" if a.no_segments else "mlp-segments", a)


def _training(a: Arguments) -> dict[str, Any]:
    return {
        "seed": a.seed,
        "class_weight": a.class_weight,
        "trained_on": a.trained_on,
        "random_split": not a.no_random_split,
    }


def _mapped(run: Run, model: str, a: Arguments) -> list[Path]:
    from landcover.workflows.map import map_scene
    from landcover.workflows.training import named

    trained_on = getattr(a, "trained_on", "labels")
    return [] if a.no_map else map_scene(run, named(model, trained_on))


def _define_cnn(parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    parser.add_argument(
        "--patch-size", type=COUNT, default=7, help="side of the patch, odd, 3 to 61 (default 7)"
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="the published same-padded network, for comparison",
    )
    parser.add_argument("--epochs", type=COUNT, help="epochs at most")


def _train_cnn(a: Arguments) -> list[Path]:
    from landcover.runs import Run
    from landcover.workflows.train import CNN_EPOCHS, train_cnn

    kind = "published" if a.published else "valid"
    epochs = a.epochs or CNN_EPOCHS
    return train_cnn(Run(a.run), a.patch_size, kind, epochs=epochs, **_training(a))


def _define_map(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--model",
        help="name of a model of the run, or the folder of another run's model; "
        "the newest patch CNN by default",
    )
    parser.add_argument(
        "--tile-px",
        type=COUNT,
        default=1024,
        help="side of the tiles; the map does not depend on it",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="also write the probability of every class"
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
    from landcover.runs import Run
    from landcover.workflows.map import map_scene, verify

    run = Run(a.run)
    home, model = _model_of(run, a.model)
    paths = map_scene(run, model, a.tile_px, a.probabilities, trained_in=home)
    if a.verify:
        found = verify(run, model, a.verify, a.seed, trained_in=home)
        print(
            f"against patch by patch on {found.pixels} random pixels: largest difference of a "
            f"probability {found.largest_difference:.2g}, labels that differ {found.mismatches}"
        )
    return paths


def _model_of(run: Run, model: str | None) -> tuple[Run, str]:
    """The run that holds a model, and the model's name."""
    from landcover.runs import Run

    if model and (Path(model) / "card.json").exists():
        folder = Path(model).resolve()
        return Run(folder.parent.parent), folder.name
    if model:
        return run, model
    cards = sorted(run.path.glob("models/cnn-*/card.json"), key=lambda path: path.stat().st_mtime)
    if not cards:
        raise LandcoverError(
            f"{run.path} has no patch CNN; train one with: python patches.py {run.path}"
        )
    return run, cards[-1].parent.name


def _define_compare(parser: argparse.ArgumentParser) -> None:
    add_run(parser)


def _compare(a: Arguments) -> list[Path]:
    from landcover.reports import read_comparison
    from landcover.runs import Run
    from landcover.workflows.compare import compare

    paths = compare(Run(a.run))
    print(read_comparison(Run(a.run))["headline"])
    return paths


Command = tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[Arguments], list[Path]]]
COMMANDS: dict[str, Command] = {
    "prep": ("Bring source rasters to a scene, its labels and samples.", _define_prep, _prep),
    "segment": ("Segment a scene and type its segments.", _define_segment, _segment),
    "sample": ("Draw samples and deal blocks to splits.", _define_sample, _sample),
    "train random-forest": (
        "Train a random forest and map with it.",
        _define_forest,
        _train_forest,
    ),
    "train knn": ("Train nearest neighbours and map with them.", _define_knn, _train_knn),
    "train mlp": ("Train an MLP and map with it.", _define_mlp, _train_mlp),
    "train cnn": ("Train a patch CNN.", _define_cnn, _train_cnn),
    "map": ("Map a scene wall to wall with a trained model.", _define_map, _map),
    "compare": ("Set the classifiers' scores and maps side by side.", _define_compare, _compare),
}
