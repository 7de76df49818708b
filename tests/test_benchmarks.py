"""Results of benchmarks: the page is made of them, and a loss is seen."""

from __future__ import annotations

import datetime
import doctest
import importlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import compare, measure, page, records, report, results, tile
from benchmarks.records import Ratio, Result, Row
from landcover.commands import bench
from landcover.errors import LandcoverError
from tests.conftest import ROOT

MACHINE = {"processor": "A processor", "cores": 2, "memory_gib": 24}
#: Files of benchmarks/ that measure nothing.
HELPERS = {
    "__init__", "compare", "measure", "page", "records", "report", "results", "tile",
    # of docs/scale.md, which has its own numbers
    "count_tiles", "scale_page", "schedule", "schedule_check", "simulation", "tile_cost",
}  # fmt: skip


def result(*rows: Row, **changed: object) -> Result:
    given = Result(
        "python -m benchmarks.x", "2026-01-01", MACHINE, "abc1234", False, {}, None, "", rows
    )
    return replace(given, **changed)


def ratio(median: float, low: float, high: float, **more: object) -> Ratio:
    return Ratio(median, low, high, 3, "another", **more)


@pytest.mark.parametrize("module", [compare, measure, records], ids=lambda each: each.__name__)
def test_examples_in_docstrings_hold(module):
    tried = doctest.testmod(module)
    assert tried.attempted > 0 and tried.failed == 0


# The page


def test_the_page_is_what_the_results_and_the_words_give():
    assert page.PAGE.read_text("utf-8") == page.page(), "run python -m benchmarks.page"


def test_every_stored_result_says_what_was_typed_where_and_when():
    stored = results.read()
    assert len({(each.command, each.kind) for each in stored}) == len(stored) > 20
    for each in stored:
        datetime.date.fromisoformat(each.date)
        assert {"processor", "cores", "memory_gib"} <= each.machine.keys()
        assert each.commit or each.note.startswith("by hand"), each.command
        named = re.search(r"-m benchmarks\.(\w+)", each.command)
        assert (
            each.command.startswith(results.TILE) or (ROOT / f"benchmarks/{named[1]}.py").is_file()
        )


def test_every_benchmark_reports_its_rows():
    measuring = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - HELPERS
    for name in measuring:
        text = (ROOT / f"benchmarks/{name}.py").read_text("utf-8")
        assert f'options("{name}", __doc__)' in text and "report(parser, " in text, name
    (bench_names,) = re.findall(r"^BENCHMARKS := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert set(bench_names.split()) <= measuring


def test_a_result_that_the_words_do_not_ask_for_stands_at_the_end():
    tables = page.Tables([result(Row("a", 1.5, "s")), result(Row("b", 2, "s"), command="other")])
    assert "| a | 1.5 |" in tables.table("python -m benchmarks.x")
    assert "| b | 2 |" in tables.rest() and "| a |" not in tables.rest()
    with pytest.raises(KeyError, match="'missing', of which no result is stored"):
        tables.table("missing")


def test_a_table_has_a_column_for_everything_that_its_rows_have():
    rows = (
        Row("a", 1.234, "s", (ratio(2, 1.5, 2.5),), 2048, {"of cores, s": 3}),
        Row("b", 5, "s", memory_mib=512),
        Row("share", 80, "%"),
    )
    tables = page.Tables([result(*rows, versions={"numpy": "2.0"}, load=0.3, changed=True)])
    beside = {"a": {"limited by": "the disk"}}
    assert tables.table("python -m benchmarks.x", beside=beside).splitlines() == [
        "|  | s | times as fast as another | peak memory | of cores, s | limited by |",
        "| :-- | --: | --: | --: | --: | --: |",
        "| a | 1.23 | 2.0 (1.5-2.5) | 2.0 GiB | 3 | the disk |",
        "| b | 5 |  | 0.5 GiB |  |  |",
        "",
        "|  | % |",
        "| :-- | --: |",
        "| share | 80 |",
        "",
        "`python -m benchmarks.x`: 2026-01-01; A processor, 2 cores, 24 GiB; commit abc1234 and "
        "changes; load average 0.3 before; ratios of 3 runs; numpy 2.0.",
    ]
    with pytest.raises(KeyError, match=r"no rows \['prepared'"):
        tables.table("python -m benchmarks.x", beside={"prepared": {"limited by": "the disk"}})


def test_what_stands_after_the_comma_becomes_a_column():
    rows = [Row(f"{name}, {px} px", px * by) for px in (1, 4) for name, by in (("a", 1), ("b", 2))]
    table = page.Tables([result(*rows)]).across("python -m benchmarks.x", "", "value", growth=True)
    assert table.splitlines()[2:] == ["| a | 1 | 4 | 4.00 |", "| b | 2 | 8 | 4.00 |"]


# The file


def test_a_result_takes_the_place_of_that_of_its_command_and_kind_of_machine(tmp_path):
    path = tmp_path / "results.json"
    first, other = result(Row("a", 1, "s")), {**MACHINE, "cores": 8}
    again = result(Row("a", 2, "s", (ratio(2, 1, 3),), 5, {"chosen": "b"}), date="2026-02-02")
    results.keep(path, [first, replace(first, machine=other)])
    results.keep(path, [again])
    assert results.read(path) == [again, replace(first, machine=other)]
    results.keep(path, [])
    assert results.read(path) == [again, replace(first, machine=other)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([Row("a", 1), Row("a", 2)], "two rows are named 'a'; rename one"),
        ([Row("a")], "row 'a' holds no number; give it one"),
        ([], "gave no rows"),
    ],
)
def test_rows_that_could_not_be_found_again_are_refused(rows, said, tmp_path):
    with pytest.raises(LandcoverError, match=said):
        results.keep(tmp_path / "results.json", [result(*rows)])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("text", ['{"results": [{}]}', '{"sizes": {}}', "[", '{"results": 5}'])
