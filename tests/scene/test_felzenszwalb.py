from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import landcover as lc
from landcover.errors import LandcoverError
from landcover.scene.segmentation import felzenszwalb as segmentation


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two segmentations are equal up to renaming."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1).shape[1]
    return pairs == len(np.unique(a)) == len(np.unique(b))


def skimage_segments(image: np.ndarray, **settings) -> np.ndarray:
    """scikit-image's answer for the same floats."""
    skimage = pytest.importorskip("skimage.segmentation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return skimage.felzenszwalb(np.moveaxis(image, 0, -1), channel_axis=-1, **settings)


def plain_segments(image, scale, sigma, min_size, valid=None) -> np.ndarray:
    """The definition, in lists and one sort, with ties by edge number."""
    _, rows, cols = image.shape
    valid = np.ones((rows, cols), bool) if valid is None else valid
    smooth = np.stack([gaussian_filter(band.astype(float), sigma) for band in image])
    edges = []
    for r, c in np.argwhere(valid):
        for k, (dr, dc) in enumerate([(0, 1), (1, -1), (1, 0), (1, 1)]):
            q, p = r + dr, c + dc
            if q < rows and 0 <= p < cols and valid[q, p]:
                square = sum((smooth[:, q, p] - smooth[:, r, c]) ** 2)
                edges.append((square, 4 * (r * cols + c) + k, r * cols + c, q * cols + p))
    edges.sort()
    home = {i: [i] for i in range(rows * cols)}
    inner = dict.fromkeys(range(rows * cols), 0.0)

    def join(a, b, weight):
        for pixel in home[b]:
            home[a].append(pixel)
            home[pixel] = home[a]
        inner[id(home[a])] = weight

    for square, _, i, j in edges:
        a, b = home[i], home[j]
        if a is b:
            continue
        weight = np.sqrt(square)
        limits = [inner.get(id(s), 0.0) + scale / 255 / len(s) for s in (a, b)]
        if weight < min(limits):
            join(i, j, weight) if len(a) >= len(b) else join(j, i, weight)
    for _, _, i, j in edges:
        a, b = home[i], home[j]
        if a is not b and min(len(a), len(b)) < min_size:
            join(i, j, 0.0)
    labels, names = np.zeros(rows * cols, int), {}
    for i in np.flatnonzero(valid.ravel()):
        labels[i] = names.setdefault(id(home[i]), len(names) + 1)
    return labels.reshape(rows, cols)


@pytest.fixture
def narrow(monkeypatch):
    """Room for few edges at a time: many strips and ranges, refined bins, several threads."""
    monkeypatch.setattr(segmentation, "EDGES_PER_PIXEL", 0.3)
    monkeypatch.setattr(segmentation, "STRIP_ROWS", 7)
    monkeypatch.setattr(segmentation, "_LEAST_EDGES", 40)
    monkeypatch.setattr(segmentation, "_BLOCK_PIXELS", 40)
    monkeypatch.setattr(segmentation, "_COUNT_BITS", 4)
    monkeypatch.setattr(segmentation, "_THREADS", 3)


sizes = st.integers(1, 18)
options = st.fixed_dictionaries(
    {
        "scale": st.sampled_from([0.0, 1.0, 20.0, 100.0, 400.0, 2000.0]),
        "sigma": st.sampled_from([0.0, 0.3, 0.5, 0.8, 2.5]),
        "min_size": st.sampled_from([0, 1, 2, 6, 30, 1000]),
    }
)


@settings(max_examples=120, deadline=None)
@given(sizes, sizes, st.integers(1, 10), options, st.integers(0, 2**32), st.booleans())
def test_equals_scikit_image(rows, cols, bands, options, seed, single):
    image = np.random.default_rng(seed).random((bands, rows, cols))
    image = image.astype(np.float32 if single else np.float64)
    ours = lc.felzenszwalb(image, **options)
    assert same_partition(ours, skimage_segments(image, **options))


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("seed", range(40))
def test_equals_scikit_image_when_edges_come_in_many_ranges(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(segmentation, "STRIP_ROWS", int(rng.integers(1, 41)))
    monkeypatch.setattr(segmentation, "LIGHTEST", float(rng.choice([0.1, 0.35, 1.0])))
    image = rng.gamma(0.3, size=(3, 40, 37)) ** 2
    options = {"scale": float(rng.choice([10, 300, 3000])), "sigma": 0.5, "min_size": 12}
    assert same_partition(lc.felzenszwalb(image, **options), skimage_segments(image, **options))


@pytest.mark.slow
def test_equals_scikit_image_on_a_large_image():
    rng = np.random.default_rng(1)
    image = gaussian_filter(rng.random((4, 400, 500)), (0, 3, 3)) + rng.normal(
        0, 0.01, (4, 400, 500)
    )
    ours = lc.felzenszwalb(image.astype(np.float32), 20, 0.5, 25)
    theirs = skimage_segments(image.astype(np.float32), scale=20, sigma=0.5, min_size=25)
    assert ours.max() > 50
    assert same_partition(ours, theirs)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, st.integers(1, 3), options, st.integers(0, 2**32), st.integers(1, 4))
@example(12, 12, 1, {"scale": 100.0, "sigma": 0.0, "min_size": 6}, 0, 1)
def test_ties_are_taken_in_order_of_edges(rows, cols, bands, options, seed, values):
    # Without smoothing, whole numbers of few values make weights that are equal to the bit.
    image = np.random.default_rng(seed).integers(0, values, (bands, rows, cols)) / 4.0
    options = options | {"sigma": 0.0}
    np.testing.assert_array_equal(
        lc.felzenszwalb(image, **options), plain_segments(image, **options)
    )


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, st.integers(1, 3), options, st.integers(0, 2**32), st.booleans())
def test_levels_are_segmented_as_the_same_numbers_as_floats(rows, cols, bands, options, seed, cut):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 2**16, (bands, rows, cols), np.uint16)  # differences beyond 16 bits
    valid = rng.random((rows, cols)) > 0.2 if cut else None
    options = options | {"scale": 100 * options["scale"]}
    np.testing.assert_array_equal(
        segmentation.segments_of_levels(levels, **options, valid=valid),
        lc.felzenszwalb(levels.astype(np.float64), **options, valid=valid),
    )


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("values", [1, 2, 3, 9])
def test_ties_do_not_depend_on_the_room_for_edges(values):
    image = np.random.default_rng(values).integers(0, values, (2, 45, 33)) / 8.0
    options = {"scale": 60.0, "sigma": 0.0, "min_size": 9}
    np.testing.assert_array_equal(
        lc.felzenszwalb(image, **options), plain_segments(image, **options)
    )


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, options, st.integers(0, 2**32), st.floats(0.05, 0.9))
def test_invalid_pixels_have_no_edges(rows, cols, options, seed, share):
    rng = np.random.default_rng(seed)
    image, valid = rng.random((2, rows, cols)), rng.random((rows, cols)) > share
    options = options | {"sigma": 0.0}
    ours = lc.felzenszwalb(image, **options, valid=valid)
    np.testing.assert_array_equal(ours, plain_segments(image, **options, valid=valid))


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_values_of_invalid_pixels_do_not_matter(poison):
    rng = np.random.default_rng(4)
    image, valid = rng.random((3, 30, 31)), rng.random((30, 31)) > 0.1
    by_mask = lc.felzenszwalb(image, 60, 0.8, 8, valid=valid)
    image[1, ~valid] = poison
    by_value = lc.felzenszwalb(image, 60, 0.8, 8)
    np.testing.assert_array_equal(by_mask, by_value)
    assert ((by_value == 0) == ~valid).all()


