"""Change of years by the distance of probabilities, where errors of both years go together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landcover.maps.change import Halves, distance, distance_of_change, estimate_transitions


@pytest.fixture
def doubtful(rng):
    """Three classes of which the model always doubts two, alike in both years; 4 % change."""
    pixels = 4000
    base = rng.dirichlet([4, 3, 0.5], pixels).T
    before = base
    after = base * rng.uniform(0.9, 1.1, base.shape)
    changed = np.arange(pixels) % 25 == 0
    after[:, changed] = after[[1, 0, 2]][:, changed] * np.array([[0.3], [1.0], [1.0]])
    return before, after / after.sum(axis=0), changed


def test_equal_doubts_are_no_distance_and_the_scene_says_what_one_is(doubtful):
    before, after, _ = doubtful
    np.testing.assert_allclose(distance(before, before), 0, atol=1e-12)
    apart = distance_of_change(before, after, 0.04)
    assert (distance(before, after) > apart).mean() == pytest.approx(0.04, abs=0.002)
    nothing = distance_of_change(before, after, 0)
    assert not (distance(before, after) > nothing).any()


def test_the_distance_finds_what_the_odds_of_doubtful_classes_do_not(doubtful):
    before, after, changed = doubtful
    none = np.zeros(before.shape[1], int)
    transitions = estimate_transitions(before, after)
    by_odds = transitions.changed(before, after, none) > 0.5
    np.testing.assert_array_equal(transitions.shown(before, after, none) > 0.5, by_odds)
    of_years = replace(transitions, apart=distance_of_change(before, after, 0.04))
    shown = of_years.shown(before, after, none) > 0.5
    assert (shown >= by_odds).all()
    assert shown[changed].mean() > by_odds[changed].mean() + 0.3
    assert shown[~changed].mean() < 0.02


def test_what_halves_deny_is_not_shown_by_its_distance(doubtful):
    before, after, changed = doubtful
    none = np.zeros(before.shape[1], int)
    of_years = replace(
        estimate_transitions(before, after), apart=distance_of_change(before, after, 0.04)
    )
    whole = of_years.shown(before, after, none)
    agree = of_years.shown(before, after, none, Halves([before, before], [after, after]))
    deny = of_years.shown(before, after, none, Halves([before, after], [after, before]))
    assert (agree <= whole + 1e-6).all() and (deny <= whole + 1e-6).all()
    assert (deny > 0.5)[changed].mean() < 0.1 * (agree > 0.5)[changed].mean()
