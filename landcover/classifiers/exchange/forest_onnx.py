"""Forests and boosted trees as ONNX: the same probabilities, forests' to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree._tree import Tree

    from landcover.classifiers.boosted_trees import Boosted

#: Operators and file version of onnx 1.12, as those of networks.
_OPSET, _TREES_OPSET, _IR_VERSION = 17, 3, 8


def count_nodes(forest: RandomForestClassifier) -> int:
    """Nodes of all trees of a forest, leaves included."""
    return sum(tree.tree_.node_count for tree in forest.estimators_)


def to_onnx(forest: RandomForestClassifier) -> ModelProto:
    """A forest as an ONNX model that gives what `estimators.probabilities` gives.

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
    n_classes = int(forest.classes_[-1]) + 1
    trees = _trees(forest, n_classes, "values64", "mean")
    return model_of_values([trees], "mean", forest.n_features_in_, n_classes, "forest")


def boosted_to_onnx(boosted: Boosted, classes: np.ndarray) -> ModelProto:
    """Boosted trees as an ONNX model that gives their probabilities; see `to_onnx`.

    Parameters
    ----------
    boosted : Boosted
        The trees.
    classes : array of int, (classes,)
        Positions in the legend of what they tell apart.
    """
    from onnx import TensorProto, helper, numpy_helper

    n_classes = int(classes[-1]) + 1
    # A class that nothing was learnt of has the lowest score there is
    start = np.full(n_classes, -np.inf)
    start[classes] = boosted.start
    nodes = [
        _boosted(boosted, classes, n_classes, "values64", "sums32"),
        helper.make_node("Cast", ["sums32"], ["sums"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["sums", "start"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    constants = [numpy_helper.from_array(start[np.newaxis], "start")]
    return model_of_values(
        nodes, "probabilities", boosted.n_inputs, n_classes, "boosted_trees", constants
    )


def model_of_values(
    nodes: Sequence[NodeProto],
    result: str,
    n_inputs: int,
    n_classes: int,
    name: str,
    constants: Sequence[TensorProto] = (),
) -> ModelProto:
    """A model of nodes that take ``values64`` and give `result`, with 0 in rows that hold NaN."""
    from onnx import TensorProto, checker, helper, numpy_helper

    values = helper.make_tensor_value_info("values", TensorProto.FLOAT, ["batch", n_inputs])
    classes = helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["batch", n_classes])
    nodes = [
        helper.make_node("Cast", ["values"], ["values64"], to=TensorProto.DOUBLE),
        *nodes,
        helper.make_node("Cast", [result], ["known"], to=TensorProto.FLOAT),
        helper.make_node("IsNaN", ["values"], ["is_missing"]),
        helper.make_node("Cast", ["is_missing"], ["missing"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["missing"], ["any_missing"], axes=[1], keepdims=1),
        helper.make_node("Cast", ["any_missing"], ["is_unknown"], to=TensorProto.BOOL),
        helper.make_node("Where", ["is_unknown", "zero", "known"], ["classes"]),
    ]
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    model = helper.make_model(
        helper.make_graph(nodes, name, [values], [classes], [zero, *constants]),
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
    trees = [tree.tree_ for tree in forest.estimators_]
    left = _concatenated(trees, "children_left")
    leaf = left < 0
    probabilities = np.concatenate([tree.value[:, 0] for tree in trees])
    held, position = np.nonzero(leaf[:, np.newaxis] & (probabilities > 0))
    branches = _Branches(
        [tree.node_count for tree in trees],
        left,
        _concatenated(trees, "children_right"),
        _concatenated(trees, "feature"),
        _concatenated(trees, "threshold"),
    )
    targets = np.asarray(forest.classes_)[position]
    weights = probabilities[held, position]
    return _ensemble("AVERAGE", branches, held, targets, weights, n_classes, source, target)


def _concatenated(trees: list[Tree], field: str) -> np.ndarray:
    """An array of every tree, one behind the other."""
    return np.concatenate([getattr(tree, field) for tree in trees])


def _boosted(
    boosted: Boosted, classes: np.ndarray, n_classes: int, source: str, target: str
) -> NodeProto:
    """All trees as one operator that adds up the values of the leaves."""
    trees = boosted.trees
    tables = [tree.table for tree in trees]
    table = np.concatenate(tables)
    values = np.concatenate(
        [tree.values[tree.table["right"][tree.table["left"] < 0]] for tree in trees]
    )
    thresholds = np.concatenate([tree.thresholds for tree in trees])
    branches = _Branches(
        [len(each) for each in tables], table["left"], table["right"], table["feature"], thresholds
    )
    of_tree = np.array([classes[boosted.class_of(number)] for number in range(len(trees))])
    leaves = np.flatnonzero(table["left"] < 0)
    targets = of_tree[branches.trees[leaves]]
    return _ensemble("SUM", branches, leaves, targets, values, n_classes, source, target)


@dataclass(frozen=True)
class _Branches:
    """The nodes of all trees, one tree behind the other.

    Attributes
    ----------
    sizes : sequence of int
        Nodes of each tree.
    left, right : arrays of int, (nodes,)
        Children, counted in their tree; `left` is negative at leaves.
    features : array of int, (nodes,)
        The input that a branch asks.
    thresholds : array of float64, (nodes,)
        Inputs up to it go left.
    """

    sizes: Sequence[int]
    left: np.ndarray
    right: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray

    @property
    def trees(self) -> np.ndarray:
        """The tree of each node."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)


def _ensemble(
    aggregate: str,
    branches: _Branches,
    leaves: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    n_classes: int,
    source: str,
    target: str,
) -> NodeProto:
    """Trees as one operator: leaves, by their place among nodes, give weights to classes."""
    from onnx import helper, numpy_helper

    trees = branches.trees
    nodes = np.concatenate([np.arange(size) for size in branches.sizes])
    leaf = branches.left < 0
    return helper.make_node(
        "TreeEnsembleRegressor",
        [source],
        [target],
        domain="ai.onnx.ml",
        n_targets=n_classes,
        aggregate_function=aggregate,
        post_transform="NONE",
        nodes_treeids=trees.tolist(),
        nodes_nodeids=nodes.tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_featureids=np.where(leaf, 0, branches.features).tolist(),
        nodes_values_as_tensor=numpy_helper.from_array(np.where(leaf, 0.0, branches.thresholds)),
        nodes_truenodeids=np.where(leaf, 0, branches.left).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, branches.right).tolist(),
        target_treeids=trees[leaves].tolist(),
        target_nodeids=nodes[leaves].tolist(),
        target_ids=targets.tolist(),
        target_weights_as_tensor=numpy_helper.from_array(weights),
    )
