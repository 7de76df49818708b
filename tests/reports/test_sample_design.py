"""A drawn sample as a form and its design beside it: what the form shows, and what is noticed."""

import shutil
import sqlite3
from contextlib import closing
from xml.etree import ElementTree as Xml

import geopandas
import numpy as np
import pandas
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from landcover.errors import InputError
from landcover.grid import Grid
from landcover.legend import corine
from landcover.reports.reference_sample import form, read_sample, write_sample
from landcover.reports.sample_design import Design, design_path, read_design
from tests.conftest import utm_grid

GRID = utm_grid(50, 60)
SIZES = {1: 1200, 2: 1500, 3: 300}


def drawn(folder, grid=GRID):
    """A sample of 30 points of three strata, with classes filled in."""
    rng = np.random.default_rng(4)
    rows, cols = np.divmod(np.sort(rng.choice(50 * 60, 30, replace=False)), 60)
    design = Design.of(grid, rows, cols, rng.permutation(np.repeat([1, 2, 3], 10)), SIZES)
    path, beside = write_sample(folder / "map_points.gpkg", grid, design, corine().legend)
    frame = geopandas.read_file(path, layer=path.stem)
    frame["reference"] = 211
    return path, beside, design, frame


def read(frame, path, designs, grid=GRID):
    frame.to_file(path)
    return read_sample(path, grid, corine(), designs=designs)


def test_the_points_say_nothing_of_strata(tmp_path):
    path, beside, design, frame = drawn(tmp_path)
    assert frame.columns.tolist() == ["id", "reference", "design_key", "geometry"]
    assert frame["id"].tolist() == list(range(1, 31))
    assert set(frame["design_key"]) == {design.key}
    assert beside == design_path(path)
    table = pandas.read_csv(beside)
    assert table["stratum_px"].tolist() == [SIZES[h] for h in table["stratum"]]
    assert table["weight"].sum() == pytest.approx(sum(SIZES.values()))
    back = read_design(beside)
    assert back.key == design.key and back.sizes == SIZES
    assert np.array_equal(back.strata, design.strata) and np.array_equal(back.x, design.x)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "parquet", "shp"])
def test_strata_come_from_the_design_in_every_format(tmp_path, suffix):
    _, beside, design, frame = drawn(tmp_path)
    path = tmp_path / f"filled.{suffix}"
    frame = frame.sample(frac=1, random_state=1).to_crs(4326)
    (frame.to_parquet if suffix == "parquet" else frame.to_file)(path)
    sample = read_sample(path, GRID, corine(), designs=[beside])
    assert sample.strata.tolist() == design.strata[frame["id"] - 1].tolist()
    assert (sample.sizes, sample.remark) == (SIZES, "")


def test_plots_about_the_points_are_of_their_strata(tmp_path):
    _, beside, design, frame = drawn(tmp_path)
    plots = frame.set_geometry(frame.buffer(25, cap_style="square"))
    sample = read(plots, tmp_path / "plots.gpkg", [beside])
    assert np.array_equal(sample.strata, design.strata)


def test_deleted_and_added_points_are_said(tmp_path):
    _, beside, design, frame = drawn(tmp_path)
    more = frame.iloc[[0]].assign(id=None, design_key=None)
    more = more.set_geometry([shapely.Point(*GRID.xy(1, 1))], crs=GRID.crs)
    kept = pandas.concat([frame[~frame["id"].isin([3, 17])], more], ignore_index=True)
    sample = read(kept, tmp_path / "kept.gpkg", [beside])
    assert sample.strata.tolist() == [*np.delete(design.strata, [2, 16]), 0]
    assert sample.sizes == SIZES
    assert sample.remark.startswith("2 of 30 drawn points are missing from the file: 3, 17. The")
    assert sample.remark.endswith("1 units were added to the drawn sample.")


def moved(frame, ids, by):
    places = frame.geometry.where(~frame["id"].isin(ids), frame.translate(*by))
    return frame.set_geometry(places)


def test_moved_points_are_refused_by_their_numbers(tmp_path):
    _, beside, design, frame = drawn(tmp_path)
    within = read(moved(frame, [5], (4.9, 0)), tmp_path / "within.gpkg", [beside])
    assert np.array_equal(within.strata, design.strata)
    away = moved(moved(frame, [5], (5.1, 0)), [12], (0, -40))
    with pytest.raises(InputError) as caught:
        read(away, tmp_path / "away.gpkg", [beside])
    assert str(caught.value) == (
        f"{tmp_path}/away.gpkg: 2 points lie up to 4.0 pixels from where they were drawn: 5, 12; a "
        f"class is that of the drawn pixel: move them back to their x and y in {beside}"
    )


