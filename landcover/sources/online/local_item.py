"""The STAC item of a fetched folder: what the catalogue says, put right for the files here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import Fields, read_json, write_json
from landcover.files.checksums import sha256_multihash
from landcover.files.http import shown
from landcover.sensors import SENTINEL2
from landcover.sources.cloud_mask import SCL_LAYER
from landcover.sources.online.fetched import AREA, ITEM, Fetched
from landcover.sources.online.item_files import AssetFile, own_address
from landcover.sources.online.offset_check import Verdict
from landcover.sources.stac import OFFSET_FROM
from landcover.sources.stac_assets import FLAGS

_FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
_EO = "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
_RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"
#: Properties that speak of the whole tile, which is not here.
_OF_THE_TILE = ("proj:shape", "proj:transform", "proj:bbox", "proj:geometry", "proj:centroid")
#: Digital numbers of an item that says nothing of their scale.
_SCALE = 1 / SENTINEL2.quantification


def finish(found: Fetched, verdict: Verdict, area: str) -> Path:
    """Write the item of a folder, and give the folder its name; the path of the item.

    Parameters
    ----------
    found : Fetched
        Its bands are whole.
    verdict : Verdict
        The offset of their digital numbers.
    area : str
        Digest of the area that was fetched.
    """
    found.folder.mkdir(parents=True, exist_ok=True)
    for name in found.files:
        path = found.path(name)
        if path.parent != found.folder:
            os.replace(path, found.folder / path.name)
    write_json(found.folder / ITEM, _item(found, verdict, area))
    shutil.rmtree(found.waiting, ignore_errors=True)
    return found.folder / ITEM


def earlier(found: Fetched) -> Verdict | None:
    """The offset that an earlier command found by dates that this one was not asked for."""
    if not (found.folder / ITEM).exists():
        return None
    held = read_json(found.folder / ITEM)
    numbers = [
        band
        for name, asset in held.get("assets", {}).items()
        if name != SCL_LAYER
        for band in asset.get("raster:bands", [])
    ]
    if not numbers or "offset" not in numbers[0]:
        return None
    offset = round(numbers[0]["offset"] / numbers[0]["scale"], 3)
    by = str(held["properties"].get(OFFSET_FROM))
    return Verdict(offset, by, f"offset {offset:g} as it was found before, by {by}")


def _item(found: Fetched, verdict: Verdict, area: str) -> Fields:
    """The item as it is to be written."""
    held = found.item["properties"]
    properties = {key: value for key, value in held.items() if key not in (*FLAGS, *_OF_THE_TILE)}
    flags = {key: held[key] for key in FLAGS if key in held}
    grid = rasters.grid_of(found.path(next(iter(found.files))))
    outline = _outline(grid.bounds, grid.crs)
    link = own_address(found.item)
    properties |= {"constellation": held.get("constellation") or "sentinel-2"}
    properties |= {AREA: area, OFFSET_FROM: verdict.by}
    properties |= {"landcover:catalogue_said": flags} if flags else {}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [_EO, _RASTER, _FILE],
        "id": found.item["id"],
        "geometry": {"type": "Polygon", "coordinates": [outline.tolist()]},
        "bbox": [*outline.min(axis=0).tolist(), *outline.max(axis=0).tolist()],
        "properties": properties,
        "links": [{"rel": "derived_from", "href": shown(link)}] if link else [],
        "assets": {name: _asset(found, name, verdict) for name in found.files},
    }


def _asset(found: Fetched, name: str, verdict: Verdict) -> Fields:
    """A band as it is here."""
    path, said = found.path(name), found.files[name]
    with rasters.open_raster(path) as dataset:
        grid = rasters.grid_of_open(dataset, path)
        nodata, dtype = dataset.nodata, dataset.dtypes[0]
    asset: Fields = {
        "href": f"./{path.name}",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "file:size": path.stat().st_size,
        "file:checksum": sha256_multihash(path),
        "landcover:fetched_from": shown(said.href),
    }
    numbers: Fields = {"nodata": nodata, "spatial_resolution": grid.resolution[0]}
    if name == SCL_LAYER:
        return asset | {"roles": ["data", "cloud"], "raster:bands": [numbers]}
    numbers |= _numbers(said, verdict, floats=dtype.startswith("float"))
    role = next(band.role for band in SENTINEL2.bands if band.name == name)
    return asset | {
        "roles": ["data", "reflectance"],
        "eo:bands": [{"name": name, "common_name": role}],
        "raster:bands": [numbers],
    }


def _numbers(said: AssetFile, verdict: Verdict, floats: bool) -> Fields:
    """Scale and offset of a band; floats of which nothing is said may be reflectance already."""
    if floats and said.scale is None and not verdict.offset:
        return {}
    scale = said.scale or _SCALE
    of_band = said.offset if verdict.by != "option" and verdict.offset else None
    return {"scale": scale, "offset": of_band or (verdict.offset or 0.0) * scale}


def _outline(bounds: tuple[float, float, float, float], crs: object) -> np.ndarray:
    """Corners of a box in longitude and latitude, counter-clockwise, closed, (5, 2)."""
    from pyproj import Transformer

    west, south, east, north = bounds
    x, y = np.array([[west, east, east, west, west], [south, south, north, north, south]])
    lon_lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    return np.round(np.stack(lon_lat, axis=-1), 7)
