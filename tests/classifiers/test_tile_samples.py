"""Samples of a U-Net of single dates: each is scored on a date that shows it."""

from __future__ import annotations

import numpy as np

from landcover.classifiers.tile_models import _at_samples
from landcover.samples.labelled_tiles import STEP_PX, Ground
from tests.conftest import utm_grid

DATES, BANDS, SIDE = 3, 2, 48


def test_a_sample_takes_the_turn_th_date_that_shows_it(rng):
    image = rng.random((DATES, BANDS, SIDE, SIDE)).astype(np.float32)
    hidden = rng.random((DATES, SIDE, SIDE)) < 0.5
    hidden[:, 0, 0] = [True, True, False]
    image[np.broadcast_to(hidden[:, np.newaxis], image.shape)] = np.nan

    def read(window):
        padded = np.pad(image, ((0, 0), (0, 0), (64, 64), (64, 64)), constant_values=np.nan)
        rows = slice(window.row + 64, window.row + 64 + window.rows)
        cols = slice(window.col + 64, window.col + 64 + window.cols)
        return padded[:, :, rows, cols].reshape(DATES * BANDS, window.rows, window.cols)

    def predict(tiles, days):
        """The day and the first band of the date that is shown."""
        assert tiles.shape[3] == 1
        day = np.full(tiles.shape[:3], days[0], np.float32)
        return np.stack([day, tiles[..., 0, 0]], axis=-1)

    ground = Ground(utm_grid(SIDE, SIDE), read, DATES, read, None)
    rows, cols = (axis.ravel() for axis in np.indices((SIDE, SIDE)))
    shown = ~hidden[:, rows, cols].T
    days = np.array([10, 20, 30])
    ways = np.arange(DATES)[:, np.newaxis]
    found = _at_samples(ground, predict, (ways, shown), days, (rows, cols), 2)
    cell = (rows // STEP_PX) * (SIDE // STEP_PX) + cols // STEP_PX
    for sample in range(len(rows)):
        among = np.flatnonzero(shown[sample])
        if not len(among):
            continue
        date = among[cell[sample] % len(among)]
        expected = days[date], image[date, 0, rows[sample], cols[sample]]
        np.testing.assert_allclose(found[sample], expected)
