"""Random forest and nearest neighbours: training, probabilities, storage as data.

Targets are integers, the positions of classes in a legend. A forest fed one-hot
targets would vote on each class apart and leave pixels without any.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from landcover.errors import LandcoverError
from landcover.progress import track
from landcover.runs import replace_when_whole

N_TREES = 100
#: Leaves of labels that are partly wrong must hold several samples; which number, validation says.
LEAF_SIZES = (1, 5, 20, 50)
NEIGHBOURS = (5, 15, 45)
#: Rows that one thread predicts at a time: some tens of MiB of trees' outputs.
_CHUNK_ROWS = 8192

#: All that a file may hold besides skops' own defaults; anything else is refused.
_TRUSTED = (
    "numpy.dtype",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)


def fit_forest(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    seed: int,
    class_weight: dict[int, float] | None = None,
    leaf_sizes: Sequence[int] = LEAF_SIZES,
    n_trees: int = N_TREES,
) -> tuple[Any, dict[int, float]]:
    """Fit one forest a leaf size and keep the one that is right most often on validation.

    Parameters
    ----------
    X, X_validation : array of float32, (samples, inputs)
        Finite values.
    y, y_validation : array of int, (samples,)
        Positions in the legend; -1 in `y_validation`, a class that was never
        trained on, counts as wrong.
    seed : int
        Of bootstrap and of the choice of inputs; the same seed gives the same forest.
    class_weight : dict, optional
        Weight by position.
    leaf_sizes : sequence of int
        Least samples of a leaf to try.
    n_trees : int
        Trees of a forest.

    Returns
    -------
    forest : sklearn.ensemble.RandomForestClassifier
        Breiman (2001), doi:10.1023/A:1010933404324.
    tried : dict of int to float
        Validation accuracy by leaf size; equal ones go to the larger leaf, a smaller forest.
    """
    from sklearn.ensemble import RandomForestClassifier

    def fit(leaf_size: int) -> Any:
        forest = RandomForestClassifier(
            n_trees,
            min_samples_leaf=leaf_size,
            class_weight=class_weight,
            n_jobs=-1,
            random_state=seed,
        )
        return forest.fit(X, y)

    candidates = {size: fit(size) for size in track(sorted(leaf_sizes), "growing forests")}
    return _best(candidates, X_validation, y_validation)


def fit_knn(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    neighbours: Sequence[int] = NEIGHBOURS,
) -> tuple[Any, dict[int, float]]:
    """Fit nearest neighbours on standardised inputs; their number is chosen on validation.

    Parameters and returns are those of `fit_forest`; nothing here is random.
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = sorted({min(count, len(y)) for count in neighbours})
    candidates = {
        count: make_pipeline(
            StandardScaler(), KNeighborsClassifier(count, algorithm="kd_tree")
        ).fit(X, y)
        for count in counts
    }
    return _best(candidates, X_validation, y_validation)


def probabilities(model: Any, X: np.ndarray) -> np.ndarray:
    """Class probabilities (rows, classes), float32; 0 in rows that hold NaN.

    Columns are positions in the legend, also where a class had no row to learn from.
    Every row is computed by one thread over the trees in their order: threads
    that add up trees as they finish would round differently from run to run.
    """
    model = _single_threaded(model)
    known = np.flatnonzero(~np.isnan(X).any(axis=1))
    result = np.zeros((len(X), int(model.classes_[-1]) + 1), np.float32)

    def predict(rows: np.ndarray) -> None:
        result[np.ix_(rows, model.classes_)] = model.predict_proba(X[rows])

    chunks = [known[start : start + _CHUNK_ROWS] for start in range(0, len(known), _CHUNK_ROWS)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(predict, chunks))
    return result


def row_predictor(model: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A model as a function of values (rows, inputs); it takes no segment types."""
    return lambda values, types: probabilities(model, values)


def save(model: Any, path: str | Path) -> None:
    """Store a fitted model as data (skops), whole or not at all."""
    import skops.io

    with replace_when_whole(path) as part:
        skops.io.dump(model, part, compression=zipfile.ZIP_DEFLATED, compresslevel=6)


def load(path: str | Path) -> Any:
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


def _best(
    candidates: dict[int, Any], X_validation: np.ndarray, y_validation: np.ndarray
) -> tuple[Any, dict[int, float]]:
    """The candidate that is right most often, and how often each one is."""
    tried = {}
    for setting, model in candidates.items():
        predicted = probabilities(model, X_validation).argmax(axis=1)
        tried[setting] = round(float((predicted == y_validation).mean()), 5)
    chosen = max(tried, key=lambda setting: (tried[setting], setting))
    return candidates[chosen], tried


def _single_threaded(model: Any) -> Any:
    """The same fitted model, told to leave threads to us; nothing is copied but settings."""
    from copy import copy

    model = copy(model)
    if hasattr(model, "estimators_"):
        model.n_jobs = 1
    return model
