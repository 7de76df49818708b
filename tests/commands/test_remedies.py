"""Commands that messages name as the remedy: each can be given, and those run heal what failed."""

from __future__ import annotations

import argparse
import ast
import functools
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator

import numpy as np
import pytest
from affine import Affine
from click.testing import CliRunner
from rasterio.crs import CRS
from rasterio.rio.main import main_group

import landcover as lc
from landcover import cli
from landcover.classifiers.whole_images import require_scale
from landcover.commands import COMMANDS, GROUPS
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.grid import Grid
from landcover.labels.on_grid import require_classes
from tests.conftest import ROOT, utm_grid
from tests.fixtures.band_files import unplaced

ROWS, COLS = 160, 200
BANDS = ("B02", "B03", "B04", "B08")
FOREST = ["train", "random-forest", "--denoise", "none", "--no-random-split", "--no-map"]
#: A command in a message, up to what cannot belong to it.
COMMAND = re.compile(r"\b((?:landcover|rio) (?:(?!; | \(|, or ).)+)")


#: A command after a colon or in brackets, which is to be given as it is written.
AS_WRITTEN = re.compile(r"(?:: |\()((?:landcover|rio) (?:'[^']*'|[^;,()'])+)")
#: What stands for a value in the texts below: a path, a name and a number.
VALUE = "7"


@functools.cache
def texts() -> tuple[tuple[str, str], ...]:
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    """Place and words of every text of the package that is no docstring; values as 7."""
    for path in sorted((ROOT / "landcover").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parts = {
            part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
            for part in node.values
        }  # fmt: skip
        for node in ast.walk(tree):
            if node in docs | parts:
                continue
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, re.sub(r"\{\w+\}", VALUE, node.value)
            elif isinstance(node, ast.JoinedStr):
                held = (p.value if isinstance(p, ast.Constant) else VALUE for p in node.values)
                yield where, "".join(map(str, held))


def options_of(command: str) -> set[str]:
    parser = argparse.ArgumentParser()
    COMMANDS[command][1](parser)
    return {option for action in parser._actions for option in action.option_strings}


def called(words: list[str]) -> str | None:
    """The command that words begin with; None of prose and of commands put together elsewhere."""
    name = " ".join(words[:2]) if words and words[0] in GROUPS else "".join(words[:1])
    return name if name in COMMANDS else None


def given(words: str) -> list[str]:
    """Commands as somebody would type them, with 7 for what messages leave open."""
    return [re.sub(r"\bN\b", VALUE, part) for part in words.strip(" .").split(" && ")]


def test_a_command_in_a_text_takes_the_options_that_are_named_with_it():
    seen, wrong = 0, []
    for where, text in texts():
        for words in re.findall(r"\blandcover ((?:[^;,()]|\((?=--))+)", text):
            name = called(words.split())
            if name is None:
                continue
            seen += 1
            named = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", words.split(" landcover ")[0]))
            wrong += [f"{where}: {name} {option}" for option in named - options_of(name)]
    assert seen > 40 and wrong == []


def test_an_option_in_a_text_is_one_of_some_command():
    known = {option for name in COMMANDS for option in options_of(name)} | {"--help", "--quiet"}
    known |= {"--splits"}  # of a script in experiments, checked below
    known |= {"--upgrade", "--query-gpu"}  # of pip and nvidia-smi
    known |= {o for command in main_group.commands.values() for p in command.params for o in p.opts}
    wrong = [
        f"{where}: {option}"
        for where, text in texts()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z](?![\w-])", text)
        if option not in known
    ]
    assert wrong == []


def test_an_argument_in_a_message_is_one_of_a_function_or_a_command():
    known = {option[2:].replace("-", "_") for name in COMMANDS for option in options_of(name)}
    for path in (ROOT / "landcover").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.arguments):
                known |= {a.arg for a in (*node.posonlyargs, *node.args, *node.kwonlyargs)}
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                known.add(node.target.id)  # of a dataclass
    wrong = [
        f"{where}: {name}="
        for where, text in texts()
        if "; " in text and "charset" not in text and "/" not in text.split(";")[0]
        for name in re.findall(r"(?<![\w/.?&=<>\"'-])([a-z]\w*)=", text)
        if name not in known
    ]
    assert wrong == []


