"""Samples to trained models: forest, nearest neighbours, MLP, patch CNN, each with its score.

Models learn from the rows of the train split; every choice (leaf size,
neighbours, when to stop) is made on validation rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landcover.classifiers.names import named
from landcover.classifiers.scaling import fit_scaling
from landcover.errors import LandcoverError
from landcover.run import Run
from landcover.samples.rows import Rows, class_weights, weights_of
from landcover.stages.inputs import pixel_inputs, read_blocks, read_rows
from landcover.stages.patch_training import PATIENCE, PatchTraining, Start
from landcover.stages.targets import rows_to_learn
from landcover.stages.training import Fitted, Job, inputs_card

#: Eight colours, which tell more of the class than the published method's six bins of brightness.
SEGMENT_LAYERS = ("hierarchy-8",)
CNN_KINDS = {"valid": "cnn", "published": "cnn-published"}
MLP_EPOCHS = 60
CNN_EPOCHS = 40


def train_forest(
    run: Run,
    seed: int = 0,
    class_weight: str | None = None,
    trained_on: str = "labels",
    leaf_sizes: Sequence[int] | None = None,
    random_split: bool = True,
    denoise: str | None = None,
) -> list[Path]:
    """Train the random forest of a run: model ``random-forest``.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    seed : int
        Of every random draw.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    trained_on : {"labels", "reference"}
        "reference" learns from exact labels, for studies; the model's name says so.
    leaf_sizes : sequence of int, optional
        Least samples of a leaf to choose from.
    random_split : bool
        Train once more on a random split and report what it would have promised.
    denoise : str, optional
        What to learn from labels that are partly wrong, of `denoising.CHOICES`; "none" learns
        them as they are, and the model's name says so. For the default see `rows_to_learn`.

    Returns
    -------
    list of Path
        Model, card and report.
    """
    from landcover.classifiers import forests

    rows = rows_to_learn(run, trained_on, denoise)
    bands, features = pixel_inputs(run, rows.samples)

    def fit(rows: Rows) -> Fitted:
        weights = class_weights(rows, class_weight)
        model, tried, grown_with = forests.fit_forest(
            *_tables(rows, bands, features),
            seed,
            None if weights is None else dict(enumerate(weights.tolist())),
            leaf_sizes or forests.LEAF_SIZES,
        )
        settings = {
            "trees": len(model.estimators_),
            "grown_with": grown_with,
            "leaf_size": model.min_samples_leaf,
            "validation_accuracy_by_leaf_size": tried,
            "class_weight": class_weight,
        }
        return _fitted_pixels(model, rows, bands, features, settings)

    inputs = inputs_card(bands, features)
    name = named("random-forest", trained_on, denoise)
    return Job(run, rows, name, "forest", seed, trained_on, inputs).carry_out(fit, random_split)


def train_knn(
    run: Run,
    seed: int = 0,
    trained_on: str = "labels",
    random_split: bool = True,
    denoise: str | None = None,
) -> list[Path]:
    """Train nearest neighbours of a run: model ``knn``. Parameters are those of `train_forest`."""
    from landcover.classifiers import forests

    rows = rows_to_learn(run, trained_on, denoise)
    bands, features = pixel_inputs(run, rows.samples)

    def fit(rows: Rows) -> Fitted:
        model, tried = forests.fit_knn(*_tables(rows, bands, features))
        settings = {
            "neighbours": model[-1].n_neighbors,
            "validation_accuracy_by_neighbours": tried,
        }
        return _fitted_pixels(model, rows, bands, features, settings)

    inputs = inputs_card(bands, features)
    name = named("knn", trained_on, denoise)
    return Job(run, rows, name, "knn", seed, trained_on, inputs).carry_out(fit, random_split)


def train_mlp(
    run: Run,
    segments: bool = True,
    seed: int = 0,
    class_weight: str | None = None,
    trained_on: str = "labels",
    epochs: int = MLP_EPOCHS,
    segment_layers: Sequence[str] = SEGMENT_LAYERS,
    random_split: bool = True,
    denoise: str | None = None,
) -> list[Path]:
    """Train the MLP of a run: model ``mlp-segments``, or ``mlp`` without segment types.

    Parameters
    ----------
    run, seed, class_weight, trained_on, random_split, denoise
        As for `train_forest`.
    segments : bool
        Give it the segment types, one-hot.
    epochs : int
        At most; validation loss stops earlier.
    segment_layers : sequence of str
        Layers of segment_types.tif to use.

    Returns
    -------
    list of Path
        Model, card, learning curves and report.

    Raises
    ------
    LandcoverError
        If segment types are wanted and the samples have none.
    """
    from landcover.classifiers import networks
    from landcover.scene.segmentation.types import type_column

    layers = tuple(segment_layers) if segments else ()
    columns = [type_column(layer) for layer in layers]
    if not set(columns) <= set(read_rows(run, trained_on).samples):
        raise LandcoverError(
            f"{run.samples} has no segment types; make them with: "
            f"landcover segment {run.path} && landcover sample {run.path}; "
            "or train without: landcover train mlp --no-segments"
        )
    rows = rows_to_learn(run, trained_on, denoise)
    bands, features = pixel_inputs(run, rows.samples)
    counts = [int(rows.samples[column].max()) + 1 for column in columns]
    name = named("mlp-segments" if segments else "mlp", trained_on, denoise)

    def fit(rows: Rows) -> Fitted:
        scaling = fit_scaling(rows.values(rows.train, bands, features)[0])
        networks.seed_everything(seed)
        model = networks.build_mlp(
            len(bands) + len(features),
            len(rows.legend),
            scaling["means"],
            np.square(scaling["stds"]).tolist(),
            counts,
        )
        weights = class_weights(rows, class_weight)

        def examples(part: np.ndarray) -> Any:
            values = rows.values(part, bands, features, layers)
            targets = rows.targets(part)
            return networks.Examples(
                networks.row_inputs(model, *values), targets, weights_of(targets, weights)
            )

        history = networks.fit(
            model,
            examples(rows.train),
            examples(rows.validation),
            seed=seed,
            epochs=epochs,
            learning_rate=networks.MLP_LEARNING_RATE,
            name=name + rows.remark,
        )
        predict = networks.row_predictor(model)
        return Fitted(
            lambda path: networks.save(model, path),
            lambda part: predict(*rows.values(part, bands, features, layers)),
            {"epochs": len(history["loss"]), "class_weight": class_weight},
            scaling,
            history,
        )

    inputs = inputs_card(bands, features, layers)
    return Job(run, rows, name, "mlp", seed, trained_on, inputs).carry_out(fit, random_split)


def train_cnn(
    run: Run,
    patch_size: int = 7,
    kind: str = "valid",
    seed: int = 0,
    class_weight: str | None = None,
    trained_on: str = "labels",
    epochs: int = CNN_EPOCHS,
    random_split: bool = True,
    train_on: str = "auto",
    denoise: str | None = None,
    encoder: Path | None = None,
    freeze: bool = False,
    patience: int = PATIENCE,
) -> list[Path]:
    """Train a patch CNN of a run: model ``cnn-NxN``, or ``cnn-NxN-published``.

    From an encoder it is ``cnn-NxN-finetuned``, or ``cnn-NxN-frozen``.

    Parameters
    ----------
    run, seed, class_weight, trained_on, epochs, random_split, denoise
        As for `train_mlp`.
    patch_size : int
        Side of a patch in pixels: odd, 3 to 61, and no wider than the run's guard allows.
    kind : {"valid", "published"}
        The network of valid convolutions, or the published same-padded one.
    train_on : {"auto", "chips", "tiles"}
        Chips one by one, tiles that share convolutions, or the cheaper one, see `networks.plan`.
    encoder : path, optional
        Folder of an encoder, RUN/models/NAME from `pretrain`, to start from.
    freeze : bool
        Leave the encoder's convolutions as they are.
    patience : int
        Epochs without a lower validation loss after which training ends.

    Returns
    -------
    list of Path
        Model, card, learning curves and report.

    Raises
    ------
    LandcoverError
        If the patch size is even, out of range, larger than the scene, or so large
        that training patches would overlap test pixels; if tiles are asked for of the
        published network, or the encoder is none, or of another patch size or bands.
    """
    from landcover.classifiers import networks

    if kind not in CNN_KINDS:
        raise LandcoverError(f"kind {kind!r} is unknown; choose among {', '.join(CNN_KINDS)}")
    _check_patch(run, patch_size)
    suffix = _suffix(kind, encoder, freeze)
    start = _start(run, patch_size, encoder, freeze)
    rows = rows_to_learn(run, trained_on, denoise)
    name = named(f"cnn-{patch_size}x{patch_size}{suffix}", trained_on, denoise)
    training = PatchTraining(run, rows, patch_size, seed, kind == "published", train_on, start)

    def fit(rows: Rows) -> Fitted:
        model, history = training.fit(rows, epochs, name, class_weight, patience)
        settings = {"epochs": len(history["loss"]), "class_weight": class_weight}
        if encoder is not None:
            settings |= {"encoder": str(encoder), "frozen": freeze}
        return Fitted(
            lambda path: networks.save(model, path),
            lambda part: training.predict(model, part),
            settings | training.way.as_dict(),
            training.scaling(rows),
            history,
        )

    bands = training.bands
    inputs = inputs_card(bands, patch_size=patch_size)
    job = Job(run, rows, name, CNN_KINDS[kind], seed, trained_on, inputs)
    return job.carry_out(fit, random_split)


def _tables(
    rows: Rows, bands: Sequence[str], features: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs and targets of the training rows, and those of the validation rows."""
    X, X_validation = (
        rows.values(part, bands, features)[0] for part in (rows.train, rows.validation)
    )
    return X, rows.targets(rows.train), X_validation, rows.targets(rows.validation)


