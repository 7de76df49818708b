"""From a drawn sample to an assessment, against estimates from the arrays themselves."""

import resource
import signal
import subprocess
import sys

import geopandas
import numpy as np
import pandas
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from landcover import cli
from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer
from landcover.files.atomic import read_json
from landcover.grid import Grid, Window
from landcover.legend import LandClass, Legend, Nomenclature, corine
from landcover.reports.area_estimation import estimate
from landcover.reports.reference_sample import classes_of, read_sample
from landcover.reports.sample_design import design_path
from landcover.run import Run
from landcover.stages.assess import assess
from landcover.stages.sample_points import sample_points
from tests.conftest import error_lines, utm_grid
from tests.fixtures.band_files import tif
from tests.fixtures.ground import outline_ha

ROWS, COLS = 70, 90
CODES = np.array([112, 211, 311, 512])
LEGEND = Legend.corine().subset(CODES)
GRID = utm_grid(ROWS, COLS)
HA = GRID.areas_ha(Window(0, 0, ROWS, COLS))
EMPTY = (slice(0, 8), slice(0, 10))


class World:
    """A run with two maps of a known truth."""

    def __init__(self, path, grid=GRID):
        rng = np.random.default_rng(5)
        self.grid = grid
        self.truth = rng.choice(CODES, (ROWS, COLS), p=[0.1, 0.5, 0.3, 0.1])
        self.run = Run(path)
        self.maps = {}
        for name, wrong in (("cnn-7x7", 0.15), ("random-forest", 0.35)):
            is_wrong = rng.random((ROWS, COLS)) < wrong
            self.add(name, np.where(is_wrong, rng.choice(CODES, (ROWS, COLS)), self.truth))

    def add(self, name, codes):
        codes = codes.astype(np.uint16)
        codes[EMPTY] = 0
        self.maps[name] = codes
        raster_writer.write(self.run.map(name), codes, self.grid, ["class"], 0, LEGEND)

    def points(self, n=500, seed=0, **fields):
        """A simple random sample of points anywhere inside pixels, some where maps are empty."""
        rng = np.random.default_rng(seed)
        rows, cols = np.divmod(rng.choice(ROWS * COLS, n, replace=False), COLS)
        x, y = self.grid.xy(rows + rng.uniform(-0.4, 0.4, n), cols + rng.uniform(-0.4, 0.4, n))
        fields = fields or {"reference": self.truth[rows, cols]}
        frame = geopandas.GeoDataFrame(fields, geometry=shapely.points(x, y), crs=self.grid.crs)
        return frame, rows, cols


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Read only, save for its reports."""
    return World(tmp_path_factory.mktemp("world") / "run")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "run")


def fill_in(world, path):
    """What a person does in QGIS: the class of every drawn point."""
    frame = geopandas.read_file(path, layer=path.stem)
    rows, cols = world.grid.rowcol(frame.geometry.x, frame.geometry.y)
    frame["reference"] = world.truth[rows, cols]
    return frame, rows, cols


def saved(frame, path):
    (frame.to_parquet if path.suffix == ".parquet" else frame.to_file)(path)
    return path


def assessed(world, reference, name="cnn-7x7", **options):
    assess(world.run, reference, names=[name], **options)
    return read_json(world.run.report(f"{name}_assessment"))


def pixels_of(codes):
    held, counts = np.unique(codes[codes > 0], return_counts=True)
    return dict(zip(held.tolist(), counts.tolist(), strict=True))


def assert_same_estimates(report, expected):
    assert report["overall_accuracy"] == pytest.approx(expected["overall_accuracy"])
    assert report["overall_accuracy_ci95"] == pytest.approx(expected["overall_accuracy_ci95"])
    assert report["population_px"] == expected["population_px"]
    assert report["confusion"]["counts"] == expected["confusion"]["counts"]
    for code, scores in expected["per_class"].items():
        for name, value in scores.items():
            assert report["per_class"][code][name] == pytest.approx(value), (code, name)


def test_drawn_points_are_a_stratified_random_sample(world, tmp_path):
    path, _ = sample_points(world.run, "random-forest", 300, seed=3)
    assert path == world.run.path / "random-forest_points.gpkg"
    frame, rows, cols = fill_in(world, path)
    mapped = world.maps["random-forest"]
    at_points = mapped[rows, cols]
    assert (at_points > 0).all()
    assert len(set(zip(rows, cols, strict=True))) == len(frame) == 300
    sizes = pixels_of(mapped)
    design = pandas.read_csv(design_path(path))
    assert np.array_equal(design["id"], frame["id"])
    for code in CODES:
        one = design[at_points == code]
        assert one["stratum"].nunique() == 1
        assert (one["stratum_px"] == sizes[code]).all()
        assert len(one) >= 37  # 300 // (2 * 4): half of the sample at most makes up the least
    assert sorted(design["stratum"].unique()) == [1, 2, 3, 4]
    counts = [(at_points == code).sum() for code in CODES]
    assert counts[1] > counts[2] > counts[0]  # in proportion to area
    drawn = geopandas.read_file(path, layer=path.stem)
    assert drawn["reference"].isna().all()
    xs, ys = world.grid.xy(rows, cols)
    assert np.array_equal(frame.geometry.x, xs) and np.array_equal(frame.geometry.y, ys)
    assert np.array_equal(design["x"], xs) and np.array_equal(design["y"], ys)
    again, _ = sample_points(world.run, "random-forest", 300, seed=3, out=tmp_path / "again.gpkg")
    assert geopandas.read_file(again, layer="again").equals(drawn)
    other, _ = sample_points(world.run, "random-forest", 300, seed=4, out=tmp_path / "other.gpkg")
    assert not geopandas.read_file(other, layer="other").geometry.equals(frame.geometry)


def test_strips_and_windows_of_a_tall_scene(tmp_path):
    """Rows beyond the first strip and the first window are drawn, read and looked up too."""
    grid = utm_grid(1100, 30)
    codes = np.random.default_rng(8).choice(CODES, grid.shape).astype(np.uint16)
    run = Run(tmp_path / "run")
    raster_writer.write(run.map("cnn-7x7"), codes, grid, ["class"], 0, LEGEND)
    path, _ = sample_points(run, "cnn-7x7", 800)
    frame = geopandas.read_file(path, layer=path.stem)
    rows, cols = grid.rowcol(frame.geometry.x, frame.geometry.y)
    assert np.histogram(rows, [0, 512, 1024, 1100])[0] == pytest.approx([372, 372, 55], abs=50)
    at_points = codes[rows, cols]
    strata = pandas.read_csv(design_path(path))["stratum"]
    assert len(set(zip(at_points, strata, strict=True))) == 4
    assert np.array_equal(
        classes_of(run.map("cnn-7x7"), grid, frame.geometry.to_numpy()), at_points
    )
    whole = np.array([shapely.box(*grid.bounds)])
    most = CODES[np.argmax([(codes == code).sum() for code in CODES])]
    assert classes_of(run.map("cnn-7x7"), grid, whole).tolist() == [most]


def test_a_census_gives_the_truth_itself(world, tmp_path):
    path, _ = sample_points(world.run, "random-forest", 10**6)
    frame, *_ = fill_in(world, path)
    assert len(frame) == (world.maps["random-forest"] > 0).sum()
    report = assessed(world, saved(frame, tmp_path / "census.gpkg"), "random-forest")
    valid = world.maps["random-forest"] > 0
    right = HA[valid & (world.truth == world.maps["random-forest"])].sum() / HA[valid].sum()
    assert report["overall_accuracy"] == pytest.approx(right, rel=1e-9)
    assert report["overall_accuracy_se"] == 0
    for code in CODES:
        scores = report["per_class"][str(code)]
        assert scores["area_ha"] == pytest.approx(HA[valid & (world.truth == code)].sum(), rel=1e-9)
        mapped_ha = HA[world.maps["random-forest"] == code].sum()
        assert scores["mapped_ha"] == pytest.approx(mapped_ha, rel=1e-9)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "parquet"])
def test_a_drawn_sample_serves_every_map_of_the_scene(shared, tmp_path, suffix):
    """Its strata are those of the map that it was drawn from, for the other map as well."""
    path, _ = sample_points(shared.run, "random-forest", 300, out=tmp_path / "drawn.gpkg")
    frame, rows, cols = fill_in(shared, path)
    lon_lat = frame.to_crs(4326).drop(index=[0, 1, 2])
    reference = saved(lon_lat, tmp_path / f"filled.{suffix}")
    products = assess(shared.run, reference)
    assert [product.name for product in products] == [
        "assessment.md", "cnn-7x7_assessment.json", "random-forest_assessment.json"
    ]  # fmt: skip
    drawn_from = shared.maps["random-forest"]
    for name in ("cnn-7x7", "random-forest"):
        expected = estimate(
            frame["reference"][3:], shared.maps[name][rows, cols][3:],
            drawn_from[rows, cols][3:], pixels_of(drawn_from), areas=HA[rows, cols][3:],
        )  # fmt: skip
        report = read_json(shared.run.report(f"{name}_assessment"))
        assert_same_estimates(report, expected)
        assert report["strata"]["from"] == "strata of the sample"
        (remark,) = [text for text in report["remarks"] if "missing from the file" in text]
        assert remark.startswith("3 of 300 drawn points are missing from the file: 1, 2, 3. The")
        assert report["measure"] == "accuracy against a reference sample"


def test_a_random_sample_is_weighed_by_the_maps_own_classes(shared, tmp_path):
    frame, rows, cols = shared.points()
    frame.loc[:9, "reference"] = 0
    frame.loc[500] = [211, shapely.Point(0, 0)]
    report = assessed(shared, saved(frame, tmp_path / "points.gpkg"))
    mapped = shared.maps["cnn-7x7"]
    used = (mapped[rows, cols] > 0) & (np.arange(500) > 9)
    empty = ((mapped[rows, cols] == 0) & (np.arange(500) > 9)).sum()
    assert empty > 0
    assert report["left_out"] == {
        "outside the scene": 1,
        "without a class": 10,
        "outside the strata or where the map is empty": empty,
    }
    rows, cols = rows[used], cols[used]
    expected = estimate(
        shared.truth[rows, cols], mapped[rows, cols], mapped[rows, cols], pixels_of(mapped),
        areas=HA[rows, cols],
    )  # fmt: skip
    assert_same_estimates(report, expected)
    assert report["reference"]["units"] == 501 and report["reference"]["kind"] == "points"
    water = report["per_class"]["512"]
    assert water["name"] == "Water bodies"
    assert water["area_ha"] == pytest.approx(water["area_share"] * HA[mapped > 0].sum())
    assert report["remarks"][0].startswith("Units left out: 1 outside the scene, 10 without a")


def test_points_that_share_a_pixel_are_told(shared, tmp_path):
    """Two points in each of three pixels, one of them with another class."""
    frame, _, _ = shared.points(300)
    plain = assessed(shared, saved(frame, tmp_path / "plain.gpkg"))
    assert not any("share a pixel" in remark for remark in plain["remarks"])
    beside = frame.iloc[:3].copy()
    places = np.stack([beside.geometry.x, beside.geometry.y])
    rows, cols = GRID.rowcol(*places)
    middle = np.stack(GRID.xy(rows, cols))
    beside.geometry = shapely.points(*(middle + (middle - places) / 2))
    used = beside["reference"].to_numpy().copy()
    used[0] = CODES[used[0] != CODES][0]
    beside["reference"] = used
    both = pandas.concat([frame, beside], ignore_index=True)
    report = assessed(shared, saved(both, tmp_path / "both.gpkg"))
    (remark,) = [text for text in report["remarks"] if "share a pixel" in text]
    assert remark.startswith("6 points share a pixel with another (3 pixels); in 1 of these")
    assert report["reference"]["units"] == 303


def test_polygons_as_strata_are_called_what_they_are(shared, tmp_path):
    frame, _, _ = shared.points()
    plots = frame.set_geometry(frame.buffer(20))
    path = saved(frame, tmp_path / "points.gpkg")
    with pytest.raises(LandcoverError) as caught:
        assess(shared.run, path, strata=saved(plots, tmp_path / "strata.gpkg"))
    assert str(caught.value).endswith(
        "strata.gpkg is vector data (layer strata) and no raster; give a raster here"
    )
    scaled = tmp_path / "scaled.tif"
    tif(scaled, np.ones((1, ROWS, COLS), np.uint16), grid=GRID, tags={"scales": [0.1]})
    with pytest.raises(LandcoverError, match=r"scaled.tif has the scale 0.1 and the offset 0"):
        assess(shared.run, path, strata=scaled)


def test_strata_of_a_raster(shared, tmp_path):
    """Such as coarse labels: counted where the map is, and units outside them are left out."""
    strata = np.repeat(np.arange(1, 8), 10)[:, None].repeat(COLS, axis=1).astype(np.uint16)
    strata[:, 80:] = 0
    path = tmp_path / "strata.tif"
    raster_writer.write(path, strata, GRID, ["stratum"], 0)
    frame, rows, cols = shared.points()
    report = assessed(shared, saved(frame, tmp_path / "points.gpkg"), strata=path)
    mapped = shared.maps["cnn-7x7"]
    both = np.where(mapped > 0, strata, 0)
    used = both[rows, cols] > 0
    rows, cols = rows[used], cols[used]
    expected = estimate(
        shared.truth[rows, cols], mapped[rows, cols], both[rows, cols], pixels_of(both),
        areas=HA[rows, cols],
    )  # fmt: skip
    assert_same_estimates(report, expected)
    assert report["per_class"]["211"]["mapped_ha"] == pytest.approx(
        HA[(both > 0) & (mapped == 211)].sum()
    )
    assert report["strata"]["from"] == f"classes of {path}"
    assert sum(report["strata"]["units"].values()) == used.sum()


def test_a_drawn_unit_where_another_map_is_empty_is_its_error(world, tmp_path):
    path, _ = sample_points(world.run, "random-forest", 300)
    frame, rows, _ = fill_in(world, path)
    holes = world.maps["cnn-7x7"].copy()
    holes[40:] = 0
    world.add("cnn-7x7", holes)
    report = assessed(world, saved(frame, tmp_path / "filled.gpkg"))
    assert report["per_class"]["0"]["name"] == "No prediction"
    assert report["per_class"]["0"]["n_mapped"] == (rows >= 40).sum()
    assert report["n_units"] == 300
    assert report["overall_accuracy"] < 0.6


def test_polygons_are_units_with_the_class_of_most_of_their_pixels(shared, tmp_path):
    mapped = shared.maps["cnn-7x7"]
    rng = np.random.default_rng(2)
    rows, cols = rng.integers(9, ROWS - 3, 150), rng.integers(11, COLS - 3, 150)
    x, y = GRID.xy(rows, cols)
    plots = shapely.box(x - 15, y - 15, x + 15, y + 15)  # 3 x 3 pixels about the drawn one
    windows = [mapped[r - 1 : r + 2, c - 1 : c + 2] for r, c in zip(rows, cols, strict=True)]
    counts = [np.bincount(window.ravel()) for window in windows]
    expected = np.array([count.argmax() for count in counts])
    assert np.array_equal(classes_of(shared.run.map("cnn-7x7"), GRID, plots), expected)
    frame = geopandas.GeoDataFrame(
        {"kind": shared.truth[rows, cols].astype(str)}, geometry=plots, crs=GRID.crs
    )
    path = saved(frame, tmp_path / "plots.gpkg")
    report = assessed(shared, path, class_field="kind")
    assert report["reference"]["kind"] == "polygons"
    strata = mapped[rows, cols]  # of the pixels that were drawn, not of the plots about them
    direct = estimate(
        shared.truth[rows, cols], expected, strata, pixels_of(mapped), areas=HA[rows, cols]
    )
    assert_same_estimates(report, direct)


def test_classes_of_odd_units(shared):
    path = shared.run.map("cnn-7x7")
    mapped = shared.maps["cnn-7x7"]
    x, y = (float(v) for v in GRID.xy(20, 30))
    north, west = GRID.bounds[3], GRID.bounds[0]
    units = {
        "a corner of a pixel": (shapely.box(x + 1, y + 1, x + 3, y + 3), mapped[20, 30]),
        "half outside": (shapely.box(west - 50, y - 4, west + 9, y + 4), mapped[20, 0]),
        "beside the scene": (shapely.box(west - 50, y - 4, west, y + 4), -1),
        "where the map is empty": (shapely.box(west, north - 50, west + 50, north), 0),
        "no place at all": (shapely.Point(np.inf, np.inf), -1),
        "on the last pixel": (shapely.Point(*(float(v) for v in GRID.xy(69, 89))), mapped[69, 89]),
        "just outside": (shapely.Point(west - 0.1, y), -1),
        "the whole scene": (shapely.box(*GRID.bounds), np.bincount(mapped.ravel()).argmax()),
    }  # fmt: skip
    found = classes_of(path, GRID, np.array([unit for unit, _ in units.values()]))
    assert dict(zip(units, found.tolist(), strict=True)) == {
        name: int(code) for name, (_, code) in units.items()
    }


def test_plots_about_random_pixels_estimate_the_area_of_their_majority(tmp_path):
    """A class in scattered pixels fills no plot: its plots are few, and no bias comes of it."""
    world = World(tmp_path / "run")
    mapped = world.maps["random-forest"]
    rng = np.random.default_rng(4)
    inner = np.zeros_like(mapped, bool)
    inner[9:-1, 11:-1] = True
    rows, cols = np.nonzero(inner)
    squares = np.lib.stride_tricks.sliding_window_view(world.truth, (3, 3))[8:, 10:]
    majority = np.array([np.bincount(square.ravel()).argmax() for square in squares.reshape(-1, 9)])
    world.add("random-forest", np.where(inner, mapped, 0))
    drawn = rng.choice(rows.size, 700, replace=False)
    x, y = GRID.xy(rows[drawn], cols[drawn])
    frame = geopandas.GeoDataFrame(
        {"reference": majority[drawn]},
        geometry=shapely.box(x - 15, y - 15, x + 15, y + 15),
        crs=GRID.crs,
    )
    report = assessed(world, saved(frame, tmp_path / "plots.gpkg"), "random-forest")
    arable = report["per_class"]["211"]
    assert arable["area_share"] == pytest.approx((majority == 211).mean(), abs=0.04)
    low, high = arable["area_share_ci95"]
    assert low <= (majority == 211).mean() <= high


def test_ties_go_to_the_lower_code(world):
    codes = np.full((ROWS, COLS), 512)
    codes[10] = 211
    world.add("tie", codes)
    x, y = (float(v) for v in GRID.xy(10, 20))
    two_rows = np.array([shapely.box(x - 5, y - 15, x + 5, y + 5)])
    assert classes_of(world.run.map("tie"), GRID, two_rows).tolist() == [211]


def test_a_coarser_reference_is_met_at_its_own_level(shared, tmp_path):
    frame, rows, cols = shared.points()
    frame["reference"] = frame["reference"] // 100
    report = assessed(shared, saved(frame, tmp_path / "points.gpkg"))
    mapped = shared.maps["cnn-7x7"]
    used = mapped[rows, cols] > 0
    rows, cols = rows[used], cols[used]
    expected = estimate(
        shared.truth[rows, cols] // 100, mapped[rows, cols] // 100, mapped[rows, cols],
        pixels_of(mapped), Legend.corine(1), HA[rows, cols],
    )  # fmt: skip
    assert report["level"] == 1
    assert_same_estimates(report, expected)
    artificial = report["per_class"]["1"]
    assert artificial["name"] == "Artificial surfaces"
    assert artificial["mapped_ha"] == pytest.approx(HA[mapped // 100 == 1].sum())


def test_rare_and_unmet_classes_are_told(world, tmp_path):
    codes = world.maps["cnn-7x7"].copy()
    codes[60, 50:53] = 131
    world.legend = Legend.corine().subset([*CODES, 131])
    raster_writer.write(world.run.map("cnn-7x7"), codes, GRID, ["class"], 0, world.legend)
    frame, rows, cols = world.points(300)
    keep = codes[rows, cols] != 131
    report = assessed(world, saved(frame[keep], tmp_path / "points.gpkg"))
    assert report["strata"]["joined"] == {"131": 3}
    assert report["unmet"] == ["131"]
    assert report["population_px"] == (codes > 0).sum()
    text = (world.run.path / "reports" / "assessment.md").read_text("utf-8")
    assert "Strata 131 (0.0 % of the area) hold fewer than 2 units" in text
    assert "Classes 131 are on the map, but no unit met them" in text


def test_the_page_holds_the_estimates(shared, tmp_path):
    frame, *_ = shared.points()
    assess(shared.run, saved(frame, tmp_path / "points.gpkg"))
    report = read_json(shared.run.report("random-forest_assessment"))
    text = (shared.run.path / "reports" / "assessment.md").read_text("utf-8")
    low, high = (100 * bound for bound in report["overall_accuracy_ci95"])
    overall = f"{100 * report['overall_accuracy']:.1f} % ({low:.1f}–{high:.1f})"
    assert f"| random forest | {overall} | {report['n_units']} | classes of the map |" in text
    arable = report["per_class"]["211"]
    low, high = arable["area_ha_ci95"]
    area = f"{arable['area_ha']:,.1f} ({low:,.1f}–{high:,.1f})"
    assert f"| {arable['mapped_ha']:,.1f} | {area} |" in text
    cell, count = (report["confusion"][part][1][2] for part in ("proportions", "counts"))
    assert f"| {100 * cell:.1f} ({count}) |" in text
    assert "agreement" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    widths = {line.count("|") for line in tables if line.startswith(("| 211", "| true"))}
    assert len(tables) == 3 + 2 * (2 + 4) + 2 * (2 + 4) + 1
    assert widths == {9, 7}
    settings = shared.run.read_manifest()["stages"]["assess"]["settings"]
    assert settings == {"models": ["cnn-7x7", "random-forest"], "class_field": None, "strata": None}


@pytest.mark.parametrize(("epsg", "transform"), [
    (4326, Affine(1e-4, 0, 13, 0, -1e-4, 52)),
    (3857, Affine(10, 0, 1500000, 0, -10, 6800000)),
    (2263, Affine(32.80833, 0, 980000, 0, -32.80833, 200000)),
])  # fmt: skip
def test_areas_are_those_on_the_ground_in_every_crs(tmp_path, epsg, transform):
    world = World(tmp_path / "run", Grid(CRS.from_epsg(epsg), transform, ROWS, COLS))
    frame, *_ = world.points()
    report = assessed(world, saved(frame, tmp_path / "points.gpkg"))
    whole = outline_ha(world.grid)
    mapped = (world.maps["cnn-7x7"] == 211).mean() * whole
    assert report["per_class"]["211"]["mapped_ha"] == pytest.approx(mapped, rel=1e-4)
    valid = (world.maps["cnn-7x7"] > 0).mean() * whole
    estimated = sum(scores["area_ha"] for scores in report["per_class"].values())
    assert estimated == pytest.approx(valid, rel=1e-4)


def test_tall_maps_weigh_pixels_by_their_area(tmp_path):
    """From 30 to 60 N a pixel in degrees loses 42 % of its width: counts are no areas."""
    tall = Grid(CRS.from_epsg(4326), Affine(0.4, 0, 0, 0, -0.4, 60), ROWS, COLS)
    world = World(tmp_path / "run", tall)
    north = np.arange(ROWS)[:, None].repeat(COLS, axis=1) < ROWS // 2
    world.truth = np.where(north, 311, 211)
    world.add("cnn-7x7", world.truth)
    path, _ = sample_points(world.run, "cnn-7x7", 10**6)
    frame, *_ = fill_in(world, path)
    report = assessed(world, saved(frame, tmp_path / "census.gpkg"))
    ha = world.grid.areas_ha(Window(0, 0, ROWS, COLS))
    valid = world.maps["cnn-7x7"] > 0
    share = report["per_class"]["311"]["area_share"]
    assert share == pytest.approx(ha[north & valid].sum() / ha[valid].sum(), rel=1e-5)
    assert share < 0.45


def test_units_without_a_stratum_were_added_later(world, tmp_path):
    path, _ = sample_points(world.run, "random-forest", 300)
    frame, *_ = fill_in(world, path)
    frame.loc[300] = [301, 211, None, shapely.Point(*GRID.xy(30, 30))]
    frame = frame.set_crs(GRID.crs, allow_override=True)
    report = assessed(world, saved(frame, tmp_path / "more.gpkg"))
    assert report["n_units"] == 300
    assert list(report["left_out"].values()) == [1]
    assert "1 units were added to the drawn sample." in report["remarks"][0]


def test_classes_may_be_named_as_the_legend_and_the_form_do(shared, tmp_path):
    frame, *_ = shared.points()
    codes = frame["reference"].to_numpy()
    names = [LEGEND[code].name for code in codes]
    shown = [f"{code} {name}" for code, name in zip(codes, names, strict=True)]
    mixed = [*names[:100], *shown[100:200], *map(str, codes[200:])]
    path = saved(frame.assign(reference=mixed), tmp_path / "named.gpkg")
    np.testing.assert_array_equal(read_sample(path, GRID, corine()).classes, codes)


@pytest.mark.parametrize(
    ("level", "names", "expected"),
    [
        (3, ["Pastures"], [231]),  # a name of two levels is of the one worked at
        (2, ["Pastures"], [23]),
        (3, ["Pastures", "Forests"], [23, 31]),  # and else of the one that has all names
        (3, ["cannot tell", "to do", "Pastures", None], [0, 0, 231, 0]),
    ],
)
def test_names_are_of_one_level(tmp_path, level, names, expected):
    places = shapely.points([GRID.xy(10, col) for col in range(len(names))])
    frame = geopandas.GeoDataFrame({"reference": names}, geometry=places, crs=GRID.crs)
    path = saved(frame, tmp_path / "named.gpkg")
    found = read_sample(path, GRID, corine().at(level))
    assert found.classes.tolist() == expected


BAD = {
    "no_field": (lambda f: f.rename(columns={"reference": "kind"}), "no field 'reference'; .*kind"),
    "words": (
        lambda f: f.assign(reference="forest"),
        "holds 'forest', which is no class code or name; give class codes such as 523, "
        "or names such as 'Sea and ocean'",
    ),
    "parts": (lambda f: f.assign(reference=211.5), "holds '211.5', which is no class code"),
    "empty": (lambda f: f.assign(reference=None), "field reference is empty; fill in the class"),
    "unsure": (
        lambda f: f.assign(reference=0),
        r"field reference says 'cannot tell' \(0\) at all 40 places, so nothing can be estimated",
    ),
    "unsure or empty": (
        lambda f: f.assign(reference=["cannot tell", ""] * 20),
        r"'cannot tell' \(0\) at 20 of 40 places and is empty at the others",
    ),
    "names of two levels": (
        lambda f: f.assign(reference=["Pastures", "Agricultural areas"] * 20),
        "reference: codes 2, 231 mix",
    ),
    "unknown": (lambda f: f.assign(reference=999), "holds 999, which CORINE lacks"),
    "mixed": (lambda f: f.assign(reference=[2, 211] * 20), r"reference: codes 2, 211 mix"),
    "far": (
        lambda f: f.set_geometry(f.geometry.translate(1e5)),
        r"none of the 40 reference units can be used \(40 outside the scene\)",
    ),
    "lines": (lambda f: f.set_geometry(f.geometry.buffer(9).boundary), "LineString; each sampled"),
    "several": (
        lambda f: f.set_geometry([shapely.MultiPoint([g, (0, 0)]) for g in f.geometry]),
        "several points in one feature",
    ),
    "design": (
        lambda f: f.assign(stratum=1, stratum_px=range(40)),
        "stratum 1 has several sizes in its field stratum_px",
    ),
    "few": (
        lambda f: f.assign(stratum=1, stratum_px=30),
        "stratum 1 has 40 units in the sample and 30",
    ),
    "elsewhere": (
        lambda f: f.assign(stratum=1, stratum_px=9000, geometry=f.geometry.translate(1e5)),
        "40 points lie outside the scene, but carry the design",
    ),
    "none": (lambda f: f[:0], "holds no features"),
    "infinite": (
        lambda f: f.set_geometry([shapely.Point(np.inf, g.y) for g in f.geometry]),
        "40 features have coordinates that are no finite numbers",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_unusable_references_are_one_line_and_change_nothing(case, world, tmp_path, capsys):
    change, message = BAD[case]
    frame, rows, cols = world.points(60)
    frame = frame[world.maps["cnn-7x7"][rows, cols] > 0][:40].reset_index(drop=True)
    path = saved(change(frame), tmp_path / f"{case}.gpkg")
    before = sorted(world.run.path.rglob("*"))
    with pytest.raises(LandcoverError, match=message):
        assess(world.run, path)
    assert cli.main(["assess", str(world.run.path), "--reference", str(path)]) == 2
    assert len(error_lines(capsys.readouterr().err)) == 1
    assert sorted(world.run.path.rglob("*")) == before


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_other_unusable_input(world, tmp_path):
    frame, *_ = world.points()
    path = saved(frame, tmp_path / "points.gpkg")
    with pytest.raises(LandcoverError, match=r"nowhere.gpkg does not exist; give a GeoPackage"):
        assess(world.run, tmp_path / "nowhere.gpkg")
    (tmp_path / "broken.gpkg").write_bytes(b"no")
    (tmp_path / "broken.parquet").write_bytes(b"no")
    for name in ("broken.gpkg", "broken.parquet"):
        with pytest.raises(LandcoverError, match=f"{name} cannot be read as vector data"):
            assess(world.run, tmp_path / name)
    frame.set_crs(None, allow_override=True).to_file(tmp_path / "placeless.gpkg")
    with pytest.raises(LandcoverError, match=r"placeless.gpkg has no CRS; assign one"):
        assess(world.run, tmp_path / "placeless.gpkg")
    with pytest.raises(
        LandcoverError,
        match=r"none.tif does not exist; the run's maps are cnn-7x7, .*; its model is not there",
    ):
        assess(world.run, path, names=["none"])
    with pytest.raises(LandcoverError, match=r"run folder .*other does not exist; check the path"):
        assess(Run(tmp_path / "other"), path)
    (tmp_path / "other").mkdir()
    with pytest.raises(LandcoverError, match="has no map in maps/"):
        assess(Run(tmp_path / "other"), path)
    strata = tmp_path / "strata.tif"
    raster_writer.write(strata, np.ones((20, 20), np.uint16), utm_grid(20, 20), ["stratum"], 0)
    with pytest.raises(LandcoverError, match=r"strata.tif is not on the grid of .*cnn-7x7.tif"):
        assess(world.run, path, strata=strata)
    raster_writer.write(strata, np.zeros((ROWS, COLS), np.uint16), GRID, ["stratum"], 0)
    with pytest.raises(LandcoverError, match="have no pixel in common"):
        assess(world.run, path, strata=strata)


def test_a_sample_that_cannot_be_drawn(world):
    with pytest.raises(LandcoverError, match=r"none.tif does not exist"):
        sample_points(world.run, "none")
    with pytest.raises(LandcoverError, match=r"15 points are too few for the 4 classes .* 16"):
        sample_points(world.run, "cnn-7x7", 15)
    path, _ = sample_points(world.run, "cnn-7x7", 16)
    before = path.read_bytes()
    with pytest.raises(LandcoverError, match="exists and may hold classes that somebody filled in"):
        sample_points(world.run, "cnn-7x7", 100)
    assert path.read_bytes() == before
    world.add("void", np.zeros((ROWS, COLS)))
    with pytest.raises(LandcoverError, match="no mapped pixel to draw"):
        sample_points(world.run, "void")


@pytest.mark.parametrize("room", [20_000, 60_000])
def test_a_full_disk_leaves_no_sample(shared, tmp_path, room):
    """A limit on the size of files stands in for a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    command = [sys.executable, "-m", "landcover.cli", "sample-points", str(shared.run.path)]
    done = subprocess.run(
        [*command, "--model", "cnn-7x7", "--out", str(tmp_path / "new" / "points.gpkg")],
        capture_output=True, text=True, preexec_fn=limit, check=False,
    )  # fmt: skip
    errors = error_lines(done.stderr)
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1 and "check free disk space" in errors[0], errors
    assert not list((tmp_path / "new").iterdir())


