"""Networks of dates: attention, the temporal CNN, the ConvLSTM, and the U-Net under it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landcover.classifiers import networks
from landcover.classifiers.networks.backend import keras_module
from landcover.classifiers.networks.conv_lstm import (
    build_conv_lstm,
    build_unet_convlstm,
    conv_lstm,
)
from landcover.classifiers.networks.tile_batches import EPOCH_TILES, labelled_batches
from landcover.classifiers.networks.unet import TILE_PX, Encoder, TileShape, build_unet
from landcover.classifiers.tile_models import _said_of_dates
from landcover.errors import InputError, LandcoverError
from landcover.samples.labelled_tiles import LabelledTiles

DAYS = np.array([105, 140, 176, 211, 246], np.float32)
BANDS = 4


def dates_of(rng, rows: int, masked: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Values (rows, dates, bands) with masked dates, and days."""
    values = rng.uniform(0, 0.5, (rows, len(DAYS), BANDS)).astype(np.float32)
    values[rng.uniform(size=values.shape[:2]) < masked] = np.nan
    values[:, 0] = 0.2  # one date is always valid
    return values, np.tile(DAYS, (rows, 1))


@pytest.fixture(scope="module")
def ltae():
    networks.seed_everything(0)
    return networks.build_ltae(BANDS, 5, [0.2] * BANDS, [0.02] * BANDS)


@pytest.fixture(scope="module")
def unet():
    networks.seed_everything(0)
    return build_unet(TileShape(BANDS, 3, (0.2,) * BANDS, (0.02,) * BANDS, True), Encoder())


def test_attention_is_light():
    full = networks.build_ltae(10, 9, [0.2] * 10, [0.02] * 10)
    assert 8500 < full.count_params() < 9500


def test_attention_does_not_mind_the_order_of_dates(ltae, rng):
    values, days = dates_of(rng, 20)
    order = rng.permutation(len(DAYS))
    found = ltae.predict_on_batch([values, days])
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    again = ltae.predict_on_batch([values[:, order], days[:, order]])
    np.testing.assert_allclose(again, found, atol=1e-5)


def test_attention_gives_a_masked_date_no_weight(ltae, rng):
    values, days = dates_of(rng, 20, masked=0)
    partly = values.copy()
    partly[:, 2, 1] = np.nan  # one missing band masks the date
    rest = [0, 1, 3, 4]
    np.testing.assert_allclose(
        ltae.predict_on_batch([partly, days]),
        ltae.predict_on_batch([values[:, rest], days[:, rest]]),
        atol=1e-6,
    )


def test_attention_knows_the_day_of_year(ltae, rng):
    values, days = dates_of(rng, 20, masked=0)
    later = ltae.predict_on_batch([values, days + 60])
    assert np.abs(later - ltae.predict_on_batch([values, days])).max() > 1e-3


