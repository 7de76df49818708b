"""Boosted trees as flat tables: the scores that their leaves add up to, and as probabilities.

Two libraries grow such trees, scikit-learn (histogram gradient boosting) and LightGBM. Here they
are the same tables, so maps and ONNX files are made in one way, and a LightGBM model needs
no LightGBM to map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from landcover.classifiers.trees import NODE, over_blocks, part, rounded_down

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

#: Of LightGBM's bits of a decision: a split by categories, and 0 as a missing value.
_CATEGORICAL, _ZERO_IS_MISSING = 1, 4


@dataclass(frozen=True)
class Boosted:
    """Trees whose leaves add to the score of one class each.

    Attributes
    ----------
    trees : tuple of Tree
        In the order in which they are added up; they take turns among the classes.
    start : array of float64, (classes,)
        Scores before the first tree.
    turns : tuple of int
        Classes that trees add to, in turn. Of two classes the first one may keep its start, and
        every tree add to the second.
    n_inputs : int
        Inputs of a row.
    """

    trees: tuple[Tree, ...]
    start: np.ndarray
    turns: tuple[int, ...]
    n_inputs: int

    @classmethod
    def of(cls, model: HistGradientBoostingClassifier) -> Boosted:
        """The trees of a fitted model of scikit-learn that had no missing value and no category.

        Examples
        --------
        >>> from sklearn.ensemble import HistGradientBoostingClassifier
        >>> X = np.arange(80, dtype=np.float32)[:, np.newaxis]
        >>> model = HistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 30)
        >>> found = Boosted.of(model).probabilities(X)
        >>> bool(np.allclose(found, model.predict_proba(X)))
        True
        """
        nodes = [predictor.nodes for turn in model._predictors for predictor in turn]
        start = np.ravel(model._baseline_prediction)
        turns = tuple(range(len(start)))
        if len(start) == 1:
            start, turns = np.array([0.0, start[0]]), (1,)
        return cls(
            tuple(_of_scikit_learn(tree) for tree in nodes), start, turns, model.n_features_in_
        )

    @classmethod
    def of_lightgbm(cls, text: str) -> Boosted:
        """The trees of a LightGBM model in its text form.

        Raises
        ------
        ValueError
            If the text is no such model of classes, or its splits are not plain thresholds.

        References
        ----------
        The text form: https://github.com/microsoft/LightGBM/blob/master/src/io/tree.cpp
        """
        head, *parts = text.split("\nTree=")
        facts = _facts(head.splitlines())
        objective, classes = facts.get("objective", ""), int(facts.get("num_class", "0"))
        if not objective.startswith("multiclass ") or classes < 2 or not parts:
            raise ValueError(f"objective {objective!r} is no classification by trees")
        inputs = int(facts["max_feature_idx"]) + 1
        trees = [_of_lightgbm(_facts(part.splitlines()[1:]), inputs) for part in parts]
        return cls(tuple(trees), np.zeros(classes), tuple(range(classes)), inputs)

    def class_of(self, number: int) -> int:
        """The class that a tree adds to, by its place among the trees."""
        return self.turns[number % len(self.turns)]

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """Softmax of the scores.

        Parameters
        ----------
        X : array of float32, (rows, inputs)
            Without NaN. Cheapest where the values of an input lie side by side.

        Returns
        -------
        array of float64, (rows, classes)
        """
        from scipy.special import softmax

        return softmax(self.scores(X), axis=1)

    def scores(self, X: np.ndarray) -> np.ndarray:
        """What the leaves of each row add up to, float64 (rows, classes)."""
        total = np.tile(self.start, (len(X), 1))

        def add_up(block: slice, columns: np.ndarray, leaf: np.ndarray) -> None:
            for number, tree in enumerate(self.trees):
                part(columns, tree.table, leaf)
                _add(tree.values, leaf, total[block], self.class_of(number))

        over_blocks(X, add_up)
        return total


@dataclass(frozen=True)
class Tree:
    """One tree.

    Attributes
    ----------
    table : structured array, (nodes,)
        As `trees.NODE` says, the root first; a leaf points at its row of `values`.
    thresholds : array of float64, (nodes,)
        As they were grown; those of the table are float32, and part float32 inputs alike.
    values : array of float64, (leaves,)
        What the leaves add.
    """

    table: np.ndarray
    thresholds: np.ndarray
    values: np.ndarray


def _of_scikit_learn(nodes: np.ndarray) -> Tree:
    """A tree of the nodes of a TreePredictor."""
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, np.cumsum(leaf) - 1, nodes["right"])
    return _tree(nodes["feature_idx"], nodes["num_threshold"], left, right, nodes["value"][leaf])


def _of_lightgbm(facts: Mapping[str, str], inputs: int) -> Tree:
    """A tree of its lines of LightGBM's text: splits first, then leaves, which count from ~0."""
    values = _numbers(facts, "leaf_value", float)
    n_splits = int(facts["num_leaves"]) - 1
    names = ("split_feature", "decision_type", "left_child", "right_child")
    feature, kind, left, right = (_numbers(facts, name, int)[:n_splits] for name in names)
    thresholds = _numbers(facts, "threshold", float)[:n_splits]
    lengths = {len(held) for held in (feature, kind, left, right, thresholds)}
    if lengths != {n_splits} or len(values) != n_splits + 1:
        raise ValueError("a tree is not whole")
    if ((kind & _CATEGORICAL) != 0).any() or ((kind & 12) == _ZERO_IS_MISSING).any():
        raise ValueError("a tree splits by categories, or takes 0 for a missing value")
    children = np.where(
        np.stack([left, right]) < 0, n_splits - 1 - np.stack([left, right]), np.stack([left, right])
    )
    # Only such trees end: a split is followed by later ones and by leaves, whatever the text says
    if n_splits and (
        (children <= np.arange(n_splits)).any()
        or children.max() > 2 * n_splits
        or feature.min() < 0
        or feature.max() >= inputs
    ):
        raise ValueError("a tree points at what is not there")
    leaves = np.full(n_splits + 1, -1)
    return _tree(
        np.concatenate([feature, leaves]),
        np.concatenate([thresholds, np.zeros(n_splits + 1)]),
        np.concatenate([children[0], leaves]),
        np.concatenate([children[1], np.arange(n_splits + 1)]),
        values,
    )


def _tree(
    feature: np.ndarray,
    thresholds: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    values: np.ndarray,
) -> Tree:
    table = np.empty(len(feature), NODE)
    table["threshold"] = rounded_down(thresholds)
    table["feature"], table["left"], table["right"] = feature, left, right
    return Tree(table, thresholds, np.ascontiguousarray(values, np.float64))


def _facts(lines: Iterable[str]) -> dict[str, str]:
    """What lines of ``name=value`` say, up to the first empty one."""
    found: dict[str, str] = {}
    for line in lines:
        if not line and found:
            break
        name, equals, value = line.partition("=")
        if equals:
            found[name] = value
    return found


def _numbers(facts: Mapping[str, str], name: str, kind: type) -> np.ndarray:
    return np.array([kind(text) for text in facts.get(name, "").split()], kind)


@njit(cache=True, nogil=True)
def _add(values: np.ndarray, leaf: np.ndarray, total: np.ndarray, column: int) -> None:
    """Add the value of each row's leaf to one column of its total."""
    for row in range(len(leaf)):
        total[row, column] += values[leaf[row]]