def test_smoothing_is_normalised_around_invalid_pixels():
    # The normalised convolution of a constant is the constant: no edge weighs anything.
    image = np.full((2, 20, 20), 0.7)
    image[:, 5:9, 3:12] = np.nan
    segments = lc.felzenszwalb(image, 1e-6, 1.5, 1)
    assert segments.max() == 1


def test_smoothing_is_unchanged_away_from_invalid_pixels():
    image = np.random.default_rng(5).random((2, 40, 60))
    image[:, :, 50:] = np.nan
    cut = np.concatenate([image[..., :50], image[..., 49:39:-1]], axis=-1)
    options = {"scale": 50.0, "sigma": 0.5, "min_size": 0}
    masked, whole = lc.felzenszwalb(image, **options), lc.felzenszwalb(cut, **options)
    inner = np.s_[:, :20]
    assert same_partition(masked[inner], whole[inner])


def test_an_island_may_stay_below_the_smallest_size():
    image = np.random.default_rng(6).random((1, 10, 10))
    image[:, 2, :3] = image[:, :3, 2] = np.nan
    segments = lc.felzenszwalb(image, 100, 0, 50)
    assert (segments[:2, :2] == 1).all()
    assert np.bincount(segments.ravel())[1] == 4


def test_two_flat_halves():
    image = np.zeros((4, 6, 8), np.float32)
    image[2, :, 4:] = 0.3
    segments = lc.felzenszwalb(image, 50, 0, 1)
    assert segments.dtype == np.int32
    np.testing.assert_array_equal(
        segments, np.where(np.arange(8) < 4, 1, 2)[np.newaxis].repeat(6, 0)
    )


