"""Labels of other schemes than CORINE, and what they become under another one."""

from __future__ import annotations

import json
import shutil
import warnings

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from landcover import cli
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.labels.schemes import SCHEMES
from tests.conftest import error_lines, utm_grid

GRID = utm_grid(120, 160)
#: Stripes of four classes, by position.
STRIPES = np.indices(GRID.shape)[1] // 10 % 4


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A stack whose bands tell the stripes."""
    path = tmp_path_factory.mktemp("stack") / "stack.tif"
    rng = np.random.default_rng(1)
    dn = 500 + 700 * STRIPES + rng.integers(0, 200, (4, *GRID.shape))
    raster_writer.write(path, dn.astype(np.uint16), GRID, ["B02", "B03", "B04", "B08"], nodata=0)
    return path


def classes(path, values, nodata=None, dtype=np.uint8):
    """A raster of four values in stripes."""
    cells = np.array(values, dtype)[STRIPES]
    profile = {"driver": "GTiff", "count": 1, "dtype": dtype, "nodata": nodata}
    profile |= {"height": GRID.rows, "width": GRID.cols, "crs": GRID.crs}
    with rasterio.open(path, "w", transform=GRID.transform, **profile) as out:
        out.write(cells, 1)
    return path


def prep(stack, run, *words):
    words = ["prep", "--bands", stack, "--samples", 400, "--block-px", 20, "--out", run, *words]
    return cli.main([str(word) for word in words])


def test_0_of_dynamic_world_is_water_and_nodata_is_not(stack, tmp_path, capsys):
    labels = classes(tmp_path / "dw.tif", [0, 1, 4, 255], nodata=255)
    assert prep(stack, tmp_path / "run", "--labels", labels) == 2  # anybody's numbers
    assert "fit several label schemes" in capsys.readouterr().err
    assert prep(stack, tmp_path / "run", "--labels", labels, "--scheme", "dynamic-world") == 0
    codes = rasters.read_classes(tmp_path / "run" / "labels.tif")
    np.testing.assert_array_equal(codes, np.array([1, 2, 5, 0])[STRIPES])
    said = capsys.readouterr().out
    assert "  0 -> 1 Water, 25.0 %\n" in said and "  no label, 25.0 %\n" in said
    hidden = classes(tmp_path / "hidden.tif", [0, 1, 4, 6], nodata=0)
    words = ["--labels", hidden, "--scheme", "dynamic-world"]
    assert prep(stack, tmp_path / "other", *words) == 2 and not (tmp_path / "other").exists()
    (line,) = error_lines(capsys.readouterr().err)
    assert "declares 0 as nodata, and 0 is 'Water' in dynamic-world" in line


def rat(path, names):
    rows = "".join(f"<Row><F>{value}</F><F>{name}</F></Row>" for value, name in names.items())
    fields = "<FieldDefn><Name>Value</Name></FieldDefn><FieldDefn><Name>Class_Name</Name>"
    path.with_name(f"{path.name}.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><GDALRasterAttributeTable>"
        f"{fields}</FieldDefn>{rows}</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
    )


def qml(path, names):
    entries = "".join(
        f'<paletteEntry value="{v}" label="{v} - {n}" color="#000000"/>' for v, n in names.items()
    )
    path.with_suffix(".qml").write_text(f"<qgis><colorPalette>{entries}</colorPalette></qgis>")


def stac(path, names):
    listed = [{"value": v, "name": n.lower().replace(" ", "_")} for v, n in names.items()]
    item = {"type": "Feature", "assets": {"map": {"classification:classes": listed}}}
    path.with_suffix(".json").write_text(json.dumps(item))


def band(path, names):
    with rasterio.open(path, "r+") as raster:
        raster.set_band_description(1, names)


@pytest.mark.parametrize(
    ("scheme", "values"),
    [("clc-plus", [1, 3, 7, 10]), ("dynamic-world", [0, 1, 4, 6]), ("io-lulc-9", [1, 2, 5, 7])],
)
@pytest.mark.parametrize("write", [rat, qml, stac])
def test_a_file_that_names_its_classes_is_read_so(stack, tmp_path, capsys, write, scheme, values):
    labels = classes(tmp_path / "map.tif", values)
    own = SCHEMES[scheme]
    write(labels, {value: own.legend[own.values[value]].name for value in values})
    assert prep(stack, tmp_path / "run", "--labels", labels) == 0
    assert f"labels: scheme {scheme}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "scheme"),
    [
        ("a.tif", "CLC+ Backbone raster 2018", "clc-plus"),
        ("CLMS_CLCplus_RASTER_2021_010m_eu_03035_V1_1.tif", "", "clc-plus"),
        ("a.tif", "Dynamic World label", "dynamic-world"),
    ],
)
def test_a_file_that_names_its_product_is_read_so(stack, tmp_path, capsys, name, text, scheme):
    labels = classes(tmp_path / name, [1, 3, 7, 8])
    band(labels, text)
    assert prep(stack, tmp_path / "run", "--labels", labels) == 0
    assert f"labels: scheme {scheme}\n" in capsys.readouterr().out


def test_names_of_other_classes_tell_nothing(stack, tmp_path, capsys):
    labels = classes(tmp_path / "map.tif", [1, 3, 7, 8])
    rat(labels, {1: "Oats", 3: "Rye", 7: "Sealed", 8: "Beets"})
    assert prep(stack, tmp_path / "run", "--labels", labels) == 2
    assert "fit several label schemes" in capsys.readouterr().err


def test_labels_are_brought_to_another_scheme(stack, tmp_path, capsys):
    run, labels = tmp_path / "run", classes(tmp_path / "wc.tif", [10, 30, 40, 80])
    words = ["--labels", labels, "--scheme", "worldcover", "--to", "corine"]
    assert prep(stack, run, *words) == 2 and not run.exists()
    (line,) = error_lines(capsys.readouterr().err)
    assert "fewer than two of its classes have a single class in CORINE, level 3" in line
    assert "--level 1" in line
    assert prep(stack, run, *words, "--level", 1) == 0
    said = capsys.readouterr().out
    assert "labels: scheme worldcover, brought to corine, level 1\n" in said
    assert "note: 25.0 % of the labels have no single class in CORINE, level 1" in said
    codes = rasters.read_classes(run / "labels.tif")
    np.testing.assert_array_equal(codes, np.array([3, 0, 2, 5])[STRIPES])
    assert read_json(run / "legend.json")["level"] == 1
    assert read_json(run / "legend.json")["cell_m"] == pytest.approx(10, abs=0.1)


def test_labels_and_reference_of_two_schemes_meet_in_one(stack, tmp_path, capsys):
    labels = classes(tmp_path / "corine.tif", [211, 311, 112, 512], dtype=np.uint16)
    reference = classes(tmp_path / "wc.tif", [40, 10, 50, 80])
    both = ["--labels", labels, "--reference", reference, "--reference-scheme", "worldcover"]
    assert prep(stack, tmp_path / "run", *both) == 2
    assert "bring both to one scheme with --to" in capsys.readouterr().err
    assert prep(stack, tmp_path / "run", *both, "--to", "worldcover") == 0
    held = [rasters.read_classes(tmp_path / "run" / f"{n}.tif") for n in ("labels", "reference")]
    np.testing.assert_array_equal(*held)
    assert set(np.unique(held[0])) == {10, 40, 50, 80}


@pytest.fixture
def squares(tmp_path):
    """Squares of 50 m in the stripes, whose classes are those of the stripes less 1."""
    rows, cols = (places.ravel() for places in np.mgrid[5:120:12, 5:160:10])
    x, y = GRID.xy(rows, cols)
    shapes = shapely.box(x - 25, y - 25, x + 25, y + 25)
    names = np.array(["Non-irrigated arable land", "Broad-leaved forest", "Pastures", "Salines"])
    frame = {"use": names[(STRIPES[rows, cols] + 1) % 4]}
    path = tmp_path / "training.gpkg"
    geopandas.GeoDataFrame(frame, geometry=shapes, crs=GRID.crs).to_file(path)
    return path


def test_polygons_lead_over_labels_where_they_lie(stack, tmp_path, squares, capsys):
    labels = classes(tmp_path / "clc.tif", [211, 311, 231, 512], dtype=np.uint16)
    words = ["--labels", labels, "--polygons", squares, "--class-field", "use"]
    assert prep(stack, tmp_path / "run", *words) == 0
    said = capsys.readouterr().out
    assert "labels are those of polygons where these lie (" in said
    codes = rasters.read_classes(tmp_path / "run" / "labels.tif")
    number = rasters.read(tmp_path / "run" / "polygons.tif")[0]
    base = np.array([211, 311, 231, 512])[STRIPES]
    led = np.array([211, 311, 231, 422])[(STRIPES + 1) % 4]
    np.testing.assert_array_equal(codes, np.where(number > 0, led, base))
    assert len(np.unique(number)) == 1 + 10 * 16
    assert (np.bincount(number.ravel())[1:] == 25).all()
    legend = read_json(tmp_path / "run" / "legend.json")
    assert legend["title"] == "CORINE led by training polygons"


def test_invalid_polygons_are_told_by_their_ids(stack, tmp_path, squares, capsys):
    frame = geopandas.read_file(squares)
    x, y = frame.geometry[3].centroid.coords[0]
    bow = shapely.Polygon([(x - 30, y - 30), (x + 30, y + 30), (x + 30, y - 30), (x - 30, y + 30)])
    flat = shapely.Polygon([(x, y), (x + 30, y), (x, y)])
    frame.loc[3, "geometry"], frame.loc[5, "geometry"] = bow, flat
    path = tmp_path / "bad.gpkg"
    frame.to_file(path)
    words = ["--polygons", path, "--class-field", "use", "--scheme", "corine"]
    assert prep(stack, tmp_path / "run", *words) == 0
    said = capsys.readouterr().out
    assert "note: invalid geometry was repaired of 1 feature (id 4)\n" in said
    assert "note: 1 feature (id 6) of the polygons' file without an area: left out\n" in said
    shutil.rmtree(tmp_path / "run")
    frame = frame.set_crs(None, allow_override=True)
    with warnings.catch_warnings():  # that it has no CRS, which is the point
        warnings.simplefilter("ignore")
        frame.to_file(tmp_path / "nowhere.shp")
    words[1] = tmp_path / "nowhere.shp"
    assert prep(stack, tmp_path / "run", *words) == 2 and not (tmp_path / "run").exists()
    assert "nowhere.shp has no CRS; assign one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--to", "corine"], "brings a label raster to another scheme; give --labels"),
        (["--labels", "wc.tif", "--to", "farm"], "scheme 'farm' is unknown"),
        (
            ["--labels", "wc.tif", "--class-field", "use"],
            "is a field of polygons; give them with --polygons",
        ),
    ],
)
def test_options_that_need_others(stack, tmp_path, capsys, words, message):
    classes(tmp_path / "wc.tif", [10, 30, 40, 80])
    words = [tmp_path / word if word.endswith(".tif") else word for word in words]
    assert prep(stack, tmp_path / "run", *words) == 2
    assert message in capsys.readouterr().err
