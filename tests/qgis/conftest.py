"""A small run with every product, and scripts run inside QGIS, for tests of what QGIS draws.

QGIS has a Python of its own (Debian: apt-get install qgis python3-qgis), so what asks it is a
script in a process of its own; see inside.py. `LANDCOVER_QGIS_RUN` names a folder in which the runs
are kept for the next time: while such tests are written, nobody has to wait for them.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.qgis_runs import AFTER, RUN, make_runs

HERE = Path(__file__).parent
#: Asks QGIS: a script of this folder and its arguments, to what the script answers.
InQgis = Callable[..., dict[str, Any]]
_LIMIT_S = 900  # of a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.qgis)


@functools.cache
def qgis_python() -> str | None:
    """The Python that has QGIS's modules; None where there is none."""
    python = os.environ.get("LANDCOVER_QGIS_PYTHON", "/usr/bin/python3")
    try:
        found = subprocess.run(
            [python, "-c", "import qgis.core"], env=_environment(), capture_output=True, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return python if found.returncode == 0 else None


def _environment() -> dict[str, str]:
    """This process's, without what leads to another Python or another GDAL, and no window."""
    foreign = ("PYTHON", "GDAL_", "PROJ_", "VIRTUAL_ENV", "OPENBLAS", "OMP_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": "/tmp"}


@pytest.fixture(scope="session")
def in_qgis(tmp_path_factory: pytest.TempPathFactory) -> InQgis:
    """Runs a script of this folder inside QGIS: ``in_qgis("look.py", *arguments)``."""
    python = qgis_python()
    if python is None:
        pytest.skip("QGIS is not installed (Debian: apt-get install qgis python3-qgis)")
    home = tmp_path_factory.mktemp("qgis")

    def ask(script: str | Path, *arguments: object) -> dict[str, Any]:
        answer = home / "answer.json"
        answer.unlink(missing_ok=True)
        done = subprocess.run(
            [python, str(HERE / script), *map(str, arguments)],
            env=_environment() | {"LANDCOVER_QGIS_ANSWER": str(answer), "HOME": str(home)},
            capture_output=True, text=True, timeout=_LIMIT_S,
        )  # fmt: skip
        assert answer.exists(), f"{script} ended without an answer:\n{done.stderr[-3000:]}"
        found: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return found

    return ask


@pytest.fixture(scope="session")
def qgis_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two runs of one place, RUN and AFTER, made by the commands."""
    kept = os.environ.get("LANDCOVER_QGIS_RUN")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("runs")
    if not (folder / "made").exists():
        make_runs(folder)
        (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def qgis_run(qgis_runs: Path) -> Path:
    """A run folder with every product; several tests read it, none may change it."""
    return qgis_runs / RUN


@pytest.fixture(scope="session")
def qgis_change(qgis_runs: Path) -> Path:
    """The folder of what changed between the two runs."""
    return qgis_runs / AFTER / "change"
