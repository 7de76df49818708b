"""How many Sentinel-2 tiles an outline touches.

    python -m benchmarks.count_tiles OUTLINE.gpkg                  # of all its areas together
    python -m benchmarks.count_tiles COUNTRIES.shp --where NAME=France,Spain --bbox -10 35 10 52

A tile stands on a square of 100 km of a UTM zone. Squares are cut off where their zone ends, every
6 degrees; one of which a corner touches the outline counts. The odd zones of Norway and Svalbard
are taken for usual ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
from pyproj import Transformer
from shapely import Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.prepared import prep

#: Side of a square, and how many points of a side are taken to degrees.
SIDE_M, POINTS = 100_000, 6


def main() -> None:
    """Print how many tiles the outline touches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outline", type=Path, help="vector file")
    parser.add_argument("--where", metavar="FIELD=VALUE,...", help="only these areas")
    parser.add_argument(
        "--bbox", type=float, nargs=4, default=(-180, -80, 180, 84), metavar=tuple("WSEN"),
        help="only what lies within these degrees",
    )  # fmt: skip
    a = parser.parse_args()
    areas = gpd.read_file(a.outline).to_crs(4326)
    if a.where:
        field, _, values = a.where.partition("=")
        areas = areas[areas[field].astype(str).isin(values.split(","))]
    print(f"{count_tiles(areas.geometry.union_all().intersection(box(*a.bbox)))} tiles")


def count_tiles(outline: BaseGeometry) -> int:
    """Tiles that an outline in degrees touches."""
    touched = prep(outline)
    return sum(touched.intersects(square) for square in squares(*outline.bounds))


def squares(west: float, south: float, east: float, north: float) -> Iterator[Polygon]:
    """The squares of all zones that may touch a box of degrees, in degrees."""
    for zone in range(int(west // 6) + 31, int(east // 6) + 32):
        middle = zone * 6 - 183
        for code, low, high in ((32600, 0, 84), (32700, -80, 0)):
            strip = box(middle - 3, max(south, low), middle + 3, min(north, high))
            if max(south, low) < min(north, high):
                yield from _squares_of_zone(code + zone, strip)


def _squares_of_zone(epsg: int, strip: Polygon) -> Iterator[Polygon]:
    """The squares of a zone, cut off at a box of degrees."""
    to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
    side, none, whole = np.linspace(0, SIDE_M, POINTS), np.zeros(POINTS), np.full(POINTS, SIDE_M)
    x = np.concatenate([side, whole, side[::-1], none])
    y = np.concatenate([none, side, whole, side[::-1]])
    for col in range(1, 9):
        for row in range(100):
            lon, lat = to_degrees.transform(x + col * SIDE_M, y + row * SIDE_M)
            if np.isfinite(lon).all() and np.isfinite(lat).all():
                square = Polygon(zip(lon, lat, strict=True)).intersection(strip)
                if square.area > 0:
                    yield square


if __name__ == "__main__":
    main()
