"""Many tiles on many machines: hours, memory, storage and money, from what one tile costs.

    python -m benchmarks.schedule                          # 60 and 1,100 tiles, 1 to 100 machines
    python -m benchmarks.schedule --store 200 --lost 0.05  # a slow store, machines that are lost
    python -m benchmarks.schedule --of-a-tile              # what one costs

Seconds and memory of a tile are those of the last `landcover bench tile` in results.json, or of
--costs FILE. Prices, spread, losses and rates are assumptions, each with an option.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results
from benchmarks.records import Row
from benchmarks.simulation import Cluster, Outcome, Stage, simulate

#: Files of a tile, MB: 16 times what benchmarks.tile_cost --size 2745 prints; map and confidence
#: are those of drawn land, which packs less well than its smooth product.
MEGABYTES = {
    "product": 510, "scene": 1424, "map": 28, "confidence": 91, "applicability": 133, "parts": 603,
}  # fmt: skip
#: A model of another run also says where the scene is unlike what it learnt: how many times as
#: long a map takes then, as benchmarks.applicability found.
GUEST = {"forest": 1.1, "7x7 CNN": 1.8}
#: The files of a tile that are kept.
KEPT = ("scene", "map", "confidence", "applicability")
HEADINGS = (
    "tiles", "machines", "hours", "5-95 %", "machine-hours", "idle", "lost", "memory, GiB",
    "kept, GB", "machines cost", "storage costs", "a tile costs",
)  # fmt: skip


@dataclass(frozen=True)
class Prices:
    """What is paid, in one currency."""

    machine_hour: float
    gb_month: float
    months: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what a tile costs, or a table row for every number of tiles and of machines."""
    a = _parser().parse_args(arguments)
    costs = json.loads(a.costs.read_text("utf-8")) if a.costs else known_costs()
    on = costs["machine"]
    print(f"measured on {on['processor']}, {on['cores']} cores, by: {costs['command']}\n")
    print("\n".join(cost_table(costs) if a.of_a_tile else schedule_table(costs, a)))


def known_costs() -> dict[str, Any]:
    """What a tile costs by the file of results.

    Raises
    ------
    LandcoverError
        If it holds no whole tile.
    """
    rows = results.tile_stages()
    measured = results.latest(results.read(), results.TILE)
    assert measured is not None  # noqa: S101 - its rows are there
    times = {"prepare": 1.0} | {f"map, {model}": factor for model, factor in GUEST.items()}
    stages = {
        name: {"seconds": (rows[name].value or 0) * factor, "gib": _gib(rows[name])}
        for name, factor in times.items()
    }
    command, machine = f"{measured.command}, {measured.date}", measured.machine
    return {"command": command, "machine": machine, "stages": stages, "megabytes": MEGABYTES}


def _gib(row: Row) -> float:
    return (row.memory_mib or 0) / 1024


def cost_table(costs: Mapping[str, Any]) -> list[str]:
    """The lines of a table of what one tile costs."""
    lines = ["| of a tile | time | peak memory | through the store |", "|---|--:|--:|--:|"]
    for model in (name.partition(", ")[2] for name in costs["stages"] if ", " in name):
        stages = stages_of(costs, model)
        for stage, name in zip(stages, ("prepare", f"map, {model}"), strict=True):
            line = f"| {name} | {stage.seconds:.0f} s | {costs['stages'][name]['gib']:.1f} GiB "
            line += f"| {stage.megabytes:,.0f} MB |"
            if line not in lines:
                lines.append(line)
    lines += ["", "| file of a tile | MB |", "|---|--:|"]
    return lines + [f"| {name} | {mb:,.0f} |" for name, mb in costs["megabytes"].items()]


