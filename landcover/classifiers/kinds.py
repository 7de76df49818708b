"""The kinds of models, one row each, from which all that depends on a kind is made.

Importing this loads neither scikit-learn nor Keras: the functions of a row import what they need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from landcover.classifiers import (
    any_estimator,
    lightgbm_models,
    mlp,
    patch_cnn,
    row_models,
    sequence_models,
    stored_networks,
    tile_models,
)
from landcover.classifiers.kind import Choices, Kind, Option
from landcover.classifiers.learnt_dates import FIXED, RANDOM
from landcover.errors import InputError

_CLASS_WEIGHT = Option(
    "class_weight",
    type=str,
    choices=("balanced",),
    help="weigh rare classes up in training",
)
_LEAF_SIZES = Option("leaf_sizes", (), many=True)
_PATCH_OPTIONS = (
    _CLASS_WEIGHT,
    Option(
        "patch_size",
        patch_cnn.PATCH_SIZE,
        help=f"side of the patch, odd, 3 to 61 (default {patch_cnn.PATCH_SIZE})",
    ),
    Option(
        "batches_of",
        "auto",
        str,
        "chips one by one, or tiles that share convolutions; "
        "auto estimates both and takes the cheaper",
        "--train-on",
        ("auto", "chips", "tiles"),
    ),
    Option(
        "epochs", patch_cnn.EPOCHS, help=f"epochs at most (default {patch_cnn.EPOCHS})", shown=False
    ),
    Option(
        "encoder",
        type=Path,
        metavar="MODEL_FOLDER",
        help="start from an encoder, such as runs/bigearth/models/encoder-7x7; they are made in a "
        "checkout of the project, by python -m experiments.bigearth_train",
    ),
    Option("freeze", False, bool, "leave the encoder's convolutions as they are"),
    Option("patience", patch_cnn.PATIENCE),
)

_DATES = Option(
    "dates",
    (),
    str,
    "days of the run to learn from (default all)",
    many=True,
    metavar="DAY",
    shown=False,
)
_SEQUENCE_EPOCHS = Option(
    "epochs",
    sequence_models.EPOCHS,
    help=f"epochs at most (default {sequence_models.EPOCHS})",
    shown=False,
)
_TILE_OPTIONS = (
    Option(
        "class_weight",
        "balanced",
        str,
        "weigh classes by their inverse frequency (default), or all alike",
        choices=("balanced", "none"),
        shown=False,
    ),
    Option(
        "epochs",
        tile_models.EPOCHS,
        help=f"epochs at most (default {tile_models.EPOCHS}); a ConvLSTM has half as many",
        shown=False,
    ),
    Option(
        "backbone",
        "small",
        str,
        "the half of the U-Net that looks closer",
        choices=("small", "vgg19", "resnet50"),
    ),
    Option(
        "weights",
        type=str,
        help="weights of the backbone as Keras has them without its top, ..._notop.h5; drawn at "
        "random without",
        metavar="FILE",
    ),
)

_ROWS = (
    Kind(
        name="forest",
        command="random-forest",
        titles={"": "random forest"},
        file="model.skops",
        sees="pixel",
        architecture="random forest",
        framework="scikit-learn",
        trainer=row_models.forest_trainer,
        load=row_models.load,
        export=row_models.export_forest,
        options=(_CLASS_WEIGHT, _LEAF_SIZES),
        votes="trees",
        summary="Train a random forest and map with it.",
        described={"": "bands and features (NDVI, NDWI, BI2) of one pixel; 100 trees"},
        chosen="leaf size among 1, 5, 20, 50",
    ),
    Kind(
        name="knn",
        command="knn",
        titles={"": "k-nearest-neighbours classifier"},
        file="model.skops",
        sees="pixel",
        architecture="k-nearest neighbours",
        framework="scikit-learn",
        trainer=row_models.neighbours_trainer,
        load=row_models.load,
        export=row_models.export_neighbours,
        votes="neighbours",
        summary="Train nearest neighbours and map with them.",
        described={"": "the same, standardised"},
        chosen="neighbours among 5, 15, 45",
    ),
    Kind(
        name="extra-trees",
        command="extra-trees",
        titles={"": "extra trees"},
        file="model.skops",
        sees="pixel",
        architecture="extremely randomised trees",
        framework="scikit-learn",
        trainer=row_models.extra_trees_trainer,
        load=row_models.load,
        export=row_models.export_forest,
        options=(_CLASS_WEIGHT, _LEAF_SIZES),
        votes="trees",
        summary="Train extra trees and map with them.",
        described={"": "the same; 100 trees of random thresholds"},
        chosen="leaf size among 1, 5, 20, 50",
    ),
    Kind(
        name="hist-gradient-boosting",
        command="hist-gradient-boosting",
        titles={"": "gradient boosting"},
        file="model.skops",
        sees="pixel",
        architecture="histogram gradient boosting",
        framework="scikit-learn",
        trainer=row_models.boosting_trainer,
        load=row_models.load,
        export=row_models.export_boosting,
        options=(_CLASS_WEIGHT,),
        summary="Train scikit-learn's boosted trees and map with them.",
        described={"": "the same; boosted trees of 31 leaves"},
        chosen="trees of each class among 10, 30, 100",
    ),
    Kind(
        name="lightgbm",
        command="lightgbm",
        titles={"": "LightGBM"},
        file="model.txt",
        sees="pixel",
        architecture="gradient boosting",
        framework="LightGBM",
        trainer=lightgbm_models.trainer,
        load=lightgbm_models.load,
        export=lightgbm_models.export,
        options=(_CLASS_WEIGHT,),
        summary="Train LightGBM's boosted trees (the extra lightgbm) and map with them.",
        described={"": "the same; boosted trees of 31 leaves; the extra `lightgbm`"},
        chosen="trees of each class among 10, 30, 100",
    ),
    Kind(
        name="svm",
        command="svm",
        titles={"": "SVM"},
        file="model.skops",
        sees="pixel",
        architecture="support vector machine, RBF kernel by a Nystroem map",
        framework="scikit-learn",
        trainer=row_models.svm_trainer,
        load=row_models.load,
        export=row_models.export_scores,
        options=(_CLASS_WEIGHT,),
        summary="Train a support vector machine with an RBF kernel and map with it.",
        described={"": "the same, standardised; RBF kernel to 200 training rows (Nystroem map)"},
        chosen="gamma times inputs among 0.5, 2, 8",
    ),
    Kind(
        name="logistic-regression",
        command="logistic-regression",
        titles={"": "logistic regression"},
        file="model.skops",
        sees="pixel",
        architecture="multinomial logistic regression",
        framework="scikit-learn",
        trainer=row_models.logistic_trainer,
        load=row_models.load,
        export=row_models.export_scores,
        options=(_CLASS_WEIGHT,),
        summary="Train logistic regression and map with it.",
        described={"": "the same, standardised"},
        chosen="C among 0.01, 1, 100",
    ),
    Kind(
        name="nearest-centroid",
        command="nearest-centroid",
        titles={"": "nearest centroid"},
        file="model.skops",
        sees="pixel",
        architecture="nearest shrunken centroid",
        framework="scikit-learn",
        trainer=row_models.centroids_trainer,
        load=row_models.load,
        export=row_models.export_scores,
        summary="Train nearest centroids and map with them.",
        described={
            "": "the same, standardised; probabilities are the softmax of minus the squared "
            "distance"
        },
        chosen="shrinkage among 0, 5, 20",
    ),
    Kind(
        name="estimator",
        command="estimator",
        titles={"": "scikit-learn estimator"},
        file="model.skops",
        sees="pixel",
        architecture="scikit-learn estimator",
        framework="scikit-learn",
        trainer=any_estimator.trainer,
        load=any_estimator.load,
        options=(
            Option(
                "estimator",
                type=str,
                help="import path of a classifier of scikit-learn with predict_proba, such as "
                "sklearn.neighbors.RadiusNeighborsClassifier",
                metavar="PATH",
                shown=False,
            ),
            Option(
                "parameters",
                (),
                str,
                "its parameters; values are Python literals, and text otherwise",
                "--parameter",
                many=True,
                metavar="KEY=VALUE",
                shown=False,
            ),
        ),
        form=any_estimator.form_of,
        summary="Train any classifier of scikit-learn and map with it.",
        described={"": "the same, standardised; any classifier of scikit-learn (`--estimator`)"},
        chosen="nothing",
    ),
    Kind(
        name="mlp",
        command="mlp",
        titles={"": "MLP", "segments": "MLP with segment types"},
        file="model.keras",
        sees="pixel",
        architecture="MLP",
        framework="Keras",
        trainer=mlp.trainer,
        load=mlp.load,
        export=stored_networks.export_network,
        options=(
            _CLASS_WEIGHT,
            Option(
                "segment_layers",
                mlp.SEGMENT_LAYERS,
                str,
                "layers of segment_types.tif to learn from (default hierarchy-8); "
                "percentile is the published way",
                "--segment-types",
                many=True,
                metavar="LAYER",
                nothing=("--no-segments", "leave the segment types out"),
                shown=False,
            ),
            Option(
                "epochs", mlp.EPOCHS, help=f"epochs at most (default {mlp.EPOCHS})", shown=False
            ),
        ),
        form=lambda choices: "segments" if choices["segment_layers"] else "",
        summary="Train an MLP and map with it.",
        described={
            "": "the same; 400-300-200 units, dropout 0.3",
            "segments": "the same and the segment type, one-hot: eight colours of the hierarchy "
            "(`--segment-types percentile` is the published way)",
        },
        chosen="when to stop",
    ),
    Kind(
        name="cnn",
        command="cnn",
        titles={"": "patch CNN"},
        file="model.keras",
        sees="patch",
        architecture="CNN",
        framework="Keras",
        trainer=patch_cnn.PatchTrainer,
        load=patch_cnn.load,
        export=stored_networks.export_network,
        dense=True,
        options=_PATCH_OPTIONS,
        form=patch_cnn.form_of,
        maps=False,
        summary="Train a patch CNN.",
        described={"": "bands of the N x N pixels around a pixel; N odd, 3 to 61"},
        chosen="when to stop",
    ),
    Kind(
        name="cnn-published",
        command="cnn",
        titles={"published": "published CNN"},
        file="model.keras",
        sees="patch",
        architecture="CNN",
        framework="Keras",
        trainer=patch_cnn.published_trainer,
        load=patch_cnn.load,
        export=stored_networks.export_network,
        options=_PATCH_OPTIONS,
        form=lambda _choices: "published",
        switch=Option(
            "published", False, bool, "the published same-padded network, for comparison"
        ),
        maps=False,
        described={"published": "the same; same-padded 8-16-32-64-128-128, dense 1000"},
        chosen="when to stop",
    ),
    Kind(
        name="sequence-forest",
        command="sequence-forest",
        titles={"": "random forest of dates"},
        file="model.skops",
        sees="sequence",
        architecture="random forest",
        framework="scikit-learn",
        trainer=sequence_models.forest_trainer,
        load=sequence_models.load_forest,
        options=(_CLASS_WEIGHT, _LEAF_SIZES, _DATES),
        learns_dates=sequence_models.any_dates,
        votes="trees",
        summary="Train a random forest on all dates of a run and map with it.",
        described={
            "": "bands of a pixel on every date, gaps filled in time, and mean and percentiles of "
            "bands and NDVI over the valid dates; 100 trees"
        },
        chosen="leaf size among 1, 5, 20, 50",
    ),
    Kind(
        name="ltae",
        command="ltae",
        titles={"": "temporal attention"},
        file="model.keras",
        sees="sequence",
        architecture="L-TAE",
        framework="Keras",
        trainer=sequence_models.ltae_trainer,
        load=sequence_models.load_ltae,
        options=(_CLASS_WEIGHT, _SEQUENCE_EPOCHS, _DATES),
        learns_dates=sequence_models.any_dates,
        summary="Train lightweight temporal attention on the dates of a run and map with it.",
        described={
            "": "bands of a pixel on any dates, each with its day of year; masked dates do not "
            "enter; about 9,000 weights"
        },
        chosen="when to stop",
    ),
    Kind(
        name="ltae-segments",
        command="ltae-segments",
        titles={"": "temporal attention of segments"},
        file="model.keras",
        sees="sequence",
        segments=True,
        architecture="L-TAE",
        framework="Keras",
        trainer=sequence_models.ltae_trainer,
        load=sequence_models.load_segment_ltae,
        options=(_CLASS_WEIGHT, _SEQUENCE_EPOCHS, _DATES),
        learns_dates=sequence_models.any_dates,
        summary="Train temporal attention on the means of a run's segments and map with it.",
        described={"": "the same of the means of a pixel's segment on every date"},
        chosen="when to stop",
    ),
    Kind(
        name="tempcnn",
        command="tempcnn",
        titles={"": "temporal CNN"},
        file="model.keras",
        sees="sequence",
        architecture="temporal CNN",
        framework="Keras",
        trainer=sequence_models.temporal_cnn_trainer,
        load=sequence_models.load_temporal_cnn,
        options=(_CLASS_WEIGHT, _SEQUENCE_EPOCHS, _DATES),
        learns_dates=sequence_models.any_dates,
        summary="Train a temporal CNN on the dates of a run and map with it.",
        described={
            "": "bands of a pixel on the days of the training, gaps filled in time; three "
            "convolutions along the dates"
        },
        chosen="when to stop",
    ),
    Kind(
        name="unet",
        command="unet",
        titles={"": "U-Net", "dates": "U-Net of single dates"},
        file="model.keras",
        sees="tile",
        architecture="U-Net",
        framework="Keras",
        trainer=tile_models.unet_trainer,
        load=tile_models.load,
        options=(
            *_TILE_OPTIONS,
            replace(_DATES, help="days of the run to learn one by one (default: its scene)"),
        ),
        learns_dates=tile_models.single_dates,
        form=tile_models.dates_form,
        summary="Train a U-Net on the scene of a run, or on single dates, and map with it.",
        described={
            "": "bands of a tile of 32 x 32 pixels; its middle 16 x 16 are mapped",
            "dates": "the same of one date, and its day of year",
        },
        chosen="when to stop",
    ),
    Kind(
        name="unet-convlstm",
        command="unet-convlstm",
        titles={"": "U-Net and ConvLSTM", "random": "U-Net and ConvLSTM of random dates"},
        file="model.keras",
        sees="tile",
        architecture="U-Net and bidirectional ConvLSTM",
        framework="Keras",
        trainer=tile_models.convlstm_trainer,
        load=tile_models.load,
        options=(
            *_TILE_OPTIONS,
            _DATES,
            Option(
                "sequence_length",
                help="dates that are read together (default 6, or those of --dates)",
            ),
            Option(
                "date_choice",
                FIXED,
                str,
                "always the same dates, or so many drawn from all for every batch",
                choices=(FIXED, RANDOM),
            ),
        ),
        learns_dates=tile_models.sequences,
        form=tile_models.choice_form,
        summary="Train a U-Net under a ConvLSTM on sequences of dates and map with it.",
        described={
            "": "tiles of 32 x 32 pixels on six dates, with their days of year",
            "random": "the same; six of all dates, drawn again for every batch",
        },
        chosen="when to stop",
    ),
    Kind(
        name="image",
        file="model.keras",
        sees="image",
        architecture="CNN",
        framework="Keras",
        load=stored_networks.load_image_classifier,
        export=stored_networks.export_network,
    ),
    Kind(
        name="encoder",
        file="model.keras",
        sees="encoder",
        architecture="CNN",
        framework="Keras",
        load=stored_networks.load_network,
    ),
)

#: Every kind by its name.
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ROWS}


def commands() -> dict[str, list[Kind]]:
    """Kinds that are trained on samples, by their command, the default one first."""
    found: dict[str, list[Kind]] = {}
    for kind in KINDS.values():
        if kind.trainer is not None:
            found.setdefault(kind.command, []).append(kind)
    return found


def trained_kind(name: str, given: Mapping[str, object]) -> tuple[Kind, Choices]:
    """The kind that is to be trained, and all choices of its training.

    Parameters
    ----------
    name : str
        Of a command, such as "random-forest", or of a kind.
    given : mapping
        What is chosen, by the names of options.

    Raises
    ------
    InputError
        If there is no such kind or choice.

    Examples
    --------
    >>> kind, choices = trained_kind("cnn", {"published": True, "patch_size": 5})
    >>> kind.name, choices["patch_size"], choices["epochs"]
    ('cnn-published', 5, 40)
    """
    found = commands()
    if name in found:
        first, *others = found[name]
        switches = {kind.switch.name: kind for kind in others if kind.switch is not None}
        chosen = [kind for switch, kind in switches.items() if given.get(switch)]
        given = {key: value for key, value in given.items() if key not in switches}
        kind = chosen[0] if chosen else first
    elif name in KINDS and KINDS[name].trainer is not None:
        kind = KINDS[name]
    else:
        raise InputError(f"kind {name!r} is unknown; choose among {', '.join(found)}")
    return kind, kind.choose(given, name)


def table() -> str:
    """The kinds that are trained on samples, as the Markdown table of the documentation."""
    lines = ["| model | sees | chosen on validation |", "|---|---|---|"]
    for kind in KINDS.values():
        size = "NxN" if kind.takes_patches else ""
        for form, sees in kind.described.items():
            name = "-".join(part for part in (kind.command, size, form) if part)
            lines.append(f"| `{name}` | {sees} | {kind.chosen} |")
    return "\n".join(lines)
