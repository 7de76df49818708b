"""Random forest and extra trees: training.

Targets are integers, the positions of classes in a legend. A forest fed one-hot
targets would vote on each class apart and leave pixels without any.

Whatever grew a forest, what is kept is scikit-learn's own class: it loads where
nothing else is installed.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.classifiers.estimators import best
from landcover.progress import track

if TYPE_CHECKING:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

N_TREES = 100
#: Leaves of labels that are partly wrong must hold several samples; which number, validation says.
LEAF_SIZES = (1, 5, 20, 50)
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
    forest, tried = best(fit, sizes, X_validation, y_validation)
    library = libraries[forest.min_samples_leaf]
    return forest, tried, f"{library} {importlib.metadata.version(library)}"


def fit_extra_trees(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    growth: Growth,
    leaf_sizes: Sequence[int] = LEAF_SIZES,
) -> tuple[ExtraTreesClassifier, dict[int, float]]:
    """Fit extremely randomised trees as `fit_forest` does forests; scikit-learn grows them.

    Thresholds are drawn at random, and every tree sees all rows: Geurts, Ernst and Wehenkel
    (2006), doi:10.1007/s10994-006-6226-1.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    def fit(leaf_size: int) -> ExtraTreesClassifier:
        return ExtraTreesClassifier(**_settings(leaf_size, growth)).fit(X, y)

    return best(fit, track(sorted(set(leaf_sizes)), "growing trees"), X_validation, y_validation)


def _grow(
    X: np.ndarray, y: np.ndarray, leaf_size: int, growth: Growth
) -> tuple[RandomForestClassifier, str]:
    """One forest of scikit-learn's class, and the library that grew it."""
    from sklearn.ensemble import RandomForestClassifier

    settings = _settings(leaf_size, growth)
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


def _settings(leaf_size: int, growth: Growth) -> dict[str, Any]:
    """What scikit-learn is told of trees to grow."""
    return {
        "n_estimators": growth.n_trees,
        "min_samples_leaf": leaf_size,
        "class_weight": growth.class_weight,
        "n_jobs": -1,
        "random_state": growth.seed,
    }


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
