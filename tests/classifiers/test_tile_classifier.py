"""Half-overlapping tiles: every pixel is the middle of one, and maps do not depend on windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcover import maps
from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.tile_classifier import TileClassifier
from landcover.files import raster_writer, rasters
from landcover.legend import Legend
from landcover.scene.sequence import Dates
from tests.conftest import utm_grid

LEGEND = Legend.corine(3).subset([211, 311])
DAYS, BANDS = ("2022-04-15", "2022-07-14"), ("B04", "B08")


def shares(tiles, _days):
    """Probabilities that say the first band of the first date."""
    share = tiles[..., 0, 0]
    return np.stack([share, 1 - share], axis=-1)


def means(tiles, _days):
    """Probabilities that depend on all of a tile."""
    found = np.nan_to_num(tiles[..., 0]).mean(axis=(1, 2))
    share = np.broadcast_to(found[:, None, None, :1], tiles.shape[:3] + (1,))
    return np.concatenate([share, 1 - share], axis=-1).astype(np.float32)


def classifier(predict) -> TileClassifier:
    dates = Dates(DAYS, BANDS)
    learnt = LearntDates(DAYS, 2, 2)
    return TileClassifier("tiles", LEGEND, BANDS, learnt, dates, predict=predict)


@given(rows=st.integers(1, 90), cols=st.integers(1, 70))
@settings(max_examples=25, deadline=None)
def test_every_pixel_is_the_middle_of_a_tile(rows, cols):
    rng = np.random.default_rng(rows)
    image = rng.uniform(0, 1, (4, rows + 16, cols + 16)).astype(np.float32)
    found = classifier(shares).predict_window(image)
    assert found.shape == (2, rows, cols)
    np.testing.assert_array_equal(found[0], image[0, 8:-8, 8:-8])
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)


def test_a_pixel_is_valid_where_one_date_is():
    image = np.full((4, 20, 20), 0.2, np.float32)
    image[0, 10, 10] = np.nan  # one date is left
    image[[0, 2], 11, 11] = np.nan
    valid = classifier(shares).valid(image)
    assert valid.shape == (4, 4) and valid[2, 2] and not valid[3, 3]
    assert valid.sum() == 15


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 1, (4, 130, 171)).astype(np.float32)
    image[:, 50:60, 20:40] = np.nan
    image[:2, 90:, :] = np.nan
    path = tmp_path_factory.mktemp("scene") / "dates.tif"
    names = Dates(DAYS, BANDS).names
    raster_writer.write(path, image, utm_grid(130, 171), names, nodata=np.nan)
    return path, image


def test_maps_are_equal_for_any_size_of_windows(scene, tmp_path, monkeypatch):
    path, image = scene
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", 50)
    held = []
    for tile_px in (30, 64, 90, 1024):
        out = tmp_path / f"{tile_px}.tif"
        maps.predict_map(classifier(means), path, out, tile_px=tile_px)
        held.append(rasters.read_classes(out))
    for other in held[1:]:
        np.testing.assert_array_equal(other, held[0])
    # every pixel that one date shows has a class, at the borders too
    expected = np.isfinite(image[0]) | np.isfinite(image[2])
    np.testing.assert_array_equal(held[0] > 0, expected)
    assert len(np.unique(held[0])) == 3


def test_a_map_is_verified_tile_by_tile(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", 50)
    maps.predict_map(classifier(means), scene[0], tmp_path / "m.tif")
    found = maps.verify(classifier(means), scene[0], 60, 0, written=tmp_path / "m.tif")
    assert found.largest_difference == 0 and found.written_mismatches == 0
    assert found.at_border > 0
