"""Segments through their dates: what lies in no segment has no class."""

from __future__ import annotations

import numpy as np

from landcover.classifiers.learnt_dates import LearntDates
from landcover.classifiers.sequences import SegmentSequenceClassifier
from landcover.files import raster_writer, rasters
from landcover.legend import Legend
from landcover.maps.prediction import predict_map
from landcover.scene.sequence import Dates
from tests.conftest import utm_grid

HELD = Dates(("2022-04-15", "2022-07-14"), ("B04", "B08"))
LEGEND = Legend.corine(3).subset([211, 312])


def test_pixels_of_no_segment_and_of_one_that_no_date_shows_have_no_class(tmp_path):
    means = np.full((4, 2, 2), np.nan, np.float32)
    means[1] = [[0.1, 0.2], [0.3, 0.4]]
    means[2, 1] = [0.1, 0.2]  # seen at one date
    classifier = SegmentSequenceClassifier(
        name="segments",
        legend=LEGEND,
        date_bands=HELD.bands,
        learnt=LearntDates(HELD.days, 1),
        dates=HELD,
        predict=lambda values, days: np.tile(np.float32([0.3, 0.7]), (len(values), 1)),
        means=means,
    )
    ids = np.repeat(np.arange(4), 10).reshape(1, 1, 40).repeat(20, axis=1)
    found = classifier.predict_window(np.zeros((4, 20, 40), np.float32), ids)
    np.testing.assert_array_equal(np.isfinite(found[0]), (ids[0] == 1) | (ids[0] == 2))
    grid, scene, types = utm_grid(20, 40), tmp_path / "dates.tif", tmp_path / "segments.tif"
    raster_writer.write(scene, np.zeros((4, 20, 40), np.float32), grid, HELD.names, np.nan)
    raster_writer.write(types, ids.astype(np.uint32), grid, ["segment"], 0)
    predict_map(
        classifier, scene, tmp_path / "map.tif", confidence=tmp_path / "c.tif", segment_types=types
    )
    codes = rasters.read_classes(tmp_path / "map.tif")
    np.testing.assert_array_equal(codes, np.where(np.isin(ids[0], [1, 2]), 312, 0))