def test_copies_of_points_are_refused(tmp_path):
    _, beside, _, frame = drawn(tmp_path)
    copies = pandas.concat([frame, moved(frame, [9], (30, 0))[8:9]], ignore_index=True)
    with pytest.raises(InputError, match=r"points of the sample twice, by their field id: 9; each"):
        read(copies, tmp_path / "copies.gpkg", [beside])


def test_a_sample_without_its_design_is_refused(tmp_path):
    _, beside, design, frame = drawn(tmp_path)
    with pytest.raises(InputError, match=rf"its design {design.key}, which .* is neither beside"):
        read(frame, tmp_path / "alone.gpkg", [])
    spoilt = tmp_path / "spoilt_design.csv"
    spoilt.write_text(beside.read_text("utf-8").replace(",1200,", ",1201,"), "utf-8")
    with pytest.raises(InputError, match=r"spoilt_design.csv was changed since the sample was"):
        read(frame, tmp_path / "alone.gpkg", [spoilt])
    spoilt.write_text("id,x\n1,2\n", "utf-8")
    with pytest.raises(InputError, match=r"spoilt_design.csv is no design of a sample"):
        read(frame, tmp_path / "alone.gpkg", [spoilt])
    assert read(frame, tmp_path / "alone.gpkg", [spoilt, beside]).sizes == SIZES
    frame.loc[3, "design_key"] = "0" * 12
    with pytest.raises(InputError, match=r"holds points of 2 drawn samples .*; assess one at a"):
        read(frame, tmp_path / "two.gpkg", [beside])
    # without the field it is a user's own sample
    assert read(frame.drop(columns="design_key"), tmp_path / "own.gpkg", []).strata is None


def test_neither_the_points_nor_their_design_are_overwritten(tmp_path):
    path, beside, design, _ = drawn(tmp_path)
    held = beside.read_bytes()
    with pytest.raises(InputError, match=r"may hold classes that somebody filled in; move it away"):
        write_sample(path, GRID, design, corine().legend)
    shutil.move(path, tmp_path / "kept.gpkg")
    with pytest.raises(InputError, match=r"_design.csv exists, and the sample that was drawn with"):
        write_sample(path, GRID, design, corine().legend)
    assert not path.exists() and beside.read_bytes() == held


def test_the_form_names_classes_and_hides_the_rest(tmp_path):
    path, *_ = drawn(tmp_path)
    with closing(sqlite3.connect(path)) as base:
        ((layer, default, qml),) = base.execute(
            "SELECT f_table_name, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
        assert base.execute("PRAGMA user_version").fetchone() == (10300,)
    assert (layer, default, qml) == ("map_points", 1, form(GRID, corine().legend))
    root = Xml.fromstring(qml)
    widgets = {f.get("name"): f.find("editWidget").get("type") for f in root.iter("field")
               if f.find("editWidget") is not None}  # fmt: skip
    assert widgets == dict.fromkeys(("fid", "id", "design_key"), "Hidden") | {
        "reference": "ValueMap"
    }
    assert {f.get("name") for f in root.iter("field") if f.get("editable") == "0"} == {
        "fid", "id", "design_key"
    }  # fmt: skip
    choices = [
        (o.get("name"), o.get("value")) for o in root.iterfind(".//Option[@name='map']/Option/*")
    ]
    assert choices[1] == ("cannot tell", "0")
    assert ("211 Non-irrigated arable land", "211") in choices
    assert len(choices) == 2 + 44
    assert [rule.get("label") for rule in root.iter("rule")] == ["to do", "cannot tell", "done"]


def test_squares_have_the_size_of_a_pixel(tmp_path):
    wide = Grid(CRS.from_epsg(4326), Affine(2e-4, 0, 13, 0, -1e-4, 52), 50, 60)
    root = Xml.fromstring(form(wide, corine().legend))
    for side, size in (("width", 2e-4), ("height", 1e-4)):
        sizes = {float(o.get("value")) for o in root.iter("Option")
                 if o.get("name") == f"symbol_{side}"}  # fmt: skip
        assert sizes == {size}
    fills = {o.get("value") for o in root.iter("Option") if o.get("name") == "color"}
    assert fills == {"0,0,0,0"}
