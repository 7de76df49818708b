"""The windows of a map on a Dask cluster.

Each worker loads the model once, reads its windows itself and sends their layers back; a
window whose worker died is given to another one by Dask. Scene and model are read by
workers at the paths that the client uses, and must be the same files.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.classifiers.protocol import Classifier
from landcover.grid import Window
from landcover.maps.client_facts import ClientFacts
from landcover.maps.cluster import Patience, plain_errors
from landcover.maps.scene_tiles import Pixels, Source

if TYPE_CHECKING:
    from distributed import Client, Future

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
    facts : ClientFacts
        What workers must have in common with the client; every file that they read is among them,
        model files included.
    """

    client: Client
    load: Callable[[], Classifier]
    scene: Path
    segment_types: Path | None
    facts: ClientFacts

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
        site = _Site(self.load, self.scene, self.segment_types, self.facts)
        todo, patience = iter(windows.items()), Patience(self.client)
        running: dict[Future, int] = {}
        with plain_errors():
            try:
                while True:
                    # more workers may have come, or some gone
                    threads = sum(self.client.nthreads().values())
                    room = _AHEAD * max(threads, 1) - len(running)
                    for number, window in itertools.islice(todo, max(room, 0)):
                        task = self.client.submit(
                            _predict, site, window, tuple(layers), pure=False, priority=-number
                        )
                        running[task] = number
                    if not running:
                        return
                    for task in patience.ended(running):
                        yield running.pop(task), task.result()
            finally:
                with suppress(Exception):
                    self.client.cancel(list(running))


# From here on: what runs on workers.


@dataclass(frozen=True)
class _Site:
    """What a worker needs once, to predict any window."""

    load: Callable[[], Classifier]
    scene: Path
    segment_types: Path | None
    facts: ClientFacts

    def source(self) -> Source:
        """The scene and the model, after checking that they are the client's."""
        self.facts.require()
        return Source(self.load(), self.scene, self.segment_types)


_held: dict[str, Source] = {}
#: A network uses all cores for one window: other threads of the worker read meanwhile.
_one_at_a_time = threading.Lock()


def _predict(site: _Site, window: Window, layers: tuple[str, ...]) -> Pixels:
    """Layers of a window, on a worker that loads the model at its first one."""
    # Clients of other versions may come to a worker that holds the model already
    key = repr((site.load, site.facts))
    with _one_at_a_time:
        if key not in _held:
            _held.clear()
            _held[key] = site.source()
        source = _held[key]
    image, types = source.read_tiles(window)
    with _one_at_a_time:
        return source.predict(window, image, types, layers)
