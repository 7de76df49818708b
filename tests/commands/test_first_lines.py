"""What commands say before and after their work: help, settings, the next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

import landcover as lc
from landcover import cli
from landcover.files import rasters


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    land = lc.make_scene(240, 320, seed=1)
    for name, band in zip(land.bands, land.image, strict=True):
        lc.write(folder / f"{name}.tif", band, land.grid, [name])
    lc.write(folder / "corine.tif", land.corine, land.corine_grid, ["code"], nodata=0)
    return folder


def prep(sources: Path, *more: str) -> list[str]:
    bands = [str(sources / f"{name}.tif") for name in ("B02", "B03", "B04", "B08")]
    return ["prep", "--bands", *bands, "--quantification", "1", *more]


def test_help_lists_the_commands_in_the_order_of_the_work(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()]
    found = [listed.index(name) for name in ("prep", "segment", "sample", "train", "map", "serve")]
    assert found == sorted(found)


def test_the_command_alone_shows_its_help():
    done = subprocess.run(
        [sys.executable, "-m", "landcover.cli"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "prep " in done.stderr and not done.stdout


def test_settings_without_effect_are_left_out(sources, tmp_path, capsys):
    run = tmp_path / "run"
    assert cli.main(prep(sources, "--out", str(run))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"prep {run}: bands {sources}/B02.tif ... {sources}/B08.tif (4 file")
    assert "quantification 1" in lines[0] and lines[0].endswith("seed 0")
    for word in ("scale", "sigma", "samples", "method", "min-count", "overwrite"):
        assert f" {word} " not in lines[0]
    assert f"no labels; map it with: landcover map {run} --model OTHER/models/NAME" in lines


def test_an_area_that_lies_partly_outside_the_scene(sources, tmp_path, capsys):
    west, south, east, north = rasters.grid_of(sources / "B02.tif").bounds
    box = [str(v) for v in (west - (east - west), south, east, north)]
    assert cli.main(prep(sources, "--bbox", *box, "--out", str(tmp_path / "a"))) == 0
    assert "note: the scene covers 50.0 % of the area of interest" in capsys.readouterr().out
    inner = [str(v) for v in (west + 50, south + 50, east - 50, north - 50)]
    assert cli.main(prep(sources, "--bbox", *inner, "--out", str(tmp_path / "b"))) == 0
    assert "the area of interest" not in capsys.readouterr().out


def test_pixels_of_no_label_are_called_so(sources, tmp_path, capsys):
    with rasterio.open(sources / "corine.tif") as dataset:
        codes, grid = dataset.read(), lc.Grid.of(dataset)
    codes[:, :4] = 0
    labels = lc.write(tmp_path / "gap.tif", codes, grid, ["code"], nodata=0)
    run = tmp_path / "run"
    assert cli.main(prep(sources, "--labels", str(labels), "--out", str(run))) == 0
    said = capsys.readouterr().out
    assert "\n  no label, " in said and "unlabelled" not in said


def test_a_variant_that_was_not_given_is_no_setting(tmp_path, capsys):
    lines = []
    for more in ([], ["--variant", "texture"]):
        assert cli.main(["train", "knn", str(tmp_path / "none"), *more]) == 2
        lines.append(capsys.readouterr().out.splitlines()[0])
    assert ", variant" not in lines[0] and ", variant texture," in lines[1]
