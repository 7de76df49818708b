"""Networks of whole images: parts, weights, stages, rates, and the views that training shows."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.legacy.saving import legacy_h5_format
from scipy.ndimage import map_coordinates

from landcover.classifiers import networks
from landcover.classifiers.networks import Images, Recipe, Stage, image_training
from landcover.errors import LandcoverError
from landcover.samples.augmentation import NONE, Augmentation

MEANS, STDS = [0.1, 0.11, 0.12], [0.05, 0.04, 0.03]


def network_with_backbone(seed=0):
    """Two convolutions with batch normalisation as a backbone, and a dense layer behind it."""
    networks.seed_everything(seed)
    layers = keras.layers
    given = layers.Input((16, 16, 3))
    x = given
    for _ in range(2):
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(x)))
    backbone = keras.Model(given, x, name="backbone")
    inputs = layers.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(backbone(inputs))
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x))


def images_of(n=64, side=16, seed=0):
    """Bright images of class 1 and dark ones of class 0."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(2, size=n)
    held = rng.normal(0, 0.3, (n, side, side, 3)).astype(np.float32)
    held += (2 * targets - 1)[:, None, None, None]
    return Images(lambda rows: held[rows], targets)


def seen_by_the_first_convolution(model, images):
    """What images are when they reach a backbone's first convolution."""
    backbone = model.get_layer("backbone")
    before = model.layers[model.layers.index(backbone) - 1]
    first = next(x for x in backbone.layers if isinstance(x, keras.layers.Conv2D))
    prepared = keras.Model(model.inputs, before.output).predict_on_batch(images)
    return np.asarray(keras.Model(backbone.inputs, first.input).predict_on_batch(prepared))


def weights_by_kind(model):
    backbone = model.get_layer("backbone")
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    return [
        [w.numpy() for layer in backbone.layers if isinstance(layer, kind)
         for w in layer.trainable_weights]
        for kind in kinds
    ]  # fmt: skip


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_frozen_stage_trains_the_head_and_batch_normalisation_only():
    model = network_with_backbone()
    convolutions, normalisations = weights_by_kind(model)
    networks.fit_images(
        model, images_of(), images_of(seed=1), Recipe((Stage(2, 1e-2, frozen=True),), 16)
    )
    after = weights_by_kind(model)
    assert same(convolutions, after[0]) and not same(normalisations, after[1])


def test_a_stage_that_is_not_frozen_trains_everything():
    model = network_with_backbone()
    before = weights_by_kind(model)
    stages = (Stage(1, 1e-2, frozen=True), Stage(1, 1e-2))
    networks.fit_images(model, images_of(), images_of(seed=1), Recipe(stages, 16))
    after = weights_by_kind(model)
    assert not same(before[0], after[0])


def test_training_learns_and_its_curves_have_a_value_an_epoch():
    model = network_with_backbone()
    history = networks.fit_images(
        model, images_of(), images_of(seed=1), Recipe((Stage(3, 1e-2), Stage(2, 1e-3)), 16)
    )
    assert {len(curve) for curve in history.values()} == {5}
    assert history["val_accuracy"][-1] == 1.0
    assert history["learning_rate"][2] < 1e-4  # a stage ends at nothing


def test_a_plateau_keeps_the_best_epoch():
    model = network_with_backbone()
    validation = images_of(seed=1)
    recipe = Recipe((Stage(8, 0.3, "plateau"),), 16, clip_norm=None)
    history = networks.fit_images(model, images_of(), validation, recipe)
    probabilities = np.asarray(model.predict_on_batch(validation.read(np.arange(64))))
    loss = -np.log(probabilities[np.arange(64), validation.targets]).mean()
    assert np.argmin(history["val_loss"]) < len(history["val_loss"]) - 1
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-3, abs=1e-6)


