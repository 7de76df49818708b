"""The schedule of benchmarks.schedule: cases of which the answer is known."""

from __future__ import annotations

import json
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from shapely import Point, box

from benchmarks import results, scale_page, schedule
from benchmarks.count_tiles import count_tiles
from benchmarks.simulation import Cluster, Stage, simulate

PREPARE = Stage("prepare", 90, 500)
MAP = Stage("map", 210, 400, goes_on=True)
BOTH = [PREPARE, MAP]


def seconds(stages, n_tiles, machines, seed=0, **cluster):
    return simulate(stages, n_tiles, Cluster(machines, **cluster), seed).seconds


def test_one_machine_takes_the_sum():
    assert seconds(BOTH, 7, 1) == pytest.approx(7 * 300)
    # a slow link and the start add to it
    assert seconds(BOTH, 7, 1, link_mb_s=100, start_s=60) == pytest.approx(60 + 7 * (300 + 9))


def test_machines_share_equal_tiles_in_rounds():
    for machines in (2, 3, 7, 10):
        assert seconds(BOTH, 20, machines) == pytest.approx(300 * ceil(20 / machines))


def test_very_many_machines_take_as_long_as_the_longest_tile():
    alone = [seconds(BOTH, n, 1, tile_spread=0.4) for n in range(1, 41)]
    # tiles are the same for any number of machines; one machine adds one after the other
    longest = max(b - a for a, b in zip([0.0, *alone], alone, strict=False))
    for machines in (40, 200):
        assert seconds(BOTH, 40, machines, tile_spread=0.4) == pytest.approx(longest)


@pytest.mark.parametrize("machines", [1, 4, 100])
def test_reading_alone_takes_bytes_by_rate(machines):
    read = [Stage("prepare", 0, 500), Stage("map", 0, 400)]
    assert seconds(read, 60, machines, store_mb_s=50) == pytest.approx(60 * 900 / 50)
    one_link = seconds(read, 60, machines, store_mb_s=1e9, link_mb_s=50)
    assert one_link == pytest.approx(ceil(60 / machines) * 900 / 50)


@pytest.mark.parametrize("store_mb_s", [5, 50, 1e9])
@pytest.mark.parametrize("n_tiles", [1, 17, 60])
def test_more_machines_are_never_slower(n_tiles, store_mb_s):
    took = [seconds(BOTH, n_tiles, m, store_mb_s=store_mb_s, start_s=30) for m in range(1, 70)]
    assert all(more <= fewer + 1e-6 for fewer, more in pairwise(took))
    # and never faster than the store, or than one tile
    assert min(took) >= max(n_tiles * 900 / store_mb_s, 300)


def test_a_store_that_is_too_slow_sets_the_time_however_many_machines():
    assert seconds(BOTH, 60, 60, store_mb_s=9) == pytest.approx(60 * 100 + 300, rel=0.1)


def test_equal_seeds_give_equal_results_and_others_do_not():
    cluster = Cluster(10, 60, 100, 50, 0.2, 0.3, 0.5)
    first, again, other = (simulate(BOTH, 50, cluster, seed) for seed in (3, 3, 4))
    assert first == again != other


def test_the_spread_is_that_which_is_asked_for():
    """A machine's time for a tile is lognormal, so the median of many tiles is the usual time."""
    took = [seconds([Stage("map", 300)], 1, 1, seed, tile_spread=0.3) for seed in range(2000)]
    assert np.median(took) == pytest.approx(300, rel=0.03)
    assert np.std(np.log(took)) == pytest.approx(0.3, rel=0.1)
    # a slow machine is slow for all of its tiles
    slow = [seconds([Stage("map", 300)], 5, 1, seed, machine_spread=0.3) / 5 for seed in range(500)]
    assert np.std(np.log(slow)) == pytest.approx(0.3, rel=0.1)


