"""What prep says of sources that do not fit together: the true cause, and a remedy that works."""

from __future__ import annotations

import shutil
import subprocess
import sys

import geopandas
import numpy as np
import pytest
from affine import Affine
from shapely.geometry import box

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.grid import Grid
from landcover.run import Run
from tests.conftest import error_lines, utm_grid
from tests.fixtures.band_files import CORE, loose, tif
from tests.fixtures.safe_products import write_product, zipped

GRID = utm_grid(24, 32)
DN = np.random.default_rng(0).integers(200, 4000, (6, *GRID.shape)).astype(np.uint16)


def shifted(east, south, pixel_m=10.0, shape=GRID.shape, grid=GRID):
    """A grid whose corner lies some metres from that of another."""
    transform = Affine(pixel_m, 0, grid.transform.c + east, 0, -pixel_m, grid.transform.f - south)
    return Grid(grid.crs, transform, *shape)


class TestEmptyBands:
    def test_a_further_band_without_data_is_named_with_what_works(self, tmp_path):
        dn = DN.copy()
        dn[4] = 0
        files = loose(tmp_path, (*CORE, "B11", "B12"), dn, nodata=0, grid=GRID)
        text = r"B11.tif has no pixel with data in B11.*; leave it out: keep=B12$"
        with pytest.raises(InputError, match=text):
            lc.prepare(tmp_path / "run", bands=files)
        assert not (tmp_path / "run").exists()
        lc.prepare(tmp_path / "run", bands=files, keep=["B12"])

    def test_one_of_two_dates_does_not_make_a_band_empty(self, tmp_path):
        dn = DN[:5].copy()
        dn[4] = 0
        files = [
            *loose(tmp_path / "2022-06-01", (*CORE, "B11"), dn, nodata=0, grid=GRID),
            *loose(tmp_path / "2022-07-01", (*CORE, "B11"), DN[:5], nodata=0, grid=GRID),
        ]
        run = lc.prepare(tmp_path / "run", bands=files, composite="best")
        np.testing.assert_allclose(lc.read(run.scene), DN[:5] / 10_000, rtol=1e-6)

    def test_a_band_that_every_scene_needs(self, tmp_path):
        dn = DN[:4].copy()
        dn[1] = 0
        files = loose(tmp_path, CORE, dn, nodata=0, grid=GRID)
        with pytest.raises(InputError, match=r"B03.tif has no pixel with data in B03.*needs it"):
            lc.prepare(tmp_path / "run", bands=files)


class TestShiftedBands:
    def test_what_lies_beyond_a_coarser_band_is_no_nodata(self, tmp_path):
        files = loose(tmp_path, CORE, DN[:4], grid=GRID)
        half = shifted(10, 10, 20.0, (12, 16))
        files.append(tif(tmp_path / "B11.tif", DN[4:5, :12, :16], grid=half))
        run = lc.prepare(tmp_path / "run", bands=files, keep="all")
        _, note = run.read_manifest()["stages"]["prep"]["notes"]
        assert f"{24 + 32 - 1} pixels lie outside this file of B11" in note
        assert "shifted" in note and "means no data" not in note

    def test_a_band_of_a_second_tile_is_not_called_missing(self, tmp_path):
        files = loose(tmp_path / "west", CORE, DN[:4], grid=GRID)
        east = shifted(320, 0)
        files += loose(tmp_path / "east", CORE[:3], DN[:3], grid=east)
        files += loose(tmp_path / "east", CORE[3:], DN[3:4], grid=shifted(325, 5))
        with pytest.raises(InputError, match=r"east/B08.tif is not on the grid of .*5 east and -5"):
            lc.open_bands(files)
        files[-1:] = loose(tmp_path / "east", CORE[3:], DN[3:4], grid=east)
        assert len(lc.open_bands(files)) == 2


class TestProducts:
    def test_one_without_images_of_10_m(self, tmp_path):
        made = write_product(tmp_path)
        (folder,) = made.path.rglob("R10m")
        shutil.move(folder, tmp_path / "R10m")
        text = "holds images of 20 m and 60 m and none of 10 m.*with its folder R10m"
        with pytest.raises(InputError, match=text):
            lc.open_sentinel2(made.path)
        shutil.move(tmp_path / "R10m", folder)
        assert list(lc.open_sentinel2(made.path).bands) == list(CORE)

    @pytest.mark.parametrize("word", ["0m", "30m"])
    def test_sizes_of_pixels_that_no_band_has(self, tmp_path, word):
        files = loose(tmp_path, CORE, DN[:4], grid=GRID)
        with pytest.raises(InputError, match=f"keep='{word}' is no size.* of 10m 20m 60m: give"):
            lc.open_bands(files, keep=word)


