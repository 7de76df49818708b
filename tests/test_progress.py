"""What long work shows: a bar on a terminal, lines elsewhere, and what a long step will take."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from landcover import progress

#: What other programs read of the work, such as a plugin of QGIS.
LINE = re.compile(r"(.+): (\d+) %, [^,]+(, about .+ left)?")


@pytest.fixture(autouse=True)
def shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_on_terminal", lambda: True)


class Clock:
    """Time that passes as a test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Work whose clock the test moves; no timer looks at it."""
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    monkeypatch.setattr(progress, "PATIENCE_S", 2.0)
    monkeypatch.setattr(progress.threading.Timer, "start", lambda _timer: None)
    return found


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().err.splitlines() if line.strip()][-1]


def paced(clock: Clock, seconds: list[float], **how: object) -> None:
    """Work whose items take so long."""
    for one in progress.track(seconds, "mapping", **how):
        clock.now += one


@pytest.mark.usefixtures("terminal")
def test_whole_work_is_counted_to_its_end(capsys):
    assert sum(progress.track([1, 2, 3], "adding")) == 6
    assert "adding" in (line := last_line(capsys)) and "3/3" in line


@pytest.mark.usefixtures("terminal")
def test_the_end_of_unknown_work_is_its_length(capsys):
    def some() -> Iterator[int]:
        yield from (1, 2)

    assert sum(progress.track(some(), "joining")) == 3
    assert "2/2" in last_line(capsys)


@pytest.mark.usefixtures("terminal")
def test_work_that_ends_early_says_so(capsys):
    items = progress.track(range(40), "training")
    for _ in range(10):
        next(items)
    items.close()
    line = last_line(capsys)
    assert "training, stopped early" in line and "9/40" in line


def test_lines_are_few_and_other_programs_can_read_them(clock, capsys):
    paced(clock, [0.5] * 200)
    *lines, last = capsys.readouterr().err.splitlines()
    assert lines[0] == "mapping: expected to take about 1 min 40 s"
    found = [LINE.fullmatch(line) for line in lines[1:]]
    assert all(found) and len(found) <= 12
    percents = [int(line[2]) for line in found if line]
    assert percents == sorted(set(percents)) and percents[-1] >= 85
    assert lines[6] == "mapping: 53 %, 53 s, about 47 s left"
    assert last == "mapping: 100 %, 1 min 40 s"


def test_rare_steps_of_long_work_still_give_a_line_a_minute(clock, capsys):
    paced(clock, [20.0] * 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "mapping: expected to take about 33 min"
    assert 33 <= len(lines) <= 36


def test_the_first_item_alone_is_no_measure_of_short_ones(clock, capsys):
    """What is done once, such as compiling, would make the rest look long."""
    paced(clock, [8.0] + [0.1] * 50)
    err = capsys.readouterr().err
    assert "expected" not in err and err.startswith("mapping: 1 %, 8 s\n")


def test_work_that_often_ends_early_takes_at_most_so_long(clock, capsys):
    paced(clock, [10.0] * 40, may_end_early=True)
    assert "mapping: expected to take at most about 6 min 40 s\n" in capsys.readouterr().err


def test_lines_of_unknown_work_count_it(clock, capsys):
    def some() -> Iterator[int]:
        for _ in range(90):
            clock.now += 1
            yield 1

    assert sum(progress.track(some(), "joining")) == 90
    lines = capsys.readouterr().err.splitlines()
    first, *_, last = lines
    assert (first, last) == ("joining: 3 done, 3 s", "joining: 100 %, 1 min 30 s")
    assert lines[1] == "joining: 63 done, 1 min 3 s" and len(lines) == 3


def test_lines_say_where_work_was_stopped(capsys):
    items = progress.track(range(40), "training")
    for _ in range(11):
        next(items)
    items.close()
    assert last_line(capsys).startswith("training, stopped early: 25 %, ")


def test_a_long_first_item_is_shown_while_it_runs(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 0.01)
    items = progress.track(range(2), "training")
    next(items)
    until, said = time.monotonic() + 10, ""
    while not said and time.monotonic() < until:
        time.sleep(0.01)
        said = capsys.readouterr().err
    items.close()
    assert said == "training: 0 %, 0 s\n"


def test_short_work_shows_nothing(capsys, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE_S", 2.0)
    assert sum(progress.track([1, 2, 3], "adding")) == 6
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""