def test_several_layers_and_points_with_height(world, tmp_path):
    frame, *_ = world.points(100)
    frame = frame.set_geometry(shapely.force_3d(frame.geometry.to_numpy(), 12.0), crs=GRID.crs)
    path = tmp_path / "layers.gpkg"
    frame[:60].to_file(path, layer="mine")
    frame[60:].to_crs(4326).to_file(path, layer="hers")
    with pytest.raises(InputError, match=r"several layers with features: mine, hers"):
        read_sample(path, GRID, corine())
    assert read_sample(f"{path}|layername=hers", GRID, corine()).classes.size == 40
    path = saved(frame, tmp_path / "one.gpkg")
    sample = read_sample(path, GRID, corine())
    assert sample.classes.size == 100
    assert shapely.distance(
        sample.geometries, shapely.force_2d(frame.geometry.to_numpy())
    ).max() < 1e-3  # fmt: skip


def test_a_place_that_is_there_twice_is_refused(world, tmp_path):
    frame, *_ = world.points(100)
    twice = pandas.concat([frame, frame.iloc[[7]]], ignore_index=True)
    path = saved(twice, tmp_path / "twice.gpkg")
    with pytest.raises(InputError, match=r"points 8 and 101 are the same place .* count twice"):
        read_sample(path, GRID, corine())


