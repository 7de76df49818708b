"""The area of applicability: against brute force, by hand, and on arrays and models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from landcover.classifiers import applicability, networks
from landcover.classifiers.applicability import (
    MOST_PERCENT,
    Applicability,
    Space,
    distance_to_other_blocks,
    few_axes,
    fit_applicability,
    importance,
    load_applicability,
    spread_out,
    upper_whisker,
)
from landcover.errors import InputError, LandcoverError
from tests.fixtures.map_models import cnn_classifier, forest_classifier, random_cnn


def some_area(rng, dimensions=3, samples=40):
    return Applicability(
        rng.normal(size=(dimensions, dimensions)), rng.normal(size=(samples, dimensions)), 1.7, 0.3
    )


def space_of(values, weights):
    return Space(lambda part: values[part], lambda _part: weights)


def test_dissimilarity_is_that_of_brute_force(rng):
    area, at = some_area(rng), rng.normal(size=(3, 5, 8))
    expected = cdist(at.reshape(3, -1).T, area.points).min(axis=1) / 1.7
    assert area.dissimilarity(at) == pytest.approx(expected.reshape(5, 8), rel=1e-12)


def test_a_missing_value_has_no_dissimilarity(rng):
    at = rng.normal(size=(3, 2, 2))
    at[1, 0, 1] = np.nan
    found = some_area(rng).dissimilarity(at)
    assert np.isnan(found).tolist() == [[False, True], [False, False]]


def test_percent_is_above_100_just_outside_and_ends_at_the_most(rng):
    area = some_area(rng)
    at = rng.normal(size=(3, 40, 50)) * np.linspace(0, 3, 50)
    found, percent = area.dissimilarity(at), area.percent_of_threshold(at)
    assert ((percent > 100) == (found > area.threshold)).all()
    assert percent.min() >= 1 and percent.max() == MOST_PERCENT
    near = percent < MOST_PERCENT
    assert np.abs(percent - 100 * found / area.threshold)[near].max() <= 1
    assert (100 * found / area.threshold)[~near].min() > MOST_PERCENT - 1


@pytest.mark.parametrize("every_px", [2, 3])
@pytest.mark.parametrize("kind", ["forest", "cnn"])
def test_coordinates_of_one_pixel_a_square(rng, every_px, kind):
    classifier = forest_classifier() if kind == "forest" else cnn_classifier()
    image = rng.uniform(0, 0.4, (4, 7, 5)).astype(np.float32)
    rows = len(classifier._values(image)) if kind == "forest" else 48 + 4
    area = Applicability(rng.normal(size=(rows, 3)), np.zeros((1, 3)), 1.0, 1.0)
    object.__setattr__(classifier, "applicability", area)
    image = np.pad(image, ((0, 0), *[(classifier.radius,) * 2] * 2), constant_values=0.1)
    alone, thinned = classifier.coordinates(image), classifier.coordinates(image, every_px)
    assert thinned == pytest.approx(alone[:, ::every_px, ::every_px], rel=1e-5)


def test_the_whole_of_it_by_plain_loops(rng):
    values = rng.normal(size=(60, 3)) * [1, 5, 0.1]
    blocks, weights = rng.integers(0, 4, 60), np.array([1.0, 0.2, 7.0])
    area = fit_applicability(space_of(values, weights), np.arange(60), blocks, seed=0)
    at = values * weights
    between = cdist(at, at)
    mean = between.sum() / (60 * 59)
    across = np.where(blocks[:, None] != blocks, between, np.inf).min(axis=1) / mean
    low, high = np.percentile(across, [25, 75])
    assert area.mean_distance == pytest.approx(mean)
    assert area.threshold == pytest.approx(across[across <= high + 1.5 * (high - low)].max())
    # so few samples are all kept
    assert cdist(area.points, at).min(axis=0).max() < 1e-12 and len(area.points) == 60


def test_a_threshold_by_hand():
    assert upper_whisker(np.array([0.0, 1, 2, 3, 4])) == 4
    assert upper_whisker(np.array([0.0, 1, 2, 3, 4, 100])) == 4
    # quartiles of 1 and 3: the fence is at 6
    assert upper_whisker(np.array([0.0, 1, 2, 3, 6])) == 6
    assert upper_whisker(np.array([0.0, 1, 2, 3, 6.01])) == 3


def test_own_blocks_are_no_neighbours():
    points = np.array([[0.0], [0.1], [5.0], [5.1]])
    found = distance_to_other_blocks(points, np.array([0, 0, 1, 1]), np.arange(4))
    assert found.tolist() == [5.0, 4.9, 4.9, 5.0]


def test_what_is_alone_in_all_that_is_kept_is_left_out():
    points = np.array([[0.0], [1.0], [9.0]])
    found = distance_to_other_blocks(points, np.array([0, 1, 1]), np.array([0]))
    assert found.tolist() == [1.0, 9.0]


@given(seed=st.integers(0, 99), most=st.integers(2, 12))
def test_points_kept_cover_all_within_twice_the_least_radius(seed, most):
    points = np.random.default_rng(seed).normal(size=(30, 2))
    kept = spread_out(points, most)
    assert len(set(kept.tolist())) == most
    covered = cdist(points, points[kept]).min(axis=1).max()
    # Kept points are at least as far apart as the radius, so no cover of fewer is twice as good
    apart = cdist(points[kept], points[kept])[np.triu_indices(most, 1)].min()
    assert covered <= apart + 1e-12


def test_equal_points_are_kept_once():
    assert len(spread_out(np.repeat([[1.0, 2.0], [3.0, 4.0]], 5, axis=0), 10)) == 2


def test_few_dimensions_stay_as_they_are(rng):
    assert (few_axes(rng.normal(size=(50, 8))) == np.eye(8)).all()


def test_many_dimensions_keep_distances_nearly_and_see_what_samples_do_not_vary_in(rng):
    points = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 40))
    axes = few_axes(points)
    assert axes.shape == (40, 8)
    assert cdist(points @ axes, points @ axes) == pytest.approx(cdist(points, points), abs=1e-6)
    # Beside the plane of the samples distances are right on average
    basis = np.linalg.svd(points, full_matrices=False)[2][:6]
    beside = rng.normal(size=(2000, 40))
    beside -= beside @ basis.T @ basis
    ratio = np.linalg.norm(beside @ axes, axis=1) ** 2 / np.linalg.norm(beside, axis=1) ** 2
    assert ratio.mean() == pytest.approx(1, abs=0.05)


def test_samples_of_one_block_and_equal_samples_tell_nothing(rng):
    values, one = rng.normal(size=(9, 2)), np.ones(2)
    assert fit_applicability(space_of(values, one), np.arange(9), np.zeros(9, int), 0) is None
    same = np.ones((9, 2))
    assert fit_applicability(space_of(same, one), np.arange(9), np.arange(9), 0) is None


def test_many_samples_are_thinned_and_the_seed_decides(rng, monkeypatch):
    monkeypatch.setattr(applicability, "_MOST_ROWS", 100)
    monkeypatch.setattr(applicability, "_MOST_POINTS", 20)
    values, blocks = rng.normal(size=(400, 2)), rng.integers(0, 9, 400)

    def fitted(seed):
        return fit_applicability(space_of(values, np.ones(2)), np.arange(400), blocks, seed)

    assert fitted(0).points.shape == (20, 2)
    assert (fitted(0).points == fitted(0).points).all()
    assert not np.array_equal(fitted(0).points, fitted(1).points)


def test_what_a_model_does_not_look_at_matters_nothing(rng):
    values, types = rng.uniform(size=(300, 3)), np.zeros((300, 0), np.uint8)

    def predict(values, _types):
        sure = (values[:, 1] > 0.5).astype(float)
        return np.stack([sure, 1 - sure], axis=1)

    found = importance(predict, values, types)
    assert found[0] == found[2] == 0
    assert found[1] == pytest.approx(0.5, abs=0.08)  # half of the shuffled rows change sides


def test_a_file_keeps_it_and_the_same_gives_the_same_bytes(rng, tmp_path):
    area = some_area(rng)
    area.store(tmp_path / "a.npz")
    area.store(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found, at = load_applicability(tmp_path / "a.npz"), rng.normal(size=(3, 4, 4))
    assert (found.percent_of_threshold(at) == area.percent_of_threshold(at)).all()
    assert isinstance(found.threshold, float)


@pytest.mark.parametrize("content", ["nothing", "text", "cut", "other", "objects"])
def test_a_damaged_file_ends_in_one_line(rng, tmp_path, content):
    path = tmp_path / "applicability.npz"
    some_area(rng).store(path)
    whole = path.read_bytes()
    if content == "other":
        np.savez(path, points=np.ones(3))
    elif content == "objects":
        np.savez(path, points=np.array([{"a": 1}], object))
    else:
        path.write_bytes({"nothing": b"", "text": b"hello", "cut": whole[:200]}[content])
    with pytest.raises(LandcoverError, match="train the model again") as error:
        load_applicability(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("dense", [True, False])
def test_coordinates_of_a_network_are_hidden_units_and_bands_times_the_projection(rng, dense):
    model = random_cnn(7) if dense else networks.build_published(7, 4, 4, [0.2] * 4, [0.02] * 4)
    units = model.layers[-1].input.shape[-1]
    area = Applicability(rng.normal(size=(units + 4, 3)), np.zeros((1, 3)), 1.0, 1.0)
    classifier = cnn_classifier(model=model)
    image = rng.uniform(0, 0.4, (4, 14, 13)).astype(np.float32)
    image[2, 9, 3] = np.nan
    object.__setattr__(classifier, "applicability", area)
    found = classifier.coordinates(image)
    chips = np.lib.stride_tricks.sliding_window_view(image, (7, 7), axis=(1, 2))
    chips = np.moveaxis(chips, 0, -1).reshape(-1, 7, 7, 4)
    hidden = networks.predict(networks.hidden_network(model), lambda rows: chips[rows], len(chips))
    bands = np.nan_to_num(image[:, 3:-3, 3:-3].reshape(4, -1).T - 0.2)
    described = np.hstack([hidden.reshape(len(hidden), -1), bands])
    expected = (described @ area.projection).T.reshape(3, 8, 7)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("dense", [True, False])
def test_an_area_of_other_inputs_says_train_again(rng, dense):
    model = random_cnn(7) if dense else networks.build_published(7, 4, 4, [0.2] * 4, [0.02] * 4)
    units = model.layers[-1].input.shape[-1]
    classifier = cnn_classifier(model=model)
    area = Applicability(rng.normal(size=(units, 3)), np.zeros((1, 3)), 1.0, 1.0)
    object.__setattr__(classifier, "applicability", area)
    with pytest.raises(InputError, match="train the model again"):
        classifier.coordinates(np.full((4, 14, 13), 0.1, np.float32))


def test_units_that_serve_all_classes_alike_weigh_nothing():
    model = networks.build_cnn(3, 2, 3)
    kernel = np.zeros(model.layers[-1].kernel.shape)
    kernel[..., 0, :], kernel[..., 1, :] = [1, 1, 1], [0, 3, 0]
    model.layers[-1].set_weights([kernel, np.zeros(3)])
    found = networks.weights_of_units(model)
    assert found[0] == 0 and found[1] == pytest.approx(np.std([0, 3, 0]))


def test_a_classifier_that_was_loaded_without_one_says_so():
    image = np.full((4, 6, 6), 0.1, np.float32)
    with pytest.raises(InputError, match="loaded without its area of applicability"):
        forest_classifier().coordinates(image)
