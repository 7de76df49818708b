"""A STAC item on disk as a tile: Sentinel-2 bands by what the item says of its assets.

Nothing is downloaded: assets are files beside the item. The item's word on scale and offset is
taken where it agrees with itself and with the pixels. Catalogues are known to err there: the flag
``earthsearch:boa_offset_applied`` and the offset of ``raster:bands`` contradict each other, or both
are wrong (Element84/earth-search, issues 66 and 71).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files.atomic import Fields, read_json
from landcover.sensors import SENTINEL2
from landcover.sources.cloud_mask import SCL_LAYER
from landcover.sources.keep import Keep, kept_bands, note_on_kept
from landcover.sources.reflectance import Band
from landcover.sources.stac_assets import AssetBand, open_asset
from landcover.sources.tile import Tile, radiometry_warning, tile_of, utc

#: Property of items that `landcover fetch` writes: who says what the offset is. The user's own word
#: and other dates of the place know better than the look of the pixels.
OFFSET_FROM = "landcover:offset_from"
SETTLED_BY = ("option", "other dates")
#: Roles of assets that are pictures or texts, whichever bands they name.
_NO_DATA = ("overview", "thumbnail", "visual", "metadata")
#: Words of STAC 1.0 for the bands of an asset.
_OLD_WORDS = {"eo:bands", "raster:bands"}
#: What an item says of a band in numbers.
_NUMBERS = ("pixel_m", "scale", "offset", "nodata")
#: Nodata as items write what is no data anyway.
_NEVER_DATA = ("nan", "inf", "-inf")


def open_stac(
    item: str | Path,
    quantification: float | None = None,
    offset: float | None = None,
    assets: Sequence[str] = (),
    keep: Keep = "core",
) -> Tile:
    """Bands of a Sentinel-2 STAC item whose files are on disk.

    Bands are told by their names, such as B04, or by their common names, such as red; in STAC
    1.1 they stand under ``bands``, before under ``eo:bands`` and ``raster:bands``. A file of one
    band comes before a stack. Of several resolutions the band's own is taken. What item and
    files say counts alike: their nodata values all mean no data, and a scale or an offset that
    both give must be the same.

    Parameters
    ----------
    item : path
        JSON of a STAC item. Links of its assets are paths relative to it, or absolute ones.
    quantification, offset : float, optional
        reflectance = (dn + offset) / quantification, instead of what the item says.
    assets : sequence of str
        Keys of the assets to look at; all by default.
    keep : str or sequence of str
        Bands to take, as `open_sentinel2` takes them; ``"all"`` are those of the item.

    Returns
    -------
    Tile
        The bands on the 10 m grid, and when they were taken.

    Raises
    ------
    MissingProduct
        If the item or the file of a band does not exist here.
    InputError
        If this is no item of Sentinel-2, a band is missing or is there twice, or what the item
        says contradicts itself, the files or the pixels.

    Examples
    --------
    >>> tile = open_stac("item.json")
    >>> tile.acquired, Path(tile.bands["B04"].path).name
    ('2022-06-01T10:00:31Z', 'B04.tif')
    """
    path = Path(item)
    content = _read(path)
    found = list(asset_bands(path, content, assets))
    held = [name for name in SENTINEL2.names if any(band.name == name for band in found)]
    names = kept_bands(keep, held, SENTINEL2, str(path))
    chosen = {name: _chosen(path, name, found) for name in names}
    properties = content["properties"]
    bands, grids = {}, {}
    for name, band in chosen.items():
        file = _local(path, band.href)
        bands[name], grids[name] = open_asset(path, properties, band, file, quantification, offset)
    note = note_on_kept(names, held)
    tile = tile_of(bands, grids, notes=(f"{path}: {note}",) if note else ())
    taken = utc(str(properties.get("datetime") or properties.get("start_datetime")))
    tile = replace(tile, acquired=taken or tile.acquired, layers=_layers(path, content))
    given = offset is not None or properties.get(OFFSET_FROM) in SETTLED_BY
    remark = None if given else radiometry_warning(tile)
    if remark:
        raise InputError(
            f"{path} and its pixels disagree: {remark}; give open_stac the offset and the "
            "quantification that are true"
        )
    return tile


def _layers(path: Path, content: Fields) -> dict[str, Band]:
    """SCL, where the item has it and its file is here."""
    assets = {key.lower(): asset for key, asset in content["assets"].items()}
    href = str((assets.get("scl") or {}).get("href"))
    return {SCL_LAYER: Band(_local(path, href), 1)} if _is_here(path, href) else {}


def _read(path: Path) -> Fields:
    """A STAC item that may be of Sentinel-2."""
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; give the JSON file of a STAC item")
    try:
        content = read_json(path)
    except LandcoverError:
        raise InputError(f"{path} is not readable JSON; give the file of a STAC item") from None
    kinds = {"properties": dict, "assets": dict, "stac_version": str}
    wrong = [key for key, kind in kinds.items() if not isinstance(content.get(key), kind)]
    if content.get("type") != "Feature" or wrong:
        raise InputError(
            f"{path} is no STAC item (type {content.get('type')!r}, without valid "
            f"{', '.join(wrong) or 'geometry'}); give an item, not a collection or catalogue"
        )
    of = content["properties"].get("constellation") or content["properties"].get("platform")
    if of and not str(of).lower().startswith("sentinel-2"):
        raise InputError(
            f"{path} is of {of} and open_stac reads Sentinel-2; give its files to open_bands"
        )
    return content


def asset_bands(path: str | Path, content: Fields, keys: Sequence[str] = ()) -> Iterator[AssetBand]:
    """Every band of Sentinel-2 in the assets of an item, or in those asked for.

    Parameters
    ----------
    path : path or str
        What errors call the item.
    content : dict
        The item.
    keys : sequence of str
        Of the assets to look at; all by default.

    Raises
    ------
    InputError
        If what the item says of an asset contradicts itself.
    """
    assets = content["assets"]
    unknown = [key for key in keys if key not in assets]
    if unknown:
        raise InputError(
            f"{path} has no asset {' '.join(unknown)}; its assets are {' '.join(assets)}"
        )
    for key in keys or assets:
        asset = assets[key]
        if not isinstance(asset, dict):
            raise InputError(f"{path}: asset {key} is no object; correct the item")
        roles = asset.get("roles")
        if not keys and isinstance(roles, list) and any(role in _NO_DATA for role in roles):
            continue
        told = _told(path, key, asset)
        for number, band in enumerate(told, start=1):
            name = _name(path, key, band, alone=len(told) == 1)
            if name:
                yield AssetBand(
                    name,
                    key,
                    str(asset.get("href")),
                    number,
                    len(told),
                    *(_number(path, key, band, word) for word in _NUMBERS),
                )


def _told(path: str | Path, key: str, asset: Fields) -> list[Fields]:
    """What an asset says of each of its bands, in one wording for all versions of STAC."""
    if not _OLD_WORDS & asset.keys():  # 1.1, where a word of the asset is of all its bands
        found = [dict(asset) | band for band in _list(path, key, asset, "bands") or [{}]]
        words = {
            "name": "name",
            "common": "eo:common_name",
            "scale": "raster:scale",
            "offset": "raster:offset",
            "pixel_m": "raster:spatial_resolution",
            "nodata": "nodata",
        }
        told = [{ours: band.get(word) for ours, word in words.items()} for band in found]
    else:
        named, raster = (_list(path, key, asset, word) for word in ("eo:bands", "raster:bands"))
        if named and raster and len(named) != len(raster):
            raise InputError(
                f"{path}: asset {key} has {len(named)} eo:bands and {len(raster)} raster:bands; "
                "they must be the same bands: correct the item"
            )
        count = max(len(named), len(raster), 1)
        told = [
            {
                "name": name.get("name"),
                "common": name.get("common_name"),
                "scale": band.get("scale"),
                "offset": band.get("offset"),
                "pixel_m": band.get("spatial_resolution"),
                "nodata": band.get("nodata"),
            }
            for name, band in zip(named or [{}] * count, raster or [{}] * count, strict=True)
        ]
    for band in told:
        band["pixel_m"] = band["pixel_m"] or asset.get("gsd")
    return told


def _list(path: str | Path, key: str, asset: Fields, word: str) -> list[Fields]:
    """What an asset holds under a word, which must be a list of objects."""
    value = asset.get(word) or []
    if not isinstance(value, list) or not all(isinstance(band, dict) for band in value):
        raise InputError(f"{path}: asset {key} has {word} that is no list of bands; correct it")
    return value


def _name(path: str | Path, key: str, band: Fields, alone: bool) -> str | None:
    """Which band of Sentinel-2 it is; by the key of the asset where nothing else says so."""
    roles = {one.role: one.name for one in SENTINEL2.bands}
    by_name, by_role = SENTINEL2.band_of(str(band["name"])), roles.get(str(band["common"]))
    if by_name and by_role and by_name != by_role:
        raise InputError(
            f"{path}: asset {key} holds a band named {band['name']} with the common name "
            f"{band['common']}, which is {by_role}; correct the item"
        )
    silent = alone and not band["name"] and not band["common"]
    return by_name or by_role or (SENTINEL2.band_of(key) if silent else None)


def _number(path: str | Path, key: str, band: Fields, word: str) -> float | None:
    """A number that an item gives, or None."""
    value = band[word]
    if value is None or (word == "nodata" and value in _NEVER_DATA):
        return None
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or (word in ("pixel_m", "scale") and value <= 0):
        raise InputError(f"{path}: asset {key} gives the {word} {value!r}; correct the item")
    return float(value)


def _chosen(path: Path, name: str, found: Sequence[AssetBand]) -> AssetBand:
    """The one band of a name: on disk, of a file of its own, of the band's own resolution."""
    held = [band for band in found if band.name == name]
    if not held:
        seen = " ".join(sorted({band.name for band in found})) or "none"
        raise InputError(
            f"{path} has no band {name} (found: {seen}); give an item with "
            f"{' '.join(SENTINEL2.core)}, or its files to open_bands"
        )
    here = [band for band in held if _is_here(path, band.href)]
    if not here:
        raise MissingProduct(
            f"{path}: the file of band {name} is not here (asset {held[0].asset}: "
            f"{held[0].href}) and nothing is downloaded; let landcover fetch bring it here, or "
            "correct the item's link"
        )
    own = SENTINEL2.pixel_m[name]
    for better in (
        [band for band in here if band.of == 1],
        [band for band in here if band.of == 1 and band.pixel_m == own],
    ):
        here = better or here
    if len(here) > 1:
        raise InputError(
            f"{path} has band {name} in several assets ({', '.join(band.asset for band in here)}); "
            "name those to be read: assets=[...]"
        )
    return here[0]


def _local(path: Path, href: str) -> Path:
    """The file that a link means."""
    parts = urlsplit(href)
    return path.parent / (unquote(parts.path) if parts.scheme == "file" else href)


def _is_here(path: Path, href: str) -> bool:
    remote = "://" in href and not href.startswith("file://")
    return not remote and _local(path, href).is_file()
