"""Random forests as ONNX: the same probabilities, to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree._tree import Tree

#: Operators and file version of onnx 1.12, as those of networks.
_OPSET, _TREES_OPSET, _IR_VERSION = 17, 3, 8


def count_nodes(forest: RandomForestClassifier) -> int:
    """Nodes of all trees of a forest, leaves included."""
    return sum(tree.tree_.node_count for tree in forest.estimators_)


def to_onnx(forest: RandomForestClassifier) -> ModelProto:
    """A forest as an ONNX model that gives what `forests.probabilities` gives.

    scikit-learn holds thresholds and the class probabilities of leaves as float64, and the
    usual conversion rounds both to float32: pixels near a tie then change their class. Here
    both stay float64, and so does the mean over the trees; only the result is float32.

    Parameters
    ----------
    forest : sklearn.ensemble.RandomForestClassifier
        Fitted to positions in a legend.

    Returns
    -------
    onnx.ModelProto
        ``values``, float32 (batch, inputs), to ``classes``, float32 (batch, classes):
        probabilities by position in the legend; 0 in rows that hold NaN.

    References
    ----------
    TreeEnsembleRegressor: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    n_classes = int(forest.classes_[-1]) + 1
    values = helper.make_tensor_value_info(
        "values", TensorProto.FLOAT, ["batch", forest.n_features_in_]
    )
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["batch", n_classes])
    nodes = [
        helper.make_node("Cast", ["values"], ["values64"], to=TensorProto.DOUBLE),
        _trees(forest, n_classes, "values64", "mean"),
        helper.make_node("IsNaN", ["values"], ["is_missing"]),
        helper.make_node("Cast", ["is_missing"], ["missing"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["missing"], ["any_missing"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["any_missing"], ["is_unknown"], to=TensorProto.BOOL),
        helper.make_node("Where", ["is_unknown", "zero", "mean"], ["classes"]),
    ]
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    model = helper.make_model(
        helper.make_graph(nodes, "random_forest", [values], [classes], [zero]),
        opset_imports=[
            helper.make_opsetid("", _OPSET),
            helper.make_opsetid("ai.onnx.ml", _TREES_OPSET),
        ],
        ir_version=_IR_VERSION,
        producer_name="landcover",
    )
    checker.check_model(model)
    return model


def _trees(forest: RandomForestClassifier, n_classes: int, source: str, target: str) -> NodeProto:
    """All trees as one operator that averages the class probabilities of the leaves."""
    from onnx import helper, numpy_helper

    trees = [tree.tree_ for tree in forest.estimators_]
    tree_ids = np.repeat(np.arange(len(trees)), [tree.node_count for tree in trees])
    node_ids = np.concatenate([np.arange(tree.node_count) for tree in trees])
    left = np.concatenate([tree.children_left for tree in trees])
    right = np.concatenate([tree.children_right for tree in trees])
    leaf = left < 0
    probabilities = np.concatenate([tree.value[:, 0] for tree in trees])
    held, position = np.nonzero(leaf[:, np.newaxis] & (probabilities > 0))
    return helper.make_node(
        "TreeEnsembleRegressor",
        [source],
        [target],
        domain="ai.onnx.ml",
        n_targets=n_classes,
        aggregate_function="AVERAGE",
        post_transform="NONE",
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_featureids=np.where(leaf, 0, _concatenated(trees, "feature")).tolist(),
        nodes_values_as_tensor=numpy_helper.from_array(
            np.where(leaf, 0.0, _concatenated(trees, "threshold"))
        ),
        nodes_truenodeids=np.where(leaf, 0, left).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, right).tolist(),
        target_treeids=tree_ids[held].tolist(),
        target_nodeids=node_ids[held].tolist(),
        target_ids=np.asarray(forest.classes_)[position].tolist(),
        target_weights_as_tensor=numpy_helper.from_array(probabilities[held, position]),
    )


def _concatenated(trees: list[Tree], field: str) -> np.ndarray:
    """An array of every tree, one behind the other."""
    return np.concatenate([getattr(tree, field) for tree in trees])
