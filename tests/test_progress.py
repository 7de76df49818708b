"""What a bar says when its work ends: whole, of unknown length, or early."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from landcover import progress


@pytest.fixture(autouse=True)
def shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", -1.0)
    monkeypatch.setenv("COLUMNS", "100")


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().err.splitlines() if line.strip()][-1]


def test_whole_work_is_counted_to_its_end(capsys):
    assert sum(progress.track([1, 2, 3], "adding")) == 6
    assert "adding" in (line := last_line(capsys)) and "3/3" in line


def test_the_end_of_unknown_work_is_its_length(capsys):
    def some() -> Iterator[int]:
        yield from (1, 2)

    assert sum(progress.track(some(), "joining")) == 3
    assert "2/2" in last_line(capsys)


def test_work_that_ends_early_says_so(capsys):
    items = progress.track(range(40), "training")
    for _ in range(10):
        next(items)
    items.close()
    line = last_line(capsys)
    assert "training, stopped early" in line and "9/40" in line
