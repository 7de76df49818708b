"""What a raster of several dates holds: its days, and how much of each is valid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.progress import track
from landcover.scene.sequence import Dates, as_sequence, valid_dates


@dataclass(frozen=True)
class SequenceFacts:
    """A raster of several dates.

    Attributes
    ----------
    path : str
        The raster.
    rows, cols : int
        Its shape.
    crs : str
        Its reference system.
    pixel_m : (float, float)
        Width and height on the ground, metres, of the pixel in the middle.
    bands : tuple of str
        Of every date.
    days : dict of str to dict
        By day ``day_of_year``, and ``valid``, the share of its pixels that have all bands.
    valid_dates : list of float
        Shares of the pixels at which 0, 1, 2, ... dates are valid.
    """

    path: str
    rows: int
    cols: int
    crs: str
    pixel_m: tuple[float, float]
    bands: tuple[str, ...]
    days: dict[str, dict[str, float]]
    valid_dates: list[float]


def dates_of(path: Path) -> Dates | None:
    """The dates of a raster whose bands are named by them; None of another."""
    try:
        return Dates.of_names(rasters.band_names(path))
    except InputError:
        return None


def inspect_sequence(path: Path, dates: Dates) -> SequenceFacts:
    """Read a raster of several dates by windows, and count where they are valid.

    Parameters
    ----------
    path : path
        The raster.
    dates : Dates
        Those of its bands.
    """
    grid = rasters.grid_of(path)
    windows = list(grid.windows(rasters.window_px(len(dates.names))))
    by_day, counts = np.zeros(len(dates.days)), np.zeros(len(dates.days) + 1)
    for window in track(windows, f"Reading {path.name}"):
        valid = valid_dates(as_sequence(rasters.read(path, window), dates))
        by_day += valid.sum(axis=(1, 2))
        counts += np.bincount(valid.sum(axis=0).ravel(), minlength=len(counts))
    pixels = grid.rows * grid.cols
    days = {
        day: {"day_of_year": number, "valid": share}
        for day, number, share in zip(
            dates.days, dates.day_of_year.tolist(), (by_day / pixels).tolist(), strict=True
        )
    }
    return SequenceFacts(
        str(path), *grid.shape, grid.crs.to_string(), grid.pixel_size_m, dates.bands, days,
        (counts / pixels).tolist(),
    )  # fmt: skip
