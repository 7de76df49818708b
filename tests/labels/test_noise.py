"""Estimates of label noise: known populations, direct solvers, brute force, and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize, nnls

from landcover.labels import noise

#: p(label | class): the last class is mostly swallowed by the first.
TRUE = np.array([[0.92, 0.05, 0.03], [0.1, 0.85, 0.05], [0.55, 0.05, 0.4]])


def rows_of(n, classes, seed, sharpness=1.0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, sharpness), n)


probabilities = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        hnp.arrays(float, st.tuples(st.integers(4, 30), st.just(classes)),
                   elements=st.floats(0.001, 1)),
        hnp.arrays(float, (classes,), elements=st.floats(0.01, 1)),
        hnp.arrays(float, (classes, classes), elements=st.floats(0.01, 1)),
    )
)  # fmt: skip


def normalised(array):
    return array / array.sum(axis=-1, keepdims=True)


def population(seed=0):
    """Segments whose labels come from TRUE: one in three is pure, the others mix classes."""
    rng = np.random.default_rng(seed)
    pure = np.eye(3)[rng.integers(0, 3, 400)]
    mixed = rng.dirichlet(np.ones(3), 800) * 0.9 + 0.1 / 3
    classes = np.concatenate([pure, mixed])
    sizes = rng.integers(20, 400, len(classes))
    labels = classes @ TRUE
    return classes, labels, sizes, np.average(labels, axis=0, weights=sizes)


def test_transitions_of_anchors_are_those_of_a_known_population():
    _, labels, sizes, priors = population()
    np.testing.assert_allclose(
        noise.transitions_of_anchors(labels, sizes, priors), TRUE, atol=1e-12
    )


def test_transitions_of_anchors_are_found_through_noise():
    _, labels, sizes, priors = population()
    noisy = normalised((labels + np.random.default_rng(1).normal(0, 0.02, labels.shape)).clip(0))
    found = noise.transitions_of_anchors(noisy, sizes, priors)
    np.testing.assert_allclose(found, TRUE, atol=0.06)


def test_anchors_are_a_tenth_of_the_labels_area():
    """Two hundred equal segments, half of them labelled so: the ten surest are averaged."""
    own = np.concatenate([np.linspace(0.99, 0.6, 100), np.linspace(0.4, 0.01, 100)])
    labels = np.stack([own, 1 - own], axis=1)
    found = noise.transitions_of_anchors(labels, np.full(200, 50), np.array([0.5, 0.5]))
    assert found[0, 0] == pytest.approx(own[:10].mean(), abs=0.004)
    assert found[1, 1] == pytest.approx(1 - own[-10:].mean(), abs=0.004)


def test_a_rare_class_has_anchors_too():
    labels = np.array([[0.9, 0.1]] * 50 + [[0.2, 0.8]])
    found = noise.transitions_of_anchors(
        labels, np.array([100] * 50 + [20]), np.array([0.99, 0.01])
    )
    assert found[1, 1] > found[0, 1]
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_transitions_are_nearer_to_those_of_a_class_that_lies_in_large_and_small_pieces():
    """A wood carries its label where it is large, and elsewhere half the time that of fields."""
    fields = np.tile([0.95, 0.05], (300, 1))
    large, small = np.tile([0.05, 0.95], (60, 1)), np.tile([0.45, 0.55], (120, 1))
    probabilities, sizes = np.concatenate([fields, large, small]), np.full(480, 100)
    true = np.array([[0.95, 0.05], np.concatenate([large, small]).mean(axis=0)])
    priors = probabilities.mean(axis=0)
    anchored = noise.transitions_of_anchors(probabilities, sizes, priors)
    found = noise.transitions(probabilities, sizes, priors)
    np.testing.assert_allclose(anchored[1], [0.05, 0.95], atol=1e-12)
    np.testing.assert_allclose(found, (anchored + true) / 2, atol=1e-12)


def test_a_class_that_nothing_is_taken_for_keeps_what_its_anchors_say():
    probabilities, sizes = np.array([[0.9, 0.08, 0.02]] * 40), np.full(40, 100)
    priors = np.array([0.9, 0.08, 0.02])
    found = noise.transitions(probabilities, sizes, priors)
    taken = noise.posterior(probabilities, priors, found).argmax(axis=1)[0]
    anchored = noise.transitions_of_anchors(probabilities, sizes, priors)
    others = np.arange(3) != taken
    np.testing.assert_allclose(found[others], anchored[others])


@given(probabilities)
def test_rows_make_one_and_nothing_is_negative(given_rows):
    mixed, priors, matrix = given_rows
    mixed, priors, matrix = normalised(mixed), normalised(priors), normalised(matrix)
    sizes = np.arange(1, len(mixed) + 1)
    for found in (
        noise.without_priors(mixed, priors),
        noise.undo(mixed, matrix),
        noise.posterior(mixed, priors, matrix),
        noise.transitions(mixed, sizes, priors),
    ):
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert (found >= 0).all()


@given(probabilities, st.randoms(use_true_random=False))
def test_the_order_of_classes_does_not_matter(given_rows, random):
    mixed, priors, matrix = given_rows
    mixed, priors, matrix = normalised(mixed), normalised(priors), normalised(matrix)
    order = list(range(mixed.shape[1]))
    random.shuffle(order)
    swapped = mixed[:, order], priors[order], matrix[np.ix_(order, order)]
    for there, here in (
        (noise.without_priors(swapped[0], swapped[1]),
         noise.without_priors(mixed, priors)),
        (noise.undo(swapped[0], swapped[2]), noise.undo(mixed, matrix)),
        (noise.posterior(*swapped), noise.posterior(mixed, priors, matrix)),
    ):  # fmt: skip
        np.testing.assert_allclose(there, here[:, order], rtol=1e-8, atol=1e-12)


def test_the_order_of_classes_does_not_matter_to_transitions():
    _, labels, sizes, priors = population(2)
    order = [2, 0, 1]
    there = noise.transitions(labels[:, order], sizes, priors[order])
    here = noise.transitions(labels, sizes, priors)
    np.testing.assert_allclose(there, here[np.ix_(order, order)], atol=1e-12)


def test_priors_are_divided_out_by_their_power():
    mixed, priors = rows_of(50, 4, 0), np.array([0.5, 0.3, 0.15, 0.05])
    np.testing.assert_allclose(noise.without_priors(mixed, priors, 0), mixed)
    np.testing.assert_allclose(noise.without_priors(mixed, priors, 1), normalised(mixed / priors))
    assert noise.without_priors(mixed, np.full(4, 0.25)) == pytest.approx(mixed)


def test_labels_that_err_never_are_left_alone():
    mixed = rows_of(40, 3, 1)
    np.testing.assert_allclose(noise.undo(mixed, np.eye(3)), mixed, atol=1e-12)
    turned = np.eye(3)[[1, 2, 0]]  # every class carries another's label, always
    np.testing.assert_allclose(noise.undo(mixed, turned), mixed[:, [1, 2, 0]], atol=1e-12)


def test_undoing_to_the_end_is_the_inverse_where_there_is_one(monkeypatch):
    """Where classes exist that explain the labels, least squares without negatives finds them."""
    monkeypatch.setattr(noise, "_STEPS", 20_000)
    classes = rows_of(30, 3, 3)
    labels = classes @ TRUE
    found = noise.undo(labels, TRUE)
    np.testing.assert_allclose(found, classes, atol=1e-6)
    solved = np.array([nnls(TRUE.T, row)[0] for row in labels])
    np.testing.assert_allclose(found, solved, atol=1e-6)


def test_undoing_to_the_end_is_maximum_likelihood(monkeypatch):
    """Also where no classes explain the labels, which an inverse would answer below 0."""
    monkeypatch.setattr(noise, "_STEPS", 20_000)
    labels = rows_of(12, 3, 4, sharpness=0.6).clip(1e-3)
    labels = normalised(labels)
    assert (labels @ np.linalg.inv(TRUE) < -0.01).any()
    found = noise.undo(labels, TRUE)
    for row, ours in zip(labels, found, strict=True):

        def loss(classes, row=row):
            return -(row * np.log(classes @ TRUE)).sum()

        solved = minimize(
            loss, np.full(3, 1 / 3), bounds=[(0, 1)] * 3, method="SLSQP", tol=1e-12,
            constraints={"type": "eq", "fun": lambda classes: classes.sum() - 1},
        )  # fmt: skip
        assert loss(ours) <= solved.fun + 1e-9
        np.testing.assert_allclose(ours, solved.x, atol=1e-3)


def test_thirty_steps_find_the_class_beneath():
    """The class that holds a segment is found although another's label is likelier there."""
    classes, labels, *_ = population(5)
    clear = classes.max(axis=1) > 0.7
    found = noise.undo(labels[clear], TRUE).argmax(axis=1)
    truth = classes[clear].argmax(axis=1)
    assert (found == truth).all()
    assert (labels[clear].argmax(axis=1) == truth).mean() < 0.8


def test_rows_are_undone_alike_alone_and_together(monkeypatch):
    mixed = rows_of(100, 3, 6)
    whole = noise.undo(mixed, TRUE)
    monkeypatch.setattr(noise, "_ROWS", 7)
    np.testing.assert_allclose(noise.undo(mixed, TRUE), whole, rtol=1e-12)
    assert noise.undo(mixed[:0], TRUE).shape == (0, 3)


def test_both_corrections_count():
    mixed, priors = rows_of(60, 3, 7), np.array([0.7, 0.2, 0.1])
    product = noise.without_priors(mixed, priors) * (noise.undo(mixed, TRUE) + 1e-3)
    np.testing.assert_allclose(noise.posterior(mixed, priors, TRUE), normalised(product))