def test_a_command_after_a_colon_can_be_given_as_it_is_written(capsys):
    parser, seen = cli.all_commands(), 0
    for where, text in texts():
        for command in [c for words in AS_WRITTEN.findall(text) for c in given(words)]:
            program, *words = shlex.split(command)
            if program == "rio":
                rio = main_group.commands[words[0]]
                options = {option for parameter in rio.params for option in parameter.opts}
                assert {word for word in words if word.startswith("--")} <= options, where
            elif words[0] != VALUE:
                assert called(words), (where, command)
                try:
                    parser.parse_args(words)
                except SystemExit:
                    pytest.fail(f"{where}: {command}: {capsys.readouterr().err}")
            seen += 1
    assert seen > 25


def test_what_needs_a_checkout_of_the_project_says_so():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    seen = 0
    for where, text in texts():
        for target in re.findall(r"\bmake (web|demo|docs)\b", text):
            assert f"\n{target}:" in makefile and "checkout of the project" in text, where
            seen += 1
        for module, words in re.findall(r"python -m experiments\.(\w+)([^;,()]*)", text):
            source = (ROOT / "experiments" / f"{module}.py").read_text("utf-8")
            assert "checkout of the project" in text, where
            assert all(f'"{o}"' in source or o == "--out" for o in re.findall(r"--[a-z-]+", words))
            seen += 1
    assert seen >= 5


def test_an_extra_in_a_message_is_one_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {
        e for _, text in texts() for e in re.findall(r"pip install .?landcover\[([a-z]\w*)", text)
    }
    assert named and named <= set(extras["optional-dependencies"])


def remedies(message: str) -> list[str]:
    """The commands that a message names; those joined by && one by one."""
    return [part for found in COMMAND.findall(message.strip()) for part in found.split(" && ")]


