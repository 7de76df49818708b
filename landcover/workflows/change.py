"""Two dates of one place to what changed between them: rasters, patches, areas, picture, page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from landcover import change, rasters, smoothing, styles
from landcover.errors import LandcoverError
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, level_of
from landcover.progress import say, track
from landcover.radiometry import Lines, fit_lines, likeness
from landcover.runs import Run, replace_when_whole, versions
from landcover.workflows.change_report import write_report
from landcover.workflows.change_tally import Tally

#: Side of a patch: 640 m, the side of EuroSAT's chips, and more than CORINE's 25 ha.
PATCH_PX = 64
MOST_PATCH_PX = 1024
#: Side of the windows that probabilities are read by, about; whole patches.
WINDOW_PX = 512
#: Pixels that transitions are estimated from, about, on a regular lattice.
SAMPLE = 100_000
#: Scenes are thinned to this for comparing their radiometry.
THIN_PX = 1500
#: Percent, as maps' confidence.
NODATA_PERCENT = 255


@dataclass(frozen=True)
class Date:
    """One of the two dates.

    Attributes
    ----------
    name : str
        As given.
    scene, probabilities : Path
        Rasters on one grid.
    """

    name: str
    scene: Path
    probabilities: Path

    @cached_property
    def legend(self) -> Legend:
        """The classes of the probabilities, from the names of their bands."""
        try:
            codes = [int(name.split()[0]) for name in rasters.band_names(self.probabilities)]
            return Legend.corine(level_of(codes)).subset(codes)
        except (ValueError, LandcoverError):
            raise LandcoverError(
                f"{self.probabilities} holds no probabilities of classes; make it with: "
                "landcover map RUN --probabilities"
            ) from None


@dataclass(frozen=True)
class Pair:
    """Two dates as they are compared.

    Attributes
    ----------
    dates : sequence of Date
        The earlier and the later.
    bands : tuple of str
        What is looked at in both scenes.
    lines : Lines, optional
        How their radiometry goes together; None where it is not compared.
    moved : int, optional
        The date that is brought to the other's radiometry on reading.
    """

    dates: Sequence[Date]
    bands: tuple[str, ...]
    lines: Lines | None = None
    moved: int | None = None

    def shares(self, window: Window, level: int) -> list[np.ndarray]:
        """Probabilities of both dates, (classes, rows, cols), at a level."""
        return [
            change.coarser(rasters.read(date.probabilities, window), date.legend, level)[0]
            for date in self.dates
        ]

    def images(self, window: Window) -> list[np.ndarray]:
        """Both scenes, (bands, rows, cols), in one radiometry."""
        images = [rasters.read(date.scene, window, self.bands) for date in self.dates]
        if self.moved is not None and self.lines is not None:
            images[self.moved] = self.lines.apply(images[self.moved], window)
        return images

    def likeness(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """How much alike the dates look, uint8 (rows, cols); 0 everywhere if not compared."""
        if self.lines is None:
            return np.zeros(images[0].shape[1:], np.uint8)
        return likeness(images[0], images[1], self.lines.spread)


def find_change(
    before: Path,
    after: Path,
    out: Run,
    *,
    model: tuple[Run, str] | None = None,
    maps: str | None = None,
    level: int | None = None,
    patch_px: int = PATCH_PX,
    normalise: bool = True,
) -> list[Path]:
    """Find what changed between two dates of one place.

    Parameters
    ----------
    before, after : path
        Run folders, or scene rasters to be mapped with `model`.
    out : Run
        Folder of the products.
    model : (Run, str), optional
        Run that holds a model, and its name: both scenes are mapped with it, in run folders of
        their own below `out`, after one was brought to the radiometry of the other. That is the
        scene that the model was trained on, if it is one of the two, and else the first.
        Without it the probabilities that both runs hold are taken as they are.
    maps : str, optional
        Whose probabilities, where runs hold those of several models; not with `model`.
    level : int, optional
        Level of the legend to compare at; that of the maps by default.
    patch_px : int
        Side of the patches that changes are summed by.
    normalise : bool
        Whether radiometry is compared at all.

    Returns
    -------
    list of Path
        change.md, .json and .png; change.tif, its style, change_probability.tif and
        patches.parquet.

    Raises
    ------
    LandcoverError
        If the dates differ in grid or classes, lack a band or a raster, or have no pixel in
        common. Nothing of these products is written then.
    """
    if not 8 <= patch_px <= MOST_PATCH_PX:
        raise LandcoverError(
            f"patches of {patch_px} px are out of range; choose 8 to {MOST_PATCH_PX}"
        )
    scenes = [_scene_of(path) for path in (before, after)]
    grid = rasters.grid_of(scenes[0])
    grid.require_equal(rasters.grid_of(scenes[1]), str(scenes[0]), str(scenes[1]))
    if model is None:
        kept, name = 0, maps or _common_maps((before, after))
        pair = _mapped_pair((before, after), scenes, name, normalise)
    elif maps is not None:
        raise LandcoverError(f"--maps {maps} takes maps as they are; give it without --model")
    else:
        kept, name = _trained_on(scenes, model[0]), model[1]
        pair = _map_pair((before, after), scenes, out, *model, kept, normalise)
    for date in pair.dates:
        found = rasters.grid_of(date.probabilities)
        grid.require_equal(found, str(scenes[0]), str(date.probabilities))
    legend = _common_legend(pair.dates, level)
    level = level_of(legend.codes)
    transitions, scale = _survey(pair, grid, level)
    tally = Tally(legend, grid, patch_px)
    products, codes = _write_rasters(out, pair, transitions, scale, tally)
    products.append(out.path / "patches.parquet")
    with replace_when_whole(products[-1]) as part:
        tally.patches().to_parquet(part, index=False)
    settings = {"model": name, "level": level, "patch_px": patch_px, "normalise": normalise}
    facts = settings | {
        "before": str(before),
        "after": str(after),
        "mapped_here": model is not None,
        "radiometry": pair.lines and _radiometry(pair.lines, pair.bands, kept),
        "versions": versions(),
    }
    shown = [date.scene for date in pair.dates]
    products = [*write_report(out, facts, tally.result(transitions), shown, codes), *products]
    inputs = [*scenes, *(date.probabilities for date in pair.dates)]
    out.record("change", settings, inputs, products)
    return products


def _scene_of(path: Path) -> Path:
    """The scene of a run folder, or a scene raster itself."""
    return Run(path).require("scene") if path.is_dir() else path


def _common_maps(paths: Sequence[Path]) -> str:
    """The one model of which both runs hold probabilities."""
    for path in paths:
        if not path.is_dir():
            raise LandcoverError(
                f"{path} is no run folder with maps; map both dates with --model RUN/models/NAME"
            )
    common = sorted(_names(Run(paths[0])) & _names(Run(paths[1])))
    if len(common) != 1:
        there = f"both hold {', '.join(common)}" if common else "no model's are in both"
        raise LandcoverError(
            f"{paths[0]} and {paths[1]} cannot be compared by the probabilities they hold: "
            f"{there}; choose with --maps NAME, or map both with --model NAME"
        )
    return common[0]


def _mapped_pair(paths: Sequence[Path], scenes: Sequence[Path], name: str, normalise: bool) -> Pair:
    """Dates with the probabilities that their runs hold."""
    dates = []
    for path, scene in zip(paths, scenes, strict=True):
        probabilities = Run(path).probabilities(name)
        if not probabilities.exists():
            raise LandcoverError(
                f"{probabilities} does not exist; make it with: "
                f"landcover map {path} --model {name} --probabilities"
            )
        dates.append(Date(str(path), scene, probabilities))
    held = [rasters.band_names(scene) for scene in scenes]
    bands = tuple(band for band in held[0] if band in held[1])
    if not bands:
        raise LandcoverError(
            f"{scenes[0]} has bands {' '.join(held[0])} and {scenes[1]} {' '.join(held[1])}, none "
            "in common; prepare both dates with the same bands"
        )
    lines = _lines(scenes, 0, bands) if normalise else None
    return Pair(dates, bands, lines, moved=1)


def _names(run: Run) -> set[str]:
    """Models of which a run holds probabilities."""
    found = run.probabilities("any").parent.glob("[!.]*_probabilities.tif")
    return {path.stem.removesuffix("_probabilities") for path in found}


def _map_pair(
    paths: Sequence[Path],
    scenes: Sequence[Path],
    out: Run,
    home: Run,
    name: str,
    kept: int,
    normalise: bool,
) -> Pair:
    """Dates mapped with one model, on scenes of one radiometry."""
    from landcover import mapping, models
    from landcover.workflows.map import is_mapped, map_scene

    card = models.read_card(home, name)
    if card["segment_layers"]:
        raise LandcoverError(
            f"model {name} needs segment types, which belong to one scene; choose a model without, "
            "or map both runs with --probabilities and compare them with --maps"
        )
    classifier = models.load(home, name, scenes[0])
    mapping.require_bands(classifier, rasters.band_names(scenes[1]), scenes[1])
    bands = tuple(card["bands"])
    lines = _lines(scenes, kept, bands) if normalise else None
    dates = []
    for number, (path, scene) in enumerate(zip(paths, scenes, strict=True)):
        run = Run(out.path / ("before", "after")[number])
        _write_scene(run, scene, bands, None if number == kept else lines)
        if not is_mapped(run, name, probabilities=True, trained_in=home):
            say(f"mapping {path}")
            map_scene(run, name, probabilities=True, trained_in=home)
        dates.append(Date(str(path), run.scene, run.probabilities(name)))
    return Pair(dates, bands, lines)


def _trained_on(scenes: Sequence[Path], home: Run) -> int:
    """Which scene the model knows: that of its own run, or else the first."""
    own = home.scene.resolve()
    return 1 if scenes[1].resolve() == own != scenes[0].resolve() else 0


def _lines(scenes: Sequence[Path], kept: int, bands: Sequence[str]) -> Lines:
    """What brings the other scene to the radiometry of the one that is kept."""
    thin = [rasters.read_small(scene, THIN_PX, bands) for scene in scenes]
    return fit_lines(thin[kept], thin[1 - kept], rasters.grid_of(scenes[0]).shape, bands)


def _write_scene(run: Run, scene: Path, bands: Sequence[str], lines: Lines | None) -> None:
    """A scene in a run folder of its own, brought to another radiometry where there are lines.

    The same scene has the same bytes again, so maps of it that are there already still hold.
    """
    grid = rasters.grid_of(scene)
    with rasters.RasterWriter(run.scene, grid, np.float32, bands, np.nan) as out:
        windows = list(grid.windows(rasters.WINDOW_PX))
        for window in track(windows, f"writing the scene {run.path.name}"):
            image = rasters.read(scene, window, bands)
            out.write(image if lines is None else lines.apply(image, window), window)


def _common_legend(dates: Sequence[Date], level: int | None) -> Legend:
    """The classes to compare, at a level; they must be the same at both dates."""
    legends = [date.legend for date in dates]
    levels = [level_of(legend.codes) for legend in legends]
    wanted = level or max(levels)
    if wanted > min(levels):
        raise LandcoverError(
            f"level {wanted} is finer than the maps, which have levels {levels[0]} and "
            f"{levels[1]}; choose --level {min(levels)}"
        )
    first, second = (
        Legend.corine(wanted).subset(np.array(legend.codes) // 10 ** (of - wanted))
        for legend, of in zip(legends, levels, strict=True)
    )
    apart = sorted(set(first.codes) ^ set(second.codes))
    if apart:
        raise LandcoverError(
            f"the maps of {dates[0].name} and {dates[1].name} differ in their classes: only one "
            f"knows {', '.join(map(str, apart))}; map both with one model (--model), or compare "
            "at a coarser --level"
        )
    return first


def _survey(pair: Pair, grid: Grid, level: int) -> tuple[change.Transitions, np.ndarray]:
    """Transitions from a regular lattice of pixels, and the contrast of the scenes' bands."""
    step = max(1, round((grid.rows * grid.cols / SAMPLE) ** 0.5))
    drawn: list[list[np.ndarray]] = [[], [], []]
    sums, pairs = np.zeros(2 * len(pair.bands)), np.zeros(2 * len(pair.bands), np.int64)
    for window in track(list(grid.windows(WINDOW_PX)), "estimating transitions"):
        images = pair.images(window)
        of_window = smoothing.contrast(np.concatenate(images))
        sums, pairs = sums + of_window[0], pairs + of_window[1]
        on = np.s_[..., -window.row % step :: step, -window.col % step :: step]
        layers = (*pair.shares(window, level), pair.likeness(images)[np.newaxis])
        for found, layer in zip(drawn, layers, strict=True):
            found.append(layer[on].reshape(len(layer), -1))
    before, after, alike = (np.concatenate(found, axis=1) for found in drawn)
    scale = np.divide(sums, pairs, out=np.zeros(len(sums)), where=pairs > 0)
    likenesses = None if pair.lines is None else alike[0]
    return change.estimate_transitions(before, after, likenesses), scale


