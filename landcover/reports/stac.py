"""STAC items: what a catalogue needs to find a map, show it, and run its model again.

An item stands beside its map and points to everything by relative paths. Sources:
STAC 1.1.0 (https://github.com/radiantearth/stac-spec) and its extensions raster,
classification, projection and MLM, each in the newest version that pystac reads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import write_json
from landcover.grid import Grid
from landcover.run import Run

EXTENSIONS = (
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
)
#: The first Sentinel-2 was launched on 23 June 2015. STAC obliges an item to give a time.
_UNKNOWN_TIME = ("2015-06-23T00:00:00Z", "9999-12-31T23:59:59Z")
#: Straight lines of a projection are curves in longitude and latitude; pieces of this length, in
#: metres, keep the outline of a tile within a pixel.
_EDGE_M = 20_000
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
#: Media type and way of saving, by file.
_MODEL_FILES = {
    "model.keras": ("application/zip; framework=keras", "keras.Model.save"),
    "model.skops": ("application/zip; framework=skops", "skops.io.dump"),
    "model.onnx": ("application/octet-stream; framework=onnx", "onnx.save"),
}


def write_item(
    run: Run,
    name: str,
    model_folder: Path,
    properties: Mapping[str, Any],
    bands: Sequence[Mapping[str, Any]],
) -> Path:
    """Write maps/NAME.json, the STAC item of a model's map.

    Parameters
    ----------
    run : Run
        Run folder with the map.
    name : str
        Model.
    model_folder : path
        Where the model lies, which may be in another run.
    properties : mapping
        The model by the MLM extension, ``mlm:name`` and so on.
    bands : sequence of mapping
        What the model reads, as ``raster:bands`` of its asset.

    Returns
    -------
    Path
        The item.
    """
    grid = rasters.grid_of(run.map(name))
    geometry, bbox = _footprint(grid)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(EXTENSIONS),
        "id": f"{run.path.resolve().name}-{name}",
        "geometry": geometry,
        "bbox": bbox,
        "properties": {
            "title": f"Land cover of {run.path.resolve().name} by {name}",
            **_time(run),
            **_projection(grid),
            **properties,
        },
        "links": [],
        "assets": dict(_map_assets(run, name, properties["mlm:output"][0]))
        | dict(_model_assets(run, name, model_folder, bands)),
    }
    write_json(run.item(name), item)
    return run.item(name)


def _time(run: Run) -> dict[str, Any]:
    """When the scene was taken: a moment, or an interval for several dates or none known."""
    settings = run.read_manifest()["stages"].get("prep", {}).get("settings", {})
    acquired = sorted(settings.get("acquired", ()))
    if len(acquired) == 1:
        return {"datetime": acquired[0]}
    first, last = (acquired[0], acquired[-1]) if acquired else _UNKNOWN_TIME
    time = {"datetime": None, "start_datetime": first, "end_datetime": last}
    if not acquired:
        time["description"] = "The time of acquisition is not known; the interval leaves it open."
    return time


def _footprint(grid: Grid) -> tuple[dict[str, Any], list[float]]:
    """Outline and bounding box in WGS 84, to the seventh decimal, about a centimetre."""
    import shapely
    from rasterio.warp import transform_bounds, transform_geom

    outline = shapely.box(*grid.bounds)
    if grid.crs.is_projected:
        outline = shapely.segmentize(outline, _EDGE_M / grid.crs.linear_units_factor[1])
    geometry = transform_geom(grid.crs, "EPSG:4326", shapely.geometry.mapping(outline), precision=7)
    # Across the antimeridian the box begins in the east and ends in the west, as GeoJSON has it
    bounds = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    return geometry, [round(value, 7) for value in bounds]


def _projection(grid: Grid) -> dict[str, Any]:
    """The grid by the projection extension."""
    epsg = grid.crs.to_epsg()
    crs = {"proj:code": f"EPSG:{epsg}"} if epsg else {"proj:wkt2": grid.crs.to_wkt(version="WKT2")}
    return {
        **crs,
        "proj:shape": [grid.rows, grid.cols],
        "proj:bbox": list(grid.bounds),
        "proj:transform": list(grid.transform)[:6],
    }


def _map_assets(
    run: Run, name: str, output: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The map, its confidence and probabilities where written, and its style."""
    titles = {
        "map": (run.map(name), "Class codes"),
        "confidence": (run.confidence(name), "Probability of the class of the map, percent"),
        "probabilities": (run.probabilities(name), "Probability of every class"),
        "entropy": (run.entropy(name), "Entropy of the probabilities, percent of the largest"),
    }
    for key, (path, title) in titles.items():
        if path.exists():
            asset = _asset(run, name, path, title, _COG, ["data"])
            asset["raster:bands"] = _raster_bands(path)
            if key == "map":
                asset["classification:classes"] = output["classification:classes"]
            yield key, asset
    style = run.map(name).with_suffix(".qml")
    if style.exists():
        yield "style", _asset(run, name, style, "QGIS style of the map", "text/xml", ["metadata"])


def _raster_bands(path: Path) -> list[dict[str, Any]]:
    """Type, nodata and pixel size of every band, by the raster extension."""
    with rasters.open_raster(path) as dataset:
        # On average and on the ground, in metres to the centimetre
        size = round(math.prod(Grid.of(dataset).pixel_size_m) ** 0.5, 2)
        return [
            {
                "name": description or f"band {number}",
                "data_type": dtype,
                "nodata": "nan" if np.isnan(dataset.nodata) else int(dataset.nodata),
                "spatial_resolution": size,
            }
            for number, (description, dtype) in enumerate(
                zip(dataset.descriptions, dataset.dtypes, strict=True), start=1
            )
        ]


def _model_assets(
    run: Run, name: str, folder: Path, bands: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The model in every form that it is stored in, and its card."""
    for file, (media_type, artifact_type) in _MODEL_FILES.items():
        path = folder / file
        if path.exists():
            title = f"The model {name} as {path.suffix.lstrip('.')}"
            asset = _asset(run, name, path, title, media_type, ["mlm:model"])
            yield (
                "onnx" if file.endswith(".onnx") else "model",
                asset
                | {
                    "mlm:artifact_type": artifact_type,
                    "raster:bands": [dict(band) for band in bands],
                },
            )
    card = folder / "card.json"
    yield (
        "card",
        _asset(run, name, card, "How the model was made", "application/json", ["metadata"]),
    )


def _asset(
    run: Run, name: str, path: Path, title: str, media_type: str, roles: list[str]
) -> dict[str, Any]:
    """An asset whose path is relative to the item."""
    href = Path(os.path.relpath(path, run.item(name).parent)).as_posix()
    href = href if href.startswith("..") else f"./{href}"
    return {"href": href, "type": media_type, "title": title, "roles": roles}
