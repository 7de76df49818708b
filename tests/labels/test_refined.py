"""Refined labels by segments, with labels that stay."""

from __future__ import annotations

import numpy as np

from landcover.labels.refined import Refined
from landcover.legend import Legend

LEGEND = Legend.corine().subset([112, 211, 311])
POSTERIOR = np.array([[1, 0, 0], [0.6, 0.3, 0.1], [0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [0, 0.2, 0.8]])
LABELLED = np.array([[0, 0, 0], [20, 0, 0], [0, 30, 0], [0, 10, 15], [0, 0, 25]])
IDS = np.array([[0, 1, 2, 3, 4]])


def refined(*classes):
    return Refined.of(LEGEND, np.isin(LEGEND.codes, classes).astype(float), POSTERIOR, LABELLED)


def test_every_class_by_the_image():
    found = refined(112, 211, 311)
    assert found.best.tolist() == [0, 112, 211, 112, 311]
    assert found.classes(np.full((1, 5), 211), IDS).tolist() == [[0, 112, 211, 112, 311]]


def test_a_class_that_is_kept_loses_and_gains_nothing():
    found = refined(211, 311)
    assert found.best.tolist() == [0, 211, 211, 311, 311]
    labels = np.array([[112, 112, 112, 211, 311]])
    assert found.classes(labels, IDS).tolist() == [[0, 112, 112, 311, 311]]


def test_no_class_refined_gives_labels_and_the_likeliest_where_there_are_none():
    found = refined()
    labels = np.array([[112, 311, 211, 0, 512]])
    assert found.classes(labels, IDS).tolist() == [[0, 311, 211, 112, 311]]


def test_areas_are_those_of_labels():
    """211 is likeliest nowhere and keeps half of its labelled area."""
    posterior = np.column_stack([np.full(21, 0.6), np.linspace(0.05, 0.1, 21), np.full(21, 0.3)])
    labelled = np.zeros((21, 3), int)
    labelled[1:11, 0], labelled[11:, 1] = 10, 10
    found = Refined.of(LEGEND, np.ones(3), posterior, labelled)
    assert np.flatnonzero(found.best == 211).tolist() == [16, 17, 18, 19, 20]