def test_features_without_a_geometry_are_said(world, tmp_path):
    frame, _, _ = world.points(40)
    lost = frame[:2].set_geometry([None, shapely.Point()], crs=frame.crs)
    path = saved(pandas.concat([frame, lost], ignore_index=True), tmp_path / "p.gpkg")
    sample = read_sample(path, world.grid, corine())
    assert sample.classes.size == 40
    assert sample.remark == "2 features without a geometry are left out."


def test_strata_of_several_bands_are_refused(world, tmp_path):
    frame, _, _ = world.points(40)
    codes = np.stack([world.maps["cnn-7x7"].astype(np.uint16)] * 2)
    strata = raster_writer.write(tmp_path / "s.tif", codes, world.grid, ["a", "b"], nodata=0)
    with pytest.raises(
        InputError, match=r"s.tif has 2 bands \(a, b\), and a raster of classes has"
    ):
        assess(world.run, saved(frame, tmp_path / "p.gpkg"), strata=strata)


def test_the_commands_go_the_whole_way(world, tmp_path, capsys):
    run = str(world.run.path)
    assert cli.main(["sample-points", run, "--model", "cnn-7x7", "--n", "200"]) == 0
    drawn = world.run.path / "cnn-7x7_points.gpkg"
    assert str(drawn) in capsys.readouterr().out
    frame, *_ = fill_in(world, drawn)
    path = saved(frame, tmp_path / "filled.gpkg")
    assert cli.main(["assess", run, "--reference", str(path), "--model", "cnn-7x7"]) == 0
    out = capsys.readouterr().out
    report = read_json(world.run.report("cnn-7x7_assessment"))
    assert f"maps {100 * report['overall_accuracy']:.1f} % of the area right" in out
    assert not world.run.report("random-forest_assessment").exists()
    with pytest.raises(SystemExit) as stop:
        cli.main(["assess", run])
    assert stop.value.code == 2
    assert "the following arguments are required: --reference" in capsys.readouterr().err


