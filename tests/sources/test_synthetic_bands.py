"""All bands of synthetic scenes, their pixels of 20 and 60 m, and land with relief."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from landcover.commands import prep, prep_sources
from landcover.errors import LandcoverError
from landcover.files.open_rasters import OpenRasters
from landcover.grid import Window
from landcover.scene import terrain
from landcover.scene.tile_reader import TileReader
from landcover.sensors import SENTINEL2
from landcover.sources.band_files import open_bands
from landcover.sources.synthetic import ALL_BANDS, Later, files, make_dates, make_scene
from landcover.sources.synthetic.relief import light_on
from landcover.sources.synthetic.spectra import LEAF_AREA, Spectra

WATERS, WOODS = (511, 512), (311, 312, 313)
MEANS_OF_FOUR = (0.0348027823546271, 0.059297163825943085, 0.043342616141543285, 0.2626578234972531)
CLASSES_OF_FOUR = {
    112: 5006,
    211: 14113,
    231: 2203,
    311: 4731,
    312: 5032,
    411: 2218,
    511: 2430,
    512: 3867,
}


@pytest.fixture(scope="module")
def flat():
    """Level land in all bands, with noise and haze."""
    return make_scene(241, 303, seed=4, keep="all")


@pytest.fixture(scope="module")
def hilly():
    return make_scene(360, 400, seed=2, keep="all", relief_m=250, noise=0, haze=0)


def band(scene, name: str) -> np.ndarray:
    return scene.image[scene.bands.index(name)]


def test_the_four_bands_and_the_land_do_not_depend_on_the_others(flat):
    four = make_scene(241, 303, seed=4)
    assert four.bands == ("B02", "B03", "B04", "B08") and not four.native
    assert np.array_equal(np.stack([band(flat, name) for name in four.bands]), four.image)
    assert np.array_equal(flat.truth, four.truth) and np.array_equal(flat.corine, four.corine)


def test_the_four_bands_of_a_seed_are_what_they_were_before_there_were_others():
    """Numbers of the generator of four bands alone: runs and studies of a seed stay comparable."""
    scene = make_scene(180, 220, seed=9)
    means = scene.image.mean(axis=(1, 2), dtype=np.float64)
    np.testing.assert_allclose(means, MEANS_OF_FOUR, rtol=1e-6)
    codes, counts = np.unique(scene.truth, return_counts=True)
    assert dict(zip(codes.tolist(), counts.tolist(), strict=True)) == CLASSES_OF_FOUR


def test_all_bands_are_those_that_see_the_ground(flat):
    assert flat.bands == ALL_BANDS == SENTINEL2.surface_names and "B10" not in flat.bands
    assert flat.image.shape == (12, 241, 303) and flat.image.dtype == np.float32
    assert np.isfinite(flat.image).all()
    with pytest.raises(LandcoverError, match="keep='B10' is B10, which a synthetic scene does not"):
        make_scene(160, 160, keep=["B10"])
    assert make_scene(160, 160, keep=["swir16"]).bands == ("B02", "B03", "B04", "B08", "B11")


def test_coarse_bands_are_means_of_their_pixels_with_nothing_finer(flat):
    """Files of 20 and 60 m are whole pixels from the corner, the last ones in part outside."""
    sides = {name: flat.native[name].shape for name in flat.native}
    assert sides == dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), (121, 152)) | {
        "B01": (41, 51),
        "B09": (41, 51),
    }
    for name, side in (("B11", 2), ("B09", 6)):
        fine, native = band(flat, name), flat.native[name]
        means = fine[: 40 * side, : 50 * side].reshape(40, side, 50, side).mean(axis=(1, 3))
        # cubic convolution keeps most of a pixel's mean
        assert np.corrcoef(means.ravel(), native[:40, :50].ravel())[0, 1] > 0.98

        def roughness(image):
            return np.abs(ndimage.laplace(image)[3:-3, 3:-3]).mean() / image.std()

        assert roughness(fine) < 0.4 * roughness(band(flat, "B08"))


def test_noise_of_coarse_bands_is_that_of_their_own_pixels():
    settings = {"keep": "all", "haze": 0}
    clean, noisy = (make_scene(200, 240, 4, noise=noise, **settings) for noise in (0, 0.01))
    for name in ("B05", "B12"):
        bright = clean.native[name] > 0.06  # dark water is cut at zero
        difference = (noisy.native[name] - clean.native[name])[bright]
        assert difference.std() == pytest.approx(0.01, rel=0.05)


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_land():
    one, again, other = (make_scene(170, 180, seed, keep="all", relief_m=100) for seed in (3, 3, 5))
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.elevation, again.elevation)
    assert not np.array_equal(one.elevation, other.elevation)


def test_spectra_are_plausible(hilly):
    """What every textbook shows of plants, water, soil and concrete, in means of the scene."""
    shares = {
        name: float(band(hilly, name)[np.isin(hilly.truth, WOODS)].mean()) for name in hilly.bands
    }
    ndvi = (shares["B08"] - shares["B04"]) / (shares["B08"] + shares["B04"])
    assert ndvi > 0.7
    assert shares["B04"] < shares["B05"] < shares["B06"] < shares["B07"]  # the red edge
    assert shares["B08"] > shares["B11"] > shares["B12"]  # water in leaves
    inner = ndimage.binary_erosion(np.isin(hilly.truth, WATERS), iterations=5)
    water = {name: float(band(hilly, name)[inner].mean()) for name in hilly.bands}
    assert water["B08"] < water["B03"] and water["B11"] < 0.02 and water["B12"] < 0.02


def test_the_table_of_surfaces_is_plausible():
    surfaces = Spectra.of(ALL_BANDS)
    at = {name: number for number, name in enumerate(ALL_BANDS)}

    def ndvi(row):
        return (row[at["B08"]] - row[at["B04"]]) / (row[at["B08"]] + row[at["B04"]])

    for row in surfaces:
        assert row.shape[-1] == 12 and (row >= 0).all() and (row < 1).all()
    assert all(ndvi(row) > 0.7 for row in (surfaces.trees, surfaces.lush, surfaces.broad_leaved))
    assert all(ndvi(row) < 0.25 for row in (surfaces.soil, surfaces.paved, surfaces.concrete))
    assert ndvi(surfaces.clear_water) < 0
    # dry soil grows brighter up to the short-wave infrared, and wet soil is darker throughout
    assert (np.diff(surfaces.soil[[at[n] for n in ("B02", "B04", "B08", "B11")]]) > 0).all()
    assert (surfaces.wet_soil < surfaces.soil).all()
    # more leaves: darker in red, brighter in the infrared, darker at 2200 nm down to a closed crop
    assert (np.diff(surfaces.green_canopy[:, at["B8A"]]) > 0).all()
    assert (np.diff(surfaces.green_canopy[:6, at["B12"]]) < 0).all()
    assert surfaces.green_canopy.shape == surfaces.ripe_canopy.shape == (LEAF_AREA.size, 12)
    assert (np.diff(surfaces.haze) < 0).all()  # blue
    four = Spectra.of(["B02", "B08"])
    assert four.reed.tolist() == surfaces.reed[[at["B02"], at["B08"]]].tolist()


def test_water_lies_in_hollows_and_is_level(hilly):
    elevation = hilly.elevation
    assert elevation.shape == hilly.truth.shape and elevation.dtype == np.float32
    river = hilly.truth == 511
    assert np.median(elevation[river]) < np.percentile(elevation, 12)
    inner = ndimage.binary_erosion(np.isin(hilly.truth, WATERS), iterations=4)
    bodies, number = ndimage.label(inner)
    for body in range(1, number + 1):
        inside = bodies == body
        if inside.sum() > 60:
            around = ndimage.binary_dilation(inside, iterations=14) & ~np.isin(hilly.truth, WATERS)
            assert elevation[inside].mean() < elevation[around].mean()
            assert elevation[inside].std() < 4  # the error of the model of elevation
    assert 50 < np.ptp(elevation) < 260


def test_woods_keep_to_slopes_and_conifers_to_heights():
    """Means over seeds: each landscape has places of its own that do not follow."""
    steeper, higher = [], []
    for seed in range(3):
        scene = make_scene(300, 380, seed, relief_m=250)
        slope = terrain.slope(np.pad(scene.elevation, 1, mode="edge"), (10, 10))
        steeper.append(slope[np.isin(scene.truth, WOODS)].mean() - slope[scene.truth == 211].mean())
        higher.append(
            scene.elevation[scene.truth == 312].mean() - scene.elevation[scene.truth == 311].mean()
        )
    assert np.mean(steeper) > 0.5  # degrees
    assert np.mean(higher) > 15  # metres


def test_slopes_are_lit_by_where_they_face():
    rise = 0.2 * 10 * np.arange(12.0)
    facing_east = np.tile(-rise, (12, 1))
    level = light_on(np.zeros((12, 12)))
    np.testing.assert_allclose(level, 1)
    east, west = (light_on(side)[6, 6] for side in (facing_east, -facing_east))
    assert east > 1.05 and west < 0.95  # the sun is in the south-east
    south = light_on(facing_east.T)[6, 6]
    assert south == pytest.approx(float(east))
    # against the cosine of the angle between the sun and the normal, by vectors
    sun = np.array([np.sin(np.radians(35)) / np.sqrt(2), -np.sin(np.radians(35)) / np.sqrt(2)])
    normal = np.array([0.2, 0.0, 1.0]) / np.hypot(0.2, 1)
    cosine = normal[:2] @ sun + normal[2] * np.cos(np.radians(35))
    assert east == pytest.approx(cosine / np.cos(np.radians(35)), rel=1e-6)


def test_shade_changes_the_light_alone():
    lit, corrected = (
        make_scene(200, 220, 1, relief_m=300, noise=0, haze=0, shade=shade) for shade in (1, 0)
    )
    assert np.array_equal(lit.truth, corrected.truth)
    assert np.array_equal(lit.elevation, corrected.elevation)
    ratio = lit.image[3] / corrected.image[3]
    assert ratio.std() > 0.01 and ratio.mean() == pytest.approx(1, abs=0.05)
    level = make_scene(200, 220, 1, noise=0, haze=0)
    assert level.elevation is None


def test_two_dates_of_all_bands_show_one_land():
    first, second = make_dates(170, 180, 3, Later(7, new_crops=True), keep="all", relief_m=80)
    assert first.bands == second.bands == ALL_BANDS
    assert np.array_equal(first.truth, second.truth)
    assert np.array_equal(first.elevation, second.elevation)
    fields = first.truth == 211
    change = np.abs(second.image - first.image)[first.bands.index("B11")]
    assert change[fields].mean() > 3 * change[np.isin(first.truth, WATERS)].mean()
    assert not np.array_equal(first.native["B11"], second.native["B11"])


def test_demo_files_of_all_bands_read_as_the_scene_is(tmp_path, monkeypatch):
    """Each file has its band's own pixels; prepared, they are what `make_scene` shows."""
    scene = make_scene(190, 221, seed=6, keep="all")
    monkeypatch.setattr(files.synthetic, "make_scene", lambda seed, keep: scene)
    written = files.write_demo(tmp_path, 6, "all")
    assert [path.stem for path in written.bands] == list(ALL_BANDS)
    (tile,) = open_bands(written.bands, keep="all")
    assert tile.grid == scene.grid
    with OpenRasters() as rasters:
        reader = TileReader(rasters, tile, ALL_BANDS)
        image, why = reader.read(Window(0, 0, *scene.grid.shape))
    assert not why.any()
    shown = np.where(scene.image < 1e-4, 1e-4, scene.image)
    assert np.abs(image - shown).max() < 2e-4


def test_the_demo_of_prep_has_the_bands_that_are_kept(tmp_path, monkeypatch):
    small = partial(make_scene, 170, 180)
    monkeypatch.setattr(files.synthetic, "make_scene", small)
    monkeypatch.chdir(tmp_path)
    given = prep.prep_parser().parse_args(["--keep", "20m", "--seed", "3"])
    (tile,), labels, truth = prep_sources.sources(given)
    kept = [b.name for b in SENTINEL2.bands if b.pixel_m <= 20]
    assert list(tile.bands) == kept and tile.grid.shape == (170, 180)
    assert labels.exists() and truth.exists()
    (four,), *_ = prep_sources.sources(prep.prep_parser().parse_args(["--seed", "3"]))
    assert list(four.bands) == ["B02", "B03", "B04", "B08"]
