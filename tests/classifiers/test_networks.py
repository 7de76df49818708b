"""Networks: receptive fields, dense against single chips, missing values, storage, training."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover.classifiers import networks
from landcover.errors import LandcoverError
from landcover.legend import Legend

ODD_SIZES = range(3, 62, 2)
BANDS = 2


def random_weights(model, rng):
    """Every weight drawn at random, batch norm's statistics too, so that no part is idle."""
    model.set_weights(
        [
            rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else rng.normal(0, 0.2, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


@pytest.fixture(scope="module")
def cnn7():
    networks.seed_everything(0)
    return random_weights(
        networks.build_cnn(7, 4, 5, [0.1, 0.1, 0.1, 0.3], [0.01, 0.01, 0.02, 0.02]),
        np.random.default_rng(0),
    )


@pytest.mark.parametrize("size", ODD_SIZES)
def test_dilations_add_up_to_the_radius_and_skip_no_pixel(size):
    steps = networks.dilations(size)
    assert 2 * sum(steps) + 1 == size
    assert len(steps) <= 6
    # Every offset that sums of -d, 0, +d can reach, enumerated
    offsets = {0}
    for step in steps:
        offsets = {offset + way * step for offset in offsets for way in (-1, 0, 1)}
    assert offsets == set(range(-(size // 2), size // 2 + 1))


def linear(size):
    """The network with all weights positive and no activation in the way: it sees all it can."""
    model = networks.build_cnn(size, BANDS, 2)
    rng = np.random.default_rng(size)
    weights = [rng.uniform(0.02, 0.06, w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    return model


@pytest.mark.parametrize("size", [*range(3, 22, 2), 31, 45, 61])
def test_the_receptive_field_is_exactly_the_patch(size):
    model = linear(size)
    chip = np.full((1, size + 2, size + 2, BANDS), 0.5, np.float32)
    before = model.predict_on_batch(chip)
    assert before.shape == (1, 3, 3, 2)
    outer = [(0, 0), (0, size + 1), (size + 1, 0), (size + 1, size + 1), (0, size // 2 + 1)]
    corners = [(1, 1), (1, size), (size, 1), (size, size), (1, size // 2 + 1)]
    for row, col in outer:
        changed = chip.copy()
        changed[0, row, col] += 100
        assert np.array_equal(model.predict_on_batch(changed)[0, 1, 1], before[0, 1, 1])
    for row, col in corners:
        changed = chip.copy()
        changed[0, row, col] += 100
        assert not np.array_equal(model.predict_on_batch(changed)[0, 1, 1], before[0, 1, 1])


@settings(max_examples=25, deadline=None)
@given(row=st.integers(0, 16), col=st.integers(0, 16), missing=st.booleans())
def test_a_pixel_changes_its_patch_and_nothing_else(cnn7, row, col, missing):
    rng = np.random.default_rng(3)
    image = rng.uniform(0, 0.5, (1, 17, 17, 4)).astype(np.float32)
    before = cnn7.predict_on_batch(image)[0]
    image[0, row, col] = np.nan if missing else image[0, row, col] + 5
    changed = (cnn7.predict_on_batch(image)[0] != before).any(axis=-1)
    rows, cols = np.indices((11, 11))
    inside = (abs(rows + 3 - row) <= 3) & (abs(cols + 3 - col) <= 3)
    assert not (changed & ~inside).any()
    assert changed[inside].any()


@pytest.mark.parametrize("size", [3, 7, 21, 61])
def test_a_chip_gives_what_the_pixel_gives_densely(size):
    rng = np.random.default_rng(size)
    model = random_weights(networks.build_cnn(size, 4, 6, [0.2] * 4, [0.02] * 4), rng)
    image = rng.uniform(0, 0.5, (size + 9, size + 4, 4)).astype(np.float32)
    image[rng.random(image.shape[:2]) < 0.1] = np.nan
    dense = model.predict_on_batch(image[np.newaxis])[0]
    assert dense.shape == (10, 5, 6)
    chips = np.stack([image[r : r + size, c : c + size] for r in range(10) for c in range(5)])
    single = model.predict_on_batch(chips).reshape(10, 5, 6)
    np.testing.assert_allclose(single, dense, atol=2e-6)
    np.testing.assert_allclose(dense.sum(axis=-1), 1, atol=1e-5)


def test_a_missing_value_counts_as_the_mean(cnn7):
    rng = np.random.default_rng(0)
    chip = rng.uniform(0, 0.5, (1, 7, 7, 4)).astype(np.float32)
    filled = chip.copy()
    chip[0, :2, :, 1] = np.nan
    filled[0, :2, :, 1] = 0.1
    np.testing.assert_allclose(
        cnn7.predict_on_batch(chip), cnn7.predict_on_batch(filled), atol=1e-6
    )


def test_an_input_that_never_varied_does_no_harm():
    model = networks.build_mlp(2, 3, [0.2, 0.5], [0.01, 0.0])
    probabilities = model.predict_on_batch(np.array([[0.2, 0.5], [0.2, 0.6]], np.float32))
    assert np.abs(probabilities[0] - probabilities[1]).max() < 0.2


def test_segment_types_become_one_hot_inside():
    model = networks.build_mlp(1, 2, type_counts=(3, 2))
    first = next(layer for layer in model.layers if layer.name.startswith("dense"))
    kernel, bias = first.get_weights()
    assert kernel.shape[0] == 1 + 3 + 2
    # Only what type 2 of the first layer and type 1 of the second say passes
    kernel[:] = 0
    kernel[1 + 2, 0] = kernel[1 + 3 + 1, 1] = 1
    first.set_weights([kernel, bias])
    import keras

    hidden = keras.Model(model.inputs, first.output)
    types = np.array([[2, 0], [0, 1], [2, 1], [1, 0], [9, 1]], np.int32)
    found = hidden.predict_on_batch((np.zeros((5, 1), np.float32), types))[:, :2]
    # 9 is unknown: it counts as nodata, type 0
    assert found.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0], [0, 1]]


def test_every_network_has_the_published_layers():
    published = networks.build_published(7, 4, 5)
    filters = [layer.filters for layer in published.layers if hasattr(layer, "filters")]
    assert filters == [8, 16, 32, 64, 128, 128]
    assert all(layer.padding == "same" for layer in published.layers if hasattr(layer, "filters"))
    dense = [layer.units for layer in published.layers if hasattr(layer, "units")]
    assert dense == [1000, 5]
    mlp = networks.build_mlp(7, 5)
    assert [layer.units for layer in mlp.layers if hasattr(layer, "units")] == [400, 300, 200, 5]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (4, "patch size 4 is even; .* such as 5"),
        (63, "patch size 63 is out of range; choose an odd size from 3 to 61"),
        (1, "patch size 1 is out of range"),
    ],
)
def test_bad_patch_sizes(size, message):
    with pytest.raises(LandcoverError, match=message):
        networks.build_cnn(size, 4, 5)


@pytest.fixture(scope="module")
def stripes():
    """Chips whose class, stripes across or along, no single pixel can tell."""
    rng = np.random.default_rng(0)
    along = rng.integers(2, size=3000)
    phase = rng.integers(2, size=3000)
    rows, cols = np.indices((5, 5))
    across = (rows[None] + phase[:, None, None]) % 2
    down = (cols[None] + phase[:, None, None]) % 2
    pattern = np.where(along[:, None, None] == 1, across, down)[..., np.newaxis]
    chips = (0.2 + 0.1 * pattern + rng.normal(0, 0.03, pattern.shape)).astype(np.float32)
    return chips, along.astype(np.int32)


def trained(stripes, seed, weights=None, turn=False, epochs=4):
    chips, targets = stripes
    networks.seed_everything(seed)
    model = networks.build_cnn(5, 1, 2, [0.25], [0.003])

    def examples(rows):
        return networks.Examples(
            lambda batch: chips[rows[batch]], targets[rows], None if weights is None else weights
        )

    rows = np.arange(3000)
    history = networks.fit(
        model,
        examples(rows[:2000]),
        examples(rows[2000:]),
        networks.Schedule(epochs),
        seed=seed,
        turn=turn,
    )
    probabilities = networks.predict(model, lambda batch: chips[2000 + batch], 1000)
    return model, history, probabilities


@pytest.fixture(scope="module")
def fitted(stripes):
    return trained(stripes, seed=1)


def test_training_learns_what_only_context_tells(stripes, fitted):
    _, history, probabilities = fitted
    assert set(history) == {"loss", "val_loss", "accuracy", "val_accuracy", "learning_rate"}
    assert len({len(curve) for curve in history.values()}) == 1
    assert (probabilities.argmax(axis=1) == stripes[1][2000:]).mean() > 0.95


def test_the_best_weights_are_restored(stripes, fitted):
    _, history, probabilities = fitted
    truth = stripes[1][2000:]
    loss = -np.log(probabilities[np.arange(1000), truth]).mean()
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-3)


def test_the_same_seed_gives_the_same_bytes(stripes, fitted):
    _, history, probabilities = trained(stripes, seed=1)
    assert history == fitted[1]
    assert probabilities.tobytes() == fitted[2].tobytes()
    assert trained(stripes, seed=2, epochs=1)[2].tobytes() != fitted[2].tobytes()


def test_a_saved_network_is_data_and_the_same(stripes, fitted, tmp_path):
    model, _, probabilities = fitted
    path = tmp_path / "models" / "model.keras"
    networks.save(model, path)
    assert [p.name for p in path.parent.iterdir()] == ["model.keras"]
    again = networks.predict(networks.load(path), lambda batch: stripes[0][2000 + batch], 1000)
    assert again.tobytes() == probabilities.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # called directly, as other programs do
        called = np.asarray(networks.load(path)(stripes[0][2000:2010])).reshape(10, -1)
    np.testing.assert_allclose(called, probabilities[:10], atol=1e-6)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        config = json.loads(archive.read("config.json"))
    assert names == {"config.json", "metadata.json", "model.weights.h5"}
    layers = config["config"]["layers"]
    assert "Lambda" not in {layer["class_name"] for layer in layers}
    # Anything of ours in the file would need our code to load
    assert {str(layer["module"]).split(".")[0] for layer in layers} == {"keras"}


def test_a_file_that_carries_code_is_refused(tmp_path):
    import keras

    path = tmp_path / "evil.keras"
    inputs = keras.layers.Input((2,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(path)
    with pytest.raises(
        LandcoverError, match=r"evil\.keras cannot be loaded.*train the model again"
    ):
        networks.load(path)


@pytest.mark.parametrize("content", [b"", b"not a zip archive"])
def test_a_damaged_file_is_one_line(tmp_path, content):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    with pytest.raises(LandcoverError, match="train the model again") as caught:
        networks.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_class_weights_move_the_balance():
    """With a useless input and 9 : 1 classes, equal weights predict 0.1 and balanced ones 0.5."""
    targets = (np.arange(2000) % 10 == 0).astype(np.int32)
    values = np.ones((2000, 1), np.float32)

    def rare(weights):
        networks.seed_everything(0)
        model = networks.build_mlp(1, 2)
        rows = networks.Examples(lambda batch: values[batch], targets, weights)
        networks.fit(model, rows, rows, networks.Schedule(8, learning_rate=1e-2), seed=0)
        return networks.predict(model, lambda batch: values[batch], 1)[0, 1]

    balanced = np.where(targets == 1, 5.0, 5 / 9).astype(np.float32)
    assert rare(None) == pytest.approx(0.1, abs=0.05)
    assert rare(balanced) == pytest.approx(0.5, abs=0.1)


def test_the_published_network_maps_a_window_chip_by_chip():
    rng = np.random.default_rng(0)
    model = random_weights(networks.build_published(5, 2, 3), rng)
    classifier = networks.PatchClassifier(
        "cnn-5x5-published", Legend.corine(1).subset([1, 2, 3]), ("B02", "B03"), 5, model
    )
    image = rng.uniform(0, 0.3, (2, 4 + 6, 4 + 3)).astype(np.float32)
    image[:, 0] = np.nan
    found = classifier.predict_window(image)
    assert found.shape == (3, 6, 3)
    for row, col in [(0, 0), (5, 2), (2, 1)]:
        chip = image[:, row : row + 5, col : col + 5].transpose(1, 2, 0)
        np.testing.assert_allclose(
            found[:, row, col], model.predict_on_batch(chip[np.newaxis])[0], atol=1e-6
        )


def test_importing_the_room_loads_no_keras_and_loading_it_says_nothing():
    code = (
        "import sys; from landcover.classifiers import networks; assert 'keras' not in sys.modules;"
        "networks.seed_everything(0); assert 'keras' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
