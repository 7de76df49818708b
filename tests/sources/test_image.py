from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from rasterio.enums import ColorInterp

import landcover as lc
from landcover.errors import LandcoverError
from landcover.sensors import EUROSAT_BANDS, TRUE_COLOUR_BANDS, true_colour
from landcover.sources.image import Image
from tests.conftest import utm_grid

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def picture(pixels=RGB, mode=None, kind="PNG", **options) -> bytes:
    out = io.BytesIO()
    made = Pillow.fromarray(pixels)
    (made.convert(mode) if mode else made).save(out, kind, **options)
    return out.getvalue()


def geotiff(
    pixels, names=None, meanings=None, grid=True, driver="GTiff", tags=None, **profile
) -> bytes:
    """A raster of (bands, rows, cols) as bytes."""
    count, rows, cols = pixels.shape
    if grid:
        place = utm_grid(rows, cols)
        profile |= {"crs": place.crs, "transform": place.transform}
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver=driver, count=count, height=rows, width=cols, dtype=pixels.dtype, **profile
        ) as out:
            if meanings:
                out.colorinterp = meanings
            for name, values in (tags or {}).items():
                setattr(out, name, values)
            out.write(pixels)
            for number, name in enumerate(names or (), start=1):
                out.set_band_description(number, name)
        return bytes(memory.getbuffer())


def dn(bands: int, dtype=np.uint16, low=1) -> np.ndarray:
    return np.random.default_rng(1).integers(low, 4000, (bands, 20, 30)).astype(dtype)


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\x10IDAT" + b"\0" * 20