class TestMasks:
    def test_a_mask_of_0_and_1_is_no_probability(self, tmp_path):
        files = loose(tmp_path, CORE, DN[:4], grid=GRID)
        values = (DN[:1] > 2000).astype(np.uint8)
        mask = tif(tmp_path / "clouds.tif", values, grid=GRID)
        with pytest.raises(InputError, match=r"holds 0 and 1 alone.*give mask_classes=1"):
            lc.prepare(tmp_path / "run", bands=files, mask=mask, mask_above=40)
        run = lc.prepare(tmp_path / "run", bands=files, mask=mask, mask_classes=[1])
        np.testing.assert_array_equal(np.isnan(lc.read(run.scene)[0]), values[0] == 1)

    def test_a_probability_of_1_percent_at_most_is_one(self, tmp_path):
        files = loose(tmp_path, CORE, DN[:4], grid=GRID)
        values = (DN[:1] > 2000).astype(np.uint8)
        mask = tif(tmp_path / "MSK_CLDPRB_20m.tif", values, grid=GRID)
        run = lc.prepare(tmp_path / "run", bands=files, mask=mask, mask_above=40)
        assert np.isfinite(lc.read(run.scene)).all()


class TestPlacesAndDays:
    @pytest.mark.parametrize("code", [32601, 32645, 32733])
    def test_a_zone_far_from_the_place(self, tmp_path, code):
        tiles = lc.open_bands(loose(tmp_path, CORE, DN[:4], grid=GRID))
        with pytest.raises(InputError, match=r"far from the zone.*gives? .*to_crs=EPSG:32633$"):
            lc.prepare(tmp_path / "run", bands=tiles, to_crs=f"EPSG:{code}")

    def test_a_neighbouring_zone_and_a_northern_one_in_the_south(self, tmp_path):
        (tile,) = lc.open_bands(loose(tmp_path, CORE, DN[:4], grid=GRID))
        assert lc.prepare(tmp_path / "a", bands=tile, to_crs="EPSG:32632").path.is_dir()
        south = utm_grid(24, 32, north=-3_000_000)
        tile = lc.open_bands(loose(tmp_path / "south", CORE, DN[:4], grid=south))
        assert lc.prepare(tmp_path / "b", bands=tile, to_crs="EPSG:32633").path.is_dir()

    def test_a_best_date_of_another_year_is_said(self, tmp_path):
        files = [
            path
            for day in ("2022-06-01", "2022-07-01")
            for path in loose(tmp_path / day, CORE, DN[:4], grid=GRID)
        ]
        for best, far in (("2019-07-01", True), ("2022-08-01", False)):
            run = lc.prepare(tmp_path / best, bands=files, composite="best", best_date=best)
            notes = run.read_manifest()["stages"]["prep"]["notes"]
            assert any("1066 days from the nearest date" in note for note in notes) == far


class TestClassFields:
    @pytest.fixture
    def polygons(self, tmp_path):
        path = tmp_path / "fields.gpkg"
        shape = box(*GRID.bounds)
        geopandas.GeoDataFrame({"code": [211]}, geometry=[shape], crs=GRID.crs).to_file(path)
        return path

    def test_a_wrong_field_is_told_before_bands_are_read(self, tmp_path, polygons, capsys):
        common = ["prep", "--bands", str(tmp_path / "none.tif"), "--out", str(tmp_path / "run")]
        argv = [*common, "--polygons", str(polygons), "--class-field"]
        assert main([*argv, "kind"]) == 2
        (line,) = error_lines(capsys.readouterr().err)
        assert "has no field 'kind'; its fields are: code" in line
        assert main([*common, "--class-field", "code"]) == 2
        (line,) = error_lines(capsys.readouterr().err)
        assert "give them with --polygons FILE" in line


def test_what_a_killed_prep_left_is_cleared(tmp_path):
    files = loose(tmp_path, CORE, DN[:4], grid=GRID)
    folder = tmp_path / "run"
    lines = (
        "import os, pathlib", "from landcover.run import Run",
        "from landcover.stages.staging import staged",
        f"with staged(Run(pathlib.Path({str(folder)!r}))) as stage:",
        "    stage.scene.write_bytes(b'half'); os._exit(9)",
    )  # fmt: skip
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 9
    assert (folder / ".staging" / "scene.tif").exists()
    lc.prepare(folder, bands=files)
    fresh = lc.prepare(tmp_path / "fresh", bands=files)
    assert Run(folder).scene.read_bytes() == fresh.scene.read_bytes()
    assert {p.name for p in folder.iterdir()} == {p.name for p in fresh.path.iterdir()}


