"""What `landcover inspect` prints is what prep reads, and what it would refuse."""

import json

import numpy as np
import pytest

import landcover as lc
from landcover import cli
from landcover.files.raster_writer import write
from landcover.sources.inspection import inspect_raster
from tests.fixtures.band_files import CORE, DN, GRID, loose, tif


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
    assert facts.remarks == ["nothing says which band 5 (dem) is"]


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


def test_any_error_is_one_line_and_its_traceback_is_kept_where_asked(tmp_path, capsys, monkeypatch):
    def fails(path, *others):
        raise RuntimeError("a library\nsays two lines")

    monkeypatch.setattr("landcover.sources.inspection.inspect_raster", fails)
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
