"""Scenes one below the other: what is cut of each is what is cut of it alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from landcover.files import raster_writer, rasters
from landcover.grid import Window
from landcover.samples.chips import read_chips
from landcover.samples.stacked import APART_PX, Stacked
from landcover.samples.tiles import Tiles
from tests.conftest import utm_grid

BANDS = ("B02", "B08")
SHAPES = ((70, 90), (64, 41), (130, 60))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Three scenes of other sizes, the second with its bands in another order and one more."""
    folder, rng, paths = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0), []
    for number, shape in enumerate(SHAPES):
        names = ("B08", "B03", "B02") if number == 1 else BANDS
        image = rng.uniform(0, 1, (len(names), *shape)).astype(np.float32)
        image[:, 3:5, 7] = np.nan
        path = folder / f"{number}.tif"
        raster_writer.write(path, image, utm_grid(*shape), names, nodata=np.nan)
        paths.append(path)
    return paths


def samples(n=200, seed=1):
    """Pixels of the three scenes, those of their edges among them."""
    rng = np.random.default_rng(seed)
    scene = np.sort(rng.integers(0, 3, n))
    rows, cols = (np.array([shape[axis] for shape in SHAPES])[scene] for axis in (0, 1))
    row, col = (rng.integers(0, sides) for sides in (rows, cols))
    row[:2], row[-2:] = 0, SHAPES[2][0] - 1
    return pd.DataFrame({"scene": scene.astype(np.int16), "row": row, "col": col})


def test_chips_are_those_of_each_scene_alone(scenes):
    table, stacked = samples(), Stacked.of(scenes, BANDS)
    found = read_chips(stacked.read, *stacked.places(table), 61)[:]
    for number, path in enumerate(scenes):
        own = table[table["scene"] == number]
        alone = read_chips(
            lambda window, path=path: rasters.read(path, window, list(BANDS)),
            own["row"].to_numpy(), own["col"].to_numpy(), 61,
        )[:]  # fmt: skip
        np.testing.assert_array_equal(found[table["scene"] == number], alone)


@pytest.mark.parametrize("side", [1, 8, 64])
def test_a_scene_has_the_same_tiles_wherever_it_stands(scenes, side):
    table, stacked = samples(), Stacked.of(scenes, BANDS)
    tiles = Tiles.around(stacked.read, *stacked.places(table), side, 30)
    for number, path in enumerate(scenes):
        own = np.flatnonzero(table["scene"] == number)
        row, col = (table[axis].to_numpy()[own] for axis in ("row", "col"))
        alone = Tiles.around(
            lambda window, path=path: rasters.read(path, window, list(BANDS)), row, col, side, 30
        )
        first, second = tiles.batch(own), alone.batch(np.arange(len(own)))
        np.testing.assert_array_equal(first.images, second.images)
        np.testing.assert_array_equal(first.places, second.places)


def test_one_scene_lies_where_it_is(scenes):
    """A table without scenes: nothing is moved, and nothing read otherwise."""
    stacked, table = Stacked.of(scenes[:1], BANDS), samples().drop(columns="scene")
    row, col = stacked.places(table)
    assert row.tolist() == table["row"].tolist() and col.tolist() == table["col"].tolist()
    for window in (Window(-3, -5, 200, 300), Window(10, 20, 1, 7), Window(500, 0, 4, 4)):
        read = stacked.read(window)
        np.testing.assert_array_equal(read, rasters.read(scenes[0], window))
        assert read.dtype == np.float32


def test_no_square_reaches_two_scenes(scenes):
    stacked = Stacked.of(scenes, BANDS)
    ends = [first + rows for first, rows in zip(stacked.first_rows, stacked.rows, strict=True)]
    assert all(first % APART_PX == 0 for first in stacked.first_rows)
    gaps = [first - end for first, end in zip(stacked.first_rows[1:], ends, strict=False)]
    assert min(gaps) >= APART_PX > 60
