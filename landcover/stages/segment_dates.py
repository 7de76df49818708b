"""segment_dates.npz: the means of a run's segments on all of its dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.files.arrays import read_arrays, write_arrays
from landcover.files.atomic import digest, short_digest
from landcover.progress import track
from landcover.run import Run
from landcover.scene.segmentation.dated_means import dated_means
from landcover.scene.sequence import Dates, as_sequence

_AGAIN = "remove it, and train or map again"


def segment_dates(run: Run, held: Dates) -> Path:
    """The means of segments on all dates of a run, made where they are missing or of other files.

    Parameters
    ----------
    run : Run
        With segments.
    held : Dates
        All dates of the run.

    Returns
    -------
    Path
        RUN/segment_dates.npz.
    """
    made_of = _made_of(run, held)
    if run.segment_dates.exists() and _made_of_file(run.segment_dates) == made_of:
        return run.segment_dates
    segments = run.require("segments")
    windows = list(rasters.grid_of(segments).windows(rasters.window_px(len(held.names))))
    most = max(int(rasters.read(segments, window).max()) for window in windows)

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for window in track(windows, "means of segments"):
            image = rasters.read(run.sequence, window, list(held.names))
            ids = rasters.read(segments, window)[0].astype(np.int64)
            yield as_sequence(image, held), ids

    means = dated_means(parts(), most, len(held.days), len(held.bands))
    write_arrays(run.segment_dates, {"means": means, "made_of": np.array(made_of)})
    return run.segment_dates


def read_means(path: Path, held: Dates, wanted: Dates) -> np.ndarray:
    """Means (segments + 1, dates, bands) of some dates and bands.

    Parameters
    ----------
    path : Path
        From `segment_dates`.
    held, wanted : Dates
        All dates of the run, and those that are wanted.
    """
    means = read_arrays(path, _AGAIN)["means"]
    days = [held.days.index(day) for day in wanted.days]
    return np.asarray(means[:, days][:, :, [held.bands.index(band) for band in wanted.bands]])


def _made_of(run: Run, held: Dates) -> str:
    """A short name of what the means depend on."""
    files = [run.require("segments"), *(run.date(day) for day in held.days)]
    facts = [held.names, [digest(path) for path in files]]
    return short_digest(json.dumps(facts).encode())


def _made_of_file(path: Path) -> str | None:
    try:
        return str(read_arrays(path, _AGAIN)["made_of"])
    except (LandcoverError, KeyError):
        return None
