"""Loose and stacked files are read by what they say of their bands, or refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from click.testing import CliRunner
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.rio.main import main_group

import landcover as lc
from landcover import cli
from landcover.errors import InputError, LandcoverError
from landcover.grid import Grid
from landcover.sources import band_files, reflectance
from landcover.sources.tile import note_on_days, radiometry_warning, require_one_date
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, DN, GRID, loose, tif


def numbers(tile):
    return {name: band.number for name, band in tile.bands.items()}


def scene_of(tmp_path, tiles):
    run = lc.prepare(tmp_path / "run", bands=tiles)
    return lc.read(run.scene)


class TestNames:
    @pytest.mark.parametrize(
        "descriptions",
        [
            ("red", "green", "blue", "nir"),
            ("Red", "GREEN", "Blue (490 nm)", "NIR"),
            ("B4", "b03", "B02", "B8, central wavelength 842 nm"),
            ("S2_20220601_B4_mean", "S2_20220601_B3_mean", "x B2", "x.b8"),
            ("B4 red", "green", "B2", "near-infrared"),
        ],
    )
    def test_a_stack_is_read_by_its_descriptions(self, tmp_path, descriptions):
        (tile,) = band_files.open_bands([tif(tmp_path / "s.tif", descriptions=descriptions)])
        assert numbers(tile) == {"B02": 3, "B03": 2, "B04": 1, "B08": 4}
        assert {band.named_by for band in tile.bands.values()} == {"description"}

    def test_files_are_read_by_their_descriptions(self, tmp_path):
        names, said = ("1", "2", "3", "4"), ("B8", "B4", "B3", "B2")
        paths = [
            tif(tmp_path / f"{n}.tif", p[None], descriptions=(d,))
            for n, d, p in zip(names, said, DN, strict=True)
        ]
        (tile,) = band_files.open_bands(paths)
        assert [band.path.stem for band in tile.bands.values()] == ["4", "3", "2", "1"]

    def test_forms_of_one_reference_system_are_one(self, tmp_path):
        grid = Grid(CRS.from_epsg(3035), Affine(10, 0, 4_321_000, 0, -10, 3_210_000), *GRID.shape)
        esri = replace(grid, crs=CRS.from_wkt(grid.crs.to_wkt(version="WKT1_ESRI")))
        paths = loose(tmp_path, CORE[:2], DN[:2], grid=grid)
        paths += loose(tmp_path, CORE[2:], DN[2:], grid=esri)
        assert rasterio.open(paths[0]).crs != rasterio.open(paths[3]).crs
        (tile,) = band_files.open_bands(paths)
        assert tile.grid.crs == grid.crs

    def test_metadata_of_bands_count(self, tmp_path):
        path = tif(tmp_path / "s.tif")
        with rasterio.open(path, "r+") as out:
            for number, name in enumerate(("nir", "red", "green", "blue"), start=1):
                out.update_tags(number, common_name=name)
        (tile,) = band_files.open_bands([path])
        assert numbers(tile) == {"B02": 4, "B03": 3, "B04": 2, "B08": 1}

    def test_colours_count_where_no_text_does(self, tmp_path):
        colours = (ColorInterp.nir, ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        (tile,) = band_files.open_bands([tif(tmp_path / "s.tif", colours=colours)])
        assert numbers(tile) == {"B02": 4, "B03": 3, "B04": 2, "B08": 1}
        said = ("B02", "B03", "B04", "B08")
        (tile,) = band_files.open_bands(
            [tif(tmp_path / "t.tif", colours=colours, descriptions=said)]
        )
        assert numbers(tile) == {"B02": 1, "B03": 2, "B04": 3, "B08": 4}

    def test_three_colours_and_a_silent_band_are_refused(self, tmp_path):
        colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.undefined)
        path = tif(tmp_path / "s.tif", colours=colours)
        with pytest.raises(InputError, match=r"s.tif: 4 \(unnamed\), and B08 is missing"):
            band_files.open_bands([path])
        (tile,) = band_files.open_bands([path], band_names=["B04=1", "B03=2", "B02=3", "B08=4"])
        assert numbers(tile) == {"B02": 3, "B03": 2, "B04": 1, "B08": 4}

    def test_an_alpha_band_is_no_band(self, tmp_path):
        alpha = np.full((1, *GRID.shape), 65_535, np.uint16)
        alpha[0, 2, 3] = 0
        colours = (*(ColorInterp.undefined,) * 4, ColorInterp.alpha)
        path = tif(tmp_path / "s.tif", np.concatenate([DN, alpha]), (*CORE, ""), colours=colours)
        got = scene_of(tmp_path, band_files.open_bands([path]))
        assert np.isnan(got[:, 2, 3]).all() and np.isnan(got).sum() == 4

    @pytest.mark.parametrize(
        "descriptions",
        [
            ("20220601_B2", "B3", "B4", "B8", "20220805_B2"),
            ("B2_p25", "B2_p50", "B3", "B4", "B8"),
            ("B2", "B3", "B4", "B8", "view_azimuth_mean_B2"),
            ("B2", "B3", "B4", "B8", "blue"),
        ],
    )
    def test_a_band_twice_in_a_stack_is_refused_until_it_is_named(self, tmp_path, descriptions):
        pixels = np.concatenate([DN, DN[:1]])
        path = tif(tmp_path / "s.tif", pixels, descriptions)
        with pytest.raises(InputError, match=r"s.tif has B02 2 times, as bands .* band_names="):
            band_files.open_bands([path])
        named = [f"B0{n}={1 + i}" for i, n in enumerate((2, 3, 4, 8))]
        (tile,) = band_files.open_bands([path], band_names=named)
        assert numbers(tile) == {"B02": 1, "B03": 2, "B04": 3, "B08": 4}

    def test_what_contradicts_itself_is_refused(self, tmp_path):
        path = tif(tmp_path / "s.tif", descriptions=("B1 - blue", "B2 - green", "B3", "B4"))
        with pytest.raises(InputError, match="band 1 contradicts itself"):
            band_files.open_bands([path])
        paths = loose(tmp_path, CORE[:3], DN[:3])
        paths.append(tif(tmp_path / "B08.tif", DN[3:], descriptions=("B11",)))
        with pytest.raises(InputError, match=r"B08.tif is named like B08 and its .* says B11"):
            band_files.open_bands(paths)

    def test_names_given_count_more_than_contradictions(self, tmp_path):
        texts = ("B1 - blue", "Green (490 nm)", "B4_stdDev", "B8")
        path = tif(tmp_path / "s.tif", descriptions=texts)
        with pytest.raises(InputError, match="say which it is with band_names="):
            band_files.open_bands(path)
        assert numbers(band_files.open_bands(path, band_names=CORE)[0])["B03"] == 2

    @pytest.mark.parametrize("place", ["tag", "IMAGERY"])
    def test_wavelengths_of_metadata_count(self, tmp_path, place):
        path = tif(tmp_path / "s.tif", descriptions=("B2", "B3", "B4", "B8"))
        for um, fits in (("0.665", True), ("0.49", False)):
            with rasterio.open(path, "r+") as out:
                if place == "tag":
                    out.update_tags(3, long_name=f"reflectance at {um} um")
                else:
                    out.update_tags(3, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=um)
            if fits:
                assert numbers(band_files.open_bands(path)[0])["B04"] == 3
            else:
                with pytest.raises(InputError, match=r"band 3 contradicts itself .*0.49 um"):
                    band_files.open_bands(path)

    def test_the_remedy_for_a_band_named_alpha_works(self, tmp_path):
        pixels = (DN // 16).clip(1).astype(np.uint8)
        path = tif(tmp_path / "s.tif", pixels, CORE, tags={"scales": [0.002] * 4})
        with pytest.raises(InputError, match="say that none is, with: rio ") as caught:
            band_files.open_bands(path)
        arguments = str(caught.value).split("with: rio ")[1].replace("FILE", str(path)).split()
        assert CliRunner().invoke(main_group, arguments).exit_code == 0
        got = scene_of(tmp_path, band_files.open_bands(path))
        np.testing.assert_allclose(got, pixels * 0.002, rtol=1e-5)

    def test_names_that_do_not_fit_are_refused(self, tmp_path):
        path = tif(tmp_path / "s.tif")
        for names, match in (
            (["B02=1", "B03=2", "B04=3", "B08=9"], "B08=9, and the bands of .* numbered 1 to 4"),
            (["B02=1", "B99=2"], "no band B99"),
            (["B02=1", "B03=1"], "number twice"),
            (["B02", "B02", "B04", "B08"], "gives B02 2 times"),
            (["B02", "B03"], "has 4 bands and band_names= gives 2"),
        ):
            with pytest.raises(InputError, match=match):
                band_files.open_bands([path], band_names=names)

    def test_bands_left_out_are_noted(self, tmp_path):
        pixels = np.concatenate([DN, DN[:2]])
        path = tif(tmp_path / "s.tif", pixels, (*CORE, "elevation", ""))
        (tile,) = band_files.open_bands([path])
        assert len(tile.notes) == 1
        assert "5 (elevation), 6 (unnamed)" in tile.notes[0]
        (tile,) = band_files.open_bands([path], band_names=[*CORE, "-", "-"])
        assert numbers(tile) == dict(zip(CORE, (1, 2, 3, 4), strict=True))


class TestNamesGiven:
    """Files of one band that say nothing, named by the user, are read as if they said it."""

    NAMES = ("1", "2", "3", "4")

    def test_floats_of_reflectance_and_zeros(self, tmp_path):
        pixels = (DN / 10_000).astype(np.float32)
        pixels[:, 1, 1] = 0
        tiles = band_files.open_bands(loose(tmp_path, self.NAMES, pixels), band_names=CORE)
        got = scene_of(tmp_path, tiles)
        np.testing.assert_array_equal(np.isnan(got), pixels == 0)
        np.testing.assert_allclose(got[pixels > 0], pixels[pixels > 0])

    def test_pictures_are_refused(self, tmp_path):
        paths = loose(tmp_path, self.NAMES, (DN // 16).astype(np.uint8))
        with pytest.raises(InputError, match=r"1.tif holds 8-bit numbers"):
            band_files.open_bands(paths, band_names=CORE)

    def test_an_alpha_band_is_not_named(self, tmp_path):
        alpha = np.full(GRID.shape, 255, np.uint16)
        paths = [
            tif(tmp_path / f"{name}.tif", np.stack([pixels, alpha]),
                colours=(ColorInterp.undefined, ColorInterp.alpha))
            for name, pixels in zip(self.NAMES, DN, strict=True)
        ]  # fmt: skip
        (tile,) = band_files.open_bands(paths, band_names=CORE)
        assert numbers(tile) == dict.fromkeys(CORE, 1)


class TestDates:
    def test_two_days_of_one_place_are_no_mosaic(self, tmp_path):
        paths = []
        for day in ("20220601", "20220805"):
            paths += loose(tmp_path, [f"T33UUU_{day}T100031_{band}" for band in CORE])
        message = "cover the same ground on 2022-06-01 and 2022-08-05; two dates are no mosaic"
        with pytest.raises(InputError, match=message):
            band_files.open_bands(paths)
        tiles = [band_files.open_bands(part)[0] for part in (paths[:4], paths[4:])]
        with pytest.raises(InputError, match="cover the same ground on 2022-06-01 and 2022-08-05"):
            require_one_date(tiles)

    def test_bands_of_one_tile_are_of_one_day(self, tmp_path):
        names = [f"T33UUU_20220601T100031_{band}" for band in CORE[:3]]
        paths = loose(tmp_path, [*names, "T33UUU_20220805T100031_B08"])
        with pytest.raises(InputError, match=r"of 2022-06-01 and 2022-08-05; give all bands of on"):
            band_files.open_bands(paths)
        other = [*paths[:3], tif(tmp_path / "B08.tif", DN[3:])]  # says no day
        assert band_files.open_bands(other)[0].day is None

    def test_stacks_of_the_same_ground_are_refused(self, tmp_path):
        paths = [tif(tmp_path / f"{p}.tif", descriptions=CORE) for p in ("p10", "p50")]
        with pytest.raises(InputError, match=r"p10.tif and .*p50.tif are both B02 B03 B04 B08 of"):
            band_files.open_bands(paths)
        days = [tif(tmp_path / f"{d}.tif", descriptions=CORE) for d in ("20220601", "20220805")]
        with pytest.raises(InputError, match="two dates are no mosaic"):
            band_files.open_bands(days)

    def test_days_of_neighbours_are_told(self, tmp_path, capsys):
        tiles = []
        for number, day in enumerate(("20210601", "20210611", "20210601", "")):
            grid = utm_grid(12, 16, west=300_000 + 160 * number)
            tiles.append(tif(tmp_path / f"{number}_{day}.tif", descriptions=CORE, grid=grid))
        note = "tiles of 2 days: 2021-06-01 (2), 2021-06-11 (1), without a day (1)"
        run = tmp_path / "run"
        assert cli.main(["prep", "--bands", *map(str, tiles), "--out", str(run)]) == 0
        assert capsys.readouterr().out.count(f"note: {note}") == 1
        assert json.loads((run / "manifest.json").read_text())["stages"]["prep"]["notes"] == [note]
        assert note_on_days(band_files.open_bands(tiles[0])) is None

    def test_days_of_folders_count_too(self, tmp_path):
        paths = loose(tmp_path / "2022-06-01", CORE) + loose(tmp_path / "2022-08-05", CORE)
        with pytest.raises(InputError, match="two dates are no mosaic"):
            band_files.open_bands(paths)

    def test_a_file_that_is_no_band_beside_the_band_is_refused(self, tmp_path):
        paths = loose(tmp_path, CORE) + loose(tmp_path, ["view_zenith_B2"], DN[:1])
        with pytest.raises(InputError, match=r"B02.tif and .*view_zenith_B2.tif are both B02"):
            band_files.open_bands(paths)
        with pytest.raises(InputError, match=r"nothing says which band .*SCL.tif is"):
            band_files.open_bands(paths[:4] + loose(tmp_path, ["SCL"], DN[:1]))

    def test_neighbours_are_a_mosaic_in_any_order(self, tmp_path, rng):
        east = utm_grid(12, 16, west=300_160)
        paths = loose(tmp_path / "a", CORE) + loose(tmp_path / "b", CORE, DN + 1, grid=east)
        for order in (paths, [paths[i] for i in rng.permutation(8)]):
            tiles = band_files.open_bands(order)
            held = sorted({str(band.path.parent.name) for band in t.bands.values()} for t in tiles)
            assert held == [{"a"}, {"b"}] or held == [{"b"}, {"a"}]

    def test_tiles_of_two_zones_with_equal_coordinates_are_two(self, tmp_path):
        other = replace(GRID, crs=CRS.from_epsg(GRID.crs.to_epsg() - 1))
        paths = loose(tmp_path / "a", CORE) + loose(tmp_path / "b", CORE, grid=other)
        tiles = band_files.open_bands(paths)
        assert [tile.grid for tile in tiles] == [GRID, other]
        assert [{path.parent.name for path in tile.paths} for tile in tiles] == [{"a"}, {"b"}]


class TestScaling:
    @pytest.mark.parametrize("stack_first", [True, False])
    def test_numbers_a_tile_are_in_the_order_of_the_files(self, tmp_path, stack_first):
        east = utm_grid(12, 16, west=300_160)
        stack = tif(tmp_path / "stack.tif", descriptions=CORE, grid=east)
        parts = [[stack], loose(tmp_path, CORE)]
        first, second = parts if stack_first else parts[::-1]
        tiles = band_files.open_bands(first + second, offset=[-1000, 0])
        assert [list(tile.paths) for tile in tiles] == [first, second]
        assert [{band.offset for band in tile.bands.values()} for tile in tiles] == [{-1000}, {0}]

    def test_light_is_judged_by_the_numbers_of_each_band(self, tmp_path):
        with_offset = {"scales": [1e-4], "offsets": [-0.1]}
        bright = DN[:3] - DN[:3].min() + 1300
        bands = loose(tmp_path / "a", CORE[:3], bright, tags=with_offset)
        (dark,) = loose(tmp_path / "a", CORE[3:], DN[3:] - DN[3:].min() + 300)
        (tile,) = band_files.open_bands([*bands, dark])
        assert radiometry_warning(tile) is None
        (dark,) = loose(tmp_path / "b", CORE[3:], DN[3:] - DN[3:].min() + 300, tags=with_offset)
        (tile,) = band_files.open_bands([*loose(tmp_path / "b", CORE[:3], bright), dark])
        assert "offset -1000 makes the darkest pixels negative (-0.0" in radiometry_warning(tile)

    def test_scales_of_any_size_are_taken_as_they_are(self, tmp_path):
        path = tif(tmp_path / "s.tif", descriptions=CORE, tags={"scales": [1e9] * 4})
        (tile,) = band_files.open_bands(path)
        assert tile.bands["B02"].quantification == 1e-9
        with pytest.raises(InputError, match="the median reflectance would be"):
            lc.prepare(tmp_path / "run", bands=[tile])

    def test_one_band_brighter_than_any_land_is_enough(self, tmp_path):
        """Forest x 65535: only its near-infrared is beyond what land shows."""
        dn = np.full((4, *GRID.shape), 2000, np.uint16)
        dn[3] = 15_700
        with pytest.raises(InputError, match=r"B08.tif: the median reflectance would be 1.57"):
            lc.prepare(tmp_path / "run", bands=loose(tmp_path, CORE, dn))
        run = lc.prepare(
            tmp_path / "run", bands=lc.open_bands(loose(tmp_path, CORE, dn), quantification=65_535)
        )
        np.testing.assert_allclose(lc.read(run.scene)[3], 15_700 / 65_535, rtol=1e-6)

    @pytest.mark.parametrize(("scale", "message"), [
        ("ten", "the scale 'ten' and the offset '0'; each is one number"),
        ("-1", "a scale is a positive number"), ("nan", "a scale is a positive number"),
    ])  # fmt: skip
    def test_a_scale_in_texts_that_is_none_is_refused(self, tmp_path, scale, message):
        path = tif(tmp_path / "s.tif", descriptions=CORE)
        with rasterio.open(path, "r+") as stack:
            stack.update_tags(2, scale_factor=scale)
        with pytest.raises(InputError, match=message):
            band_files.open_bands(path)

    def test_texts_of_a_scale_say_nothing_of_floats(self, tmp_path):
        """Floats that a program has scaled may keep the text."""
        path = tif(tmp_path / "s.tif", DN / np.float32(10_000), CORE)
        with rasterio.open(path, "r+") as stack:
            stack.update_tags(1, scale_factor="0.0001")
        (tile,) = band_files.open_bands(path)
        assert tile.bands["B02"].quantification == 1

    def test_a_file_stretched_by_its_name_is_read_as_said(self, tmp_path):
        names = [f"{name}_(Raw)" for name in CORE]
        paths = loose(tmp_path, names, np.full((4, *GRID.shape), 9830, np.uint16))
        with pytest.raises(InputError, match="give quantification=65535, or 10000 if"):
            band_files.open_bands(paths)
        run = lc.prepare(
            tmp_path / "run", bands=band_files.open_bands(paths, quantification=65_535)
        )
        np.testing.assert_allclose(lc.read(run.scene), 0.15, atol=1e-4)

    @pytest.mark.parametrize("factor", ["0", "-10000", "nan", "tenthousand"])
    def test_a_factor_of_envi_that_is_no_positive_number_is_refused(self, tmp_path, factor):
        path = tif(tmp_path / "s.img", descriptions=CORE, driver="ENVI")
        with (tmp_path / "s.hdr").open("a") as header:
            header.write(f"\nreflectance scale factor = {factor}\n")
        with pytest.raises(InputError, match=f"reflectance scale factor '{factor}'; it is a posi"):
            band_files.open_bands(path)

    def test_the_tags_of_each_file_count(self, tmp_path):
        paths = loose(tmp_path, CORE[:3], DN[:3], tags={"scales": [1e-4], "offsets": [-0.1]})
        paths.append(tif(tmp_path / "B08.tif", DN[3:], tags={"scales": [2e-5], "offsets": [0.0]}))
        (tile,) = band_files.open_bands(paths)
        assert (tile.bands["B02"].quantification, tile.bands["B02"].offset) == (10_000, -1000)
        assert (tile.bands["B08"].quantification, tile.bands["B08"].offset) == (50_000, 0)
        got = scene_of(tmp_path, [tile])
        np.testing.assert_allclose(got[0], DN[0] * 1e-4 - 0.1, atol=1e-6)
        np.testing.assert_allclose(got[3], DN[3] * 2e-5, rtol=1e-6)

    def test_numbers_given_win_and_that_is_noted(self, tmp_path):
        paths = loose(tmp_path, CORE, tags={"scales": [1e-4], "offsets": [0.0]})
        (tile,) = band_files.open_bands(paths, offset=-1000)
        assert {(b.quantification, b.offset) for b in tile.bands.values()} == {(10_000, -1000)}
        assert len(tile.notes) == 4 and "says offset 0, and -1000 was given" in tile.notes[0]

    def test_tiles_of_two_baselines(self, tmp_path):
        east = utm_grid(12, 16, west=300_160)
        paths = loose(tmp_path / "a", CORE, DN + 1000)
        paths += loose(tmp_path / "b", CORE, DN, grid=east)
        got = scene_of(tmp_path, band_files.open_bands(paths, offset=[-1000, 0]))
        np.testing.assert_array_equal(got[:, :, :16], got[:, :, 16:])
        with pytest.raises(InputError, match=r"offset= gives 3 numbers for 2 tiles"):
            band_files.open_bands(paths, offset=[-1000, 0, 0])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_floats_are_reflectance_where_they_look_like_it(self, tmp_path, dtype):
        paths = loose(tmp_path / "r", CORE, (DN / 10_000).astype(dtype))
        paths_dn = loose(tmp_path / "d", CORE, DN.astype(dtype))
        first = scene_of(tmp_path / "1", band_files.open_bands(paths))
        second = scene_of(tmp_path / "2", band_files.open_bands(paths_dn))
        np.testing.assert_allclose(first, second, rtol=1e-6)

    def test_floats_of_digital_numbers_about_zero_are_no_reflectance(self, tmp_path):
        pixels = DN.astype(np.float32)
        pixels[3] = np.random.default_rng(1).integers(-60, 30, GRID.shape)
        pixels[3][pixels[3] == 0] = 1
        got = scene_of(tmp_path, band_files.open_bands(loose(tmp_path, CORE, pixels)))
        np.testing.assert_allclose(got, pixels / 10_000, rtol=1e-6)

    def test_pictures_are_refused(self, tmp_path):
        paths = loose(tmp_path, CORE, (DN // 16).astype(np.uint8))
        with pytest.raises(InputError, match=r"B02.tif holds 8-bit numbers .* picture"):
            band_files.open_bands(paths)

    def test_a_picture_without_names_is_called_one(self, tmp_path):
        """Names would not help it: the remedy of a silent stack leads to this refusal."""
        colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
        path = tif(tmp_path / "tci.tif", (DN // 16).astype(np.uint8), colours=colours)
        with pytest.raises(InputError, match=r"tci.tif holds 8-bit numbers .* picture"):
            band_files.open_bands(path)

    def test_numbers_of_8_bits_in_16_are_refused_until_they_are_said(self, tmp_path):
        paths = loose(tmp_path, CORE, DN // 16)
        with pytest.raises(InputError, match=r"no digital number is above 2\d\d: these are"):
            lc.prepare(tmp_path / "run", bands=paths)
        assert not (tmp_path / "run").exists()
        got = scene_of(tmp_path, band_files.open_bands(paths, quantification=10_000))
        assert np.nanmax(got) < 0.0256

    @pytest.mark.parametrize(
        ("numbers", "message"),
        [
            ({"quantification": 0}, "quantification=0 is no positive number"),
            ({"quantification": np.nan}, "quantification=nan is no positive number"),
            ({"offset": np.inf}, "offset=inf is no finite number"),
            ({"offset": -0.1}, "offset=-0.1 would change nothing: .*; give offset=-1000"),
        ],
    )
    def test_numbers_that_make_no_reflectance_are_refused(self, tmp_path, numbers, message):
        with pytest.raises(InputError, match=message):
            band_files.open_bands(loose(tmp_path, CORE), **numbers)

    def test_offsets_of_reflectance_are_taken(self, tmp_path):
        paths = loose(tmp_path, CORE, (DN / 10_000 + 0.1).astype(np.float32))
        got = scene_of(tmp_path, band_files.open_bands(paths, offset=-0.1))
        np.testing.assert_allclose(got, DN / 10_000, atol=1e-6)


class TestPaths:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("https://example.org/B02.tif", "is no file on this machine, and nothing is fetched"),
            ("/vsicurl/https://example.org/B02.tif", "is no file on this machine"),
            ("/vsis3/bucket/B02.tif", "is no file on this machine"),
            ("a" * 5000 + ".tif", "does not exist"),
            ("a\0b.tif", "does not exist"),
        ],
    )
    def test_what_is_no_file_here(self, name, message):
        with pytest.raises(LandcoverError, match=message):
            band_files.open_bands([name])

    def test_no_files(self):
        with pytest.raises(InputError, match="no band files were given"):
            band_files.open_bands([])
        with pytest.raises(InputError, match="no band files were given"):
            lc.prepare("runs/none", bands=[])

    def test_names_of_every_kind(self, tmp_path):
        """Blanks, marks and letters of any kind, links, endings in capitals."""
        folder = tmp_path / "ä ö#50%{x} & [1] 'q'"
        paths = [path.rename(path.with_suffix(".TIF")) for path in loose(folder, CORE)]
        links = [tmp_path / path.name for path in paths]
        for link, path in zip(links, paths, strict=True):
            link.symlink_to(path)
        for given in (paths, links):
            (tile,) = band_files.open_bands(given)
            assert numbers(tile) == dict.fromkeys(CORE, 1)


class TestValidity:
    def test_each_band_has_its_own_nodata(self, tmp_path):
        paths = []
        for number, (name, value) in enumerate(zip(CORE, (0, 1, 65_535, 4001), strict=True)):
            pixels = np.clip(DN[number], 2, 4000)[None]
            pixels[0, number, 0] = value
            paths.append(tif(tmp_path / f"{name}.tif", pixels, nodata=value))
        got = scene_of(tmp_path, band_files.open_bands(paths))
        assert np.argwhere(np.isnan(got)).tolist() == [[n, n, 0] for n in range(4)]

    @pytest.mark.parametrize("nodata", [None, 0, 65_535])
    def test_zero_is_data_where_another_nodata_is_declared(self, tmp_path, nodata):
        pixels = DN.copy()
        pixels[:, 1, 1] = 0
        got = scene_of(
            tmp_path, band_files.open_bands(loose(tmp_path, CORE, pixels, nodata=nodata))
        )
        assert np.isnan(got[:, 1, 1]).all() == (nodata != 65_535)
        assert np.isnan(got).sum() in (0, 4)

    def test_zero_of_floats_is_data_where_nan_is_nodata(self, tmp_path):
        pixels = (DN / 10_000).astype(np.float32)
        pixels[:, 1, 1], pixels[:, 2, 2] = 0, np.nan
        got = scene_of(tmp_path, band_files.open_bands(loose(tmp_path, CORE, pixels)))
        assert np.argwhere(np.isnan(got[0])).tolist() == [[2, 2]]
        assert (got[:, 1, 1] == 0).all()

    def test_nan_in_one_band_of_a_stack_makes_zeros_data_in_all(self, tmp_path):
        pixels = (DN / 10_000).astype(np.float32)
        pixels[:, 1, 1], pixels[3, 2, 2] = 0, np.nan
        got = scene_of(tmp_path, band_files.open_bands([tif(tmp_path / "s.tif", pixels, CORE)]))
        assert np.argwhere(np.isnan(got)).tolist() == [[3, 2, 2]]

    @pytest.mark.parametrize("internal", [True, False])
    def test_masks_count_beside_nodata(self, tmp_path, internal):
        pixels = DN.copy()
        pixels[:, 5, 5] = 7
        mask = np.full(GRID.shape, 255, np.uint8)
        mask[3, 4] = 0
        paths = loose(tmp_path, CORE, pixels, nodata=7)
        for path in paths:
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as out:
                out.write_mask(mask)
            assert path.with_name(path.name + ".msk").exists() is not internal
        got = scene_of(tmp_path, band_files.open_bands(paths))
        expected = (pixels == 7) | (mask == 0)
        np.testing.assert_array_equal(np.isnan(got), expected)

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [(65_535, np.uint16), (-9999, np.int16), (-10_000, np.int32), (-3.4028235e38, np.float32),
         (-9999, np.float32)],
    )  # fmt: skip
    @pytest.mark.parametrize("pixels", [3, 60])
    def test_undeclared_nodata_is_refused_and_can_be_declared(self, tmp_path, value, dtype, pixels):
        dn = DN.astype(dtype)
        dn[2].ravel()[:pixels] = value
        paths = loose(tmp_path, CORE, dn)
        with pytest.raises(InputError, match=rf"B04.tif: {pixels} of 192 .*nodata=-?\d") as caught:
            lc.prepare(tmp_path / "run", bands=paths)
        assert not (tmp_path / "run").exists()
        declared = float(str(caught.value).rpartition("nodata=")[2])
        got = scene_of(tmp_path, band_files.open_bands(paths, nodata=[declared]))
        np.testing.assert_array_equal(np.isnan(got), dn == np.array(value, dtype))

    def test_few_odd_values_are_left_out_and_told(self, tmp_path):
        dn = DN.copy()
        dn[2, 0, 0] = 60_001
        run = lc.prepare(tmp_path / "run", bands=loose(tmp_path, CORE, dn))
        assert np.argwhere(np.isnan(lc.read(run.scene))).tolist() == [[2, 0, 0]]
        prep = run.read_manifest()["stages"]["prep"]
        assert (
            "1 of 192 pixels of B04 are no reflectance (digital numbers 60001)" in prep["notes"][0]
        )
        assert prep["pixels"] == {
            "data": 191, "cloud": 0, "nodata": 0, "masked": 0, "implausible": 1, "outside": 0,
        }  # fmt: skip

    def test_odd_values_are_counted_in_bounded_memory(self, monkeypatch, rng):
        monkeypatch.setattr(reflectance, "_MOST_VALUES", 100)
        tally = reflectance.Tally()
        for _ in range(20):  # 60 % are one value, the others are unlike one another
            tally.pixels += 500
            tally.count_wrong(np.append(rng.uniform(9, 99, 200), [-9999.0] * 300))
        assert len(tally.implausible) == 100
        assert (tally.wrong, tally.implausible[-9999.0]) == (10_000, 6000)
        with pytest.raises(InputError, match=r"6,000 of them -9999 .*declare it with nodata=-9999"):
            reflectance.judged(tally, reflectance.Band("x.tif", 1), "B02")

    def test_many_odd_values_are_refused(self, tmp_path):
        dn = DN.copy()
        dn[2, :2] = np.arange(30_000, 30_032).reshape(2, 16)
        with pytest.raises(InputError, match="32 of 192 pixels of B04 would be no reflectance"):
            lc.prepare(tmp_path / "run", bands=loose(tmp_path, CORE, dn))


def test_zeros_stay_where_netcdf_holds_its_own_fill_in_place_of_nan(tmp_path):
    """GDAL writes NaN of a float variable as the fill that netCDF has by default."""
    profile = {"height": 6, "width": 8, "count": 1, "dtype": "float32", "driver": "GTiff"}
    profile |= {"crs": "EPSG:32633", "transform": Affine(10, 0, 300_000, 0, -10, 5_800_000)}
    values = np.full((6, 8), 1200, np.float32)
    values[0, 0], values[2, 3] = np.nan, 0
    files = []
    for name in CORE:
        path = tmp_path / f"{name}.nc"
        with rasterio.open(path.with_suffix(".tif"), "w", **profile) as file:
            file.write(values, 1)
        rasterio.shutil.copy(path.with_suffix(".tif"), path, driver="netCDF")
        files.append(path)
    (tile,) = lc.open_bands(files)
    assert all(0.0 not in band.nodata for band in tile.bands.values())
