"""Logistic regression, nearest centroids and support vector machines as ONNX: softmax of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landcover.classifiers.exchange.forest_onnx import model_of_values

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from sklearn.pipeline import Pipeline


def to_onnx(model: Pipeline) -> ModelProto:
    """A pipeline that begins with a scaler, with what `estimators.probabilities` gives of it.

    Parameters
    ----------
    model : sklearn.pipeline.Pipeline
        Of `standardised.fit_logistic`, `fit_centroids` or `fit_svm`, fitted to positions in a
        legend.

    Returns
    -------
    onnx.ModelProto
        As `forest_onnx.to_onnx` describes it. Sums are float64, in the runtime's own order.
    """
    from onnx import helper, numpy_helper

    classes = model.classes_
    n_classes = int(classes[-1]) + 1
    arrays, nodes = _scores(model)
    # A class that nothing was learnt of has the lowest score there is
    chosen = np.zeros((len(arrays["bias"]), n_classes))
    chosen[np.arange(len(classes)), classes] = 1
    absent = np.full(n_classes, -np.inf)
    absent[classes] = arrays["bias"]
    arrays = arrays | {"weights": arrays["weights"] @ chosen, "bias": absent}
    nodes += [
        helper.make_node("MatMul", ["described", "weights"], ["weighted"]),
        helper.make_node("Add", ["weighted", "bias"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(array, np.float64), name)
        for name, array in arrays.items()
    ]
    return model_of_values(
        nodes, "probabilities", model.n_features_in_, n_classes, "scores", constants
    )


def _scores(model: Pipeline) -> tuple[dict[str, np.ndarray], list[NodeProto]]:
    """Arrays of a pipeline, and nodes from ``values64`` to ``described``.

    What is described times ``weights``, and ``bias``, are the scores of its classes.
    """
    from onnx import helper

    if len(model) == 3:
        return _similarities(model)
    scaler, last = model[0], model[-1]
    nodes = [
        helper.make_node("Sub", ["values64", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["described"]),
    ]
    if hasattr(last, "centroids_"):
        # The square of a row's own length is in the distances to all centroids, and falls out
        deviation = np.where(last.within_class_std_dev_ > 0, last.within_class_std_dev_, 1)
        spread = np.square(deviation)
        weights = 2 * (last.centroids_ / spread).T
        bias = 2 * np.log(last.class_prior_) - (np.square(last.centroids_) / spread).sum(axis=1)
    else:
        weights, bias = last.coef_.T, last.intercept_
        if len(bias) == 1:  # of two classes there is one score, for the second
            weights, bias = np.hstack([np.zeros_like(weights), weights]), np.array([0.0, *bias])
    arrays = {"mean": scaler.mean_, "deviation": scaler.scale_, "weights": weights, "bias": bias}
    return arrays, nodes


def _similarities(model: Pipeline) -> tuple[dict[str, np.ndarray], list[NodeProto]]:
    """A support vector machine: similarities to its landmarks, by their squared distances."""
    from onnx import helper

    from landcover.classifiers.rbf_svm import Scores

    scores = Scores.of(model)
    arrays = {
        "mean": scores.mean,
        "deviation": scores.deviation,
        "landmarks": -2 * scores.landmarks.T,
        "lengths": np.square(scores.landmarks).sum(axis=1),
        "steepness": np.array(-scores.gamma),
        "none": np.array(0.0),
        "weights": scores.weights,
        "bias": scores.bias,
    }
    return arrays, [
        helper.make_node("Sub", ["values64", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "deviation"], ["at"]),
        helper.make_node("ReduceSumSquare", ["at"], ["length"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["at", "landmarks"], ["products"]),
        helper.make_node("Add", ["products", "lengths"], ["partly"]),
        helper.make_node("Add", ["partly", "length"], ["sums"]),
        helper.make_node("Max", ["sums", "none"], ["distances"]),
        helper.make_node("Mul", ["distances", "steepness"], ["exponents"]),
        helper.make_node("Exp", ["exponents"], ["described"]),
    ]
