"""STAC items: what a catalogue needs to find a map, show it, and run its model again.

An item points to everything by relative paths. It does not lie beside its map, where QGIS would
list it as a layer. Sources:
STAC 1.1.0 (https://github.com/radiantearth/stac-spec) and its extensions raster,
classification, projection and MLM, each in the newest version that pystac reads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.files import rasters
from landcover.files.atomic import Fields
from landcover.files.styles import qml_path
from landcover.grid import Grid

#: That of models; an item of an average of maps has none.
MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
EXTENSIONS = (
    "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    MLM,
)
#: The first Sentinel-2 was launched on 23 June 2015. STAC obliges an item to give a time.
_UNKNOWN_TIME = ("2015-06-23T00:00:00Z", "9999-12-31T23:59:59Z")
#: Straight lines of a projection are curves in longitude and latitude; pieces of this length, in
#: metres, keep the outline of a tile within a pixel.
_EDGE_M = 20_000
#: Layers of a map in the order of the item's assets.
_LAYER_TITLES = {
    "map": "Class codes",
    "confidence": "Probability of the class of the map, percent",
    "probabilities": "Probability of every class",
    "entropy": "Entropy of the probabilities, percent of the largest",
    "applicability": "Dissimilarity to what the model learnt, percent of the area of "
    "applicability's threshold, and whether a pixel lies inside",
}
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
#: Media type and way of saving, by file.
_MODEL_FILES = {
    "model.keras": ("application/zip; framework=keras", "keras.Model.save"),
    "model.skops": ("application/zip; framework=skops", "skops.io.dump"),
    "model.onnx": ("application/octet-stream; framework=onnx", "onnx.save"),
}


@dataclass(frozen=True)
class MapFiles:
    """A map, what lies beside it, and the model or the maps that made it.

    Attributes
    ----------
    name : str
        Of the map.
    place : str
        What was mapped, in the item's id and title: the name of the run.
    layers : mapping
        Path of the "map" and, where they were written, of its "confidence", "probabilities",
        "entropy" and "applicability".
    item : Path
        Where the item will be, which its paths are relative to.
    model : Path, optional
        Folder of the model, with its card; None of an average of maps.
    acquired : sequence of str
        When the scene was taken, as far as that is known: times by RFC 3339.
    outside_share : float, optional
        Share of the map's pixels outside the model's area of applicability, where that is known.
    members : sequence of path
        Items of the maps that were averaged.
    days : sequence of str
        Of a map of a sequence: the days that it shows.
    """

    name: str
    place: str
    layers: Mapping[str, Path]
    item: Path
    model: Path | None
    acquired: Sequence[str] = ()
    outside_share: float | None = None
    members: Sequence[Path] = ()
    days: Sequence[str] = ()

    def asset(self, path: Path, title: str, media_type: str, roles: list[str]) -> dict[str, object]:
        """An asset whose path is relative to the item."""
        return {"href": self.href(path), "type": media_type, "title": title, "roles": roles}

    def href(self, path: Path) -> str:
        """A path relative to the item."""
        href = Path(os.path.relpath(path, self.item.parent)).as_posix()
        return href if href.startswith("..") else f"./{href}"


def item_of(
    files: MapFiles,
    classes: Sequence[Mapping[str, object]],
    properties: Fields | None = None,
    bands: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """The STAC item of a map.

    Parameters
    ----------
    files : MapFiles
        The map and what belongs to it.
    classes : sequence of mapping
        Those of the map, as ``classification:classes``.
    properties : dict, optional
        The model by the MLM extension, ``mlm:name`` and so on; nothing of an average of maps.
    bands : sequence of mapping
        What the model reads, as ``raster:bands`` of its asset.
    """
    grid = rasters.grid_of(files.layers["map"])
    geometry, bbox = _footprint(grid)
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [name for name in EXTENSIONS if files.model or name != MLM],
        "id": f"{files.place}-{files.name}",
        "geometry": geometry,
        "bbox": bbox,
        "properties": {
            "title": f"Land cover of {files.place} by {files.name}",
            **_time(files.acquired),
            **({"landcover:days": list(files.days)} if files.days else {}),
            **_projection(grid),
            **(properties or {}),
        },
        "links": [
            {"rel": "derived_from", "href": files.href(item), "type": "application/geo+json"}
            for item in files.members
        ],
        "assets": dict(_map_assets(files, classes)) | dict(_model_assets(files, bands)),
    }


def _time(times: Sequence[str]) -> dict[str, str | None]:
    """When the scene was taken: a moment, or an interval for several dates or none known."""
    acquired = sorted(times)
    if len(acquired) == 1:
        return {"datetime": acquired[0]}
    first, last = (acquired[0], acquired[-1]) if acquired else _UNKNOWN_TIME
    time: dict[str, str | None] = {"datetime": None, "start_datetime": first, "end_datetime": last}
    if not acquired:
        time["description"] = "The time of acquisition is not known; the interval leaves it open."
    return time


def _footprint(grid: Grid) -> tuple[Fields, list[float]]:
    """Outline and bounding box in WGS 84, to the seventh decimal, about a centimetre."""
    import shapely
    from rasterio.warp import transform_bounds, transform_geom

    outline = shapely.box(*grid.bounds)
    if grid.crs.is_projected:
        outline = shapely.segmentize(outline, _EDGE_M / grid.crs.linear_units_factor[1])
    geometry = transform_geom(grid.crs, "EPSG:4326", shapely.geometry.mapping(outline), precision=7)
    # Across the antimeridian the box begins in the east and ends in the west, as GeoJSON has it
    west, south, east, north = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    if west < -180 or east > 180:  # a grid in degrees that go on beyond 180
        geometry = _within_180(geometry)
        whole = east - west >= 360
        west, east = (-180.0, 180.0) if whole else (_longitude(west), _longitude(east))
    return geometry, [round(value, 7) for value in (west, south, east, north)]


def _longitude(degrees: float) -> float:
    """A longitude from -180 to 180; these two stay as they are."""
    return degrees if -180 <= degrees <= 180 else (degrees + 180) % 360 - 180


def _within_180(geometry: Fields) -> dict[str, object]:
    """An outline in longitudes from -180 to 180, cut where it goes beyond."""
    import shapely
    import shapely.affinity

    outline, earth = shapely.geometry.shape(geometry), shapely.box(-180, -90, 180, 90)
    turned = [shapely.affinity.translate(outline, turn) for turn in (-360, 0, 360)]
    parts = [part for part in shapely.intersection(turned, earth) if part.area]
    return dict(shapely.geometry.mapping(shapely.union_all(parts, grid_size=1e-7)))


def _projection(grid: Grid) -> dict[str, object]:
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
    files: MapFiles, classes: Sequence[Mapping[str, object]]
) -> Iterator[tuple[str, dict[str, object]]]:
    """The map, its confidence and probabilities where written, and its style."""
    for key, title in _LAYER_TITLES.items():
        if key in files.layers:
            asset = files.asset(files.layers[key], title, _COG, ["data"])
            asset["raster:bands"] = _raster_bands(files.layers[key])
            if key == "applicability" and files.outside_share is not None:
                asset["landcover:outside_share"] = round(files.outside_share, 4)
            if key == "map":
                asset["classification:classes"] = list(classes)
            yield key, asset
    style = qml_path(files.layers["map"])
    if style.exists():
        yield "style", files.asset(style, "QGIS style of the map", "text/xml", ["metadata"])


def _raster_bands(path: Path) -> list[dict[str, object]]:
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
    files: MapFiles, bands: Sequence[Mapping[str, object]]
) -> Iterator[tuple[str, dict[str, object]]]:
    """The model in every form that it is stored in, and its card; nothing of an average."""
    if files.model is None:
        return
    for file, (media_type, artifact_type) in _MODEL_FILES.items():
        path = files.model / file
        if path.exists():
            title = f"The model {files.model.name} as {path.suffix.lstrip('.')}"
            asset = files.asset(path, title, media_type, ["mlm:model"])
            asset |= {
                "mlm:artifact_type": artifact_type,
                "raster:bands": [dict(band) for band in bands],
            }
            yield "onnx" if file.endswith(".onnx") else "model", asset
    card = files.model / "card.json"
    yield "card", files.asset(card, "How the model was made", "application/json", ["metadata"])
