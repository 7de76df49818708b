"""A service for tests: a small run, a classifier that nobody had to train, a server."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
from PIL import Image as Picture

from landcover import maps
from landcover.classifiers import models
from landcover.files import rasters, styles
from landcover.legend import LandClass, Legend
from landcover.run import Run
from landcover.sensors import TRUE_COLOUR_BANDS
from landcover.service import assets
from landcover.service.limits import Limits
from landcover.service.server import listen, server_of
from landcover.service.state import State, load
from landcover.service.uploads import Classify
from landcover.sources.image import Image
from tests.map_runs import make_run
from tests.test_mapping import LEGEND

LIMITS = Limits(pixels=300_000, timeout_s=10)


class Colours:
    """A classifier whose probabilities are the shares of red, green and blue."""

    name = "colours"
    bands = TRUE_COLOUR_BANDS
    legend = Legend(
        (LandClass(1, "Red", (255, 0, 0)), LandClass(2, "Green", (0, 255, 0)),
         LandClass(3, "Blue", (0, 0, 255)))
    )  # fmt: skip

    def probabilities(self, images: Sequence[Image], until: float = math.inf) -> np.ndarray:
        values = [image.values[[image.bands.index(b) for b in self.bands]] for image in images]
        means = np.array([np.nanmean(v, axis=(1, 2)) for v in values]) + 1e-6
        return (means / means.sum(axis=1, keepdims=True)).astype(np.float32)


def write_run(path: Path, rows: int = 300, cols: int = 340, *, cnn: bool = True) -> Run:
    """A run with scene, labels, reference, models and the forest's map, in UTM zone 33."""
    run = make_run(path, rows, cols, cnn=cnn)
    grid = rasters.grid_of(run.scene)
    codes = np.array(LEGEND.codes, np.uint16)
    down, across = np.arange(rows)[:, np.newaxis], np.arange(cols)
    labels = codes[(down // 50 + across // 50) % len(codes)]
    labels[:20] = 0
    for name, pixels in (("labels", labels), ("reference", np.roll(labels, 7, axis=1))):
        product = getattr(run, name)
        rasters.write(product, pixels, grid, ["class"], 0, LEGEND)
        styles.write_qml(product, LEGEND)
    maps.predict_map(
        models.load(run, "random-forest"), run.scene, run.map("random-forest"),
        confidence=run.confidence("random-forest"),
    )  # fmt: skip
    styles.write_qml(run.map("random-forest"), LEGEND)
    return run


def state_of(run: Run, classifier: object | None = None, **limits: float) -> State:
    """What the service holds of a run, with other limits where told so."""
    return load(run, classifier or Colours(), replace(LIMITS, **limits))


def bare_state(classifier: object, **limits: float) -> State:
    """A service of a classifier alone, without a run."""
    held = replace(LIMITS, **limits)
    return State("bare", Classify(classifier), {}, {}, assets.load(), held)


@contextmanager
def serving(state: State) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    listener = listen("127.0.0.1", 0)
    server = server_of(state, "127.0.0.1")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
    assert not thread.is_alive(), "the server did not end"


def client_of(url: str) -> httpx.Client:
    """A client of a server, without the certificates that take a moment to load."""
    return httpx.Client(base_url=url, timeout=30, verify=False)


def picture(rgb: tuple[int, int, int], form: str = "PNG", size: int = 64) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Picture.new("RGB", (size, size), rgb).save(buffer, format=form, quality=100, subsampling=0)
    return buffer.getvalue()
