"""A calmer map made of a map: smoothed, by segment, by polygon or sieved; scored beside it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landcover import rasters, reports
from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track
from landcover.runs import Run, digest

#: Side of the windows of smoothing and of polygons. Several arrays of all classes are in memory.
WINDOW_PX = 512
#: `vectors.burn` can tell so many polygons of a window apart.
_MOST_POLYGONS = 65_535

_WORDS = {
    "smooth": "smoothing",
    "segments": "majority by segment",
    "segments-by-probability": "the likeliest class by segment",
    "polygons": "majority by polygon",
    "polygons-by-probability": "the likeliest class by polygon",
}


@dataclass(frozen=True)
class Step:
    """One way to change a map.

    Attributes
    ----------
    suffix : str
        What the name of the new map says of it.
    inputs : tuple of Path
        Files that it reads beside the map.
    apply : callable
        From class codes (rows, cols) to class codes.
    """

    suffix: str
    inputs: tuple[Path, ...]
    apply: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Source:
    """The map that is to be changed, and what its steps have to know of it."""

    run: Run
    model: str
    legend: Legend
    grid: Grid


def postprocess(
    run: Run,
    model: str,
    *,
    smooth: bool = False,
    segments: bool = False,
    polygons: Path | None = None,
    mmu_ha: float | None = None,
    by_probability: bool = False,
    trained_in: Run | None = None,
) -> list[Path]:
    """Make a new map of a model's map, by the steps asked for, in the order of the parameters.

    The map is held in memory as a whole, 2 bytes a pixel; all else is read by windows. Pixels
    without a class stay so.

    Parameters
    ----------
    run : Run
        Run folder with the map.
    model : str
        Name of the model, or of a map that was made here before.
    smooth : bool
        Weigh every pixel's probabilities against its neighbours' (`smoothing.smooth`).
    segments : bool
        Give every segment of segments.tif its commonest class; of equals the lowest code.
    polygons : path, optional
        Give every polygon of this vector file its commonest class. A pixel belongs to the
        polygon that holds its centre, where polygons overlap to the last in the file; pixels
        outside all polygons stay as they are.
    mmu_ha : float, optional
        Merge regions smaller than this, in hectares, into their largest neighbour
        (`postprocess.sieve`, pixels connected by their sides).
    by_probability : bool
        Segments and polygons take the class of the highest summed probability instead.
    trained_in : Run, optional
        Run folder that holds the model, where it is another one.

    Returns
    -------
    list of Path
        The map ``MODEL+STEP+...``, its QGIS style and STAC item, and where the run has labels
        the report, whose ``change`` holds the paired difference to the map that it came from.

    Raises
    ------
    LandcoverError
        If no step is chosen, the map or a file that a step needs is missing or of another
        grid, or a setting is out of range. Nothing is written then.
    """
    from landcover import models, styles
    from landcover.workflows.export import write_item
    from landcover.workflows.score import require_scorable

    home = trained_in or run
    legend = Legend.from_dicts(models.read_card(home, reports.model_of(model))["classes"])
    source = _Source(run, model, legend, _grid_of_map(run, model))
    steps = list(_steps(source, smooth, segments, polygons, mmu_ha, by_probability))
    if not steps:
        raise LandcoverError(
            "no step was chosen; give at least one of --smooth, --segments, --polygons, --mmu-ha"
        )
    scored = run.splits.exists() and (run.labels.exists() or run.reference.exists())
    if scored:
        require_scorable(run, [model])
    started = time.perf_counter()
    codes = _read(source)
    for step in steps:
        codes = step.apply(codes)
    name = "+".join([model, *(step.suffix for step in steps)])
    with rasters.RasterWriter(
        run.map(name), source.grid, np.uint16, ["class"], UNLABELLED, legend
    ) as out:
        for window in source.grid.windows(rasters.WINDOW_PX):
            out.write(codes[window.slices], window)
    seconds = time.perf_counter() - started
    paths = [run.map(name), styles.write_qml(run.map(name), legend), write_item(run, name, home)]
    inputs = [run.map(model), *(path for step in steps for path in step.inputs)]
    settings = {"of": model, "mmu_ha": mmu_ha, "polygons": polygons and str(polygons)}
    run.record(f"postprocess {name}", settings, inputs, paths)
    if scored:
        paths.append(_score(source, name, seconds))
    return paths


def in_words(steps: str) -> str:
    """The steps of a map's name in words.

    >>> in_words("smooth+mmu50px")
    'smoothing and a sieve of 50 px'
    """
    return " and ".join(
        _WORDS.get(step, re.sub(r"^mmu(\d+)px$", r"a sieve of \1 px", step))
        for step in steps.split("+")
    )


def require_same_maps(run: Run, model_reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise LandcoverError if a map came from one that has been made anew since."""
    for name, report in model_reports.items():
        made = report.get("postprocessing")
        if made and run.map(made["of"]).exists() and _digest(run, made["of"]) != made["map"]:
            raise LandcoverError(
                f"{run.map(name)} was made of another map {made['of']} than {run.path} holds now; "
                "run landcover postprocess again, or remove it"
            )


