"""What the library says of its arguments, as the command line says it."""

from __future__ import annotations

import argparse

import pytest

from landcover import cli
from landcover.commands.options import in_options


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    for option in ("--band-names", "--offset", "--level", "--out"):
        parser.add_argument(option)
    for flag in ("--overwrite", "--no-normalise"):
        parser.add_argument(flag, action="store_true")
    return parser


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("pass offset=-1000", "pass --offset -1000"),
        ("give band_names= like B02", "give --band-names like B02"),
        ("a coarser level=", "a coarser --level"),
        ("smaller (level=), or", "smaller (--level), or"),
        ("pass overwrite=True to remove", "pass --overwrite to remove"),
        ("with normalise=False", "with --no-normalise"),
        ("out=runs/a b would write", "--out runs/a b would write"),
        # What is no argument of the command, or no argument at all, stays
        ("pass seed=1", "pass seed=1"),
        ("runs/level=3/scene.tif is missing", "runs/level=3/scene.tif is missing"),
        ("http://host/?level=3", "http://host/?level=3"),
        ("given: B02=B02.tif", "given: B02=B02.tif"),
    ],
)
def test_arguments_are_named_as_options(parser, said, expected):
    assert in_options(said, parser) == expected


def test_a_command_prints_the_option(tmp_path, capsys):
    code = cli.main(["sample", str(tmp_path), "--class-field", "code"])
    assert code == 2 and "does not exist; make it with: landcover prep" in capsys.readouterr().err
    band = tmp_path / "one.tif"
    import landcover as lc
    from tests.conftest import utm_grid

    scene = lc.make_scene(160, 160, seed=1)
    lc.write(band, scene.image[:1], utm_grid(160, 160), [""])
    assert cli.main(["prep", "--bands", str(band), "--out", str(tmp_path / "run")]) == 2
    assert "a name a file with --band-names" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "x.tif"), "x.tif'; check the path"),
        (OSError(28, "No space left on device", "x.tif"), "check free disk space"),
        (OSError("x.tif: GDAL says no"), "what it does not foresee (OSError: x.tif: GDAL says no)"),
        (MemoryError(), "prepare a smaller area, by --aoi or --bbox of landcover prep"),
    ],
)
def test_an_error_of_the_system_has_a_remedy_that_fits_it(capsys, error, said):
    def act(arguments):
        raise error

    parser = cli.all_commands()
    arguments = parser.parse_args(["compare", "nowhere"])
    arguments.act = act
    assert cli._run(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--offset", "-1000"], ["--nodata", "7"], ["--band-names", "a"]]
)
def test_options_of_files_are_refused_beside_a_product(tmp_path, capsys, option):
    product = ["--product", str(tmp_path / "X.SAFE")]
    assert cli.main(["prep", *product, *option, "--out", str(tmp_path / "run")]) == 2
    assert f"{option[0]}: of loose files, and a product says its own" in capsys.readouterr().err


def test_inspect_says_what_prep_takes(tmp_path, capsys):
    import numpy as np

    import landcover as lc
    from tests.conftest import utm_grid

    path = tmp_path / "B02.tif"
    values = np.full((1, 40, 50), 1200, np.uint16)
    values[:, ::3] = 65535
    lc.write(path, values, utm_grid(40, 50), ["B02"])
    assert cli.main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    assert "declare it with --nodata 65535" in said and "nodata=" not in said


def test_notes_of_prep_name_options(tmp_path, capsys):
    import numpy as np

    import landcover as lc
    from tests.conftest import utm_grid

    dn = np.random.default_rng(0).integers(900, 1400, (4, 60, 70)).astype(np.int16)
    dn[:, 20:40, 20:40] = 0  # beside another nodata value, so that it is data
    path = lc.write(
        tmp_path / "stack.tif", dn, utm_grid(60, 70), ["B02", "B03", "B04", "B08"], nodata=-9999
    )
    assert cli.main(["prep", "--bands", str(path), "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "it means no data; declare it with --nodata 0" in said and "nodata=" not in said