@pytest.mark.parametrize("seed", range(5))
def test_segments_are_numbered_in_raster_order_and_large_enough(seed):
    image = np.random.default_rng(seed).random((2, 50, 40))
    segments = lc.felzenszwalb(image, 30, 0.5, 20)
    _, first = np.unique(segments, return_index=True)
    assert (np.diff(first) > 0).all()
    assert segments.min() == 1
    assert np.bincount(segments.ravel())[1:].min() >= 20


def test_a_scale_is_a_scale_of_the_image():
    image = np.random.default_rng(7).random((3, 60, 50))
    doubled = lc.felzenszwalb(image * 2, 80, 0.5, 10)
    np.testing.assert_array_equal(doubled, lc.felzenszwalb(image, 40, 0.5, 10))


@pytest.mark.parametrize("turn", [lambda a: a[:, ::-1], lambda a: a[..., ::-1], np.transpose])
def test_the_partition_turns_with_the_image(turn):
    image = np.random.default_rng(8).random((1, 33, 44))
    turned = turn(image) if turn is not np.transpose else image.transpose(0, 2, 1)
    ours = lc.felzenszwalb(turned, 60, 0, 9)
    back = ours.T if turn is np.transpose else turn(ours[np.newaxis])[0]
    assert same_partition(back, lc.felzenszwalb(image, 60, 0, 9))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("seed", range(10))
def test_strips_and_ranges_keep_to_the_definition_around_invalid_pixels(seed):
    rng = np.random.default_rng(seed)
    image, valid = rng.integers(0, 50, (2, 41, 35)) / 64.0, rng.random((41, 35)) > 0.15
    valid[:, : seed * 3] = False
    options = {"scale": float(rng.choice([20, 200])), "sigma": 0.0, "min_size": 9}
    ours = lc.felzenszwalb(image, **options, valid=valid)
    np.testing.assert_array_equal(ours, plain_segments(image, **options, valid=valid))


@pytest.mark.parametrize("shape", [(0, 4, 5), (2, 0, 5), (2, 4, 0)])
def test_nothing_to_segment(shape):
    assert not lc.felzenszwalb(np.zeros(shape)).any()


def test_all_invalid():
    assert not lc.felzenszwalb(np.full((2, 5, 5), np.nan)).any()


@pytest.mark.parametrize(
    ("image", "settings", "message"),
    [
        (np.zeros((4, 5, 5), np.uint16), {}, "image of uint16 .* scale has no meaning"),
        (np.zeros((5, 5)), {}, r"shape \(5, 5\) .* give \(bands, rows, cols\)"),
        ([[0.5]], {}, "shape list"),
        (np.zeros((1, 5, 5)), {"scale": -1}, "scale -1 is out of range"),
        (np.zeros((1, 5, 5)), {"sigma": np.nan}, "sigma nan is out of range"),
        (np.zeros((1, 5, 5)), {"min_size": 2.5}, "min_size 2.5 is not a whole number"),
        (np.zeros((1, 5, 5)), {"min_size": np.inf}, "min_size inf is not a whole number"),
        (np.zeros((1, 5, 5)), {"min_size": np.nan}, "min_size nan is not a whole number"),
        (np.zeros((1, 5, 5)), {"valid": np.ones((5, 4), bool)}, r"valid of shape \(5, 4\)"),
        (np.zeros((1, 5, 5)), {"valid": np.ones((5, 5))}, "type float64 does not fit"),
        (
            np.broadcast_to(np.float32(0), (4, 2**15, 2**15)),
            {},
            "32768 x 32768 pixels is too large .* below 1073741824",
        ),
    ],
)
def test_bad_input(image, settings, message):
    with pytest.raises(LandcoverError, match=message):
        lc.felzenszwalb(image, **settings)


def test_a_min_size_beyond_every_image_makes_one_segment():
    image = np.random.default_rng(0).random((1, 9, 11))
    assert (lc.felzenszwalb(image, min_size=10**30) == 1).all()
