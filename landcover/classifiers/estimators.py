"""Estimators of scikit-learn that classify rows: choice, probabilities, storage as data.

Targets are integers, the positions of classes in a legend.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

#: Rows of which one thread finds the probabilities at a time.
_CHUNK_ROWS = 8192

#: What a file may hold besides skops' own defaults: tables of numbers of scikit-learn, by name.
#: A pattern would not do, since modules of scikit-learn also name functions that load and run.
TRUSTED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
)

#: A fitted classifier of scikit-learn, or a pipeline that ends in one.
Estimator: TypeAlias = "BaseEstimator"
#: Rows without NaN (rows, inputs) to a number for each class that the estimator knows.
Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]
Setting = TypeVar("Setting", int, float)


def best(
    fit: Callable[[Setting], Any],
    settings: Iterable[Setting],
    X_validation: np.ndarray,
    y_validation: np.ndarray,
) -> tuple[Any, dict[Setting, float]]:
    """The model that is right most often on validation rows, and how often each one is.

    Of equal ones the first is taken. No more than two are held at a time.

    Parameters
    ----------
    fit : callable
        A setting to a fitted estimator.
    settings : iterable of int or float
        What to try.
    X_validation : array of float32, (samples, inputs)
        Finite values.
    y_validation : array of int, (samples,)
        Positions in the legend; -1, a class that was never trained on, counts as wrong.
    """
    tried: dict[Setting, float] = {}
    chosen, most = None, -1.0
    for setting in settings:
        model = fit(setting)
        predicted = probabilities(model, X_validation).argmax(axis=1)
        tried[setting] = round(float((predicted == y_validation).mean()), 5)
        if tried[setting] > most:
            chosen, most = model, tried[setting]
        del model
    return chosen, tried


def probabilities(model: Estimator, X: np.ndarray) -> np.ndarray:
    """Class probabilities (rows, classes), float32; 0 in rows that hold NaN.

    Columns are positions in the legend, also where a class had no row to learn from. Those of
    trees are scikit-learn's to the last bit. An SVM has scores alone: its
    probabilities are the softmax of the scores, which keeps their order.
    """
    return _predictor(model)(X)


def row_predictor(model: Estimator) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A model as a function of values (rows, inputs); it takes no segment types."""
    predict = _predictor(model)
    return lambda values, _types: predict(values)


def save(model: Estimator, path: str | Path) -> None:
    """Store a fitted model as data (skops), whole or not at all."""
    import skops.io

    with replace_when_whole(path) as part:
        skops.io.dump(model, part, compression=zipfile.ZIP_DEFLATED, compresslevel=6)


def load(path: str | Path) -> Estimator:
    """A model that `save` stored.

    Raises
    ------
    LandcoverError
        If the file is unreadable or holds types that no model here needs.
    """
    import skops.io

    try:
        foreign = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED)
        if foreign:
            raise LandcoverError(
                f"{path} holds {', '.join(sorted(foreign))}, which no model of landcover does; "
                "it is not loaded: train the model again"
            )
        return skops.io.load(path, trusted=list(TRUSTED))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise LandcoverError(
            f"{path} is not a readable model ({error}); train the model again"
        ) from error


def foreign_types(model: Estimator) -> list[str]:
    """Types of an estimator that `load` would refuse; none of one that can be stored as data.

    Raises
    ------
    Exception
        Whatever skops raises of what it cannot write at all.
    """
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=skops.io.dumps(model))) - set(TRUSTED))


def _predictor(model: Estimator) -> Predict:
    """`probabilities` of one model, made ready once."""
    known_classes, classes = _known_classes(model), model.classes_

    def predict(X: np.ndarray) -> np.ndarray:
        result = np.zeros((len(X), int(classes[-1]) + 1), np.float32)
        known = ~np.isnan(X).any(axis=1)
        if known.all():
            result[:, classes] = known_classes(X)
        elif known.any():
            result[np.ix_(known, classes)] = known_classes(X[known])
        return result

    return predict


def _known_classes(model: Estimator) -> Predict:
    """Probabilities of the classes that a model has learnt."""
    kind = type(model).__name__
    if kind in ("RandomForestClassifier", "ExtraTreesClassifier"):
        from landcover.classifiers.trees import Trees

        return Trees.of(model).probabilities
    if kind == "HistGradientBoostingClassifier":
        from landcover.classifiers.boosted_trees import Boosted

        return Boosted.of(model).probabilities
    if hasattr(model, "predict_proba"):
        return _in_chunks(model.predict_proba)
    from landcover.classifiers.rbf_svm import Scores

    return _in_chunks(Scores.of(model).probabilities)


def _in_chunks(predict: Predict) -> Predict:
    """A function of rows, run on pieces of them by several threads."""

    def run(X: np.ndarray) -> np.ndarray:
        chunks = [X[start : start + _CHUNK_ROWS] for start in range(0, len(X), _CHUNK_ROWS)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.concatenate(list(threads.map(predict, chunks)))

    return run
