"""Training on tiles: the objective of chips, and nothing of what no training patch covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import landcover as lc
from landcover.classifiers import networks
from landcover.classifiers.networks.batches import tile_batches
from landcover.classifiers.networks.plans import plan
from landcover.classifiers.networks.tile_network import sampled_pixels
from landcover.errors import LandcoverError
from landcover.samples.augmentation import turned
from landcover.samples.tiles import Tiles, tiles_of

ROWS, COLS, CLASSES = 70, 90, 4


def scene(seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((3, ROWS, COLS), dtype=np.float32)
    image[:, 20:30, 40:50] = np.nan
    return image


def reader(image, margin=100):
    padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)), constant_values=np.nan)

    def read(window):
        top, left = window.row + margin, window.col + margin
        found = padded[:, max(top, 0) : top + window.rows, left : left + window.cols]
        return np.pad(
            found, ((0, 0), (0, window.rows - found.shape[1]), (0, 0)), constant_values=np.nan
        )

    return read


def places(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, ROWS, n), rng.integers(0, COLS, n), rng.integers(0, CLASSES, n)


def network(size, seed=0):
    """A patch network with weights and moments of normalisation unlike those at the start."""
    rng = np.random.default_rng(seed)
    networks.seed_everything(seed)
    model = networks.build_cnn(size, 3, CLASSES, [0.5] * 3, [0.08] * 3)
    for layer in model.layers:
        if hasattr(layer, "moving_mean"):
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.gamma.shape))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
        if hasattr(layer, "rate"):
            layer.rate = 0.0
    return model


def inputs(tiles, samples):
    batch = tiles.batch(samples)
    return batch.images, batch.counts, batch.places, np.ones(len(samples), np.float32)


@pytest.mark.parametrize(
    ("size", "side", "dense"), [(3, 8, 1), (7, 1, 2), (7, 16, 3), (15, 16, 2), (21, 32, 3)]
)
def test_samples_on_tiles_are_predicted_as_on_chips(size, side, dense):
    image, (rows, cols, _) = scene(), places(60)
    model = network(size)
    expected = model.predict_on_batch(lc.chips(image, rows, cols, size)[:]).reshape(60, -1)
    assert expected.std(axis=0).min() > 1e-3  # neither constant nor saturated
    tiles = Tiles.around(reader(image), rows, cols, side, size // 2)
    found = sampled_pixels(model, side, dense)(inputs(tiles, np.arange(60)), training=False)
    np.testing.assert_allclose(np.asarray(found), expected, atol=2e-6)


def gradients(model, call, targets):
    """Loss and gradients of a step of plain descent, told from how the weights move."""
    import keras

    start = [np.array(v) for v in model.trainable_variables]
    moments = [np.array(v) for v in model.non_trainable_variables]
    call.compile(
        optimizer=keras.optimizers.SGD(1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        jit_compile=False,
    )
    loss = float(call.train_on_batch(*targets))
    moved = [s - np.array(v) for s, v in zip(start, model.trainable_variables, strict=True)]
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, moments, strict=True):
        variable.assign(value)
    return loss, np.concatenate([m.ravel() for m in moved])


def test_loss_and_gradients_are_those_of_chips_with_fixed_normalisation():
    image, (rows, cols, targets) = scene(), places(50)
    model = network(9)
    for layer in model.layers:
        if hasattr(layer, "moving_mean"):
            layer.trainable = False
    chips = lc.chips(image, rows, cols, 9)[:]
    loss, gradient = gradients(model, model, (chips, targets.reshape(-1, 1, 1)))
    for side, dense in [(1, 2), (16, 3), (32, 2)]:
        tiles = Tiles.around(reader(image), rows, cols, side, 4)
        shared = sampled_pixels(model, side, dense)
        again, same = gradients(model, shared, (inputs(tiles, np.arange(50)), targets))
        assert again == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(same, gradient, atol=1e-5 * np.abs(gradient).max())


def test_a_step_of_few_tiles_is_judged_by_the_moments_of_all(monkeypatch):
    """As the network predicts, and not relative to what meets in the step."""
    for bound in ("_LARGEST_RATIO", "_LARGEST_SHIFT"):  # these moments are far from any step's
        monkeypatch.setattr(f"landcover.classifiers.networks.tile_network.{bound}", 1e6)
    image, (rows, cols, targets) = scene(), places(400)
    near = (rows < 24) & (cols < 24)
    rows, cols, targets = rows[near], cols[near], targets[near]
    model = network(7)
    chips = lc.chips(image, rows, cols, 7)[:]
    predicted = model.predict_on_batch(chips).reshape(len(rows), -1)
    expected = -np.log(predicted[np.arange(len(rows)), targets]).mean()
    tiles = Tiles.around(reader(image), rows, cols, 16, 3)
    shared = sampled_pixels(model, 16, 2)
    loss, _ = gradients(model, shared, (inputs(tiles, np.arange(len(rows))), targets))
    assert loss == pytest.approx(expected, rel=1e-4)


def test_every_step_holds_all_classes_in_equal_shares_and_an_epoch_every_row_once():
    rows, cols, _ = places(600)
    targets = np.where(rows < 8, 2, cols // 46)  # tiles of 2 px hold one class each
    tiles = Tiles.around(reader(scene()), rows, cols, 2, 3)
    batches = tile_batches(networks.TileExamples(tiles, np.arange(600), 2, targets), 16, seed=0)
    epochs = []
    for _ in range(2):
        steps = [batches.rows(number) for number in range(len(batches))]
        epochs.append(steps)
        assert np.array_equal(np.sort(np.concatenate(steps)), np.arange(600))
        for kind in range(3):
            held = [len(np.unique(tiles.of[step[targets[step] == kind]])) for step in steps]
            assert max(held) - min(held) <= 1 and max(held) > 0
        batches.on_epoch_end()
    assert len(steps) > 10
    assert set(epochs[0][0]) != set(epochs[1][0])


@settings(max_examples=3)
@given(st.sampled_from([5, 7, 13]), st.sampled_from([4, 16, 64]), st.integers(0, 99))
def test_a_step_does_not_depend_on_the_tiles_with_normalisation_at_work(size, side, seed):
    image, (rows, cols, targets) = scene(seed), places(40, seed)
    model = network(size, seed)
    found = []
    for tiled, dense in [(1, 1), (side, 2), (side, 1)]:
        tiles = Tiles.around(reader(image), rows, cols, tiled, size // 2)
        shared = sampled_pixels(model, tiled, dense)
        found.append(gradients(model, shared, (inputs(tiles, np.arange(40)), targets)))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-4)
        # A feature at the kink of ReLU may fall to either side
        assert np.linalg.norm(gradient - found[0][1]) < 0.01 * np.linalg.norm(found[0][1])


def train_on(image, side, seed=0):
    rows, cols, targets = places(300)
    near = cols < 50
    rows, cols, targets = rows[near], cols[near], targets[near]
    tiles = Tiles.around(reader(image), rows, cols, side, 4)
    part = np.arange(len(rows))
    train, validation = (
        networks.TileExamples(tiles, p, 2, targets[p]) for p in (part[::2], part[1::2])
    )
    model = network(9, seed)
    history = networks.fit(model, train, validation, networks.Schedule(2, 32), seed=seed, turn=True)
    predicted = networks.predict_examples(model, train)
    return history, predicted, b"".join(np.asarray(w).tobytes() for w in model.get_weights())


def test_imagery_that_no_training_patch_covers_does_not_touch_the_weights():
    plain = scene()
    other = plain.copy()
    # Tiles of 32 px reach to col 63 and 4 px beyond; patches of cols below 50 reach to col 53
    other[:, :, 54:] = 1e6 * np.random.default_rng(9).random((3, ROWS, COLS - 54))
    other[0, :, 60] = np.inf
    first, second = train_on(plain, 32), train_on(other, 32)
    assert first[0] == second[0] and first[2] == second[2]
    inside = plain.copy()
    inside[:, :, 45:] += 0.5
    assert train_on(inside, 32)[2] != first[2]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, second, third = train_on(scene(), 16), train_on(scene(), 16), train_on(scene(), 16, 1)
    assert first[0] == second[0] and first[2] == second[2]
    assert np.array_equal(first[1], second[1])
    assert third[2] != first[2]


def test_learning_on_tiles_finds_what_context_tells():
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=(10, 10)).repeat(16, 0).repeat(16, 1)
    r, c = np.indices(kind.shape)
    image = np.where(kind == 1, r % 2, c % 2)[np.newaxis] * 0.2 + rng.normal(0, 0.02, (1, 160, 160))
    rows, cols = rng.integers(0, 160, (2, 3000))
    inner = (np.minimum(rows % 16, cols % 16) > 1) & (np.maximum(rows % 16, cols % 16) < 14)
    rows, cols = rows[inner], cols[inner]
    targets = kind[rows, cols].astype(np.int32)
    tiles = Tiles.around(reader(image.astype(np.float32)), rows, cols, 8, 2)
    part = np.arange(len(rows))
    networks.seed_everything(0)
    model = networks.build_cnn(5, 1, 2, [0.1], [0.01])
    history = networks.fit(
        model,
        *(networks.TileExamples(tiles, p, 1, targets[p]) for p in (part[::2], part[1::2])),
        networks.Schedule(6, 64), seed=0,
    )  # fmt: skip
    assert history["val_accuracy"][-1] > 0.95
    tested = networks.TileExamples(tiles, part[1::2], 1, targets[1::2])
    loss = -np.log(
        networks.predict_examples(model, tested)[np.arange(len(part[1::2])), targets[1::2]]
    )
    assert loss.mean() == pytest.approx(min(history["val_loss"]), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("orientation", range(8))
def test_a_turned_tile_carries_its_samples_along(orientation):
    image, (rows, cols, _) = scene(), places(80)
    tiles = Tiles.around(reader(image), rows, cols, 16, 3)
    count = len(tiles_of(rows, cols, 16)[0])
    batch = tiles.batch(np.arange(80), np.full(count, orientation))
    tile, place = np.divmod(batch.places, 16 * 16)
    row, col = np.divmod(place, 16)
    found = batch.images[tile, row + 3, col + 3]
    assert np.array_equal(found, image[:, rows, cols].T, equal_nan=True)


def test_the_eight_orientations_and_nothing_else():
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    found = turned(np.stack([square] * 8)[..., np.newaxis], np.arange(8))
    expected = {tuple(np.rot90(way, k).ravel()) for way in (square, square.T) for k in range(4)}
    assert {tuple(one.ravel()) for one in found} == expected


def test_tiles_pay_where_patches_overlap_and_chips_where_they_do_not():
    rows, cols = np.indices((640, 640)).reshape(2, -1)
    thin = np.random.default_rng(0).permutation(len(rows))[:8000]
    small, large = networks.build_cnn(7, 4, 5), networks.build_cnn(61, 4, 5)
    assert plan(small, rows, cols).way == "tiles"
    assert plan(small, rows[thin], cols[thin]).way == "chips"
    assert plan(large, rows[thin], cols[thin]).way == "tiles"
    assert plan(large, rows[thin], cols[thin], "chips").way == "chips"
    assert plan(small, rows[thin], cols[thin], "tiles").way == "tiles"
    few = plan(large, rows[thin[:50]], cols[thin[:50]])
    assert few.side == 1  # too few tiles for steps from many places


def test_ways_that_there_are_not():
    model = networks.build_published(5, 3, 2)
    assert plan(model, np.arange(5), np.arange(5)).way == "chips"
    with pytest.raises(LandcoverError, match=r"published network pads .* train it on chips"):
        plan(model, np.arange(5), np.arange(5), "tiles")
    with pytest.raises(LandcoverError, match="batches_of 'rows' is unknown; choose among auto"):
        plan(model, np.arange(5), np.arange(5), "rows")
