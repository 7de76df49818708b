"""Polygons that are no plain ones: curves, heights, repairs, text codes, and wrong systems."""

from __future__ import annotations

import struct
import warnings

import geopandas
import numpy as np
import pytest
import shapely
from pyogrio.raw import write as write_raw

import landcover as lc
from landcover.errors import LandcoverError
from landcover.files import vectors
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose
from tests.fixtures.drawn_land import numbers, squares

TRUTH = squares(120, 120, 20)
GRID = utm_grid(*TRUTH.shape)
RADIUS = 75.0
#: A circle in each square, and its class.
ROWS, COLS = (places.ravel() for places in np.mgrid[10:120:20, 10:120:20])
CENTRES = list(zip(*(axis.tolist() for axis in GRID.xy(ROWS - 0.5, COLS - 0.5)), strict=True))
CODES = TRUTH[ROWS, COLS].astype(np.int32)
X, Y = GRID.xy(*np.indices(GRID.shape))
INSIDE = np.any([(X - x) ** 2 + (Y - y) ** 2 <= RADIUS**2 for x, y in CENTRES], axis=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run without labels."""
    folder = tmp_path_factory.mktemp("scene")
    bands = loose(folder, CORE, numbers(TRUTH), nodata=0, grid=GRID)
    return lc.prepare(folder / "run", bands)


def curve(x: float, y: float) -> bytes:
    """MULTISURFACE(CURVEPOLYGON(CIRCULARSTRING)) about a point, as ISO WKB."""
    ring = [(x + RADIUS, y), (x, y + RADIUS), (x - RADIUS, y), (x, y - RADIUS), (x + RADIUS, y)]
    arc = struct.pack("<BII", 1, 8, len(ring)) + b"".join(struct.pack("<dd", *p) for p in ring)
    return struct.pack("<BII", 1, 12, 1) + struct.pack("<BII", 1, 10, 1) + arc


def circle(x: float, y: float) -> shapely.Polygon:
    return shapely.Point(x, y).buffer(RADIUS, quad_segs=64)


def write_layer(path, geometries: list[bytes], kind: str):
    with warnings.catch_warnings():  # GDAL warns of curves in a layer of polygons
        warnings.simplefilter("ignore")
        write_raw(
            str(path), geometry=np.array(geometries, object), field_data=[CODES], fields=["clc"],
            geometry_type=kind, crs="EPSG:32633", driver="GPKG", layer="clc18",
        )  # fmt: skip
    return path


def samples(run: lc.Run, path, field="clc") -> geopandas.GeoDataFrame:
    return lc.sample(run, 2000, polygons=path, class_field=field, min_count=10)


def assert_from_circles(frame: geopandas.GeoDataFrame) -> None:
    """Every sample lies in a circle, and has its class; every circle has some."""
    rows, cols = frame["row"].to_numpy(), frame["col"].to_numpy()
    assert INSIDE[rows, cols].all()
    np.testing.assert_array_equal(frame["label"], TRUTH[rows, cols])
    assert len(set(zip(rows // 20, cols // 20, strict=True))) == len(CODES)


@pytest.mark.parametrize("every", [1, 2], ids=["curves", "curves and polygons"])
def test_curves_are_the_areas_that_they_bound(tmp_path, run, every):
    shapes = [
        curve(x, y) if number % every == 0 else shapely.to_wkb(shapely.MultiPolygon([circle(x, y)]))
        for number, (x, y) in enumerate(CENTRES)
    ]
    kind = "Unknown" if every == 1 else "MultiPolygon"
    path = write_layer(tmp_path / "curves.gpkg", shapes, kind)
    assert_from_circles(samples(run, path))
    window = lc.Window(0, 0, *GRID.shape)
    np.testing.assert_array_equal(
        vectors.inside(vectors.read_aoi(path, GRID), GRID, window), INSIDE
    )


def test_heights_texts_repairs_and_what_is_empty(tmp_path, run):
    """A bow tie is its two triangles; an empty polygon is none."""
    x, y = CENTRES[0]
    shapes = [circle(*centre) for centre in CENTRES]
    corners = [(-60, 60), (60, -60), (60, 60), (-60, -60)]
    shapes[0] = shapely.Polygon([(x + across, y + up) for across, up in corners])
    shapes[1] = shapely.Polygon()
    frame = geopandas.GeoDataFrame(
        {"code": [f" {code} " for code in CODES]},
        geometry=shapely.force_3d(shapes, 35.0),
        crs=32633,
    )
    frame.to_file(tmp_path / "z.gpkg")
    found = samples(run, tmp_path / "z.gpkg", "code")
    rows, cols = found["row"].to_numpy(), found["col"].to_numpy()
    assert INSIDE[rows, cols].all()
    np.testing.assert_array_equal(found["label"], TRUTH[rows, cols])
    first = (rows < 20) & (cols < 20)
    # left and right of the crossing, and not above or below it
    assert first.any() and (abs(cols[first] - 9.5) >= abs(rows[first] - 9.5)).all()
    assert not ((rows < 20) & (cols >= 20) & (cols < 40)).any()


def test_geojson_in_degrees_with_whole_floats(tmp_path, run):
    frame = geopandas.GeoDataFrame(
        {"clc": CODES.astype(float)}, geometry=[circle(*c) for c in CENTRES], crs=32633
    )
    frame.to_crs(4326).to_file(tmp_path / "a.geojson")
    assert_from_circles(samples(run, tmp_path / "a.geojson"))
    (tmp_path / "metres.geojson").write_text(frame.set_crs(None, allow_override=True).to_json())
    with pytest.raises(LandcoverError, match="is in degrees, as GeoJSON is where it names no CRS"):
        samples(run, tmp_path / "metres.geojson")


def test_an_empty_class_is_refused(tmp_path, run):
    frame = geopandas.GeoDataFrame(
        {"clc": [None, *CODES[1:].tolist()]}, geometry=[circle(*c) for c in CENTRES], crs=32633
    )
    frame.to_file(tmp_path / "null.gpkg")
    with pytest.raises(LandcoverError, match=r"null.gpkg: field clc is empty \(NULL\)"):
        samples(run, tmp_path / "null.gpkg")


def test_polygons_as_a_label_raster_are_called_what_they_are(tmp_path, run):
    path = write_layer(tmp_path / "clc.gpkg", [curve(*centre) for centre in CENTRES], "Unknown")
    message = r"clc.gpkg is vector data \(layer clc18\) and no raster; .* polygons="
    with pytest.raises(LandcoverError, match=message):
        lc.prepare(tmp_path / "run", run.scene, path)
    assert not (tmp_path / "run").exists()