def refused(source, *parts: str, **options) -> str:
    with pytest.raises(LandcoverError) as caught:
        lc.read_image(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def check_true_colour(image: Image, pixels: np.ndarray = RGB) -> None:
    assert image.bands == ("B04", "B03", "B02")
    assert image.values.dtype == np.float32
    np.testing.assert_allclose(
        image.values, pixels.transpose(2, 0, 1).astype(float) / 255 * 0.275, rtol=1e-6
    )


class TestPictures:
    def test_rgb_is_eurosats_true_colour(self):
        image = lc.read_image(picture())
        check_true_colour(image)
        assert image.grid is None

    def test_jpeg_is_what_pillow_decodes(self):
        data = picture(kind="JPEG", quality=90)
        check_true_colour(lc.read_image(data), np.asarray(Pillow.open(io.BytesIO(data))))

    def test_a_file_is_told_by_content_and_not_by_name(self, tmp_path):
        path = tmp_path / "picture.tif"
        path.write_bytes(picture())
        check_true_colour(lc.read_image(path))
        check_true_colour(lc.read_image(str(path)))

    def test_grey_is_grey_in_all_bands(self):
        check_true_colour(lc.read_image(picture(RGB[..., 0])), np.repeat(RGB[..., :1], 3, axis=2))

    def test_a_palette_is_looked_up(self):
        data = picture(mode="P")
        with Pillow.open(io.BytesIO(data)) as held:
            assert held.mode == "P"
            check_true_colour(lc.read_image(data), np.asarray(held.convert("RGB")))

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_alpha_0_is_nodata(self, mode):
        alpha = np.full(RGB.shape[:2], 255, np.uint8)
        alpha[3, 4], alpha[5, 6] = 0, 1
        layers = RGB if mode == "RGBA" else RGB[..., :1]
        image = lc.read_image(picture(np.dstack([layers, alpha])))
        assert np.isnan(image.values[:, 3, 4]).all()
        assert np.isnan(image.values).sum() == 3

    def test_the_transparent_colour_of_a_png_is_nodata(self):
        image = lc.read_image(picture(transparency=tuple(int(v) for v in RGB[2, 7])))
        assert np.isnan(image.values[:, 2, 7]).all()

    def test_16_bits_are_refused(self):
        data = picture(RGB[..., 0].astype(np.uint16) * 257)
        refused(data, "16 bits a channel", "8-bit", name="deep.png")

    def test_cmyk_is_refused(self):
        refused(picture(mode="CMYK", kind="JPEG"), "is CMYK", "save it as")

    def test_an_animation_is_refused(self):
        frames = [Pillow.fromarray(RGB), Pillow.fromarray(255 - RGB)]
        out = io.BytesIO()
        frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
        refused(out.getvalue(), "is animated")

    def test_nothing_but_nodata_is_refused(self):
        clear = np.zeros((4, 4, 4), np.uint8)
        refused(picture(clear), "no valid pixel")

    def test_a_bomb_is_refused_before_it_is_decoded(self):
        refused(png_header(60_000, 60_000), "declares 60000 x 60000", "50,000,000")

    def test_the_limit_is_the_callers(self):
        assert lc.read_image(picture(), max_pixels=600).values.shape == (3, 20, 30)
        refused(picture(), "20 x 30", "599", max_pixels=599)


class TestGeotiffs:
    def test_named_dn_go_by_name_and_0_is_nodata(self):
        pixels = dn(4)
        pixels[2, 1, 1] = 0
        image = lc.read_image(geotiff(pixels, ["B08", "blue (b2)", "SCL", "B4"]))
        assert image.bands == ("B08", "B02", "B04")
        np.testing.assert_allclose(image.values, pixels[[0, 1, 3]] / 1e4, rtol=1e-6)
        pixels[0, 1, 1] = 0
        image = lc.read_image(geotiff(pixels, ["B08", "B02", "B03", "B04"]))
        assert np.argwhere(np.isnan(image.values)).tolist() == [[0, 1, 1], [2, 1, 1]]

    def test_dn_with_scale_and_offset_tags_go_by_them(self):
        pixels = dn(3, low=1001)
        pixels[0, 0, 0] = 0
        tags = {"scales": (1e-4, 2.75e-5, 1), "offsets": (-0.1, -0.2, 0)}
        image = lc.read_image(geotiff(pixels, ["B02", "B03", "B04"], tags=tags))
        expected = [pixels[0] * 1e-4 - 0.1, pixels[1] * 2.75e-5 - 0.2, pixels[2] / 1e4]
        expected[0][0, 0] = np.nan
        np.testing.assert_allclose(image.values, expected, atol=1e-6)

    def test_eurosats_bands_go_by_their_tags_too(self):
        pixels = dn(13)
        pixels[3, 1, 1] = 0
        image = lc.read_image(geotiff(pixels, tags={"scales": [1e-4] * 13, "offsets": [-0.1] * 13}))
        np.testing.assert_allclose(image.values, pixels * 1e-4 - 0.1, atol=1e-6)

    def test_a_scale_of_0_is_damage(self):
        refused(
            geotiff(dn(1), ["B02"], tags={"scales": [0.0]}),
            "the scale 0",
            "a scale is a positive number",
        )

    def test_it_keeps_its_grid(self):
        assert lc.read_image(geotiff(dn(13))).grid == utm_grid(20, 30)
        assert lc.read_image(geotiff(dn(13), grid=False)).grid is None

    def test_named_floats_are_reflectance(self):
        pixels = (dn(2) / 1e4).astype(np.float32)
        pixels[0, 0, 0], pixels[1, 0, 1] = -9999, np.inf
        image = lc.read_image(geotiff(pixels, ["B04", "B08"], nodata=-9999))
        expected = pixels.copy()
        expected[0, 0, 0] = expected[1, 0, 1] = np.nan
        np.testing.assert_array_equal(image.values, expected)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint32, np.int16])
    def test_digital_numbers_of_any_type_are_the_same(self, dtype):
        image = lc.read_image(geotiff(dn(2, dtype), ["B04", "B08"]))
        np.testing.assert_allclose(image.values, dn(2) / 1e4, rtol=1e-6)

    def test_few_values_that_are_no_reflectance_are_left_out_and_told(self):
        pixels = dn(2)
        pixels[1, 3, 4] = 50_000
        image = lc.read_image(geotiff(pixels, ["B04", "B08"]))
        assert np.argwhere(np.isnan(image.values)).tolist() == [[1, 3, 4]]
        assert len(image.notes) == 1 and "1 of 600 pixels of B08" in image.notes[0]
        assert not lc.read_image(geotiff(dn(2), ["B04", "B08"])).notes

    def test_numbers_of_8_bits_in_16_are_told(self):
        """A chip of dark water may be as dark, so that it is not refused."""
        dark = np.arange(1, 81, dtype=np.uint16).reshape(1, 8, 10)
        (note,) = lc.read_image(geotiff(dark, ["B04"])).notes
        assert "no digital number is above 80: these are numbers of 8 bits or percent" in note
        assert not lc.read_image(geotiff(dark * 10, ["B04"])).notes

    def test_common_names_are_names(self):
        image = lc.read_image(geotiff(dn(3), ["Red", "nir", "SWIR 1"]))
        assert image.bands == ("B04", "B08", "B11")

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32])
    def test_an_undeclared_nodata_value_is_refused(self, dtype):
        pixels = dn(2, dtype)
        pixels[1, :3, :3] = 65_535
        refused(
            geotiff(pixels, ["B04", "B08"]),
            "9 of them 65535",
            "nodata=65535; landcover prep takes this",
        )

    def test_13_unnamed_bands_are_in_eurosats_order(self):
        pixels = dn(13)
        pixels[9] = 0
        pixels[:, 2, 3] = 0
        image = lc.read_image(geotiff(pixels))
        assert image.bands == EUROSAT_BANDS
        assert image.bands[-1] == "B8A" and sorted(image.bands) == sorted(set(image.bands))
        expected = (pixels / 1e4).astype(np.float32)
        expected[:, 2, 3] = np.nan
        np.testing.assert_allclose(image.values, expected, rtol=1e-6)

    @pytest.mark.parametrize("names", [None, ["B02", "B03", "B04"]])
    def test_8_bits_are_true_colour(self, names):
        pixels = np.ascontiguousarray(RGB.transpose(2, 0, 1))
        image = lc.read_image(geotiff(pixels, names))
        assert image.bands == (tuple(names) if names else TRUE_COLOUR_BANDS)
        np.testing.assert_array_equal(image.values, true_colour(pixels))

    def test_an_alpha_band_masks(self):
        alpha = np.full((1, 20, 30), 255, np.uint8)
        alpha[0, 4, 5] = 0
        meanings = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
        pixels = np.concatenate([RGB.transpose(2, 0, 1), alpha])
        image = lc.read_image(geotiff(pixels, meanings=meanings))
        assert image.bands == TRUE_COLOUR_BANDS
        assert np.argwhere(np.isnan(image.values)).tolist() == [[b, 4, 5] for b in range(3)]

    def test_a_cloud_optimised_one_is_one(self):
        pixels = dn(13)
        image = lc.read_image(geotiff(pixels, driver="COG"))
        np.testing.assert_allclose(image.values, pixels / 1e4, rtol=1e-6)

    @pytest.mark.parametrize(
        ("pixels", "names", "found"),
        [
            (dn(4), None, "4 bands of uint16 (unnamed, unnamed"),
            (dn(1, np.uint8), None, "1 bands of uint8 (unnamed)"),
            (dn(3, np.float32), ["a", "b1 or b2", ""], "3 bands of float32 (a, b1 or b2, unnamed)"),
            (dn(13, np.float64), None, "13 bands of float64"),
        ],
        ids=lambda value: str(value)[:12] if isinstance(value, str) else "",
    )
    def test_what_nothing_explains_is_refused(self, pixels, names, found):
        refused(geotiff(pixels, names), found, "name bands like B04 or red")

    def test_a_band_named_twice_is_refused(self):
        refused(geotiff(dn(2), ["B04", "b4"]), "has B04 2 times, as bands 1 (B04), 2 (b4)")

    def test_a_large_one_is_refused_before_it_is_decoded(self):
        data = geotiff(dn(13), tiled=True, blockxsize=1024, blockysize=1024, compress="deflate")
        refused(data, "a block of it.tif declares 1024 x 1024", name="it.tif", max_pixels=10_000)
        refused(data, "it.tif declares 20 x 30", name="it.tif", max_pixels=100)

    def test_many_bands_are_refused(self):
        refused(geotiff(np.ones((33, 2, 2), np.uint16), ["B02"]), "33 bands", "at most 32")

    def test_a_vrt_reads_no_other_file(self, tmp_path):
        (tmp_path / "a.tif").write_bytes(geotiff(dn(13)))
        vrt = (
            '<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="UInt16" '
            'band="1"><SimpleSource><SourceFilename>a.tif</SourceFilename><SourceBand>1'
            "</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
        )
        (tmp_path / "b.vrt").write_text(vrt)
        refused(tmp_path / "b.vrt", "is no JPEG, PNG or GeoTIFF")
        refused(vrt.encode(), "is no JPEG, PNG or GeoTIFF")