def test_a_file_of_something_else_is_refused_in_one_line(text, tmp_path, capsys):
    path = tmp_path / "now.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as ended:
        compare.main([str(path)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and "remove it" in line


def test_a_benchmark_records_what_it_printed(tmp_path, monkeypatch, capsys):
    path = tmp_path / "now.json"
    typed = ["--runs", "1", "--size", "16", "--record", str(path)]
    monkeypatch.setattr("sys.argv", ["composite.py", *typed])
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    importlib.import_module("benchmarks.composite").main()
    (found,) = results.read(path)
    assert found.command == "python -m benchmarks.composite --size 16 --runs 1"
    assert found.date == datetime.date.today().isoformat() and "numpy" in found.versions
    slow = found.row("numpy.nanmedian of 6 dates, 16 px").value
    fast = found.row("median of 6 dates, 16 px")
    assert fast.ratios[0].median == pytest.approx(slow / fast.value, rel=1e-3)
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed] == [row.what for row in found.rows]


@pytest.mark.parametrize(("given", "said"), [(None, ""), ("jax", "KERAS_BACKEND=jax ")])
def test_the_command_is_what_was_typed(given, said, tmp_path, monkeypatch):
    """Also where the measurement itself chooses a backend and says so in the environment."""
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if given:
        monkeypatch.setenv("KERAS_BACKEND", given)

    def rows():
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        yield Row("a", 1, "s")

    parser = report.options("x", "A benchmark.")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--tile-px", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[7, 61])
    parser.add_argument("--folder", type=Path)
    words = ["--sizes", "61", "3", "--full", "--tile-px", "5", "--folder", str(tmp_path)]
    asked = parser.parse_args([*words, "--record", str(tmp_path / "now.json")])
    report.report(parser, asked, rows())
    (found,) = results.read(tmp_path / "now.json")
    assert found.command == f"{said}python -m benchmarks.x --full --sizes 61 3 --folder FOLDER"


# Before and now


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        ((8, 7, 9), (5, 4, 6), "SLOWER"),
        ((8, 7, 9), (6.3, 6.2, 6.9), "SLOWER"),
        ((8, 7, 9), (6.5, 6.2, 6.9), "same"),  # wholly below, but less than a fifth
        ((8, 5, 9), (6.0, 4, 7), "slower?"),  # far below, but their runs overlap
        ((8, 7, 9), (12, 11, 13), "faster"),
        ((8, 7, 9), (12, 8, 13), "same"),
    ],
)
def test_a_ratio_is_lost_when_all_of_it_lies_below_and_by_a_fifth(before, now, verdict):
    assert compare.verdict(ratio(*before), ratio(*now)) == verdict
    less = [
        ratio(1 / median, 1 / high, 1 / low, less_is_better=True)
        for median, low, high in (before, now)
    ]
    assert compare.verdict(*less) == verdict


def run_compare(tmp_path, before: Result, now: Result) -> int:
    for name, each in (("before", before), ("now", now)):
        results.keep(tmp_path / f"{name}.json", [each])
    stored = ["--stored", str(tmp_path / "before.json")]
    return compare.main([str(tmp_path / "now.json"), *stored])


