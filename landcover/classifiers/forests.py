"""Random forest and nearest neighbours: training, probabilities, storage as data.

Targets are integers, the positions of classes in a legend. A forest fed one-hot
targets would vote on each class apart and leave pixels without any.

Whatever grew a forest, what is kept is scikit-learn's own class: it loads where
nothing else is installed.
"""

from __future__ import annotations

import importlib.metadata
import os
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole
from landcover.progress import track

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.tree import DecisionTreeClassifier

N_TREES = 100
#: Leaves of labels that are partly wrong must hold several samples; which number, validation says.
LEAF_SIZES = (1, 5, 20, 50)
NEIGHBOURS = (5, 15, 45)
#: Rows of which one thread finds the neighbours at a time.
_CHUNK_ROWS = 8192

#: All that a file may hold besides skops' own defaults; anything else is refused.
_TRUSTED = (
    "numpy.dtype",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)

#: What classifies rows here: a forest, or nearest neighbours of standardised inputs.
Estimator: TypeAlias = "RandomForestClassifier | Pipeline"

#: What makes a forest of scikit-learn's class a fitted one.
_FITTED = ("estimator_", "estimators_", "classes_", "n_classes_", "n_features_in_", "n_outputs_")


@dataclass(frozen=True)
class Growth:
    """How forests are grown.

    Attributes
    ----------
    seed : int
        Of bootstrap and of the choice of inputs; the same seed gives the same forest.
    class_weight : dict, optional
        Weight by position in the legend.
    n_trees : int
        Trees of a forest.
    accelerate : bool
        Grow the trees with scikit-learn-intelex where it is installed. Its trees are
        others than scikit-learn's, as accurate.
    """

    seed: int
    class_weight: dict[int, float] | None = None
    n_trees: int = N_TREES
    accelerate: bool = True


def fast_forest() -> type[RandomForestClassifier] | None:
    """The forest class of scikit-learn-intelex; None where it is not installed or does not load."""
    try:
        from sklearnex.ensemble import RandomForestClassifier as Fast
    except ImportError:
        return None
    return Fast


def fit_forest(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    growth: Growth,
    leaf_sizes: Sequence[int] = LEAF_SIZES,
) -> tuple[RandomForestClassifier, dict[int, float], str]:
    """Fit one forest a leaf size and keep the one that is right most often on validation.

    Parameters
    ----------
    X, X_validation : array of float32, (samples, inputs)
        Finite values.
    y, y_validation : array of int, (samples,)
        Positions in the legend; -1 in `y_validation`, a class that was never
        trained on, counts as wrong.
    growth : Growth
        How they are grown.
    leaf_sizes : sequence of int
        Least samples of a leaf to try.

    Returns
    -------
    forest : sklearn.ensemble.RandomForestClassifier
        Breiman (2001), doi:10.1023/A:1010933404324.
    tried : dict of int to float
        Validation accuracy by leaf size; equal ones go to the smaller leaf, which a class of
        few samples is not lost in.
    grown_with : str
        The library that grew the forest, and its version.
    """
    libraries: dict[int, str] = {}

    def fit(leaf_size: int) -> RandomForestClassifier:
        forest, libraries[leaf_size] = _grow(X, y, leaf_size, growth)
        return forest

    sizes = track(sorted(set(leaf_sizes)), "growing forests")
    forest, tried = _best(fit, sizes, X_validation, y_validation)
    library = libraries[forest.min_samples_leaf]
    return forest, tried, f"{library} {importlib.metadata.version(library)}"


