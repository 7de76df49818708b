"""From samples to trained classifiers: what the commands take and do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landcover.commands.options import (
    COUNT,
    Arguments,
    Command,
    add_denoise,
    add_map_choice,
    add_random_split,
    add_run,
    add_seed,
    add_training,
)

if TYPE_CHECKING:
    from landcover.run import Run


def _define_forest(parser: argparse.ArgumentParser) -> None:
    add_training(parser)
    add_map_choice(parser)


def _train_forest(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.train import train_forest

    run = Run(a.run)
    paths = train_forest(run, **_training(a))
    return paths + _mapped(run, "random-forest", a)


def _define_knn(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_denoise(parser)
    add_random_split(parser)
    add_seed(parser)
    add_map_choice(parser)


def _train_knn(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.train import train_knn

    run = Run(a.run)
    paths = train_knn(run, a.seed, random_split=not a.no_random_split, denoise=a.denoise)
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
    from landcover.run import Run
    from landcover.stages.train import MLP_EPOCHS, SEGMENT_LAYERS, train_mlp

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
        "denoise": a.denoise,
    }


def _mapped(run: Run, model: str, a: Arguments) -> list[Path]:
    from landcover.classifiers.names import named
    from landcover.stages.map import map_scene

    trained_on = getattr(a, "trained_on", "labels")
    return [] if a.no_map else map_scene(run, named(model, trained_on, a.denoise))


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
    parser.add_argument(
        "--train-on",
        choices=("auto", "chips", "tiles"),
        default="auto",
        help="chips one by one, or tiles that share convolutions; "
        "auto estimates both and takes the cheaper",
    )
    parser.add_argument("--epochs", type=COUNT, help="epochs at most")
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="MODEL_FOLDER",
        help="start from an encoder of experiments.bigearth_train, such as "
        "runs/bigearth/models/encoder-7x7",
    )
    parser.add_argument(
        "--freeze", action="store_true", help="leave the encoder's convolutions as they are"
    )


def _train_cnn(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.train import CNN_EPOCHS, train_cnn

    kind = "published" if a.published else "valid"
    epochs = a.epochs or CNN_EPOCHS
    return train_cnn(
        Run(a.run),
        a.patch_size,
        kind,
        epochs=epochs,
        train_on=a.train_on,
        encoder=a.encoder,
        freeze=a.freeze,
        **_training(a),
    )


COMMANDS: dict[str, Command] = {
    "train random-forest": (
        "Train a random forest and map with it.",
        _define_forest,
        _train_forest,
    ),
    "train knn": ("Train nearest neighbours and map with them.", _define_knn, _train_knn),
    "train mlp": ("Train an MLP and map with it.", _define_mlp, _train_mlp),
    "train cnn": ("Train a patch CNN.", _define_cnn, _train_cnn),
}
