"""Maps assessed with a user's own reference sample: accuracy and areas, with intervals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landcover.classifiers.names import title_of
from landcover.errors import InputError, LandcoverError
from landcover.files import rasters
from landcover.files.atomic import replace_when_whole, versions, write_json, write_text
from landcover.files.class_rasters import class_areas_ha, class_pixels
from landcover.files.vectors import file_and_layer
from landcover.grid import Grid
from landcover.labels.on_grid import require_classes
from landcover.legend import UNLABELLED, Nomenclature
from landcover.progress import track
from landcover.reports import area_estimation, words
from landcover.reports.assessment import (
    FEW_UNITS,
    MEASURE,
    MapAssessment,
    Population,
    Strata,
)
from landcover.reports.reference_sample import (
    ReferenceSample,
    classes_amid,
    classes_of,
    pixels_amid,
    read_sample,
    shared_pixels,
)
from landcover.reports.sample_design import SUFFIX
from landcover.run import Run
from landcover.stages import store
from landcover.stages.models import map_of
from landcover.stages.run_legend import nomenclature_of_map


def assess(
    run: Run,
    reference: Path,
    class_field: str | None = None,
    names: Sequence[str] = (),
    strata: Path | None = None,
) -> list[Path]:
    """Estimate the accuracy of maps and the true area of every class from a probability sample.

    Parameters
    ----------
    run : Run
        Run folder with maps.
    reference : path
        Points or polygons, each one sampled unit, as `reference_sample.read_sample` takes them.
        A polygon is mapped as the class that most of its pixels have, and of the stratum of
        its middle.
    class_field : str, optional
        Field with class codes or names.
    names : sequence of str
        Models; all that have a map by default.
    strata : path, optional
        Raster, on the map's grid, of the strata that the sample was drawn from. By default the
        design of the sample, if `sample_points` drew it, and else the map's own classes.

    Returns
    -------
    list of Path
        reports/assessment.md and reports/NAME_assessment.json of each model.

    Raises
    ------
    LandcoverError
        If there is no map, the reference cannot be read, the strata are on another grid,
        or too few units lie on the map.
    """
    run.require_folder()
    names = list(names) or store.mapped_models(run.path / "maps")
    paths = {name: map_of(run, name) for name in names}
    grid = rasters.grid_of(paths[names[0]])
    for path in (*paths.values(), *filter(None, [strata])):
        grid.require_equal(rasters.grid_of(path), str(paths[names[0]]), str(path))
    nomenclatures = {name: nomenclature_of_map(run, path) for name, path in paths.items()}
    designs = _designs(run, reference)
    sample = read_sample(reference, grid, nomenclatures[names[0]], class_field, designs)
    facts = {"file": str(reference), "units": len(sample.classes), "kind": _kind(sample)}
    found: list[dict[str, object]] = [
        {
            "model": name,
            "title": title_of(name),
            "measure": MEASURE,
            "reference": facts,
            **_assess(path, nomenclatures[name], grid, sample, strata),
            "versions": versions(),
        }
        for name, path in paths.items()
    ]
    page = words.render("assessment.md", run=run.path.resolve().name, maps=found)
    products = [run.report("assessment").with_suffix(".md")]
    with replace_when_whole(products[0]) as part:
        write_text(part, page)
        for report in found:
            products.append(run.report(f"{report['model']}_assessment"))
            write_json(products[-1], report)
    settings = {"models": names, "class_field": class_field, "strata": strata and str(strata)}
    inputs = [file_and_layer(reference)[0], *paths.values(), *filter(None, [strata])]
    run.record("assess", settings, inputs, products)
    return products


def _designs(run: Run, reference: Path) -> list[Path]:
    """Where the design of a drawn sample may lie: beside it, in the run, or where it was drawn."""
    near = [
        path
        for folder in (file_and_layer(reference)[0].parent, run.path)
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    ]
    stages = run.read_manifest()["stages"].items()
    drawn = [
        run.path / product
        for name, stage in stages
        if name.startswith("sample-points ")
        for product in stage["products"]
        if product.endswith(SUFFIX)
    ]
    return [*near, *(path for path in drawn if path.exists())]


def _assess(
    path: Path,
    of_map: Nomenclature,
    grid: Grid,
    sample: ReferenceSample,
    strata: Path | None,
) -> MapAssessment:
    """Estimates for one map."""
    if of_map.levels != sample.nomenclature.levels:
        raise InputError(
            f"{path} has the classes of {of_map.title} and the reference those of "
            f"{sample.nomenclature.title}; assess maps of one label scheme at a time with model="
        )
    mapped = classes_of(path, grid, sample.geometries)
    population = _population(path, grid, sample, strata)
    left_out, used = _left_out(sample, mapped, population)
    level = min(sample.nomenclature.level, of_map.level)
    kept, sizes, joined = area_estimation.join_rare(population.strata[used], population.sizes)
    estimates = area_estimation.estimate(
        sample.nomenclature.coarser(sample.classes[used], level),
        of_map.coarser(mapped[used], level),
        kept,
        sizes,
        of_map.at(level).legend,
        _unit_areas(grid, sample)[used],
    )
    mapped_ha: dict[int, float] = defaultdict(float)
    for code, ha in population.mapped_ha.items():
        mapped_ha[of_map.ancestor(code, level)] += ha
    # What the pixels of the map have on average
    pixel_ha = sum(mapped_ha.values()) / sum(population.mapped.values())
    whole_ha = estimates["population_px"] * pixel_ha
    for name, scores in estimates["per_class"].items():
        bounds = scores["area_share_ci95"]
        scores["area_ha"] = scores["area_share"] * whole_ha
        scores["area_ha_se"] = scores["area_share_se"] * whole_ha
        scores["area_ha_ci95"] = bounds and [bound * whole_ha for bound in bounds]
        scores["mapped_ha"] = mapped_ha.get(int(name), 0.0)
    about: Strata = {
        "from": population.source,
        "pixels": {str(code): n for code, n in sizes.items()},
        "units": {str(code): int((kept == code).sum()) for code in sizes},
        "joined": {str(code): population.sizes[code] for code in joined},
    }
    result: MapAssessment = {
        "level": level,
        "left_out": left_out,
        "strata": about,
        "pixel_ha": pixel_ha,
        **estimates,
        "unmet": [str(c) for c in sorted(mapped_ha) if str(c) not in estimates["per_class"]],
        "remarks": [],
    }
    shared = shared_pixels(grid, sample.geometries[used], sample.classes[used])
    result["remarks"] = [*filter(None, [sample.remark, shared]), *_remarks(result)]
    return result


def _population(path: Path, grid: Grid, sample: ReferenceSample, strata: Path | None) -> Population:
    """The strata of the units, from a raster, the sample's own design or the map.

    A polygon is of the stratum of its middle, where it would have been drawn: the strata are
    counted in pixels, and few plots are mostly of a class that lies in small pieces.
    """
    amid = classes_amid(path, grid, sample.geometries)
    if strata is not None:
        require_classes(strata)
        sizes, pixels, areas = _count_together(strata, path, grid)
        of_units = np.where(amid > 0, classes_amid(strata, grid, sample.geometries), amid)
        source = f"classes of {strata}"
        if not sizes:
            raise InputError(
                f"{strata} and {path} have no pixel in common; give the raster of strata that "
                "the sample was drawn from"
            )
        return Population(of_units, sizes, pixels, areas, source)
    pixels, areas = class_pixels(path), class_areas_ha(path)
    if not pixels:
        raise LandcoverError(f"{path} has no mapped pixel; map the scene again")
    if sample.strata is not None and sample.sizes is not None:
        source = "strata of the sample"
        return Population(sample.strata, sample.sizes, pixels, areas, source)
    return Population(amid, pixels, pixels, areas, "classes of the map")


def _unit_areas(grid: Grid, sample: ReferenceSample) -> np.ndarray:
    """Hectares of the pixel that each unit was drawn as; outside the grid of its middle."""
    areas = np.full(len(sample.classes), grid.pixel_areas_ha(grid.rows // 2, grid.cols // 2))
    units, rows, cols = pixels_amid(grid, sample.geometries)
    areas[units] = grid.pixel_areas_ha(rows, cols)
    return areas


def _left_out(
    sample: ReferenceSample, mapped: np.ndarray, population: Population
) -> tuple[dict[str, int], np.ndarray]:
    """Units that are not counted, by reason, and which are.

    A unit of the sample's own design is counted wherever it lies, so that the sizes hold.
    """
    without = {
        "outside the scene": (mapped < 0) | (population.strata < 0),
        "without a class": sample.classes == UNLABELLED,
        "outside the strata or where the map is empty": population.strata == UNLABELLED,
    }
    if sample.strata is population.strata and without["outside the scene"].any():
        raise InputError(
            f"{int(without['outside the scene'].sum())} points lie outside the scene, but carry "
            "the design of a sample that was drawn on it; give the sample of this scene"
        )
    used = np.ones(mapped.size, bool)
    counts = {}
    for reason, units in without.items():
        counts[reason] = int((units & used).sum())
        used &= ~units
    if not used.any():
        why = ", ".join(f"{n} {reason}" for reason, n in counts.items() if n)
        raise InputError(
            f"none of the {mapped.size} reference units can be used ({why}); "
            "give points or polygons on the map, with their classes"
        )
    return {reason: n for reason, n in counts.items() if n}, used


def _count_together(
    strata: Path, path: Path, grid: Grid
) -> tuple[dict[int, int], dict[int, int], dict[int, float]]:
    """Pixels of each stratum, pixels and hectares of each class of a map, where both have one."""
    sizes: Counter[int] = Counter()
    mapped: Counter[int] = Counter()
    mapped_ha: dict[int, float] = defaultdict(float)
    for window in track(list(grid.windows(rasters.WINDOW_PX)), f"counting strata of {strata.name}"):
        of_strata, of_map = (rasters.read_classes(file, window) for file in (strata, path))
        there = (of_strata != UNLABELLED) & (of_map != UNLABELLED)
        for counter, classes in ((sizes, of_strata), (mapped, of_map)):
            codes, counts = np.unique(classes[there], return_counts=True)
            counter.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        codes, places = np.unique(of_map[there], return_inverse=True)
        areas = np.bincount(places.ravel(), grid.areas_ha(window)[there])
        for code, area in zip(codes.tolist(), areas.tolist(), strict=True):
            mapped_ha[code] += area
    return dict(sizes), dict(mapped), dict(mapped_ha)


def _remarks(result: MapAssessment) -> list[str]:
    """What a reader must know to take the estimates for what they are."""
    remarks = []
    if result["left_out"]:
        held = ", ".join(f"{n} {reason}" for reason, n in result["left_out"].items())
        remarks.append(
            f"Units left out: {held}. Where the class is missing, the other units of the stratum "
            "stand for it."
        )
    joined = result["strata"]["joined"]
    if joined:
        share = sum(joined.values()) / result["population_px"]
        remarks.append(
            f"Strata {', '.join(joined)} ({words.percent(share)} of the area) hold fewer than "
            f"{area_estimation.MIN_UNITS} units and were joined with the largest one."
        )
    classes = result["per_class"]
    few = [
        code
        for code, scores in classes.items()
        if min(scores["n_mapped"], scores["n_reference"]) < FEW_UNITS
    ]
    if few:
        remarks.append(
            f"Classes {', '.join(few)} are mapped or true at fewer than {FEW_UNITS} units: "
            "their intervals are rough."
        )
    if result["unmet"]:
        remarks.append(
            f"Classes {', '.join(result['unmet'])} are on the map, but no unit met them: nothing "
            "is said of them."
        )
    if any(scores["area_share_ci95"] is None for scores in classes.values()):
        remarks.append("An interval is missing where the sample holds no variation to tell it by.")
    return remarks


def _kind(sample: ReferenceSample) -> str:
    import shapely

    dimensions = set(shapely.get_dimensions(sample.geometries).tolist())
    return " and ".join(kind for d, kind in ((0, "points"), (2, "polygons")) if d in dimensions)
