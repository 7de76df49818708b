"""Shares of a command's wall time: reading, computing, writing.

Time is that of the thread that runs the command. What other threads read or write while
that thread computes costs no wall time and is not counted. Where it waits for them, it names
what it waits for: ``with spent("reading"): image = pending.result()``. So the parts never
add up to more than the whole, whatever the number of threads; computing is the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Activity = Literal["reading", "writing"]


class Stopwatch:
    """Seconds that one thread has spent since the watch was made.

    Examples
    --------
    >>> with running() as watch:
    ...     with spent("reading"):
    ...         pass
    >>> round(sum(watch.shares().values()), 9)
    1.0
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._started = time.perf_counter()
        self._busy = False
        self._spent: dict[str, float] = {"reading": 0.0, "writing": 0.0}

    @property
    def seconds(self) -> float:
        """Wall time since the start, s."""
        return time.perf_counter() - self._started

    def shares(self) -> dict[str, float]:
        """Shares of the wall time so far: reading, computing and writing; they sum to 1."""
        seconds = max(self.seconds, 1e-9)
        reading, writing = (part / seconds for part in self._spent.values())
        return {"reading": reading, "computing": 1 - reading - writing, "writing": writing}

    @contextmanager
    def _count(self, activity: Activity) -> Iterator[None]:
        """Count what happens inside, unless it is counted already or another thread's."""
        if self._busy or threading.get_ident() != self._thread:
            yield
            return
        self._busy, started = True, time.perf_counter()
        try:
            yield
        finally:
            self._busy = False
            self._spent[activity] += time.perf_counter() - started


_watch: Stopwatch | None = None


@contextmanager
def running() -> Iterator[Stopwatch]:
    """A watch that `spent` reports to; the thread that starts it is the one it counts."""
    global _watch
    earlier, _watch = _watch, Stopwatch()
    try:
        yield _watch
    finally:
        _watch = earlier


@contextmanager
def spent(activity: Activity) -> Iterator[None]:
    """Count what happens inside as reading or writing.

    Nested in another `spent`, it belongs to the outer one: reading a product back to check
    it is part of writing it. Without a running watch nothing is counted.

    Parameters
    ----------
    activity : {"reading", "writing"}
        What the time is spent on.
    """
    if _watch is None:
        yield
        return
    with _watch._count(activity):
        yield


def describe(shares: dict[str, float]) -> str:
    """Shares in words, in whole percent.

    >>> describe({"reading": 0.125, "computing": 0.75, "writing": 0.125})
    'reading 12 %, computing 75 %, writing 12 %'
    """
    return ", ".join(f"{activity} {100 * share:.0f} %" for activity, share in shares.items())
