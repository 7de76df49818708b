"""What is worked on in turn, read one ahead: the next is read while one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from landcover.stopwatch import spent

Item = TypeVar("Item")
Found = TypeVar("Found")


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
    with ThreadPoolExecutor(1) as reader:
        waiting: deque[tuple[Item, Future[Found]]] = deque()
        for item in items:
            waiting.append((item, reader.submit(read, item)))
            if len(waiting) > 1:
                yield _next(waiting)
        while waiting:
            yield _next(waiting)


def _next(waiting: deque[tuple[Item, Future[Found]]]) -> tuple[Item, Found]:
    """The item that waits longest, when it is read."""
    item, found = waiting.popleft()
    with spent("reading"):
        return item, found.result()