def _digest(run: Run, name: str) -> str:
    return digest(run.map(name))[:16]


def _grid_of_map(run: Run, model: str) -> Grid:
    """The grid of the map, which must be there and that of the scene."""
    if not run.map(model).exists():
        raise LandcoverError(
            f"{run.map(model)} does not exist; make it with: "
            f"landcover map {run.path} --model {model}"
        )
    grid = rasters.grid_of(run.require("scene"))
    return _on(grid, run.map(model), run)


def _on(grid: Grid, path: Path, run: Run) -> Grid:
    """The grid, which a raster must have."""
    grid.require_equal(rasters.grid_of(path), str(run.scene), str(path))
    return grid


def _read(source: _Source) -> np.ndarray:
    """The map as a whole."""
    codes = np.empty(source.grid.shape, np.uint16)
    for window in source.grid.windows(rasters.WINDOW_PX):
        codes[window.slices] = rasters.read_classes(source.run.map(source.model), window)
    foreign = set(np.unique(codes).tolist()) - {UNLABELLED, *source.legend.codes}
    if foreign:
        raise LandcoverError(
            f"{source.run.map(source.model)} holds class {min(foreign)}, which its model does not "
            f"know; map again with: landcover map {source.run.path} --model {source.model}"
        )
    return codes


def _steps(
    source: _Source,
    smooth: bool,
    segments: bool,
    polygons: Path | None,
    mmu_ha: float | None,
    by_probability: bool,
) -> Iterator[Step]:
    """The steps asked for, checked, in order."""
    run = source.run
    if by_probability and not (segments or polygons):
        raise LandcoverError(
            "--by-probability says how regions choose; give it with --segments or --polygons"
        )
    shares = _probabilities(source) if smooth or by_probability else None
    votes = shares if by_probability else None
    how = "-by-probability" if by_probability else ""
    if smooth and shares:
        yield Step("smooth", (run.scene, shares), lambda codes: _smoothed(source, shares, codes))
    if segments:
        path = run.require("segments")
        _on(source.grid, path, run)
        yield _vote(source, f"segments{how}", path, lambda w: rasters.read(path, w)[0], votes)
    if polygons:
        numbers = _numbers(polygons, source.grid)
        yield _vote(source, f"polygons{how}", polygons, numbers, votes)
    if mmu_ha:
        yield _sieve(source.grid, mmu_ha)


def _probabilities(source: _Source) -> Path:
    """The probabilities that belong to the map."""
    run, model = source.run, source.model
    if model != reports.model_of(model):
        raise LandcoverError(
            f"{model} has no probabilities of its own; --smooth and --by-probability work on a "
            f"model's own map: --model {reports.model_of(model)}"
        )
    path = run.probabilities(model)
    made = run.read_manifest()["stages"].get(f"map {model}", {}).get("products", [])
    bands = tuple(f"{c.code} {c.name}" for c in source.legend.classes)
    current = path.relative_to(run.path).as_posix() in made and path.exists()
    if not current or rasters.band_names(path) != bands:
        raise LandcoverError(
            f"{path} of this map does not exist; make it with: "
            f"landcover map {run.path} --model {model} --probabilities"
        )
    _on(source.grid, path, run)
    return path


def _smoothed(source: _Source, shares: Path, codes: np.ndarray) -> np.ndarray:
    """The classes of smoothed probabilities, by windows that see as far as smoothing reaches."""
    from landcover import smoothing
    from landcover.winners import winners

    scene, margin = source.run.scene, smoothing.ITERATIONS
    windows, smoothed = list(source.grid.windows(WINDOW_PX)), codes.copy()
    scale = _contrast(scene, windows)
    for window in track(windows, "smoothing"):
        around = window.padded(margin)
        field = smoothing.smooth(rasters.read(shares, around), rasters.read(scene, around), scale)
        field = field[:, margin:-margin, margin:-margin]
        before = codes[window.slices]
        held = np.isfinite(field[0]) & (before != UNLABELLED)
        smoothed[window.slices] = np.where(held, source.legend.code(winners(field)[0]), before)
    return smoothed


