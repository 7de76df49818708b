"""Samples, splits and segments as a GeoPackage, read with other programs than it was written."""

import sqlite3
from contextlib import closing
from xml.etree import ElementTree as Xml

import geopandas
import numpy as np
import pytest
import shapely
from rasterio.features import rasterize

from landcover import cli
from landcover.errors import LandcoverError
from landcover.files import raster_writer, tables
from landcover.files.atomic import write_json
from landcover.run import Run
from landcover.samples.blocks import SPLITS, Blocks
from landcover.stages.export_vectors import export_vectors, vectors_of
from tests.conftest import error_lines, utm_grid

ROWS, COLS = 70, 90
GRID = utm_grid(ROWS, COLS)
BLOCKS = Blocks(ROWS, COLS, 30, 4, splits=np.array([[0, 2, 1], [2, 0, 0]], np.uint8))


def make_run(path):
    """A run with a scene, samples, splits and segments that nobody had to compute."""
    run, rng = Run(path), np.random.default_rng(3)
    image = rng.uniform(0, 0.4, (4, ROWS, COLS)).astype(np.float32)
    raster_writer.write(run.scene, image, GRID, ["B02", "B03", "B04", "B08"], np.nan)
    write_json(run.splits, BLOCKS.to_dict())
    segments = np.arange(ROWS * COLS).reshape(ROWS, COLS) // 1000 + 1
    segments[:, :3] = 0
    raster_writer.write(run.segments, segments.astype(np.uint32), GRID, ["segment"], 0)
    pixels = np.bincount(segments.ravel())[1:]
    numbers = np.arange(1, len(pixels) + 1, dtype=np.uint32)
    held = {"segment": numbers, "pixels": pixels, "B02": np.linspace(0, 1, len(pixels))}
    tables.write(run.path / "segments.parquet", held | {"segment_type": numbers.astype(np.uint8)})
    rows, cols = np.divmod(np.arange(0, ROWS * COLS, 7), COLS)
    columns = {"row": rows.astype(np.int32), "col": cols.astype(np.int32)}
    columns["label"] = rng.choice([112, 211, 311], len(rows)).astype(np.uint16)
    columns["split"] = np.array(SPLITS)[BLOCKS.split_of(rows, cols)]
    points = shapely.points(*GRID.xy(rows, cols))
    table = geopandas.GeoDataFrame(columns, geometry=points, crs=GRID.crs)
    tables.write(run.samples, tables.plain_text(table))
    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("vectors") / "Jena süd 1")
    export_vectors(run)
    return run


def test_the_file_is_a_geopackage_of_version_1_3(exported):
    with closing(sqlite3.connect(exported.vectors)) as base:
        (application,) = base.execute("PRAGMA application_id").fetchone()
        (version,) = base.execute("PRAGMA user_version").fetchone()
        contents = dict(base.execute("SELECT table_name, data_type FROM gpkg_contents"))
        assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (application.to_bytes(4, "big"), version) == (b"GPKG", 10300)
    assert contents == {
        "samples": "features", "splits": "features", "segments": "features",
        "layer_styles": "attributes",
    }  # fmt: skip
    assert [p.name for p in exported.path.glob(".*")] == []


def test_samples_are_the_rows_of_the_table(exported):
    written = geopandas.read_file(exported.vectors, layer="samples")
    table = tables.read(exported.samples, "", geometry=True)
    assert written.columns.tolist() == table.columns.tolist()
    for name in table.columns.drop("geometry"):
        assert written[name].tolist() == table[name].tolist(), name
    assert written.geometry.geom_equals(table.geometry).all()
    assert written.crs == table.crs


