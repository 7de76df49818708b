"""Estimators of scikit-learn as kinds: how they are trained, loaded and exported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.fitting import Fitted, Setup, Trainer, fitted_rows, tables_of
from landcover.classifiers.protocol import Signature
from landcover.files.atomic import Fields

if TYPE_CHECKING:
    from onnx import ModelProto
    from sklearn.base import BaseEstimator

    from landcover.classifiers.pixels import PixelClassifier
    from landcover.samples.rows import Rows

#: A larger forest is left out of ONNX: its file would take over 40 MB, and seconds to load.
MAX_ONNX_NODES = 1_000_000


def forest_trainer(
    setup: Setup, class_weight: str | None = None, leaf_sizes: Sequence[int] = ()
) -> Trainer:
    """What trains a random forest.

    Parameters
    ----------
    setup : Setup
        What the model is to be.
    class_weight : {None, "balanced"}
        "balanced" gives every class the same say, whatever its number of rows.
    leaf_sizes : sequence of int
        Least samples of a leaf to choose from; `forests.LEAF_SIZES` where none is given.
    """
    from landcover.classifiers import forests

    return _trees_trainer(forests.fit_forest, setup, class_weight, leaf_sizes)


def extra_trees_trainer(
    setup: Setup, class_weight: str | None = None, leaf_sizes: Sequence[int] = ()
) -> Trainer:
    """What trains extremely randomised trees; parameters as of `forest_trainer`."""
    from landcover.classifiers import forests

    return _trees_trainer(forests.fit_extra_trees, setup, class_weight, leaf_sizes)


def _trees_trainer(
    grow: Callable[..., tuple], setup: Setup, class_weight: str | None, leaf_sizes: Sequence[int]
) -> Trainer:
    """What trains trees that vote, by what grows them; a library that can be chosen is told."""
    from landcover.classifiers import forests

    def fit(rows: Rows) -> Fitted:
        model, tried, *grown_with = grow(
            *tables_of(rows, setup.inputs),
            forests.Growth(setup.seed, _weights(rows, class_weight)),
            leaf_sizes or forests.LEAF_SIZES,
        )
        settings = {
            "trees": len(model.estimators_),
            **({"grown_with": grown_with[0]} if grown_with else {}),
            "leaf_size": model.min_samples_leaf,
            "validation_accuracy_by_leaf_size": tried,
            "class_weight": class_weight,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def boosting_trainer(setup: Setup, class_weight: str | None = None) -> Trainer:
    """What trains scikit-learn's boosted trees; parameters as of `forest_trainer`."""
    from landcover.classifiers import boosting

    def fit(rows: Rows) -> Fitted:
        model, tried = boosting.fit_boosting(
            *tables_of(rows, setup.inputs), _weights(rows, class_weight), setup.seed
        )
        settings = {
            "iterations": model.n_iter_,
            "validation_accuracy_by_iterations": tried,
            "class_weight": class_weight,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def neighbours_trainer(setup: Setup) -> Trainer:
    """What trains nearest neighbours; nothing of it is random."""
    from landcover.classifiers import standardised

    def fit(rows: Rows) -> Fitted:
        model, tried = standardised.fit_knn(*tables_of(rows, setup.inputs))
        settings = {
            "neighbours": model[-1].n_neighbors,
            "validation_accuracy_by_neighbours": tried,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def centroids_trainer(setup: Setup) -> Trainer:
    """What trains nearest centroids; nothing of it is random, and classes weigh alike anyway."""
    from landcover.classifiers import standardised

    def fit(rows: Rows) -> Fitted:
        model, tried = standardised.fit_centroids(*tables_of(rows, setup.inputs))
        settings = {
            "shrinkage": model[-1].shrink_threshold or 0.0,
            "validation_accuracy_by_shrinkage": tried,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def logistic_trainer(setup: Setup, class_weight: str | None = None) -> Trainer:
    """What trains logistic regression, of which nothing is random; see `forest_trainer`."""
    from landcover.classifiers import standardised

    def fit(rows: Rows) -> Fitted:
        model, tried = standardised.fit_logistic(
            *tables_of(rows, setup.inputs), _weights(rows, class_weight)
        )
        settings = {
            "C": model[-1].C,
            "validation_accuracy_by_C": tried,
            "class_weight": class_weight,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def svm_trainer(setup: Setup, class_weight: str | None = None) -> Trainer:
    """What trains a support vector machine; parameters as of `forest_trainer`."""
    from landcover.classifiers import standardised

    def fit(rows: Rows) -> Fitted:
        model, tried = standardised.fit_svm(
            *tables_of(rows, setup.inputs), _weights(rows, class_weight), setup.seed
        )
        settings = {
            "landmarks": model[1].n_components,
            "gamma": model[1].gamma,
            "validation_accuracy_by_width": tried,
            "class_weight": class_weight,
        }
        return _fitted(rows, setup, model, settings)

    return fit


def load(path: Path, signature: Signature) -> PixelClassifier:
    """The classifier in a skops file."""
    from landcover.classifiers import estimators
    from landcover.classifiers.pixels import PixelClassifier

    return PixelClassifier.of(signature, estimators.row_predictor(estimators.load(path)))


def export_forest(path: Path) -> tuple[ModelProto | None, list[str]]:
    """Trees that vote as ONNX, or why they have no such form."""
    from landcover.classifiers import estimators
    from landcover.classifiers.exchange import forest_onnx

    forest = estimators.load(path)
    nodes = forest_onnx.count_nodes(forest)
    if nodes > MAX_ONNX_NODES:
        return None, [
            f"no ONNX: the forest has {nodes:,} nodes, and over {MAX_ONNX_NODES:,} are of "
            "little use in that form; see model.skops"
        ]
    return forest_onnx.to_onnx(forest), []


def export_boosting(path: Path) -> tuple[ModelProto, list[str]]:
    """scikit-learn's boosted trees as ONNX."""
    from landcover.classifiers import estimators
    from landcover.classifiers.boosted_trees import Boosted
    from landcover.classifiers.exchange import forest_onnx

    model = estimators.load(path)
    return forest_onnx.boosted_to_onnx(Boosted.of(model), model.classes_), []


def export_scores(path: Path) -> tuple[ModelProto, list[str]]:
    """Logistic regression or a support vector machine as ONNX."""
    from landcover.classifiers import estimators
    from landcover.classifiers.exchange import scores_onnx

    return scores_onnx.to_onnx(estimators.load(path)), []


def export_neighbours(path: Path) -> tuple[None, list[str]]:
    """Nearest neighbours have no form in ONNX."""
    return None, [f"no ONNX: nearest neighbours are their training samples; see {path.name}"]


def _weights(rows: Rows, class_weight: str | None) -> dict[int, float] | None:
    """Weight of each class by its position in the legend."""
    from landcover.samples.rows import class_weights

    weights = class_weights(rows, class_weight)
    return None if weights is None else dict(enumerate(weights.tolist()))


def _fitted(rows: Rows, setup: Setup, model: BaseEstimator, settings: Fields) -> Fitted:
    """An estimator that has been trained, and how it is stored and asked."""
    from landcover.classifiers import estimators

    save, predict = partial(estimators.save, model), estimators.row_predictor(model)
    return fitted_rows(rows, setup.inputs, save, predict, settings)
