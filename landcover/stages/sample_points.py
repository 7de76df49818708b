"""A map to points drawn at random within its classes, for somebody to say what is there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from landcover.errors import InputError, LandcoverError, require_seed
from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED
from landcover.progress import track
from landcover.reports import area_estimation
from landcover.reports.need import LEVELS, PARTS, NeedStrata
from landcover.reports.reference_sample import require_new, write_sample
from landcover.reports.sample_design import Design
from landcover.run import Run
from landcover.samples.drawing import Draws, Picker
from landcover.samples.layers import STRIP_ROWS
from landcover.stages.models import map_of
from landcover.stages.run_legend import nomenclature_of_map
from landcover.stages.sample_need import Hints

#: Of each class, where that takes no more than half of the sample (Olofsson et al. 2014, 5.1.2).
LEAST = 50

#: With p = 0.8 right, so many points give overall accuracy a standard error of 0.02.
SAMPLES = 400


def sample_points(
    run: Run,
    name: str,
    n: int = SAMPLES,
    seed: int = 0,
    out: Path | None = None,
    where_it_helps: bool = False,
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
    where_it_helps : bool
        Whether every class is cut into strata by how likely the map seems to be wrong, and
        points go where that makes estimates surest: denser where confidence is low, other maps
        of the run disagree, or the map's applicability ends.

    Returns
    -------
    list of Path
        The GeoPackage, a form of QGIS; and its design, NAME_points_design.csv: strata, their
        pixels and weights. They lie apart, so that who fills in the classes does not learn what
        the map says.

    Raises
    ------
    LandcoverError
        If there is no map, it has no class, there are too few points for its strata, nothing
        hints at errors, or the file exists.
    """
    require_seed(seed)
    path = map_of(run, name)
    out = out or run.path / f"{name}_points.gpkg"
    require_new(out)
    hints = Hints.of(run, name) if where_it_helps else None
    strata, dealt = _plan(path, hints, n)
    grid = rasters.grid_of(path)
    rng = np.random.default_rng(seed)
    rows, cols, drawn = _draw(path, grid, hints, strata, dealt, rng)
    numbers = rng.permutation(len(dealt)) + 1
    sizes = {int(numbers[h]): size for h, size in strata.pixels.items()}
    design = Design.of(grid, rows, cols, numbers[drawn], sizes)
    paths = write_sample(out, grid, design, nomenclature_of_map(run, path).legend)
    of_class: Counter[int] = Counter()
    for stratum, points in dealt.items():
        of_class[strata.classes[stratum]] += points
    settings = {
        "model": name, "n": n, "seed": seed, "drawn": {str(c): k for c, k in of_class.items()}
    }  # fmt: skip
    found: dict[str, object] = {
        "not_drawn_from": grid.rows * grid.cols - sum(strata.pixels.values())
    }
    if hints is not None:
        settings["where_it_helps"] = True
        found |= {"hints": [p.name for p in hints.paths], "strata": _described(strata, dealt)}
    inputs = [path, *(hints.paths if hints else ())]
    run.record(f"sample-points {name}", settings, inputs, paths, found)
    return paths


def _plan(path: Path, hints: Hints | None, n: int) -> tuple[NeedStrata, dict[int, int]]:
    """The strata of a map, and the points of each."""
    counts = _count(path, hints)
    if not counts:
        raise LandcoverError(f"{path} has no mapped pixel to draw; map the scene again")
    most = PARTS if hints else 1
    strata = NeedStrata.of(counts, most)
    least = least_of(strata, n, most)
    if least < area_estimation.MIN_UNITS:
        cut = f" in {len(strata.pixels)} strata" if hints else ""
        raise InputError(
            f"{n} points are too few for the {len(counts)} classes of {path}{cut}; "
            f"ask for at least {2 * area_estimation.MIN_UNITS * len(strata.pixels)}"
        )
    weights = strata.weights() if hints else None
    return strata, area_estimation.allocate(strata.pixels, n, least, weights)


def least_of(strata: NeedStrata, n: int, most: int) -> int:
    """Least points of a stratum: of a class `LEAST`, of all no more than half of the sample."""
    return min(LEAST // most, n // (2 * len(strata.pixels)))


def _count(path: Path, hints: Hints | None) -> dict[int, np.ndarray]:
    """Pixels of each class by need; all of need 0 without hints."""
    counts: dict[int, np.ndarray] = {}
    grid = rasters.grid_of(path)
    for strip in track(_strips(grid), f"counting classes of {path.name}"):
        codes, needed = _read(path, hints, strip)
        for code in np.unique(codes[codes != UNLABELLED]).tolist():
            of_class = np.bincount(needed[codes == code], minlength=LEVELS)
            counts[code] = counts.get(code, 0) + of_class
    return dict(sorted(counts.items()))


def _draw(
    path: Path,
    grid: Grid,
    hints: Hints | None,
    strata: NeedStrata,
    dealt: dict[int, int],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels drawn at random without replacement within every stratum, in the order of rows."""
    nothing = np.zeros((2, len(dealt)), np.int64)
    available = np.vstack([list(strata.pixels.values()), nothing])
    samples = np.vstack([list(dealt.values()), nothing])
    picker = Picker(available, Draws(samples, nothing[0]), rng)
    rows, cols, drawn = [], [], []
    for strip in track(_strips(grid), "drawing points"):
        here = strata.place(*_read(path, hints, strip))
        picked = picker.pick(here)
        rows.append(picked[0] + strip.row)
        cols.append(picked[1])
        drawn.append(here[picked[:2]])
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(drawn)


def _strips(grid: Grid) -> list[Window]:
    return [
        Window(row, 0, min(STRIP_ROWS, grid.rows - row), grid.cols)
        for row in range(0, grid.rows, STRIP_ROWS)
    ]


def _read(path: Path, hints: Hints | None, strip: Window) -> tuple[np.ndarray, np.ndarray]:
    """Classes and need of a strip."""
    codes = rasters.read_classes(path, strip)
    return codes, np.zeros(codes.shape, np.uint8) if hints is None else hints.need(codes, strip)


def _described(strata: NeedStrata, dealt: dict[int, int]) -> list[dict[str, object]]:
    """What the manifest keeps of strata by need, without the numbers in the sample."""
    return [
        {
            "class": strata.classes[h],
            "mean_need": round(strata.wrong[h], 4),
            "pixels": strata.pixels[h],
            "points": points,
        }
        for h, points in dealt.items()
    ]