def test_a_lost_machine_costs_its_stage_unless_that_goes_on():
    """By the memoryless law of losses, a stage that begins again takes (exp(rate t) - 1) / rate."""
    cluster = Cluster(1, lost_per_hour=6)
    again = [simulate([Stage("prepare", 300)], 1, cluster, seed) for seed in range(3000)]
    expected = (np.exp(6 * 300 / 3600) - 1) / (6 / 3600)
    assert np.mean([o.seconds for o in again]) == pytest.approx(expected, rel=0.03)
    assert np.mean([o.lost for o in again]) == pytest.approx(np.exp(0.5) - 1, rel=0.1)
    goes_on = [simulate([Stage("map", 300, goes_on=True)], 1, cluster, s) for s in range(100)]
    assert {round(o.seconds, 6) for o in goes_on} == {300.0} and any(o.lost for o in goes_on)
    # and the machine is away for its start
    slow = Cluster(1, start_s=100, lost_per_hour=6)
    for seed in range(50):
        outcome = simulate([Stage("map", 300, goes_on=True)], 1, slow, seed)
        assert outcome.seconds == pytest.approx(100 + 300 + 100 * outcome.lost)


def test_the_table_counts_machines_memory_storage_and_money(capsys, tmp_path):
    costs = {
        "command": "none",
        "machine": {"processor": "a", "cores": 2},
        "stages": {"prepare": {"seconds": 600, "gib": 2}, "map, x": {"seconds": 3000, "gib": 3}},
        "megabytes": {
            "product": 1000, "scene": 500, "map": 100, "confidence": 300, "applicability": 100,
            "parts": 500,
        },
    }  # fmt: skip
    path = tmp_path / "costs.json"
    path.write_text(json.dumps(costs))
    plain = "--start 0 --store inf --link inf --machine-spread 0 --tile-spread 0 --lost 0"
    argv = f"--costs {path} --model x --tiles 10 --machines 4 --seeds 2 {plain}"
    money = "--price 2 --storage-price 0.5 --months 3"
    schedule.main(f"{argv} {money}".split())
    header, _, cells = capsys.readouterr().out.splitlines()[-3:]
    names, values = ([c.strip() for c in line.strip("|").split("|")] for line in (header, cells))
    found = dict(zip(names, values, strict=True))
    assert found == {
        "tiles": "10", "machines": "4", "hours": "3.00", "5-95 %": "3.00-3.00",
        "machine-hours": "12", "idle": "17 %", "lost": "0", "memory, GiB": "12",
        "kept, GB": "10", "machines cost": "24.00", "storage costs": "15.00",
        "a tile costs": "3.900",
    }  # fmt: skip


def test_the_costs_are_those_of_the_last_whole_tile():
    costs, rows = schedule.known_costs(), results.tile_stages()
    for model, factor in schedule.GUEST.items():
        prepare, mapping = schedule.stages_of(costs, model)
        assert prepare.seconds == rows["prepare"].value
        assert mapping.seconds == pytest.approx(factor * rows[f"map, {model}"].value)
        memory = max(rows[name].memory_mib for name in ("prepare", f"map, {model}"))
        assert schedule.peak_gib(costs, model) == pytest.approx(memory / 1024)
        assert prepare.megabytes + mapping.megabytes > 2 * schedule.MEGABYTES["scene"]


def test_the_tables_of_the_page_are_those_that_its_commands_print():
    page = scale_page.PAGE.read_text("utf-8")
    assert len(scale_page.SHOWN.findall(page)) >= 4
    assert scale_page.with_tables(page) == page, "python -m benchmarks.scale_page writes them again"


@pytest.mark.parametrize(
    ("outline", "n_tiles"),
    [
        # squares of zone 33 that begin at 300, 400, 500 km east and 5,800 km north
        (Point(13.0, 52.6).buffer(0.01), 1),
        # 15 degrees east is 500 km east, where two squares meet
        (Point(15.0, 52.6).buffer(0.01), 2),
        # at 18 degrees zone 33 ends: one of its squares and one of zone 34
        (Point(18.0, 52.6).buffer(0.01), 2),
        # the equator and a middle of a zone: four squares, two of them of the south
        (Point(15.0, 0.0).buffer(0.01), 4),
        # a zone from its middle to its end at the equator is 334 km wide: 4 columns of 2 rows
        (box(15.01, 0.1, 17.99, 1.7), 8),
    ],
)
def test_tiles_that_an_outline_touches_are_counted(outline, n_tiles):
    assert count_tiles(outline) == n_tiles