def _write_rasters(
    out: Run, pair: Pair, transitions: change.Transitions, scale: np.ndarray, tally: Tally
) -> tuple[list[Path], Legend]:
    """change.tif with its style, and change_probability.tif; what they hold into the tally."""
    grid, legend = tally.grid, tally.legend
    level, places = level_of(legend.codes), np.arange(len(legend))
    pairs = change.from_to(*np.meshgrid(places, places, indexing="ij"), legend)
    names = change.change_legend(pairs.ravel().tolist(), level)
    paths = [out.path / "change.tif", out.path / "change_probability.tif"]
    windows = list(grid.windows(max(WINDOW_PX // tally.patch_px, 1) * tally.patch_px))
    with ExitStack() as files:
        codes_out = files.enter_context(
            rasters.RasterWriter(paths[0], grid, np.uint16, ["change"], UNLABELLED, names)
        )
        percent_out = files.enter_context(
            rasters.RasterWriter(paths[1], grid, np.uint8, ["change_percent"], NODATA_PERCENT)
        )
        for window in track(windows, "finding change"):
            changed, shares, alike = _changed(pair, window, level, transitions, scale)
            codes_out.write(tally.add(window, transitions, shares, alike, changed), window)
            percent = np.rint(100 * changed)
            percent_out.write(np.nan_to_num(percent, nan=NODATA_PERCENT), window)
    held = names.subset(tally.codes)
    return [paths[0], styles.write_qml(paths[0], held), paths[1]], held


def _changed(
    pair: Pair,
    window: Window,
    level: int,
    transitions: change.Transitions,
    scale: np.ndarray,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Probability of change that heeds the neighbours'; the window's probabilities and likeness."""
    margin = smoothing.ITERATIONS
    around = window.padded(margin)
    shares, images = pair.shares(around, level), pair.images(around)
    alike = pair.likeness(images)
    changed = transitions.changed(shares[0], shares[1], alike)
    field = smoothing.smooth(np.stack([1 - changed, changed]), np.concatenate(images), scale)
    inside = np.s_[..., margin:-margin, margin:-margin]
    return field[1][inside], [part[inside] for part in shares], alike[inside]


def _radiometry(lines: Lines, bands: Sequence[str], kept: int) -> dict[str, Any]:
    """What was done to the radiometry, as JSON takes it; of each value least, median, largest."""
    return {
        "kept": ("earlier", "later")[kept],
        "moved": ("later", "earlier")[kept],
        "unchanged_share": lines.unchanged,
        "bands": {
            name: {
                "gain": [float(v) for v in np.quantile(gain, (0, 0.5, 1))],
                "offset": [float(v) for v in np.quantile(offset, (0, 0.5, 1))],
                "spread": float(spread),
            }
            for name, gain, offset, spread in zip(
                bands, lines.gain, lines.offset, lines.spread, strict=True
            )
        },
    }
