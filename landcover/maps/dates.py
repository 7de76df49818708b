"""Two dates as they are compared: their scenes in one radiometry, and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.grid import Window
from landcover.legend import Legend, level_of
from landcover.maps import change
from landcover.progress import say, track
from landcover.run import Run, digest
from landcover.scene.radiometry import Lines, fit_lines, likeness
from landcover.sources.image import HIGHEST_MEDIAN

#: Scenes are thinned to this for comparing their radiometry.
THIN_PX = 1500
#: Run folders below the products, of the dates that are mapped there.
DATES = ("before", "after")


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


def scene_of(path: Path) -> Path:
    """The scene of a run folder, or a scene raster itself.

    Raises
    ------
    LandcoverError
        If the run has no scene, or the raster does not hold reflectance.
    """
    if path.is_dir():
        return Run(path).require("scene")
    found = _no_reflectance(path)
    if found:
        raise LandcoverError(
            f"{path} {found}, and a scene holds reflectance, 0 to 1, as floats; prepare it with "
            f"landcover prep --bands {path} --out RUN, and give RUN"
        )
    return path


def _no_reflectance(path: Path) -> str | None:
    """What shows that a raster does not hold reflectance; None where nothing does."""
    with rasters.open_raster(path) as dataset:
        dtype = np.result_type(*dataset.dtypes)
    if not np.issubdtype(dtype, np.floating):
        return f"holds {dtype}"
    pixels = rasters.read_small(path, THIN_PX, [1])
    known = pixels[np.isfinite(pixels)]
    median = np.median(known) if known.size else 0
    return f"has a median of {median:.4g}" if median > HIGHEST_MEDIAN else None


def common_maps(paths: Sequence[Path]) -> str:
    """The one model of which both runs hold probabilities."""
    for path in paths:
        if not path.is_dir():
            raise LandcoverError(
                f"{path} is no run folder with maps; map both dates with --model RUN/models/NAME"
            )
    common = sorted(_names(Run(paths[0])) & _names(Run(paths[1])))
    if len(common) != 1:
        there = (
            f"both hold {', '.join(common)}; choose with --maps NAME"
            if common
            else "no model's are in both; make them in each with: landcover map RUN --model NAME "
            "--probabilities"
        )
        raise LandcoverError(
            f"{paths[0]} and {paths[1]} cannot be compared by the probabilities they hold: "
            f"{there}, or map both here with --model NAME"
        )
    return common[0]


def maker_of(paths: Sequence[Path], name: str) -> tuple[Run, str] | None:
    """The one model that made the maps of both runs, where it is still there and maps any scene.

    The manifest of a run tells the card of the model that mapped it, by path and digest.
    """
    from landcover.classifiers import models

    cards = [_card_of(path, name) for path in paths]
    digests = {made_by for made_by, _ in cards}
    for card in (place for _, places in cards for place in places):
        if card.is_file() and {digest(card)} == digests:
            home, model = Run(card.parent.parent.parent), card.parent.name
            facts = models.read_card(home, model)
            there = models.file_of(home, model, facts["kind"]).exists()
            return (home, model) if there and not facts["segment_layers"] else None
    return None


def _card_of(path: Path, name: str) -> tuple[str | None, list[Path]]:
    """Digest of the card of the model that made a run's map, and where it may lie."""
    stage = Run(path).read_manifest()["stages"].get(f"map {name}", {"inputs": []})
    for entry in stage["inputs"]:
        card = Path(entry["path"])
        if card.name == "card.json":
            # A run's own model goes by its place in the run, that of another by its path
            return entry["sha256"], [path / card, card]
    return None, []


def mapped_pair(paths: Sequence[Path], scenes: Sequence[Path], name: str, normalise: bool) -> Pair:
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


def map_pair(
    paths: Sequence[Path],
    scenes: Sequence[Path],
    out: Run,
    home: Run,
    name: str,
    kept: int,
    normalise: bool,
) -> Pair:
    """Dates mapped with one model, on scenes of one radiometry.

    A run that holds this very map of a scene that stays as it is lends it.
    """
    from landcover import maps
    from landcover.classifiers import models
    from landcover.stages.map import is_mapped, map_scene

    card = models.read_card(home, name)
    if card["segment_layers"]:
        raise LandcoverError(
            f"model {name} needs segment types, which belong to one scene; choose a model without, "
            "or map both runs with --probabilities and compare them with --maps"
        )
    classifier = models.load(home, name, scenes[0])
    maps.require_bands(classifier, rasters.band_names(scenes[1]), scenes[1])
    bands = tuple(card["bands"])
    lines = _lines(scenes, kept, bands) if normalise else None
    dates = []
    for number, (path, scene) in enumerate(zip(paths, scenes, strict=True)):
        to = None if number == kept else lines
        run = Run(path)
        if to is not None or not path.is_dir() or not is_mapped(run, name, True, home):
            run = Run(out.path / DATES[number])
            _write_scene(run, scene, bands, to)
            if not is_mapped(run, name, True, home):
                say(f"mapping {path}")
                map_scene(run, name, probabilities=True, trained_in=home)
        dates.append(Date(str(path), run.scene, run.probabilities(name)))
    return Pair(dates, bands, lines)


def trained_on(scenes: Sequence[Path], home: Run) -> int:
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


def common_legend(dates: Sequence[Date], level: int | None) -> Legend:
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