def run_command(command: str) -> None:
    """Run a command as it is written, or several joined by &&, which must end well."""
    for part in command.split(" && "):
        program, *arguments = shlex.split(part)
        if program == "rio":
            result = CliRunner().invoke(main_group, arguments)
            assert result.exit_code == 0, (part, result.output)
        else:
            assert cli.main(arguments) == 0, part


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Bands and labels in a folder, named as messages name them."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)
    truth = rng.choice([211, 311, 512], size=(ROWS // 8, COLS // 8)).repeat(8, 0).repeat(8, 1)
    base = np.select([truth == 211, truth == 311], [0.2, 0.1], 0.03)
    grid = utm_grid(ROWS, COLS)
    for i, band in enumerate(BANDS):
        dn = 10000 * (base * (1 + i / 4) + rng.normal(0, 0.005, truth.shape))
        dn = np.rint(dn).clip(1, 9999).astype(np.uint16)
        raster_writer.write(folder / f"{band}.tif", dn[None], grid, [band], nodata=0)
    for name in ("CORINE.tif", "TRUTH.tif"):
        raster_writer.write(folder / name, truth[None].astype(np.uint16), grid, ["class"], nodata=0)
    return folder


@pytest.fixture(scope="module")
def prepared(inputs):
    """A run with samples, a forest and its map, to be copied."""
    run = inputs / "prepared"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inputs)
        files = [f"{band}.tif" for band in BANDS]
        prep = ["prep", "--bands", *files, "--labels", "CORINE.tif", "--samples", "3000"]
        assert cli.main([*prep, "--out", str(run)]) == 0
    assert cli.main([*FOREST, str(run)]) == 0
    assert cli.main(["map", str(run), "--model", "random-forest-plain"]) == 0
    return run


@pytest.fixture
def run(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "run")


def heal(arguments, capsys, most=3):
    """Run a command, and the remedies of its messages, until it ends well; the messages."""
    said: list[str] = []
    while (code := cli.main(arguments)) and len(said) < most:
        assert code == 2
        said.append(capsys.readouterr().err)
        commands = remedies(said[-1])
        assert commands, said[-1]
        for command in commands:
            run_command(command)
        capsys.readouterr()
    assert code == 0, said
    return said


def test_a_run_folder_that_is_missing_is_named(inputs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(inputs)
    missing = str(tmp_path / "none")
    for command in (FOREST, ["segment"], ["sample"], ["denoise"], ["map"], ["compare"]):
        assert cli.main([*command, missing]) == 2
        said = capsys.readouterr().err
        assert f"run folder {missing} does not exist" in said, command
    (said,) = heal(["segment", missing], capsys)
    assert remedies(said) == [
        f"landcover prep --bands B02.tif B03.tif B04.tif B08.tif --out {missing}"
    ]


def test_labels_and_reference_are_brought_with_the_bands(inputs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(inputs)
    run = str(tmp_path / "run")
    assert cli.main(["prep", "--bands", *(f"{b}.tif" for b in BANDS), "--out", run]) == 0
    capsys.readouterr()
    assert "labels.tif does not exist" in heal(["sample", run], capsys)[0]
    said = heal([*FOREST, run, "--trained-on", "reference"], capsys)
    assert "no column reference" in said[0]


def test_a_folder_whose_name_has_a_blank_is_in_quotes(prepared, tmp_path, capsys):
    run = shutil.copytree(prepared, tmp_path / "my run")
    (run / "samples.parquet").unlink()
    said = heal([*FOREST, str(run)], capsys)
    assert remedies(said[0]) == [f"landcover sample '{run}'"]


@pytest.mark.parametrize(
    ("gone", "command"),
    [
        (["samples.parquet"], FOREST),
        (["splits.json"], FOREST),
        (["segments.tif"], ["postprocess", "--model", "random-forest-plain", "--segments"]),
        ([], ["postprocess", "--model", "random-forest-plain", "--smooth"]),
        (
            ["maps/random-forest-plain.tif"],
            ["postprocess", "--model", "random-forest-plain", "--mmu-ha", "0.03"],
        ),
        (["reports/random-forest-plain.json"], ["compare"]),
    ],
)
def test_what_is_missing_is_made_by_the_command_that_is_named(run, gone, command, capsys):
    for name in gone:
        (run / name).unlink(missing_ok=True)
    said = heal([*command, str(run)], capsys)
    assert bool(said) == (bool(gone) or "--smooth" in command)


def test_the_map_of_another_runs_model_is_compared(prepared, inputs, tmp_path, capsys, monkeypatch):
    """Mapped before there were samples, so that nothing scored it."""
    monkeypatch.chdir(inputs)
    guest = str(tmp_path / "guest")
    bands = [f"{band}.tif" for band in BANDS]
    assert cli.main(["prep", "--bands", *bands, "--out", guest]) == 0
    model = str(prepared / "models" / "random-forest-plain")
    assert cli.main(["map", guest, "--model", model]) == 0
    shutil.copy(prepared / "labels.tif", guest)
    shutil.copy(prepared / "legend.json", guest)
    capsys.readouterr()
    said = heal(["compare", guest], capsys)
    assert remedies(said[0]) == [f"landcover sample {guest}"]
    assert remedies(said[1]) == [f"landcover map {guest} --model {model}"]
    (said,) = heal(["postprocess", guest, "--model", model, "--smooth"], capsys)
    assert remedies(said) == [f"landcover map {guest} --model {model} --probabilities"]


def test_a_run_without_labels_is_compared_in_another(
    prepared, inputs, tmp_path, capsys, monkeypatch
):
    """Labels brought to it would remove its maps."""
    monkeypatch.chdir(inputs)
    guest, labelled = str(tmp_path / "guest"), str(tmp_path / "guest-labelled")
    bands = [f"{band}.tif" for band in BANDS]
    assert cli.main(["prep", "--bands", *bands, "--out", guest]) == 0
    model = str(prepared / "models" / "random-forest-plain")
    assert cli.main(["map", guest, "--model", model]) == 0
    capsys.readouterr()
    assert cli.main(["compare", guest]) == 2
    said = capsys.readouterr().err
    commands = remedies(said)
    assert commands[1:] == [
        f"landcover map {labelled} --model {model}", f"landcover compare {labelled}"
    ]  # fmt: skip
    for command in commands:
        run_command(command)
    assert "forest on labels as they are maps" in capsys.readouterr().out
    assert (tmp_path / "guest" / "maps" / "random-forest-plain.tif").exists()


def of_file(message: str, path, code: int = 32633) -> str:
    """A remedy with the names that it leaves open filled in."""
    command = " && ".join(remedies(message))
    new = path.with_name("new.tif")
    return command.replace("EPSG:CODE", f"EPSG:{code}").replace("FILE", str(path)).replace(
        "NEW.tif", str(new)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("driver", "name"),
    [("GTiff", "a.tif"), ("COG", "a.tif"), ("netCDF", "a.nc"), ("Zarr", "a.zarr"), ("HFA", "a.img"),
     ("VRT", "a.vrt"), ("PNG", "a.png")],
)  # fmt: skip
def test_a_raster_without_crs_gets_one(tmp_path, driver, name):
    import rasterio.shutil

    plain, path = tmp_path / "plain.tif", tmp_path / name
    pixels = np.random.default_rng(0).integers(1, 255, (1, 20, 20), dtype=np.uint8)
    with rasterio.open(
        plain, "w", driver="GTiff", width=20, height=20, count=1, dtype="uint8",
        transform=Affine(10, 0, 300000, 0, -10, 5800000),
    ) as out:  # fmt: skip
        out.write(pixels)
    rasterio.shutil.copy(plain, path, driver=driver)
    with pytest.raises(LandcoverError, match="no CRS") as caught:
        rasters.grid_of(path)
    command = of_file(str(caught.value), path)
    run_command(command)
    healed = tmp_path / "new.tif" if "new.tif" in command else path
    assert rasters.grid_of(healed).difference(utm_grid(20, 20)) is None
    np.testing.assert_array_equal(lc.read(healed), pixels)


@pytest.mark.parametrize("name", ["a.tif", "a.jp2"])
def test_a_raster_without_a_place_gets_one(tmp_path, name):
    path = unplaced(tmp_path / name, np.ones((1, 20, 20), np.uint8))
    with pytest.raises(LandcoverError, match="does not say where it lies") as caught:
        rasters.grid_of(path)
    command = of_file(str(caught.value), path)
    run_command(command.replace("WEST", "300000").replace("NORTH", "5800000"))
    assert rasters.grid_of(path).difference(utm_grid(20, 20)) is None


def test_a_raster_of_control_points_is_warped(tmp_path):
    from rasterio.control import GroundControlPoint

    corners = [(0, 0, 3e5, 58e5), (0, 20, 300200, 58e5), (20, 0, 3e5, 5799800)]
    points = [GroundControlPoint(*corner) for corner in corners]
    pixels = np.random.default_rng(0).integers(1, 255, (1, 20, 20), dtype=np.uint8)
    path = unplaced(tmp_path / "a.tif", pixels, gcps=points, crs="EPSG:32633")
    with pytest.raises(LandcoverError, match="ground control points alone") as caught:
        rasters.grid_of(path)
    run_command(of_file(str(caught.value), path))
    assert rasters.grid_of(tmp_path / "new.tif").difference(utm_grid(20, 20)) is None
    np.testing.assert_array_equal(lc.read(tmp_path / "new.tif"), pixels)


def test_a_raster_of_degrees_gets_the_system_of_degrees(tmp_path):
    import rasterio

    path = tmp_path / "degrees.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=20, count=1, dtype="uint8", crs="EPSG:32633",
        transform=Affine(9e-5, 0, 13.5, 0, -9e-5, 52.3),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 20, 20), np.uint8))
    with pytest.raises(LandcoverError, match="look like degrees") as caught:
        rasters.grid_of(path)
    run_command(of_file(str(caught.value), path))
    assert rasters.grid_of(path).crs.to_epsg() == 4326