def test_the_temporal_cnn_gives_probabilities(rng):
    model = networks.build_temporal_cnn(5, BANDS, 4, [0.2] * BANDS, [0.02] * BANDS)
    found = model.predict_on_batch(dates_of(rng, 6, masked=0)[0])
    assert found.shape == (6, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("classes", [3, 8])
def test_the_temporal_part_has_the_published_number_of_weights(classes):
    shape = TileShape(BANDS, classes, (0.2,) * BANDS, (0.02,) * BANDS, True)
    below = build_unet(shape, Encoder())
    whole = build_unet_convlstm(below, build_conv_lstm(6, classes))
    temporal = whole.count_params() - below.count_params()
    assert temporal == 8 * classes * (18 * classes + 1)
    assert classes != 8 or temporal == 9280


def recurrence(dates: int, classes: int = 3, side: int = 6, backwards: bool = False):
    """The recurrence alone, as a model of maps and of where they are."""
    keras = keras_module()
    maps = keras.layers.Input((dates, side, side, classes))
    present = keras.layers.Input((dates, side, side, 1))
    order = range(dates)[::-1] if backwards else range(dates)
    state = conv_lstm(maps, present, order, "pass")
    return keras.Model([maps, present], state)


def maps_of(rng, dates: int) -> tuple[np.ndarray, np.ndarray]:
    maps = rng.uniform(0, 1, (2, dates, 6, 6, 3)).astype(np.float32)
    return maps, np.ones((2, dates, 6, 6, 1), np.float32)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_recurrence_is_that_of_keras_where_nothing_is_masked(rng, backwards):
    keras = keras_module()
    model, layer = recurrence(4, backwards=backwards), keras.layers.ConvLSTM2D(3, 3, padding="same")
    layer.go_backwards = backwards
    maps, present = maps_of(rng, 4)
    layer(maps)
    kernel, bias = model.get_layer("pass_maps").get_weights()
    (state,) = model.get_layer("pass_state").get_weights()
    shifted = bias.copy()
    shifted[3:6] += 1  # the forget gate remembers from the start
    layer.set_weights([kernel, state, shifted])
    expected = np.asarray(layer(maps))
    np.testing.assert_allclose(model.predict_on_batch([maps, present]), expected, atol=1e-5)


def test_a_masked_date_is_as_if_it_was_not_there(rng):
    long, short = recurrence(4), recurrence(3)
    short.set_weights(long.get_weights())
    maps, present = maps_of(rng, 4)
    present[:, 1] = 0
    rest = [0, 2, 3]
    np.testing.assert_allclose(
        long.predict_on_batch([maps, present]),
        short.predict_on_batch([maps[:, rest], present[:, rest]]),
        atol=1e-6,
    )


def test_a_masked_pixel_keeps_its_state(rng):
    long, short = recurrence(3), recurrence(2)
    short.set_weights(long.get_weights())
    maps, present = maps_of(rng, 3)
    present[:, 2, 2, 3] = 0
    after = long.predict_on_batch([maps, present])
    before = short.predict_on_batch([maps[:, :2], present[:, :2]])
    np.testing.assert_allclose(after[:, 2, 3], before[:, 2, 3], atol=1e-6)
    assert np.abs(after - before).max() > 1e-3
    other = maps.copy()
    other[:, 2, 2, 3] = 5.0  # what lies under a cloud is seen by no neighbour either
    np.testing.assert_array_equal(long.predict_on_batch([other, present]), after)


def test_the_whole_network_gives_probabilities_and_leaves_masked_dates_out(unet, rng):
    whole = build_unet_convlstm(unet, build_conv_lstm(3, 3))
    values = rng.uniform(0, 0.5, (2, 3, TILE_PX, TILE_PX, BANDS)).astype(np.float32)
    values[:, 1] = np.nan
    days = np.tile(DAYS[:3], (2, 1))
    found = whole.predict_on_batch([values, days])
    assert found.shape == (2, TILE_PX, TILE_PX, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    moved = days + np.array([0, 40, 0], np.float32)  # the day of a masked date says nothing
    np.testing.assert_array_equal(whole.predict_on_batch([values, moved]), found)
    assert np.abs(whole.predict_on_batch([values, days + 90]) - found).max() > 1e-4


def test_a_unet_of_one_image_takes_any_bands(rng):
    model = build_unet(TileShape(7, 3, (0.2,) * 7, (0.02,) * 7, False), Encoder())
    values = rng.uniform(0, 0.5, (2, TILE_PX, TILE_PX, 7)).astype(np.float32)
    values[0, 3, 4, 2] = np.nan
    found = model.predict_on_batch(values)
    assert found.shape == (2, TILE_PX, TILE_PX, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)


def test_as_many_tiles_as_a_tile_is_wide(unet, rng):
    values = rng.uniform(0, 0.5, (TILE_PX, TILE_PX, TILE_PX, BANDS)).astype(np.float32)
    days = np.tile(DAYS[:1], (TILE_PX, 1))
    found = unet.predict_on_batch([values, days])
    first = unet.predict_on_batch([values[:4], days[:4]])
    np.testing.assert_allclose(found[:4], first, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "first"), [("vgg19", 1), ("resnet50", 2)])
def test_weights_of_a_backbone_come_from_a_file(backbone, first, tmp_path):
    keras = keras_module()
    name = {"vgg19": "VGG19", "resnet50": "ResNet50"}[backbone]
    build = getattr(keras.applications, name)
    pictures = build(include_top=False, weights=None, input_shape=(32, 32, 3))
    file = tmp_path / "notop.weights.h5"
    pictures.save_weights(file)
    shape = TileShape(5, 3, (0.2,) * 5, (0.02,) * 5, False)
    model = build_unet(shape, Encoder(backbone, file))
    assert model.output_shape[1:] == (32, 32, 3)
    own, given = model.get_layer("backbone"), pictures
    of_bands, of_colours = own.layers[first].get_weights()[0], given.layers[first].get_weights()[0]
    np.testing.assert_allclose(of_bands.sum(axis=2), of_colours.sum(axis=2), rtol=1e-4, atol=1e-6)
    name = {"vgg19": "block3_conv2", "resnet50": "conv3_block1_1_conv"}[backbone]
    for mine, theirs in zip(
        own.get_layer(name).get_weights(), given.get_layer(name).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"backbone": "vgg16"}, "backbone 'vgg16' is unknown; choose among small, vgg19, resnet50"),
        ({"weights": "x.h5"}, "weights x.h5 are of a backbone of Keras; choose backbone=vgg19"),
    ],
)
def test_backbones_that_are_none(choices, said):
    with pytest.raises(InputError, match=said):
        Encoder(**choices)


