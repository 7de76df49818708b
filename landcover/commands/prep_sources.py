"""What ``prep`` is given to read: tiles of images, label maps by year, vector files by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import RASTER, Arguments
from landcover.errors import InputError
from landcover.files.raster_names import RasterName

if TYPE_CHECKING:
    from landcover.sources.tile import Tile


def sources(a: Arguments) -> tuple[list[Tile], RasterName | None, RasterName | None]:
    """Tiles, labels and reference that were asked for, or those of the demo scene."""
    from landcover.sources import band_files
    from landcover.sources.dates import by_group
    from landcover.sources.products import open_product
    from landcover.sources.sentinel2 import open_granules
    from landcover.sources.synthetic.files import write_demo

    of_images = [f"--{name}" for name in ("bands", "product", "date") if getattr(a, name)]
    if len(of_images) > 1:
        raise InputError(f"{' and '.join(of_images)} were both given; give one of them")
    of_files = ("band_names", "quantification", "offset", "nodata")
    given = [f"--{name.replace('_', '-')}" for name in of_files if getattr(a, name)]
    if given and not (a.bands or a.date):
        raise InputError(
            f"{', '.join(given)}: of loose files, and a product says its own; leave it out, or "
            "give the images with --bands"
        )
    if a.granule and not (a.product or a.date):
        raise InputError(f"--granule {' '.join(a.granule)} is of a product; give it with --product")
    if a.date:
        return by_group([_of_date(a, files) for files in a.date]), a.labels, a.reference
    if a.product:
        of = [
            open_product(path, a.keep or "core", a.granule or ())
            or open_granules(path, a.keep or "core", a.granule or ())
            for path in a.product
        ]
        return [tile for tiles in of for tile in tiles], a.labels, a.reference
    if a.bands:
        several = a.sequence or a.composite is not None
        return _of_files(a, a.bands, several), a.labels, a.reference
    if a.stack:
        _require_bands(a)
        return [], a.labels, a.reference
    of_scenes = ("labels", "reference", "aoi", "bbox", "dem", "distance", "inside")
    if any(getattr(a, name) for name in (*of_scenes, "labels_of_year", "sequence")):
        raise InputError(
            "labels, reference, area or layers were given without a scene; "
            "give --bands B02.tif B03.tif B04.tif B08.tif or --product X.SAFE"
        )
    bands, corine, truth = write_demo(Path("data/demo"), a.seed, a.keep or "core")
    return band_files.open_bands(bands, keep=a.keep), corine, truth


def _of_date(a: Arguments, files: Sequence[RasterName]) -> list[Tile]:
    """The tiles of one date: of products, and of loose files."""
    from landcover.sources.products import open_product

    tiles, loose = [], []
    for file in files:
        product = open_product(file, a.keep or "core", a.granule or ())
        tiles += product or []
        loose += [] if product else [file]
    return tiles + (_of_files(a, loose, several_dates=True) if loose else [])


def _of_files(a: Arguments, files: Sequence[RasterName], several_dates: bool = False) -> list[Tile]:
    """The tiles of loose files, with what the options say of them."""
    from landcover.sources.band_files import open_bands

    return open_bands(
        files,
        a.quantification,
        a.offset,
        a.band_names or (),
        nodata=a.nodata or (),
        several_dates=several_dates,
        keep=a.keep,
    )


def _require_bands(a: Arguments) -> None:
    """Refuse what is of reflectance beside a stack alone."""
    of_bands = ("keep", "to_crs", "composite", "best_date", "mask", "sequence", "confirm_water")
    given = [f"--{n.replace('_', '-')}" for n in of_bands if getattr(a, n) not in (None, False)]
    if given:
        raise InputError(
            f"{', '.join(given)}: of images, and --stack alone gives a scene as it is; leave it "
            "out, or give images with --bands or --product"
        )


def yearly_labels(a: Arguments) -> dict[int, RasterName]:
    """Label maps by their year."""
    found: dict[int, RasterName] = {}
    for text in a.labels_of_year or ():
        year, mark, file = text.partition("=")
        if not (mark and file and year.isdecimal()):
            raise InputError(
                f"--labels-of-year {text} names no year; give YEAR=FILE, such as 2021=corine.tif"
            )
        if int(year) in found:
            raise InputError(f"--labels-of-year {year}= was given twice; give one map a year")
        found[int(year)] = RASTER(file)
    return found


def by_name(a: Arguments, option: str) -> dict[str, Path]:
    """Vector files by the names that were given with them."""
    from landcover.files.vectors import with_layer

    found: dict[str, Path] = {}
    for text in getattr(a, option) or ():
        name, mark, file = text.partition("=")
        if not (mark and file):
            raise InputError(
                f"--{option} {text} names no features; give NAME=FILE, such as roads=roads.gpkg"
            )
        if name in found:
            raise InputError(f"--{option} {name}= was given twice; give each its own name")
        found[name] = with_layer(file, a.layer)
    return found
