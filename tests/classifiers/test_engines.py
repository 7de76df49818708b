"""Engines: ONNX against Keras, labels equal to float32's on every pixel, and the choice."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.classifiers import networks
from landcover.classifiers.exchange.network_onnx import arithmetic, to_onnx
from landcover.classifiers.networks import engine_choice, engines
from landcover.classifiers.networks.engines import Engine, PrecisionTier
from landcover.errors import LandcoverError
from landcover.legend import Legend

KERAS, OPENVINO = Engine(), Engine("openvino", "float32")
BANDS = ("B02", "B03", "B04", "B08")
BF16 = "bfloat16" in engines.available_precisions()
needs_bf16 = pytest.mark.skipif(not BF16, reason="this processor has no bfloat16")


def lively(model, seed=0):
    """Weights and statistics drawn at random at a scale that keeps signals alive."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.uniform(0.5, 1.5, w.shape)
            if w.ndim == 1
            else rng.normal(0, np.sqrt(2 / np.prod(w.shape[:-1])), w.shape)
            for w in model.get_weights()
        ]
    )
    return model


def classifier(patch_size, model=None):
    networks.seed_everything(0)
    model = model or lively(networks.build_cnn(patch_size, 4, 6, [0.2] * 4, [0.01] * 4))
    legend = Legend.corine().subset([112, 211, 231, 311, 312, 512])
    return networks.PatchClassifier("cnn", legend, BANDS, patch_size, model)


def reflectance(*shape, seed=0, missing=0.02):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 0.4, shape).astype(np.float32)
    image[rng.random(shape) < missing] = np.nan
    return image


@pytest.fixture(scope="module")
def cnn7():
    return classifier(7)


NETWORKS = {
    "cnn 3": (lambda: networks.build_cnn(3, 4, 6, [0.2] * 4, [0.01] * 4), (2, 9, 12, 4)),
    "cnn 7": (lambda: networks.build_cnn(7, 4, 6, [0.2] * 4, [0.01] * 4), (2, 9, 12, 4)),
    "cnn 31, dilated": (lambda: networks.build_cnn(31, 4, 6), (1, 34, 40, 4)),
    "published": (lambda: networks.build_published(7, 4, 6, [0.2] * 4, [0.01] * 4), (9, 7, 7, 4)),
    "mlp": (lambda: networks.build_mlp(7, 5, [0.2] * 7, [0.01] * 7), (50, 7)),
    "mlp, types": (lambda: networks.build_mlp(7, 5, type_counts=(3, 4)), (50, 7)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_onnx_form_computes_what_keras_does(name):
    build, shape = NETWORKS[name]
    model = lively(build())
    inputs = {model.inputs[0].name: reflectance(*shape)}
    if len(model.inputs) > 1:
        # 5 is unknown to both layers, and counts as nodata
        types = np.random.default_rng(0).integers(0, 6, (50, 2))
        inputs["segment_types"] = types.astype(np.int32)
    given = list(inputs.values())
    expected = model.predict_on_batch(given if len(given) > 1 else given[0])
    session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    assert [i.name for i in session.get_inputs()] == list(inputs)
    found = session.run(["classes"], inputs)[0]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=5e-5)
    assert expected.std() > 0.01


def test_bands_first_logits_and_turns_of_columns():
    model = lively(networks.build_cnn(7, 4, 6))
    chips = reflectance(5, 4, 7, 7)
    expected = model.predict_on_batch(np.moveaxis(chips, 1, -1))[:, 0, 0]
    form = to_onnx(model, channels_first=True, logits=True, col_step=5)
    wide = np.moveaxis(chips, 0, -1).reshape(1, 4, 7, 35)
    session = onnxruntime.InferenceSession(form.SerializeToString())
    logits = session.run(None, {"reflectance": wide})[0]
    assert logits.shape == (1, 6, 1, 5)
    powers = np.exp(logits[0, :, 0].T.astype(np.float64))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), expected, atol=5e-5)