class TestBadInput:
    @pytest.mark.parametrize(
        ("data", "part"),
        [
            (b"", "is empty"),
            (b"hello, world\n", "begins with b'hello, w'"),
            (b"GIF89a" + bytes(40), "is no JPEG, PNG or GeoTIFF"),
            (b"\xff\xd8\xff", "cannot be decoded as JPEG"),
            (b"\x89PNG\r\n\x1a\n", "cannot be decoded as PNG"),
            (b"II*\0", "cannot be decoded as GeoTIFF"),
        ],
    )
    def test_no_image(self, data, part, tmp_path):
        refused(data, "upload.jpg", part, name="upload.jpg")
        path = tmp_path / "image.png"
        path.write_bytes(data)
        refused(path, str(path), part)

    @pytest.mark.parametrize(
        "data",
        [picture(), picture(kind="JPEG"), geotiff(dn(13)), geotiff(dn(13), driver="COG")],
        ids=["PNG", "JPEG", "GeoTIFF", "COG"],
    )
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_a_truncated_one_is_refused(self, data, share):
        message = refused(data[: int(share * len(data))], "cannot be decoded as", name="cut")
        assert "/vsimem" not in message

    def test_a_missing_file_and_a_folder(self, tmp_path):
        refused(tmp_path / "none.png", "cannot be opened", "check the path")
        refused(tmp_path, "cannot be opened")
        refused("a\0b", "cannot be opened")

    def test_a_name_of_several_lines_makes_one(self):
        refused(b"", "a b is empty", name="a\r\nb")

    @settings(max_examples=150)
    @given(
        data=st.sampled_from(
            [picture(), picture(kind="JPEG"), geotiff(dn(3), ["B02", "B03", "B04"])]
        ),
        changes=st.lists(
            st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6
        ),
    )
    def test_damage_is_an_image_or_one_line(self, data, changes):
        damaged = bytearray(data)
        for place, value in changes:
            damaged[int(place * len(data))] = value
        try:
            image = lc.read_image(bytes(damaged), max_pixels=10_000)
        except LandcoverError:
            refused(bytes(damaged), max_pixels=10_000)
        else:
            assert image.values.shape[0] == len(image.bands)


