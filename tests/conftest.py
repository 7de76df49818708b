"""What several test files share: real data's place, grids, and small rasters on disk."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import settings
from rasterio.crs import CRS

from landcover.grid import Grid
from tests.fixtures.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401

# In one process with OpenVINO, scikit-learn-intelex loads only if it comes first: their TBB differ
with suppress(ImportError):
    import sklearnex  # noqa: F401

# A shared machine is slow at times; that is no failure of the property
settings.register_profile("default", deadline=None)
settings.load_profile("default")

ROOT = Path(__file__).parent.parent


def pytest_collection_finish() -> None:
    """What imports have made stays, so the collector of garbage need not visit it for each test."""
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def untuned_pipelines() -> Iterator[None]:
    """TensorFlow does not tune what Keras draws steps from; a suite has hundreds of short ones.

    Where such a pipeline is thrown away, its tuner now and then is not woken, and the process
    waits for up to half a minute. What is drawn does not depend on it.
    """
    if "keras" not in sys.modules or sys.modules["keras"].backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    usual = tf.data.Dataset.prefetch
    options = tf.data.Options()
    options.autotune.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tf.data.Dataset, "prefetch", lambda *a, **k: usual(*a, **k).with_options(options)
        )
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; tests that use it skip where it is absent."""
    folder = Path(os.environ.get("LANDCOVER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder}; set LANDCOVER_TEST_DATA")
    return folder


def error_lines(stderr: str) -> list[str]:
    """The lines of standard error without progress, which a slow machine shows."""
    progress = re.compile(r": \d+ (%|done), |: expected to take |\u2501")
    return [line for line in stderr.splitlines() if line.strip() and not progress.search(line)]


def utm_grid(rows: int, cols: int, west: float = 300_000, north: float = 5_800_000) -> Grid:
    """A 10 m grid in UTM zone 33 north."""
    return Grid(CRS.from_epsg(32633), Affine(10, 0, west, 0, -10, north), rows, cols)


@pytest.fixture(scope="module")
def hasty_teacher() -> Iterator[None]:
    """Doubtful labels are found in two epochs and few trees, where finding them is not the matter.

    How well labels are refined is the matter of tests/labels and, by a teacher that knows the
    classes, of tests/stages/test_denoise.py.
    """
    from landcover.labels import evidence
    from landcover.stages import denoise_teacher

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(denoise_teacher, "TEACHER_EPOCHS", 2)
        patch.setattr(evidence, "TREES", 20)
        yield


@pytest.fixture
def grid() -> Grid:
    return utm_grid(120, 160)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def page_of_what_is_there() -> Iterator[None]:
    """The service's page without what `make web` fetches, where that is not there."""
    from landcover.service import assets
    from tests.fixtures.serving import HAS_JAVASCRIPT

    with pytest.MonkeyPatch.context() as patch:
        if not HAS_JAVASCRIPT:
            patch.setattr(assets, "VENDOR", ())
        yield
