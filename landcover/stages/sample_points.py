"""A map to points drawn at random within its classes, for somebody to say what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError, require_seed
from landcover.files import rasters
from landcover.files.class_rasters import class_pixels
from landcover.grid import Grid, Window
from landcover.progress import track
from landcover.reports import area_estimation
from landcover.reports.reference_sample import classes_at, require_new, write_sample
from landcover.run import Run
from landcover.samples.drawing import NOT_DRAWN, Draws, Picker
from landcover.samples.layers import STRIP_ROWS
from landcover.stages.models import map_of

#: Of each class, where that takes no more than half of the sample (Olofsson et al. 2014, 5.1.2).
LEAST = 50

#: With p = 0.8 right, so many points give overall accuracy a standard error of 0.02.
SAMPLES = 400


def sample_points(
    run: Run, name: str, n: int = SAMPLES, seed: int = 0, out: Path | None = None
) -> list[Path]:
    """Draw pixels of a map at random within its classes, for somebody to say what is there.

    Parameters
    ----------
    run : Run
        Run folder with the map.
    name : str
        Model.
    n : int
        Points in all. They go to the classes in proportion to their mapped area, but at least
        50 to each, or as many as half of the sample allows.
    seed : int
        Of the draw.
    out : path, optional
        GeoPackage to write; RUN/NAME_points.gpkg by default.

    Returns
    -------
    list of Path
        The GeoPackage. Its strata have numbers in random order: who fills in the classes does
        not learn what the map says.

    Raises
    ------
    LandcoverError
        If there is no map, it has no class, there are too few points for its classes, or the
        file exists.
    """
    require_seed(seed)
    path = map_of(run, name)
    out = out or run.path / f"{name}_points.gpkg"
    require_new(out)
    grid = rasters.grid_of(path)
    pixels = class_pixels(path)
    if not pixels:
        raise LandcoverError(f"{path} has no mapped pixel to draw; map the scene again")
    least = min(LEAST, n // (2 * len(pixels)))
    if least < area_estimation.MIN_UNITS:
        raise InputError(
            f"{n} points are too few for the {len(pixels)} classes of {path}; "
            f"ask for at least {2 * area_estimation.MIN_UNITS * len(pixels)}"
        )
    dealt = area_estimation.allocate(pixels, n, least)
    rng = np.random.default_rng(seed)
    rows, cols = _draw(path, grid, pixels, dealt, rng)
    number = dict(zip(pixels, (rng.permutation(len(pixels)) + 1).tolist(), strict=True))
    codes = classes_at(path, grid, rows, cols)
    strata = np.array([number[code] for code in codes.tolist()])
    write_sample(out, grid, rows, cols, strata, {number[c]: size for c, size in pixels.items()})
    settings = {"model": name, "n": n, "seed": seed, "drawn": {str(c): k for c, k in dealt.items()}}
    found = {"not_drawn_from": grid.rows * grid.cols - sum(pixels.values())}
    run.record(f"sample-points {name}", settings, [path], [out], found)
    return [out]


def _draw(
    path: Path, grid: Grid, pixels: dict[int, int], dealt: dict[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels drawn at random without replacement within every class, in the order of rows."""
    index = np.full(max(pixels) + 1, NOT_DRAWN, np.uint8)
    index[list(pixels)] = np.arange(len(pixels))
    nothing = np.zeros_like([list(pixels.values())] * 2)
    available = np.vstack([[list(pixels.values())], nothing])
    samples = np.vstack([[list(dealt.values())], nothing])
    picker = Picker(available, Draws(samples, nothing[0]), rng)
    rows, cols = [], []
    for row in track(range(0, grid.rows, STRIP_ROWS), "drawing points"):
        strip = Window(row, 0, min(STRIP_ROWS, grid.rows - row), grid.cols)
        picked = picker.pick(index[rasters.read_classes(path, strip)])
        rows.append(picked[0] + row)
        cols.append(picked[1])
    return np.concatenate(rows), np.concatenate(cols)
