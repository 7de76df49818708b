"""Synthetic scenes: determinism, ranges, classes, and the realism that docs/synthetic.md claims."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from landcover import legend
from landcover.errors import LandcoverError
from landcover.sources.synthetic import (
    MINIMUM_PX,
    Later,
    dates,
    make_dates,
    make_scene,
    patterns,
)
from landcover.sources.synthetic.spectra import BANDS, Spectra

SEEDS = (1, 2, 3, 4, 5)
SURFACES = Spectra.of(BANDS)


@pytest.fixture(scope="module")
def scenes():
    """Middle-sized scenes, one a seed."""
    return {seed: make_scene(500, 700, seed) for seed in SEEDS}


def digest(scene) -> str:
    total = hashlib.sha256()
    for array in (scene.image, scene.truth, scene.corine):
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def test_scene_holds_what_its_docstring_says(scenes):
    scene = scenes[1]
    assert scene.image.shape == (4, 500, 700) and scene.image.dtype == np.float32
    assert scene.bands == ("B02", "B03", "B04", "B08")
    assert scene.grid.shape == scene.truth.shape == (500, 700)
    assert scene.grid.crs.to_epsg() == 32633 and scene.grid.resolution == (10, 10)
    assert all(edge % 10 == 0 for edge in scene.grid.bounds)
    assert scene.truth.dtype == np.uint16 and scene.truth.min() > 0
    assert scene.corine.dtype == np.uint8 and scene.corine.max() <= 44
    assert np.isfinite(scene.image).all()
    assert scene.image.min() > 0 and scene.image.max() < 1


def test_every_class_is_a_corine_class(scenes):
    for scene in scenes.values():
        legend.Legend.corine().subset(np.unique(scene.truth))


def test_corine_grid_is_the_reference_grid_and_covers_the_scene(scenes):
    from rasterio.warp import transform_bounds

    scene = scenes[2]
    assert scene.corine.shape == scene.corine_grid.shape
    assert scene.corine_grid.crs.to_epsg() == 3035
    assert scene.corine_grid.resolution == (100, 100)
    west, south, east, north = scene.corine_grid.bounds
    assert all(edge % 100 == 0 for edge in (west, south, east, north))
    w, s, e, n = transform_bounds(scene.grid.crs, scene.corine_grid.crs, *scene.grid.bounds)
    assert west <= w - 100 and south <= s - 100 and east >= e + 100 and north >= n + 100
    assert not scene.corine[0].any() and not scene.corine[:, -1].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_pixel_has_a_label(scenes, seed):
    labels = scenes[seed].labels()
    assert labels.shape == scenes[seed].truth.shape
    assert labels.min() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_agree_with_the_truth_as_corine_would(scenes, seed):
    scene = scenes[seed]
    share = (scene.labels() == scene.truth).mean()
    assert 0.70 <= share <= 0.85
    assert share == pytest.approx(scene.agreement())


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_use_only_classes_of_the_truth_and_most_of_them(scenes, seed):
    truth, labels = (set(np.unique(a)) for a in (scenes[seed].truth, scenes[seed].labels()))
    assert labels <= truth
    assert len(truth) >= 9 and len(labels) >= 9


@pytest.mark.parametrize("seed", SEEDS)
def test_minimum_mapping_unit_is_25_ha(scenes, seed):
    # regions joined by sides or corners, counted by scikit-image
    regions = label(scenes[seed].corine, background=0, connectivity=2)
    sizes = np.bincount(regions.ravel())[1:]
    assert sizes.min() >= 25


def test_truth_holds_much_that_is_too_small_for_corine(scenes):
    small = 0
    for code in (112, 231, 311, 512):
        regions = label(scenes[3].truth == code, connectivity=1)
        sizes = np.bincount(regions.ravel())[1:]
        small += int((sizes < 2500).sum())
        assert (sizes < 2500).any()
    assert small > 50


def test_same_seed_same_bytes_in_another_process():
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from tests.sources.test_synthetic import digest;"
        "from landcover.sources.synthetic import make_scene; print(digest(make_scene(180, 220, 9)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(make_scene(180, 220, 9))


def test_other_seeds_are_other_scenes():
    assert digest(make_scene(180, 220, 9)) != digest(make_scene(180, 220, 10))


def test_noise_and_haze_change_the_light_alone():
    clean = make_scene(200, 240, 4, noise=0, haze=0)
    noisy = make_scene(200, 240, 4, noise=0.01, haze=0)
    hazy = make_scene(200, 240, 4, noise=0, haze=0.2)
    for other in (noisy, hazy):
        assert np.array_equal(clean.truth, other.truth)
        assert np.array_equal(clean.corine, other.corine)
    bright = clean.image[3] > 0.1  # dark water is cut at zero
    difference = (noisy.image[3] - clean.image[3])[bright]
    assert difference.std() == pytest.approx(0.01, rel=0.03)
    assert abs(difference.mean()) < 0.001
    added = (hazy.image - clean.image).mean(axis=(1, 2))
    assert added[0] > added[1] > added[2] > 0  # blue haze


def test_shares_are_honoured():
    def share(scene, *codes):
        return np.isin(scene.truth, codes).mean()

    few, many = (make_scene(400, 500, 6, woods=w) for w in (0.1, 0.5))
    assert share(few, 311, 312, 313) < 0.18 and 0.36 < share(many, 311, 312, 313) < 0.6
    grass = make_scene(400, 500, 6, pastures=0.6)
    assert share(grass, 231) > 1.6 * share(few, 231)
    assert share(make_scene(400, 500, 6, heath=0.0), 322) == 0
    wild = make_scene(400, 500, 6, settlement=0)
    assert share(wild, 112, 121) == 0 and share(few, 112) > 0.02


def test_fields_grow_with_their_setting():
    def edges(size):
        truth = make_scene(300, 300, 2, field_px=size).truth
        return (truth[:, 1:] != truth[:, :-1]).mean()

    assert edges(15) > 1.3 * edges(60)


def test_small_scenes_work():
    scene = make_scene(MINIMUM_PX, MINIMUM_PX, 0)
    assert scene.labels().min() > 0
    for seed in SEEDS:
        assert len(np.unique(make_scene(200, 200, seed).labels())) >= 4


@pytest.mark.slow
def test_the_default_scene_is_16_by_8_km_with_labels_mostly_right():
    scene = make_scene(seed=1)
    assert scene.truth.shape == (800, 1600)
    assert scene.grid.crs.to_epsg() == 32633 and abs(scene.grid.transform.a) == 10
    assert 0.70 <= scene.agreement() <= 0.85


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rows": 100}, "rows 100 is out of range; choose a whole 160 to 20000"),
        ({"cols": 200.5}, "cols 200.5 is out of range"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"field_px": 5}, "field_px 5 is out of range; choose 12 to 80"),
        ({"noise": float("nan")}, "noise nan is out of range"),
        ({"woods": 0.6, "heath": 0.4}, "woods [+] heath 1 is out of range; choose 0 to 0.85"),
    ],
)
def test_bad_settings_say_which(settings, message):
    with pytest.raises(LandcoverError, match=message):
        make_scene(**({"rows": 200, "cols": 200} | settings))


def test_band_statistics_are_those_of_summer_sentinel_2(scenes):
    """Ranges as measured on three real scenes, widened (docs/synthetic.md)."""
    for scene in scenes.values():
        flat = scene.image.reshape(4, -1)
        correlation = np.corrcoef(flat)
        assert correlation[:3, :3].min() > 0.75
        assert -0.45 < correlation[2, 3] < 0.1
        assert (
            np.abs(flat.mean(axis=1) - [0.04, 0.066, 0.05, 0.31]) < [0.02, 0.02, 0.02, 0.06]
        ).all()
        for band in scene.image:
            lag = np.corrcoef(band[:, :-1].ravel(), band[:, 1:].ravel())[0, 1]
            assert 0.85 < lag < 0.99


def test_surfaces_look_like_their_sources():
    scene = make_scene(500, 700, 2, noise=0, haze=0)
    from scipy.ndimage import binary_erosion

    def mean_of(code):
        inner = binary_erosion(scene.truth == code, iterations=4)
        return scene.image[:, inner].mean(axis=1)

    np.testing.assert_allclose(mean_of(312), SURFACES.trees, rtol=0.3)
    lake = mean_of(512)
    assert (lake >= SURFACES.clear_water * 0.95).all() and (lake <= SURFACES.turbid_water).all()
    assert mean_of(311)[3] > 1.4 * mean_of(312)[3]
    assert mean_of(121)[2] > 2 * mean_of(311)[2]


def test_canopies_run_from_soil_to_closed_crop():
    bare, closed = SURFACES.green(np.array([0.0, 6.0], np.float32)).T
    ndvi = (closed[3] - closed[2]) / (closed[3] + closed[2])
    assert ndvi > 0.9 and (bare[3] - bare[2]) / (bare[3] + bare[2]) < 0.2
    assert (np.diff(SURFACES.green_canopy[:, 3]) > 0).all()


def test_smooth_noise_is_standard_and_smooth():
    noise = patterns.smooth_noise(np.random.default_rng(0), (400, 400), 8)
    assert noise.mean() == pytest.approx(0, abs=0.1) and noise.std() == pytest.approx(1, abs=0.08)
    assert np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(noise[:, :-40].ravel(), noise[:, 40:].ravel())[0, 1]) < 0.15


def test_voronoi_agrees_with_a_search_tree():
    from scipy.spatial import cKDTree

    seed, size = 5, 20
    rows, cols = np.mgrid[:90, :120].astype(np.float32)
    cell, border, _ = patterns.voronoi(rows, cols, size, seed)
    i, j = (a.ravel() for a in np.mgrid[-3:9, -3:10])
    y = (i + 0.1 + 0.8 * patterns.uniform(i, j, seed, 1)) * size
    x = (j + 0.1 + 0.8 * patterns.uniform(i, j, seed, 2)) * size
    _, nearest = cKDTree(np.stack([y, x], 1)).query(np.stack([rows.ravel(), cols.ravel()], 1))
    names = patterns.hashed(i, j, seed, 3)[nearest].reshape(cell.shape)
    assert (names == cell).mean() > 0.999  # ties aside
    assert border.min() >= 0
    # where the neighbour differs, the edge is near
    across = cell[:, 1:] != cell[:, :-1]
    assert np.minimum(border[:, 1:], border[:, :-1])[across].max() < 1.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 3])
def test_surroundings_matter(seed):
    """Learning the truth, a 7 x 7 CNN is nearly right and a forest is not."""
    forest, network = accuracies(make_scene(seed=seed))
    assert 0.82 <= forest <= 0.90
    assert network >= 0.94 and network - forest >= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_forest_is_not_worse_than_the_labels_it_learns(seed):
    labels, forest = from_labels(make_scene(seed=seed))
    assert forest >= labels - 0.01


def blocks(scene, train=40_000, test=20_000) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of pixels to learn from, and of pixels in held-out blocks of 1 km."""
    rng = np.random.default_rng(1)
    rows, cols = scene.truth.shape
    r, c = np.mgrid[:rows, :cols]
    held_out = rng.integers(4, size=(rows // 100 + 1, cols // 100 + 1))[r // 100, c // 100] == 0
    inside = (r >= 3) & (r < rows - 3) & (c >= 3) & (c < cols - 3)
    guard = (np.minimum(r % 100, c % 100) < 3) | (np.maximum(r % 100, c % 100) >= 97)
    fit = np.flatnonzero(inside & ~held_out & ~guard)
    score = np.flatnonzero(inside & held_out)
    return rng.choice(fit, train, replace=False), rng.choice(score, test, replace=False)


def from_labels(scene) -> tuple[float, float]:
    """Share of held-out truth met by the labels, and by a forest that learns the labels.

    The forest's leaf size is the one of 5, 20 and 50 that meets most held-out labels.
    """
    from sklearn.ensemble import RandomForestClassifier

    fit, score = blocks(scene)
    pixels = scene.image.reshape(4, -1).T
    labels, truth = scene.labels().ravel(), scene.truth.ravel()[score]
    tried = []
    for leaf in (5, 20, 50):
        trees = RandomForestClassifier(200, min_samples_leaf=leaf, n_jobs=-1, random_state=0)
        predicted = trees.fit(pixels[fit], labels[fit]).predict(pixels[score])
        tried.append(((predicted == labels[score]).mean(), (predicted == truth).mean()))
    return float((labels[score] == truth).mean()), float(max(tried)[1])


def accuracies(scene) -> tuple[float, float]:
    """Overall accuracy of a forest on pixels and a CNN on 7 x 7 chips, on held-out blocks."""
    import keras
    from sklearn.ensemble import RandomForestClassifier

    fit, score = blocks(scene)
    cols = scene.truth.shape[1]
    codes, classes = np.unique(scene.truth, return_inverse=True)
    bands = scene.image.transpose(1, 2, 0)
    pixels = bands.reshape(-1, 4)
    y, truth = classes.ravel()[fit], classes.ravel()[score]
    trees = RandomForestClassifier(200, min_samples_leaf=3, n_jobs=-1, random_state=0)
    forest = (trees.fit(pixels[fit], y).predict(pixels[score]) == truth).mean()

    scaled = (bands - pixels[fit].mean(0)) / pixels[fit].std(0)
    views = np.lib.stride_tricks.sliding_window_view(scaled, (7, 7), axis=(0, 1))

    def chips(index):
        return views[index // cols - 3, index % cols - 3].transpose(0, 2, 3, 1)

    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((7, 7, 4)),
            *(layers.Conv2D(filters, 3, activation="relu") for filters in (32, 48, 64)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(codes.size, activation="softmax"),
        ]
    )
    # the rate sinks to nothing, so that the last steps do not decide a point either way
    epochs, batch = 12, 256
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-fit.size // batch))
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    network.fit(chips(fit), y, batch_size=batch, epochs=epochs, verbose=0)
    predicted = network.predict(chips(score), batch_size=2048, verbose=0).argmax(axis=1)
    return float(forest), float((predicted == truth).mean())


def test_later_dates_differ_where_estates_were_built_and_nowhere_else():
    first, second = make_dates(400, 420, 3, Later(7, estates=3, haze=0.05, sun=0.95))
    once = make_scene(400, 420, 3)
    assert digest(first) == digest(once)
    changed = first.truth != second.truth
    assert (first.truth[changed] == 211).all() and (second.truth[changed] == 121).all()
    assert label(changed).max() >= 3 and changed.sum() >= 3 * dates.ESTATE_PX
    assert second.grid == first.grid and second.image.dtype == np.float32
    same = ~ndimage.binary_dilation(changed, iterations=4)
    shift = np.abs(second.image - first.image).mean(axis=0)
    assert shift[changed].mean() > 5 * shift[same].mean()


def test_a_later_date_can_differ_in_noise_alone_or_in_all_that_grows():
    first, noisy = make_dates(200, 220, 1, Later(5), noise=0.002)
    _, regrown = make_dates(200, 220, 1, Later(5, new_crops=True), noise=0.002)
    assert (noisy.truth == first.truth).all() and (regrown.truth == first.truth).all()
    gap = noisy.image - first.image
    assert 0.0015 < gap.std() < 0.01
    fields = first.truth == 211
    assert (
        np.abs(regrown.image - first.image)[3, fields].mean() > 10 * np.abs(gap)[3, fields].mean()
    )


def test_greenness_moves_the_infrared_of_plants_and_nothing_else():
    first, later = make_dates(200, 220, 1, Later(5, haze=0, greenness=0.8), noise=0, haze=0)
    np.testing.assert_array_equal(later.image[:3], first.image[:3])
    woods = ndimage.binary_erosion((first.truth >= 311) & (first.truth <= 313), iterations=4)
    ratio = later.image[3, woods] / first.image[3, woods]
    assert 0.8 <= ratio.mean() < 0.87


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sun": 3}, "sun 3 is out of range; choose 0.5 to 2"),
        ({"greenness": 0}, "greenness 0 is out of range; choose 0.5 to 1.5"),
        ({"haze": 0.6}, "later haze 0.6 is out of range; choose 0 to 0.5"),
        ({"seed": -1}, "later seed -1 is out of range"),
        ({"estates": 900}, "900 estates need as many fields of 300 px or more"),
    ],
)
def test_dates_refuse_settings_out_of_range(settings, text):
    with pytest.raises(LandcoverError, match=re.escape(text)):
        make_dates(160, 160, 1, Later(**settings))
