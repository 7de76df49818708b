"""Progress for the user: a bar on a terminal, lines elsewhere, and what a long step will take."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Generator, Iterable, Sized
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")

#: Work shorter than this shows nothing.
PATIENCE_S = 2.0
#: A step that is expected to take longer says so.
LONG_S = 60.0
#: Of a step, a line follows another one no sooner than this, and no later.
LINES_S = (5.0, 60.0)
#: Between the two, a line follows another one after this share of the work.
LINES_SHARE = 0.1
#: The first item alone says how long the others take only where it took as long as this: it often
#: holds what is done once.
FIRST_S = 10.0


def track(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    *,
    may_end_early: bool = False,
) -> Generator[Item, None, None]:
    """Yield `items`, and show on standard error how far they are once two seconds have passed.

    A terminal gets a bar. Anything else, such as a log, gets lines at rare intervals:
    ``mapping with random-forest: 40 %, 12 s, about 18 s left``, up to ``100 %`` at the end.

    Parameters
    ----------
    items : iterable
        Items to iterate over.
    description : str
        What is being done, for the user.
    total : int, optional
        Number of items; taken from ``len(items)`` where it has one.
    may_end_early : bool
        Whether the work often ends before its last item, as training does.

    Examples
    --------
    >>> sum(track([1, 2, 3], "adding"))
    6
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    step, ended = _Step(description, total, may_end_early), False
    try:
        for item in items:
            yield item
            step.advance()
        ended = True
    finally:
        step.end(ended)


def say(line: str) -> None:
    """Print a line for the user on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def duration(seconds: float) -> str:
    """Seconds in words, as exact as people need it.

    Examples
    --------
    >>> duration(12.4), duration(200), duration(3900)
    ('12 s', '3 min 20 s', '1 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


class _Step:
    """One step of the work: counts, and shows itself once the user's patience is over.

    A timer sees to that while the first item takes long; the lock keeps it and the work apart.
    """

    def __init__(self, description: str, total: int | None, may_end_early: bool) -> None:
        self.description, self.total = description, total
        self._most = "at most " if may_end_early else ""
        self._started = time.monotonic()
        self._first_s: float | None = None
        self._done, self._said = 0, False
        self._shown: _Bar | _Lines | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(0.0, PATIENCE_S), self._show)
        self._timer.daemon = True
        self._timer.start()

    def advance(self) -> None:
        """Count one more item as done."""
        with self._lock:
            self._done += 1
            if self._first_s is None:
                self._first_s = self._seconds()
            if self._shown is None and self._seconds() > PATIENCE_S:
                self._begin()
            if self._shown is not None:
                self._say_if_long()
                self._shown.update(self._done, self._seconds(), self._left())

    def end(self, whole: bool) -> None:
        """Show how the step ended, if it was shown at all."""
        self._timer.cancel()
        with self._lock:
            if self._shown is not None:
                self._shown.end(self._done, self._seconds(), whole)

    def _show(self) -> None:
        with self._lock:
            if self._shown is None and not self._timer.finished.is_set():
                self._begin()

    def _begin(self) -> None:
        view = _Bar if _on_terminal() else _Lines
        self._shown = view(self.description, self.total)
        self._say_if_long()
        self._shown.update(self._done, self._seconds(), self._left())

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _left(self) -> float | None:
        """Seconds that the rest takes at the rate so far; None where that is not known yet."""
        if not self.total or self._first_s is None:
            return None
        rest = max(0, self.total - self._done)
        if self._done == 1:
            return self._first_s * rest if self._first_s >= FIRST_S else None
        return (self._seconds() - self._first_s) / (self._done - 1) * rest

    def _say_if_long(self) -> None:
        """Once, say how long the step takes if that is long."""
        left = self._left()
        if left is None or self._said:
            return
        self._said, whole = True, self._seconds() + left
        if whole > LONG_S and self._shown is not None:
            self._shown.say(
                f"{self.description}: expected to take {self._most}about {duration(whole)}"
            )


class _Lines:
    """Lines for what is no terminal."""

    def __init__(self, description: str, total: int | None) -> None:
        self._description, self._total = description, total
        self._at: float | None = None
        self._share = 0.0

    def update(self, done: int, seconds: float, left: float | None) -> None:
        """Print a line, unless one has just been printed, or the last one comes soon."""
        share = done / self._total if self._total else 0.0
        if self._total and done >= self._total:
            return
        if self._at is not None:
            waited, grown = seconds - self._at, share - self._share
            if waited < LINES_S[0] or (waited < LINES_S[1] and grown < LINES_SHARE):
                return
        self._at, self._share = seconds, share
        far = f"{int(100 * share)} %" if self._total else f"{done} done"
        rest = "" if left is None else f", about {duration(left)} left"
        self.say(f"{self._description}: {far}, {duration(seconds)}{rest}")

    def say(self, line: str) -> None:
        """Print a line."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self, done: int, seconds: float, whole: bool) -> None:
        """Print the last line."""
        if whole:
            self.say(f"{self._description}: 100 %, {duration(seconds)}")
            return
        far = f"{100 * done // self._total} %" if self._total else f"{done} done"
        self.say(f"{self._description}, stopped early: {far}, {duration(seconds)}")


class _Bar:
    """A bar for a terminal; rich is imported here because most calls never need it."""

    def __init__(self, description: str, total: int | None) -> None:
        self._description, self._total = description, total
        self._bar = _rich_bar()
        self._task = self._bar.add_task(description, total=total)
        self._bar.start()

    def update(self, done: int, _seconds: float, _left: float | None) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(line, markup=False, highlight=False)

    def end(self, done: int, _seconds: float, whole: bool) -> None:
        """Leave the bar as it ended."""
        if not whole:
            self._bar.update(self._task, description=f"{self._description}, stopped early")
        elif self._total is None:
            self._bar.update(self._task, total=done)
        self._bar.stop()


def _on_terminal() -> bool:
    """Whether standard error is where bars can move."""
    return sys.stderr.isatty()


def _rich_bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),  # what goes into a file is no part of the screen
    )