def _contrast(scene: Path, windows: Sequence[Window]) -> np.ndarray:
    """Mean squared difference of neighbouring pixels, of every band."""
    from landcover import smoothing

    bands = len(rasters.band_names(scene))
    sums, pairs = np.zeros(bands), np.zeros(bands, np.int64)
    for window in track(windows, "measuring contrast"):
        of_window = smoothing.contrast(rasters.read(scene, window))
        sums, pairs = sums + of_window[0], pairs + of_window[1]
    return np.divide(sums, pairs, out=np.zeros(bands), where=pairs > 0)


def _vote(
    source: _Source,
    suffix: str,
    path: Path,
    numbers: Callable[[Window], np.ndarray],
    shares: Path | None,
) -> Step:
    """A step that gives every region of a layer one class."""
    from landcover.postprocess import Ballot

    windows = list(source.grid.windows(WINDOW_PX))

    def apply(codes: np.ndarray) -> np.ndarray:
        ballot, settled = Ballot(source.legend.codes), np.empty_like(codes)
        for window in track(windows, f"voting by {suffix}"):
            if shares:
                ballot.add_shares(numbers(window), rasters.read(shares, window))
            else:
                ballot.add(numbers(window), codes[window.slices])
        for window in track(windows, f"settling {suffix}"):
            settled[window.slices] = ballot.settle(numbers(window), codes[window.slices])
        return settled

    return Step(suffix, (path, shares) if shares else (path,), apply)


def _numbers(path: Path, grid: Grid) -> Callable[[Window], np.ndarray]:
    """A function that gives the number of each pixel's polygon, from 1, for a window."""
    import shapely

    from landcover import vectors

    geometries = np.array(vectors.read_polygons(path, grid).geometries, object)
    tree = shapely.STRtree(geometries)

    def numbers(window: Window) -> np.ndarray:
        near = np.sort(tree.query(shapely.box(*grid.crop(window).bounds)))
        if near.size > _MOST_POLYGONS:
            raise LandcoverError(
                f"{path} has {near.size} polygons on {window.rows} x {window.cols} pixels, too "
                "small for a majority of pixels; give larger polygons"
            )
        here = vectors.Polygons(list(geometries[near]))
        local = vectors.burn(here, range(1, near.size + 1), grid, window)
        return np.concatenate([[0], near + 1])[local]

    return numbers


def _sieve(grid: Grid, mmu_ha: float) -> Step:
    """A step that leaves no region smaller than some hectares."""
    from landcover.postprocess import sieve

    if not grid.crs.is_projected:
        raise LandcoverError(
            "the scene is in degrees, and hectares need metres; warp it to a projected CRS, "
            "for example with gdalwarp -t_srs EPSG:32633"
        )
    pixel_m2 = math.prod(grid.resolution) * grid.crs.linear_units_factor[1] ** 2
    # The smallest whole number of pixels that reaches the area, forgiving rounding
    pixels = math.ceil(mmu_ha * 1e4 / pixel_m2 - 1e-6)
    if not 2 <= pixels < grid.rows * grid.cols:
        raise LandcoverError(
            f"--mmu-ha {mmu_ha:g} is {pixels} of {grid.rows * grid.cols} pixels; "
            f"a pixel has {pixel_m2 / 1e4:g} ha: choose more than that, and less than the scene"
        )
    return Step(f"mmu{pixels}px", (), lambda codes: sieve(codes, pixels))


def _score(source: _Source, name: str, seconds: float) -> Path:
    """Score the new map as any other, and beside the one that it came from."""
    from landcover import accuracy
    from landcover.workflows.score import score_map, tally_maps

    run, model = source.run, source.model
    confusions = tally_maps(run, [model, name]).confusions
    change = {
        against: accuracy.paired_difference(by_map[name], by_map[model])
        for against, by_map in confusions.items()
    }
    made = {"of": model, "map": _digest(run, model)}
    score_map(run, name, {"postprocess": seconds}, {"postprocessing": made, "change": change})
    return run.report(name)
