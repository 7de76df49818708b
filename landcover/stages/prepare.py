"""Source rasters to a scene: mosaic, reflectance, area of interest, labels on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.files import rasters, vectors
from landcover.files.atomic import write_bytes
from landcover.files.raster_names import RasterName
from landcover.grid import Grid
from landcover.labels.schemes import LabelScheme
from landcover.legend import Legend, Nomenclature
from landcover.reports import figures
from landcover.reports.scene_picture import scene_picture
from landcover.reports.sparse_labels import is_sparse, over_scene, read_sparse
from landcover.run import Run
from landcover.scene.composite import Composite
from landcover.scene.dates import write_composite
from landcover.scene.feature_bands import Wanted, write_features
from landcover.scene.layers import Layer, grid_of_layers, require_names
from landcover.scene.mosaic import mosaic_grid, write_scene
from landcover.scene.sequence import Dates
from landcover.sensors import Sensor
from landcover.sources.cloud_mask import CLASSI_LAYER, SCL_LAYER
from landcover.sources.dates import by_day, overlap_notes, require_sequence
from landcover.sources.tile import (
    Tile,
    acquired,
    common_bands,
    days_of,
    note_on_days,
    notes_on_bands,
    notes_on_same_ground,
    radiometry,
    radiometry_warning,
    require_one_date,
    require_one_level,
)
from landcover.stages.prepare_classes import Asked, Classes
from landcover.stages.prepare_dates import (
    keep_confirmed_water,
    leading_labels,
    notes_on_years,
    require_water_bands,
    require_years,
    water_of,
    write_sequence,
)
from landcover.stages.prepare_polygons import TrainingPolygons
from landcover.stages.run_legend import write_nomenclature

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

#: An area of interest of which a scene covers less is partly outside it, and that is said.
WHOLE_AREA = 0.999


def prepare(  # noqa: PLR0913 - what the options of landcover prep choose
    run: Run,
    tiles: Sequence[Tile],
    *,
    labels: RasterName | None = None,
    reference: RasterName | None = None,
    aoi: str | Path | Sequence[float] | None = None,
    level: int | None = None,
    scheme: LabelScheme | None = None,
    reference_scheme: LabelScheme | None = None,
    to: LabelScheme | None = None,
    polygons: TrainingPolygons | None = None,
    composite: Composite | None = None,
    sequence: bool = False,
    labels_of_year: Mapping[int, RasterName] | None = None,
    confirm_water: bool = False,
    features: Wanted | None = None,
    layers: Sequence[Layer] = (),
) -> list[Path]:
    """Write the scene of a run, and its labels and reference on the scene's grid.

    Parameters
    ----------
    run : Run
        Where to write.
    tiles : sequence of Tile
        Tiles of one date on one pixel lattice, or of several with `composite`. Where those of a
        date overlap, the first one that has data wins. None where the scene consists of layers.
    labels : path, optional
        Class raster in any CRS, of CORINE (grid codes 1-44 or CLC codes 111-523) or of another
        scheme.
    reference : path, optional
        Better labels of the same classes, or with `to` of any scheme.
    aoi : path or (west, south, east, north), optional
        Area of interest; outside it the scene is nodata.
    level : int, optional
        Level of the legend, from 1, the coarsest; by default the finest that both rasters have.
    scheme : LabelScheme, optional
        What the values of labels, reference and polygons mean; told by their values by default.
    reference_scheme : LabelScheme, optional
        What the values of the reference mean; by default what `scheme` says.
    to : LabelScheme, optional
        Scheme whose classes labels and reference are brought to, by a crosswalk.
    polygons : TrainingPolygons, optional
        Polygons with classes: the labels, or leading over `labels` where they lie.
    composite : Composite, optional
        How several dates become one scene; observations.tif then says how many each pixel has.
        By default the median of a sequence, and else one date is asked for.
    sequence : bool
        Keep each date beside the scene: a raster a date, and dates.vrt, which holds all of them.
    labels_of_year : mapping of int to path, optional
        Class rasters of one year each, for the dates of that year. Without `labels`, the latest of
        them that has dates are the labels of the run.
    confirm_water : bool
        Unlabel what the labels call water and the water index of a date does not.
    features : Wanted, optional
        Features to write as further bands of the scene.
    layers : sequence of Layer
        Further bands of the scene, which are no reflectance.

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
    of_years = labels_of_year or {}
    if sequence and composite is None:
        composite = Composite("median")
    days = by_day(tiles) if composite else []
    if not composite:
        require_one_date(tiles)
    require_years(of_years, sequence, polygons is not None)
    if sequence:
        require_sequence(days, one_grid=aoi is None)
    dates = Dates(tuple(day.day for day in days), tuple(common_bands(tiles))) if sequence else None
    led: list[str] = []
    if of_years and labels is None:
        labels, sentence = leading_labels(of_years, [day.day for day in days])
        led = [sentence]
    require_one_level(tiles)
    grid = mosaic_grid(tiles) if tiles else grid_of_layers(layers)
    bands = _bands(tiles, composite)
    require_names(layers, bands, _first_path(tiles))
    bands += tuple(name for layer in layers for name in layer.names)
    area, grid, partly = _within(aoi, grid)
    partly += overlap_notes(days, grid) if days else []
    far = composite.note_on_best([day.day for day in days]) if composite else None
    partly += [far] if far else []
    made = features.made_of(bands) if features else ()
    # before the scene, which takes a while to write
    asked = Asked(scheme, reference_scheme, to, level, polygons)
    classes = Classes.read(grid, labels, reference, asked, of_years)
    if confirm_water:
        if not (tiles and classes.labels_from):
            raise InputError(
                "confirm_water=True is of labels on images with green and near infrared; give "
                "both, or leave it out"
            )
        water_of(classes.nomenclature)
        require_water_bands(tiles[0].sensor, common_bands(tiles))
    if composite:
        each = {day: run.date(day) for day in dates.days} if dates else {}
        written = write_composite(
            run.scene, run.observations, days, grid, area, composite, layers, each
        )
        products = [run.scene, run.observations, *each.values()]
        products += [write_sequence(run, dates)] if dates else []
    else:
        written = write_scene(run.scene, tiles, grid, area, layers)
        products = [run.scene]
    fitted = write_features(run.scene, made, features.fitted) if features and made else {}
    drawn = classes.write(run, area)
    products += drawn.products
    nomenclature = drawn.nomenclature
    partly += led + notes_on_years(labels, of_years, days_of(tiles))
    if confirm_water:
        partly += _confirmed(run, tiles[0].sensor, nomenclature, dates, of_years)
    if classes.sources or polygons or scheme:
        products.append(write_nomenclature(run.legend, nomenclature))
    products += _pictures(run, products, nomenclature)
    run.record(
        "prep",
        {
            "level": nomenclature.level,
            "to": to and to.name,
            "polygons": polygons and str(polygons.path),
            "class_field": polygons and polygons.field,
            "labels_from": classes.labels_from,
            "aoi": None if aoi is None else _plain(aoi),
            "acquired": acquired(tiles),
            "days": days_of(tiles),
            "bands": radiometry(tiles),
            "composite": asdict(composite) if composite else None,
            "sequence": sequence,
            "labels_of_year": {str(year): str(path) for year, path in of_years.items()},
            "confirm_water": confirm_water,
            "features": list(made),
            "fitted": fitted,
            "masks": [tile.mask.settings() for tile in tiles if tile.mask],
            "layers": [layer.settings() for layer in layers],
        },
        [
            *(path for tile in tiles for path in tile.paths),
            *dict.fromkeys(tile.mask.path for tile in tiles if tile.mask),
            *dict.fromkeys(path for layer in layers for path in layer.paths),
            *dict.fromkeys(path for path in (labels, reference, *of_years.values()) if path),
            *([vectors.file_and_layer(polygons.path)[0]] if polygons else []),
        ],
        products,
        {
            "classes": drawn.became,
            "pixels": written.pixels,
            "dates": written.dates,
            "valid_dates": written.valid_dates,
            "notes": [
                *notes_on_tiles(tiles),
                *notes_on_layers(layers),
                *written.notes,
                *partly,
                *drawn.notes,
            ],
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
    """Of which days the tiles are, which bands some lack, and what was left out of the files."""
    days = note_on_days(tiles)
    own = dict.fromkeys(note for tile in tiles for note in tile.notes)
    held = (
        f"{tile.paths[0]} has {name}, which hides clouds with mask=True"
        for tile in tiles
        for name in (SCL_LAYER, CLASSI_LAYER)
        if name in tile.layers and tile.mask is None
    )
    clouds = next(held, None)
    return [
        *([days] if days else []),
        *notes_on_bands(tiles),
        *own,
        *([clouds] if clouds else []),
        *notes_on_same_ground(tiles),
    ]


def _confirmed(
    run: Run,
    sensor: Sensor,
    nomenclature: Nomenclature,
    dates: Dates | None,
    of_years: Iterable[int],
) -> list[str]:
    """Confirm the water of labels by the dates that they are for; what is to be said of it."""
    maps = [(run.labels, dates)]
    for year in of_years if dates else ():
        own = [day for day in dates.days if day.startswith(f"{year}-")] if dates else []
        maps.append((run.labels_of_year(year), dates.select(own) if dates and own else dates))
    source = run.sequence if dates else run.scene
    return [keep_confirmed_water(path, nomenclature, sensor, source, days) for path, days in maps]


def _bands(tiles: Sequence[Tile], composite: Composite | None) -> tuple[str, ...]:
    """Bands that the scene of some tiles will have."""
    bands = common_bands(tiles)
    return tuple(composite.bands(bands) if composite else bands)


def _within(
    aoi: str | Path | Sequence[float] | None, grid: Grid
) -> tuple[BaseGeometry | None, Grid, list[str]]:
    """An area of interest, the part of a grid that holds it, and what the grid lacks of it."""
    if aoi is None:
        return None, grid, []
    area, share = vectors.read_aoi(aoi, grid), vectors.share_on_grid(aoi, grid)
    lacks = [f"the scene covers {100 * share:.1f} % of the area of interest"]
    return area, grid.crop(vectors.aoi_window(area, grid)), lacks if share < WHOLE_AREA else []


def notes_on_layers(layers: Sequence[Layer]) -> list[str]:
    """What was taken for what."""
    return [note for layer in layers for note in layer.notes]


def _first_path(tiles: Sequence[Tile]) -> RasterName | None:
    """The first file of tiles; None where there are none."""
    return next((path for tile in tiles for path in tile.paths), None)


def _pictures(run: Run, products: Iterable[Path], nomenclature: Nomenclature) -> list[Path]:
    """The scene and classes as PNG, thinned to a screen's size."""
    note = figures.fold_note(*rasters.grid_of(run.scene).shape)
    of_scene, _, picture = scene_picture(run.scene)
    pictures = {of_scene: picture}
    for product in (run.labels, run.reference):
        if product in products:
            pictures[product.stem] = _class_picture(product, nomenclature.legend, picture)
    paths = []
    for name, picture in pictures.items():
        paths.append(write_bytes(run.figure(name), figures.png(figures.captioned(picture, note))))
    return paths


def _class_picture(path: Path, legend: Legend, scene: np.ndarray) -> np.ndarray:
    """Classes as a picture; where they are few, over that of the scene."""
    codes = figures.read_folded(path)[0]
    if not is_sparse(codes):
        return figures.class_picture(codes, legend)
    return over_scene(read_sparse(path), legend, scene)


def _plain(aoi: str | Path | Sequence[float]) -> str | list[float]:
    return str(aoi) if isinstance(aoi, (str, Path)) else list(aoi)