def test_what_has_no_onnx_form_is_named():
    import keras

    inputs = keras.layers.Input((4,))
    model = keras.Model(inputs, keras.layers.LeakyReLU()(keras.layers.Dense(2)(inputs)))
    with pytest.raises(LandcoverError, match="LeakyReLU, which has no ONNX form"):
        to_onnx(model)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="tanh")(inputs))
    with pytest.raises(LandcoverError, match="activation tanh"):
        to_onnx(model)


def test_arithmetic_counts_operations():
    model = networks.build_cnn(5, 2, 3)
    content = arithmetic(model)
    first, second, head, last = (s.kernel.shape for s in content.steps)
    of = [2 * np.prod(shape) for shape in (first, second, head, last)]
    assert content.flop_per_pixel == sum(of)
    # 3 x 3 places of the first layer serve the one pixel of a chip of 5 x 5
    assert content.flop_per_chip(5) == 9 * of[0] + sum(of[1:])


@pytest.mark.parametrize("engine", [KERAS, OPENVINO], ids=str)
@pytest.mark.parametrize("size", [3, 7, 21])
def test_probabilities_are_those_of_chips(engine, size):
    known = classifier(size).with_engine(engine)
    image = reflectance(4, size + 9, size + 4, seed=size)
    found = known.predict_window(image)
    assert found.shape == (6, 10, 5) and found.dtype == np.float32
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    chips = views.transpose(1, 2, 3, 4, 0).reshape(-1, size, size, 4)
    expected = known.model.predict_on_batch(np.ascontiguousarray(chips)).reshape(10, 5, 6)
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), expected, atol=1e-4)


def two_close_classes(model, gap):
    """The same network with the second class a copy of the first one, shifted by a gap."""
    kernel, bias = model.layers[-1].get_weights()
    kernel[..., 1] = kernel[..., 0] * (1 + 1e-4)
    bias[:2] = 3.0, 3.0 + gap
    model.layers[-1].set_weights([kernel, bias])
    return model


@needs_bf16
@pytest.mark.parametrize("gap", [0.0, 1e-6, -1e-3])
def test_labels_are_float32s_where_classes_nearly_tie(gap):
    """Every pixel is a near tie, which bfloat16 alone decides at random."""
    model = two_close_classes(lively(networks.build_cnn(7, 4, 6, [0.2] * 4, [0.01] * 4)), gap)
    known = classifier(7, model)
    image = reflectance(4, 70, 61, missing=0)
    exact = known.predict_window(image).argmax(axis=0)
    assert np.isin(exact, [0, 1]).mean() > 0.5
    reduced = known.with_engine(Engine("openvino", "bfloat16", 0.5, 1e-4))
    raw = reduced.tier.run(image[np.newaxis])[0].argmax(axis=0)
    assert (raw != exact).any()
    for engine in (reduced, known.with_engine(dataclasses.replace(OPENVINO, bound=1e-4))):
        assert np.array_equal(engine.predict_window(image).argmax(axis=0), exact)


@needs_bf16
@settings(max_examples=8)
@given(seed=st.integers(0, 1000), rows=st.integers(7, 20), cols=st.integers(7, 20))
def test_a_label_does_not_depend_on_the_engine_or_the_window(cnn7, seed, rows, cols):
    whole = reflectance(4, 26, 26, seed=seed)
    exact = cnn7.predict_window(whole).argmax(axis=0)
    part = np.s_[3 : 3 + rows, 2 : 2 + cols]
    valid = ~np.isnan(whole[:, 3:-3, 3:-3]).any(axis=0)[3 : rows - 3, 2 : cols - 4]
    reduced = cnn7.with_engine(Engine("openvino", "bfloat16", 1.0, 1e-4))
    found = reduced.predict_window(whole[:, *part]).argmax(axis=0)
    expected = exact[3 : rows - 3, 2 : cols - 4]
    assert np.array_equal(found[valid], expected[valid])


def test_the_same_engine_gives_the_same_bytes(cnn7):
    images = [reflectance(4, 40, 40, seed=seed) for seed in range(3)]
    for engine in [KERAS, OPENVINO] + [Engine("openvino", "bfloat16", 0.3)] * BF16:
        first = [cnn7.with_engine(engine).predict_window(image) for image in images]
        again = cnn7.with_engine(engine)
        for image, before in zip(images[::-1], first[::-1], strict=True):
            assert again.predict_window(image).tobytes() == before.tobytes()
        together = again.predict_windows(images)
        assert [f.tobytes() for f in together] == [f.tobytes() for f in first]


