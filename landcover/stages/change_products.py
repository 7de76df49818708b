"""What changed between two dates or years, written: rasters, patches, areas, picture, page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters, styles, tables
from landcover.files.atomic import versions
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid
from landcover.legend import UNLABELLED, Legend
from landcover.maps import change
from landcover.maps.change_rasters import (
    NODATA_PERCENT,
    RASTERS,
    WINDOW_PX,
    changed,
    evidence,
    survey,
)
from landcover.maps.dates import Pair, common_legend
from landcover.maps.regions import large_regions
from landcover.progress import track
from landcover.reports.change import write_report
from landcover.reports.change_tally import Tally
from landcover.run import Run

#: Pixels of what changed, of what did not, and of what is not compared.
_CHANGED, _SAME, _UNKNOWN = 1, 0, 255


@dataclass(frozen=True)
class Shown:
    """How change is summed and shown.

    Attributes
    ----------
    grid : Grid
        Of both dates.
    patch_px : int
        Side of the patches that changes are summed by.
    level : int, optional
        Level of the legend; that of the maps by default.
    mmu_ha : float, optional
        Smallest change that is shown; any by default.

    Raises
    ------
    InputError
        If that is no more than a pixel, or more than the scene.
    """

    grid: Grid
    patch_px: int
    level: int | None = None
    mmu_ha: float | None = None

    def __post_init__(self) -> None:
        scene_ha = self.pixel_ha * self.grid.rows * self.grid.cols
        if self.mmu_ha and not self.pixel_ha < self.mmu_ha < scene_ha:
            raise InputError(
                f"mmu_ha={self.mmu_ha:g}: a pixel has {self.pixel_ha:.4g} ha and the scene "
                f"{scene_ha:.4g}; choose more than the one and less than the other, or 0"
            )

    @property
    def pixel_ha(self) -> float:
        """Hectares of the pixel in the middle."""
        rows, cols = self.grid.shape
        return float(self.grid.pixel_areas_ha((rows - 1) / 2, (cols - 1) / 2))


def write_change(
    out: Run,
    pair: Pair,
    shown: Shown,
    settings: Mapping[str, object],
    facts: Mapping[str, object],
    inputs: Sequence[Path],
) -> list[Path]:
    """Find what changed between two mapped dates or years, and write all products.

    Parameters
    ----------
    out : Run
        Folder of the products.
    pair : Pair
        What is compared.
    shown : Shown
        How.
    settings : mapping
        What else is recorded of what was asked for.
    facts : mapping
        What else the report says.
    inputs : sequence of path
        Files that it all was made from, beside the probabilities.

    Returns
    -------
    list of Path
        As `find_change` gives them.
    """
    grid, mmu_ha = shown.grid, shown.mmu_ha
    for date in pair.dates:
        for path in (date.probabilities, *date.halves):
            grid.require_equal(rasters.grid_of(path), str(inputs[0]), str(path))
    legend, nomenclature = common_legend(pair.dates, shown.level)
    level = nomenclature.level
    transitions, scale = survey(pair, grid, level)
    tally = Tally(legend, nomenclature.legend, grid, shown.patch_px)
    state, by_step = _find(out, pair, transitions, scale, grid, level)
    if mmu_ha:
        large = large_regions(state == _CHANGED, grid.areas_ha, mmu_ha, shown.pixel_ha)
        state[(state == _CHANGED) & ~large] = _SAME
        by_step["smallest area"] = _area_of(state, grid)
    products, codes = _write_codes(out, pair, transitions, tally, level, state)
    products.append(tables.write(out.path / "patches.parquet", tally.patches()))
    settings = {**settings, "level": level, "patch_px": shown.patch_px, "mmu_ha": mmu_ha}
    result = tally.result()
    facts = {
        **settings,
        "days": None,
        "halves": None,
        **facts,
        "told_apart": _told_apart(result["maps_differ"], by_step),
        "pixel_m": round(float(np.mean(grid.pixel_size_m)), 4),
        "versions": versions(),
    }
    pictures = [date.scene for date in pair.dates]
    written = write_report(out.path, facts, result, pictures, codes, nomenclature.title)
    products = [*written, *products]
    out.record("change", settings, [*inputs, *(d.probabilities for d in pair.dates)], products)
    return products


def _find(
    out: Run,
    pair: Pair,
    transitions: change.Transitions,
    scale: np.ndarray,
    grid: Grid,
    level: int,
) -> tuple[np.ndarray, dict[str, float]]:
    """Write change_probability.tif; where change is more likely than not, and how much is shown.

    The hectares are by step: by the dates as a whole, and of years with what their halves say.
    """
    state = np.full(grid.shape, _UNKNOWN, np.uint8)
    shown = {"probabilities of both": 0.0}
    with RasterWriter(
        out.path / RASTERS[1],
        grid,
        np.uint8,
        ["change_percent"],
        NODATA_PERCENT,
        style=styles.CHANGE,
    ) as percent_out:
        for window in track(list(grid.windows(WINDOW_PX)), "finding change"):
            whole, held = changed(pair, window, level, transitions, scale)
            percent = np.rint(100 * held)
            percent_out.write(np.nan_to_num(percent, nan=NODATA_PERCENT), window)
            state[window.slices] = np.where(np.isfinite(held), held > 0.5, _UNKNOWN)
            shown["probabilities of both"] += float(grid.areas_ha(window)[whole > 0.5].sum())
    if any(date.halves for date in pair.dates):
        shown["consistency over the year"] = _area_of(state, grid)
    return state, shown


def _area_of(state: np.ndarray, grid: Grid) -> float:
    """Hectares of what changed."""
    windows = grid.windows(rasters.WINDOW_PX)
    return sum(float(grid.areas_ha(w)[state[w.slices] == _CHANGED].sum()) for w in windows)


def _told_apart(differ: float, shown: Mapping[str, float]) -> list[dict[str, object]]:
    """Hectares that are shown as change after every step, and that it left out."""
    rows: list[dict[str, object]] = []
    for step, area in shown.items():
        left_out = differ - area
        rows.append({"step": step, "shown": area, "left_out": left_out})
        differ = area
    return rows


def _write_codes(
    out: Run,
    pair: Pair,
    transitions: change.Transitions,
    tally: Tally,
    level: int,
    state: np.ndarray,
) -> tuple[list[Path], Legend]:
    """change.tif with its style; what it holds into the tally."""
    grid, legend = tally.grid, tally.legend
    places = np.arange(len(legend))
    pairs = change.from_to(*np.meshgrid(places, places, indexing="ij"), legend, tally.official)
    names = change.change_legend(pairs.ravel().tolist(), tally.official)
    path = out.path / RASTERS[0]
    windows = list(grid.windows(max(WINDOW_PX // tally.patch_px, 1) * tally.patch_px))
    with RasterWriter(path, grid, np.uint16, ["change"], UNLABELLED, names) as codes_out:
        for window in track(windows, "summing change"):
            found = evidence(pair, window, level)
            of_window = state[window.slices]
            certain = np.where(of_window == _UNKNOWN, np.float32(np.nan), of_window)
            codes = tally.add(
                window, transitions, found.probabilities, found.likeness, certain, found.halves
            )
            codes_out.write(codes, window)
        held = codes_out.legend = names.subset(tally.codes)
        # The codes are of pairs of classes, and would be read as those of classes
        codes_out.style = styles.Classes(held, with_codes=False)
    return [path, styles.qml_path(path), out.path / RASTERS[1]], held
