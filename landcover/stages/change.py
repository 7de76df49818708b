"""Two dates of one place to what changed between them: rasters, patches, areas, picture, page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from landcover.classifiers.models import Model, load_model
from landcover.errors import InputError, MissingProduct, typed
from landcover.files import rasters
from landcover.files.atomic import digest
from landcover.files.raster_writer import RasterWriter
from landcover.files.styles import scene_style
from landcover.maps.dates import DATES, THIN_PX, Date, Pair
from landcover.progress import say, track
from landcover.run import Run
from landcover.scene.feature_names import of_reflectance
from landcover.scene.radiometry import Lines, fit_lines
from landcover.sensors import HIGHEST_MEDIAN, reflectance_bands
from landcover.stages.change_inputs import common_grid, patch_of, require_apart, require_patch
from landcover.stages.change_products import Shown, write_change
from landcover.stages.change_years import find_change_of_years
from landcover.stages.models import how_to_map, run_of
from landcover.stages.prepared_features import keep_fit, require_same_fit
from landcover.stages.run_legend import nomenclature_of, nomenclature_of_map


def find_change(  # noqa: PLR0913 - what the options of landcover change choose
    before: Path,
    after: Path | None,
    out: Run,
    *,
    model: Model | None = None,
    maps: str | None = None,
    level: int | None = None,
    patch_px: int | None = None,
    normalise: bool = True,
    years: tuple[int, int] | None = None,
    mmu_ha: float | None = None,
) -> list[Path]:
    """Find what changed between two dates or years of one place.

    Parameters
    ----------
    before, after : path
        Run folders, or scene rasters to be mapped with `model`. For years of one run, `after` is
        None.
    out : Run
        Folder of the products.
    model : Model, optional
        Both scenes are mapped with it, in run folders of their own below `out`, after one was
        brought to the radiometry of the other. That other is the scene that the model was
        trained on, if it is one of the two, and else the first; where its run holds the same
        map already, that is taken.
        Without a model the runs' own maps are compared. The one model that made both does the
        same where it is still there; where it is not, they are taken as they are.
    maps : str, optional
        Whose maps, where runs hold those of several models; not with `model`.
    level : int, optional
        Level of the legend to compare at; that of the maps by default.
    patch_px : int, optional
        Side of the patches that changes are summed by, 8 to 512 pixels; 640 m by default.
    normalise : bool
        Whether radiometry is compared at all. Else the runs' own maps are taken as they are.
        Years keep the radiometry that they have.
    years : (int, int), optional
        Years to compare, of a `model` of sequences. Without them such a model takes all dates of
        `before` and all of `after`.
    mmu_ha : float, optional
        Connected change of less than this, in hectares, is not shown. By default all is shown of
        dates, and of years what has `LEAST_HA` or more.

    Returns
    -------
    list of Path
        change.md, .json and .png; change.tif, its style, change_probability.tif and
        patches.parquet.

    Raises
    ------
    LandcoverError
        If the dates differ in grid or classes, lack a band or a raster, hold no reflectance, or
        have no pixel in common, or a product would replace one of them. Nothing of these
        products is written then.
    """
    if model and maps:
        raise InputError(f"maps={maps} takes maps that there are; give it without model=")
    of_years = partial(
        find_change_of_years,
        before,
        after,
        out,
        years=years,
        level=level,
        patch_px=patch_px,
        mmu_ha=mmu_ha,
    )
    if years is not None or _reads_dates(model):
        return of_years(model)
    if after is None:
        raise InputError("after= is not given; give the later date, or years= of one run")
    require_patch(patch_px)
    scenes = [scene_of(path) for path in (before, after)]
    grid = common_grid((before, after), scenes)
    name = model.name if model else maps or common_maps((before, after))
    if model is None and normalise:
        model = maker_of((before, after), name)
        if model is not None and _reads_dates(model):
            _require_all_dates(name, model)
            return of_years(model)
    require_apart(out, (before, after), scenes, model)
    shown = Shown(grid, patch_of(patch_px, grid), level, mmu_ha)
    if model is None:
        kept, pair = 0, mapped_pair((before, after), scenes, name, normalise)
        if normalise:
            say(
                f"the maps of {before} and {after} are taken as they are: no model that made both "
                "exists to map one again, so a difference of haze or light can show as change"
            )
    else:
        kept = known_scene(scenes, model)
        pair = map_pair((before, after), scenes, out, model, kept, normalise)
    settings = {"model": name, "normalise": normalise}
    facts = {
        "before": str(before),
        "after": str(after),
        "mapped_here": model is not None,
        "radiometry": pair.lines and _radiometry(pair.lines, pair.bands, kept),
    }
    return write_change(out, pair, shown, settings, facts, scenes)


def folder_of_change(before: Path, after: Path | None, years: Sequence[int] | None) -> Path:
    """Where the products go by default: beside or in the later date, or in the run of two years."""
    if after is None:
        return before / f"change-{'-'.join(map(str, years or ()))}"
    return (after.parent if after.is_file() else after) / "change"


def _reads_dates(model: Model | None) -> bool:
    """Whether a model reads sequences."""
    return model is not None and model.inputs.dates is not None


def _require_all_dates(name: str, model: Model) -> None:
    """Raise InputError if maps are of some dates of their runs, which are not those compared."""
    if name != model.name:
        raise InputError(
            f"maps={name} are of some dates of their runs; compare the dates of two years with "
            f"model={model.name} and years=, or take these maps as they are with normalise=False"
        )


def _radiometry(lines: Lines, bands: Sequence[str], kept: int) -> dict[str, object]:
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


def scene_of(path: Path) -> Path:
    """The scene of a run folder, or a scene raster itself.

    Raises
    ------
    InputError, MissingProduct
        If the run has no scene, or the raster does not hold reflectance.
    """
    if path.is_dir():
        return Run(path).require("scene")
    found = _no_reflectance(path)
    if found:
        raise InputError(
            f"{path} {found}, and a scene holds reflectance, 0 to 1, as floats; prepare it with "
            f"landcover prep --bands {typed(path)} --out RUN, and give RUN"
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
            raise InputError(
                f"{path} is no run folder with maps; map both dates with model=RUN/models/NAME"
            )
    common = sorted(_names(Run(paths[0])) & _names(Run(paths[1])))
    if len(common) != 1:
        there = (
            f"both hold {', '.join(common)}; choose with maps=NAME"
            if common
            else "no model's are in both; make them in each with: landcover map RUN --model NAME "
            "--probabilities"
        )
        raise InputError(
            f"{paths[0]} and {paths[1]} cannot be compared by the probabilities they hold: "
            f"{there}, or map both here with model=NAME"
        )
    return common[0]


def maker_of(paths: Sequence[Path], name: str) -> Model | None:
    """The one model that made the maps of both runs, where it is still there and maps any scene.

    The manifest of a run tells the card of the model that mapped it, by path and digest.
    """
    cards = [_card_of(path, name) for path in paths]
    digests = {made_by for made_by, _ in cards}
    for card in (place for _, places in cards for place in places):
        if card.is_file() and {digest(card)} == digests:
            model = load_model(card.parent)
            return model if model.file.exists() and not model.inputs.segment_layers else None
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
            raise MissingProduct(
                f"{probabilities} does not exist; "
                + how_to_map(Run(path), name, probabilities=True)
            )
        classes = nomenclature_of_map(Run(path), Run(path).map(name))
        dates.append(Date(str(path), scene, probabilities, classes))
    held = [rasters.band_names(scene) for scene in scenes]
    bands = tuple(band for band in held[0] if band in held[1])
    if not bands:
        raise InputError(
            f"{scenes[0]} has bands {' '.join(held[0])} and {scenes[1]} {' '.join(held[1])}, none "
            "in common; prepare both dates with the same bands"
        )
    lit = reflectance_bands(bands)
    lines = _lines(scenes, 0, lit) if normalise and lit else None
    return Pair(dates, lit or bands, lines, moved=1)


def _names(run: Run) -> set[str]:
    """Models of which a run holds probabilities."""
    found = run.probabilities("any").parent.glob("[!.]*_probabilities.tif")
    return {path.stem.removesuffix("_probabilities") for path in found}


def map_pair(
    paths: Sequence[Path],
    scenes: Sequence[Path],
    out: Run,
    model: Model,
    kept: int,
    normalise: bool,
) -> Pair:
    """Dates mapped with one model, on scenes of one radiometry.

    Where a run holds the same map of a scene that stays as it is, that map is used.
    """
    from landcover import maps
    from landcover.stages.map import is_mapped, map_scene

    name, bands = model.name, model.bands
    if model.inputs.segment_layers:
        raise InputError(
            f"model {name} needs segment types, which belong to one scene; choose a model without, "
            "or map both runs with probabilities=True and compare them with maps="
        )
    classifier = model.classifier()
    for scene in scenes:
        maps.require_bands(classifier, rasters.band_names(scene), scene)
    lit = reflectance_bands(bands)
    if normalise and lit:
        _require_computed(model, rasters.band_names(scenes[1 - kept]))
    for path in paths:
        if path.is_dir():
            require_same_fit(Run(path), model)
    lines = _lines(scenes, kept, lit) if normalise and lit else None
    classes = nomenclature_of(run_of(model), model.legend)
    dates = []
    for number, (path, scene) in enumerate(zip(paths, scenes, strict=True)):
        to = None if number == kept else lines
        run = Run(path)
        if to is not None or not path.is_dir() or not is_mapped(run, model, True):
            run = Run(out.path / DATES[number])
            _write_scene(run, scene, bands, to)
            if path.is_dir():
                keep_fit(Run(path), run)
            if not is_mapped(run, model, True):
                say(f"mapping {path}")
                map_scene(run, model, probabilities=True)
        dates.append(Date(str(path), run.scene, run.probabilities(name), classes))
    return Pair(dates, lit or bands, lines)


def _require_computed(model: Model, held: Sequence[str]) -> None:
    """Raise InputError if features of reflectance among a scene's bands would stay as they were."""
    stale = [name for name in of_reflectance(held) if name in model.bands]
    if stale:
        raise InputError(
            f"model {model.name} learnt {' '.join(stale)} as bands of its scene, which stay as "
            "they are where reflectance is brought to another radiometry; leave the radiometry "
            "alone with normalise=False, or take a model of a scene without these bands, whose "
            "maps compute them"
        )


