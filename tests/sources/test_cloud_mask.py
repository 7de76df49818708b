"""Masks of clouds: what they hide, to which tile they belong, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rasterio.crs import CRS

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.files import rasters
from landcover.grid import Grid, Window
from landcover.sources.cloud_mask import SCL_HIDDEN, CloudMask, MaskTally
from landcover.sources.mask_choice import MaskChoice, masked
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose, tif
from tests.fixtures.safe_products import write_product, zipped

#: 10 m pixels, and SCL's over the same ground.
GRID = utm_grid(60, 80)
COARSE = Grid(GRID.crs, Affine(20, 0, 300_000, 0, -20, 5_800_000), 30, 40)
DN = np.random.default_rng(0).integers(200, 4000, (4, *GRID.shape)).astype(np.uint16)
NAME = "T33UUU_20220601T100031"


def bands(folder, name=NAME, grid=GRID):
    return loose(folder, [f"{name}_{band}_10m" for band in CORE], DN, grid=grid)


def scl_values(seed=0):
    values = np.random.default_rng(seed).choice([4, 5, 6, 11], COARSE.shape).astype(np.uint8)
    values[5:8, 5:9], values[20, 30], values[0, 0], values[29, 39] = 9, 3, 0, 1
    return values


def scl(folder, values=None, name=f"{NAME}_SCL_20m", grid=COARSE, **how):
    values = scl_values() if values is None else values
    return tif(folder / f"{name}.tif", values[np.newaxis], grid=grid, **how)


def hidden_of(values, dilation_m=0.0, classes=SCL_HIDDEN, side=20.0):
    """Own pixels that are hidden, by all distances between middles."""
    hidden = np.isin(values, classes)
    grows = np.argwhere(hidden & ~np.isin(values, (0, 1)))
    for row, col in np.ndindex(values.shape):
        if any(np.hypot(row - r, col - c) * side <= dilation_m for r, c in grows):
            hidden[row, col] = True
    return hidden


def scene(folder, **how):
    run = lc.prepare(folder / "run", **how)
    return lc.read(run.scene), run.read_manifest()["stages"]["prep"]


@pytest.mark.parametrize("dilation_m", [0, 15, 20, 45, 100])
def test_clouds_and_what_is_near_them_are_no_data(tmp_path, dilation_m):
    image, found = scene(
        tmp_path, bands=bands(tmp_path), mask=scl(tmp_path), mask_dilation=dilation_m
    )
    hidden = np.kron(hidden_of(scl_values(), dilation_m), np.ones((2, 2), bool))
    np.testing.assert_array_equal(np.isnan(image), np.broadcast_to(hidden, image.shape))
    np.testing.assert_array_equal(image[:, ~hidden], (DN / 10_000).astype(np.float32)[:, ~hidden])
    # of the hidden ones four have no class
    assert found["pixels"] == {
        "data": (~hidden).sum(), "cloud": hidden.sum() - 4, "nodata": 0, "masked": 4,
        "implausible": 0, "outside": 0,
    }  # fmt: skip
    (note,) = found["notes"]
    assert "9 cloud high probability: 1.0 %" in note and "3 cloud shadow: 0.1 %" in note
    assert "0.1 % without a value in the mask, and not valid" in note
    assert ("within" in note) == (dilation_m >= 20)
    assert found["settings"]["masks"][0]["classes"] == list(SCL_HIDDEN)


def test_a_mask_does_not_depend_on_the_window(tmp_path):
    mask = CloudMask(scl(tmp_path), 1, COARSE, SCL_HIDDEN, dilation_m=90, scl=True)
    target = Grid(CRS.from_epsg(32632), Affine(11, 0, 708_000, 0, -11, 5_801_000), 90, 100)
    with rasters.open_raster(mask.path) as dataset:
        for grid in (GRID, target):
            whole = mask.read(dataset, grid, Window(0, 0, *grid.shape))
            for window in grid.windows(17):
                part = mask.read(dataset, grid, window)
                for one, other in zip(whole, part, strict=True):
                    np.testing.assert_array_equal(one[window.slices], other)


def test_shares_are_of_the_whole_tile_also_beside_the_mask(tmp_path):
    part = Grid(GRID.crs, COARSE.transform, 15, 40)  # the upper half of the tile
    path = scl(tmp_path, np.full(part.shape, 9, np.uint8), grid=part)
    mask, found = CloudMask(path, 1, part, SCL_HIDDEN, scl=True), MaskTally()
    with rasters.open_raster(path) as dataset:
        for window in GRID.windows(30):
            mask.read(dataset, GRID, window, found)
    assert (found.pixels, found.hidden, found.unknown) == (4800, 2400, 2400)


def test_a_mask_in_another_zone_hides_the_nearest_pixels(tmp_path):
    east, north = Transformer.from_crs(32633, 32632, always_xy=True).transform(300_000, 5_800_000)
    other = Grid(CRS.from_epsg(32632), Affine(20, 0, east - 100, 0, -20, north + 100), 60, 70)
    values = np.random.default_rng(1).choice([4, 9], other.shape).astype(np.uint8)
    mask = scl(tmp_path, values, grid=other)
    image, _ = scene(tmp_path, bands=bands(tmp_path), mask=mask)
    x, y = GRID.xy(*np.mgrid[:60, :80])
    rows, cols = other.rowcol(*Transformer.from_crs(32633, 32632, always_xy=True).transform(x, y))
    np.testing.assert_array_equal(np.isnan(image[0]), values[rows, cols] == 9)


def test_classes_by_number_and_by_name(tmp_path):
    for classes in ([3, 11], ["cloud-shadow", "Snow or ice"], ["Cloud shadows", "11"]):
        (tile,) = masked(
            lc.open_bands(bands(tmp_path)), MaskChoice((scl(tmp_path),), tuple(classes))
        )
        assert tile.mask.classes == (3, 11)
    with pytest.raises(InputError, match="mask_classes= has 'fog', which is no class of SCL: 0 no"):
        masked(lc.open_bands(bands(tmp_path)), MaskChoice((scl(tmp_path),), ("fog",)))
    with pytest.raises(InputError, match="mask_classes= has 12, and SCL has classes 0 to 11"):
        masked(lc.open_bands(bands(tmp_path)), MaskChoice((scl(tmp_path),), (12,)))


def test_any_raster_of_classes_by_its_own(tmp_path):
    values = np.zeros(GRID.shape, np.uint8)
    values[:20] = 1
    mask = tif(tmp_path / "clm.tif", values[np.newaxis], grid=GRID)
    image, found = scene(tmp_path, bands=bands(tmp_path), mask=mask, mask_classes=[1, 7])
    np.testing.assert_array_equal(np.isnan(image[0]), values == 1)
    assert found["notes"][0].endswith("(1: 33.3 %); it has none of class 7")


def test_a_probability_in_percent(tmp_path):
    values = np.random.default_rng(2).integers(0, 101, COARSE.shape).astype(np.uint8)
    mask = tif(tmp_path / "MSK_CLDPRB_20m.tif", values[np.newaxis], grid=COARSE)
    image, found = scene(tmp_path, bands=bands(tmp_path), mask=[mask], mask_above=40)
    np.testing.assert_array_equal(np.isnan(image[0]), np.kron(values > 40, np.ones((2, 2), bool)))
    assert f"above 40 %: {100 * (values > 40).mean():.1f} %" in found["notes"][0]


def test_a_stack_has_its_scl_with_it(tmp_path, capsys):
    values = np.random.default_rng(3).choice([4, 8], GRID.shape)
    pixels = np.concatenate([DN[[2, 1, 0, 3]], values[np.newaxis].astype(np.uint16)])
    stack = tif(tmp_path / "s.tif", pixels, ("B04", "B03", "B02", "B08", "SCL"), grid=GRID)
    run = tmp_path / "run"
    assert main(["prep", "--bands", str(stack), "--mask", "--out", str(run)]) == 0
    np.testing.assert_array_equal(np.isnan(lc.read(run / "scene.tif")[0]), values == 8)
    said = capsys.readouterr().out
    assert f"{(values == 8).sum():,} cloud" in said and "8 cloud medium probability" in said
    assert main(["prep", "--bands", str(stack), "--out", str(tmp_path / "plain")]) == 0
    assert f"note: {stack} has SCL, which hides clouds with --mask" in capsys.readouterr().out


@pytest.mark.parametrize("packed", [False, True])
def test_a_product_has_its_masks_with_it(tmp_path, packed):
    made = write_product(tmp_path)
    scl_20m, cloud_20m = (
        rasters.read(next(made.path.rglob(f"*{name}_20m.jp2")))[0] for name in ("SCL", "CLDPRB")
    )
    product = zipped(made.path) if packed else made.path
    for how, hidden in (
        ({}, np.isin(scl_20m, SCL_HIDDEN)),
        ({"mask_classes": ["thin-cirrus"]}, np.isin(scl_20m, (0, 10))),
        ({"mask_above": 70}, cloud_20m > 70),
    ):
        tiles = lc.open_sentinel2(product)
        run = lc.prepare(tmp_path / "run", bands=tiles, mask=True, overwrite=True, **how)
        expected = np.kron(hidden, np.ones((2, 2), bool))
        np.testing.assert_array_equal(np.isnan(lc.read(run.scene)[0]), expected)


def test_masks_find_their_dates(tmp_path):
    days = ("20220601", "20220611", "20220621")
    paths, masks, values = [], [], []
    for seed, day in enumerate(days):
        paths += bands(tmp_path, f"T33UUU_{day}T100031")
        values.append(scl_values(seed))
        values[-1][10 * seed : 10 * seed + 10] = 9
        masks.append(scl(tmp_path, values[-1], f"T33UUU_{day}T100031_SCL_20m"))
    run = lc.prepare(tmp_path / "run", bands=paths, mask=masks[::-1], composite="median")
    hidden = np.stack([np.isin(v, SCL_HIDDEN) for v in values])
    counts = np.kron((~hidden).sum(axis=0), np.ones((2, 2), int))
    np.testing.assert_array_equal(lc.read(run.observations)[0], counts)
    found = run.read_manifest()["stages"]["prep"]
    for day, held, own in zip(found["dates"].values(), hidden, values, strict=True):
        assert day["cloud"] == 4 * (held & (own != 0)).sum()


def test_masks_without_a_day_go_by_their_order(tmp_path):
    tiles = [lc.open_bands(tif(tmp_path / f"{name}.tif", DN, CORE, grid=GRID))[0] for name in "ab"]
    first, second = scl(tmp_path, name="x_SCL"), scl(tmp_path, name="y_SCL")
    held = masked(tiles, MaskChoice((first, second)))
    assert [tile.mask.path for tile in held] == [first, second]
    with pytest.raises(
        InputError, match=r"could both be the mask of .*b.tif; give one mask a tile"
    ):
        masked(tiles[1:], MaskChoice((first, second)))


class TestRefused:
    def refused(self, tmp_path, **how):
        with pytest.raises(InputError) as caught:
            lc.prepare(tmp_path / "run", bands=how.pop("bands", None) or bands(tmp_path), **how)
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("T33UVU_20220601T100031_SCL_20m", "it is of tile T33UVU and the bands are of T33UUU"),
            ("T33UUU_20220611T100031_SCL_20m", "it is of 2022-06-11 and the bands are of 2022-06"),
        ],
    )
    def test_scl_of_another_product(self, tmp_path, name, reason):
        text = self.refused(tmp_path, mask=scl(tmp_path, name=name))
        assert f"{name}.tif is no mask of" in text and reason in text

    def test_scl_of_another_place(self, tmp_path):
        far = Grid(COARSE.crs, Affine(20, 0, 400_000, 0, -20, 5_800_000), 30, 40)
        text = self.refused(tmp_path, mask=scl(tmp_path, grid=far, name="SCL"))
        assert "they share no ground (EPSG:32633 400000 5.7994e+06" in text

    def test_a_mask_of_no_tile(self, tmp_path):
        masks = [scl(tmp_path), scl(tmp_path, name="T33UUU_20220611T100031_SCL_20m")]
        assert "is the mask of no tile that was given" in self.refused(tmp_path, mask=masks)

    def test_a_raster_of_no_classes(self, tmp_path):
        mask = tif(tmp_path / "B11.tif", DN[:1], grid=GRID)
        text = self.refused(tmp_path, mask=mask, mask_classes=[1])
        assert "different values" in text and "and no classes" in text

    def test_classes_that_nothing_tells(self, tmp_path):
        text = self.refused(tmp_path, mask=scl(tmp_path, name="clouds"))
        assert "does not say that it is SCL" in text

    def test_scl_with_other_values(self, tmp_path):
        text = self.refused(tmp_path, mask=scl(tmp_path, scl_values() * 10))
        assert "is named SCL and holds " in text

    def test_a_probability_from_0_to_1(self, tmp_path):
        values = np.random.default_rng(0).random((1, *COARSE.shape)).astype(np.float32)
        mask = tif(tmp_path / "p.tif", values, grid=COARSE)
        assert "look like shares" in self.refused(tmp_path, mask=mask, mask_above=40)
        mask = tif(tmp_path / "p.tif", (values * 255).astype(np.uint8), grid=COARSE)
        assert "probability in percent, 0 to 100" in self.refused(
            tmp_path, mask=mask, mask_above=40
        )

    def test_a_product_without_scl(self, tmp_path):
        assert "has no SCL, which level 2A has; give the raster of its clouds with mask=" in (
            self.refused(tmp_path, mask=True)
        )

    def test_a_mask_that_leaves_nothing(self, tmp_path):
        mask = scl(tmp_path, np.full(COARSE.shape, 9, np.uint8))
        text = self.refused(tmp_path, mask=mask)
        assert "has no pixel left beside its mask (100.0 % cloud)" in text

    def test_a_mask_without_any_class(self, tmp_path):
        mask = scl(tmp_path, np.zeros(COARSE.shape, np.uint8))
        with pytest.raises(InputError, match=r"a value in its mask .*100.0 % masked.* covers it"):
            lc.prepare(tmp_path / "run", bands=bands(tmp_path), mask=mask)
        assert not (tmp_path / "run").exists()

    def test_settings_that_do_not_go_together(self, tmp_path):
        text = self.refused(tmp_path, mask=scl(tmp_path), mask_classes=[9], mask_above=40)
        assert "mask_classes= and mask_above= were both given" in text
        assert "were given without mask=" in self.refused(tmp_path, mask_dilation=100)
        assert "mask_above=140 is no probability" in self.refused(
            tmp_path, mask=scl(tmp_path), mask_above=140
        )


def test_the_classes_of_a_real_stack(shared_data, tmp_path):
    """openEO names bands in a tag; the scene has no cloud, and dark ground along its rivers."""
    stack = shared_data / "bolzano-openeo" / "S2_L2A_sample.tif"
    values = rasters.read(stack, bands=[5])[0]
    image, _ = scene(tmp_path, bands=stack, mask=True, mask_classes=["dark area", 7])
    hidden = np.isin(values, (2, 7))
    assert np.isnan(image[:, hidden]).all()
    assert np.isnan(image[:, ~hidden]).any(axis=0).sum() <= 38  # those without data in a band
