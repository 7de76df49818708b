"""Source rasters to a scene: mosaic, reflectance, area of interest, labels on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import write_bytes
from landcover.files.raster_names import RasterName
from landcover.labels.detail import as_drawn, least_region_ha
from landcover.labels.on_grid import (
    became,
    cell_size_m,
    read_values,
    require_overlap,
    write_classes,
)
from landcover.labels.recognition import known_schemes, recognise_both
from landcover.labels.schemes import Coding, LabelScheme
from landcover.legend import Nomenclature, corine
from landcover.reports import figures
from landcover.run import Run
from landcover.scene.mosaic import mosaic_grid, write_scene
from landcover.sources.tile import (
    Tile,
    acquired,
    note_on_days,
    radiometry,
    radiometry_warning,
    require_one_date,
)
from landcover.stages.run_legend import write_nomenclature

#: An area of interest of which a scene covers less is partly outside it, and that is said.
WHOLE_AREA = 0.999


def prepare(
    run: Run,
    tiles: Sequence[Tile],
    *,
    labels: RasterName | None = None,
    reference: RasterName | None = None,
    aoi: str | Path | Sequence[float] | None = None,
    level: int | None = None,
    scheme: LabelScheme | None = None,
) -> list[Path]:
    """Write the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run
        Where to write.
    tiles : sequence of Tile
        Tiles of one date on one pixel lattice. Where they overlap, the first
        one that has data wins.
    labels : path, optional
        Class raster in any CRS, of CORINE (grid codes 1-44 or CLC codes 111-523) or of another
        scheme.
    reference : path, optional
        Better labels of the same classes.
    aoi : path or (west, south, east, north), optional
        Area of interest; outside it the scene is nodata.
    level : int, optional
        Level of the legend, from 1, the coarsest; by default the finest that both rasters have.
    scheme : LabelScheme, optional
        What the values of labels and reference mean; told by their values by default.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    LandcoverError
        If a raster is missing, damaged or of another place, if tiles of several days cover the
        same ground, if values are no reflectance, or if those of labels or reference fit no
        scheme, or several.
    """
    area, outside = None, list[str]()
    require_one_date(tiles)
    grid = mosaic_grid(tiles)
    if aoi is not None:
        from landcover.files import vectors

        area = vectors.read_aoi(aoi, grid)
        share = vectors.share_on_grid(aoi, grid)
        if share < WHOLE_AREA:
            outside.append(f"the scene covers {100 * share:.1f} % of the area of interest")
        grid = grid.crop(vectors.aoi_window(area, grid))
    sources = {"labels": labels, "reference": reference}
    classes = {name: source for name, source in sources.items() if source is not None}
    # before the scene, which takes a while to write
    for source in classes.values():
        require_overlap(source, grid)
    values = {name: read_values(source, grid) for name, source in classes.items()}
    codings = recognise_both(classes, values, scheme, level)
    nomenclature = _nomenclature(codings, scheme, level)
    if not known_schemes(nomenclature):  # nobody but the raster says how large its cells are
        of_labels = next(iter(classes.values()), None)
        side_m = cell_size_m(of_labels, grid) if of_labels else np.mean(grid.pixel_size_m)
        nomenclature = nomenclature.in_cells_of(float(side_m))
    written = write_scene(run.scene, tiles, grid, area)
    products = [run.scene]
    recoded = {}
    for name, source in classes.items():
        rasters_of_classes, pixels = write_classes(
            getattr(run, name), source, grid, area, codings[name], nomenclature, values[name]
        )
        products += rasters_of_classes
        recoded[name] = {
            "scheme": codings[name].scheme.name,
            "values": became(pixels, codings[name], nomenclature),
        }
    if classes:  # only now it shows how fine they are drawn
        name, source = next(iter(classes.items()))
        least_ha = least_region_ha(getattr(run, name))
        nomenclature = as_drawn(nomenclature, cell_size_m(source, grid), least_ha)
    if classes or scheme:
        products.append(write_nomenclature(run.legend, nomenclature))
    products += _pictures(run, products, nomenclature)
    run.record(
        "prep",
        {
            "level": nomenclature.level,
            "aoi": None if aoi is None else _plain(aoi),
            "acquired": acquired(tiles),
            "bands": radiometry(tiles),
        },
        [
            *(path for tile in tiles for path in tile.paths),
            *(path for path in (labels, reference) if path),
        ],
        products,
        {
            "classes": recoded,
            "pixels": written.pixels,
            "notes": notes_on_tiles(tiles) + written.notes + outside,
        },
    )
    return products


def radiometry_warnings(tiles: Sequence[Tile]) -> list[str]:
    """Sentences on tiles whose digital numbers do not look as their numbers say.

    To be told before a scene is made, which takes a while.

    Raises
    ------
    InputError
        If the median of a tile cannot be reflectance.
    """
    found = {radiometry_warning(tile): tile for tile in tiles}
    return [f"{tile.paths[0]}: {text}" for text, tile in found.items() if text]


def notes_on_tiles(tiles: Sequence[Tile]) -> list[str]:
    """Of which days the tiles are, what was chosen and what left out of the files."""
    days = note_on_days(tiles)
    return ([days] if days else []) + list(
        dict.fromkeys(note for tile in tiles for note in tile.notes)
    )


def _nomenclature(
    codings: Mapping[str, Coding], scheme: LabelScheme | None, level: int | None
) -> Nomenclature:
    """The classes of the run at the level asked for, or the finest that all rasters have."""
    held = [coding.nomenclature for coding in codings.values()]
    if not held:
        own = scheme.nomenclature if scheme else corine()
        return own if level is None else own.at(level)
    return held[0].at(min(one.level for one in held) if level is None else level)


def _pictures(run: Run, products: Iterable[Path], nomenclature: Nomenclature) -> list[Path]:
    """True colour and classes as PNG, thinned to a screen's size."""
    pictures = {}
    names, note = (
        rasters.band_names(run.scene),
        figures.fold_note(*rasters.grid_of(run.scene).shape),
    )
    pictures["true_colour"] = figures.true_colour(figures.read_folded(run.scene), names)
    for product in (run.labels, run.reference):
        if product in products:
            codes = figures.read_folded(product)[0]
            pictures[product.stem] = figures.class_picture(codes, nomenclature.legend)
    paths = []
    for name, picture in pictures.items():
        paths.append(write_bytes(run.figure(name), figures.png(figures.captioned(picture, note))))
    return paths


def _plain(aoi: str | Path | Sequence[float]) -> str | list[float]:
    return str(aoi) if isinstance(aoi, (str, Path)) else list(aoi)
