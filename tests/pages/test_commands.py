"""Every command of README and docs, run in order, block by block, on files as pages name them.

Files are small and drawn (tests/pages/land.py). Where a command leaves the number of samples or
epochs to its default, less is taken; nothing else of it is changed. A run that a block does not
make itself is one of tests/pages/runs.py. What is not run stands in `NOT_RUN`, with the reason.
"""

from __future__ import annotations

import glob
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from landcover import cli
from landcover.run import Run
from tests.conftest import ROOT, error_lines
from tests.pages import land, real_land
from tests.pages.runs import EPOCHS, SAMPLES, Ready, fill_points
from tests.pages.typed import commands

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("hasty_teacher")]

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: Beginnings of commands that are not run here, and why.
NOT_RUN = {
    "fetch ": "asks servers of the internet; tests of landcover fetch ask local ones",
    "prep --product images/": "reads what landcover fetch brings; its tests read it",
    "bench tile": "takes an hour",
    "serve ": "serves until it is stopped; tests/service runs it",
    "map RUN --model NAME --scheduler": "needs a cluster; tests/maps maps on a local one",
    "map runs/mine --model cnn-7x7 --scheduler": "needs a cluster; tests/maps maps on a local one",
    "map RUN --model NAME --products list.txt --out FOLDER --scheduler": (
        "needs a cluster; tests/stages maps products on a local one"
    ),
    "map runs/mine --model cnn-7x7 --products list.txt --scheduler": (
        "needs a cluster; tests/stages maps products on a local one"
    ),
    "train cnn runs/transfer": "is of a study that takes hours",
}
#: Words that stand for a reader's own.
WORDS = {
    "RUN1": "runs/apart/land-0",
    "RUN2": "runs/apart/land-1",
    "RUN": "runs/run",
    "OTHER": "runs/other",
    "NAME": "random-forest",
    "WORD": "both",
    "FOLDER": "folder",
    "FILE": "polygons.gpkg",
    "N": "500",
    "X": "1",
    "S": "0",
    "R": "3",
}
#: What stands in a page for a reader's own, and what is put there.
OF_PAGE = {
    "README": {
        "runs/a": "runs/apart/land-0",
        "runs/b": "runs/apart/land-1",
        "runs/c": "runs/apart/land-2",
        "--years 2021 2022": "--years 2022 2023",
    },
    "change": {
        "BEFORE AFTER": "runs/clear runs/clearer",
        "RUN --years 2020 2021 --model NAME": "runs/years --years 2022 2023 --model ltae",
        "RUN2020 RUN2021 --model NAME": "runs/earlier runs/later --model ltae",
    },
    "dates_and_clouds": {
        "20220601T....SAFE": "20220601T100031_N0400_R122_T33UUU_20220601T140000.SAFE"
    },
    "layers": {"N52W005.hgt.zip": "dem.tif"},
    "mapping": {"prepared/run": "runs/bare", "RUN --model OTHER": "runs/bare --model OTHER"},
    "method": {"NAME NAME ...": "random-forest mlp-segments"},
    "performance": {"S2B_MSIL2A_....SAFE": "A.SAFE"},
    "sequences": {
        "--date ...": " ".join(f"--date sequence/{day}.tif" for day in land.SEQUENCE_DAYS),
        "2022=corine2022.tif": "2022=sequence/labels_2022.tif",
        "2023=corine2023.tif": "2023=sequence/labels_2023.tif",
        "runs/year --years": "runs/years --years",
    },
    "several_scenes": {
        "--out RUN": "--out runs/abc",
        "RUN/models/NAME": "runs/abc/models/random-forest-of-2-scenes",
    },
}
#: What a run that a block takes for granted is, by its name; others are scenes.
KINDS = {
    "year": "year",
    "years": "year",
    "earlier": "earlier",
    "later": "later",
    "clear": "one_map",
    "clearer": "one_map",
    "apart": "apart",
    "eurosat": "eurosat",
    "bigearth": "bigearth",
    "quilt": "quilt",
    "cal-2020": "california",
    "bare": "bare",
}
#: Runs that a command makes itself.
MADE = ("abc", "cal", "change")
#: Pages whose RUN has several dates.
DATES = ("classifiers", "sequences")