def test_a_lost_ratio_is_marked_and_ends_with_1(tmp_path, capsys):
    before = result(Row("a", 1, "s", (ratio(8, 7, 9),)), Row("b", 1, "s", (ratio(4, 3, 5),), 100))
    now = result(Row("a", 9, "s", (ratio(2, 1, 3),)), Row("b", 9, "s", (ratio(4, 3, 5),), 200))
    assert run_compare(tmp_path, before, now) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("!!")] == [
        "!! a: times as fast as another  8.0 (7.0-9.0)  2.0 (1.0-3.0)  SLOWER"
    ]
    assert lines[-1] == "1 of 2 ratios that were compared are slower"
    told = [line.split()[1:-1] for line in lines if line.endswith("told")]
    assert told == [["1", "s", "9", "s"], ["1", "s", "9", "s"], ["100", "MiB", "200", "MiB"]]
    assert "other programs" not in lines[-1]


def test_a_busy_machine_is_said(tmp_path, capsys):
    assert run_compare(tmp_path, result(Row("a", 1)), result(Row("a", 1), load=2.1)) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("other programs ran beside it")


def test_only_the_same_command_on_the_same_kind_of_machine_is_judged(tmp_path, capsys):
    before, now = result(Row("a", ratios=(ratio(8, 7, 9),))), ratio(2, 1, 3)
    for changed in ({"machine": {**MACHINE, "cores": 8}}, {"command": "another"}):
        now_too = result(Row("a", ratios=(now,)), **changed)
        assert run_compare(tmp_path, before, now_too) == 0
        assert "not stored for this machine" in capsys.readouterr().out
        (tmp_path / "now.json").unlink()


def test_what_is_no_longer_measured_is_said(tmp_path, capsys):
    before = result(Row("a", ratios=(ratio(8, 7, 9),)))
    assert run_compare(tmp_path, before, result(Row("renamed", ratios=(ratio(8, 7, 9),)))) == 0
    said = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert "new" in said and "measured" in said


# A tile


@pytest.fixture
def bench_json(tmp_path):
    """What `landcover bench tile` writes of two sizes."""
    shares = {"reading": 0.25, "computing": 0.5, "writing": 0.25}
    segment = bench.Stage("segment", ("segment", "run"), most_s=240, most_gib=8)
    train = bench.Stage("train forest", ("train",), by_pixels=False)
    measured = {
        side: [
            bench.Measured(segment, 60.0 * share, 4.0, shares, side == bench.TILE_PX),
            bench.Measured(train, 20.0, 1.0, shares | {"reading": 0.0, "computing": 0.75}, True),
        ]
        for side, share in ((2745, 1 / 8), (bench.TILE_PX, 1))
    }
    return bench.write(tmp_path, measured)[1]


def test_a_tile_becomes_its_stages_and_how_they_grow(bench_json, tmp_path):
    found = tile.tile_results(bench_json, "abc1234")
    whole, growth = found
    assert [each.command for each in found] == [results.TILE, f"{results.TILE} --share 1/16 1"]
    segment = whole.row("segment")
    assert (segment.value, segment.unit, segment.memory_mib) == (60.0, "s", 4096)
    assert segment.more["reading, %"] == 25 and segment.more["at most"] == "240 s, 8 GiB"
    assert segment.more["kept"] is True and "kept" not in whole.row("train forest").more
    job = whole.row(results.WHOLE)
    assert (job.value, job.memory_mib) == (80.0, 4096)
    assert job.more["computing, %"] == pytest.approx((60 * 50 + 20 * 75) / 80, abs=0.05)
    assert growth.row("segment, 7.5 million").value == pytest.approx(7.5 / 2745**2 * 1e6)
    assert not any(row.what.startswith("train") for row in growth.rows)
    results.keep(tmp_path / "results.json", found)
    stages = results.tile_stages(tmp_path / "results.json")
    assert list(stages) == ["segment", "train forest"] and stages["segment"].value == 60


def test_stages_of_the_stored_tile_have_seconds_and_memory():
    stages = results.tile_stages()
    assert {"prepare", "segment", "map, forest"} <= stages.keys()
    assert all(row.unit == "s" and row.value and row.memory_mib for row in stages.values())


def test_a_file_that_is_no_tile_is_refused(tmp_path):
    path = tmp_path / "bench.json"
    for content in ({}, {"sizes": {}}, {"sizes": {"10980": [{}]}}, {"sizes": 5}):
        path.write_text(json.dumps(content | {"machine": MACHINE, "versions": {}}))
        with pytest.raises(LandcoverError, match=r"bench\.json is not what landcover bench tile"):
            tile.tile_results(path, "abc1234")


def test_there_is_no_tile_before_one_was_measured(tmp_path):
    with pytest.raises(LandcoverError, match="holds no whole tile; run landcover bench tile"):
        results.tile_stages(tmp_path / "results.json")