def test_a_mask_without_files_leaves_no_blank_in_the_first_line(tmp_path, capsys):
    files = [str(path) for path in loose(tmp_path, CORE, DN[:4], grid=GRID)]
    assert main(["prep", "--bands", *files, "--mask", "--out", str(tmp_path / "run")]) == 2
    assert ", mask, mask-dilation 0.0" in capsys.readouterr().out.splitlines()[0]


class TestTilesOfOnePlace:
    def test_two_days_on_grids_that_differ_a_little_are_no_mosaic(self, tmp_path):
        files = [
            *loose(tmp_path / "2022-06-01", CORE, DN[:4], grid=GRID),
            *loose(
                tmp_path / "2022-07-01", CORE, DN[:4, 1:, 1:], grid=shifted(10, 10, 10, (23, 31))
            ),
        ]
        tiles = [*lc.open_bands(files[:4]), *lc.open_bands(files[4:])]
        with pytest.raises(InputError, match="two dates are no mosaic"):
            lc.prepare(tmp_path / "run", bands=tiles)
        beside = lc.open_bands(
            loose(tmp_path / "b" / "2022-07-01", CORE, DN[:4], grid=shifted(300, 0))
        )
        assert lc.prepare(tmp_path / "run", bands=[tiles[0], *beside]).path.is_dir()

    def test_a_second_copy_of_a_product_only_fills_holes_and_that_is_said(self, tmp_path):
        made = write_product(tmp_path)
        run = lc.prepare(tmp_path / "run", bands=[made.path, zipped(made.path)])
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert sum("covers the same ground as" in note for note in notes) == 1
        alone = lc.prepare(tmp_path / "alone", bands=made.path)
        np.testing.assert_array_equal(lc.read(run.scene), lc.read(alone.scene))


def test_what_lies_beside_a_warped_tile_is_not_counted_as_unmasked(tmp_path):
    files = loose(tmp_path, CORE, DN[:4], grid=GRID)
    mask = tif(tmp_path / "SCL.tif", np.where(DN[:1] > 3000, 9, 4).astype(np.uint8), grid=GRID)
    run = lc.prepare(tmp_path / "run", bands=files, mask=mask, to_crs="EPSG:3035")
    prep = run.read_manifest()["stages"]["prep"]
    note = next(note for note in prep["notes"] if "of the tile hidden" in note)
    assert prep["pixels"]["outside"] and "without a value" not in note
    covered = sum(prep["pixels"].values()) - prep["pixels"]["outside"]
    assert f": {100 * prep['pixels']['cloud'] / covered:.1f} % of the tile hidden" in note


def test_words_of_keep_in_one_or_in_capitals(tmp_path):
    files = loose(tmp_path, (*CORE, "B11", "B12"), DN, grid=GRID)
    with pytest.raises(InputError, match=r"keep='B11,B12' is several words.*: keep=B11 B12$"):
        lc.open_bands(files, keep="B11,B12")
    assert len(lc.open_bands(files, keep="ALL")[0].bands) == 6
    assert list(lc.open_bands(files, keep="10M")[0].bands) == list(CORE)


def test_a_raster_is_no_product(tmp_path, capsys):
    path = tif(tmp_path / "stack.tif", DN[:4], CORE, grid=GRID)
    assert main(["prep", "--product", str(path), "--out", str(tmp_path / "run")]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "stack.tif is no product" in line and "images with --bands" in line


def test_a_probability_of_a_product_that_has_classes_alone(tmp_path):
    made = write_product(tmp_path, "1C", "04.00")
    with pytest.raises(InputError, match="and has MSK_CLASSI; hide clouds by that without mask_ab"):
        lc.prepare(tmp_path / "run", bands=made.path, mask=True, mask_above=40)


def test_clouds_over_100_percent_are_none(tmp_path, capsys):
    argv = [
        "fetch",
        "--bbox",
        "12",
        "52",
        "12.1",
        "52.1",
        "--dates",
        "2022-06-01",
        "--cloud",
        "200",
    ]
    assert main([*argv, "--out", str(tmp_path / "images")]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "--cloud 200 is no percentage; give 0 to 100" in line
