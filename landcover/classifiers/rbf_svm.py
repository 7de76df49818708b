"""A support vector machine with an RBF kernel, by a Nystroem map of few landmarks.

The exact machine compares every pixel with thousands of support vectors, which takes days on a
scene. Here a pixel is compared with a few training rows, and a linear machine learns from that
(Williams and Seeger 2001, Using the Nystroem method to speed up kernel machines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Scores:
    """What a fitted machine computes, in two products instead of three.

    Attributes
    ----------
    mean, deviation : arrays of float64, (inputs,)
        Inputs are standardised by these.
    landmarks : array of float64, (landmarks, inputs)
        Standardised.
    gamma : float
        Of the kernel exp(-gamma distance^2).
    weights : array of float64, (landmarks, classes)
        Similarities to the landmarks times these, and `bias`, are the scores.
    bias : array of float64, (classes,)
    """

    mean: np.ndarray
    deviation: np.ndarray
    landmarks: np.ndarray
    gamma: float
    weights: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, model: Pipeline) -> Scores:
        """The arithmetic of a pipeline of a scaler, a Nystroem map of RBF kernels and an SVM."""
        scaler, mapping, machine = (step for _, step in model.steps)
        coefficients, bias = machine.coef_, machine.intercept_
        if len(bias) == 1:  # of two classes there is one score, for the second
            coefficients, bias = (np.concatenate([-held, held]) for held in (coefficients, bias))
        return cls(
            scaler.mean_,
            scaler.scale_,
            mapping.components_.astype(np.float64),
            mapping.gamma,
            mapping.normalization_.T @ coefficients.T,
            bias,
        )

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Scores (rows, classes), as the pipeline's `decision_function` has them."""
        at = (X - self.mean) / self.deviation
        squares = np.square(at).sum(axis=1)[:, np.newaxis] + np.square(self.landmarks).sum(axis=1)
        distances = np.maximum(squares - 2 * at @ self.landmarks.T, 0)
        return np.exp(-self.gamma * distances) @ self.weights + self.bias

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """Softmax of the scores; validation rows temper it, as they do any model's."""
        from scipy.special import softmax

        return softmax(self(X), axis=1)
