from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio.shutil
from hypothesis import given
from hypothesis import strategies as st

from landcover import stopwatch
from landcover.files import raster_writer, rasters
from landcover.stopwatch import describe, running, spent
from tests.conftest import utm_grid


class Clock:
    """Time that passes only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def pass_s(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "perf_counter", clock)
    return clock


def test_what_is_neither_reading_nor_writing_is_computing(clock):
    with running() as watch:
        clock.pass_s(2)
        with spent("reading"):
            clock.pass_s(1)
        with spent("writing"):
            clock.pass_s(4)
        clock.pass_s(1)
        assert watch.seconds == 8
        assert watch.shares() == {"reading": 0.125, "computing": 0.375, "writing": 0.5}


def test_nested_time_belongs_to_the_outer_activity(clock):
    with running() as watch:
        with spent("writing"):
            clock.pass_s(1)
            with spent("reading"):
                clock.pass_s(2)
            clock.pass_s(1)
        assert watch.shares() == {"reading": 0, "computing": 0, "writing": 1}


def test_another_thread_counts_only_while_it_is_waited_for(clock):
    def read_ahead():
        with spent("reading"):
            clock.pass_s(5)

    with running() as watch, ThreadPoolExecutor(1) as pool:
        pool.submit(read_ahead).result()
        assert watch.shares()["reading"] == 0
        with spent("reading"):
            pool.submit(read_ahead).result()
        assert watch.shares() == {"reading": 0.5, "computing": 0.5, "writing": 0}


def test_threads_at_once_do_not_count_twice():
    """Real time, and all threads inside at once."""
    together = threading.Barrier(5)

    def read():
        with spent("reading"):
            together.wait(10)

    with running() as watch:
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        with spent("reading"):
            together.wait(10)
        for thread in threads:
            thread.join()
        shares = watch.shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in shares.values())


def test_an_error_ends_what_it_breaks_off(clock):
    with running() as watch:
        with pytest.raises(OSError), spent("writing"):
            clock.pass_s(1)
            raise OSError
        with spent("reading"):
            clock.pass_s(3)
        assert watch.shares() == {"reading": 0.75, "computing": 0, "writing": 0.25}


def test_without_a_watch_nothing_is_counted_and_watches_do_not_mix(clock):
    with spent("reading"):
        clock.pass_s(1)
    with running() as outer:
        with running() as inner, spent("writing"):
            clock.pass_s(1)
        with spent("reading"):
            clock.pass_s(1)
        assert inner.shares()["reading"] == 0
        assert outer.shares() == {"reading": 0.5, "computing": 0.5, "writing": 0}


@given(
    st.lists(
        st.tuples(st.sampled_from(["reading", "writing", "computing"]), st.integers(1, 100)),
        min_size=1,
    )
)
def test_shares_are_the_parts_of_any_history(history):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(stopwatch.time, "perf_counter", clock)
        with running() as watch:
            for activity, seconds in history:
                if activity == "computing":
                    clock.pass_s(seconds)
                    continue
                with spent(activity):
                    clock.pass_s(seconds)
            shares = watch.shares()
    whole = sum(seconds for _, seconds in history)
    for activity in ("reading", "computing", "writing"):
        part = sum(seconds for name, seconds in history if name == activity)
        assert shares[activity] == pytest.approx(part / whole, abs=1e-9)


def test_rasters_are_read_and_written_on_the_watch(tmp_path, clock, monkeypatch):
    """Every call into GDAL takes a second of the clock's time."""
    grid = utm_grid(40, 50)
    dataset_of = rasterio.open
    copy = rasterio.shutil.copy

    def slow_open(*arguments, **named):
        clock.pass_s(1)
        return dataset_of(*arguments, **named)

    def slow_copy(*arguments, **named):
        clock.pass_s(1)
        return copy(*arguments, **named)

    monkeypatch.setattr(rasterio, "open", slow_open)
    monkeypatch.setattr(rasterio.shutil, "copy", slow_copy)
    with running() as watch:
        # opened for writing, converted, opened once more to be checked
        raster_writer.write(tmp_path / "a.tif", np.ones(grid.shape, np.uint8), grid, ["a"])
        clock.pass_s(3)
        rasters.read(tmp_path / "a.tif")
        rasters.read_small(tmp_path / "a.tif")
        assert watch.shares() == {"reading": 0.25, "computing": 0.375, "writing": 0.375}


def test_shares_in_words():
    shares = {"reading": 0.104, "computing": 0.896, "writing": 0.0}
    assert describe(shares) == "reading 10 %, computing 90 %, writing 0 %"
