from __future__ import annotations

import argparse
import inspect
import json
import re
from collections import namedtuple
from dataclasses import fields

import geopandas
import numpy as np
import pyarrow.parquet
import pytest
from affine import Affine
from rasterio.crs import CRS
from shapely.geometry import box

import landcover as lc
from landcover.cli import main
from landcover.commands import COMMANDS
from landcover.errors import LandcoverError
from landcover.files import raster_writer
from landcover.files.atomic import read_json
from landcover.grid import Grid, Window
from landcover.legend import Legend, corine
from landcover.run import Run
from landcover.samples import feature_columns, layers, rows
from landcover.samples.blocks import SPLITS, Blocks
from landcover.samples.correlation import correlation
from landcover.samples.table import Draw
from landcover.scene import features
from landcover.scene.feature_names import DEFAULTS, FEATURES, Layers
from landcover.stages import inputs
from landcover.stages.run_legend import write_nomenclature
from landcover.stages.sample import sample
from tests.conftest import error_lines
from tests.fixtures.windowed import TEXTURE

ROWS, COLS = 192, 256
BANDS = ("B02", "B03", "B04", "B08")
GRID = Grid(CRS.from_epsg(32633), Affine(10, 0, 300000, 0, -10, 5800000), ROWS, COLS)


def make_run(folder, codes=(211, 211, 211, 231, 312, 512), segments=False, reference=False):
    """A scene with gaps and labels in squares, some unlabelled, some on nodata."""
    rng = np.random.default_rng(0)
    cell = rng.integers(-1, len(codes), (ROWS // 16, COLS // 16))
    labels = np.array([*codes, 0], np.uint16)[cell].repeat(16, 0).repeat(16, 1)
    image = rng.uniform(0.02, 0.5, (4, ROWS, COLS)).astype(np.float32)
    image[:, 40:60, 30:90] = np.nan
    image[2, 100:110, 100:140] = np.nan  # one band alone
    run = Run(folder / "run")
    raster_writer.write(run.scene, image, GRID, BANDS, nodata=np.nan)
    raster_writer.write(run.labels, labels, GRID, ["class"], 0, Legend.corine().subset(set(codes)))
    if reference:
        raster_writer.write(run.reference, np.roll(labels, 3, axis=1), GRID, ["class"], 0)
    if segments:
        ids = np.arange(1, ROWS * COLS + 1, dtype=np.uint32).reshape(ROWS, COLS)
        raster_writer.write(run.segments, ids, GRID, ["segment"], 0)
        types = np.stack([ids % 6 + 1, ids % 4 + 1]).astype(np.uint8)
        raster_writer.write(run.segment_types, types, GRID, ["percentile", "hierarchy-4"], 0)
    return run, image, labels


def table_of(run):
    return geopandas.read_parquet(run.samples)


def test_the_table_says_of_each_sample_what_the_rasters_say(tmp_path):
    run, image, labels = make_run(tmp_path, segments=True, reference=True)
    paths = sample(run, Draw(3000))
    assert paths == [run.splits, run.samples] and all(path.exists() for path in paths)
    table = table_of(run)
    assert list(table.columns) == [
        *("row", "col", "x", "y", "label", "reference", "block", "split", "random_test"),
        *BANDS,
        *("ndvi", "ndwi", "bi2", "segment", "segment_type", "segment_type_hierarchy_4"),
        "geometry",
    ]
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    assert len(table) == 3000 == len(set(zip(rows, cols, strict=True)))
    assert np.array_equal(table["label"], labels[rows, cols]) and (table["label"] > 0).all()
    assert np.array_equal(table["reference"], np.roll(labels, 3, axis=1)[rows, cols])
    assert np.array_equal(table[list(BANDS)].to_numpy().T, image[:, rows, cols])
    expected = features.compute_features(image, BANDS)[:, rows, cols]
    assert np.array_equal(table[list(DEFAULTS)].to_numpy().T, expected)
    assert not table.isna().any().any()
    assert np.array_equal(table["segment"], rows * COLS + cols + 1)
    assert np.array_equal(table["segment_type"], table["segment"] % 6 + 1)
    assert np.array_equal(table["segment_type_hierarchy_4"], table["segment"] % 4 + 1)
    assert table.crs.to_epsg() == 32633
    assert np.array_equal(table.geometry.x, 300000 + 10 * cols + 5)
    assert np.array_equal(table["y"], table.geometry.y)
    assert np.array_equal(table["y"], 5800000 - 10 * rows - 5)


def test_a_column_of_a_window_is_what_a_map_computes(tmp_path, monkeypatch):
    """At nodata, at the scene's edge and where strips meet, by whichever windows it is read."""
    monkeypatch.setitem(FEATURES, TEXTURE.name, TEXTURE)
    monkeypatch.setattr(feature_columns, "STRIP_ROWS", 50)
    run, image, _ = make_run(tmp_path)
    sample(run, Draw(3000, features=["savi", TEXTURE.name]))
    table = table_of(run)
    assert not set(DEFAULTS) & set(table) and not table.isna().any().any()
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    dense = features.compute_features(padded, BANDS, ["savi", TEXTURE.name])
    expected = dense[:, table["row"], table["col"]]
    assert np.array_equal(table[["savi", TEXTURE.name]].to_numpy().T, expected)


def test_columns_that_a_table_lacks_are_computed(tmp_path, monkeypatch):
    monkeypatch.setitem(FEATURES, TEXTURE.name, TEXTURE)
    run, _, _ = make_run(tmp_path)
    names = (*DEFAULTS, "evi", TEXTURE.name)
    sample(run, Draw(2000, features=names))
    full = rows.read_samples(run.samples)
    sample(run, Draw(2000))
    short = rows.read_samples(run.samples)
    assert "evi" not in short
    assert inputs.pixel_inputs(run, short) == Layers(BANDS, DEFAULTS)
    seen = inputs.pixel_inputs(run, short, ("bands", *names))
    assert seen == Layers(BANDS, names)
    made = rows.with_features(run.scene, short, seen)
    assert "evi" not in short and made[list(names)].equals(full[list(names)])


def test_features_that_the_scene_cannot_have_are_refused_first(tmp_path):
    run, _, _ = make_run(tmp_path)
    with pytest.raises(LandcoverError, match=r"feature ndmi needs swir16 \(B11\)"):
        sample(run, Draw(2000, features=["ndmi"]))
    assert not run.samples.exists()


def test_splits_of_the_table_are_those_of_the_blocks_outside_the_guard(tmp_path):
    run, _, _ = make_run(tmp_path)
    sample(run, Draw(3000))
    table, blocks = table_of(run), Blocks.from_dict(read_json(run.splits))
    rows, cols = table["row"].to_numpy(), table["col"].to_numpy()
    usable = blocks.usable(Window(0, 0, ROWS, COLS))[rows, cols]
    assert np.array_equal(np.array(SPLITS)[usable.astype(int) - 1], table["split"].astype(str))
    assert np.array_equal(table["block"], blocks.block_of(rows, cols))
    test = (table["split"] == "test").to_numpy()
    marked = table["random_test"].to_numpy(bool)
    assert not marked[~test].any()
    assert marked.sum() == pytest.approx(test.sum() / 2, abs=4)
    for split in SPLITS:
        assert set(table["label"][table["split"] == split]) == {211, 231, 312, 512}


def test_no_training_chip_of_the_announced_size_overlaps_a_scored_pixel(tmp_path):
    run, _, _ = make_run(tmp_path)
    sample(run, Draw(4000), max_patch=25)
    table, blocks = table_of(run), Blocks.from_dict(read_json(run.splits))
    assert blocks.guard_px == 12
    held = blocks.split_of(*np.indices((ROWS, COLS)))[None].astype(np.float32)
    train = table[table["split"] == "train"]
    seen = lc.chips(held, train["row"].to_numpy(), train["col"].to_numpy(), 25)[:]
    assert len(seen) > 500 and not np.isin(seen, [1, 2]).any()


@pytest.mark.parametrize("method", ["uniform", "stratified"])
def test_samples_do_not_depend_on_the_height_of_strips(tmp_path, monkeypatch, method):
    run, _, _ = make_run(tmp_path)
    drawn = []
    for height in (512, 192, 50, 7):
        monkeypatch.setattr(layers, "STRIP_ROWS", height)
        sample(run, Draw(1500, method=method), seed=3)
        drawn.append(run.samples.read_bytes())
    assert len(set(drawn)) == 1


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    run, _, _ = make_run(tmp_path)
    written = []
    for seed in (1, 1, 2):
        sample(run, Draw(500), seed=seed)
        written.append((run.samples.read_bytes(), run.splits.read_bytes()))
    assert written[0] == written[1] != written[2]


def test_test_samples_stand_for_area_even_when_training_is_stratified(tmp_path):
    run, image, labels = make_run(tmp_path)
    sample(run, Draw(4000, method="stratified"))
    table, blocks = table_of(run), Blocks.from_dict(read_json(run.splits))
    of_test = blocks.usable(Window(0, 0, ROWS, COLS)) == 3
    eligible = of_test & np.isfinite(image).all(axis=0) & (labels > 0)
    share = {c: (labels[eligible] == c).mean() for c in (211, 231, 312, 512)}
    test = table.loc[table["split"] == "test", "label"]
    assert len(test) == 800
    for code, expected in share.items():
        assert (test == code).mean() == pytest.approx(expected, abs=0.06), code
    train = table[table["split"] == "train"]
    counts = train["label"].value_counts()
    assert counts.max() - counts.min() <= 1


def test_polygons_limit_training_and_validation_but_not_testing(tmp_path):
    run, _, _ = make_run(tmp_path)
    path = tmp_path / "areas.gpkg"
    area = box(300000, 5798500, 301500, 5800000)  # cols 0-149, rows 0-149
    geopandas.GeoDataFrame(geometry=[area], crs=32633).to_crs(4326).to_file(path)
    sample(run, Draw(1200, method="polygons", polygons=path))
    table = table_of(run)
    inside = (table["col"] < 151) & (table["row"] < 151)
    test = table["split"] == "test"
    assert inside[~test].all() and not inside[test].all()
    assert set(table["split"]) == set(SPLITS)


def test_a_class_field_replaces_the_labels_and_needs_none(tmp_path):
    run, _, _ = make_run(tmp_path)
    run.labels.unlink()
    rng = np.random.default_rng(1)
    corners = [(x, y) for x in range(0, COLS, 16) for y in range(0, ROWS, 16)]
    shapes = [
        box(300000 + 10 * x, 5800000 - 10 * y - 100, 300100 + 10 * x, 5800000 - 10 * y)
        for x, y in corners
    ]
    codes = rng.choice(["211", "312"], len(shapes))
    path = tmp_path / "classes.geojson"
    geopandas.GeoDataFrame({"clc": codes}, geometry=shapes, crs=32633).to_crs(4326).to_file(path)
    sample(run, Draw(900, method="polygons", polygons=path, class_field="clc"))
    table = table_of(run)
    within = (table["col"] % 16 < 10) & (table["row"] % 16 < 10)
    assert within.mean() > 0.97  # edges that are straight in degrees
    known = {(x // 16, y // 16): int(c) for (x, y), c in zip(corners, codes, strict=True)}
    for row, col, label in table.loc[within, ["row", "col", "label"]].itertuples(index=False):
        assert known[col // 16, row // 16] == label


def test_classes_of_polygons_follow_the_level_of_the_runs_labels(tmp_path):
    run, _, labels = make_run(tmp_path)
    raster_writer.write(run.labels, labels // 100, GRID, ["class"], 0)
    shapes = [box(300000, 5798000, 301000, 5800000), box(301200, 5798000, 302560, 5800000)]
    path = tmp_path / "classes.gpkg"
    geopandas.GeoDataFrame({"clc": [211, 512]}, geometry=shapes, crs=32633).to_file(path)
    sample(run, Draw(900, polygons=path, class_field="clc"))
    assert set(table_of(run)["label"]) == {2, 5}


def test_chips_are_written_in_the_order_of_the_table(tmp_path, monkeypatch):
    run, image, _ = make_run(tmp_path)
    monkeypatch.setattr(layers, "STRIP_ROWS", 50)
    paths = sample(run, Draw(600), buffer=6)
    assert paths[-1] == run.path / "chips_6.npy"
    written = np.load(paths[-1], mmap_mode="r", allow_pickle=False)
    table = table_of(run)
    assert written.shape == (600, 13, 13, 4) and written.dtype == np.float32
    whole = lc.chips(image, table["row"].to_numpy(), table["col"].to_numpy(), 13)[:]
    assert np.array_equal(written, whole, equal_nan=True)
    assert np.array_equal(written[:, 6, 6], table[list(BANDS)].to_numpy())
    assert Blocks.from_dict(read_json(run.splits)).guard_px >= 6
    sample(run, Draw(600), buffer=1)
    assert [path.name for path in run.path.glob("chips*")] == ["chips_1.npy"]


def test_rare_classes_are_left_out_and_said(tmp_path):
    run, _, labels = make_run(tmp_path)
    labels[0, :30] = 111
    raster_writer.write(run.labels, labels, GRID, ["class"], 0)
    sample(run, Draw(2000, min_count=31))
    assert 111 not in set(table_of(run)["label"])
    settings = read_json(run.manifest)["stages"]["sample"]["settings"]
    assert settings["dropped_classes"] == {"111": 30}
    assert settings["classes"] == [211, 231, 312, 512]
    assert sum(settings["drawn"].values()) == 2000
    sample(run, Draw(40_000, min_count=30))
    assert 111 in set(table_of(run)["label"])


def sampled(run):
    stage = read_json(run.manifest)["stages"]["sample"]
    return {row["code"]: row for row in stage["class_splits"]}, stage["notes"]


def test_a_class_of_one_block_trains_and_is_said_not_to_be_tested(tmp_path):
    run, _, labels = make_run(tmp_path)
    for seed in range(4):
        labels[:] = np.where(labels == 512, 312, labels)
        labels[70:80, 90:100] = 512
        raster_writer.write(run.labels, labels, GRID, ["class"], 0)
        sample(run, Draw(20_000), seed=seed, block_px=20)
        classes, notes = sampled(run)
        lake = classes[512]
        assert lake["held"]["pixels"] == 100 and lake["held"]["blocks"] in (1, 2)
        assert lake["samples"]["train"] > 0 and lake["samples"]["test"] == 0
        drawn = table_of(run).query("label == 512")["split"].value_counts().to_dict()
        assert {k: v for k, v in lake["samples"].items() if v} == drawn
        assert len(notes) == 1 and notes[0].startswith(
            "class 512 Water bodies is not considered where settings are chosen, and not tested: "
            "its 100 labelled pixels lie in "
        )


def test_classes_that_are_left_out_are_said_with_the_reason(tmp_path):
    run, image, labels = make_run(tmp_path)
    labels[0, :30] = 111
    labels[100:110, 50:60] = 121
    image[:, 100:110, 50:60] = np.nan
    raster_writer.write(run.labels, labels, GRID, ["class"], 0)
    _scene(run, image)
    sample(run, Draw(2000, min_count=31))
    classes, notes = sampled(run)
    assert set(classes[111]["samples"].values()) == {0}
    assert notes == [
        "class 111 Continuous urban fabric is left out: its 30 labelled pixels are fewer than 31",
        "class 121 Industrial or commercial units is left out: none of its 100 labelled pixels "
        "has data",
    ]


def test_a_class_that_a_uniform_draw_misses_is_said(tmp_path):
    run, _, labels = make_run(tmp_path)
    labels[labels == 512] = 312
    labels[70:80, 90:98] = 512
    raster_writer.write(run.labels, labels, GRID, ["class"], 0)
    sample(run, Draw(100), block_px=20)
    _, notes = sampled(run)
    (note,) = [note for note in notes if "512 Water bodies" in note]
    assert "(outside the guard: " in note and "none was drawn in train" in note
    sample(run, Draw(100, "stratified"), block_px=20)
    classes, _ = sampled(run)
    assert classes[512]["samples"]["train"] > 0


def test_the_file_is_geoparquet_with_plain_types(tmp_path):
    run, _, _ = make_run(tmp_path, segments=True)
    sample(run, Draw(500))
    schema = pyarrow.parquet.read_schema(run.samples)
    geo = json.loads(schema.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert column["encoding"] == "WKB" and column["geometry_types"] == ["Point"]
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32633}
    assert len(column["bbox"]) == 4
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["split"] == "string" and types["random_test"] == "bool"
    assert types["row"] == "int32" and types["label"] == "uint16" and types["B02"] == "float"
    assert types["segment"] == "uint32" and types["segment_type"] == "uint8"


def _scene(run, pixels):
    raster_writer.write(run.scene, pixels.astype(np.float32), GRID, BANDS, nodata=np.nan)


def _labels(run, pixels, grid=GRID):
    raster_writer.write(run.labels, pixels.astype(np.uint16), grid, ["class"], 0)


ELSEWHERE = Grid(GRID.crs, GRID.transform @ Affine.translation(1, 0), ROWS, COLS)
FULL_DISK = namedtuple("usage", "total used free")(1, 1, 1000)


@pytest.mark.parametrize(
    ("spoil", "settings", "text"),
    [
        (
            lambda run: run.scene.unlink(),
            {},
            "scene.tif does not exist; make it with: landcover prep",
        ),
        (
            lambda run: run.labels.unlink(),
            {},
            "labels.tif does not exist; make it with: landcover prep",
        ),
        (
            lambda run: _scene(run, np.full((4, ROWS, COLS), np.nan)),
            {},
            "no pixel with data in all",
        ),
        (
            lambda run: _labels(run, np.full((ROWS, COLS), 211)),
            {},
            r"only class 211 of the labels is left where the scene has data; .* larger scene$",
        ),
        (
            lambda run: _labels(run, np.zeros((ROWS, COLS))),
            {},
            "no class of the labels is left where the scene has data; a classifier needs at least",
        ),
        (
            lambda run: _labels(run, np.full((ROWS, COLS), 7)),
            {},
            r"labels.tif: class codes 7 are not in the legend of CORINE",
        ),
        (
            lambda run: (
                write_nomenclature(run.legend, corine()),
                _labels(run, np.full((ROWS, COLS), 7)),
            ),
            {},
            r"codes \[7\] of the labels are not in the run's legend",
        ),
        (
            lambda run: _labels(run, np.ones((ROWS, COLS)), ELSEWHERE),
            {},
            "north-west corner differs by 10",
        ),
        (
            lambda run: run.scene.write_bytes(run.scene.read_bytes()[:9999]),
            {},
            "scene.tif cannot be read",
        ),
        (None, {"samples": 12}, "train would get . of 12 samples"),
        (
            None,
            {"min_count": 10**6},
            r"no class of the labels is left .*below 1000000 pixels: 211, 231, 312, 512\)"
            r".* with min_count=1$",
        ),
        (None, {"max_patch": 8}, "patch size 8 is even"),
        (None, {"max_patch": 193}, r"patch size 193 is larger than the scene \(192 x 256 pixels\)"),
        (
            None,
            {"max_patch": 161},
            r"only . of . blocks of 320 px \(3,200 m\) hold labels, too few",
        ),
        (None, {"buffer": -1}, "buffer -1 is negative"),
        (None, {"buffer": 200}, "patch size 401 is larger than the scene"),
        (None, {"method": "grid"}, "no sampling method 'grid'"),
        (None, {"method": "polygons"}, "method 'polygons' needs polygons"),
        (None, {"class_field": "clc"}, "class field 'clc' needs polygons"),
        (None, {"polygons": "none.gpkg"}, "none.gpkg does not exist"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_product(tmp_path, spoil, settings, text):
    run, _, _ = make_run(tmp_path)
    if spoil:
        spoil(run)
    before = sorted(run.path.iterdir())
    with pytest.raises(LandcoverError, match=text) as error:
        of_draw = {field.name for field in fields(Draw)}
        wanted = {key: value for key, value in settings.items() if key in of_draw}
        rest = {key: value for key, value in settings.items() if key not in of_draw}
        sample(run, Draw(**{"samples": 2000} | wanted), **rest)
    assert "\n" not in str(error.value)
    assert sorted(run.path.iterdir()) == before


def test_chips_that_the_disk_cannot_hold_are_refused_before_writing(tmp_path, monkeypatch):
    run, _, _ = make_run(tmp_path)
    before = sorted(run.path.iterdir())
    monkeypatch.setattr("shutil.disk_usage", lambda path: FULL_DISK)
    with pytest.raises(
        LandcoverError, match=r"radius 3 need 1,568,000 bytes and .* has 1,000 free"
    ):
        sample(run, Draw(2000), buffer=3)
    assert sorted(run.path.iterdir()) == before


def test_a_field_of_words_is_refused(tmp_path):
    run, _, _ = make_run(tmp_path)
    path = tmp_path / "a.gpkg"
    shapes = [box(300000, 5799000, 301000, 5800000)]
    geopandas.GeoDataFrame({"use": ["forest"]}, geometry=shapes, crs=32633).to_file(path)
    with pytest.raises(LandcoverError, match="field use holds 'forest', which is no class code"):
        sample(run, Draw(polygons=path, class_field="use"))


def test_blocks_are_as_wide_as_the_labels_are_alike(tmp_path, capsys):
    run, _, labels = make_run(tmp_path)
    coarse = labels[::16, ::16].repeat(40, 0).repeat(40, 1)[:ROWS, :COLS]
    found = []
    for pixels in (labels[::4, ::4].repeat(4, 0).repeat(4, 1), coarse):
        _labels(run, pixels)
        assert main(["sample", str(run.path), "--samples", "900"]) == 0
        said = capsys.readouterr().out
        settings = read_json(run.manifest)["stages"]["sample"]["settings"]
        dealt = read_json(run.splits)
        range_px = settings["label_correlation"]["range_px"]
        assert dealt["label_range_px"] == range_px == round(correlation(pixels).range_px, 1)
        assert dealt["block_px"] == settings["block_px"] and settings["block_px_from"] == "labels"
        assert f"blocks: {len(dealt['splits']) * len(dealt['splits'][0])} of " in said
        range_m, guard_m = 10 * range_px, 10 * dealt["guard_px"]
        alike = re.search(r"; labels are alike up to (\d+) px \((\d+) m\); guard ", said)
        assert int(alike[1]) == round(range_px) and float(alike[2]) == pytest.approx(range_m, 0.01)
        guard = re.search(r"; guard (\d+) px \((\d+) m\)\n", said)
        assert int(guard[1]) == dealt["guard_px"] and float(guard[2]) == pytest.approx(
            guard_m, 0.01
        )
        found.append((range_px, dealt["block_px"]))
    assert found[0][0] < found[1][0]
    assert found[1][0] > found[1][1] == 40  # 50 would leave 20, and a strip of 6 px


@pytest.mark.parametrize(("option", "block"), [("auto", 40), ("32", 32)])
def test_the_block_size_can_be_given(tmp_path, capsys, option, block):
    run, _, _ = make_run(tmp_path)
    assert main(["sample", str(run.path), "--samples", "900", "--block-px", option]) == 0
    settings = read_json(run.manifest)["stages"]["sample"]["settings"]
    assert settings["block_px"] == read_json(run.splits)["block_px"] == block
    assert settings["block_px_from"] == ("labels" if option == "auto" else "--block-px")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--block-px", "0"], "0 is out of range; give at least 1"),
        (["--block-px", "wide"], "'wide' is not a whole number"),
        (
            ["--block-px", "20", "--max-patch", "25"],
            "a guard of 12 px (120 m) leaves nothing of blocks of 20 px (200 m); choose blocks of "
            "at least 48 px (480 m)",
        ),
    ],
)
def test_a_bad_block_size_is_one_line(tmp_path, capsys, options, text):
    run, _, _ = make_run(tmp_path)
    try:
        code = main(["sample", str(run.path), *options])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert text in error_lines(capsys.readouterr().err)[-1]
    assert not run.splits.exists()


def test_the_api_takes_what_the_command_takes(tmp_path):
    run, _, labels = make_run(tmp_path)
    rare = min((labels[labels > 0].tolist().count(code), code) for code in (231, 312, 512))
    table = lc.sample(run, 1000, min_count=rare[0] + 1, features=["ndvi"], max_patch=3, buffer=2)
    assert "ndvi" in table and "ndwi" not in table
    assert rare[1] not in set(table["label"])
    chips = np.load(run.path / "chips_2.npy")
    assert chips.shape == (len(table), 5, 5, 4)
    np.testing.assert_allclose(chips[:, 2, 2], table[list(BANDS)], rtol=1e-6)
    settings = run.read_manifest()["stages"]["sample"]["settings"]
    assert (settings["min_count"], settings["buffer"]) == (rare[0] + 1, 2)


def test_the_api_has_every_option_of_the_command():
    """An option that the command gets later is not forgotten in Python."""
    parser = argparse.ArgumentParser()
    COMMANDS["sample"][1](parser)
    options = {action.dest for action in parser._actions} - {"help"}
    assert options == set(inspect.signature(lc.sample).parameters)
