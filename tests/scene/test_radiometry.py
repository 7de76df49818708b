"""Two dates in one radiometry: known lines, haze that varies, and change that must not count."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.exposure import match_histograms

from landcover.errors import LandcoverError
from landcover.grid import Window
from landcover.scene import radiometry
from landcover.scene.radiometry import fit_lines, likeness

BANDS = ["B02", "B08"]


@pytest.fixture
def first(rng):
    """Fields of 12 px with some texture."""
    fields = rng.uniform(0.03, 0.4, (2, 20, 25)).repeat(12, axis=1).repeat(12, axis=2)
    return (fields + rng.normal(0, 0.004, fields.shape)).astype(np.float32)


def veiled(first, rng, strength=0.1):
    """Another date: less light, and a haze that is thicker in places."""
    down, right = np.mgrid[0 : first.shape[1], 0 : first.shape[2]] / first.shape[1]
    veil = strength * (1 + 0.6 * np.sin(3 * down) * np.cos(2 * right))
    path = np.array([0.3, 0.18])[:, np.newaxis, np.newaxis]
    seen = 0.9 * first + (path - 0.9 * first) * veil
    return (seen + rng.normal(0, 0.001, first.shape)).astype(np.float32)


def whole(image):
    return Window(0, 0, *image.shape[1:])


def test_equal_images_stay_as_they_are_to_the_bit(first):
    lines = fit_lines(first, first, first.shape[1:], BANDS)
    assert (lines.gain == 1).all() and (lines.offset == 0).all() and lines.unchanged == 1
    np.testing.assert_array_equal(lines.apply(first, whole(first)), first)


def test_haze_that_varies_is_taken_out(first, rng):
    later = veiled(first, rng)
    lines = fit_lines(first, later, first.shape[1:], BANDS)
    left = np.abs(lines.apply(later, whole(later)) - first).mean()
    assert left < 0.003 < 0.02 < np.abs(later - first).mean()


def test_change_does_not_count(first, rng):
    later = veiled(first, rng)
    changed = ndimage.zoom(rng.random((20, 25)) < 0.2, 12, order=0)
    later[:, changed] = rng.uniform(0.2, 0.5, (2, int(changed.sum())))
    lines = fit_lines(first, later, first.shape[1:], BANDS)
    ours = lines.apply(later, whole(later))
    matched = match_histograms(later, first, channel_axis=0)
    errors = [np.abs(image - first)[:, ~changed].mean() for image in (ours, matched)]
    assert errors[0] < 0.004 and errors[0] < errors[1] / 3
    assert 0.5 < lines.unchanged < 0.85
    assert (likeness(first, ours, lines.spread)[changed] > 0).mean() > 0.9
    assert (likeness(first, ours, lines.spread)[~changed] > 0).mean() < 0.1


def test_orthogonal_regression_is_its_own_inverse(first, rng):
    later = (first - 0.02) / 0.8
    there = fit_lines(first, later, first.shape[1:], BANDS)
    back = fit_lines(later, first, first.shape[1:], BANDS)
    np.testing.assert_allclose(there.gain * back.gain, 1, atol=1e-6)
    np.testing.assert_allclose(there.gain, 0.8, atol=1e-4)
    np.testing.assert_allclose(there.offset, 0.02, atol=1e-4)


def test_a_window_gives_what_the_whole_scene_gives(first, rng):
    later = veiled(first, rng)
    lines = fit_lines(first, later, first.shape[1:], BANDS)
    full = lines.apply(later, whole(later))
    for window in (Window(0, 0, 50, 60), Window(37, 101, 90, 43)):
        part = lines.apply(later[:, *window.slices], window)
        np.testing.assert_array_equal(part, full[:, *window.slices])


def test_thinned_scenes_give_nearly_the_same_lines(first, rng):
    later = veiled(first, rng)
    lines = fit_lines(first, later, first.shape[1:], BANDS)
    thin = [i.reshape(2, 80, 3, 100, 3).mean(axis=(2, 4)) for i in (first, later)]
    thinned = fit_lines(*thin, first.shape[1:], BANDS)
    assert thinned.gain.shape == lines.gain.shape
    apart = lines.apply(later, whole(later)) - thinned.apply(later, whole(later))
    assert np.abs(apart).mean() < 0.002


def test_missing_pixels_tell_nothing(first, rng):
    later = veiled(first, rng)
    later[0, :100, :100] = np.nan
    lines = fit_lines(first, later, first.shape[1:], BANDS)
    made = lines.apply(later, whole(later))
    assert np.isnan(made[0, :100, :100]).all() and np.isfinite(lines.gain).all()
    assert (likeness(first, made, lines.spread)[:100, :100] == 0).all()


def test_too_few_pixels_and_two_unlike_places_are_refused(first, rng):
    empty = np.full_like(first, np.nan)
    with pytest.raises(LandcoverError, match="only 0 pixels have data at both dates"):
        fit_lines(first, empty, first.shape[1:], BANDS)
    other = rng.uniform(0, 0.4, first.shape).astype(np.float32)
    with pytest.raises(LandcoverError, match="band B02 of the two dates hardly goes together"):
        fit_lines(first, other, first.shape[1:], BANDS)


def test_bounds_of_likeness():
    near, far = radiometry.ALIKE
    steps = 0.01 * np.array([0, near - 0.1, near + 0.1, far - 0.1, far + 0.1, np.nan])
    found = likeness(np.zeros((1, 1, 6)), steps.reshape(1, 1, 6), np.array([0.01]))
    assert found.tolist() == [[0, 0, 1, 1, 2, 0]]
