"""The windows of a map on a Dask cluster.

Each worker loads the model once, reads its windows itself and sends their layers back; a
window whose worker died is given to another one by Dask. Scene and model are read by
workers at the paths that the client uses, and must be the same files.
"""

from __future__ import annotations

import itertools
import logging
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.protocol import Classifier
from landcover.errors import LandcoverError, MissingDependency
from landcover.files.atomic import digest, versions
from landcover.grid import Window
from landcover.maps.scene_tiles import Pixels, Source

if TYPE_CHECKING:
    from distributed import Client, Future

#: A scheduler that has not answered by then is taken not to be there.
CONNECT_S = 10
#: Without any worker for so long, a job gives up; what is done is kept.
PATIENCE_S = 60
#: Windows at work or waiting, per thread of the workers: enough to keep them all busy.
_AHEAD = 2


@dataclass(frozen=True)
class Workers:
    """A cluster, and what its workers need to predict.

    Attributes
    ----------
    client : distributed.Client
        From `connected`.
    load : callable
        Makes the classifier on a worker; must be picklable, so no lambda.
    scene : Path
        Absolute, the same on every machine.
    segment_types : Path or None
        As the scene.
    digests : dict
        SHA-256 by path of every file that workers read, model files included.
    backend : str, optional
        Keras' backend here, from `networks.backend_name`, where the model is a network.
    """

    client: Client
    load: Callable[[], Classifier]
    scene: Path
    segment_types: Path | None
    digests: Mapping[str, str]
    backend: str | None = None

    def predict(
        self, windows: Mapping[int, Window], layers: Sequence[str]
    ) -> Iterator[tuple[int, Pixels]]:
        """Layers of numbered windows, in the order in which workers finish them.

        Raises
        ------
        LandcoverError
            If a worker cannot read the files, has other versions or another backend of Keras,
            or fails, or none is left.
        """
        site = _Site(
            self.load,
            self.scene,
            self.segment_types,
            dict(self.digests),
            versions(),
            self.backend,
        )
        todo = iter(windows.items())
        running: dict[Future, int] = {}
        with _plain_errors():
            try:
                while True:
                    # more workers may have come, or some gone
                    room = _AHEAD * max(_threads(self.client), 1) - len(running)
                    for number, window in itertools.islice(todo, max(room, 0)):
                        task = self.client.submit(
                            _predict, site, window, tuple(layers), pure=False, priority=-number
                        )
                        running[task] = number
                    if not running:
                        return
                    for task in self._finished(running):
                        yield running.pop(task), task.result()
            finally:
                with suppress(Exception):
                    self.client.cancel(list(running))

    def _finished(self, running: Mapping[Future, int]) -> list[Future]:
        """Tasks that have ended, at least one, in the order of submission."""
        import distributed

        waited_s = 0
        while waited_s < PATIENCE_S:
            try:
                ended = distributed.wait(list(running), timeout=2, return_when="FIRST_COMPLETED")
                return [task for task in running if task in ended.done]
            except TimeoutError:
                waited_s = 0 if _threads(self.client) else waited_s + 2
        raise LandcoverError(
            f"the scheduler has had no worker for {PATIENCE_S} s; start some with "
            "dask worker ADDRESS, and run the same command again to go on"
        )


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


def _threads(client: Client) -> int:
    """Threads of all workers there are at the moment."""
    return sum(client.nthreads().values())


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What goes wrong on a cluster, as one line."""
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


# From here on: what runs on workers.


@dataclass(frozen=True)
class _Site:
    """What a worker needs once, to predict any window."""

    load: Callable[[], Classifier]
    scene: Path
    segment_types: Path | None
    digests: dict[str, str]
    versions: dict[str, str]
    backend: str | None

    def source(self) -> Source:
        """The scene and the model, after checking that they are the client's."""
        import distributed

        worker = distributed.get_worker().address
        self._require_same_files(worker)
        self._require_same_libraries(worker)
        return Source(self.load(), self.scene, self.segment_types)

    def _require_same_files(self, worker: str) -> None:
        """Raise LandcoverError unless the worker reads the client's files."""
        for path, expected in self.digests.items():
            try:
                found = digest(Path(path))
            except OSError as error:
                raise LandcoverError(
                    f"worker {worker} cannot read {path} ({error.strerror}); workers need the "
                    "same files at the same paths: share the folder"
                ) from None
            if found != expected:
                raise LandcoverError(
                    f"worker {worker} has another file {path} than this machine; "
                    "workers need the same files at the same paths"
                )

    def _require_same_libraries(self, worker: str) -> None:
        """Raise LandcoverError unless the worker computes with the client's libraries."""
        here = versions()
        other = {k: v for k, v in self.versions.items() if here.get(k) != v and k != "python"}
        if other:
            package, version = next(iter(other.items()))
            there = f"{package} {here[package]}" if package in here else f"no {package}"
            raise LandcoverError(
                f"worker {worker} has {there} and this machine {version}; "
                "install the same versions, or the map's bytes may differ"
            )
        if self.backend is None:
            return
        from landcover.classifiers.networks import backend_name

        if backend_name() != self.backend:
            raise LandcoverError(
                f"worker {worker} has Keras on {backend_name()} and this machine on "
                f"{self.backend}; start all of them with the same KERAS_BACKEND and device"
            )


_held: dict[str, Source] = {}
#: A network uses all cores for one window: other threads of the worker read meanwhile.
_one_at_a_time = threading.Lock()


def _predict(site: _Site, window: Window, layers: tuple[str, ...]) -> Pixels:
    """Layers of a window, on a worker that loads the model at its first one."""
    # Clients of other versions may come to a worker that holds the model already
    key = repr((site.load, site.digests, site.versions, site.backend))
    with _one_at_a_time:
        if key not in _held:
            _held.clear()
            _held[key] = site.source()
        source = _held[key]
    image, types = source.read_tiles(window)
    with _one_at_a_time:
        return source.predict(window, image, types, layers)