def shifted(first):
    """A run that says `first` of valid pixels, and a tie where the value is 0.5 or missing."""

    def run(images):
        share = np.where(np.nan_to_num(images[:, :, 1:-1, 1:-1], nan=0.5) == 0.5, 0.5, first)
        return np.concatenate([share, 1 - share], axis=1).astype(np.float32)

    return run


class Exact:
    """A run that says 7 of everything, and remembers what it was given."""

    def __init__(self):
        self.shapes = []

    def __call__(self, images):
        self.shapes.append(images.shape)
        return np.full((len(images), 2, images.shape[2] - 2, images.shape[3] - 2), 7, np.float32)


def test_only_close_and_valid_pixels_are_predicted_again():
    """As chips, of all windows in the same calls; the others keep what they have."""
    image = np.zeros((1, 5, 6), np.float32)
    image[0, 1, 1], image[0, 2, 2], image[0, 3, 3] = 0.5, 0.5, np.nan
    exact = Exact()
    tier = PrecisionTier(shifted(0.9), 3, 1.0, 4, 0.1, PrecisionTier(exact, 3, 1.0, 4))
    for found in tier.predict([image, np.zeros_like(image), image])[::2]:
        assert (found[0] == 7).nonzero()[0].tolist() == [0, 1]
        assert found[0, 0, 0] == found[0, 1, 1] == 7 and found[0, 2, 2] == 0.5
        assert (np.delete(found[0], [0, 5, 10]) == np.float32(0.9)).all()
    assert exact.shapes == [(4, 1, 3, 3)]


@pytest.mark.parametrize("chip_cost", [1.0, 1e9])
def test_the_finest_arithmetic_always_sees_chips(chip_cost):
    """A window of ties may go to float32 as a whole, but to the finest chip by chip."""
    image = np.full((1, 5, 6), 0.5, np.float32)
    exact = Exact()
    finest = PrecisionTier(exact, 3, chip_cost, 5)
    tier = PrecisionTier(
        shifted(0.9),
        3,
        chip_cost,
        5,
        0.1,
        PrecisionTier(shifted(0.8), 3, chip_cost, 5, 0.1, finest),
    )
    assert (tier.predict([image])[0] == 7).all()
    assert exact.shapes == [(5, 1, 3, 3)] * 3


def test_an_engine_survives_json():
    engine = Engine("openvino", "bfloat16", 0.125, 3e-5)
    assert Engine.from_dict(json.loads(json.dumps(engine.as_dict()))) == engine
    assert str(engine) == "OpenVINO bfloat16"
    with pytest.raises(LandcoverError, match="no engine keras bfloat16; choose among"):
        Engine("keras", "bfloat16")


def test_the_error_of_a_known_shift():
    rng = np.random.default_rng(0)
    exact = rng.dirichlet(np.ones(4), 500).T
    shift = rng.uniform(-0.1, 0.1, exact.shape)
    found = exact * np.exp(shift)
    error = engine_choice.competing_error(found, exact)
    assert 0.1 < error <= np.ptp(shift, axis=0).max() + 1e-9
    # A label differs only where the two best are closer than the error
    flipped = found.argmax(axis=0) != exact.argmax(axis=0)
    first, second = np.sort(np.log(found), axis=0)[::-1][:2]
    assert flipped.any() and (first - second)[flipped].max() <= error