def _fitted_pixels(
    model: Any, rows: Rows, bands: Sequence[str], features: Sequence[str], settings: dict[str, Any]
) -> Fitted:
    """A scikit-learn model of single pixels."""
    from landcover.classifiers import forests

    predict = forests.row_predictor(model)
    return Fitted(
        lambda path: forests.save(model, path),
        lambda part: predict(*rows.values(part, bands, features)),
        settings,
        fit_scaling(rows.values(rows.train, bands, features)[0]),
    )


def _suffix(kind: str, encoder: Path | None, freeze: bool) -> str:
    """What the name of a patch CNN says of its kind and start."""
    if freeze and encoder is None:
        raise LandcoverError("--freeze leaves an encoder as it is; give one: --encoder FOLDER")
    if kind == "published":
        if encoder is not None:
            raise LandcoverError(
                f"encoder {encoder} has valid convolutions, and the published network pads; "
                "leave out --published or --encoder"
            )
        return "-published"
    return "" if encoder is None else "-frozen" if freeze else "-finetuned"


def _start(run: Run, patch_size: int, encoder: Path | None, freeze: bool) -> Start | None:
    """What a patch CNN starts from."""
    from landcover.classifiers import models
    from landcover.files import rasters

    if encoder is None:
        return None
    bands = rasters.band_names(run.require("scene"))
    return Start(*models.load_encoder(encoder, patch_size, bands), freeze)


def _check_patch(run: Run, patch_size: int) -> None:
    """Raise LandcoverError if no such network exists, or its patches would reach test pixels."""
    from landcover.classifiers.networks import check_patch_size
    from landcover.samples.chips import radius_of, require_fits

    blocks = read_blocks(run)
    require_fits(patch_size, blocks.rows, blocks.cols)
    check_patch_size(patch_size)
    guard = blocks.guard_px
    if radius_of(patch_size) > guard:
        raise LandcoverError(
            f"patch size {patch_size} is larger than the run's guard of {guard} px allows "
            f"(at most {2 * guard + 1}): training patches would hold test pixels; draw the "
            f"samples again: landcover sample {run.path} --max-patch {patch_size}"
        )
