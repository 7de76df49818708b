"""Common parts of the benchmarks: interleaved times, ratios with their spread, peak memory.

A ratio is taken between runs of one process that follow each other, so that a slower
machine, or a busier one, slows both. Memory is the peak resident size of a process of
its own, as the operating system reports it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.records import Ratio

Times = dict[str, np.ndarray]


def interleaved(
    ways: Mapping[str, Callable[[], object]], runs: int = 5, warm: bool = True
) -> Times:
    """Seconds of every way, run in turn `runs` times, after one unmeasured run each."""
    if warm:
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(
    slow: np.ndarray,
    fast: np.ndarray,
    against: str,
    unit: str = "times as fast as",
    less_is_better: bool = False,
) -> Ratio:
    """How much faster `fast` is, run by run: median and spread.

    >>> print(ratio(np.array([2.0, 4.0, 3.0]), np.array([1.0, 1.0, 1.0]), "NumPy"))
    3.0 times as fast as NumPy (2.0-4.0 in 3 runs)
    """
    each = slow / fast
    spread = float(np.median(each)), float(each.min()), float(each.max())
    return Ratio(*spread, len(each), against, unit, less_is_better)


def peak_mib() -> float:
    """Peak resident MiB of this process since its start or since `forget_peak` (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Reset the peak of this process (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def in_process(module: str, *arguments: str) -> list[str]:
    """What ``python -m MODULE ARGUMENTS`` prints, run in a process of its own."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()
