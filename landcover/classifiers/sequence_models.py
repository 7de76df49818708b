"""Models of a pixel's year as kinds: how they are trained and loaded.

A forest and the temporal CNN read the days of their training: values on other days are filled in
time, linearly between valid dates. The attention network reads any dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.classifiers.fitting import Fitted, Setup, Trainer
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.protocol import Signature
from landcover.classifiers.scaling import fit_scaling
from landcover.errors import LandcoverError
from landcover.files.atomic import Fields
from landcover.scene.sequence import Dates

if TYPE_CHECKING:
    from landcover.classifiers.networks import Network
    from landcover.classifiers.sequences import (
        PredictSeries,
        SegmentSequenceClassifier,
        SequenceClassifier,
    )
    from landcover.samples.rows import Rows

EPOCHS = 40
#: Share of the dates that a row of a batch is shown without, by a network that takes any dates.
_HIDDEN = 0.3
#: Fewer are no sequence.
LEAST_DATES = 2
#: What a network sees of the rows: (rows, dates, bands) and days (dates,) to its inputs.
Prepare = Callable[[np.ndarray, np.ndarray], "tuple[np.ndarray, ...]"]


def any_dates(_choices: Mapping[str, Any], days: tuple[str, ...]) -> LearntDates:
    """The dates that a model of any number of dates learns: all that are named, or there."""
    return LearntDates(days, LEAST_DATES)


def forest_trainer(
    setup: Setup,
    class_weight: str | None = None,
    leaf_sizes: Sequence[int] = (),
) -> Trainer:
    """What trains a random forest on the bands of all dates and on statistics over them.

    Parameters
    ----------
    setup : Setup
        What the model is to be; its inputs have the dates.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    leaf_sizes : sequence of int
        Least samples of a leaf to choose from; `forests.LEAF_SIZES` where none is given.
    """
    from landcover.classifiers import estimators, forests
    from landcover.samples.rows import class_weights

    held = _dates(setup)

    def fit(rows: Rows) -> Fitted:
        def table(part: np.ndarray) -> np.ndarray:
            return _forest_table(_series(rows, part, held), held.day_of_year, held)

        weights = class_weights(rows, class_weight)
        forest, tried, grown_with = forests.fit_forest(
            table(rows.train),
            rows.targets(rows.train),
            table(rows.validation),
            rows.targets(rows.validation),
            forests.Growth(
                setup.seed, None if weights is None else dict(enumerate(weights.tolist()))
            ),
            leaf_sizes or forests.LEAF_SIZES,
        )
        settings = {
            "trees": len(forest.estimators_),
            "grown_with": grown_with,
            "leaf_size": forest.min_samples_leaf,
            "validation_accuracy_by_leaf_size": tried,
            "class_weight": class_weight,
        }
        predict = _forest_predictor(estimators.row_predictor(forest), held)
        return _fitted(rows, held, partial(estimators.save, forest), predict, settings)

    return fit


def ltae_trainer(
    setup: Setup,
    class_weight: str | None = None,
    epochs: int = EPOCHS,
) -> Trainer:
    """What trains the attention network; parameters as of `forest_trainer`, epochs at most."""
    from landcover.classifiers import networks

    held = _dates(setup)

    def build(classes: int, mean: list[float], variance: list[float]) -> Network:
        return networks.build_ltae(len(held.bands), classes, mean, variance)

    return _network_trainer(setup, held, build, _with_days, class_weight, epochs)


def temporal_cnn_trainer(
    setup: Setup,
    class_weight: str | None = None,
    epochs: int = EPOCHS,
) -> Trainer:
    """What trains the temporal CNN; parameters as of `ltae_trainer`."""
    from landcover.classifiers import networks

    held = _dates(setup)

    def build(classes: int, mean: list[float], variance: list[float]) -> Network:
        shape = len(held.days), len(held.bands)
        return networks.build_temporal_cnn(*shape, classes, mean, variance)

    return _network_trainer(setup, held, build, _filled_at(held), class_weight, epochs)


def load_forest(path: Path, signature: Signature) -> SequenceClassifier:
    """The forest in a skops file."""
    from landcover.classifiers import estimators
    from landcover.classifiers.sequences import SequenceClassifier

    predict = estimators.row_predictor(estimators.load(path))
    return SequenceClassifier.of(signature, _forest_predictor(predict, _learnt(signature)))


def load_ltae(path: Path, signature: Signature) -> SequenceClassifier:
    """The attention network in a Keras file."""
    from landcover.classifiers import networks
    from landcover.classifiers.sequences import SequenceClassifier

    return SequenceClassifier.of(signature, _network_predictor(networks.load(path), _with_days))


def load_segment_ltae(path: Path, signature: Signature) -> SegmentSequenceClassifier:
    """The attention network in a Keras file, for segments."""
    from landcover.classifiers import networks
    from landcover.classifiers.sequences import SegmentSequenceClassifier

    predict = _network_predictor(networks.load(path), _with_days)
    return SegmentSequenceClassifier.of(signature, predict)


def load_temporal_cnn(path: Path, signature: Signature) -> SequenceClassifier:
    """The temporal CNN in a Keras file."""
    from landcover.classifiers import networks
    from landcover.classifiers.sequences import SequenceClassifier

    prepare = _filled_at(_learnt(signature))
    return SequenceClassifier.of(signature, _network_predictor(networks.load(path), prepare))


def _network_trainer(
    setup: Setup,
    held: Dates,
    build: Callable[[int, list[float], list[float]], Network],
    prepare: Prepare,
    class_weight: str | None,
    epochs: int,
) -> Trainer:
    """What trains a network of rows, by what builds it and what it sees of them."""
    from landcover.classifiers import networks
    from landcover.samples.rows import class_weights, weights_of

    def fit(rows: Rows) -> Fitted:
        scaling = _scaling(rows, held)
        networks.seed_everything(setup.seed)
        variance = np.square(scaling["stds"]).tolist()
        model = build(len(rows.legend), scaling["means"], variance)
        weights = class_weights(rows, class_weight)

        def examples(part: np.ndarray) -> networks.Examples:
            inputs = prepare(_series(rows, part, held), held.day_of_year)
            targets = rows.targets(part)
            return networks.Examples(
                lambda chosen: _one_or_all([values[chosen] for values in inputs]),
                targets,
                weights_of(targets, weights),
                _hide_dates if prepare is _with_days else None,
            )

        history = networks.fit(
            model,
            examples(rows.train),
            examples(rows.validation),
            networks.Schedule(epochs),
            seed=setup.seed,
            name=setup.name + rows.remark,
        )
        settings = {"epochs": len(history["loss"]), "class_weight": class_weight}
        predict = _network_predictor(model, prepare)
        return _fitted(rows, held, partial(networks.save, model), predict, settings, history)

    return fit


def _hide_dates(
    inputs: np.ndarray | tuple[np.ndarray, ...], rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Mask some valid dates of every row, never all: clouds of other scenes lie elsewhere."""
    values, days = inputs
    hidden = rng.random(values.shape[:2]) < _HIDDEN
    valid = np.isfinite(values).all(axis=2)
    kept = (valid & ~hidden).any(axis=1, keepdims=True)
    return np.where((hidden & kept)[..., np.newaxis], np.float32(np.nan), values), days