def test_uploads_at_one_time_do_not_meet():
    sources = [picture(), picture(kind="JPEG"), geotiff(dn(13)), b"II*\0junk", picture()[:200]]

    def outcome(number: int) -> bytes | str:
        try:
            return lc.read_image(sources[number % len(sources)]).values.tobytes()
        except LandcoverError as error:
            return str(error)

    alone = [outcome(number) for number in range(len(sources))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(outcome, range(100)))
    assert together == alone * (100 // len(sources))


@pytest.mark.parametrize("chip", ["AnnualCrop_1", "Pasture_300", "SeaLake_3000"])
def test_eurosats_jpeg_is_its_tif_in_true_colour(shared_data, chip):
    folder = shared_data / "ben-eurosat" / "eurosat"
    jpeg, tif = lc.read_image(folder / f"{chip}.jpg"), lc.read_image(folder / f"{chip}.tif")
    assert tif.bands == EUROSAT_BANDS and tif.grid is not None
    full = tif.values[[tif.bands.index(band) for band in jpeg.bands]]
    difference = jpeg.values - np.clip(full, 0, 0.275)
    assert np.abs(difference).mean() < 0.002  # two steps of 8 bits, 0.00108 each
    for wrong in ((0, 2, 1), (2, 1, 0)):  # the order of the bands is no accident
        assert np.abs(jpeg.values[list(wrong)] - np.clip(full, 0, 0.275)).mean() > 0.004


def test_what_prep_would_warn_of_is_said_of_an_image(tmp_path):
    """+1000 without tags, and reflectance x 1000; snow and sand are possible, so not refused."""
    land = np.random.default_rng(0).integers(300, 3000, (4, 40, 40)).astype(np.uint16)
    names = ("B02", "B03", "B04", "B08")
    assert lc.read_image(geotiff(land, names)).notes == ()
    (said,) = lc.read_image(geotiff(land + 1000, names)).notes
    assert "looks like data with the +1000 offset" in said
    assert said.endswith("landcover prep takes this, and its RUN/scene.tif can be given here")
    (said,) = lc.read_image(geotiff(land // 20, names)).notes
    assert "no digital number is above" in said or "check quantification=" in said
