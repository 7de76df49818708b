"""What every benchmark does with its rows: print them as they come, and record them where asked.

python -m benchmarks.NAME --record FILE
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from benchmarks import results
from benchmarks.records import Result, Row
from landcover.files.machine import gpus, machine

ROOT = Path(__file__).resolve().parents[1]
#: Packages that decide how fast something is, by the module that is imported of them.
PACKAGES = {
    "landcover": "landcover", "numpy": "numpy", "numba": "numba", "rasterio": "rasterio",
    "scikit-learn": "sklearn", "scikit-learn-intelex": "sklearnex", "scikit-image": "skimage",
    "scipy": "scipy",
    "keras": "keras", "tensorflow-cpu": "tensorflow", "tensorflow": "tensorflow", "jax": "jax",
    "torch": "torch", "openvino": "openvino", "onnxruntime": "onnxruntime", "spyndex": "spyndex",
    "fastapi": "fastapi",
}  # fmt: skip


def options(name: str, about: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark, to which it adds its own options.

    Parameters
    ----------
    name : str
        Of its file, without the ending.
    about : str
        Its docstring, of which the first line is shown.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=(about or "").splitlines()[0]
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="put the rows into a file of results"
    )
    return parser


def report(parser: argparse.ArgumentParser, given: argparse.Namespace, rows: Iterable[Row]) -> None:
    """Print rows as they come; with --record, put them into a file of results as well.

    Raises
    ------
    LandcoverError
        If the file cannot be written.
    """
    if given.record:
        with results.plain_errors():  # a file that cannot be used is found before the measurement
            results.read(given.record)
    # Before the measurement, for landcover itself names the backend that it has chosen
    command, load, found = typed(parser, given), _load(), []
    for row in rows:
        print(row, flush=True)
        found.append(row)
    if given.record:
        results.keep(given.record, [_result(command, load, found)])


def typed(parser: argparse.ArgumentParser, given: argparse.Namespace) -> str:
    """The command that was typed: what differs from the defaults, with FOLDER for folders."""
    words = [parser.prog]
    if backend := os.environ.get("KERAS_BACKEND"):
        words.insert(0, f"KERAS_BACKEND={backend}")
    for name, value in vars(given).items():
        if name == "record" or value == parser.get_default(name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if isinstance(value, Path):
            words.append("FOLDER")
        elif value is not True:
            words += map(str, value if isinstance(value, list) else [value])
    return " ".join(words)


def commit() -> tuple[str, bool]:
    """Short hash of the code, and whether it differs from that; ("", False) without git."""
    found = _git("rev-parse", "--short=7", "HEAD")
    changed = _git("status", "--porcelain", "--", "landcover", "benchmarks/*.py")
    return found, bool(found and changed)


def _result(command: str, load: float | None, rows: list[Row]) -> Result:
    where: dict[str, object] = {**machine()}
    if found := gpus():
        where["gpus"] = found
    code, changed = commit()
    day = datetime.date.today().isoformat()
    return Result(command, day, where, code, changed, _versions(), load, "", tuple(rows))


def _versions() -> dict[str, str]:
    """Of the packages that are loaded: those that were measured."""
    found = {}
    for package, module in PACKAGES.items():
        if module in sys.modules:
            try:
                found[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
    return found


def _load() -> float | None:
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _git(*words: str) -> str:
    """What git prints; empty where it fails or is missing."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