def _one_or_all(inputs: list[np.ndarray]) -> np.ndarray | tuple[np.ndarray, ...]:
    """Inputs as Keras takes them: an array where it is one."""
    return inputs[0] if len(inputs) == 1 else tuple(inputs)


def _with_days(values: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, ...]:
    """Values as they are, and days of year for every row."""
    return values, np.broadcast_to(days.astype(np.float32), values.shape[:2])


def _filled_at(held: Dates) -> Prepare:
    """Values of any dates, on the days of year of some."""
    from landcover.scene import time_series

    def prepare(values: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, ...]:
        series = time_series.interpolated(values.transpose(1, 2, 0), days, held.day_of_year)
        return (np.ascontiguousarray(series.transpose(2, 0, 1)),)

    return prepare


def _network_predictor(model: Network, prepare: Prepare) -> PredictSeries:
    from landcover.classifiers import networks

    def predict(values: np.ndarray, days: np.ndarray) -> np.ndarray:
        return networks.predict_series(model, prepare(values, days))

    return predict


def _forest_predictor(
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray], held: Dates
) -> PredictSeries:
    nothing = np.zeros((0, 0), np.uint8)
    return lambda values, days: predict(_forest_table(values, days, held), nothing)


def _forest_table(values: np.ndarray, days: np.ndarray, held: Dates) -> np.ndarray:
    """Bands on the days of training, and statistics over valid dates, (rows, inputs)."""
    from landcover.scene import time_series

    series = values.transpose(1, 2, 0)
    on_days = time_series.interpolated(series, days, held.day_of_year)
    over_dates = time_series.statistics(series, held.bands)
    table = np.concatenate([on_days.reshape(-1, len(values)), over_dates])
    # a row without a valid date has no meaningful result, and trees take no NaN
    return np.ascontiguousarray(np.nan_to_num(table.T))


def _dates(setup: Setup) -> Dates:
    """The dates that a model is to learn from."""
    if setup.inputs.dates is None:
        raise LandcoverError(f"model {setup.name} learns from dates, and none are given")
    return Dates(setup.inputs.dates.days, setup.inputs.bands)


def _learnt(signature: Signature) -> Dates:
    """The dates that a stored model learnt from."""
    return _dates(Setup(signature.name, signature.inputs))


def _series(rows: Rows, part: np.ndarray, held: Dates) -> np.ndarray:
    """Values (rows, dates, bands) of some rows."""
    values, _ = rows.values(part, held.names, ())
    return values.reshape(len(part), len(held.days), len(held.bands))


def _scaling(rows: Rows, held: Dates) -> dict[str, list[float]]:
    """Means and deviations of every band over the dates of the training rows."""
    return fit_scaling(_series(rows, rows.train, held).reshape(-1, len(held.bands)))


def _fitted(
    rows: Rows,
    held: Dates,
    save: Callable[[Path], None],
    predict: PredictSeries,
    settings: Fields,
    history: dict[str, list[float]] | None = None,
) -> Fitted:
    """A model that has been trained, and how it is stored and asked."""

    def predict_rows(part: np.ndarray) -> np.ndarray:
        return predict(_series(rows, part, held), held.day_of_year)

    return Fitted(save, predict_rows, settings, _scaling(rows, held), history)
