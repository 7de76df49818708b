"""Source rasters to a scene: mosaic, reflectance, area of interest, labels on one grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

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
from landcover.sources.cloud_mask import CLASSI_LAYER, SCL_LAYER
from landcover.sources.dates import by_day, overlap_notes
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
    days = by_day(tiles) if composite else []
    if not composite:
        require_one_date(tiles)
    require_one_level(tiles)
    grid = mosaic_grid(tiles) if tiles else grid_of_layers(layers)
    bands = _bands(tiles, composite)
    require_names(layers, bands, _first_path(tiles))
    bands += tuple(name for layer in layers for name in layer.names)
    area, grid, partly = _within(aoi, grid)
    partly += overlap_notes(days) if days else []
    far = composite.note_on_best([day.day for day in days]) if composite else None
    partly += [far] if far else []
    made = features.made_of(bands) if features else ()
    # before the scene, which takes a while to write
    asked = Asked(scheme, reference_scheme, to, level, polygons)
    classes = Classes.read(grid, labels, reference, asked)
    if composite:
        written = write_composite(run.scene, run.observations, days, grid, area, composite, layers)
        products = [run.scene, run.observations]
    else:
        written = write_scene(run.scene, tiles, grid, area, layers)
        products = [run.scene]
    fitted = write_features(run.scene, made, features.fitted) if features and made else {}
    drawn = classes.write(run, area)
    products += drawn.products
    nomenclature = drawn.nomenclature
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
            "features": list(made),
            "fitted": fitted,
            "masks": [tile.mask.settings() for tile in tiles if tile.mask],
            "layers": [layer.settings() for layer in layers],
        },
        [
            *(path for tile in tiles for path in tile.paths),
            *dict.fromkeys(tile.mask.path for tile in tiles if tile.mask),
            *dict.fromkeys(path for layer in layers for path in layer.paths),
            *(path for path in (labels, reference) if path),
            *([vectors.file_and_layer(polygons.path)[0]] if polygons else []),
        ],
        products,
        {
            "classes": drawn.became,
            "pixels": written.pixels,
            "dates": written.dates,
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