def test_weights_that_are_not_there(tmp_path):
    shape = TileShape(5, 3, (0.2,) * 5, (0.02,) * 5, False)
    with pytest.raises(LandcoverError, match=r"nowhere.h5 do not exist"):
        build_unet(shape, Encoder("resnet50", tmp_path / "nowhere.h5"))
    (tmp_path / "none.h5").write_bytes(b"no weights")
    with pytest.raises(LandcoverError, match=r"none.h5 are no HDF5 file"):
        build_unet(shape, Encoder("resnet50", tmp_path / "none.h5"))


def tiles_of(dates: int, together: int, as_sequence: bool) -> networks.SequenceTiles:
    """Twenty tiles whose values are their dates."""
    images = np.broadcast_to(np.arange(dates, dtype=np.float32)[:, None], (20, 4, 4, dates, 2))
    square = (20, 4, 4)
    held = LabelledTiles(images, np.zeros(square, np.int32), np.ones(square, bool))
    days = 10 * np.arange(dates)
    return networks.SequenceTiles(held, held.weights(None), days, together, as_sequence)


def test_random_sequences_are_drawn_anew_for_every_batch():
    seen = set()
    batches = labelled_batches(tiles_of(10, 6, as_sequence=True), seed=0)
    for _ in range(4):
        for number in range(len(batches)):
            (values, days), _, weights = batches[number]
            assert values.shape[1:] == (6, 4, 4, 2) and weights.shape[1:] == (4, 4)
            drawn = values[0, :, 0, 0, 0]
            assert (np.diff(drawn) > 0).all()  # in the order of time
            np.testing.assert_array_equal(days, np.tile(10 * drawn, (len(values), 1)))
            seen.add(tuple(drawn.tolist()))
        batches.on_epoch_end()
    assert len(seen) > 50  # of 100 steps
    fixed = labelled_batches(tiles_of(6, 6, as_sequence=True), seed=0)
    np.testing.assert_array_equal(fixed[0][0][0][:, :, 0, 0, 0], np.tile(np.arange(6), (16, 1)))


@pytest.mark.parametrize(("number", "times"), [(20, 20), (383, 2), (384, 1), (385, 1)])
def test_an_epoch_of_few_tiles_shows_each_of_them_alike_and_often_enough(number, times):
    images = np.broadcast_to(
        np.arange(number, dtype=np.float32)[:, None, None, None, None], (number, 4, 4, 1, 2)
    )
    square = (number, 4, 4)
    held = LabelledTiles(images, np.zeros(square, np.int32), np.ones(square, bool))
    examples = networks.SequenceTiles(held, held.weights(None), np.zeros(1), 1, False)
    batches = labelled_batches(examples, seed=0)
    shown = np.concatenate([batches[k][0][0][:, 0, 0, 0] for k in range(len(batches))])
    assert len(shown) >= EPOCH_TILES
    assert set(np.bincount(shown.astype(int)).tolist()) == {times}
    judging = labelled_batches(examples)
    assert sum(len(judging[k][1]) for k in range(len(judging))) == number


