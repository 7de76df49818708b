"""Classifiers of standardised inputs: neighbours, centroids, logistic regression, SVM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.estimators import best

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

NEIGHBOURS = (5, 15, 45)
#: Inverse strength of the penalty on large weights.
PENALTIES = (0.01, 1.0, 100.0)
#: By how much centroids are drawn to that of all rows; 0 leaves them.
SHRINKAGES = (0.0, 5.0, 20.0)
#: Widths of an SVM's kernel: gamma times the number of inputs.
WIDTHS = (0.5, 2.0, 8.0)
#: Training rows that an SVM compares others with.
LANDMARKS = 200
#: Passes over the training rows, by which averaged weights have settled, and their penalty.
_EPOCHS, _ALPHA = 20, 1e-5


def fit_knn(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    neighbours: Sequence[int] = NEIGHBOURS,
) -> tuple[Pipeline, dict[int, float]]:
    """Fit nearest neighbours on standardised inputs; their number is chosen on validation.

    Parameters are those of `forests.fit_forest`, and so are the first two returns; nothing is
    random.
    """
    from sklearn.neighbors import KNeighborsClassifier

    def fit(count: int) -> Pipeline:
        return _after_scaling(KNeighborsClassifier(count, algorithm="kd_tree"))(X, y)

    counts = sorted({min(count, len(y)) for count in neighbours})
    return best(fit, counts, X_validation, y_validation)


def fit_logistic(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    class_weight: dict[int, float] | None,
) -> tuple[Pipeline, dict[float, float]]:
    """Fit multinomial logistic regression; its penalty is chosen on validation.

    The strongest penalty is tried first, and so wins where all are alike.
    """
    from sklearn.linear_model import LogisticRegression

    def fit(penalty: float) -> Pipeline:
        model = LogisticRegression(C=penalty, class_weight=class_weight, max_iter=1000)
        return _after_scaling(model)(X, y)

    return best(fit, PENALTIES, X_validation, y_validation)


def fit_svm(
    X: np.ndarray,
    y: np.ndarray,
    X_validation: np.ndarray,
    y_validation: np.ndarray,
    class_weight: dict[int, float] | None,
    seed: int,
) -> tuple[Pipeline, dict[float, float]]:
    """Fit a support vector machine as `rbf_svm` has it; the kernel's width is chosen on validation.

    Parameters and returns are those of `fit_logistic`; `seed` is of the choice of landmarks and of
    the order of rows.
    """
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import SGDClassifier

    # Similarities are taken through the inverse of a nearly singular matrix
    X = X.astype(np.float64)

    def fit(width: float) -> Pipeline:
        landmarks = Nystroem(
            gamma=width / X.shape[1], n_components=min(LANDMARKS, len(X)), random_state=seed
        )
        machine = SGDClassifier(
            "hinge", alpha=_ALPHA, average=True, max_iter=_EPOCHS, tol=None,
            class_weight=class_weight, random_state=seed,
        )  # fmt: skip
        return _after_scaling(landmarks, machine)(X, y)

    return best(fit, WIDTHS, X_validation, y_validation)


def fit_centroids(
    X: np.ndarray, y: np.ndarray, X_validation: np.ndarray, y_validation: np.ndarray
) -> tuple[Pipeline, dict[float, float]]:
    """Fit nearest centroids; how far they are shrunk is chosen on validation.

    Distances are measured in the deviation of rows from their class's centroid, an input at a
    time. Probabilities are the softmax of the negative squared distance, every class as likely
    beforehand (Tibshirani et al. 2002, doi:10.1073/pnas.082099299). Parameters and returns are
    those of `fit_knn`.
    """
    from sklearn.neighbors import NearestCentroid

    def fit(shrinkage: float) -> Pipeline:
        return _after_scaling(NearestCentroid(shrink_threshold=shrinkage or None))(X, y)

    return best(fit, SHRINKAGES, X_validation, y_validation)


def _after_scaling(*steps: BaseEstimator) -> Callable[[np.ndarray, np.ndarray], Pipeline]:
    """What fits estimators behind a scaler that knows the training rows alone."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), *steps).fit
