"""Samples to a trained classifier, and its score.

Models learn from the rows of the train split; every choice (leaf size,
neighbours, when to stop) is made on validation rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.cards import read_card
from landcover.classifiers.fitting import Setup, Trainer
from landcover.classifiers.kind import Kind
from landcover.classifiers.kinds import trained_kind
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.models import Model, load_model
from landcover.classifiers.names import name_of
from landcover.classifiers.protocol import Inputs
from landcover.errors import InputError, LandcoverError, MissingProduct, typed
from landcover.files import rasters
from landcover.files.atomic import Fields
from landcover.grid import in_metres
from landcover.run import Run
from landcover.samples.hygiene import Hygiene
from landcover.samples.labelled_tiles import TILE_PX
from landcover.samples.rows import fit_features, with_features
from landcover.scene.feature import ALL
from landcover.stages.dates import dated_inputs, dated_rows
from landcover.stages.inputs import pixel_inputs, read_blocks, read_rows
from landcover.stages.targets import rows_to_learn
from landcover.stages.train_tiles import tile_ground
from landcover.stages.train_years import rows_of_years, runs_to_learn, years_to_learn
from landcover.stages.training import Training, check_seed, ground_of

if TYPE_CHECKING:
    import pandas as pd

    from landcover.scene.feature_names import Layers


def train(
    run: Run,
    kind: str = "random-forest",
    *,
    seed: int = 0,
    targets: str = "labels",
    denoise: str | None = None,
    random_split: bool = True,
    features: Sequence[str] | None = None,
    variant: str = "",
    **choices: object,
) -> Model:
    """Train a classifier on the samples of a run, and score it on test samples.

    Parameters
    ----------
    run : Run
        Run folder with samples.
    kind : str
        "random-forest", "knn", "mlp", "cnn" or another of docs/classifiers.md.
    seed : int
        Of every random draw.
    targets : {"labels", "reference"}
        "reference" learns from exact labels, for studies; the model's name says so.
    denoise : str, optional
        What to learn from labels that are partly wrong, of `denoising.CHOICES`; "none" learns
        them as they are, and the model's name says so. For the default see `rows_to_learn`.
    random_split : bool
        Train once more on a random split and report its scores.
    features : sequence of str, optional
        The layers that the model sees, and no others: "bands" for all bands of the scene, names
        of single bands, and for a model of single pixels names of features, such as "ndvi" or
        "glcm:B08:entropy". By default all bands, and for a model of single pixels those of ndvi,
        ndwi and bi2 that the bands allow. What samples.parquet lacks is computed.
    variant : str
        A word at the end of the model's name, to keep it beside one of other features or choices.
    **choices
        What the kind takes (`classifiers.kinds`), such as

        - class_weight: "balanced" gives every class the same say;
        - leaf_sizes of a random forest: least samples of a leaf to choose from;
        - segment_layers of an MLP: layers of segment_types.tif to learn from; () for none;
        - epochs of a network, at most: validation loss stops earlier;
        - patch_size of a patch CNN: odd, 3 to 61, no wider than the run's guard allows;
        - batches_of of a patch CNN: "chips", "tiles" that share convolutions, or "auto";
        - encoder of a patch CNN: folder of an encoder to start from; freeze leaves its
          convolutions as they are;
        - published of a patch CNN: the published same-padded network;
        - estimator of kind "estimator": import path of a classifier of scikit-learn; parameters
          are its own, each as "name=value".

        All but models of tiles take what `samples.hygiene.Hygiene` leaves out of the samples:
        outliers, pca_outliers, min_distance_m, balance.

    Returns
    -------
    Model
        In RUN/models/NAME; its scores are in RUN/reports/NAME.json.

    Raises
    ------
    InputError, MissingProduct
        If samples are missing or damaged, there is no such kind or choice, or a choice does
        not suit the run. Nothing is written then.
    """
    hygiene, choices = Hygiene.take(choices)
    row, chosen = trained_kind(kind, choices)
    check_seed(seed)
    _require_samples(row, hygiene)
    inputs = _inputs(run, row, chosen, targets, features)
    patch_size = chosen.get("patch_size")
    name = name_of(
        row.command,
        patch_size=patch_size,
        form=row.form(chosen),
        targets=targets,
        denoise=denoise,
        variant=variant,
    )
    require_same_layers(run.model(name), inputs)
    raster = run.scene if inputs.dates is None else run.sequence
    years = () if inputs.dates is None else years_to_learn(run, inputs.dates.days, targets)
    if inputs.dates is not None and len(years) > 1:
        _require_years_apart(row, years, inputs.dates)
        inputs = replace(inputs, dates=replace(inputs.dates, by_year=True))
    ground = tile_ground(run, inputs, targets, denoise, years) if row.learns_tiles else None
    setup = Setup(name, inputs, seed, (raster,), ground)
    fit = trainer_of(row, setup, chosen)
    rows = rows_of_years(run, years, denoise) if years else rows_to_learn(run, targets, denoise)
    if inputs.dates is None:
        rows = replace(rows, samples=with_features(run.scene, rows.samples, inputs))
    else:
        rows = dated_rows(run, rows, row, inputs)
    facts = ground_of(run, rows, bool(inputs.segment_layers), runs_to_learn(run, years))
    training = Training(run, rows, row, setup, targets, facts).cleaned(hygiene)
    return training.carry_out(fit, random_split and not row.learns_tiles)


def _require_samples(kind: Kind, hygiene: Hygiene) -> None:
    """Raise InputError if samples are to be left out of what no samples are learnt of."""
    given = [name for name, value in asdict(hygiene).items() if value]
    if kind.learns_tiles and given:
        raise InputError(
            f"{given[0]}={getattr(hygiene, given[0])} leaves out samples, and models of kind "
            f"{kind.name} learn all labelled pixels of tiles; give it to a model of pixels"
        )


def _require_years_apart(kind: Kind, years: Sequence[int], learnt: LearntDates) -> None:
    """Raise InputError if a model reads dates together that are of years with other labels."""
    if learnt.together not in (None, 1):
        shown = " ".join(map(str, years))
        raise InputError(
            f"a model of kind {kind.name} reads {learnt.together} dates together, and those of "
            f"{shown} have labels of their own year; name the dates of one year with dates=, such "
            f"as dates={years[-1]}"
        )


def products_of(run: Run, model: Model) -> list[Path]:
    """What training wrote: model, its area, learning curves of a network, card and report."""
    return [*model.products, run.report(model.name)]


def trainer_of(kind: Kind, setup: Setup, chosen: Fields) -> Trainer:
    """What trains a model; a model that it starts from is opened for it."""
    folders = {option.name for option in kind.options if option.type is Path}
    opened = {
        name: load_model(value) if name in folders and value is not None else value
        for name, value in chosen.items()
        if name != "dates"  # which the inputs have
    }
    if kind.trainer is None:
        raise InputError(f"models of kind {kind.name} are not trained on samples of a run")
    return kind.trainer(setup, **opened)


def _inputs(
    run: Run,
    kind: Kind,
    chosen: Fields,
    targets: str,
    features: Sequence[str] | None,
) -> Inputs:
    """What a model of the run reads."""
    if kind.reads_dates and (kind.needs_dates or chosen["dates"]):
        return dated_inputs(run, kind, chosen, features)
    patch_size, layers = chosen.get("patch_size", 1), tuple(chosen.get("segment_layers", ()))
    if kind.takes_patches:
        check_patch(run, patch_size)
    rows = read_rows(run, targets)
    if layers:
        _require_types(run, rows.samples, layers)
    seen = pixel_inputs(run, rows.samples, layers_for(kind, features))
    require_seen(seen, kind)
    if kind.learns_tiles:
        patch_size = TILE_PX
    fitted = fit_features(run.scene, [rows], seen.bands, seen.features)
    return Inputs(seen.bands, seen.features, layers, patch_size, seen.unseen, fitted)


def layers_for(kind: Kind, chosen: Sequence[str] | None) -> Sequence[str] | None:
    """Names of layers that models of a kind see: those chosen, or all bands and what goes along."""
    return (ALL,) if chosen is None and not kind.takes_features else chosen


def require_seen(seen: Layers, kind: Kind) -> None:
    """Raise InputError if features were chosen for a model that sees bands alone."""
    if seen.features and not kind.takes_features:
        raise InputError(
            f"features {' '.join(seen.features)}: models of kind {kind.name} see the bands alone; "
            "name bands, or train a model of single pixels"
        )


def require_same_layers(folder: Path, inputs: Inputs) -> None:
    """Raise InputError if a model that sees other layers or dates, of the same name, is there."""
    try:
        held = Inputs.from_card(read_card(folder))
    except LandcoverError:  # there is none, or a damaged one, which is trained again
        return
    if _layers(held) != _layers(inputs):
        raise InputError(
            f"{folder} holds a model that sees {_listed(held)}, and one that sees "
            f"{_listed(inputs)} has the same name; give another variant=WORD, or remove that folder"
        )


def _layers(inputs: Inputs) -> tuple[object, ...]:
    """What tells models of one name apart."""
    return inputs.seen, sorted(inputs.features), inputs.dates and inputs.dates.days


def _listed(inputs: Inputs) -> str:
    of = f" of {' '.join(inputs.dates.days)}" if inputs.dates else ""
    return " ".join((*inputs.seen, *inputs.features)) + of


def _require_types(run: Run, samples: pd.DataFrame, layers: tuple[str, ...]) -> None:
    """Raise MissingProduct if samples lack segment types."""
    from landcover.scene.segmentation.types import type_column

    stored = rasters.band_names(run.segment_types) if run.segment_types.exists() else ()
    unknown = [str(layer) for layer in layers if layer not in stored]
    if unknown and stored:
        raise InputError(
            f"segment_layers {' '.join(unknown)}: {run.segment_types} has no such layer; "
            f"choose among {' '.join(stored)}"
        )
    if not {type_column(layer) for layer in layers} <= set(samples):
        raise MissingProduct(
            f"{run.samples} has no segment types {' '.join(layers)}; make them with: "
            f"landcover segment {typed(run.path)} && landcover sample {typed(run.path)}; "
            f"or train without: landcover train mlp {typed(run.path)} --no-segments"
        )


def check_patch(run: Run, patch_size: int) -> None:
    """Raise InputError if no such network exists, or its patches would reach test pixels."""
    from landcover.classifiers.networks import check_patch_size
    from landcover.samples.chips import radius_of, require_fits

    blocks = read_blocks(run)
    require_fits(patch_size, blocks.rows, blocks.cols)
    check_patch_size(patch_size)
    guard = blocks.guard_px
    if radius_of(patch_size) > guard:
        side_m = rasters.grid_of(run.require("scene")).pixel_m
        raise InputError(
            f"patch size {patch_size} is larger than the run's guard of {in_metres(guard, side_m)} "
            f"allows (at most {in_metres(2 * guard + 1, side_m)}): training patches would hold "
            "test pixels; draw the samples again: "
            f"landcover sample {typed(run.path)} --max-patch {patch_size}"
        )