def test_codes_that_two_levels_have_are_the_maps_and_are_named(tmp_path):
    groups = [LandClass(code, f"group {code}", (code, 0, 0)) for code in (1, 1, 2, 2)]
    fine = [LandClass(code, f"class {code}", (0, code, 0)) for code in (1, 2, 3, 4)]
    mine = Nomenclature.of("mine", "Mine", zip(groups, fine, strict=True))
    frame = geopandas.GeoDataFrame(
        {"reference": [1, 2, 2]}, geometry=shapely.points([[0, 0], [1, 1], [2, 2]]), crs=GRID.crs
    )
    frame.to_file(tmp_path / "points.gpkg")
    for level, names in ((2, "1 class 1, 2 class 2"), (1, "1 group 1, 2 group 2")):
        sample = read_sample(tmp_path / "points.gpkg", GRID, mine.at(level))
        assert sample.nomenclature.level == level
        assert f"classes of level {level}, that of the map ({names})" in sample.remark
        assert f"level {3 - level} has the same codes" in sample.remark
    frame["reference"] = [1, 2, 3]
    frame.to_file(tmp_path / "points.gpkg")
    sample = read_sample(tmp_path / "points.gpkg", GRID, mine.at(1))
    assert (sample.nomenclature.level, sample.remark) == (2, "")
