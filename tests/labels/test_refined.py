"""Refined labels of segments and pixels, with labels that stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.labels.refined import Posterior, Refined
from landcover.legend import Legend

LEGEND = Legend.corine().subset([112, 211, 311])
POSTERIOR = np.array([[1, 0, 0], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0, 0.2, 0.8]])
LABELLED = np.array([[0, 0, 0], [20, 0, 0], [0, 30, 0], [0, 10, 15], [0, 0, 25]])
IDS = np.array([[0, 1, 2, 3, 4]])


def refined(*classes):
    return Refined.of(LEGEND, np.isin(LEGEND.codes, classes).astype(float), POSTERIOR, LABELLED)


def classes_of(found, labels):
    return found.classes(np.asarray(labels), IDS, POSTERIOR[IDS]).tolist()


def test_every_class_by_the_image():
    found = refined(112, 211, 311)
    assert classes_of(found, np.full((1, 5), 211)) == [[0, 112, 211, 112, 311]]


def test_a_class_that_is_kept_loses_and_gains_nothing():
    found = refined(211, 311)
    assert classes_of(found, np.full((1, 5), 211)) == [[0, 211, 211, 311, 311]]
    assert classes_of(found, [[112, 112, 112, 211, 311]]) == [[0, 112, 112, 311, 311]]


def test_no_class_refined_gives_labels_and_the_likeliest_where_there_are_none():
    found = refined()
    assert classes_of(found, [[112, 311, 211, 0, 112]]) == [[0, 311, 211, 112, 112]]


@pytest.mark.parametrize("classes", [(), (112, 211, 311)])
def test_a_label_that_is_not_learnt_stays(classes):
    """Nothing is known of it, so nothing says that it is wrong."""
    assert classes_of(refined(*classes), np.full((1, 5), 512)) == [[0, 512, 512, 512, 512]]


def test_areas_are_those_of_labels():
    """211 is likeliest nowhere and keeps half of its labelled area."""
    posterior = np.column_stack([np.full(21, 0.6), np.linspace(0.05, 0.1, 21), np.full(21, 0.3)])
    labelled = np.zeros((21, 3), int)
    labelled[1:11, 0], labelled[11:, 1] = 10, 10
    found = Refined.of(LEGEND, np.ones(3), posterior, labelled)
    classes = found.classes(np.full(21, 112), np.arange(21), posterior)
    assert np.flatnonzero(classes == 211).tolist() == [16, 17, 18, 19, 20]


def test_pixels_of_a_segment_are_alike_unless_something_is_said_of_them():
    posterior = Posterior(POSTERIOR, POSTERIOR, 0.4)
    assert (posterior.at(IDS) == POSTERIOR[IDS]).all()
    assert np.allclose(posterior.at(IDS, POSTERIOR[IDS]), POSTERIOR[IDS], atol=1e-4)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_pixels_mix_with_their_segment_and_are_corrected_like_it(seed, share):
    """Against the definition: the mix of both, times what its segment was multiplied by."""
    rng = np.random.default_rng(seed)
    means, corrected, pixels = rng.dirichlet(np.full(3, 2), (3, 20)) + 1e-3
    posterior = Posterior(means, corrected, share)
    ids = rng.integers(0, 20, 20)
    mixed = (1 - share) * means[ids] + share * pixels
    expected = mixed * corrected[ids] / means[ids]
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(posterior.at(ids, pixels), expected)