def known_scene(scenes: Sequence[Path], model: Model) -> int:
    """Which scene the model knows: that of its own run, or else the first."""
    own = run_of(model).scene.resolve()
    return 1 if scenes[1].resolve() == own != scenes[0].resolve() else 0


def _lines(scenes: Sequence[Path], kept: int, bands: Sequence[str]) -> Lines:
    """What brings the other scene to the radiometry of the one that is kept."""
    thin = [rasters.read_small(scene, THIN_PX, bands) for scene in scenes]
    return fit_lines(thin[kept], thin[1 - kept], rasters.grid_of(scenes[0]).shape, bands)


def _write_scene(run: Run, scene: Path, bands: Sequence[str], lines: Lines | None) -> None:
    """A scene in a run folder of its own, brought to another radiometry where there are lines.

    They are of its reflectance; other bands stay as they are.
    The same scene has the same bytes again, so maps of it that are there already still hold.
    """
    grid = rasters.grid_of(scene)
    lit = [bands.index(name) for name in reflectance_bands(bands)]
    style = scene_style(bands)
    with RasterWriter(run.scene, grid, np.float32, bands, np.nan, style=style) as out:
        windows = list(grid.windows(rasters.WINDOW_PX))
        for window in track(windows, f"writing the scene {run.path.name}"):
            image = rasters.read(scene, window, bands)
            if lines is not None:
                image[lit] = lines.apply(image[lit], window)
            out.write(image, window)
