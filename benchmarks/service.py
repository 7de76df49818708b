"""The service under load: clients that send requests at the same time for a minute.

The server is `landcover serve` in a process of its own. Every client classifies squares of
64 x 64 pixels and, after each, looks at a tile of the map, as the page does. Without a run of
your own one is made: the synthetic scene of the demo, and EuroSAT's compact network with weights
drawn at random, which take the same time as learnt ones.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks.records import Cell, Row
from benchmarks.report import options, report

_SHARES = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
_SIDE_PX = 64


def main() -> None:
    """Start the service and send requests for a while."""
    parser = options("service", __doc__)
    parser.add_argument("--run", type=Path, help="run folder; one is made by default")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    a = parser.parse_args()
    report(parser, a, rows(a))


def rows(a: argparse.Namespace) -> Iterator[Row]:
    """The rows of the service in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = a.run or make_run(Path(folder) / "run")
        with served(run) as (url, pid):
            yield from measure(url, pid, a.clients, a.seconds)


def make_run(path: Path) -> Path:
    """A run with the demo's scene and labels, and a compact network of random weights."""
    from landcover.classifiers import cards, networks
    from landcover.legend import Legend
    from landcover.run import Run
    from landcover.sensors import TRUE_COLOUR_BANDS

    landcover("prep", "--out", str(path))
    run, legend = Run(path), Legend.eurosat()
    networks.seed_everything(0)
    model = networks.build_image_network("compact", 3, len(legend), [0.1] * 3, [0.05] * 3)
    run.model("compact").mkdir(parents=True)
    networks.save(model, cards.file_of(run.model("compact"), "image"))
    cards.write_card(
        run.model("compact"), "image", legend, bands=list(TRUE_COLOUR_BANDS), features=[],
        segment_layers=[], patch_size=_SIDE_PX,
    )  # fmt: skip
    return path


def landcover(*arguments: str) -> None:
    """Run a command."""
    command = [sys.executable, "-m", "landcover.cli", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def served(run: Path) -> Iterator[tuple[str, int]]:
    """Address and process of `landcover serve`, until the block ends."""
    command = [sys.executable, "-m", "landcover.cli", "serve", str(run), "--port", "0"]
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield _address(server, log), server.pid
        finally:
            server.terminate()
            server.wait(30)


def _address(server: subprocess.Popen, log: io.TextIOBase) -> str:
    """Where the server listens, as soon as it says so."""
    while server.poll() is None:
        log.seek(0)
        found = re.search(r"^(http://\S+)/ ", log.read(), re.MULTILINE)
        if found:
            return found[1]
        time.sleep(0.1)
    log.seek(0)
    raise SystemExit(log.read())


def measure(url: str, pid: int, clients: int, seconds: float) -> Iterator[Row]:
    """Requests a second, latencies and failures of every request, and memory over the time."""
    squares = [encoded(seed) for seed in range(64)]
    asyncio.run(load(url, pid, squares, 2, 3))  # what is compiled at first use is compiled now
    seen, memory, took = asyncio.run(load(url, pid, squares, clients, seconds))
    for kind in ("POST /classify", "GET /tiles"):
        times = np.array([s for name, _, s in seen if name == kind])
        failed = sum(status != 200 for name, status, _ in seen if name == kind)
        more: dict[str, Cell] = {"requests": len(times)}
        for head, percent in _SHARES.items():
            more[f"{head}, ms"] = float(1000 * np.percentile(times, percent))
        more["failures"] = failed
        yield Row(f"{kind}, {clients} clients", len(times) / took, "a second", more=more)
    at = np.linspace(0, len(memory) - 1, 5).round().astype(int)
    over = {"resident over the time, MiB": ", ".join(f"{memory[i]:.0f}" for i in at)}
    yield Row(f"memory, {clients} clients", memory_mib=max(memory), more=over)


Seen = list[tuple[str, int, float]]
#: Name and content of an uploaded file, by the form's field.
Files = dict[str, tuple[str, bytes]]


async def load(
    url: str, pid: int, squares: list[bytes], clients: int, seconds: float
) -> tuple[Seen, list[float], float]:
    """What clients saw: (request, status, seconds); memory every half second; seconds in all."""
    seen: Seen = []
    memory = [resident_mib(pid)]
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        tile = await _tile(client)
        started = time.perf_counter()

        async def ask(kind: str, method: str, address: str, files: Files | None = None) -> None:
            begun = time.perf_counter()
            try:
                status = (await client.request(method, address, files=files)).status_code
            except httpx.HTTPError:
                status = 0
            seen.append((kind, status, time.perf_counter() - begun))

        async def person(number: int) -> None:
            turn = number
            while time.perf_counter() - started < seconds:
                square = squares[turn % len(squares)]
                await ask("POST /classify", "POST", "/classify", files={"file": ("a.jpg", square)})
                await ask("GET /tiles", "GET", tile)
                turn += 1

        async def watch() -> None:
            while time.perf_counter() - started < seconds:
                await asyncio.sleep(0.5)
                memory.append(resident_mib(pid))

        await asyncio.gather(watch(), *(person(number) for number in range(clients)))
    return seen, memory, time.perf_counter() - started


async def _tile(client: httpx.AsyncClient) -> str:
    """The address of a tile in the middle of the run's last layer."""
    import morecantile

    layer = (await client.get("/layers")).json()["layers"][-1]
    west, south, east, north = layer["bounds"]
    zoom = layer["max_zoom"] - 2
    middle = ((west + east) / 2, (south + north) / 2)
    tile = morecantile.tms.get("WebMercatorQuad").tile(*middle, zoom)
    return f"/tiles/{layer['name']}/{zoom}/{tile.x}/{tile.y}.png"


def encoded(seed: int) -> bytes:
    """A JPEG of smooth noise."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((_SIDE_PX, _SIDE_PX)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def resident_mib(pid: int) -> float:
    """Resident MiB of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
