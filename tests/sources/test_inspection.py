"""What `landcover inspect` prints is what prep reads, and what it would refuse."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

import landcover as lc
from landcover import cli
from landcover.errors import InputError
from landcover.files.raster_writer import write
from landcover.sources.inspection import inspect_raster, inspect_source
from tests.fixtures.band_files import CORE, DN, GRID, loose, tif
from tests.fixtures.sentinel2_files import write_bands, write_safe
from tests.fixtures.stac_items import old_assets, write_item


def test_a_stack_as_prep_reads_it(tmp_path):
    pixels = DN.copy()
    pixels[:, 2, :5] = 0
    path = tif(
        tmp_path / "2022-06-01_stack.tif", np.concatenate([pixels, DN[:1]]), (*CORE, "dem"),
        tags={"scales": [1e-4] * 5, "offsets": [-0.1] * 5},
    )  # fmt: skip
    facts = inspect_raster(path)
    scene = lc.read(lc.prepare(tmp_path / "run", bands=path).scene)
    assert [band.name for band in facts.bands] == [*CORE, None]
    for band, values in zip(facts.bands, scene, strict=False):
        assert band.pixels["data"] == np.isfinite(values).sum() == 192 - 5
        assert band.least == np.nanmin(values) and band.most == np.nanmax(values)
        assert band.median == pytest.approx(np.nanmedian(values), abs=1e-4)
        assert (band.quantification, band.offset, band.nodata) == (10_000, -1000, (0.0,))
    assert facts.day == "2022-06-01" and facts.crs == GRID.crs.to_string()
    silent, light = facts.remarks
    assert silent == "nothing says which band this is: 5 (dem)"
    assert "makes the darkest pixels negative" in light


def test_scl_of_a_stack_is_named(tmp_path, capsys):
    path = tif(tmp_path / "stack.tif", np.concatenate([DN, DN[:1] * 0 + 4]), (*CORE, "SCL"))
    (remark,) = inspect_raster(path).remarks
    assert remark == "5 (SCL) is the scene classification, by which mask= hides clouds"
    assert cli.main(["inspect", str(path)]) == 0
    assert "by which --mask hides clouds" in capsys.readouterr().out


def test_classes_with_their_scheme_and_shares(tmp_path):
    codes = np.full(GRID.shape, 211, np.uint16)
    codes[:6], codes[0] = 312, 0
    facts = inspect_raster(write(tmp_path / "clc.tif", codes, GRID, ["class"], nodata=0))
    shares = {entry["code"]: entry["share"] for entry in facts.classes}
    assert shares == {211: 6 / 12, 312: 5 / 12, 0: 1 / 12}
    assert "corine" in str(facts.scheme) and not facts.bands


def test_values_of_several_schemes_are_listed_with_the_refusal(tmp_path):
    codes = np.full(GRID.shape, 1, np.uint8)
    codes[:6] = 2
    facts = inspect_raster(write(tmp_path / "own.tif", codes, GRID, ["class"], nodata=0))
    assert {entry["value"]: entry["share"] for entry in facts.classes} == {1: 0.5, 2: 0.5}
    assert facts.scheme is None and "scheme=" in facts.remarks[-1]


def test_what_prep_would_refuse_is_a_remark(tmp_path):
    dn = DN.copy()
    dn[0, :3] = 65_535
    paths = loose(tmp_path, CORE, dn)
    (remark,) = inspect_raster(paths[0]).remarks
    assert "48 of 192 pixels of B02" in remark and "nodata=65535" in remark
    assert not inspect_raster(paths[0], nodata=[65_535]).remarks
    twice = tif(tmp_path / "s.tif", DN[:2], ("B2", "b02"))
    assert "has B02 2 times" in inspect_raster(twice).remarks[0]


def test_the_command_prints_a_page_or_json(tmp_path, capsys):
    path, missing = loose(tmp_path, CORE[:1], DN[:1])[0], tmp_path / "none.tif"
    assert cli.main(["inspect", str(path)]) == 0
    page = capsys.readouterr().out
    assert "12 rows x 16 columns" in page and "dn / 10000" in page and "100.0 %" in page
    assert max(map(len, page.splitlines())) < 160
    assert cli.main(["inspect", "--json", str(path), str(missing)]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["bands"][0]["name"] == "B02"
    assert err.splitlines()[-1].startswith("error: ") and "none.tif does not exist" in err


@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_a_product_as_prep_reads_it(tmp_path, capsys, level):
    safe, _ = write_safe(tmp_path, level, -1000)
    (facts,) = inspect_source(safe)
    scene = lc.read(lc.prepare(tmp_path / "run", bands=safe).scene)
    assert [band.name for band in facts.bands] == [*CORE]
    for row, band, values in zip((1, 2, 3, 7), facts.bands, scene, strict=True):
        assert band.text.endswith(".jp2") and band.name in band.text
        assert (band.named_by, band.scaled_by, band.nodata) == ("file name", "product", (0, 65_535))
        assert band.quantification == 10_000 and band.offset == -1000 - row
        assert band.pixels["data"] == np.isfinite(values).sum()
        assert band.least == np.nanmin(values) and band.most == np.nanmax(values)
        assert band.median == pytest.approx(np.nanquantile(values, 0.5, method="lower"), abs=1e-4)
    assert facts.day == "2022-06-01" and facts.resolution == (10, 10)
    assert any("makes the darkest pixels negative" in remark for remark in facts.remarks)
    assert cli.main(["inspect", str(safe)]) == 0
    page = capsys.readouterr().out
    assert "(dn -1001) / 10000, product" in page and "; 2022-06-01" in page
    assert cli.main(["inspect", "--json", str(safe)]) == 0
    assert json.loads(capsys.readouterr().out)["bands"][3]["offset"] == -1007


def test_a_stac_item_as_it_is_read(tmp_path, capsys):
    write_bands(tmp_path, low=1050, high=4000)
    item = write_item(tmp_path, old_assets(), **{"s2:processing_baseline": "04.00"})
    (facts,) = inspect_source(item)
    scene = lc.read(lc.prepare(tmp_path / "run", bands=item).scene)
    for band, values in zip(facts.bands, scene, strict=True):
        assert (band.named_by, band.scaled_by, band.offset) == ("STAC item", "STAC item", -1000)
        assert band.least == np.nanmin(values) and band.most == np.nanmax(values)
    assert facts.day == "2022-06-01" and not facts.remarks
    assert cli.main(["inspect", str(item)]) == 0
    assert "1 B02.tif  B02  STAC item" in capsys.readouterr().out


def test_what_is_no_product_is_one_line(tmp_path, capsys):
    (tmp_path / "empty.SAFE").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.json").write_text("[]")
    assert cli.main(["inspect", *(str(path) for path in sorted(tmp_path.iterdir()))]) == 2
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "error: " in text]
    assert "empty.SAFE holds no MTD_MSIL1C.xml" in line and "x.json is not readable" in line
    assert "folder is a folder and no raster" in line


def test_json_holds_no_numbers_that_json_lacks(tmp_path, capsys):
    path = tif(tmp_path / "s.tif", (DN / 10_000).astype(np.float32), CORE, nodata=np.nan)
    assert cli.main(["inspect", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["bands"][0]["nodata"] == ["nan"]


def test_rasters_without_a_place_or_data(tmp_path):
    empty = inspect_raster(tif(tmp_path / "empty.tif", DN * 0, CORE))
    assert empty.remarks == [f"{name} has no pixel with data" for name in CORE]
    assert {band.median for band in empty.bands} == {None}
    placeless = tmp_path / "s.tif"
    with rasterio.open(
        placeless, "w", driver="GTiff", width=16, height=12, count=4, dtype="uint16"
    ) as out:
        out.write(DN)
        out.descriptions = CORE
    (remark,) = inspect_raster(placeless).remarks
    assert "does not say where it lies" in remark


def test_a_product_among_bands_is_called_one(tmp_path, capsys):
    safe, _ = write_safe(tmp_path, "L2A", -1000)
    assert cli.main(["prep", "--bands", str(safe), "--out", str(tmp_path / "run")]) == 2
    assert "is a product; give it with --product" in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_complex_numbers_are_refused(tmp_path, dtype):
    path = tmp_path / "c.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=16, height=12, count=4, dtype=dtype,
        crs=GRID.crs, transform=GRID.transform,
    ) as out:  # fmt: skip
        out.write(DN.astype(np.complex64))
        out.descriptions = CORE
    run, bands = tmp_path / "run", loose(tmp_path, CORE)
    message = rf"c.tif holds complex numbers \({dtype}\), as of radar; give a raster of real numb"
    for read in (
        lambda: inspect_raster(path),
        lambda: lc.prepare(run, bands=path),
        lambda: lc.prepare(run, bands=bands, labels=path),
        lambda: lc.read_image(path),
    ):
        with pytest.raises(InputError, match=message):
            read()


def test_classes_beside_an_alpha_band_are_counted_wherever_it_stands(tmp_path):
    codes = np.full((12, 16), 211, np.uint16)
    seen = np.zeros_like(codes)
    seen[:6] = 255
    for number, bands in enumerate(([codes, seen], [seen, codes])):
        colours = (ColorInterp.gray, ColorInterp.alpha)[:: -1 if number else 1]
        facts = inspect_raster(tif(tmp_path / f"{number}.tif", np.stack(bands), colours=colours))
        assert {c["value"]: c["share"] for c in facts.classes} == {211: 0.5, None: 0.5}


def test_any_error_is_one_line_and_its_traceback_is_kept_where_asked(tmp_path, capsys, monkeypatch):
    def fails(path, *others):
        raise RuntimeError("a library\nsays two lines")

    monkeypatch.setattr("landcover.sources.inspection.inspect_source", fails)
    assert cli.main(["inspect", "x.tif"]) == 2
    err = capsys.readouterr().err
    assert "RuntimeError: a library" in err and "LANDCOVER_DEBUG=FILE" in err
    assert sum(line.startswith("error: ") for line in err.splitlines()) == 1
    assert "Traceback" not in err
    kept = tmp_path / "traceback.txt"
    monkeypatch.setenv("LANDCOVER_DEBUG", str(kept))
    assert cli.main(["inspect", "x.tif"]) == 2
    assert str(kept) in capsys.readouterr().err
    assert "in fails" in kept.read_text() and "says two lines" in kept.read_text()
