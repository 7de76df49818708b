"""A scene with bands beside reflectance: elevation, distances, stacks."""

from __future__ import annotations

from dataclasses import replace

import geopandas
import numpy as np
import pytest
from shapely.geometry import LineString, box

import landcover as lc
from landcover import cli
from landcover.errors import InputError
from landcover.files import raster_writer, rasters
from landcover.grid import Window
from landcover.scene.layers import require_names
from landcover.sensors import reflectance_bands
from landcover.sources.stack import open_stack
from tests.conftest import utm_grid
from tests.fixtures.sentinel2_files import CORE, write_bands

GRID = utm_grid(60, 80)


@pytest.fixture
def sources(tmp_path, rng):
    """Files of a scene: bands, a DEM that lacks a corner, roads, and embeddings of 8 bits."""
    write_bands(tmp_path)
    dem = np.full((60, 80), 250.0, np.float32)
    dem[:6, :8] = np.nan
    raster_writer.write(tmp_path / "dem.tif", dem, GRID, ["Band 1"], np.nan)
    road = LineString([(300_000, 5_799_705), (300_800, 5_799_705)])
    geopandas.GeoDataFrame(geometry=[road], crs=GRID.crs).to_file(tmp_path / "roads.gpkg")
    embeddings = rng.integers(-127, 128, (6, 60, 80)).astype(np.int8)
    embeddings[:, 50:, 70:] = -128
    names = [f"A0{number}" for number in range(6)]
    raster_writer.write(tmp_path / "emb.tif", embeddings, GRID, names, -128)
    return tmp_path


def bands(folder):
    return [folder / f"{name}.tif" for name in CORE]


def everything(folder):
    return {
        "dem": folder / "dem.tif",
        "distance": {"roads": folder / "roads.gpkg"},
        "inside": {"roads": folder / "roads.gpkg"},
        "stack": folder / "emb.tif",
    }


def test_layers_stand_behind_reflectance_under_their_names(sources):
    run = lc.prepare(sources / "run", bands(sources), **everything(sources))
    further = ("elevation", "roads_distance", "roads_mask", *(f"A0{n}" for n in range(6)))
    assert rasters.band_names(run.scene) == (*CORE, *further)
    scene = rasters.read(run.scene)
    plain = lc.prepare(sources / "plain", bands(sources))
    np.testing.assert_array_equal(scene[:4], rasters.read(plain.scene))
    assert np.isnan(scene[4, :6, :8]).all() and np.nanmin(scene[4]) == 250
    assert scene[5, 29, 3] == 0 and scene[5, 0, 0] == pytest.approx(290, rel=2e-3)
    assert scene[6].sum() == 80
    assert np.isnan(scene[7:, 55, 75]).all()
    np.testing.assert_array_equal(
        scene[7:, :50], rasters.read(sources / "emb.tif").astype(float)[:, :50]
    )


def test_pixels_that_a_layer_lacks_are_said_and_kept(sources):
    run = lc.prepare(sources / "run", bands(sources), **everything(sources))
    prep = run.read_manifest()["stages"]["prep"]
    assert prep["pixels"]["data"] == 4800  # of reflectance
    said = [note.split(": ")[1] for note in prep["notes"]]
    assert said == [
        "1.0 % of the scene's pixels with data have no elevation",
        "2.1 % of the scene's pixels with data have no A00 ... A05",
    ]
    assert [layer["bands"][0] for layer in prep["settings"]["layers"]] == [
        "elevation", "roads_distance", "roads_mask", "A00",
    ]  # fmt: skip


def test_an_area_of_interest_cuts_layers_too(sources):
    area = (300_100, 5_799_600, 300_500, 5_799_900)
    whole = lc.prepare(sources / "whole", bands(sources), **everything(sources))
    part = lc.prepare(sources / "part", bands(sources), aoi=area, **everything(sources))
    np.testing.assert_allclose(  # metres are those of the middle of the scene
        rasters.read(part.scene), rasters.read(whole.scene, Window(10, 10, 30, 40)), rtol=1e-5
    )
    ring = geopandas.GeoDataFrame(geometry=[box(*area).boundary.buffer(40)], crs=GRID.crs)
    ring.to_file(sources / "ring.gpkg")
    holed = lc.prepare(
        sources / "holed", bands(sources), aoi=sources / "ring.gpkg", **everything(sources)
    )
    scene = rasters.read(holed.scene)
    np.testing.assert_array_equal(np.isnan(scene[0]), np.isnan(scene[5]))
    assert np.isnan(scene[0]).any()


def prep(folder, *more):
    given = [str(path) for path in bands(folder)]
    return cli.main(["prep", "--bands", *given, "--out", str(folder / "run"), *map(str, more)])