def test_the_choice_is_measured_and_respects_the_precision(cnn7):
    images = [reflectance(4, 70, 70, seed=seed, missing=0) for seed in range(2)]
    choice = networks.choose_engine(cnn7, images)
    tried = ["Keras float32", "OpenVINO float32"] + ["OpenVINO bfloat16"] * BF16
    assert list(choice.measured) == tried and str(choice.engine) in tried
    assert json.loads(json.dumps(choice.measured)) == choice.measured
    for found in choice.measured.values():
        assert found["label_agreement"] == 1 and found["pixels_per_second"] > 0
    assert "\n" not in str(choice) and str(choice.engine) in str(choice)
    exact = networks.choose_engine(cnn7, images, precision="float32")
    assert list(exact.measured) == tried[:2] and exact.engine.precision == "float32"
    with pytest.raises(LandcoverError, match="precision 'half' is unknown; choose among auto"):
        networks.choose_engine(cnn7, images, precision="half")


@needs_bf16
def test_bfloat16_falls_back_on_the_float32_that_was_measured(cnn7):
    images = [reflectance(4, 70, 70, missing=0)]
    _, float32, reduced = engine_choice.candidates(cnn7, ("float32", "bfloat16"), images).values()
    assert reduced.finer is float32 and reduced.run is not float32.run


def test_a_network_from_elsewhere_runs_on_keras():
    """It may hold layers that have no ONNX form."""
    import keras

    inputs = keras.layers.Input((None, None, 4))
    model = keras.Model(inputs, keras.layers.Conv2D(6, 3, activation="softmax")(
        keras.layers.LeakyReLU()(inputs)
    ))  # fmt: skip
    known = classifier(3, model)
    image = reflectance(4, 40, 42, missing=0)
    assert networks.choose_engine(known, [image]).engine == KERAS
    expected = model.predict_on_batch(np.moveaxis(image, 0, -1)[np.newaxis])[0]
    found = known.predict_window(image)
    np.testing.assert_allclose(np.moveaxis(found, 0, -1), expected, atol=1e-5)


def test_missing_pixels_do_not_count(cnn7):
    half = reflectance(4, 70, 70, missing=0)
    half[:, :, 30:] = np.nan
    choice = networks.choose_engine(cnn7, [half, np.full_like(half, np.nan)])
    assert {found["label_agreement"] for found in choice.measured.values()} == {1}
    assert networks.choose_engine(cnn7, [np.full_like(half, np.nan)]).measured == {}


def test_what_is_not_worth_measuring_runs_on_keras(cnn7, monkeypatch):
    images = [reflectance(4, 40, 40)]
    assert networks.choose_engine(cnn7, images, n_pixels=1000) == networks.Choice(
        KERAS, "too few pixels to measure others"
    )
    assert networks.choose_engine(cnn7, []).engine == KERAS
    published = classifier(5, networks.build_published(5, 4, 6))
    assert networks.choose_engine(published, images).engine == KERAS
    monkeypatch.setattr(engine_choice, "keras_on_cpu", lambda: False)
    assert networks.choose_engine(cnn7, images).reason == "on the GPU"


def test_without_openvino_keras_runs(cnn7, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    choice = networks.choose_engine(cnn7, [reflectance(4, 40, 40)])
    assert choice.engine == KERAS and "pip install landcover[fast]" in str(choice)
    with pytest.raises(LandcoverError, match=r"not installed here; .*landcover\[fast\]"):
        cnn7.with_engine(OPENVINO).predict_window(reflectance(4, 9, 9))


def test_a_processor_without_bfloat16_says_so(cnn7, monkeypatch):
    monkeypatch.setattr(engines, "available_precisions", lambda: ("float32",))
    with pytest.raises(LandcoverError, match="lacks; map with precision=float32"):
        cnn7.with_engine(Engine("openvino", "bfloat16")).predict_window(reflectance(4, 9, 9))


@pytest.mark.parametrize("patch_size", [5, 7, 15, 31])
def test_a_chip_has_one_result_wherever_it_lies_in_a_call(patch_size):
    """Matrix products round rows that are left over from whole panels in another order."""
    model = lively(networks.build_cnn(patch_size, 4, 4, [0.2] * 4, [0.02] * 4))
    tier = engines.tier_of(model, patch_size, KERAS)
    chip = np.random.default_rng(0).uniform(0, 0.4, (1, 4, patch_size, patch_size))
    found = tier.finer.run(chip.astype(np.float32).repeat(tier.finer.chips, axis=0))
    assert len({each.tobytes() for each in found}) == 1
