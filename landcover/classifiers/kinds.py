"""The kinds of models, one row each, from which all that depends on a kind is made.

Importing this loads neither scikit-learn nor Keras: the functions of a row import what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

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
from landcover.classifiers.fitting import Trainer
from landcover.classifiers.learnt_dates import FIXED, RANDOM, LearntDates
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError, require_among, require_whole

if TYPE_CHECKING:
    from onnx import ModelProto

#: What is chosen of a training, by the names of options, each of which says its type.
Choices: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """Something to choose of a training: an argument of its trainer, an option of its command.

    Attributes
    ----------
    name : str
        Of the argument.
    default : object
        What is taken unless something is chosen.
    type : type
        `bool` is a switch, `int` a number of at least 1; a `Path` is the folder of a model,
        which the trainer gets opened.
    help : str
        For people; empty for what the command line does not offer.
    flag : str
        What the command line calls it, where that is not its name.
    choices : tuple of str
        The values there are, where they are few.
    many : bool
        Whether it takes several values.
    metavar : str, optional
        What the command's help calls a value.
    nothing : tuple of (str, str), optional
        A switch of the command line that chooses no value, and what it is for.
    shown : bool
        Whether the command prints the default among its settings.
    """

    name: str
    default: object = None
    type: type = int
    help: str = ""
    flag: str = ""
    choices: tuple[str, ...] = ()
    many: bool = False
    metavar: str | None = None
    nothing: tuple[str, str] | None = None
    shown: bool = True

    def checked(self, value: object) -> object:
        """A value as a trainer takes it: of one that takes several, a tuple.

        Raises
        ------
        InputError
            If it is not of the type, or among the choices.
        """
        if value is None:
            return value
        if not self.many:
            return self._one(value)
        if isinstance(value, str) or not isinstance(value, Iterable):
            value = (value,)
        return tuple(self._one(one) for one in value)

    def _one(self, value: object) -> object:
        if self.type is int:
            require_whole(self.name, value)
        if self.choices:
            require_among(self.name, value, self.choices)
        return value


def _no_form(_choices: Mapping[str, object]) -> str:
    return ""


@dataclass(frozen=True)
class Kind:
    """A kind of models.

    Attributes
    ----------
    name : str
        As cards have it.
    file : str
        Name of the model's file.
    sees : {"pixel", "patch", "sequence", "tile", "image", "encoder"}
        What a prediction is made from: a pixel's bands and features, the bands around a pixel,
        a pixel's bands on several dates, a tile of pixels on one or several dates, or a whole
        image. An encoder only helps others to learn.
    architecture, framework : str
        In the words of STAC's extension for machine-learning models.
    load : callable
        A model's file and signature to its classifier; the network of an encoder. `sees` says
        which, so no one type does.
    export : callable, optional
        A model's file to ONNX, or None where it has no such form, and remarks.
    dense : bool
        Whether it is a network that runs over whole windows, so that engines can be chosen.
    command : str
        What names of its models begin with, and what `landcover train` calls it.
    titles : mapping of str to str
        The kind in words, by the form that a name says after it; "" is the plain one.
    trainer : callable, optional
        A `Setup` and the choices to a function that trains on rows; None for kinds that are
        not trained on the samples of a run.
    options : tuple of Option
        What can be chosen.
    form : callable
        Choices to what the name says of them.
    switch : Option, optional
        Chooses this kind instead of the first one of its command.
    votes : str
        Setting of a model that says by how many votes its probabilities are counted; empty
        where they are not counted.
    learns_dates : callable, optional
        Choices and the days of a run to the dates that are learnt; None of them for a single image.
    segments : bool
        Whether its models read means of segments instead of pixels.
    maps : bool
        Whether its command maps after training, unless told not to.
    summary : str
        What its command does.
    described, chosen : mapping of str to str, str
        For the table of the documentation: what a model sees, by form, and what is chosen on
        validation.
    """

    name: str
    file: str
    sees: Literal["pixel", "patch", "sequence", "tile", "image", "encoder"]
    architecture: str
    framework: Literal["scikit-learn", "LightGBM", "Keras"]
    load: Callable[[Path, Signature], Any]
    export: Callable[[Path], tuple[ModelProto | None, list[str]]] | None = None
    dense: bool = False
    command: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    trainer: Callable[..., Trainer] | None = None
    options: tuple[Option, ...] = ()
    form: Callable[[Mapping[str, object]], str] = _no_form
    switch: Option | None = None
    votes: str = ""
    learns_dates: Callable[[Mapping[str, Any], tuple[str, ...]], LearntDates | None] | None = None
    segments: bool = False
    maps: bool = True
    summary: str = ""
    described: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""

    @property
    def maps_pixels(self) -> bool:
        """Whether its models give every pixel of one image a class."""
        return self.sees in ("pixel", "patch")

    @property
    def reads_dates(self) -> bool:
        """Whether its models can read several dates."""
        return self.sees in ("sequence", "tile")

    @property
    def needs_dates(self) -> bool:
        """Whether its models read several dates whatever is chosen."""
        return self.sees == "sequence" or (self.sees == "tile" and "sequence_length" in self._taken)

    @property
    def _taken(self) -> set[str]:
        return {option.name for option in self.options}

    @property
    def learns_tiles(self) -> bool:
        """Whether its models learn from tiles of pixels that all have a label."""
        return self.sees == "tile"

    @property
    def classifies_images(self) -> bool:
        """Whether its models give a whole image a class."""
        return self.sees == "image"

    @property
    def has_classes(self) -> bool:
        """Whether its models give classes at all, and do not just help others to learn."""
        return self.sees != "encoder"

    @property
    def takes_features(self) -> bool:
        """Whether its models read features of a pixel beside its bands."""
        return self.sees == "pixel"

    @property
    def takes_patches(self) -> bool:
        """Whether its models read the bands of the pixels around one."""
        return self.sees == "patch"

    @property
    def runs_on_keras(self) -> bool:
        """Whether the results of its models depend on the backend of Keras."""
        return self.framework == "Keras"

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"

    def choose(self, given: Mapping[str, object], name: str = "") -> Choices:
        """All choices, those given and defaults; `name` is what messages call the kind.

        Raises
        ------
        InputError
            If something is given that the kind does not take, or a value that it cannot be.
        """
        held = {option.name: option.default for option in self.options}
        unknown = sorted(set(given) - set(held))
        if unknown:
            takes = [*held, *(["features"] if self.takes_features else [])]
            raise InputError(
                f"{unknown[0]} is no choice of kind {name or self.name}; it takes "
                f"{', '.join(takes) or 'none'}"
            )
        options = {option.name: option for option in self.options}
        return held | {key: options[key].checked(value) for key, value in given.items()}


_CLASS_WEIGHT = Option(
    "class_weight",
    type=str,
    choices=("balanced",),
    help="weigh rare classes up in training",
)
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

_LEAF_SIZES = Option("leaf_sizes", (), many=True)
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
        help=f"epochs at most (default {tile_models.EPOCHS})",
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
        options=(_CLASS_WEIGHT, Option("leaf_sizes", (), many=True)),
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
        options=(_CLASS_WEIGHT, Option("leaf_sizes", (), many=True)),
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
