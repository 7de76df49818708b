"""The simulation of benchmarks.schedule beside a real run on a local cluster.

    python -m benchmarks.schedule_check --run runs/demo --folder DIR

Products of one kind are prepared and mapped with the random forest of RUN by one worker, and again
by two; every worker has one core. What a product took with one worker goes into the simulation,
and what that says of two is printed beside what two took. Needs Linux and two cores.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.prepare_product import NAME, make_product
from benchmarks.simulation import Cluster, Stage, simulate

if TYPE_CHECKING:
    from distributed import Client


def main() -> None:
    """Print measured and simulated times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a run folder with a forest")
    parser.add_argument("--folder", type=Path, required=True, help="for products and maps")
    parser.add_argument("--size", type=int, default=549, help="side of a product in 10 m pixels")
    parser.add_argument("--products", type=int, default=6)
    a = parser.parse_args()
    make_product(a.folder, a.size)
    products = [a.folder / f"product-{number}.SAFE" for number in range(a.products)]
    for product in products:
        shutil.copytree(a.folder / NAME, product, dirs_exist_ok=True)
    one_s, each_s = measured(a.run, products, a.folder / "one", 1)
    print(f"one worker: {one_s:.1f} s, of which products {sum(each_s):.1f} s")
    # what is not in the seconds of a row: checksums, the model, the report
    around_s = (one_s - sum(each_s)) / len(products)
    stages = [Stage("product", sum(each_s) / len(products) + around_s)]
    expected_s = simulate(stages, len(products), Cluster(2)).seconds
    two_s, of_two_s = measured(a.run, products, a.folder / "two", 2)
    print(f"two workers: simulated {expected_s:.1f} s, measured {two_s:.1f} s")
    # two processes slow one another: caches, memory, and the client on the same cores
    slower = (sum(of_two_s) / len(products) + around_s) / stages[0].seconds
    print(f"beside another a product took {slower:.2f} times as long; with that the simulation")
    print(f"says {expected_s * slower:.1f} s")


def measured(
    run: Path, products: list[Path], out: Path, n_workers: int
) -> tuple[float, list[float]]:
    """Seconds of all products, and those of each, on so many workers of one core."""
    import distributed

    from landcover.classifiers.models import load_model
    from landcover.files.atomic import read_json
    from landcover.stages.map_products import map_products

    shutil.rmtree(out, ignore_errors=True)
    model = load_model(run / "models" / "random-forest")
    with (
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        warm(client, run, products[0], out.with_name("warm"))
        started = time.perf_counter()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            map_products(model, products, out, client=client)
        seconds = time.perf_counter() - started
    rows = read_json(out / "report.json")["products"]
    return seconds, [sum(row["seconds"].values()) for row in rows]


def warm(client: Client, run: Path, product: Path, out: Path) -> None:
    """Give every worker a core, and let it load its libraries at a product of its own."""
    for number, worker in enumerate(client.nthreads()):
        client.run(pin, number, workers=[worker])
        client.submit(once, run, product, out / str(number), workers=[worker]).result()
    shutil.rmtree(out)


def pin(core: int) -> None:
    """Bind this process to a core."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def once(run: Path, product: Path, out: Path) -> None:
    """Map a product in this process."""
    from landcover.classifiers.models import load_model
    from landcover.stages.map_products import map_products

    map_products(load_model(run / "models" / "random-forest"), [product], out)


if __name__ == "__main__":
    main()
