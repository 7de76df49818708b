"""Whole tasks on a Dask cluster: a worker does one at a time.

A task takes minutes and all cores of its machine, so it is given to a worker that has none. Dask
itself would put two of them on one worker while another one waits: it places tasks by how long
earlier ones took. So each task is bound to its worker here, and one whose worker is gone is
given to the next that is free.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from landcover.errors import LandcoverError
from landcover.maps.cluster import Patience, plain_errors, takes_work, workers_of

if TYPE_CHECKING:
    from distributed import Client, Future

Task = TypeVar("Task")

#: A task during which so many workers died is not tried again.
DEATHS = 3
#: A result, which is small, comes within this time if its worker still lives.
_FETCH_S = 30


def on_workers(
    client: Client, function: Callable[[Task], object], tasks: Mapping[int, Task]
) -> Generator[tuple[int, object], None, None]:
    """Results of numbered tasks, in the order in which workers finish them.

    Tasks that have not begun are cancelled when the caller stops asking.

    Parameters
    ----------
    client : distributed.Client
        From `connected`.
    function : callable
        What a worker does with a task; both must be picklable.
    tasks : mapping
        By numbers, in the order in which they begin.

    Yields
    ------
    (int, object)
        The number of a task and what the function returned; a LandcoverError where its workers
        died three times.

    Raises
    ------
    LandcoverError
        If the function raises anything, or no worker is left.
    """
    board, patience = _Board(client, tasks), Patience(client)
    with plain_errors():
        try:
            while board.unfinished:
                yield from board.given_up()
                board.assign(function)
                yield from board.results(patience.ended(board.running))
        finally:
            with suppress(Exception):
                client.cancel(list(board.running))


class _Board:
    """Which task is with which worker, which wait, and how many workers each has cost."""

    def __init__(self, client: Client, tasks: Mapping[int, Task]) -> None:
        self._client, self._tasks = client, tasks
        self._waiting = deque(tasks)
        self._deaths: Counter[int] = Counter()
        self.running: dict[Future, tuple[int, str]] = {}

    @property
    def unfinished(self) -> bool:
        """Whether a task is still to be done."""
        return bool(self._waiting or self.running)

    def assign(self, function: Callable[[Task], object]) -> None:
        """Give every worker that has none, and takes some, the next task."""
        busy = {worker for _, worker in self.running.values()}
        for worker, held in workers_of(self._client).items():
            if self._waiting and worker not in busy and takes_work(held):
                number = self._waiting.popleft()
                task = self._client.submit(
                    function, self._tasks[number], workers=[worker], pure=False
                )
                self.running[task] = number, worker

    def given_up(self) -> Iterator[tuple[int, LandcoverError]]:
        """Put tasks whose worker is gone first in the queue again; errors of those given up."""
        there = workers_of(self._client)
        for task, (number, worker) in list(self.running.items()):
            if worker in there or task.done():
                continue
            del self.running[task]
            self._client.cancel([task])
            self._deaths[number] += 1
            if self._deaths[number] < DEATHS:
                self._waiting.appendleft(number)
            else:
                yield number, _killed(worker)

    def results(self, tasks: Iterable[Future]) -> Iterator[tuple[int, object]]:
        """The numbers of tasks that have ended, and what they gave."""
        import distributed

        for task in tasks:
            number, worker = self.running[task]
            try:
                result: object = task.result(timeout=_FETCH_S)
            except TimeoutError:  # the worker died with the result: `given_up` will see to it
                continue
            except distributed.KilledWorker:  # it came again and again at one address
                result = _killed(worker)
            del self.running[task]
            task.release()  # else it would be done again, should the worker be lost later
            yield number, result


def _killed(worker: str) -> LandcoverError:
    return LandcoverError(
        f"workers died again and again at this product ({worker} last), perhaps for lack of "
        "memory; run the same command again with more memory a worker"
    )
