"""Features as bands of a scene: what prep writes, and which models may map it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.run import Run
from landcover.scene import features
from landcover.scene.feature_names import layers_of
from landcover.stages.map import _fit_for
from tests.conftest import error_lines
from tests.fixtures.sentinel2_files import write_bands

CORE = ("B02", "B03", "B04", "B08")
NAMES = ("ndvi", "glcm:B08:contrast:5", "pc1", "pc2", "ratio=nir/red")


def prepared(folder, *options, seed=0):
    """A run of random bands, prepared with some options."""
    folder.mkdir()
    paths, _ = write_bands(folder, CORE, seed=seed)
    out = ["--out", str(folder / "run"), *options]
    return main(["prep", "--bands", *map(str, paths), *out]), Run(folder / "run")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    named = ["ndvi", "glcm:B08:contrast:5", "pca:2", "ratio = nir / red"]
    code, run = prepared(folder / "a", "--features", "bands", *named)
    assert code == 0
    return run


def test_the_bands_of_the_scene_are_the_features(made):
    assert rasters.band_names(made.scene) == (*CORE, *NAMES)
    image = rasters.read(made.scene, bands=list(CORE))
    fitted = read_json(made.manifest)["stages"]["prep"]["settings"]["fitted"]
    padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    expected = features.compute(padded, CORE, NAMES, fitted)
    np.testing.assert_array_equal(rasters.read(made.scene, bands=list(NAMES)), expected)


def test_a_scene_is_fitted_to_its_own_pixels(made):
    """It is smaller than the windows that a larger one is fitted to, so to all of them."""
    fitted = read_json(made.manifest)["stages"]["prep"]["settings"]["fitted"]
    image = rasters.read(made.scene, bands=list(CORE)).astype(np.float64)
    bounds = np.percentile(image[3], features.BOUND_PERCENTILES)
    np.testing.assert_allclose(fitted["bounds:B08"], bounds, rtol=0.02)


def test_another_scene_can_be_fitted_alike(made, tmp_path, capsys):
    code, other = prepared(tmp_path / "b", "--features", *NAMES[1:2], seed=1)
    assert code == 0
    code, alike = prepared(
        tmp_path / "c", "--features", *NAMES[1:2], "--features-as", str(made.path), seed=1
    )
    assert code == 0
    own, same, first = (
        read_json(run.manifest)["stages"]["prep"]["settings"]["fitted"]["bounds:B08"]
        for run in (other, alike, made)
    )
    assert same == first != own
    capsys.readouterr()
    code, _ = prepared(tmp_path / "d", "--features", "pca:2", "--features-as", str(alike.path))
    assert code == 2
    assert "pca, which was not fitted there" in error_lines(capsys.readouterr().err)[-1]
    code, empty = prepared(tmp_path / "e", "--features-as", str(made.path))
    assert code == 2 and not empty.path.exists()


def labelled(folder, seed, features_as=None):
    """A prepared and sampled run of synthetic land with a texture among its bands."""
    folder.mkdir()
    land = lc.make_scene(160, 160, seed=seed)
    lc.write(folder / "stack.tif", land.image, land.grid, land.bands)
    lc.write(folder / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
    tiles = lc.open_bands([folder / "stack.tif"], quantification=1)
    run = lc.prepare(
        folder / "run",
        tiles,
        folder / "corine.tif",
        level=1,
        features=["glcm:B08:contrast:5"],
        features_as=features_as,
    )
    lc.sample(run, 1500, block_px=20, max_patch=3)
    return run


def test_a_model_of_one_fit_is_refused_on_another(tmp_path):
    run = labelled(tmp_path / "a", seed=1)
    model = lc.train(run, "knn", denoise="none", random_split=False)
    assert model.bands == (*CORE, "glcm:B08:contrast:5")
    assert list(model.card["prepared"]) == ["glcm:B08:contrast:5"]
    lc.map_scene(run, model)
    other = labelled(tmp_path / "b", seed=2)
    with pytest.raises(InputError, match=r"has them fitted otherwise; prepare it .*--features-as"):
        lc.map_scene(other, model)
    alike = labelled(tmp_path / "c", seed=2, features_as=run)
    assert lc.map_scene(alike, model).exists()
    with pytest.raises(InputError, match=r"learnt glcm:B08:contrast:5 as bands of its scene, wh"):
        lc.find_change(run, alike, model=model, out=tmp_path / "no")
    with pytest.raises(InputError, match=r"has them fitted otherwise"):
        lc.find_change(run, other, model=model, out=tmp_path / "no", normalise=False)
    assert not (tmp_path / "no").exists()
    found = lc.find_change(run, alike, model=model, out=tmp_path / "change", normalise=False)
    assert found["changed"]["area"] > 0


def test_features_of_segments_are_bands_that_models_map_with(tmp_path):
    land = lc.make_scene(160, 160, seed=3)
    lc.write(tmp_path / "stack.tif", land.image, land.grid, land.bands)
    lc.write(tmp_path / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
    names = ["segment_mean:ndvi", "segment_std:B08", "segment_ha", "segment_compactness",
             "segment_type:hierarchy-8"]  # fmt: skip
    options = ["--quantification", "1", "--level", "1", "--samples", "1500", "--block-px", "20"]
    run = Run(tmp_path / "run")
    code = main([
        "prep", "--bands", str(tmp_path / "stack.tif"), "--labels", str(tmp_path / "corine.tif"),
        *options, "--segment", "--min-size", "20", "--features", "ndvi", *names,
        "--out", str(run.path),
    ])  # fmt: skip
    assert code == 0
    assert rasters.band_names(run.scene) == (*CORE, "ndvi", *names)
    segments = rasters.read(run.segments)[0]
    ndvi = rasters.read(run.scene, bands=["ndvi"])[0]
    found = rasters.read(run.scene, bands=names)
    for number in (1, int(segments.max())):
        inside = segments == number
        np.testing.assert_allclose(found[0][inside], ndvi[inside].mean(), rtol=1e-4)
        np.testing.assert_allclose(found[2][inside], inside.sum() / 100, rtol=2e-3)
    types = rasters.read(run.segment_types, bands=["hierarchy-8"])[0]
    np.testing.assert_array_equal(found[4], np.where(segments > 0, types, np.nan))
    model = lc.train(run, "knn", features=["B08", *names], denoise="none", random_split=False)
    assert model.card["inputs"] == ["B08", *names]
    assert lc.map_scene(run, model).exists()


def test_features_of_segments_need_segments(tmp_path, capsys):
    code, run = prepared(tmp_path / "a", "--features", "segment_ha")
    assert code == 2 and "make them too: --segment" in error_lines(capsys.readouterr().err)[-1]
    code, run = prepared(tmp_path / "b", "--segment", "--features", "segment_mean:B09")
    assert code == 2 and not run.scene.exists()
    code, run = prepared(tmp_path / "c", "--segment", "--features", "segment_type:hierarchy-5")
    assert code == 2 and not run.scene.exists()
    assert "has no layer hierarchy-5; choose among" in error_lines(capsys.readouterr().err)[-1]
    with pytest.raises(InputError, match=r"landcover prep --segment --features segment_ha"):
        layers_of(CORE, ["segment_ha"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["nope"], "there is no feature 'nope'"),
        (["ndmi"], "feature ndmi needs swir16 (B11)"),
        (["slope"], "feature slope needs a band elevation"),
        (["nir.mean()"], "holds 'nir.mean()'"),
        (["glcm:B08:roughness"], "PROPERTY is one of contrast"),
        (["glcm:B08:mean:4"], "window 4 is not odd"),
        (["glcm:B08:mean:5:999"], "999 levels are not 2 to 256"),
        (["glcm:B09:mean"], "needs a band B09"),
        (["pca:9"], "component 5, and 4 bands have 4"),
        (["ndvi", "ndvi"], "name one twice"),
        (["ratio=nir/B13"], "needs a band B13"),
        (["NDVI"], "there is no feature 'NDVI', and no band of this name; did you mean ndvi?"),
        (["B8"], "did you mean B08?"),
        (["red"], "did you mean B04?"),
        (["pca:999999999"], "there is no feature 'pca:999999999'"),
        (["glcm:bands:entropy"], "needs a band bands"),
        (["bands-red"], "needs a band bands"),
        (["x=2023_1*nir"], "names of bands begin with a letter"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(tmp_path, capsys, asked, words):
    code, run = prepared(tmp_path / "a", "--features", *asked)
    assert code == 2 and not run.scene.exists()
    assert words in error_lines(capsys.readouterr().err)[-1]


def test_slopes_are_of_the_pixels_of_the_scene(tmp_path):
    """Both where they are its bands, prepared as another scene, and where a map computes them."""
    land = lc.make_scene(160, 160, seed=4)
    lc.write(tmp_path / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
    wide = replace(land.grid, transform=land.grid.transform @ Affine.scale(2))
    dem = np.add.outer(np.zeros(160), np.arange(160.0))[np.newaxis]  # 1 m a pixel
    runs = {}
    for name, grid in (("near", land.grid), ("wide", wide)):
        lc.write(tmp_path / f"{name}.tif", land.image, grid, land.bands)
        lc.write(tmp_path / f"{name}-dem.tif", dem.astype(np.float32), grid, ["elevation"])
        runs[name] = lc.prepare(
            tmp_path / name,
            lc.open_bands([tmp_path / f"{name}.tif"], quantification=1),
            tmp_path / "corine.tif" if name == "near" else None,
            level=1 if name == "near" else None,
            dem=tmp_path / f"{name}-dem.tif",
            features=["slope"],
            features_as=runs.get("near"),
        )
    for name, side in (("near", 10), ("wide", 20)):
        found = rasters.read(runs[name].scene, bands=["slope"])[0, 80, 80]
        assert found == pytest.approx(np.degrees(np.arctan(1 / side)), rel=0.02)
    lc.sample(runs["near"], 1500, block_px=20, max_patch=3)
    model = lc.train(
        runs["near"], "knn", features=["ndvi", "curvature"], denoise="none", random_split=False
    )
    assert _fit_for(model, runs["wide"].scene).inputs.fitted["pixel_m"] == pytest.approx(
        (20, 20), rel=0.02
    )


def test_samples_have_columns_of_terrain(tmp_path):
    land = lc.make_scene(160, 160, seed=4)
    lc.write(tmp_path / "stack.tif", land.image, land.grid, land.bands)
    lc.write(tmp_path / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
    hills = 300 + 40 * np.sin(np.add.outer(np.arange(160), 2 * np.arange(160)) / 15)
    lc.write(tmp_path / "dem.tif", hills[np.newaxis].astype(np.float32), land.grid, ["elevation"])
    tiles = lc.open_bands([tmp_path / "stack.tif"], quantification=1)
    run = lc.prepare(
        tmp_path / "run", tiles, tmp_path / "corine.tif", level=1, dem=[tmp_path / "dem.tif"]
    )
    table = lc.sample(run, 800, block_px=20, max_patch=3, features=["slope", "ndvi"])
    elevation = rasters.read(run.scene, bands=["elevation"])
    padded = np.pad(elevation, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    width, height = rasters.grid_of(run.scene).pixel_size_m
    slope = features.compute(padded, ["elevation"], ["slope"], {"pixel_m": [height, width]})[0]
    np.testing.assert_array_equal(table["slope"], slope[table["row"], table["col"]])
