"""Sentinel-2 products as tiles of named bands, with the numbers of their own XML.

Facts on the products: ESA's Sentinel-2 product specification. Reflectance is
(dn + offset) / quantification, per band, with both numbers in the product's XML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from landcover.errors import InputError
from landcover.files import rasters
from landcover.sensors import SENTINEL2
from landcover.sources.keep import Keep, kept_bands, note_on_kept
from landcover.sources.reflectance import Band
from landcover.sources.safe_layout import Granule, Product, open_safe
from landcover.sources.safe_metadata import REMEDY, require_offsets
from landcover.sources.tile import Tile, tile_of

_NATIVE_M = SENTINEL2.pixel_m


def open_sentinel2(path: str | Path, keep: Keep = "core", granule: str | None = None) -> Tile:
    """Bands of a SAFE product, L1C or L2A, with its own numbers.

    Parameters
    ----------
    path : path
        The folder ``S2x_MSIL..._....SAFE``, or a zip archive that holds it; it is not unpacked.
        Names of before 6 December 2016 are read too.
    keep : str or sequence of str
        Bands to take: ``"core"``, the four 10 m bands; ``"10m"`` and ``"20m"``, those of pixels up
        to this size; ``"all"`` of the product's level; or names, such as ``["B8A", "swir16"]``.
        Those of the core are taken always, each band in its native resolution.
    granule : str, optional
        The granule of a product of several: the name of its tile, such as ``"T33UUU"``, or of its
        folder.

    Returns
    -------
    Tile
        On the 10 m grid, each band with the quantification and offset of the product's XML:
        reflectance = (dn + offset) / quantification. `Tile.layers` says where the scene
        classification and the cloud probability lie.

    Raises
    ------
    InputError, MissingProduct
        If this is not a product, an archive is damaged or not safe, a band that is to be taken is
        missing, or a product has several granules and none was named.

    Examples
    --------
    >>> product = "S2A_MSIL2A_20220601T100000_N0400_R022_T33UUU_20220601T120000.SAFE"
    >>> tile = open_sentinel2(product)
    >>> tile.acquired, tile.bands["B02"].offset
    ('2022-06-01T10:00:00Z', -1001.0)
    """
    tiles = open_granules(path, keep, () if granule is None else (granule,))
    if len(tiles) > 1:
        names = " ".join(part.tile for part in open_safe(Path(path)).granules)
        raise InputError(
            f"{path} holds {len(tiles)} granules ({names}) and open_sentinel2 opens one; choose it "
            "with granule="
        )
    return tiles[0]


def open_granules(
    path: str | Path, keep: Keep | None = "core", granules: Sequence[str] = ()
) -> list[Tile]:
    """`open_sentinel2` for a product of several granules: a tile each, in the order of their names.

    Parameters
    ----------
    path, keep
        As `open_sentinel2` takes them; None keeps the bands that are there.
    granules : sequence of str
        Those to open; all by default.

    Returns
    -------
    list of Tile
        At least one.
    """
    product = open_safe(Path(path))
    return [_tile(product, granule, keep) for granule in _chosen(product, granules)]


def _chosen(product: Product, wanted: Sequence[str]) -> list[Granule]:
    """The granules of some names, or all."""
    if not wanted:
        return list(product.granules)
    held = {name: part for part in product.granules for name in (part.name, part.tile)}
    wanted = [name if name in held else name.upper() for name in wanted]
    unknown = [name for name in wanted if _with_t(name) not in held and name not in held]
    if unknown:
        raise InputError(
            f"{product.members.path} has no granule {' '.join(unknown)}; it has "
            f"{' '.join(part.tile for part in product.granules)}"
        )
    taken = [held.get(name) or held[_with_t(name)] for name in wanted]
    return [part for part in product.granules if part in taken]


def _with_t(tile: str) -> str:
    """The name of a tile, which people write with and without a T."""
    return tile if tile.startswith("T") else f"T{tile}"


def _tile(product: Product, granule: Granule, keep: Keep | None) -> Tile:
    """The tile of a granule."""
    metadata, members = product.metadata, product.members
    held = [name for name in product.bands if (name, _NATIVE_M[name]) in granule.images]
    if keep is None:
        keep = held
    names = kept_bands(keep, product.bands, SENTINEL2, f"level {product.level}")
    require_offsets(metadata, names, members.called(product.xml))
    bands, grids = {}, {}
    for name in names:
        image = members.raster(_image(product, granule, name))
        bands[name] = Band(
            image,
            1,
            metadata.quantification,
            metadata.offset(name),
            metadata.special,
            "file name",
            "product",
        )
        grids[name] = rasters.grid_of(image)
    note = note_on_kept(names, held)
    tile = tile_of(bands, grids, notes=(f"{members.path}: {note}",) if note else ())
    layers = {layer: Band(members.raster(name), 1) for layer, name in granule.layers.items()}
    return replace(tile, acquired=metadata.acquired or tile.acquired, layers=layers)


def _image(product: Product, granule: Granule, name: str) -> str:
    """The one image of a band, in the resolution that the sensor takes it in."""
    native = _NATIVE_M[name]
    images = granule.images.get((name, native), [])
    if len(images) == 1:
        return images[0]
    where = str(product.members.path)
    if len(product.granules) > 1:
        where += f" ({granule.name})"
    _require_native(where, granule, native)
    others = [f"{pixel_m:g} m" for held, pixel_m in granule.images if held == name]
    besides = f" (it has it at {' and '.join(others)})" if others and not images else ""
    raise InputError(
        f"{where} holds {len(images)} images of {name} at {native:g} m and must hold 1{besides}; "
        f"{REMEDY}, or give the images of one granule with bands="
    )


def _require_native(where: str, granule: Granule, native: float) -> None:
    """Raise InputError if a granule holds images, and none at all of some resolution."""
    held = sorted({pixel_m for _, pixel_m in granule.images})
    if native in held:
        return
    sizes = " and ".join(f"{pixel_m:g} m" for pixel_m in held)
    raise InputError(
        f"{where} holds images of {sizes} and none of {native:g} m, in which bands such as "
        f"{next(band.name for band in SENTINEL2.bands if band.pixel_m == native)} are taken; fetch "
        f"the product with its folder R{native:g}m, or make it again with images of {native:g} m"
    )