class Block(NamedTuple):
    """Commands of a page that stand together."""

    page: str
    number: int
    typed: list[str]


def blocks(path: Path) -> Iterator[Block]:
    """The indented blocks of a page that hold commands."""
    parts = re.split(r"\n(?=\S)", path.read_text("utf-8"))
    found = [typed for part in parts if (typed := commands(part))]
    return (Block(path.stem, number, typed) for number, typed in enumerate(found))


BLOCKS = [block for path in PAGES for block in blocks(path)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    land.draw(folder)
    return folder


@pytest.fixture(scope="module")
def ready(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    return Ready(world, tmp_path_factory.mktemp("ready"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}-{block.number}")
def test_the_commands_of_a_block_run(block, world, ready, tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    if place := real_land.folder_of("\n".join(block.typed)):
        ready.data = request.getfixturevalue("shared_data")  # skips where there is none
        real_land.draw(ready.data / place, tmp_path)
    else:
        for path in world.iterdir():
            Path(path.name).symlink_to(path)
    for typed in block.typed:
        if typed.startswith(tuple(NOT_RUN)):
            continue
        arguments = cli.all_commands().parse_args(words(typed, block.page))
        lessen(arguments)
        prepare(arguments, block.page, ready)
        assert cli._run(arguments) == 0, f"{typed}: {error_lines(capsys.readouterr().err)[-1:]}"


def words(typed: str, page: str) -> list[str]:
    """The words of a command as a shell hands them over, those for a reader's own filled in."""
    for shown, own in OF_PAGE.get(page, {}).items():
        typed = re.sub(rf"{re.escape(shown)}(?!\w)", own, typed)
    names = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
    alone = re.compile(rf"(?<![\w.-])(?:{names})(?![\w.-])")
    found: list[str] = []
    for word in shlex.split(typed):
        first = re.sub(r"^([\w-]+)(?:\|[\w-]+)+$", r"\1", word)  # of several choices
        filled = alone.sub(lambda match: WORDS[match[0]], first)
        paths = sorted(glob.glob(filled)) if re.search(r"[*?\[]", filled) else []
        found += paths or [filled]
    return [word for word in found if word != "..."]


def lessen(arguments) -> None:
    """Take less where a command leaves it to its default."""
    parser, given = arguments.parser, vars(arguments)
    for name, less in {"samples": SAMPLES, "epochs": EPOCHS}.items():
        if name in given and given[name] in (None, parser.get_default(name)):
            given[name] = less


def prepare(arguments, page: str, ready: Ready) -> None:
    """Put the runs there that a command reads, and make way for the one that it makes."""
    given = vars(arguments)
    if arguments.stage == "prep":
        shutil.rmtree(Path(arguments.run), ignore_errors=True)
        return
    texts = [str(value) for name, value in given.items() if name not in ("parser", "act")]
    for name in sorted(set(re.findall(r"\bruns/([\w-]+)", " ".join(texts)))):
        place = Path("runs") / name
        kind = KINDS.get(name, "scene")
        if name in ("run", "year") and page in DATES:
            kind = "dates"
        if name == "run" and page == "features":
            kind = "ten_bands"
        if not place.exists() and name not in MADE:
            ready.put(kind, place)
    if arguments.stage == "assess":
        run = Run(arguments.run)
        (points,) = run.path.glob("*_points.gpkg")
        fill_points(points, run, points.stem.removesuffix("_points"), Path(arguments.reference))


def test_a_command_becomes_what_a_shell_hands_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("B02.tif", "B08.tif"):
        Path(name).touch()
    assert words("prep --bands B0[28].tif --out RUN", "inputs") == [
        *("prep", "--bands", "B02.tif", "B08.tif", "--out", "runs/run")
    ]
    assert words("map OTHER/models/NAME --method uniform|stratified RUNS ...", "inputs") == [
        *("map", "runs/other/models/random-forest", "--method", "uniform", "RUNS")
    ]
