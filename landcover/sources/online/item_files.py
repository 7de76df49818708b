"""Which files of a catalogue's item hold the bands that are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from landcover.errors import InputError
from landcover.files.atomic import Fields, short_digest
from landcover.files.checksums import Checksum
from landcover.sensors import SENTINEL2
from landcover.sources.cloud_mask import SCL_LAYER
from landcover.sources.keep import kept_bands
from landcover.sources.online.catalogue import when
from landcover.sources.stac import asset_bands

#: Letters of an item's id that its folder's name has at most.
_LONGEST = 120


class LeftOutError(Exception):
    """An item that is not fetched, and why."""


@dataclass(frozen=True)
class AssetFile:
    """The file of a band, as an item says.

    Attributes
    ----------
    name : str
        Of the band, or `SCL_LAYER`.
    asset, href : str
        Key and address.
    scale, offset, nodata : float or None
        reflectance = dn x scale + offset.
    size : int or None
        Bytes.
    checksum : Checksum or None
        Of the whole file.
    """

    name: str
    asset: str
    href: str
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    size: int | None = None
    checksum: Checksum | None = None


def bands_kept(keep: Sequence[str] = ("core",)) -> tuple[str, ...]:
    """The bands to fetch: those of a choice as prep takes it, the first four first, and SCL.

    Parameters
    ----------
    keep : sequence of str
        As `landcover.sources.keep.kept_bands` takes it.

    Raises
    ------
    InputError
        For what is no band of surface reflectance.

    Examples
    --------
    >>> bands_kept(["B11"])
    ('B02', 'B03', 'B04', 'B08', 'B11', 'SCL')
    """
    words = [word for word in keep if word.upper() != SCL_LAYER]  # it always comes
    kept = kept_bands(words, SENTINEL2.surface_names, SENTINEL2, "level 2A")
    rest = [name for name in kept if name not in SENTINEL2.core]
    return (*SENTINEL2.core, *rest, SCL_LAYER)


def folder_name(item: Fields) -> str:
    """The name of an item's folder: its day, and its id in letters that every system takes.

    A long id is cut, and then has a digest of the whole, so that no two share a folder.

    >>> folder_name({"id": "../S2A/33", "properties": {"datetime": "2022-06-01T10:00:31Z"}})
    '2022-06-01_S2A_33'
    """
    day = re.sub(r"[^0-9-]", "", when(item)[:10]) or "undated"
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", item["id"]).strip("_")
    if len(safe) > _LONGEST:
        safe = f"{safe[:_LONGEST]}_{short_digest(item['id'].encode())}"
    return f"{day}_{safe}"


def files_of(item: Fields, bands: Sequence[str]) -> dict[str, AssetFile]:
    """The file of each band that is wanted and that an item has, in the order wanted.

    Of several files of a band, one of this band alone comes first, then one of the band's own
    resolution, then a GeoTIFF.

    Raises
    ------
    LeftOutError
        If the item lacks a band that every scene needs, or what it says contradicts itself.
    """
    try:
        told = list(asset_bands(f"item {item['id']}", item))
    except InputError as error:
        raise LeftOutError(str(error)) from None
    files = {}
    own = SENTINEL2.pixel_m
    for name in bands:
        held = [
            band
            for band in told
            if band.name == name and band.of == 1 and band.pixel_m in (None, own[name])
        ]
        if held:
            best = min(held, key=lambda band: not _is_tiff(item["assets"][band.asset]))
            asset = item["assets"][best.asset]
            files[name] = AssetFile(
                name, best.asset, _address(item, best.href), best.scale, best.offset, best.nodata,
                *_size_and_checksum(asset),
            )  # fmt: skip
    missing = [name for name in SENTINEL2.core if name in bands and name not in files]
    if missing:
        raise LeftOutError(f"has no file of {' '.join(missing)} alone at its own resolution")
    scl = _classes(item) if SCL_LAYER in bands else None
    return files | ({SCL_LAYER: scl} if scl else {})


def _classes(item: Fields) -> AssetFile | None:
    """The file of SCL, a GeoTIFF if there is one."""
    held = [
        (not _is_tiff(asset), key)
        for key, asset in item["assets"].items()
        if re.fullmatch(r"scl(?:[_-](?:20m|jp2))*", key, re.IGNORECASE) and isinstance(asset, dict)
    ]
    if not held:
        return None
    key = min(held)[1]
    asset = item["assets"][key]
    href = _address(item, str(asset.get("href")))
    return AssetFile(SCL_LAYER, key, href, None, None, 0.0, *_size_and_checksum(asset))


def _address(item: Fields, href: str) -> str:
    """Where a link of an item leads: links may be relative to the item's own address."""
    try:
        return urljoin(own_address(item) or "", href)
    except ValueError:  # of an address that is none
        return href


def own_address(item: Fields) -> str | None:
    """The address of an item, as it gives it."""
    links = item.get("links")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "self":
            return str(link.get("href"))
    return None


def _is_tiff(asset: Fields) -> bool:
    text = f"{asset.get('type', '')} {str(asset.get('href', '')).partition('?')[0]}".lower()
    return "tif" in text


def _size_and_checksum(asset: Fields) -> tuple[int | None, Checksum | None]:
    """What an item says of a whole file (STAC's file extension)."""
    size, text = asset.get("file:size"), asset.get("file:checksum")
    good = isinstance(size, int) and not isinstance(size, bool) and size > 0
    return (size if good else None), Checksum.of_multihash(str(text)) if text else None