def fit_knn(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    neighbours: Sequence[int] = NEIGHBOURS,
) -> tuple[Pipeline, dict[int, float]]:
    """Fit nearest neighbours on standardised inputs; their number is chosen on validation.

    Parameters are those of `fit_forest`, and so are the first two returns; nothing is random.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit(count: int) -> Pipeline:
        nearest = KNeighborsClassifier(count, algorithm="kd_tree")
        return make_pipeline(StandardScaler(), nearest).fit(X, y)

    counts = sorted({min(count, len(y)) for count in neighbours})
    return _best(fit, counts, X_validation, y_validation)


def probabilities(model: Estimator, X: np.ndarray) -> np.ndarray:
    """Class probabilities (rows, classes), float32; 0 in rows that hold NaN.

    Columns are positions in the legend, also where a class had no row to learn from.
    A row's numbers do not depend on the rows beside it; those of a forest are scikit-learn's
    to the last bit.
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
        If the file is unreadable or holds types that a forest or nearest neighbours do not need.
    """
    import skops.io

    try:
        foreign = set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED)
        if foreign:
            raise LandcoverError(
                f"{path} holds {', '.join(sorted(foreign))}, which no model of landcover does; "
                "it is not loaded: train the model again"
            )
        return skops.io.load(path, trusted=list(_TRUSTED))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise LandcoverError(
            f"{path} is not a readable model ({error}); train the model again"
        ) from error


def _grow(
    X: np.ndarray, y: np.ndarray, leaf_size: int, growth: Growth
) -> tuple[RandomForestClassifier, str]:
    """One forest of scikit-learn's class, and the library that grew it."""
    from sklearn.ensemble import RandomForestClassifier

    settings = {
        "n_estimators": growth.n_trees,
        "min_samples_leaf": leaf_size,
        "class_weight": growth.class_weight,
        "n_jobs": -1,
        "random_state": growth.seed,
    }
    forest = RandomForestClassifier(**settings)
    faster = fast_forest() if growth.accelerate else None
    if faster is None:
        return forest.fit(X, y), "scikit-learn"
    grown = faster(**settings).fit(X, y)
    for name in _FITTED:
        setattr(forest, name, getattr(grown, name))
    # What it cannot grow it leaves to scikit-learn, whose leaves hold probabilities already.
    if not hasattr(grown, "_onedal_estimator"):
        return forest, "scikit-learn"
    _fill_leaves(forest, X, y)
    return forest, "scikit-learn-intelex"


def _fill_leaves(forest: RandomForestClassifier, X: np.ndarray, y: np.ndarray) -> None:
    """Give every leaf the weighted share of each class among the training rows that reach it.

    scikit-learn-intelex hands over one class a leaf, without probabilities. A leaf that only the
    bootstrap reached keeps that one.
    """
    from landcover.classifiers.trees import leaves_of

    target = np.searchsorted(forest.classes_, y)
    weight = np.array([(forest.class_weight or {}).get(c, 1.0) for c in forest.classes_.tolist()])

    def fill(estimator: DecisionTreeClassifier) -> None:
        tree, n_classes = estimator.tree_, len(forest.classes_)
        place = leaves_of(tree, X).astype(np.int64) * n_classes + target
        sums = np.bincount(place, weight[target], tree.node_count * n_classes)
        sums = sums.reshape(tree.node_count, n_classes)
        reached = np.flatnonzero(sums.any(axis=1))
        tree.value[reached, 0] = sums[reached] / sums[reached].sum(axis=1, keepdims=True)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, forest.estimators_))


def _best(
    fit: Callable[[int], Estimator],
    settings: Iterable[int],
    X_validation: np.ndarray,
    y_validation: np.ndarray,
) -> tuple[Estimator, dict[int, float]]:
    """The model that is right most often, of equal ones the first, and how often each one is.

    No more than two are held at a time.
    """
    tried: dict[int, float] = {}
    best, most = None, -1.0
    for setting in settings:
        model = fit(setting)
        predicted = probabilities(model, X_validation).argmax(axis=1)
        tried[setting] = round(float((predicted == y_validation).mean()), 5)
        if tried[setting] > most:
            best, most = model, tried[setting]
        del model
    return best, tried


def _predictor(model: Estimator) -> Callable[[np.ndarray], np.ndarray]:
    """`probabilities` of one model, made ready once."""
    from landcover.classifiers.trees import Trees

    forest = hasattr(model, "estimators_")
    probabilities = Trees.of(model).probabilities if forest else _in_chunks(model.predict_proba)
    classes = model.classes_

    def predict(X: np.ndarray) -> np.ndarray:
        result = np.zeros((len(X), int(classes[-1]) + 1), np.float32)
        known = ~np.isnan(X).any(axis=1)
        if known.all():
            result[:, classes] = probabilities(X)
        elif known.any():
            result[np.ix_(known, classes)] = probabilities(X[known])
        return result

    return predict


def _in_chunks(predict: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of rows, run on pieces of them by several threads."""

    def run(X: np.ndarray) -> np.ndarray:
        chunks = [X[start : start + _CHUNK_ROWS] for start in range(0, len(X), _CHUNK_ROWS)]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.concatenate(list(threads.map(predict, chunks)))

    return run