def test_a_stage_that_others_follow_leaves_them_half_of_the_time(monkeypatch):
    seconds = []
    monkeypatch.setattr(
        image_training, "_fit_stage", lambda *given: seconds.append(given[-2]) or {}
    )
    stages = (Stage(1, 1e-2), Stage(40, 1e-2))
    networks.fit_images(
        network_with_backbone(), images_of(), images_of(), Recipe(stages), seconds=80
    )
    assert seconds == pytest.approx([40, 80], abs=5)


def test_gradients_are_shortened_by_their_norm_as_a_whole():
    model = network_with_backbone()
    recipe = Recipe((Stage(1, 1e-2),), 16, clip_norm=1e-3)
    networks.fit_images(model, images_of(), images_of(seed=1), recipe)
    assert model.optimizer.global_clipnorm == 1e-3 and model.optimizer.clipnorm is None


def one_step(shares, gradient_of, **settings):
    """Weights before and after a step of Adam on a network with a backbone."""
    model = network_with_backbone()
    before = [w.numpy() for w in model.trainable_variables]
    optimizer = image_training._adam(shares, **settings)
    gradients = [keras.ops.convert_to_tensor(gradient_of(w)) for w in before]
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return before, [w.numpy() for w in model.trainable_variables]


def test_early_layers_learn_at_a_share_of_the_rate():
    """One step of Adam moves every weight by its rate, whatever the gradient."""
    shares = image_training.shares_of_rate(network_with_backbone())
    pairs = one_step(shares, np.ones_like, learning_rate=1e-2, weight_decay=0.0)
    moved = [np.abs(after - before).max() for before, after in zip(*pairs, strict=True)]
    assert shares == [0.01, 0.01, 0.01, 0.1, 1.0, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(moved, 1e-2 * np.array(shares), rtol=1e-3)


def test_early_layers_decay_at_their_share_of_the_rate():
    """Without a gradient a weight loses decay times rate times share of itself."""
    shares = [0.0, 0.01, 0.01, 0.1, 1.0, 1.0, 0.5, 1.0]
    pairs = one_step(shares, np.zeros_like, learning_rate=0.25, weight_decay=0.5)
    for share, before, after in zip(shares, *pairs, strict=True):
        np.testing.assert_allclose(after, before * (1 - 0.5 * 0.25 * share), rtol=1e-6)


def test_the_steps_are_those_of_keras_adamw_where_all_weights_learn_alike():
    model, other = network_with_backbone(), network_with_backbone()
    optimizers = (
        image_training._adam([1.0] * 8, 0.1, learning_rate=1e-2, global_clipnorm=1.0),
        keras.optimizers.AdamW(1e-2, weight_decay=0.1, global_clipnorm=1.0),
    )
    rng = np.random.default_rng(0)
    for _ in range(5):
        gradients = [rng.normal(size=w.shape).astype("float32") for w in model.trainable_variables]
        for network, optimizer in zip((model, other), optimizers, strict=True):
            given = map(keras.ops.convert_to_tensor, gradients)
            optimizer.apply_gradients(zip(given, network.trainable_variables, strict=True))
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_a_cosine_begins_at_little():
    """The first step of Adam moves every weight by its rate: 2 % of the highest, not all of it."""
    model = network_with_backbone()
    before = [w.numpy() for w in model.trainable_variables]
    networks.fit_images(model, images_of(), images_of(), Recipe((Stage(1, 1e-2),), 64))
    pairs = zip(model.trainable_variables, before, strict=True)
    moved = max(np.abs(w.numpy() - b).max() for w, b in pairs)
    assert moved == pytest.approx(0.02 * 1e-2, rel=0.01)


#: Rates at the ends of two epochs of four steps.
RATES = [round(1e-2 * image_training._cosine(share), 6) for share in (0.5, 1.0)]


def test_the_rate_falls_step_by_step():
    recipe = Recipe((Stage(2, 1e-2),), 16)
    history = networks.fit_images(network_with_backbone(), images_of(), images_of(), recipe)
    assert history["learning_rate"] == RATES and RATES[1] == 0


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_the_rate_falls_step_by_step_on_jax_too():
    """Its trainer passes the optimiser's variables from step to step, apart from the optimiser."""
    code = (
        "from tests.classifiers.test_image_networks import *; print(json.dumps(networks.fit_images("
        "network_with_backbone(), images_of(), images_of(), Recipe((Stage(2, 1e-2),), 16))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    assert json.loads(done.stdout)["learning_rate"] == RATES


def test_a_running_mean_of_weights_gets_statistics_of_its_own(monkeypatch):
    """The mean is that of the weights after every step; statistics are those of its outputs."""
    seen, set_rate = [], image_training._set_rate

    def look(model, rate):
        set_rate(model, rate)
        seen.append(trained_weights(model))

    monkeypatch.setattr(image_training, "_set_rate", look)
    model, train = network_with_backbone(), images_of()
    recipe = Recipe((Stage(3, 1e-2),), 16, mean_of_weights=0.8)
    networks.fit_images(model, train, images_of(seed=1), recipe)
    assert len(seen) == 12
    mean = seen[0]
    for weights in seen[1:]:
        mean = [0.8 * m + 0.2 * w for m, w in zip(mean, weights, strict=True)]
    for ours, expected in zip(trained_weights(model), mean, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)

    backbone = model.get_layer("backbone")
    convolution, normalisation = backbone.layers[1:3]
    outputs = np.asarray(
        keras.Model(backbone.inputs, convolution.output).predict_on_batch(train.read(np.arange(64)))
    )
    order = image_training._batches(train, recipe, 2, seed=1).order
    batches = outputs[order].reshape(4, -1, 8)
    statistics = normalisation.get_weights()[2:]
    np.testing.assert_allclose(statistics[0], batches.mean(axis=(0, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics[1], batches.var(axis=1).mean(axis=0), rtol=1e-4)
    assert normalisation.momentum == 0.99


def trained_weights(model):
    return [w.numpy() for w in model.trainable_variables]


def test_the_layer_table_tells_what_learns_in_the_first_stage():
    recipe = Recipe((Stage(1, 1e-2, frozen=True), Stage(1, 1e-2)))
    found = networks.parameters_of(network_with_backbone(), recipe)
    learns = [(row["kind"], row["parameters"], row["trainable"]) for row in found["layers"]]
    assert learns == [
        ("Conv2D", 216, 0), ("BatchNormalization", 16, 16),
        ("Conv2D", 576, 0), ("BatchNormalization", 16, 16), ("Dense", 18, 18),
    ]  # fmt: skip
    assert found["parameters"] == {
        "all": 842, "trainable_first": 50, "trainable_last": 842, "statistics": 32
    }  # fmt: skip


def test_time_ends_training_and_its_schedule():
    model = network_with_backbone()
    recipe = Recipe((Stage(10_000, 1e-2),), 16)
    history = networks.fit_images(model, images_of(), images_of(seed=1), recipe, seconds=3)
    assert 1 <= len(history["loss"]) < 10_000
    assert history["learning_rate"][-1] < 1e-3


def test_the_same_seed_trains_the_same_weights():
    def trained():
        model = network_with_backbone()
        recipe = Recipe((Stage(2, 1e-2),), 16, Augmentation(), 0.05, 0.1)
        networks.fit_images(model, images_of(), images_of(seed=1), recipe, seed=5)
        return model.get_weights()

    assert same(trained(), trained())


def test_training_in_bfloat16_gives_a_network_of_float32():
    model, history = networks.train_image_network(
        network_with_backbone, images_of(), images_of(seed=1),
        Recipe((Stage(2, 1e-2),), 16), precision="bfloat16",
    )  # fmt: skip
    assert keras.config.dtype_policy().name == "float32"
    assert {w.dtype for w in model.weights} == {"float32"}
    assert model.get_layer("backbone").compute_dtype == "float32"
    assert history["val_accuracy"][-1] > 0.9
    with pytest.raises(LandcoverError, match="precision 'half' is unknown"):
        networks.precision_of("half")


@pytest.mark.parametrize("side", [32, 64, 96])
def test_the_compact_network_takes_any_side(side):
    network = networks.build_image_network("compact", 3, 10, MEANS, STDS, 0.275)
    images = np.random.default_rng(0).uniform(0, 0.3, (2, side, side, 3)).astype(np.float32)
    found = np.asarray(network.predict_on_batch(images))
    assert found.shape == (2, 10)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_land_brighter_than_white_is_white():
    network = networks.build_image_network("compact", 3, 10, MEANS, STDS, 0.275)
    white = np.full((1, 64, 64, 3), 0.275, np.float32)
    found = [np.asarray(network.predict_on_batch(image)) for image in (white, 2 * white)]
    np.testing.assert_array_equal(*found)


def test_weights_of_a_file_become_those_of_the_backbone(tmp_path):
    source = keras.applications.VGG16(include_top=False, weights=None, input_shape=(64, 64, 3))
    path = tmp_path / "backbone.weights.h5"
    source.save_weights(path)
    network = networks.build_image_network("vgg16", 3, 10, MEANS, STDS, 0.275, weights=path)
    assert same(source.get_weights(), network.get_layer("backbone").get_weights())


def test_weights_of_another_network_are_refused(tmp_path):
    network_with_backbone().save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(LandcoverError, match=r"cannot be had for vgg16 .*give a file"):
        networks.build_image_network(
            "vgg16", 3, 10, MEANS, STDS, 0.275, weights=tmp_path / "other.weights.h5"
        )


@pytest.mark.parametrize(
    ("kind", "application", "name"),
    [
        ("vgg16", "VGG16", "vgg16"),
        ("efficientnet-b0", "EfficientNetB0", "efficientnet"),
    ],
)
def test_imagenets_weights_mean_the_same_by_name_and_from_a_file(
    tmp_path, monkeypatch, kind, application, name
):
    """The file is in the form that Keras downloads, and stands in for the download."""
    make = getattr(keras.applications, application)
    source = make(include_top=False, weights=None, input_shape=(64, 64, 3))
    for layer in source.layers:  # the file of EfficientNet holds ImageNet's moments
        if isinstance(layer, keras.layers.Normalization):
            moments = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2
            layer.set_weights([*moments, np.array(0)])
    path = tmp_path / f"{kind}_notop.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, source)
    module = importlib.import_module(f"keras.src.applications.{name}")
    monkeypatch.setattr(module.file_utils, "get_file", lambda *a, **k: str(path))

    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3))
    images = (pictures * (0.275 / 255)).astype(np.float32)
    by_name, from_file = (
        seen_by_the_first_convolution(
            networks.build_image_network(kind, 3, 10, MEANS, STDS, 0.275, weights), images
        )
        for weights in ("imagenet", path)
    )
    np.testing.assert_allclose(from_file, by_name, rtol=1e-3, atol=1e-3)
    if not kind.startswith("efficientnet"):
        expected = module.preprocess_input(pictures.astype(np.float32))
        np.testing.assert_allclose(from_file, expected, atol=1e-2)


def test_an_efficientnet_from_nothing_sees_standardised_images():
    """Its own first layer divides by 255."""
    network = networks.build_image_network("efficientnet-b0", 3, 10, MEANS, STDS, 0.275)
    images = np.random.default_rng(0).normal(MEANS, STDS, (4, 64, 64, 3)).astype(np.float32)
    seen = seen_by_the_first_convolution(network, np.clip(images, 0, None))
    np.testing.assert_allclose(seen.std(axis=(0, 1, 2)), 1, atol=0.1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "alexnet"}, "network 'alexnet' is unknown; choose compact"),
        ({"kind": "vgg16", "head": "none"}, "head 'none' is unknown; choose concat-512"),
        ({"kind": "wide-resnet50-2", "weights": "imagenet", "white": 0.275}, "no ImageNet weights"),
        ({"kind": "vgg16", "weights": "imagenet"}, "pictures, not of 3 bands of reflectance"),
        ({"kind": "vgg16", "weights": "a.h5"}, "weights a.h5 are of red, green and blue pictures"),
    ],
)
def test_a_network_that_cannot_be_built_is_said(settings, said):
    with pytest.raises(LandcoverError, match=said):
        networks.build_image_network(n_bands=3, n_classes=10, means=MEANS, stds=STDS, **settings)