@pytest.mark.parametrize("crs", ["EPSG:4326", 'LOCAL_CS["site",UNIT["metre",1]]'])
@pytest.mark.parametrize("kind", ["GTiff", "JP2OpenJPEG"])
def test_a_raster_of_a_wrong_crs_gets_the_true_one(tmp_path, crs, kind):
    import rasterio

    path = tmp_path / "plain.tif"
    with rasterio.open(
        path, "w", driver=kind, width=64, height=64, count=1, dtype="uint8", crs=crs,
        transform=Affine(10, 0, 300000, 0, -10, 5800000),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 64, 64), np.uint8))
    with pytest.raises(LandcoverError, match=r"which are none|a local one") as caught:
        rasters.grid_of(path)
    run_command(of_file(str(caught.value), path))
    assert rasters.grid_of(path).crs.to_epsg() == 32633


def test_an_image_that_needs_an_option_is_prepared(inputs, prepared, tmp_path, capsys):
    """What `classify` has no option for is told to `prep`, whose scene can be classified."""
    path = tmp_path / "stack.tif"
    dn = np.concatenate([rasters.read(inputs / f"{band}.tif") for band in BANDS])
    dn[:, 40:80] = 65535
    raster_writer.write(path, dn.astype(np.uint16), rasters.grid_of(inputs / "B02.tif"), BANDS)
    classify = ["classify", "--run", str(prepared), "--model", "random-forest-plain"]
    assert cli.main([*classify, str(path)]) == 2
    said = capsys.readouterr().err
    assert "declare it with --nodata 65535; landcover prep takes this" in said
    run = str(tmp_path / "run")
    assert cli.main(["prep", "--bands", str(path), "--nodata", "65535", "--out", run]) == 0
    assert cli.main([*classify, f"{run}/scene.tif"]) == 0


