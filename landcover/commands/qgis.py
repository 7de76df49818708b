"""A run in QGIS: what the command takes and does."""

from __future__ import annotations

import argparse
from pathlib import Path

from landcover.commands.options import Arguments, Command, add_run


def _define(parser: argparse.ArgumentParser) -> None:
    add_run(parser)


def _qgis(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.qgis import qgis

    run = Run(a.run)
    before = run.vectors.stat().st_mtime_ns if run.vectors.exists() else None
    paths = qgis(run)
    for name, layers in run.read_manifest()["stages"]["qgis"]["settings"]["layers"].items():
        print(f"{name}: {', '.join(layers)}")
    if run.vectors.exists() and run.vectors.stat().st_mtime_ns != before:
        print(
            f"note: samples and segments were written to {run.vectors} too, "
            "since many builds of QGIS do not read Parquet"
        )
    return paths


COMMANDS: dict[str, Command] = {
    "qgis": ("Write a run as a project of QGIS: RUN/RUN.qgs.", _define, _qgis),
}