def test_a_wide_resnet_has_the_parameters_of_its_paper():
    """68.88 million, of which 2.05 are those of its head of 1000 classes."""
    network = networks.build_image_network("wide-resnet50-2", 3, 10, MEANS, STDS)
    weights = network.get_layer("backbone").trainable_weights
    assert sum(int(np.prod(w.shape)) for w in weights) == 66_834_240


# Views


@given(st.integers(0, 2**32 - 1), st.integers(5, 12))
@settings(max_examples=25, deadline=None)
def test_a_turn_only_moves_pixels(seed, side):
    rng = np.random.default_rng(seed)
    images = rng.random((3, side, side, 2)).astype(np.float32)
    views = Augmentation(shift_px=0, brightness=0).views(images, rng)
    for view, image in zip(views, images, strict=True):
        np.testing.assert_array_equal(
            np.sort(view.reshape(-1, 2), axis=0), np.sort(image.reshape(-1, 2), axis=0)
        )


def test_nothing_to_change_changes_nothing():
    images = np.random.default_rng(0).random((3, 8, 8, 2)).astype(np.float32)
    np.testing.assert_array_equal(NONE.views(images, np.random.default_rng(1)), images)


def test_a_zoomed_and_shifted_view_is_scipys_with_mirrored_edges():
    """Enlarging interpolates linearly; scipy's "mirror" has the same edges."""

    class Fixed:
        """A generator that draws a scale of 0.8 and moves of 1 and -2 pixels."""

        def uniform(self, low, high, size):
            return np.array([-0.2])

        def integers(self, low, high, size, endpoint):
            assert (low, high, endpoint) == (-3, 3, True)
            return np.array([[1], [-2]])

    image = np.random.default_rng(0).random((1, 16, 16, 1)).astype(np.float32)
    view = Augmentation(turn=False, zoom=0.2, shift_px=3, brightness=0).views(image, Fixed())
    places = 7.5 + (np.arange(16) - 7.5) * 0.8
    rows, cols = np.meshgrid(places + 1, places - 2, indexing="ij")
    expected = map_coordinates(image[0, ..., 0], [rows, cols], order=1, mode="mirror")
    np.testing.assert_allclose(view[0, ..., 0], expected, atol=1e-5)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_shifted_view_is_as_sharp_as_the_image(seed):
    """Its middle is found in the image, pixel by pixel, at a whole distance within the bound."""
    rng = np.random.default_rng(seed)
    image = rng.random((1, 16, 16, 2)).astype(np.float32)
    view = Augmentation(turn=False, brightness=0.0, shift_px=3).views(image, rng)[0]
    inner = view[3:-3, 3:-3]
    assert any(
        np.array_equal(inner, image[0, 3 + r : 13 + r, 3 + c : 13 + c])
        for r in range(-3, 4)
        for c in range(-3, 4)
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_view_of_one_value_keeps_it_up_to_brightness(seed):
    images = np.full((4, 16, 16, 3), 0.2, np.float32)
    views = Augmentation().views(images, np.random.default_rng(seed))
    assert views.shape == (4, 16, 16, 3) and views.dtype == np.float32
    for view in views:
        np.testing.assert_allclose(view, view[0, 0, 0], rtol=1e-5)
        assert 0.18 <= view[0, 0, 0] <= 0.22
