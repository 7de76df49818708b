"""Parts of a scene in turn, with those to come read, or worked on, at the same time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from landcover.stopwatch import spent

Item = TypeVar("Item")
Found = TypeVar("Found")

#: Items worked on at once, at most, and what they take together where that is more than one does.
MOST_THREADS, _TOGETHER_BYTES = 4, 2**30


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Found]
) -> Iterator[tuple[Item, Found]]:
    """Items, and what is read of each in a thread of its own, one ahead.

    Two of what is read are held at once. An error of reading is raised where its item would come.

    Parameters
    ----------
    items : iterable
        Such as windows.
    read : callable
        Of an item; called in order, never twice at the same time.

    Examples
    --------
    >>> list(read_ahead([2, 3], lambda number: number**2))
    [(2, 4), (3, 9)]
    """
    with closing(_at_work(read, items, threads=1)) as reads:
        for item, found in reads:
            with spent("reading"):
                held = found.result()
            yield item, held


def ahead(
    work: Callable[[Item], Found], items: Iterable[Item], item_bytes: int = 0
) -> Iterator[Found]:
    """What work makes of items, in their order; some are worked on at once, in threads.

    So no core waits while a part is read, or while one thread does what cannot be shared.

    Parameters
    ----------
    work : callable
        Called by several threads at once. What it makes of an item must not depend on others.
    items : iterable
        Such as windows; as many as there are threads are held beside the one that is given.
    item_bytes : int
        What work on an item takes: so many are worked on as take 1 GiB together, one at least.

    Examples
    --------
    >>> list(ahead(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    threads = max(1, min(_cores(), MOST_THREADS, _TOGETHER_BYTES // max(1, item_bytes)))
    with closing(_at_work(work, items, threads)) as parts:
        for _, found in parts:
            yield found.result()


def _at_work(
    work: Callable[[Item], Found], items: Iterable[Item], threads: int
) -> Generator[tuple[Item, Future[Found]], None, None]:
    """Items in their order, each with what comes of it; as many as threads are given ahead."""
    waiting: deque[tuple[Item, Future[Found]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > threads:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
