"""Polygons with classes as pixels, against drawing each of them by itself."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize

from landcover.files.vectors import Polygons, burn
from landcover.grid import Grid, Window
from landcover.labels.polygons import ClassPolygons
from landcover.labels.schemes import SCHEMES

GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 300_000, 0, -10, 5_800_000), 90, 110)
WHOLE = Window(0, 0, 90, 110)
VALUES = np.array([111.0, 211.0, 311.0])


@pytest.fixture
def found(rng) -> ClassPolygons:
    """Circles that overlap, some across the edge of the grid."""
    x, y = 300_000 + rng.uniform(0, 1100, 60), 5_800_000 - rng.uniform(0, 900, 60)
    shapes = shapely.buffer(shapely.points(x, y), rng.uniform(10, 60, 60)).tolist()
    coding = SCHEMES["corine"].codings[0]
    return ClassPolygons(
        GRID, Polygons(shapes, held=60), rng.choice(VALUES, 60), coding, coding.nomenclature
    )


def each_alone(found: ClassPolygons) -> np.ndarray:
    """Which pixels each polygon holds, (polygons, rows, cols)."""
    alone = [
        rasterize([shape], GRID.shape, transform=GRID.transform)
        for shape in found.shapes.geometries
    ]
    return np.array(alone, bool)


def test_pixels_of_several_classes_have_none_and_others_the_last_polygon_from_the_west(found):
    inside, codes = each_alone(found), np.array(found.codes)
    ends = [shape.bounds for shape in found.shapes.geometries]
    place = np.argsort(sorted(range(60), key=ends.__getitem__))
    expected = np.zeros((2, *GRID.shape), np.int64)
    contested = 0
    for row, col in np.argwhere(inside.any(axis=0)):
        here = np.flatnonzero(inside[:, row, col])
        if len(set(codes[here])) > 1:
            contested += 1
            continue
        expected[:, row, col] = codes[here[0]], 1 + place[here].max()
    np.testing.assert_array_equal(found.burn(WHOLE), expected[0])
    np.testing.assert_array_equal(found.numbers(WHOLE), expected[1])
    (note,) = found.notes()
    assert contested and f"{contested} pixels lie in polygons of several classes" in note
    labels = np.full(GRID.shape, 512, np.uint16)
    led, numbers = found.burn_over(labels, WHOLE)
    several = inside.any(axis=0) & (expected[0] == 0)
    np.testing.assert_array_equal(
        led, np.where(several, 0, np.where(expected[0] > 0, expected[0], 512))
    )
    np.testing.assert_array_equal(numbers, expected[1])


@pytest.mark.parametrize("side", [17, 40])
def test_windows_are_those_of_the_whole(found, side):
    for window in GRID.windows(side):
        np.testing.assert_array_equal(found.burn(window), found.burn(WHOLE)[window.slices])
        np.testing.assert_array_equal(found.numbers(window), found.numbers(WHOLE)[window.slices])


def test_a_window_looks_at_its_own_polygons_alone(found, monkeypatch):
    frame = shapely.box(*GRID.crop(Window(0, 0, 20, 20)).bounds)
    near = [i for i, shape in enumerate(found.shapes.geometries) if shape.intersects(frame)]
    assert 0 < len(near) < 30 and found.shapes.touching(frame) == near
    drawn = []

    def noting(shapes, *rest, **further):
        drawn.extend(shapes)
        return rasterize(shapes, *rest, **further)

    monkeypatch.setattr("rasterio.features.rasterize", noting)
    burn(found.shapes, range(1, 61), GRID, Window(0, 0, 20, 20))
    assert [code for _, code in drawn] == [1 + i for i in near]
