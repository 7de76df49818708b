"""Data that others serve, brought to disk: what the command takes and prints."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import ANY, COUNT, POSITIVE_OR_ZERO, Arguments, Command
from landcover.errors import InputError, LandcoverError, typed

if TYPE_CHECKING:
    from landcover.files.download import Wanted
    from landcover.files.http import Web
    from landcover.sources.online.catalogue import Catalogue, Choice
    from landcover.sources.online.cog_tiles import Cut, Layer
    from landcover.sources.online.fetch_scenes import Scenes

SCENES, CORINE = "sentinel-2", "corine"
LAYERS, ARCHIVES = ("worldcover", "dem"), ("eurosat", "bigearthnet")
WHAT = (SCENES, *LAYERS, CORINE, *ARCHIVES)
#: Items that are named with a reason; of more their number.
_SHOWN = 20
#: Items of one note that are named.
_NAMED = 3


def _define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=WHAT, default=SCENES, metavar="WHAT",
        help=f"{', '.join(WHAT)} (default {SCENES})",
    )  # fmt: skip
    area = parser.add_mutually_exclusive_group()
    area.add_argument("--aoi", type=Path, metavar="AOI.geojson", help="area of interest")
    area.add_argument(
        "--bbox", nargs=4, type=ANY, metavar=("W", "S", "E", "N"),
        help="area of interest, in degrees; 179.9 S -179.9 N lies across the 180th meridian",
    )  # fmt: skip
    parser.add_argument("--dates", metavar="FIRST/LAST", help="such as 2022-05-01/2022-09-30")
    parser.add_argument(
        "--cloud", type=POSITIVE_OR_ZERO, metavar="PERCENT",
        help="most clouds that the catalogue says of a whole tile",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to put all in"
    )
    parser.add_argument(
        "--catalogue", metavar="NAME|URL",
        help="earth-search (the default for images), planetary-computer, or the address of a STAC "
        "API",
    )  # fmt: skip
    parser.add_argument("--collection", metavar="ID", help="of the catalogue")
    parser.add_argument(
        "--keep", nargs="+", metavar="core|all|10m|20m|NAME",
        help="bands of images beside B02 B03 B04 B08 (default core)",
    )  # fmt: skip
    parser.add_argument(
        "--offset", type=ANY, metavar="O",
        help="-1000 or 0, of all images, where the catalogue and the pixels leave it open",
    )  # fmt: skip
    parser.add_argument(
        "--token-url", metavar="URL", help="where tokens of a catalogue are given, by collection"
    )
    parser.add_argument("--year", type=COUNT, help="of worldcover: 2020 or 2021 (the default)")
    parser.add_argument(
        "--url", nargs="+", metavar="URL", help="GeoTIFFs of corine, or any class raster as one"
    )
    parser.add_argument(
        "--base-url", metavar="URL", help="another place that serves the same tiles or archives"
    )
    parser.add_argument("--files", nargs="+", metavar="NAME", help="of eurosat or bigearthnet")


#: Options that each kind of data takes, beside --out.
_AREA, _SEARCH = {"aoi", "bbox"}, {"catalogue", "collection", "token_url"}
_TAKES = {
    SCENES: _AREA | _SEARCH | {"dates", "cloud", "keep", "offset"},
    "worldcover": _AREA | _SEARCH | {"year", "base_url"},
    "dem": _AREA | _SEARCH | {"base_url"},
    CORINE: _AREA | {"url"},
} | {name: {"base_url", "files"} for name in ARCHIVES}


def _fetch(a: Arguments) -> list[Path]:
    from landcover.files.http import Web

    _require_options(a)
    with Web() as web:
        if a.what in ARCHIVES:
            return _archive(web, a)
        if a.what == SCENES:
            return _scenes(web, a)
        return _tiles(web, a)


def _require_options(a: Arguments) -> None:
    """Refuse options that say nothing of what is asked for."""
    every = set().union(*_TAKES.values())
    idle = [
        f"--{name.replace('_', '-')}"
        for name in sorted(every - _TAKES[a.what])
        if getattr(a, name) is not None
    ]
    if idle:
        raise InputError(f"{', '.join(idle)}: not for {a.what}; leave it out")
    if "bbox" in _TAKES[a.what] and a.aoi is None and a.bbox is None:
        raise InputError(f"{a.what} is fetched for an area; give --bbox W S E N, or --aoi FILE")
    if a.what == SCENES and a.dates is None:
        raise InputError("images are of dates; give --dates FIRST/LAST")
    if a.cloud is not None and a.cloud > 100:
        raise InputError(f"--cloud {a.cloud:g} is no percentage; give 0 to 100, such as 20")
    if a.what == CORINE and a.url is None:
        raise InputError(
            "no address of CORINE without an account is known; give that of a GeoTIFF with --url, "
            "or download it from land.copernicus.eu and give it to landcover prep --labels"
        )


def _scenes(web: Web, a: Arguments) -> list[Path]:
    """Images of a catalogue: a folder a date."""
    from landcover.files import meridian, vectors
    from landcover.files.http import shown
    from landcover.sources.online.catalogue import choose, collection_of, require_dates, search
    from landcover.sources.online.fetch_scenes import fetch_scenes, record
    from landcover.sources.online.fetched import Request
    from landcover.sources.online.item_files import bands_kept
    from landcover.sources.online.offset_check import require_offset

    days = require_dates(a.dates)
    if a.offset is not None:
        require_offset(a.offset)
    bands = bands_kept(a.keep or ("core",))
    catalogue = _catalogue(a, "earth-search")
    collection = collection_of(catalogue, SCENES, a.collection)
    area = vectors.area_in_degrees(a.aoi or a.bbox)
    items = search(catalogue, collection, meridian.boxes(area), days)
    choice = choose(items, area, a.cloud)
    print(f"found: {len(items)} items of {collection} at {catalogue.title}")
    for line in _left_out(choice, a.cloud):
        print(line, flush=True)
    if not choice.items:
        raise InputError(f"nothing is left to fetch of {len(items)} items; {_wider(a)}")
    request = Request(a.aoi or a.bbox, bands, a.out)
    scenes = fetch_scenes(web, choice.items, request, catalogue.signs(web, collection), a.offset)
    for line in _fetched(scenes, bands):
        print(line)
    paths = [path.parent for path, _, _ in scenes.items]
    asked = {
        "catalogue": shown(catalogue.url), "collection": collection, "dates": a.dates,
        "area": str(a.aoi) if a.aoi else a.bbox, "most_cloud": a.cloud, "bands": bands,
    }  # fmt: skip
    record(a.out, asked, choice, scenes)
    if paths:
        print(f"a scene of one: landcover prep --product {typed(paths[0])}")
    if scenes.failed:
        for path in paths:
            print(path)
        reasons = "; ".join(f"{name}: {why}" for name, why in scenes.failed.items())
        raise LandcoverError(
            f"{len(scenes.failed)} of {len(choice.items)} items could not be used: {reasons}"
        )
    if not paths:
        raise InputError(f"none of {len(choice.items)} items has data in the area; {_wider(a)}")
    return paths


def _catalogue(a: Arguments, usual: str) -> Catalogue:
    from landcover.sources.online.catalogue import find_catalogue

    return find_catalogue(a.catalogue or usual, a.token_url or "")


def _wider(a: Arguments) -> str:
    more = "give more --dates" if a.cloud is None else "give more --dates, or a larger --cloud"
    return f"{more}, or another area"


def _left_out(choice: Choice, most_cloud: float | None) -> Iterator[str]:
    """What of a search is left out, and how much is to be fetched."""
    if choice.cloudy:
        least, most = min(choice.cloudy.values()), max(choice.cloudy.values())
        span = f"{least:.1f} %" if least == most else f"{least:.1f} to {most:.1f} %"
        yield f"left out: {len(choice.cloudy)} with more than {most_cloud:g} % cloud ({span})"
    yield from _reasons(choice.left_out)
    yield f"to fetch: {len(choice.items)}"


def _reasons(left_out: Mapping[str, str]) -> Iterator[str]:
    """Reasons with the items that they are of."""
    for name, why in list(left_out.items())[:_SHOWN]:
        yield f"left out: {name}: {why}"
    if len(left_out) > _SHOWN:
        yield f"left out: {len(left_out) - _SHOWN} more"


def _fetched(scenes: Scenes, bands: Sequence[str]) -> Iterator[str]:
    """What came of each item."""
    for path, found, verdict in scenes.items:
        cloud = "" if found.cloudy is None else f", cloud and shadow {100 * found.cloudy:.0f} %"
        came = f"{found.came} files came" if found.came else "was there"
        yield (
            f"{path.parent.name}: {' '.join(found.files)}; data {100 * found.valid:.0f} % of the "
            f"window{cloud}; offset {verdict.offset:g}; {came}"
        )
        lacking = [name for name in bands if name not in found.files]
        if lacking:
            clouds = ", so its clouds are not told" if "SCL" in lacking else ""
            yield f"note: {found.item['id']} has no {' '.join(lacking)}{clouds}"
    told: dict[str, list[str]] = {}
    for _, found, verdict in scenes.items:
        if verdict.why:
            told.setdefault(verdict.why, []).append(found.item["id"])
    for why, names in told.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"note: {', '.join(names[:_NAMED])}{more}: {why}"
    yield from _reasons(scenes.left_out)
    systems = {found.system for _, found, _ in scenes.items}
    if len(systems) > 1:
        yield (
            f"note: the folders are in {len(systems)} reference systems "
            f"({', '.join(sorted(systems))}): a scene is made of those of one, or with "
            "landcover prep --to-crs auto"
        )


def _tiles(web: Web, a: Arguments) -> list[Path]:
    """A layer of tiles, cut to the area."""
    from landcover.files import vectors
    from landcover.files.download import Wanted
    from landcover.sources.online import cog_tiles

    layer = cog_tiles.LAYERS.get(a.what)
    name = f"{a.what}_{a.year or 2021}" if a.what == "worldcover" else a.what
    if layer is None:
        wanted = [Wanted(url) for url in a.url]
    elif a.catalogue:
        wanted = _of_catalogue(web, a, layer)
    else:
        area = vectors.area_in_degrees(a.aoi or a.bbox)
        urls = cog_tiles.tiles_of(layer, area, a.year or 2021, a.base_url)
        wanted = [Wanted(url) for url in urls]
    nodata = layer.nodata if layer else 0
    cut = cog_tiles.fetch_tiles(web, wanted, a.aoi or a.bbox, a.out / f"{name}.tif", nodata)
    for line in _cut(len(wanted), cut):
        print(line)
    return cut.paths


def _of_catalogue(web: Web, a: Arguments, layer: Layer) -> list[Wanted]:
    """Tiles of a layer by a search of a catalogue."""
    from landcover.files import meridian, vectors
    from landcover.files.download import Wanted
    from landcover.sources.online.catalogue import collection_of, require_dates, search

    catalogue = _catalogue(a, a.catalogue)
    collection = collection_of(catalogue, a.what, a.collection)
    year = a.year or 2021
    days = require_dates(f"{year}-01-01/{year}-12-31") if a.what == "worldcover" else None
    area = vectors.area_in_degrees(a.aoi or a.bbox)
    items = search(catalogue, collection, meridian.boxes(area), days)
    sign = catalogue.signs(web, collection)
    held = [item["assets"].get(layer.asset) for item in items]
    wanted = [
        Wanted(str(asset["href"]), sign=sign)
        for asset in held
        if isinstance(asset, dict) and asset.get("href")
    ]
    print(f"found: {len(items)} items of {collection} at {catalogue.title}", flush=True)
    if not wanted:
        raise InputError(f"no item of {collection} there has a file {layer.asset!r}")
    return wanted


def _cut(tiles: int, cut: Cut) -> Iterator[str]:
    if not cut.came:
        yield "it was there, whole and of the same tiles and area"
    yield f"tiles: {tiles - len(cut.absent)} of {tiles}"
    if cut.absent:
        yield (
            f"note: {len(cut.absent)} tiles are not served, as over sea, and their pixels have no "
            f"data: {', '.join(Path(one).stem for one in cut.absent[:_SHOWN])}"
        )
    if len(cut.paths) > 1:
        yield (
            f"note: {len(cut.paths)} rasters, since tiles have several lattices or lie on both "
            "sides of the 180th meridian"
        )


def _archive(web: Web, a: Arguments) -> list[Path]:
    """The files of a published data set."""
    from landcover.sources.online.archives import (
        ARCHIVES,
        ZENODO,
        chosen,
        fetch_files,
        published_files,
    )

    archive = ARCHIVES[a.what]
    published = published_files(web, archive, a.base_url or ZENODO)
    files = chosen(archive, published, a.files or ())
    for file in files:
        size = f"{file.wanted.size / 1e9:.3f} GB" if file.wanted.size else "of unknown size"
        checksum = file.wanted.checksum
        print(
            f"{file.name}: {size}, {checksum.function if checksum else 'no checksum'}", flush=True
        )
    others = [file.name for file in published if file not in files]
    if others:
        print(f"left out: {' '.join(others)}; name them with --files", flush=True)
    return fetch_files(web, files, a.out)


COMMANDS: dict[str, Command] = {
    "fetch": ("Fetch images, label maps, elevation or data sets.", _define, _fetch),
}
