"""Progress for the user: bars for work that takes over two seconds, and single lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable, Sized
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Item = TypeVar("Item")

#: Work shorter than this shows no bar.
PATIENCE_S = 2.0


def track(
    items: Iterable[Item], description: str, total: int | None = None
) -> Generator[Item, None, None]:
    """Yield `items` and show a bar on standard error once two seconds have passed.

    Parameters
    ----------
    items : iterable
        Items to iterate over.
    description : str
        What is being done, for the user.
    total : int, optional
        Number of items; taken from ``len(items)`` where it has one.

    Examples
    --------
    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    started = time.monotonic()
    bar, done, ended = None, 0, False
    try:
        for item in items:
            if bar is None and time.monotonic() - started > PATIENCE_S:
                bar, task = _start(description, total, done)
            yield item
            done += 1
            if bar is not None:
                bar.update(task, completed=done)
        ended = True
    finally:
        if bar is not None:
            if not ended:
                bar.update(task, description=f"{description}, stopped early")
            elif total is None:
                bar.update(task, total=done)
            bar.stop()


def say(line: str) -> None:
    """Print a line for the user on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _start(description: str, total: int | None, done: int) -> tuple[Progress, TaskID]:
    """A running bar; rich is imported here because most calls never need it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task(description, total=total, completed=done)
    bar.start()
    return bar, task