def schedule_table(costs: Mapping[str, Any], a: argparse.Namespace) -> list[str]:
    """The lines of a table of hours, memory, storage and money."""
    stages = stages_of(costs, a.model)
    prices = Prices(a.price, a.storage_price, a.months)
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'--:|' * len(HEADINGS)}"]
    for n_tiles in a.tiles:
        for machines in a.machines:
            cluster = Cluster(
                machines, a.start, a.store, a.link, a.machine_spread, a.tile_spread, a.lost
            )
            outcomes = [simulate(stages, n_tiles, cluster, seed) for seed in range(a.seeds)]
            cells = row(outcomes, n_tiles, cluster, costs, a.model, prices)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def stages_of(costs: Mapping[str, Any], model: str) -> list[Stage]:
    """The stages of a product on a worker, as they were measured; what is written moves, too."""
    stages, mb = costs["stages"], costs["megabytes"]
    made = mb["map"] + mb["confidence"] + mb["applicability"]
    mapped = mb["scene"] + 2 * mb["parts"] + made  # parts are written and read again
    return [
        Stage("prepare", stages["prepare"]["seconds"], mb["product"] + mb["scene"]),
        Stage("map", _mapping(costs, model)["seconds"], mapped, goes_on=True),
    ]


def row(
    outcomes: Sequence[Outcome],
    n_tiles: int,
    cluster: Cluster,
    costs: Mapping[str, Any],
    model: str,
    prices: Prices,
) -> list[str]:
    """The cells of a table: medians of outcomes, and what follows from them."""
    hours = np.array([outcome.seconds for outcome in outcomes]) / 3600
    busy = np.array([outcome.busy_s for outcome in outcomes]) / 3600
    machine_hours = hours * cluster.machines
    low, high = np.percentile(hours, [5, 95])
    kept_gb = n_tiles * sum(costs["megabytes"][name] for name in KEPT) / 1000
    computing = float(np.median(machine_hours)) * prices.machine_hour
    storage = kept_gb * prices.gb_month * prices.months
    return [
        f"{n_tiles:,}",
        f"{cluster.machines}",
        f"{np.median(hours):.2f}",
        f"{low:.2f}-{high:.2f}",
        f"{np.median(machine_hours):.0f}",
        f"{100 * np.median(1 - busy / machine_hours):.0f} %",
        f"{np.median([outcome.lost for outcome in outcomes]):.0f}",
        f"{cluster.machines * peak_gib(costs, model):.0f}",
        f"{kept_gb:.0f}",
        f"{computing:.2f}",
        f"{storage:.2f}",
        f"{(computing + storage) / n_tiles:.3f}",
    ]


def peak_gib(costs: Mapping[str, Any], model: str) -> float:
    """What a machine needs at most: its stages follow one another."""
    return max(costs["stages"]["prepare"]["gib"], _mapping(costs, model)["gib"])


def _mapping(costs: Mapping[str, Any], model: str) -> Mapping[str, float]:
    found: Mapping[str, float] = costs["stages"][f"map, {model}"]
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--of-a-tile", action="store_true", help="print what one tile costs")
    add("--tiles", type=int, nargs="+", default=[60, 1100])
    add("--machines", type=int, nargs="+", default=[1, 10, 30, 100])
    add("--model", default="forest", help="which mapping of the costs")
    add("--costs", type=Path, metavar="FILE", help="what benchmarks.tile_cost wrote")
    add("--start", type=float, default=180, help="seconds until a machine works")
    add("--store", type=float, default=1000, help="MB/s of the store, for all machines together")
    add("--link", type=float, default=100, help="MB/s that reach one machine")
    add("--machine-spread", type=float, default=0.1, help="of the log of machines' times")
    add("--tile-spread", type=float, default=0.2, help="of the log of tiles' times")
    add("--lost", type=float, default=0.01, help="machines lost, per hour of one at work")
    add("--seeds", type=int, default=11, help="runs, of which the median is shown")
    add("--price", type=float, default=0.1, help="of a machine-hour")
    add("--storage-price", type=float, default=0.025, help="of a GB and month")
    add("--months", type=float, default=1, help="for which products are kept")
    return parser


if __name__ == "__main__":
    main()
