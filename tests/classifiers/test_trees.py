"""Trees as tables: the probabilities and leaves of scikit-learn, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from landcover.classifiers import trees
from landcover.classifiers.trees import Trees, leaves_of


def rows_of(rng, n, inputs, levels):
    """Inputs with few distinct values, so that rows meet thresholds and each other."""
    return (rng.integers(-levels, levels, (n, inputs)) / levels).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]),
    inputs=st.integers(1, 9),
    classes=st.integers(1, 12),
    n_trees=st.integers(1, 12),
    leaf_size=st.sampled_from([1, 2, 20]),
    levels=st.sampled_from([1, 5, 100_000]),
    weighted=st.booleans(),
    block=st.sampled_from([1, 7, 32768]),
)
def test_probabilities_equal_scikit_learns_bits(
    seed, kind, inputs, classes, n_trees, leaf_size, levels, weighted, block
):
    rng = np.random.default_rng(seed)
    X, y = rows_of(rng, 120, inputs, levels), rng.integers(classes, size=120)
    forest = kind(
        n_trees,
        min_samples_leaf=leaf_size,
        class_weight="balanced" if weighted else None,
        random_state=seed,
        n_jobs=1,
    ).fit(X, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "BLOCK_ROWS", block)
        others = np.concatenate([X, rows_of(rng, 50, inputs, levels)])
        found = Trees.of(forest).probabilities(others)
    assert found.tobytes() == forest.predict_proba(others).tobytes()
    for estimator in forest.estimators_[:3]:
        np.testing.assert_array_equal(leaves_of(estimator.tree_, others), estimator.apply(others))


def test_thresholds_between_float32_values_decide_alike():
    """A threshold halfway between neighbours in float32 has no float32 of its own."""
    low = np.float32(4)
    X = np.array([[low], [np.nextafter(low, np.float32(5))]], np.float32)
    y = np.array([0, 1])
    for sign in (1, -1):
        forest = RandomForestClassifier(1, bootstrap=False).fit(sign * X, y)
        assert Trees.of(forest).probabilities(sign * X).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("rows", [0, 1, 2, 32768, 32769, 65537, 140_000])
def test_any_number_of_rows(rows):
    rng = np.random.default_rng(1)
    X = rng.random((500, 3)).astype(np.float32)
    forest = RandomForestClassifier(3, random_state=0).fit(X, rng.integers(4, size=500))
    others = rng.random((rows, 3)).astype(np.float32)
    found = Trees.of(forest).probabilities(others)
    assert found.shape == (rows, 4)
    if rows:
        np.testing.assert_array_equal(found, forest.predict_proba(others))
        np.testing.assert_array_equal(
            Trees.of(forest).probabilities(np.asfortranarray(others)), found
        )


def test_a_tree_as_deep_as_it_has_rows():
    """Alternating classes whose gaps double: every split takes one row off."""
    X = (2.0 ** np.arange(100))[:, np.newaxis].astype(np.float32)
    y = np.arange(100) % 2
    forest = ExtraTreesClassifier(5, random_state=0).fit(X, y)
    assert max(estimator.get_depth() for estimator in forest.estimators_) > 10
    np.testing.assert_array_equal(Trees.of(forest).probabilities(X), forest.predict_proba(X))


def test_pure_leaves_are_held_once():
    X = np.arange(64, dtype=np.float32)[:, np.newaxis]
    forest = RandomForestClassifier(10, random_state=0).fit(X, X[:, 0] // 8)
    assert len(Trees.of(forest).leaves) == 8
