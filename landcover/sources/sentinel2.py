"""Sentinel-2 sources: loose band files, stacked files and SAFE products, as tiles of named bands.

Facts on the product layout: ESA's Sentinel-2 product specification; the reflectance is
(dn + offset) / quantification, per band, with both numbers in the product's XML from
processing baseline 04.00 on.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from landcover.errors import InputError, MissingProduct
from landcover.files import rasters
from landcover.files.texts import read_xml
from landcover.sensors import SENTINEL2
from landcover.sources.reflectance import Band
from landcover.sources.tile import Tile, tile_of, utc

#: Bands by their numbers in a product's XML; the table of the sensor has their order.
_BAND_IDS = {str(number): name for number, name in enumerate(SENTINEL2.names)}
#: Digital numbers that are no reflectance in every product: no data, and saturated.
_SPECIAL_DN = (0.0, 65_535.0)


def open_sentinel2(path: str | Path) -> Tile:
    """The four 10 m bands of a SAFE product, L1C or L2A, with its own numbers.

    Parameters
    ----------
    path : path
        The folder ``S2x_MSIL..._....SAFE``.

    Returns
    -------
    Tile
        B02, B03, B04 and B08, each with the quantification and offset of the product's XML:
        reflectance = (dn + offset) / quantification.

    Raises
    ------
    InputError, MissingProduct
        If the folder is not a product, or a band is missing.

    Examples
    --------
    >>> product = "S2A_MSIL2A_20220601T100000_N0400_R022_T33UUU_20220601T120000.SAFE"
    >>> tile = open_sentinel2(product)
    >>> tile.acquired, tile.bands["B02"].offset
    ('2022-06-01T10:00:00Z', -1001.0)
    """
    path = Path(path)
    metadata = sorted(path.glob("MTD_MSIL*.xml"))
    if not metadata:
        raise MissingProduct(
            f"{path} holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml; give the product's .SAFE folder"
        )
    if len(metadata) > 1:
        held = " and ".join(file.name for file in metadata)
        raise InputError(f"{path} holds {held}, of two products; leave the one that is meant")
    elements, offsets = _metadata(metadata[0])
    quantification = _quantification(elements, metadata[0])
    bands, grids = {}, {}
    for name in SENTINEL2.core:
        images = sorted(path.glob(f"GRANULE/*/IMG_DATA/*_{name}.jp2"))
        images += sorted(path.glob(f"GRANULE/*/IMG_DATA/R10m/*_{name}_10m.jp2"))
        if len(images) != 1:
            raise InputError(
                f"{path} holds {len(images)} images of {name} at 10 m and must hold 1; "
                "fetch the product again, or give the images of one granule with bands="
            )
        bands[name] = Band(
            images[0],
            1,
            quantification,
            offsets.get(name, 0.0),
            _SPECIAL_DN,
            "file name",
            "product",
        )
        grids[name] = rasters.grid_of(images[0])
    tile = tile_of(bands, grids)
    return replace(tile, acquired=utc(elements.get("PRODUCT_START_TIME")) or tile.acquired)


def _metadata(metadata: Path) -> tuple[dict[str, str | None], dict[str, float]]:
    """Elements of a product's XML, and offsets by band, which are absent before 04.00."""
    root = read_xml(metadata, "fetch the product again")
    elements: dict[str, str | None] = {}
    offsets: dict[str, float] = {}
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        elements[tag] = element.text
        if tag in ("RADIO_ADD_OFFSET", "BOA_ADD_OFFSET"):
            number = element.get("band_id", "none")
            if number not in _BAND_IDS:
                raise InputError(
                    f"{metadata} gives an offset for the band_id {number}, and bands have 0 to "
                    f"{len(_BAND_IDS) - 1}; fetch the product again"
                )
            offsets[_BAND_IDS[number]] = _number(element.text, tag, metadata)
    silent = [name for name in SENTINEL2.core if name not in offsets]
    if offsets and silent:
        raise InputError(
            f"{metadata} gives offsets and none for {' '.join(silent)}; fetch the product again"
        )
    return elements, offsets


def _number(text: str | None, tag: str, metadata: Path) -> float:
    """A number of a product's XML."""
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{metadata} gives {tag} {text!r}, no number; fetch the product again")
    return number


def _quantification(elements: dict[str, str | None], metadata: Path) -> float:
    """What digital numbers are divided by."""
    text = elements.get("BOA_QUANTIFICATION_VALUE") or elements.get("QUANTIFICATION_VALUE")
    if not text:
        raise InputError(
            f"{metadata} gives no quantification value; give the images to open_bands, with "
            "quantification="
        )
    number = _number(text, "QUANTIFICATION_VALUE", metadata)
    if number <= 0:
        raise InputError(
            f"{metadata} gives the quantification value {number:g}, and a positive number is "
            "needed; fetch the product again"
        )
    return number