def test_a_sequence_is_learnt_from_what_the_unet_says_of_its_dates(unet, rng):
    images = rng.uniform(0, 0.5, (3, TILE_PX, TILE_PX, 4, BANDS)).astype(np.float32)
    images[rng.random(images.shape[:4]) < 0.2] = np.nan
    images[1, :, :, 2] = np.nan  # a date that does not show a tile
    square = (3, TILE_PX, TILE_PX)
    tiles = LabelledTiles(images, np.zeros(square, np.int32), np.ones(square, bool))
    days = np.array([100, 150, 200, 250])
    examples = networks.SequenceTiles(tiles, tiles.weights(None), days, 1, False)
    said = _said_of_dates(unet, examples, 3)
    temporal = build_conv_lstm(3, 3)
    chosen = np.array([0, 2, 3])
    both = np.broadcast_to(chosen, (3, 3))
    inputs = replace(examples, together=3, as_sequence=True).inputs(images, both)
    of_maps = said.inputs(said.tiles.images, both)
    whole = build_unet_convlstm(unet, temporal).predict_on_batch(list(inputs))
    np.testing.assert_allclose(temporal.predict_on_batch(of_maps), whole, atol=1e-5)
    np.testing.assert_array_equal(
        np.isnan(said.tiles.images).any(axis=-1), np.isnan(images).any(axis=-1)
    )
    shown = [labels.shown(labels.tiles.images, both) for labels in (examples, said)]
    np.testing.assert_array_equal(*shown)


def test_single_dates_are_seen_one_by_one():
    examples = tiles_of(5, 1, as_sequence=False)
    (values, days), *_ = labelled_batches(examples, seed=0)[0]
    assert values.shape == (16, 4, 4, 2) and days.shape == (16, 1)
    np.testing.assert_array_equal(values[:, 0, 0, 0] * 10, days[:, 0])
    assert len(np.unique(days)) > 1
    (first, _), *_ = labelled_batches(examples)[0]
    (again, _), *_ = labelled_batches(examples)[0]
    np.testing.assert_array_equal(first, again)  # what decides when to stop does not change


@pytest.mark.parametrize(("together", "as_sequence"), [(1, False), (2, True)])
def test_pixels_that_no_date_of_a_sample_shows_weigh_nothing(together, as_sequence, rng):
    whole = tiles_of(3, together, as_sequence)
    images = np.array(whole.tiles.images)
    images[rng.random(images.shape) < 0.3] = np.nan
    tiles = replace(whole.tiles, images=images)
    batches = labelled_batches(replace(whole, tiles=tiles), seed=0, turn=True)
    for number in range(len(batches)):
        (values, _), _, weights = batches[number]
        valid = np.isfinite(values).all(axis=-1)
        np.testing.assert_array_equal(weights > 0, valid.any(axis=1) if as_sequence else valid)


def test_a_file_that_holds_no_weights_is_refused_at_once(tmp_path):
    file = tmp_path / "weights.h5"
    file.write_text("none", "utf-8")
    with pytest.raises(InputError, match=r"weights.h5 are no HDF5 file"):
        networks.Encoder("vgg19", file)


def test_a_single_date_is_drawn_among_those_that_show_a_tile():
    held = tiles_of(4, 1, False)
    shows = np.zeros((len(held.tiles), 4), bool)
    shows[:, [1, 3]] = True
    shows[0] = [False, False, True, False]
    drawn = replace(held, shows=shows)
    rows = np.arange(len(shows))
    for rng in (None, np.random.default_rng(0)):
        found = drawn.drawn(rows, rng)[:, 0]
        assert found[0] == 2 and set(found[1:].tolist()) == {1, 3}
