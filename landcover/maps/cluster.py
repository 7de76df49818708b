"""A Dask cluster: how it is reached, waited for, and what goes wrong there in one line."""

from __future__ import annotations

import logging
import time
from asyncio import CancelledError
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from landcover.errors import LandcoverError, MissingDependency

if TYPE_CHECKING:
    from distributed import Client, Future

#: A scheduler that has not answered by then is taken not to be there.
CONNECT_S = 10
#: Without any worker for so long, a job gives up; what is done is kept.
PATIENCE_S = 60
#: How often it is looked whether workers came or went.
_LOOK_S = 2


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of a running Dask scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler, such as tcp://10.0.0.1:8786.

    Raises
    ------
    LandcoverError
        If dask.distributed is not installed here, no scheduler answers, or a worker has
        another version of landcover.
    """
    try:
        import distributed
    except ImportError:
        raise MissingDependency(
            f"scheduler={address} needs dask.distributed, which is not installed; "
            'install it with: pip install "landcover[cluster]"'
        ) from None
    # Lost connections reach the user as one line of ours
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise LandcoverError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}); start one with: "
            "dask scheduler, and workers with: dask worker ADDRESS"
        ) from None
    try:
        _require_same_package(client)
        yield client
    finally:
        client.close()


def _require_same_package(client: Client) -> None:
    """Raise LandcoverError if a worker has another landcover, or none."""
    from importlib import metadata

    own = metadata.version("landcover")
    for worker, held in client.run(metadata.version, "landcover", on_error="return").items():
        if held != own:
            there = f"landcover {held}" if isinstance(held, str) else "no landcover"
            raise LandcoverError(
                f"worker {worker} has {there} and this machine {own}; "
                "install the same version on all machines"
            )


def workers_of(client: Client) -> dict[str, dict[str, object]]:
    """What the scheduler knows of its workers at the moment, by their addresses."""
    # recent versions tell of five workers unless asked for all
    found: dict[str, dict[str, object]] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def takes_work(worker: Mapping[str, object]) -> bool:
    """Whether a worker begins what it is given; one with little memory left is "paused"."""
    return worker["status"] == "running"


class Patience:
    """Waits for tasks of a cluster, but not forever for its workers."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen = time.monotonic()

    def ended(self, running: Collection[Future]) -> list[Future]:
        """Tasks that have ended, in the order of submission; none after two seconds without.

        Raises
        ------
        LandcoverError
            If the cluster has had no worker for a minute.
        """
        import distributed

        try:
            if running:
                done = distributed.wait(list(running), _LOOK_S, "FIRST_COMPLETED").done
                self._seen = time.monotonic()
                return [task for task in running if task in done]
            time.sleep(min(_LOOK_S, 0.1))
        except TimeoutError:
            pass
        there = workers_of(self._client)
        # a worker that takes no more may still end what it has
        if there if running else any(map(takes_work, there.values())):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen >= PATIENCE_S:
            raise LandcoverError(
                f"the scheduler has had no worker for {PATIENCE_S} s, or none with memory left; "
                "start some with dask worker ADDRESS, and run the same command again to go on"
            )
        return []


@contextmanager
def plain_errors() -> Iterator[None]:
    """What goes wrong on a cluster, as one line.

    Raises
    ------
    LandcoverError
        In the place of whatever was raised inside.
    """
    import distributed

    try:
        yield
    except LandcoverError as error:  # a worker's, with the worker's traceback
        raise LandcoverError(str(error)) from None
    except distributed.KilledWorker as error:
        raise LandcoverError(
            f"workers died again and again at one window ({error.last_worker.address} last), "
            "perhaps for lack of memory; run the same command again with more memory a worker"
        ) from None
    except (Exception, CancelledError) as error:
        told = (str(error).splitlines() or [""])[0].rstrip(":")
        raise LandcoverError(
            f"the cluster failed ({type(error).__name__} {told}); see the logs of scheduler and "
            "workers, and run the same command again to go on"
        ) from None
