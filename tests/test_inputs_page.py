"""Every row of docs/inputs.md, on files made for it."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from shapely.geometry import Point, Polygon, box

import landcover as lc
from landcover.errors import LandcoverError
from landcover.files import vectors
from landcover.files.raster_writer import write
from landcover.grid import Grid, Window
from landcover.labels.polygons import read_class_polygons
from landcover.labels.recognition import Hints
from landcover.legend import Legend, corine
from landcover.reports.reference_sample import read_sample
from landcover.sources.tile import Tile
from landcover.stages.api_arguments import tiles_of
from landcover.stages.prepare import notes_on_tiles, radiometry_warnings
from landcover.stages.run_legend import write_nomenclature
from tests.conftest import ROOT, utm_grid
from tests.fixtures.band_files import CORE, DN, GRID, loose, tif, unplaced
from tests.fixtures.safe_products import write_jp2, write_product, zipped
from tests.fixtures.sentinel2_files import write_safe
from tests.fixtures.several_runs import apart
from tests.fixtures.stac_items import old_assets, write_item

#: What a scene of the product holds.
REFLECTANCE = (DN / 10_000).astype(np.float32)
ROW = re.compile(r"^\| (?P<what>.+) \| (?P<how>.+) \| `(?P<case>\w+)` \|$", re.MULTILINE)
PAGE = (ROOT / "docs" / "inputs.md").read_text("utf-8")
READ, REFUSED = (
    {row["case"]: row["how"] for row in ROW.finditer(part)}
    for part in PAGE.split("## Read")[1].split("## Refused")
)


def scene(folder: Path, tiles: list[Tile]) -> np.ndarray:
    """The scene of some tiles, as prep makes it."""
    radiometry_warnings(tiles)
    return lc.read(lc.prepare(folder / "run", bands=tiles).scene)


def holed(value: float, dtype: type = np.uint16, place: tuple[int, int] = (2, 3)) -> np.ndarray:
    """The product with a value in one pixel."""
    pixels = DN.astype(dtype)
    pixels[(slice(None), *place)] = value
    return pixels


def with_hole(place: tuple[int, int] = (2, 3)) -> np.ndarray:
    """The scene of a product with a hole in one pixel."""
    expected = REFLECTANCE.copy()
    expected[(slice(None), *place)] = np.nan
    return expected


def polygons(path: Path, *layers: str) -> Path:
    west, south, east, north = GRID.bounds
    for layer in layers:
        frame = geopandas.GeoDataFrame(geometry=[box(west, south, east, north)], crs=GRID.crs)
        frame.to_file(path, layer=layer)
    return path


class Read:
    """A case gives what was read and what it should be."""

    def described_stack(self, folder):
        path = tif(folder / "s.tif", DN[[2, 3, 0, 1]], ("red", "Near-Infrared", "B2", "b03"))
        return scene(folder, lc.open_bands(path)), REFLECTANCE

    def described_files(self, folder):
        said = zip("abcd", ("B8", "B4", "B3", "B2"), DN[::-1], strict=True)
        paths = [tif(folder / f"{name}.tif", dn[None], (text,)) for name, text, dn in said]
        return scene(folder, lc.open_bands(paths)), REFLECTANCE

    def named_files(self, folder):
        names = ("nir", "T33UUU_20220601T100031_B03_10m", "Red", "x.b2")
        return scene(folder, lc.open_bands(loose(folder, names, DN[[3, 1, 2, 0]]))), REFLECTANCE

    def tagged_stack(self, folder):
        path = tif(folder / "s.tif")
        with rasterio.open(path, "r+") as out:
            for number, (key, text) in enumerate(
                [("common_name", "blue"), ("BANDNAME", "B3"), ("long_name", "red"),
                 ("common_name", "nir")], start=1,
            ):  # fmt: skip
                out.update_tags(number, **{key: text})
        return scene(folder, lc.open_bands(path)), REFLECTANCE

    def coloured_stack(self, folder):
        colours = (ColorInterp.nir, ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        return scene(
            folder, lc.open_bands(tif(folder / "s.tif", DN[::-1], colours=colours))
        ), REFLECTANCE

    def names_given(self, folder):
        path = tif(folder / "s.tif", DN[[2, 1, 0, 0, 3]])
        names = ["B04", "B03", "B02", "-", "B08"]
        return scene(folder, lc.open_bands(path, band_names=names)), REFLECTANCE

    def numbers_given(self, folder):
        pixels = np.ones((12, *GRID.shape), np.uint16)
        pixels[[1, 2, 3, 7]] = DN
        names = ["B02=2", "B03=3", "B04=4", "B08=8"]
        return scene(folder, lc.open_bands(tif(folder / "s.tif", pixels), band_names=names)), (
            REFLECTANCE
        )

    def further_bands(self, folder):
        path = tif(folder / "s.tif", DN[[0, 1, 2, 3, 0]], (*CORE, "elevation"))
        tiles = lc.open_bands(path)
        assert "5 (elevation)" in tiles[0].notes[0]
        return scene(folder, tiles), REFLECTANCE

    def own_scale(self, folder):
        paths = loose(folder, CORE[:3], DN[:3], tags={"scales": [1e-4], "offsets": [0.0]})
        tags = {"scales": [2e-4], "offsets": [-0.05]}
        dn = np.rint((DN[3] / 10_000 + 0.05) / 2e-4).astype(np.uint16)
        paths.append(tif(folder / "B08.tif", dn[None], tags=tags))
        expected = REFLECTANCE.copy()
        expected[3] = dn * 2e-4 - 0.05
        return scene(folder, lc.open_bands(paths)), expected

    def scale_in_texts(self, folder):
        path = tif(folder / "s.tif", DN + 1000, CORE)
        with rasterio.open(path, "r+") as stack:
            for number in stack.indexes:
                stack.update_tags(number, scale_factor="0.0001", add_offset="-0.1")
        return scene(folder, lc.open_bands(path)), REFLECTANCE

    def plain_numbers(self, folder):
        tiles = lc.open_bands(loose(folder, CORE, DN * 2 + 1000), 20_000, -1000)
        assert tiles[0].bands["B02"].scaled_by == "as given"
        assert lc.open_bands(loose(folder / "p", CORE))[0].bands["B02"].quantification == 10_000
        return scene(folder, tiles), REFLECTANCE

    def reflectance_floats(self, folder):
        return scene(folder, lc.open_bands(loose(folder, CORE, REFLECTANCE))), REFLECTANCE

    def floats_of_numbers(self, folder):
        return scene(folder, lc.open_bands(loose(folder, CORE, DN.astype(np.float32)))), REFLECTANCE

    def nodata_of_a_band(self, folder):
        pixels, expected = DN.copy(), REFLECTANCE.copy()
        paths = []
        for band, (name, value) in enumerate(zip(CORE, (0, 65_535, 5000, 9), strict=True)):
            pixels[band][pixels[band] == 9] = 10
            pixels[band, band, 0], expected[band] = value, pixels[band] / 10_000
            expected[band, band, 0] = np.nan
            paths.append(tif(folder / f"{name}.tif", pixels[band][None], nodata=value))
        return scene(folder, lc.open_bands(paths)), expected

    def masks(self, folder):
        mask = np.full(GRID.shape, 255, np.uint8)
        mask[4, 5] = 0
        inside, beside = loose(folder, CORE[:2], holed(7)[:2], nodata=7)
        alpha, floats = folder / "a.tif", folder / "B08.tif"
        for path, internal in ((inside, True), (beside, False)):
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as out:
                out.write_mask(mask)
        opaque = np.where(mask == 0, 0, 65_535).astype(np.uint16)
        tif(
            alpha, np.stack([holed(7)[2], opaque]), ("B04", ""), nodata=7,
            colours=(ColorInterp.gray, ColorInterp.alpha),
        )  # fmt: skip
        values = with_hole()[3:]
        values[:, 4, 5] = np.nan
        tif(floats, values, nodata=np.nan)
        expected = with_hole()
        expected[:, 4, 5] = np.nan
        return scene(folder, lc.open_bands([inside, beside, alpha, floats])), expected

    def alpha_bands(self, folder):
        opaque = np.full((2, *GRID.shape), 65_535, np.uint16)
        opaque[0, 2, 3], opaque[1, 4, 5] = 0, 0
        pixels = np.concatenate([DN[:2], opaque[:1], DN[2:], opaque[1:]])
        plain, alpha = ColorInterp.undefined, ColorInterp.alpha
        colours = (ColorInterp.gray, plain, alpha, plain, plain, alpha)
        path = tif(folder / "s.tif", pixels, (*CORE[:2], "", *CORE[2:], ""), colours=colours)
        expected = with_hole()
        expected[:, 4, 5] = np.nan
        return scene(folder, lc.open_bands(path)), expected

    def percent(self, folder):
        paths = loose(folder, CORE[:2], REFLECTANCE[:2] * 100, tags={"units": ["%"]})
        tags = {"units": ["percent"], "scales": [0.01]}
        return scene(folder, lc.open_bands(paths + loose(folder, CORE[2:], DN[2:], tags=tags))), (
            REFLECTANCE
        )

    def zero_undeclared(self, folder):
        return scene(folder, lc.open_bands(loose(folder, CORE, holed(0)))), with_hole()

    def zero_declared(self, folder):
        expected = with_hole()
        expected[:, 2, 3] = 0
        return scene(folder, lc.open_bands(loose(folder, CORE, holed(0), nodata=65_535))), expected

    def few_implausible(self, folder):
        tiles = lc.open_bands(loose(folder, CORE, holed(40_000)))
        run = lc.prepare(folder / "few", bands=tiles)
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert len(notes) == 4 and all("1 of 192 pixels" in note for note in notes)
        assert all("40000" in note for note in notes)
        return lc.read(run.scene), with_hole()

    def one_number(self, folder):
        dn = np.random.default_rng(1).integers(1, 4000, (4, *GRID.shape)).astype(np.uint16)
        dn[:, :6, :8] = 10_000
        tiles = lc.open_bands(loose(folder, CORE, dn))
        run = lc.prepare(folder / "even", bands=tiles)
        (note,) = run.read_manifest()["stages"]["prep"]["notes"]
        assert "pixels (" in note and "have the number 10000 (1) in all of B02 B03 B04 B08" in note
        assert "declare it with nodata=10000" in note
        declared = lc.open_bands(tiles[0].paths, nodata=[10_000])
        expected = (dn / 10_000).astype(np.float32)
        expected[dn == 10_000] = np.nan
        return scene(folder, declared), expected

    def holes_of_one_band(self, folder):
        pixels, expected = DN.copy(), REFLECTANCE.copy()
        pixels[3, :3], expected[3, :3] = 0, np.nan
        run = lc.prepare(folder / "alone", bands=loose(folder, CORE, pixels))
        (note,) = run.read_manifest()["stages"]["prep"]["notes"]
        assert "B08.tif: 48 pixels have no data in B08 and data in all other bands (25.0 %)" in note
        return lc.read(run.scene), expected

    def within_a_container(self, folder):
        paths = loose(folder, CORE)
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            for path in paths[:2]:
                archive.write(path, f"in/{path.name}")
        names: list[str | Path] = [f"/vsizip/{folder}/a.zip/in/{path.name}" for path in paths[:2]]
        return scene(folder, lc.open_bands([*names, *paths[2:]])), REFLECTANCE

    def mosaic(self, folder):
        east = utm_grid(12, 16, west=300_160)
        paths = loose(folder / "a", CORE, DN + 1000) + loose(folder / "b", CORE, DN, grid=east)
        tiles = lc.open_bands(paths, offset=[-1000, 0])
        return scene(folder, tiles), np.concatenate([REFLECTANCE, REFLECTANCE], axis=2)

    def mosaic_of_days(self, folder):
        grids = (GRID, utm_grid(12, 16, west=300_160))
        tiles = [
            lc.open_bands(tif(folder / f"2021-06-{day}.tif", descriptions=CORE, grid=grid))[0]
            for day, grid in zip(("01", "11"), grids, strict=True)
        ]
        assert notes_on_tiles(tiles) == ["tiles of 2 days: 2021-06-01 (1), 2021-06-11 (1)"]
        return scene(folder, tiles), np.concatenate([REFLECTANCE, REFLECTANCE], axis=2)

    def product(self, folder):
        made = write_product(folder, "1C", "02.04", old=True)
        new = write_product(folder, "2A", "05.09")
        tiles = [lc.open_sentinel2(each.path) for each in (made, new)]
        offsets = [tile.bands["B08"].offset for tile in tiles]
        dn = np.stack([made.dn["T33UUU", name] for name in CORE])
        assert offsets == [0, -1000]
        return scene(folder, tiles[:1]), dn / 10_000

    def zipped_product(self, folder):
        made = write_product(folder, "1C", "02.04")
        tile = lc.open_sentinel2(zipped(made.path))
        assert not list(folder.rglob("*.SAFE/*.SAFE"))
        return scene(folder, [tile]), np.stack([made.dn["T33UUU", n] for n in CORE]) / 10_000

    def kept_bands(self, folder):
        made = write_product(folder, "1C", "02.04")
        for dn in (made.image("B05"), made.image("B09")):
            with rasterio.open(dn) as image:
                pixels, grid = np.full(image.shape, 1234, np.uint16), Grid.of(image)
            write_jp2(dn, pixels, grid)
        tile = lc.open_sentinel2(made.path, keep=["B05", "nir09"])
        assert list(tile.bands) == ["B02", "B03", "B04", "B05", "B08", "B09"]
        got = scene(folder, [tile])[[3, 5]]
        return got, np.full((2, 120, 120), 0.1234)

    def three_resolutions(self, folder):
        made = write_product(folder, "1C", "02.04")
        images = sorted(made.path.rglob("IMG_DATA/*.jp2"))
        assert len(lc.open_bands(images, keep="all")[0].bands) == 13
        expected = np.stack([made.dn["T33UUU", name] for name in CORE]) / 10_000
        return scene(folder, lc.open_bands(images)), expected

    def band_at_several_sizes(self, folder):
        made = write_product(folder, "2A", "02.14")
        tiles = lc.open_bands(list(made.path.rglob("IMG_DATA/R*/*_B0[2348]_*.jp2")))
        assert "taken at 10 m, and left out at 20 m and 60 m: B02 B03 B04" in tiles[0].notes
        expected = np.stack([made.dn["T33UUU", name] for name in CORE]) / 10_000
        return scene(folder, tiles), expected

    def granules(self, folder):
        made = write_product(folder, "1C", "02.04", ("T33UUU", "T33UVU"), old=True)
        got = lc.read(lc.prepare(folder / "run", bands=made.path).scene)
        parts = [np.stack([made.dn[tile, n] for n in CORE]) for tile in ("T33UUU", "T33UVU")]
        assert lc.open_sentinel2(made.path, granule="T33UVU").grid.shape == (120, 120)
        return got, np.concatenate(parts, axis=2) / 10_000

    def lacks_another_band(self, folder):
        made = write_product(folder, "1C", "02.04")
        made.image("B09").unlink()
        expected = np.stack([made.dn["T33UUU", name] for name in CORE]) / 10_000
        return scene(folder, [lc.open_sentinel2(made.path)]), expected

    def dates_composed(self, folder):
        days = ("2022-06-01", "2022-06-11", "2022-06-21")
        paths = [
            path
            for number, day in enumerate(days)
            for path in loose(folder / day, CORE, np.roll(DN, number, axis=2))
        ]
        dates = np.stack([np.roll(REFLECTANCE, number, axis=2) for number in range(3)])
        run = lc.prepare(folder / "run", bands=paths, composite="median")
        assert (lc.read(run.observations) == 3).all()
        return lc.read(run.scene), np.sort(dates, axis=0)[1]

    def scl_of_a_stack(self, folder):
        scl = np.full((1, *GRID.shape), 4, np.uint16)
        scl[0, 2, 3] = 9
        path = tif(folder / "s.tif", np.concatenate([DN, scl]), (*CORE, "SCL"))
        run = lc.prepare(folder / "run", bands=path, mask=True)
        assert run.read_manifest()["stages"]["prep"]["pixels"]["cloud"] == 1
        return lc.read(run.scene), with_hole()

    def scl_beside_bands(self, folder):
        coarse = Grid(GRID.crs, Affine(20, 0, 300_000, 0, -20, 5_800_000), 6, 8)
        scl = np.full((1, *coarse.shape), 5, np.uint8)
        scl[0, 2, 2] = 3
        mask = tif(folder / "T33UUU_20220601T100031_SCL_20m.tif", scl, grid=coarse)
        paths = loose(folder, [f"T33UUU_20220601T100031_{band}_10m" for band in CORE])
        run = lc.prepare(folder / "run", bands=paths, mask=mask, mask_dilation=20)
        expected = REFLECTANCE.copy()
        for row, col in ((2, 2), (1, 2), (3, 2), (2, 1), (2, 3)):
            expected[:, 2 * row : 2 * row + 2, 2 * col : 2 * col + 2] = np.nan
        return lc.read(run.scene), expected

    def degrees_to_utm(self, folder):
        degrees = Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13, 0, -9e-5, 52), 40, 60)
        even = np.full((4, *degrees.shape), 2000, np.uint16)
        run = lc.prepare(
            folder / "run", bands=tif(folder / "s.tif", even, CORE, grid=degrees), to_crs="auto"
        )
        image = lc.read(run.scene)
        with rasterio.open(run.scene) as written:
            assert written.crs.to_epsg() == 32633 and written.res == (10, 10)
        return image[:, 10:30, 10:30], np.full((4, 20, 20), 0.2)

    def item_and_files(self, folder):
        dn = np.clip(DN, 10, 3900)
        dn[:, 2, 3], dn[:, 4, 5] = 9, 4000
        loose(folder, CORE, dn, nodata=9, tags={"scales": [1e-4], "offsets": [0.0]})
        assets = old_assets(scale=None, offset=None)
        for asset in assets.values():
            asset["raster:bands"][0]["nodata"] = 4000
        expected = np.where((dn == 9) | (dn == 4000), np.nan, dn / 10_000)
        return scene(folder, [lc.open_stac(write_item(folder, assets))]), expected

    def fetched_folder(self, folder):
        fetched = folder / "2022-06-01_A"
        fetched.mkdir()
        loose(fetched, CORE, DN + 1000, nodata=0)
        said = {"landcover:offset_from": "other dates", "s2:processing_baseline": "05.09"}
        write_item(fetched, old_assets(), **said)
        (tile,) = tiles_of(fetched)
        return scene(folder, [tile]), REFLECTANCE

    def notations_of_a_crs(self, folder):
        forms = (GRID.crs, CRS.from_wkt(GRID.crs.to_wkt()), CRS.from_string("EPSG:32633"),
                 CRS.from_proj4("+proj=utm +zone=33 +datum=WGS84 +units=m"))  # fmt: skip
        paths = [
            tif(folder / f"{n}.tif", dn[None], grid=Grid(form, GRID.transform, *GRID.shape))
            for n, dn, form in zip(CORE, DN, forms, strict=True)
        ]
        return scene(folder, lc.open_bands(paths)), REFLECTANCE

    def label_scheme(self, folder):
        values = np.full(GRID.shape, 12, np.uint8)
        values[:5] = 44
        labels = write(folder / "l.tif", values, GRID, ["class"], nodata=0)
        run = lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)
        became = run.read_manifest()["stages"]["prep"]["classes"]["labels"]
        assert became["scheme"] == "corine-grid" and len(became["values"]) == 2
        return lc.read(run.labels)[0], np.where(values == 44, 523, 211)

    def named_classes(self, folder):
        values = np.full(GRID.shape, 1, np.uint8)
        values[:5] = 0
        labels = write(folder / "l.tif", values, GRID, ["class"])
        names = "<Category>water</Category><Category>trees</Category>"
        (folder / "l.tif.aux.xml").write_text(
            "<PAMDataset><PAMRasterBand band='1'><CategoryNames>"
            f"{names}</CategoryNames></PAMRasterBand></PAMDataset>"
        )
        run = lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)
        became = run.read_manifest()["stages"]["prep"]["classes"]["labels"]
        assert became["scheme"] == "dynamic-world"
        return lc.read(run.labels)[0], values + 1

    def invalid_polygons(self, folder):
        west, south, east, north = GRID.bounds
        bow = Polygon([(west, south), (east, north), (east, south), (west, north)])
        frame = geopandas.GeoDataFrame({"use": [512]}, geometry=[bow], crs=GRID.crs)
        frame.to_file(folder / "v.gpkg")
        found = read_class_polygons(folder / "v.gpkg", "use", GRID, Hints())
        assert found.notes() == ["invalid geometry was repaired of 1 feature (id 1)"]
        return found.shapes.geometries[0].area, (east - west) * (north - south) / 2

    def never_seen(self, folder):
        hidden = DN.copy()
        hidden[:, 3:5] = 0
        dates = [tif(folder / f"2022-06-{day}.tif", hidden, CORE) for day in ("01", "11")]
        run = lc.prepare(folder / "run", dates=dates)
        shares = run.read_manifest()["stages"]["prep"]["valid_dates"]
        assert shares == [2 / GRID.rows, 0, 1 - 2 / GRID.rows]
        return lc.read(run.scene), np.where(hidden == 0, np.nan, REFLECTANCE)

    def dates_of_other_bands(self, folder):
        rich = tif(folder / "2022-06-11.tif", np.concatenate([DN, DN[:1]]), (*CORE, "B11"))
        run = lc.prepare(folder / "run", dates=[loose(folder / "2022-06-01", CORE), rich])
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert any(note.endswith("lacks it: B11") for note in notes)
        return lc.read(run.sequence), np.concatenate([REFLECTANCE, REFLECTANCE])

    def labels_of_another_year(self, folder):
        codes = np.full(GRID.shape, 211, np.uint16)
        codes[:, 8:] = 512
        path = write(folder / "U2018_CLC2018_V2020_20u1.tif", codes, GRID, ["class"], nodata=0)
        dates = [loose(folder / f"2022-06-{day}", CORE) for day in ("01", "11")]
        run = lc.prepare(folder / "run", dates=dates, labels=path)
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert any("is of 2018 by its name, and the dates are of 2022" in note for note in notes)
        return lc.read(run.labels)[0], codes

    def one_layer(self, folder):
        path = polygons(folder / "a.gpkg", "towns")
        line = geopandas.GeoDataFrame(geometry=[Point(GRID.bounds[:2])], crs=GRID.crs)
        line.to_file(path, layer="points")
        return vectors.read_aoi(path, GRID).area, GRID.rows * GRID.cols * 100

    def polygons_that_overlap(self, folder):
        west, south, east, north = GRID.bounds
        shapes = [box(west, south, west + 40, north), box(west + 20, south, east, north)]
        frame = geopandas.GeoDataFrame({"use": [512, 211]}, geometry=shapes, crs=GRID.crs)
        frame.to_file(folder / "v.gpkg")
        found = read_class_polygons(folder / "v.gpkg", "use", GRID, Hints())
        assert found.notes() == [
            f"{2 * GRID.rows} pixels lie in polygons of several classes, and are left out"
        ]
        expected = np.full(GRID.shape, 211, np.uint16)
        expected[:, :2], expected[:, 2:4] = 512, 0
        return found.burn(Window(0, 0, *GRID.shape)), expected


class Refused:
    """A case ends in an error."""

    def silent_stack(self, folder):
        lc.open_bands(tif(folder / "s.tif"))

    def silent_files(self, folder):
        lc.open_bands(loose(folder, "1234"))

    def no_band_in_glob(self, folder):
        lc.open_bands(loose(folder, CORE) + loose(folder, ["SCL"], DN[:1]))

    def band_twice(self, folder):
        names = ("B2", "B3", "B4", "B8", "view_azimuth_mean_B2")
        lc.open_bands(tif(folder / "s.tif", DN[[0, 1, 2, 3, 0]], names))

    def names_by_place(self, folder):
        pixels = np.concatenate([DN, DN, DN[:2]])
        lc.open_bands(tif(folder / "s.tif", pixels, [f"b{n}" for n in range(1, 11)]))

    def days_in_a_stack(self, folder):
        names = ("B2_20220601", "B3_20220601", "B4_20220601", "B8_20220805")
        lc.open_bands(tif(folder / "s.tif", descriptions=names))

    def several_pages(self, folder):
        paths = loose(folder, CORE)
        with rasterio.open(
            paths[0], "w", driver="GTiff", width=GRID.cols, height=GRID.rows, count=1,
            dtype=DN.dtype, crs=GRID.crs, transform=GRID.transform, APPEND_SUBDATASET="YES",
        ) as out:  # fmt: skip
            out.write(DN[3], 1)
        lc.open_bands(paths)

    def file_twice(self, folder):
        lc.open_bands(loose(folder, CORE) + loose(folder, ["view_zenith_B2"], DN[:1]))

    def two_dates(self, folder):
        days = ("20220601", "20220805")
        names = [f"T33UUU_{day}T100031_{band}" for day in days for band in CORE]
        lc.open_bands(loose(folder, names, np.concatenate([DN, DN])))

    def dates_apart(self, folder):
        far = utm_grid(12, 16, west=400_000)
        paths = loose(folder / "2022-06-01", CORE) + loose(folder / "2022-06-11", CORE, grid=far)
        lc.prepare(folder / "run", bands=paths, composite="median")

    def dates_on_two_grids(self, folder):
        shifted = utm_grid(12, 16, west=300_010)
        dates = [tif(folder / "2022-06-01.tif", descriptions=CORE),
                 tif(folder / "2022-06-11.tif", descriptions=CORE, grid=shifted)]  # fmt: skip
        lc.prepare(folder / "run", dates=dates)

    def date_twice(self, folder):
        day = loose(folder / "2022-06-01", CORE)
        lc.prepare(folder / "run", dates=[day, loose(folder / "2022-06-11", CORE), day])

    def two_days_as_one_date(self, folder):
        both = [tif(folder / f"2022-06-{day}.tif", descriptions=CORE) for day in ("01", "11")]
        lc.prepare(folder / "run", dates=[both, loose(folder / "2022-07-01", CORE)])

    def one_date_for_a_sequence(self, folder):
        lc.prepare(folder / "run", bands=loose(folder / "2022-06-01", CORE), sequence=True)

    def labels_of_year_without_dates(self, folder):
        paths = loose(folder / "2022-06-01", CORE)
        lc.prepare(folder / "run", bands=paths, labels_of_year={2021: paths[0]})

    def no_day(self, folder):
        paths = loose(folder / "2022-06-01", CORE) + loose(folder / "later", CORE)
        lc.prepare(folder / "run", bands=paths, composite="median")

    def scl_of_another_product(self, folder):
        scl = tif(folder / "T33UVU_20220601T100031_SCL_20m.tif", np.full((1, *GRID.shape), 4, "u1"))
        paths = loose(folder, [f"T33UUU_20220601T100031_{band}_10m" for band in CORE])
        lc.prepare(folder / "run", bands=paths, mask=scl)

    def mask_of_no_classes(self, folder):
        paths = loose(folder, CORE)
        lc.prepare(folder / "run", bands=paths, mask=paths[0], mask_classes=[1])

    def mask_of_unknown_classes(self, folder):
        mask = tif(folder / "clouds.tif", np.ones((1, *GRID.shape), np.uint8))
        lc.prepare(folder / "run", bands=loose(folder, CORE), mask=mask)

    def probability_as_share(self, folder):
        mask = tif(folder / "clouds.tif", REFLECTANCE[:1])
        lc.prepare(folder / "run", bands=loose(folder, CORE), mask=mask, mask_above=40)

    def all_cloud(self, folder):
        mask = tif(folder / "SCL.tif", np.full((1, *GRID.shape), 9, np.uint8))
        lc.prepare(folder / "run", bands=loose(folder, CORE), mask=mask)

    def utm_at_a_pole(self, folder):
        degrees = Grid(CRS.from_epsg(4326), Affine(9e-5, 0, 13, 0, -9e-5, 86), *GRID.shape)
        paths = loose(folder, CORE, grid=degrees)
        lc.prepare(folder / "run", bands=paths, to_crs="auto")

    def tile_of_two_days(self, folder):
        lc.open_bands(loose(folder, [*(f"2022-06-01_{b}" for b in CORE[:3]), "2022-06-02_B08"]))

    def statistics_mixed(self, folder):
        lc.open_bands(loose(folder, ["B02_min", "B03_max", "B04_min", "B08_min"]))

    def levels_mixed(self, folder):
        lc.open_bands(loose(folder, ["B02_toa", "B03_boa", "B04_boa", "B08_boa"]))

    def slopes_mixed(self, folder):
        product = "SENTINEL2A_20220601-101031-461_L2A_T33UUU_C_V2-2"
        kinds = ("SRE_B2", "FRE_B3", "FRE_B4", "FRE_B8")
        lc.open_bands(loose(folder, [f"{product}_{kind}" for kind in kinds]))

    def two_near_infrareds(self, folder):
        names = ("BLUE", "GREEN", "RED", "BROADNIR", "NIR")
        lc.open_bands(tif(folder / "BOA.tif", DN[[0, 1, 2, 3, 3]], names))

    def landsat_names(self, folder):
        lc.open_bands(loose(folder, ["SR_B2", "SR_B3", "SR_B4", "SR_B5"]))

    def stack_twice(self, folder):
        lc.open_bands([tif(folder / f"{p}.tif", descriptions=CORE) for p in ("p10", "p50")])

    def item_against_file(self, folder):
        loose(folder, CORE, tags={"scales": [1e-4], "offsets": [-0.05]})
        lc.open_stac(write_item(folder, old_assets()))

    def item_against_name(self, folder):
        for name, text, dn in zip(CORE, ("B2", "B3", "B8", "B4"), DN, strict=True):
            tif(folder / f"{name}.tif", dn[None], (text,))
        lc.open_stac(write_item(folder, old_assets()))

    def folder(self, folder):
        (folder / "s.tif").mkdir()
        lc.open_bands(folder / "s.tif")

    def low_numbers(self, folder):
        scene(folder, lc.open_bands(loose(folder, CORE, DN // 16)))

    def radiance(self, folder):
        lc.open_bands(loose(folder, CORE, tags={"units": ["W m-2 sr-1 um-1"]}))

    def no_band_by_name(self, folder):
        names = [f"{name}_stdDev" for name in CORE[:2]] + ["sunAzimuth_B04", "MSK_QUALIT_B08"]
        lc.open_bands(tif(folder / "s.tif", descriptions=names))

    def wavelength_against_name(self, folder):
        names = ("Blue (665 nm)", "Green (560 nm)", "Red (490 nm)", "NIR (0.842 um)")
        lc.open_bands(tif(folder / "s.tif", descriptions=names))

    def named_alpha(self, folder):
        pixels = (DN // 16).astype(np.uint8)
        lc.open_bands(tif(folder / "s.tif", pixels, CORE, tags={"scales": [0.002] * 4}))

    def one_file_as_two(self, folder):
        paths = loose(folder, CORE)
        paths[1].unlink()
        paths[1].symlink_to(paths[0])
        lc.open_bands(paths)

    def offset_of_reflectance(self, folder):
        lc.open_bands(loose(folder, CORE, DN + 1000), offset=-0.1)

    def offsets_of_some_bands(self, folder):
        safe, _ = write_safe(folder, "L2A", -1000)
        metadata = safe / "MTD_MSIL2A.xml"
        metadata.write_text(metadata.read_text().replace('band_id="7"', 'band_id="8"'))
        lc.open_sentinel2(safe)

    def product_without_xml(self, folder):
        made = write_product(folder)
        made.metadata.unlink()
        lc.prepare(folder / "run", bands=made.path)

    def xml_cut_short(self, folder):
        made = write_product(folder)
        made.metadata.write_text(made.metadata.read_text()[:-100])
        lc.prepare(folder / "run", bands=made.path)

    def xml_of_another(self, folder):
        made, other = write_product(folder), write_product(folder / "b", tiles=("T32TQR",))
        made.metadata.write_text(other.metadata.read_text())
        lc.prepare(folder / "run", bands=made.path)

    def lacks_a_band(self, folder):
        made = write_product(folder)
        made.image("B11_20m").unlink()
        lc.prepare(folder / "run", bands=made.path, keep="20m")

    def granules_of_two_zones(self, folder):
        tiles = ("T33UUU", "T32UQD")
        made = write_product(folder, "1C", "02.04", tiles, old=True, zones=(32633, 32632))
        lc.prepare(folder / "run", bands=made.path)

    def _zip_with(self, folder, entry, content=b"x"):
        archive = zipped(write_product(folder).path)
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as out:
            out.writestr(entry, content)
        lc.prepare(folder / "run", bands=archive)

    def zip_leads_out(self, folder):
        self._zip_with(folder, zipfile.ZipInfo("../B02.jp2"))

    def zip_with_link(self, folder):
        link = zipfile.ZipInfo("B02.jp2")
        link.external_attr = 0o120777 << 16
        self._zip_with(folder, link, "/etc/passwd")

    def zip_bomb(self, folder):
        self._zip_with(folder, "B02.jp2", bytes(2**24 + 1))

    def zip_in_zip(self, folder):
        self._zip_with(folder, "b.zip")

    def zip_encrypted(self, folder):
        archive = zipped(write_product(folder).path)
        content = bytearray(archive.read_bytes())
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
        archive.write_bytes(content)
        lc.prepare(folder / "run", bands=archive)

    def zip_cut_short(self, folder):
        archive = zipped(write_product(folder).path)
        archive.write_bytes(archive.read_bytes()[:-500])
        lc.prepare(folder / "run", bands=archive)

    def zip_of_two(self, folder):
        for tile in ("T33UUU", "T32TQR"):
            write_product(folder / "both", tiles=(tile,))
        lc.prepare(folder / "run", bands=zipped(folder / "both"))

    def zip_of_loose_files(self, folder):
        loose(folder / "a", CORE)
        lc.prepare(folder / "run", bands=zipped(folder / "a"))

    def keep_of_no_band(self, folder):
        lc.prepare(folder / "run", bands=write_product(folder).path, keep=["B10"])

    def address(self, folder):
        lc.open_bands("https://example.org/B02.tif")

    def contradiction(self, folder):
        lc.open_bands(tif(folder / "s.tif", descriptions=("B1 - blue", "B3", "B4", "B8")))

    def name_against_text(self, folder):
        last = tif(folder / "B08.tif", DN[3:], ("B11",))
        lc.open_bands([*loose(folder, CORE[:3], DN[:3]), last])

    def eight_bits(self, folder):
        lc.open_bands(loose(folder, CORE, (DN // 16).astype(np.uint8)))

    def undeclared_nodata(self, folder):
        dn = DN.copy()
        dn[:, :3] = 65_535
        scene(folder, lc.open_bands(loose(folder, CORE, dn)))

    def negative_number(self, folder):
        dn = DN.astype(np.int16)
        dn[:, :6, :8] = -1
        scene(folder, lc.open_bands(loose(folder, CORE, dn)))

    def many_implausible(self, folder):
        dn = DN.copy()
        dn[:, 0] = np.arange(30_000, 30_016)
        scene(folder, lc.open_bands(loose(folder, CORE, dn)))

    def wrong_quantification(self, folder):
        scene(folder, lc.open_bands(loose(folder, CORE), quantification=1))

    def stretched_by_name(self, folder):
        stretched = np.rint(REFLECTANCE * 65_535).astype(np.uint16)
        names = [f"2022-06-01_Sentinel-2_L2A_{name}_(Raw)" for name in CORE]
        lc.open_bands(loose(folder, names, stretched))

    def container(self, folder):
        for number, path in enumerate(loose(folder, CORE[:2], DN[:2])):
            with rasterio.open(path) as source:
                pixels = source.read().astype(np.uint8)
            with rasterio.open(
                folder / "a.gpkg", "w", driver="GPKG", width=GRID.cols, height=GRID.rows, count=1,
                dtype="uint8", crs=GRID.crs, transform=GRID.transform, RASTER_TABLE=f"b{number}",
                APPEND_SUBDATASET="YES" if number else "NO",
            ) as out:  # fmt: skip
                out.write(pixels)
        lc.open_bands(folder / "a.gpkg")

    def cut_file(self, folder):
        path = tif(folder / "s.tif", descriptions=CORE, tiled=True, blockxsize=16, blockysize=16)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 9 // 10])
        lc.open_bands(path)

    def other_grid(self, folder):
        moved = utm_grid(12, 16, north=5_800_010)
        paths = loose(folder, CORE[:3], DN[:3])
        lc.open_bands(paths + loose(folder, CORE[3:], DN[3:], grid=moved))

    def local_crs(self, folder):
        local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
        grid = Grid(local, GRID.transform, *GRID.shape)
        lc.open_bands(loose(folder, CORE, grid=grid))

    def degrees_as_metres(self, folder):
        grid = Grid(GRID.crs, Affine(9e-5, 0, 13.5, 0, -9e-5, 52.3), *GRID.shape)
        lc.open_bands(loose(folder, CORE, grid=grid))

    def no_place(self, folder):
        lc.open_bands(unplaced(folder / "s.jp2", driver="JP2OpenJPEG"))

    def control_points(self, folder):
        west, south, east, north = GRID.bounds
        corners = [(0, 0, west, north), (0, 16, east, north), (12, 0, west, south)]
        points = [GroundControlPoint(*corner) for corner in corners]
        lc.open_bands(unplaced(folder / "s.tif", gcps=points, crs=GRID.crs))

    def vector_for_raster(self, folder):
        lc.prepare(
            folder / "run", bands=loose(folder, CORE), labels=polygons(folder / "v.gpkg", "a")
        )

    def metres_in_geojson(self, folder):
        frame = geopandas.GeoDataFrame(geometry=[box(*GRID.bounds)])
        (folder / "a.geojson").write_text(frame.to_json())
        vectors.read_aoi(folder / "a.geojson", GRID)

    def ambiguous_labels(self, folder):
        values = np.full(GRID.shape, 1, np.uint8)
        values[:5] = 2
        labels = write(folder / "l.tif", values, GRID, ["class"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def interpolated_labels(self, folder):
        ramp = np.repeat([2, 12, 23, 12], [4, 1, 4, 1]).astype(np.uint8)
        values = np.resize(np.resize(ramp, GRID.cols), GRID.shape)
        labels = write(folder / "l.tif", values, GRID, ["class"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def anybodys_labels(self, folder):
        values = np.resize(np.arange(1, 18, dtype=np.uint8), GRID.shape)
        labels = write(folder / "IGBP.tif", values, GRID, ["class"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def zero_hidden(self, folder):
        values = np.resize(np.arange(9, dtype=np.uint8), GRID.shape)
        labels = write(folder / "l.tif", values, GRID, ["class"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels, scheme="dynamic-world")

    def classes_to_be_parted(self, folder):
        values = np.resize(np.array([10, 40], np.uint8), GRID.shape)
        labels = write(folder / "l.tif", values, GRID, ["class"], nodata=0)
        more = {"scheme": "worldcover", "to": "corine"}
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels, **more)

    def polygons_without_crs(self, folder):
        frame = geopandas.GeoDataFrame({"use": [512]}, geometry=[box(*GRID.bounds)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame.to_file(folder / "v.gpkg")
        read_class_polygons(folder / "v.gpkg", "use", GRID, Hints())

    def labels_of_another_product(self, folder):
        values = np.resize(np.array([10, 20, 30, 60, 80], np.uint8), GRID.shape)
        labels = write(folder / "n33_50_2020lc030.tif", values, GRID, ["class"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def labels_of_several_bands(self, folder):
        values = np.full((2, *GRID.shape), 211, np.uint16)
        values[:, :5] = 512
        labels = write(folder / "l.tif", values, GRID, ["2018", "2024"], nodata=0)
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def labels_with_a_scale(self, folder):
        values = np.full((1, *GRID.shape), 211, np.uint16)
        values[:, :5] = 512
        labels = tif(folder / "l.tif", values, nodata=0, tags={"scales": [0.1]})
        lc.prepare(folder / "run", bands=loose(folder, CORE), labels=labels)

    def several_layers(self, folder):
        vectors.read_aoi(polygons(folder / "v.gpkg", "a", "b"), GRID)

    def scenes_of_other_bands(self, folder):
        runs = apart(folder, [0]), apart(folder, [1], bands=("B02", "B03", "B04", "B8A"))
        lc.train([*runs[0], *runs[1]], "knn", out=folder / "run", denoise="none")

    def scenes_of_another_legend(self, folder):
        glaciers = replace(corine().levels[0].classes[2], name="Glaciers")
        first = Legend((*corine().levels[0].classes[:2], glaciers, *corine().levels[0].classes[3:]))
        other = replace(corine(), levels=(first, *corine().levels[1:]))
        runs = apart(folder, [0]), apart(folder, [1], nomenclature=other)
        lc.train([*runs[0], *runs[1]], "knn", out=folder / "run", denoise="none")

    def scenes_of_another_level(self, folder):
        runs = apart(folder)[:2]
        write_nomenclature(runs[1].legend, corine().at(2))
        lc.train(runs, "knn", out=folder / "run", denoise="none")

    def point_twice(self, folder):
        points = [Point(300_015, 5_799_985), Point(300_055, 5_799_985), Point(300_015, 5_799_985)]
        frame = geopandas.GeoDataFrame({"reference": [211] * 3}, geometry=points, crs=GRID.crs)
        frame.to_file(folder / "p.gpkg")
        read_sample(folder / "p.gpkg", GRID, corine())


def cases_of(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def case(kind: type, name: str) -> Callable[[Path], tuple[np.ndarray, np.ndarray]]:
    return getattr(kind(), name)


def test_every_row_is_a_case_and_every_case_a_row():
    assert set(READ) == cases_of(Read) and set(REFUSED) == cases_of(Refused)


@pytest.mark.parametrize("name", READ)
def test_what_is_read(name, tmp_path):
    got, expected = case(Read, name)(tmp_path)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name, tmp_path):
    with pytest.raises(LandcoverError) as caught:
        case(Refused, name)(tmp_path)
    assert REFUSED[name].strip("`") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
