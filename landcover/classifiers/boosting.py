"""Boosted trees: training by scikit-learn or by LightGBM.

The number of trees is chosen on validation rows: a share of the training rows, as
libraries keep back to stop by, lies beside the others and would call for too many.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.boosted_trees import Boosted
from landcover.classifiers.estimators import best
from landcover.progress import track

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: Trees of each class to choose from.
ITERATIONS = (10, 30, 100)
#: With fewer rows, threads of LightGBM wait for one another longer than they save.
_ROWS_OF_A_THREAD = 10_000


def fit_boosting(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    class_weight: dict[int, float] | None,
    seed: int,
) -> tuple[HistGradientBoostingClassifier, dict[int, float]]:
    """Fit histogram gradient boosting; the number of trees is chosen on validation.

    Parameters
    ----------
    X, y, X_validation, y_validation
        As of `forests.fit_forest`.
    class_weight : dict, optional
        Weight by position in the legend.
    seed : int
        Of the rows that bins are found from, where there are many.

    Returns
    -------
    model : sklearn.ensemble.HistGradientBoostingClassifier
        After Ke et al. (2017), LightGBM: a highly efficient gradient boosting decision tree.
    tried : dict of int to float
        Validation accuracy by trees a class; equal ones go to the fewest.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    def fit(iterations: int) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            max_iter=iterations, early_stopping=False, class_weight=class_weight, random_state=seed
        ).fit(X, y)

    # One thread grows the same trees on any machine; several wait for one another, at length where
    # other programs run beside them
    with threadpool_limits(1, "openmp"):
        return best(fit, track(ITERATIONS, "growing boosted trees"), X_validation, y_validation)


def fit_lightgbm(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    n_classes: int,
    weights: np.ndarray | None,
    seed: int,
) -> tuple[str, dict[int, float]]:
    """Fit LightGBM; the number of trees is chosen on validation.

    Parameters
    ----------
    X, y, X_validation, y_validation
        As of `forests.fit_forest`.
    n_classes : int
        Classes of the legend.
    weights : array of float, (samples,), optional
        Of the training rows.
    seed : int
        Of every draw of the library; the number of threads does not change a tree.

    Returns
    -------
    text : str
        The model in LightGBM's own form.
    tried : dict of int to float
        Validation accuracy by trees a class; equal ones go to the fewest.
    """
    import lightgbm

    settings = {
        "objective": "multiclass",
        "num_class": n_classes,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": max(1, min(os.cpu_count() or 1, len(X) // _ROWS_OF_A_THREAD)),
        "verbosity": -1,
    }
    rows = lightgbm.Dataset(X, y, weight=weights, params=settings)
    grown = lightgbm.train(settings, rows, max(ITERATIONS))
    tried = {}
    for iterations in ITERATIONS:
        trees = Boosted.of_lightgbm(grown.model_to_string(iterations))
        predicted = trees.scores(X_validation).argmax(axis=1)
        tried[iterations] = round(float((predicted == y_validation).mean()), 5)
    return grown.model_to_string(max(tried, key=lambda n: tried[n])), tried
