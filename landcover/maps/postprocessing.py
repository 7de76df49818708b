"""The steps of post-processing, each from class codes to class codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.progress import track

#: Side of the windows of smoothing and of polygons. Several arrays of all classes are in memory.
WINDOW_PX = 512
#: How many polygons of a window `vectors.burn` can tell apart.
_MOST_POLYGONS = 65_535
#: Pixels of a grid are alike where their areas differ by less than this share.
_ALIKE = 0.005
#: Rows and columns at which areas are looked at, an odd number.
_AREA_NODES = 17


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
class Source:
    """The map that is to be changed, and what its steps have to know of it.

    Attributes
    ----------
    scene : Path
        The scene that was mapped.
    legend : Legend
        Classes of the map's model.
    grid : Grid
        The scene's, which the map has too.
    """

    scene: Path
    legend: Legend
    grid: Grid


@dataclass(frozen=True)
class Choices:
    """Which steps are wanted, in the order in which they are taken.

    Attributes
    ----------
    smooth : bool
        Weigh every pixel's probabilities against its neighbours'.
    segments : Path, optional
        Raster of segments, each of which gets one class.
    polygons : Path, optional
        Vector file of polygons, each of which gets one class.
    mmu_ha : float, optional
        Regions smaller than this are merged into a neighbour.
    probabilities : Path, optional
        The map's own probabilities, of the legend's classes; `smooth` needs them.
    by_probability : bool
        Segments and polygons take the class of the highest summed probability.
    """

    smooth: bool = False
    segments: Path | None = None
    polygons: Path | None = None
    mmu_ha: float | None = None
    probabilities: Path | None = None
    by_probability: bool = False


def steps_of(source: Source, chosen: Choices) -> Iterator[Step]:
    """The steps asked for, checked, in order."""
    probabilities = chosen.probabilities
    for path in (probabilities, chosen.segments):
        if path is not None:
            _require_grid(source, path)
    votes = probabilities if chosen.by_probability else None
    how = "-by-probability" if chosen.by_probability else ""
    if chosen.smooth and probabilities:
        yield Step(
            "smooth",
            (source.scene, probabilities),
            lambda codes: _smoothed(source, probabilities, codes),
        )
    if chosen.segments:
        segments = chosen.segments
        yield _vote(
            source, f"segments{how}", segments, lambda w: rasters.read(segments, w)[0], votes
        )
    if chosen.polygons:
        numbers = _numbers(chosen.polygons, source.grid)
        yield _vote(source, f"polygons{how}", chosen.polygons, numbers, votes)
    if chosen.mmu_ha:
        yield _sieve(source.grid, chosen.mmu_ha)


def _require_grid(source: Source, path: Path) -> None:
    """Raise InputError unless a raster lies on the map's grid."""
    source.grid.require_equal(rasters.grid_of(path), str(source.scene), str(path))


def _smoothed(source: Source, probabilities: Path, codes: np.ndarray) -> np.ndarray:
    """The classes of smoothed probabilities, by windows that see as far as smoothing reaches."""
    from landcover.classifiers.best_class import winners
    from landcover.maps import smoothing

    scene, margin = source.scene, smoothing.ITERATIONS
    windows, smoothed = list(source.grid.windows(WINDOW_PX)), codes.copy()
    scale = _contrast(scene, windows)
    for window in track(windows, "smoothing"):
        around = window.padded(margin)
        field = smoothing.smooth(
            rasters.read(probabilities, around), rasters.read(scene, around), scale
        )
        field = field[:, margin:-margin, margin:-margin]
        before = codes[window.slices]
        held = np.isfinite(field[0]) & (before != UNLABELLED)
        smoothed[window.slices] = np.where(held, source.legend.code(winners(field)[0]), before)
    return smoothed


def _contrast(scene: Path, windows: Sequence[Window]) -> np.ndarray:
    """Mean squared difference of neighbouring pixels, of every band."""
    from landcover.maps import smoothing

    bands = len(rasters.band_names(scene))
    sums, pairs = np.zeros(bands), np.zeros(bands, np.int64)
    for window in track(windows, "measuring contrast"):
        of_window = smoothing.contrast(rasters.read(scene, window))
        sums, pairs = sums + of_window[0], pairs + of_window[1]
    return np.divide(sums, pairs, out=np.zeros(bands), where=pairs > 0)


def _vote(
    source: Source,
    suffix: str,
    path: Path,
    numbers: Callable[[Window], np.ndarray],
    probabilities: Path | None,
) -> Step:
    """A step that gives every region of a layer one class."""
    from landcover.maps.regions import Ballot

    windows = list(source.grid.windows(WINDOW_PX))

    def apply(codes: np.ndarray) -> np.ndarray:
        ballot, settled = Ballot(source.legend.codes), np.empty_like(codes)
        for window in track(windows, f"voting by {suffix}"):
            if probabilities:
                ballot.add_probabilities(numbers(window), rasters.read(probabilities, window))
            else:
                ballot.add(numbers(window), codes[window.slices])
        for window in track(windows, f"settling {suffix}"):
            settled[window.slices] = ballot.settle(numbers(window), codes[window.slices])
        return settled

    return Step(suffix, (path, probabilities) if probabilities else (path,), apply)


def _numbers(path: Path, grid: Grid) -> Callable[[Window], np.ndarray]:
    """A function that gives the number of each pixel's polygon, from 1, for a window."""
    import shapely

    from landcover.files import vectors

    geometries = np.array(vectors.read_polygons(path, grid).geometries, object)
    tree = shapely.STRtree(geometries)

    def numbers(window: Window) -> np.ndarray:
        near = np.sort(tree.query(shapely.box(*grid.crop(window).bounds)))
        if near.size > _MOST_POLYGONS:
            raise InputError(
                f"{path} has {near.size} polygons on {window.rows} x {window.cols} pixels, too "
                "small for a majority of pixels; give larger polygons"
            )
        here = vectors.Polygons(list(geometries[near]))
        local = vectors.burn(here, range(1, near.size + 1), grid, window)
        return np.concatenate([[0], near + 1])[local]

    return numbers


def _sieve(grid: Grid, mmu_ha: float) -> Step:
    """A step that leaves no region smaller than some hectares."""
    from landcover.maps.regions import sieve, sieve_by_area

    rows, cols = (np.linspace(0, size - 1, _AREA_NODES) for size in grid.shape)
    known = grid.pixel_areas_ha(*np.meshgrid(rows, cols, indexing="ij"))
    pixel_ha, total = float(known[_AREA_NODES // 2, _AREA_NODES // 2]), grid.rows * grid.cols
    # The smallest whole number of pixels that reaches the area, to a tenth of a pixel: the
    # pixels of UTM are not quite 10 m wide, and 50 of them shall be half a hectare
    pixels = math.ceil(mmu_ha / pixel_ha - 0.1)
    if not 2 <= pixels < total:
        raise InputError(
            f"mmu_ha={mmu_ha:g} is {pixels} of {total} pixels; "
            f"a pixel has {pixel_ha:.4g} ha: choose more than that, and less than the scene"
        )
    least = float(known[known > 0].min())
    if known.max() - least <= _ALIKE * pixel_ha:
        return Step(f"mmu{pixels}px", (), lambda codes: sieve(codes, pixels))
    # Degrees over several latitudes, or Web Mercator: as many pixels are not the same area
    return Step(
        f"mmu{mmu_ha * 1e4:.0f}m2",
        (),
        lambda codes: sieve_by_area(codes, grid.areas_ha, mmu_ha, least),
    )