def test_splits_cover_the_scene_once_and_say_what_the_guard_takes(exported):
    written = geopandas.read_file(exported.vectors, layer="splits")
    assert written.is_valid.all()
    assert shapely.area(shapely.union_all(written.geometry)) == written.area.sum()
    assert written.area.sum() == ROWS * COLS * 100

    def burnt(codes):
        shapes = zip(written.geometry, codes, strict=True)
        return rasterize(shapes, GRID.shape, transform=GRID.transform, fill=99, dtype="int32")

    at = np.indices(GRID.shape)
    whole = next(iter(GRID.windows(1000)))
    assert np.array_equal(burnt(written["block"]), BLOCKS.block_of(*at))
    assert np.array_equal(burnt(written["split"].map(SPLITS.index)), BLOCKS.split_of(*at))
    uses = ("guard", *SPLITS)
    assert np.array_equal(burnt(written["use"].map(uses.index)), BLOCKS.usable(whole))
    assert "guard" in set(written["use"])


def test_segments_have_their_means_and_types(exported):
    written = geopandas.read_file(exported.vectors, layer="segments").set_index("segment")
    table = tables.read(exported.path / "segments.parquet", "").set_index("segment")
    assert written.index.tolist() == table.index.tolist()
    for name in table:
        assert written[name].tolist() == table[name].tolist(), name
    assert (written.area == 100 * table["pixels"]).all()


def test_every_layer_has_one_default_style_of_well_formed_xml(exported):
    with closing(sqlite3.connect(exported.vectors)) as base:
        rows = base.execute(
            "SELECT f_table_name, f_geometry_column, useAsDefault, styleQML FROM layer_styles"
        ).fetchall()
    styles = {name: Xml.fromstring(qml) for name, _, _, qml in rows}
    assert len(rows) == 3
    assert {(column, default) for _, column, default, _ in rows} == {("geom", 1)}
    shown = [c.attrib for c in styles["samples"].iter("category")]
    assert [c["value"] for c in shown] == ["112", "211", "311"]
    assert shown[1]["label"] == "211 Non-irrigated arable land"
    uses = [c.get("value") for c in styles["splits"].iter("category")]
    assert uses == ["train", "validation", "test", "guard"]


def test_what_a_run_lacks_is_left_out_and_said(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    run.segments.unlink()
    assert cli.main(["export", str(run.path), "--vectors", "gpkg", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "no segments in this run; make them with: landcover segment" in said
    assert set(geopandas.list_layers(tmp_path / "vectors.gpkg")["name"]) == {
        "samples", "splits", "layer_styles"
    }  # fmt: skip
    for path in (run.samples, run.splits):
        path.unlink()
    assert cli.main(["export", str(run.path), "--vectors", "gpkg"]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "neither samples nor segments; make them with: landcover sample" in line


def test_a_table_of_other_segments_is_refused_and_nothing_is_written(tmp_path):
    run = make_run(tmp_path / "run")
    table = tables.read(run.path / "segments.parquet", "")
    for spoilt in (table.assign(pixels=table["pixels"] + 1), table[:-1], table[::-1]):
        tables.write(run.path / "segments.parquet", spoilt)
        with pytest.raises(LandcoverError, match=r"segments.parquet does not have segment \d+ of"):
            export_vectors(run)
    assert not run.vectors.exists()
    assert not [path for path in run.path.iterdir() if path.name.startswith(".")]


def test_vectors_are_made_again_only_where_the_run_has_changed(tmp_path):
    run = make_run(tmp_path / "run")
    assert vectors_of(run) == run.vectors
    first = run.vectors.stat().st_mtime_ns
    moved = Run(run.path.rename(tmp_path / "elsewhere"))
    assert vectors_of(moved).stat().st_mtime_ns == first
    table = tables.read(moved.samples, "", geometry=True)
    tables.write(moved.samples, table[:10])
    assert len(geopandas.read_file(vectors_of(moved), layer="samples")) == 10


def test_vectors_of_a_run_are_its_own_after_an_export_to_another_folder(tmp_path):
    run = make_run(tmp_path / "run")
    export_vectors(run)
    tables.write(run.samples, tables.read(run.samples, "", geometry=True)[:10])
    (tmp_path / "out").mkdir()
    export_vectors(run, tmp_path / "out")
    assert len(geopandas.read_file(vectors_of(run), layer="samples")) == 10