def test_an_image_that_looks_offset_is_prepared(inputs, prepared, tmp_path, capsys):
    """The option that the note of `classify` names makes its classes those of the plain image."""
    path, grid = tmp_path / "stack.tif", rasters.grid_of(inputs / "B02.tif")
    dn = np.concatenate([rasters.read(inputs / f"{band}.tif") for band in BANDS])
    raster_writer.write(path, dn + np.uint16(1000), grid, BANDS)
    classify = ["classify", "--run", str(prepared), "--model", "random-forest-plain"]
    assert cli.main([*classify, str(path)]) == 0
    note = next(line for line in capsys.readouterr().err.splitlines() if "note: " in line)
    assert "pass --offset -1000; landcover prep takes this" in note
    run = str(tmp_path / "run")
    assert cli.main(["prep", "--bands", str(path), "--offset", "-1000", "--out", run]) == 0
    capsys.readouterr()
    assert cli.main([*classify, f"{run}/scene.tif"]) == 0
    assert "offset" not in capsys.readouterr().err


def test_labels_of_several_bands_are_taken_apart(inputs, tmp_path):
    grid = rasters.grid_of(inputs / "B02.tif")
    codes = np.full((2, *grid.shape), 211, np.uint16)
    codes[:, ::2] = 512
    path = raster_writer.write(tmp_path / "years.tif", codes, grid, ["2018", "2024"], nodata=0)
    with pytest.raises(LandcoverError) as caught:
        require_classes(path)
    run_command(of_file(str(caught.value), path))
    require_classes(tmp_path / "new.tif")


def test_a_rotated_raster_is_warped(tmp_path):
    import rasterio

    path = tmp_path / "rotated.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=20, height=20, count=1, dtype="uint8", crs="EPSG:32633",
        transform=Affine(10, 0, 300000, 0, -10, 5800000) @ Affine.rotation(20),
    ) as out:  # fmt: skip
        out.write(np.ones((1, 20, 20), np.uint8))
    with pytest.raises(LandcoverError, match="rotated") as caught:
        rasters.grid_of(path)
    run_command(of_file(str(caught.value), path))
    assert rasters.grid_of(tmp_path / "new.tif").crs.to_epsg() == 32633


def test_a_raster_on_another_grid_is_warped(tmp_path):
    this, that = tmp_path / "this.tif", tmp_path / "that.tif"
    lc.write(this, np.ones((1, 40, 60), np.uint8), utm_grid(40, 60), ["a"])
    near = utm_grid(40, 60)
    shifted = Grid(near.crs, near.transform @ Affine.translation(0.4, 0), 40, 60)
    lc.write(that, np.ones((1, 40, 60), np.uint8), shifted, ["a"])
    grid = rasters.grid_of(this)
    with pytest.raises(LandcoverError, match="not on the grid") as caught:
        grid.require_equal(rasters.grid_of(that), str(this), str(that))
    run_command(of_file(str(caught.value), that))
    grid.require_equal(rasters.grid_of(tmp_path / "new.tif"), "this", "new")


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (32633, Affine(30, 0, 300000, 0, -30, 5800000)),
        (4326, Affine(0.0005, 0, -71, 0, -0.0005, -33)),
        (3857, Affine(60, 0, 1500000, 0, -60, 7000000)),
    ],
)
def test_an_image_of_other_pixels_is_warped(tmp_path, crs, transform):
    path = tmp_path / "wide.tif"
    grid = Grid(CRS.from_epsg(crs), transform, 40, 60)
    lc.write(path, np.ones((1, 40, 60), np.uint8), grid, ["a"])
    with pytest.raises(LandcoverError, match="10 m") as caught:
        require_scale(rasters.grid_of(path), str(path))
    run_command(of_file(str(caught.value), path))
    require_scale(rasters.grid_of(tmp_path / "new.tif"), "new")