def test_the_command_takes_them(sources, capsys):
    roads = f"roads={sources / 'roads.gpkg'}"
    assert not prep(
        sources, "--dem", sources / "dem.tif", "--distance", roads, "--inside", roads,
        "--stack", f"{sources / 'emb.tif'}:late",
    )  # fmt: skip
    assert "1.0 % of the scene's pixels with data have no elevation" in capsys.readouterr().out
    names = rasters.band_names(sources / "run" / "scene.tif")
    assert names[4:8] == ("elevation", "roads_distance", "roads_mask", "late_A00")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--distance", "roads.gpkg"], "--distance roads.gpkg names no features; give NAME=FILE"),
        (["--inside", "a=x.gpkg", "a=y.gpkg"], "--inside a= was given twice"),
        (["--dem", "none.tif"], "none.tif does not exist"),
        (["--dem", "{}/roads.gpkg"], "roads.gpkg is vector data (layer roads) and no raster"),
        (["--distance", "roads={}/roads.gpkg|layername=rails"], "has no layer 'rails'"),
        (["--stack", "{}/emb.tif", "{}/emb.tif"], "emb.tif and {}/emb.tif both give a band A00"),
        (
            ["--stack", "{}/dem.tif:B05"],
            "gives a band B05, which is the name of one of Sentinel-2 MSI",
        ),
        (["--stack", "{}/dem.tif:ndvi"], "a band ndvi, which is the name of a feature"),
        (["--stack", "{}/dem.tif:label"], "a band label, which is the name of a column"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(sources, capsys, options, says):
    assert prep(sources, *(text.format(sources, sources) for text in options)) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says.format(sources) in line
    assert not (sources / "run").exists()


def test_layers_without_a_scene_are_refused(sources, capsys):
    assert cli.main(["prep", "--dem", str(sources / "dem.tif")]) == 2
    assert "layers were given without a scene" in capsys.readouterr().err


def test_a_dem_without_a_value_on_the_scene_is_refused(sources):
    nothing = np.full((60, 80), np.nan, np.float32)
    raster_writer.write(sources / "dem.tif", nothing, GRID, ["Band 1"], np.nan)
    with pytest.raises(InputError, match=r"dem.tif has no value of elevation at any pixel"):
        lc.prepare(sources / "run", bands(sources), dem=sources / "dem.tif")


def test_names_meet_across_files(sources):
    stack = open_stack(sources / "emb.tif")
    with pytest.raises(InputError, match=r"x.tif and .*emb.tif both give a band A03"):
        require_names([stack], ["B02", "A03"], "x.tif")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("slope", "a feature or role"),
        ("pc1", "a feature or role"),
        ("nir", "a feature or role"),
        ("bands", "a feature or role"),
        ("segment_ha", "a feature or role"),
        ("target", "a column of every sample table"),
        ("B08_p10", "one of Sentinel-2 MSI, reflectance"),
        ("SR_B4", "one of Landsat 8 and 9 OLI"),
    ],
)
def test_names_that_mean_something_else_are_refused(sources, name, kind):
    stack = replace(open_stack(sources / "emb.tif"), names=(name,))
    with pytest.raises(InputError, match=f"gives a band {name}, which is the name of {kind}"):
        require_names([stack], ["B02"], None)


def test_reflectance_is_told_by_name():
    assert reflectance_bands(["elevation", "A00"]) == ()
    assert reflectance_bands(["B04", "B08", "B04_p10", "roads_distance"]) == (
        "B04", "B08", "B04_p10",
    )  # fmt: skip


def test_segments_are_those_of_reflectance(sources):
    plain = lc.prepare(sources / "plain", bands(sources))
    run = lc.prepare(sources / "run", bands(sources), **everything(sources))
    first, second = (lc.segment(one, min_size=50) for one in (plain, run))
    assert first.equals(second)


@pytest.fixture
def embedding(tmp_path):
    """Files of a stack alone: eight bands that follow three classes, with a hole, and labels."""
    rng = np.random.default_rng(4)
    grid = utm_grid(192, 192)
    cell = np.random.default_rng(0).integers(0, 3, (12, 12)).repeat(16, 0).repeat(16, 1)
    ways = rng.normal(size=(8, 3))
    values = 40 * ways[:, cell] + rng.normal(0, 6, (8, 192, 192))
    stored = values.round().clip(-127, 127).astype(np.int8)
    stored[:, :9, :20] = -128
    names = [f"A{number:02d}" for number in range(8)]
    raster_writer.write(tmp_path / "emb.tif", stored, grid, names, -128)
    codes = np.array([211, 311, 512], np.uint16)[cell]
    raster_writer.write(tmp_path / "clc.tif", codes, grid, ["code"], 0)
    return tmp_path


@pytest.mark.slow
def test_a_scene_of_a_stack_alone(embedding):
    run = lc.prepare(embedding / "run", labels=embedding / "clc.tif", stack=embedding / "emb.tif")
    assert rasters.band_names(run.scene) == tuple(f"A{number:02d}" for number in range(8))
    pixels = run.read_manifest()["stages"]["prep"]["pixels"]
    assert (pixels["data"], pixels["nodata"]) == (192 * 192 - 180, 180)
    assert run.figure("components").exists() and not run.figure("true_colour").exists()
    segments = lc.segment(run, min_size=50)
    assert {"pc1", "pc2", "pc3"} <= set(segments.columns)
    assert 20 < len(segments) < 200
    assert segments["pixels"].sum() == 192 * 192 - 180
    samples = lc.sample(run, samples=400, min_count=1, block_px=32)
    assert {"A00", "A07"} <= set(samples.columns) and "ndvi" not in samples
    model = lc.train(run, "knn", denoise="none", random_split=False)
    assert model.bands == tuple(f"A{number:02d}" for number in range(8))
    lc.map_scene(run, model)
    classes, truth = rasters.read_classes(run.map(model.name)), rasters.read_classes(run.labels)
    known = classes > 0
    assert (~known).sum() == 180 and (classes[known] == truth[known]).mean() > 0.97
    stored = lc.read(embedding / "emb.tif")[:, 30:34, 30:34]  # whole numbers are no mistake here
    np.testing.assert_array_equal(model.predict(stored), classes[30:34, 30:34])


def test_a_stack_alone_takes_nothing_of_images(embedding, capsys):
    stack = ["prep", "--stack", str(embedding / "emb.tif"), "--out", str(embedding / "run")]
    assert cli.main([*stack, "--to-crs", "auto", "--keep", "all"]) == 2
    assert "error: --keep, --to-crs: of images" in capsys.readouterr().err
