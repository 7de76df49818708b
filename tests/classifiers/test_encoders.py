"""Taggers are patch networks run densely, and patch networks start from them unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logsumexp, softmax

from landcover.classifiers import networks
from landcover.classifiers.networks.encoders import SHARPNESS
from landcover.errors import LandcoverError
from landcover.samples.tiles import Tiles

MOMENTS = [0.1, 0.2, 0.3], [0.01, 0.02, 0.03]


def patch_network(size=5, bands=3, classes=4, moments=MOMENTS):
    return networks.build_cnn(size, bands, classes, *([m[0]] * bands for m in moments))


def stem(network):
    """Weights of the convolutions and their normalisation, and of the 1 x 1 head."""
    return [w for layer in network.layers if layer.name not in ("classes", "tags")
            for w in layer.get_weights()]  # fmt: skip


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.fixture(scope="module")
def trained():
    """A tagger after some steps, so that its normalisation is no longer that of the start."""
    networks.seed_everything(3)
    patches = patch_network()
    tagger = networks.build_tagger(patches, 6)
    history = networks.fit_tagger(tagger, chips_of(40), chips_of(8), seed=0, epochs=2)
    return patches, tagger, history


def chips_of(n, px=12, seed=0):
    rng = np.random.default_rng([seed, n])
    chips = rng.random((n, px, px, 3), dtype=np.float32)
    chips[: n // 4, :2, :3] = np.nan
    return networks.Examples(lambda rows: chips[rows], rng.integers(2, size=(n, 6)).astype("f4"))


@pytest.mark.parametrize("multi", [True, False])
def test_a_tagger_is_its_patch_network_at_every_place_and_a_soft_maximum(multi):
    patches, chips = patch_network(), chips_of(3, px=9)
    tagger = networks.build_tagger(patches, 6, multi)
    kernel, bias = tagger.get_layer("tags").get_weights()
    features = type(patches)(patches.inputs[0], patches.layers[-3].output)
    image = chips.inputs(np.arange(3))
    scores = [
        np.asarray(features(image[:, r : r + 5, c : c + 5]))[:, 0, 0] @ kernel[0, 0] + bias
        for r in range(5) for c in range(5)
    ]  # fmt: skip
    pooled = (logsumexp(SHARPNESS * np.array(scores), axis=0) - np.log(25)) / SHARPNESS
    expected = expit(pooled) if multi else softmax(pooled, axis=1)
    found = networks.predict_tags(tagger, chips)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.allclose(found.sum(axis=1), 1) != multi


def test_on_a_patch_the_chip_network_gives_the_score_of_its_place(trained):
    _, tagger, _ = trained
    image = chips_of(2, px=5).inputs(np.arange(2))
    places = type(tagger)(tagger.inputs[0], tagger.get_layer("tags").output)
    scores = np.asarray(places(image))[:, 0, 0]
    np.testing.assert_allclose(np.asarray(tagger(image)), expit(scores), atol=1e-6)


def test_probabilities_follow_their_chips(trained, rng):
    chips, order = chips_of(40), rng.permutation(40)
    shuffled = networks.Examples(lambda rows: chips.inputs(order[rows]), chips.targets[order])
    found = networks.predict_tags(trained[1], chips)
    np.testing.assert_allclose(networks.predict_tags(trained[1], shuffled), found[order], atol=1e-6)


def test_training_repeats_itself_and_leaves_its_curves(trained):
    networks.seed_everything(3)
    again = networks.build_tagger(patch_network(), 6)
    history = networks.fit_tagger(again, chips_of(40), chips_of(8), seed=0, epochs=2)
    assert history == trained[2] and same(stem(again), stem(trained[1]))
    assert {name: len(curve) for name, curve in history.items()} == {"loss": 2, "val_loss": 2}
    assert same(stem(trained[0]), stem(trained[1]))  # the layers are the patch network's own


def test_a_tagger_learns_what_is_somewhere_on_a_chip(rng):
    chips = rng.normal(0.1, 0.02, (160, 12, 12, 3)).astype("f4")
    targets = rng.integers(2, size=(160, 2)).astype("f4")
    for chip, there in zip(chips, targets, strict=True):
        for band in np.flatnonzero(there):
            row, col = rng.integers(9, size=2)
            chip[row : row + 3, col : col + 3, band] += 0.4
    networks.seed_everything(0)
    tagger = networks.build_tagger(patch_network(3), 2)
    parts = [networks.Examples(lambda r, at=at: chips[at][r], targets[at])
             for at in (slice(0, 120), slice(120, 160))]  # fmt: skip
    networks.fit_tagger(tagger, *parts, seed=0, epochs=12)
    right = (networks.predict_tags(tagger, parts[1]) > 0.5) == (parts[1].targets > 0.5)
    assert right.mean() > 0.9


@pytest.mark.parametrize("way", ["chips", "tiles"])
@pytest.mark.parametrize("frozen", [True, False])
def test_a_patch_network_starts_from_a_tagger(trained, rng, frozen, way):
    _, tagger, _ = trained
    network = patch_network(classes=2)
    networks.start_from(network, tagger, frozen)
    start = stem(tagger)
    assert same(stem(network), start)
    image = rng.random((40, 40, 3), dtype=np.float32)
    row, col = rng.integers(2, 38, size=(2, 60))
    targets = rng.integers(2, size=60).astype(np.int32)
    if way == "tiles":
        held = Tiles.around(lambda w: _read(image, w), row, col, 4, 2)
        examples = networks.TileExamples(held, np.arange(60), 1, targets)
    else:
        cut = np.stack([image[r - 2 : r + 3, c - 2 : c + 3]
                        for r, c in zip(row, col, strict=True)])  # fmt: skip
        examples = networks.Examples(lambda rows: cut[rows], targets)
    classes = network.get_layer("classes").get_weights()
    networks.fit(network, examples, examples, networks.Schedule(1), seed=0, turn=True)
    assert same(stem(network), start) == frozen
    assert not same(network.get_layer("classes").get_weights(), classes)
    assert same(stem(tagger), start)  # what is shared is copied


def _read(image, window):
    """Bands first, and NaN outside, as rasters are read."""
    padded = np.pad(image, ((50, 50), (50, 50), (0, 0)), constant_values=np.nan)
    rows = slice(window.row + 50, window.row + 50 + window.rows)
    return padded[rows, window.col + 50 : window.col + 50 + window.cols].transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda: patch_network(7), "same patch size and bands"),
        (lambda: patch_network(5, bands=2), "3x3 2-64"),
        (lambda: patch_network(moments=([0.2] * 3, [0.01] * 3)), "standardises its bands"),
        (lambda: networks.build_published(5, 3, 4), "has 3x3 3-8, .*same patch size and bands"),
    ],
)
def test_a_network_of_other_layers_is_refused_and_left_alone(trained, other, said):
    network = other()
    before = stem(network)
    with pytest.raises(LandcoverError, match=said) as error:
        networks.start_from(network, trained[1])
    assert "\n" not in str(error.value) and same(stem(network), before)


def test_patches_of_seven_and_nine_differ_by_dilation_alone():
    tagger = networks.build_tagger(patch_network(7), 2)
    with pytest.raises(LandcoverError, match="by 2"):
        networks.start_from(patch_network(9), tagger)


def test_a_tagger_survives_its_file(trained, tmp_path):
    networks.save(trained[1], tmp_path / "tagger.keras")
    loaded = networks.load(tmp_path / "tagger.keras")
    chips = chips_of(8)
    np.testing.assert_array_equal(
        networks.predict_tags(loaded, chips), networks.predict_tags(trained[1], chips)
    )
    network = patch_network()
    networks.start_from(network, loaded)
    assert same(stem(network), stem(trained[1]))
