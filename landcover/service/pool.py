"""Threads for the work of requests, with a number of seats and a time limit for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fastapi import HTTPException

Result = TypeVar("Result")

#: Time after which a refused client may try again, s.
RETRY_AFTER_S = 1


class Pool:
    """Threads that requests share.

    A thread cannot be stopped. So a request whose time is up gets its answer, while its work keeps
    its seat until it ends. Abandoned work thus takes seats, and memory stays bounded.

    Parameters
    ----------
    name : str
        For the threads.
    threads : int
        How many work at once.
    waiting : int
        How many more may wait for them.
    timeout_s : float
        Longest time from the start of waiting to the result.
    """

    def __init__(self, name: str, threads: int, waiting: int, timeout_s: float) -> None:
        self.seats = threads + waiting
        self.taken = 0
        self.timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """A seat for as long as the request lasts.

        Raises
        ------
        HTTPException
            429 where all are taken.
        """
        if self.taken >= self.seats:
            raise HTTPException(
                429,
                f"{self.taken} requests are at work or waiting, the most there may be; "
                "try again in a moment",
                {"Retry-After": str(RETRY_AFTER_S)},
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    def until(self) -> float:
        """When a request that begins to wait now is given up, of `time.monotonic`."""
        return time.monotonic() + self.timeout_s

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, from a thread; to be called in a seat.

        Raises
        ------
        HTTPException
            503 where it takes too long, or gives up itself with a TimeoutError.
        """
        future = self._threads.submit(work)
        result = asyncio.wrap_future(future)
        try:
            return await asyncio.wait_for(asyncio.shield(result), self.timeout_s)
        except TimeoutError:
            if not future.cancel():
                self._keep_seat(future)
            # Read the exception of abandoned work, or asyncio logs that it was never retrieved
            result.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise HTTPException(
                503,
                f"the work took more than {self.timeout_s:g} s; try a smaller image, or later",
                {"Retry-After": str(RETRY_AFTER_S)},
            ) from None

    def _keep_seat(self, future: Future[Result]) -> None:
        """Count abandoned work until it ends."""
        loop = asyncio.get_running_loop()
        self.taken += 1

        def leave() -> None:
            self.taken -= 1

        def ended(_: Future[Result]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(leave)

        future.add_done_callback(ended)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
