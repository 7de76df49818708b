"""Fitted decision trees as flat tables, and the probabilities that their leaves give many rows.

Mapping sends millions of rows through every tree. They are not walked down one by one: the
rows that reach a node are parted in two, as quicksort parts numbers, and go on to its
children together. A node is then looked up once for all its rows, and no step waits for
another. Each row is added up over the trees in their order, in float64, so its probabilities are
scikit-learn's to the last bit, whatever the other rows are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree._tree import Tree

#: A node or place: counted from 0, or read from a table.
Integer: TypeAlias = int | np.integer

#: Rows divided at a time. Of more rows, more share one visit of a node, which is quicker.
#: Their places must fit in 16 bits.
BLOCK_ROWS = 32768

#: A node. A leaf has `left` -1, and in `right` its row of the table of probabilities.
NODE = np.dtype([("threshold", "f4"), ("feature", "i4"), ("left", "i4"), ("right", "i4")])


@dataclass(frozen=True)
class Trees:
    """The trees of a forest.

    Attributes
    ----------
    tables : tuple of structured arrays, (nodes,)
        One a tree, its root first. A row goes left where its feature is at most the threshold.
    leaves : array of float64, (leaves, classes)
        Probability of each class. Leaves of one class alone share a row, among the first ones.
    """

    tables: tuple[np.ndarray, ...]
    leaves: np.ndarray

    @classmethod
    def of(cls, forest: RandomForestClassifier) -> Trees:
        """The trees of a fitted scikit-learn forest of one target.

        Examples
        --------
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> X = np.arange(8, dtype=np.float32)[:, np.newaxis]
        >>> forest = RandomForestClassifier(3, bootstrap=False).fit(X, X[:, 0] > 3)
        >>> Trees.of(forest).probabilities(X[3:5])
        array([[1., 0.],
               [0., 1.]])
        """
        tables, probabilities = [], [np.eye(int(forest.n_classes_))]
        held = len(probabilities[0])
        for tree in (estimator.tree_ for estimator in forest.estimators_):
            leaves = np.flatnonzero(tree.children_left < 0)
            values = tree.value[leaves, 0]
            pure = (values.max(axis=1) == 1) & (np.count_nonzero(values, axis=1) == 1)
            rows = np.where(pure, values.argmax(axis=1), held - 1 + np.cumsum(~pure))
            tables.append(_table(tree, leaves, rows))
            probabilities.append(values[~pure])
            held += len(probabilities[-1])
        return cls(tuple(tables), np.concatenate(probabilities))

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """Mean probability of each class over the trees.

        Parameters
        ----------
        X : array of float32, (rows, inputs)
            Without NaN. Cheapest where the values of an input lie side by side.

        Returns
        -------
        array of float64, (rows, classes)
        """
        total = np.zeros((len(X), self.leaves.shape[1]))

        def add_up(block: slice, columns: np.ndarray, leaf: np.ndarray) -> None:
            for table in self.tables:
                part(columns, table, leaf)
                _add(self.leaves, leaf, total[block])
            total[block] /= len(self.tables)

        over_blocks(X, add_up)
        return total


def over_blocks(X: np.ndarray, work: Callable[[slice, np.ndarray, np.ndarray], None]) -> None:
    """Let every block of rows be worked on, by all cores at once.

    Parameters
    ----------
    X : array of float32, (rows, inputs)
        Without NaN.
    work : callable
        Takes a block, its columns as `columns_of` gives them, and room for a leaf a row.
    """

    def run(block: slice) -> None:
        columns = columns_of(X[block])
        work(block, columns, np.empty(columns.shape[1], np.uint32))

    threads = os.cpu_count() or 1
    blocks = blocks_of(len(X), min(BLOCK_ROWS, -(-len(X) // threads)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, blocks))


def leaves_of(tree: Tree, X: np.ndarray) -> np.ndarray:
    """The node (rows,) of a fitted scikit-learn tree in which each row of X ends."""
    leaves = np.flatnonzero(tree.children_left < 0)
    table = _table(tree, leaves, leaves)
    found = np.empty(len(X), np.uint32)
    for block in blocks_of(len(X), BLOCK_ROWS):
        part(columns_of(X[block]), table, found[block])
    return found


def _table(tree: Tree, leaves: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A tree's nodes; `rows` is what each of its `leaves` points at."""
    table = np.empty(tree.node_count, NODE)
    table["threshold"] = rounded_down(tree.threshold)
    table["feature"] = tree.feature
    table["left"] = tree.children_left
    table["right"] = tree.children_right
    table["right"][leaves] = rows
    return table


def rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: a float32 compares alike with both."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


def columns_of(X: np.ndarray) -> np.ndarray:
    """(inputs, rows) of (rows, inputs), float32, every input in one piece."""
    return np.ascontiguousarray(X.T, np.float32)


def blocks_of(rows: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    for start in range(0, rows, max(1, size)):
        yield slice(start, start + max(1, size))


# Places and nodes are unsigned below: numba looks after negative indices, which costs half
# of the speed.


@njit(cache=True, nogil=True)
def part(columns: np.ndarray, table: np.ndarray, leaf: np.ndarray) -> None:
    """What the leaf of each row points at, into `leaf`."""
    n = columns.shape[1]
    places = np.empty((2, n), np.uint16)  # of rows; a node's children write to the other half
    for row in range(n):
        places[0, row] = row
    # At most one node a level waits besides the one in hand.
    waiting = np.empty((len(table) + 1, 4), np.uint32)
    _wait(waiting[0], 0, 0, 0, n)
    depth = 1 if n else 0
    while depth:
        depth -= 1
        node, half, start, end = (
            waiting[depth, 0],
            waiting[depth, 1],
            waiting[depth, 2],
            waiting[depth, 3],
        )
        here, threshold, right = places[half], table[node].threshold, np.uint32(table[node].right)
        if table[node].left < 0:
            for k in range(start, end):
                leaf[here[k]] = right
            continue
        there, values = places[1 - half], columns[np.uint32(table[node].feature)]
        # Rows of the left child fill its half from the front, the others from the back. Both
        # places are written and one of them moves on: a branch would be guessed wrong.
        front, back = start, np.uint32(end - 1)
        for k in range(start, end):
            row = here[k]
            goes_right = np.uint32(values[row] > threshold)
            there[front] = row
            there[back] = row
            front += np.uint32(1) - goes_right
            back -= goes_right
        if front < end:
            _wait(waiting[depth], right, 1 - half, front, end)
            depth += 1
        if front > start:
            _wait(waiting[depth], table[node].left, 1 - half, start, front)
            depth += 1


@njit(cache=True, nogil=True)
def _wait(entry: np.ndarray, node: Integer, half: Integer, start: Integer, end: Integer) -> None:
    """Note a node, the half that its rows are in, and where they begin and end."""
    entry[0], entry[1], entry[2], entry[3] = node, half, start, end


@njit(cache=True, nogil=True)
def _add(leaves: np.ndarray, leaf: np.ndarray, total: np.ndarray) -> None:
    """Add the probabilities of each row's leaf to its total."""
    for row in range(len(leaf)):
        values = leaves[leaf[row]]
        for k in range(np.uint32(leaves.shape[1])):
            total[row, k] += values[k]
