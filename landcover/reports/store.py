"""Reports and comparisons in and out: reports/NAME.json and comparison.json, .md, .html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landcover.classifiers.names import PATCHES
from landcover.errors import LandcoverError, MissingProduct
from landcover.files.atomic import read_json, replace_when_whole, write_json
from landcover.reports.words import render
from landcover.run import Run

#: What every report holds, and the type that it must have.
FIELDS: dict[str, type | tuple[type, ...]] = {
    "model": str,
    "against": str,
    "measure": str,
    "scored_on": str,
    "split": str,
    "n_test": int,
    "overall_accuracy": (int, float),
    "balanced_accuracy": (int, float),
    "macro_f1": (int, float),
    "per_class": dict,
    "confusion": dict,
    "scores": dict,
    "seconds": dict,
    "seed": int,
    "versions": dict,
}


def write_report(run: Run, report: Mapping[str, Any]) -> Path:
    """Write reports/NAME.json of the model that the report names."""
    path = run.report(report["model"])
    write_json(path, dict(report))
    return path


def read_report(run: Run, name: str) -> dict[str, Any]:
    """Read reports/NAME.json.

    Raises
    ------
    LandcoverError
        If it is missing, broken off or no report; the message names the file
        and the command that makes it.
    """
    path = run.report(name)
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; {_make_again(run, name)}")
    try:
        report = read_json(path)
    except LandcoverError:
        raise LandcoverError(f"{path} is not whole JSON; {_make_again(run, name)}") from None
    problem = _problem(report, name)
    if problem:
        raise LandcoverError(f"{path} is not a report: {problem}; {_make_again(run, name)}")
    return report


def map_names(run: Run) -> list[str]:
    """Names of a run's class maps, in alphabetical order, those of patches last."""
    names = [
        path.stem
        for path in run.map("any").parent.glob("*.tif")
        if not path.name.startswith(".") and not path.stem.endswith(_NOT_CLASSES)
    ]
    return sorted(names, key=lambda name: (name.endswith(PATCHES), name))


def mapped_models(run: Run) -> list[str]:
    """Names of the models that have a map of the scene's pixels, in alphabetical order.

    Raises
    ------
    LandcoverError
        If there is none; the message names the command that makes one.
    """
    names = [name for name in map_names(run) if not name.endswith(PATCHES)]
    if not names:
        raise LandcoverError(
            f"{run.path} has no map in maps/; make one with: landcover map {run.path}"
        )
    return names


def write_comparison(
    run: Run, comparison: Mapping[str, Any], markdown: str, html: str
) -> list[Path]:
    """Write comparison.json, .md and .html; returns their paths."""
    data, text, page = (run.path / f"comparison.{kind}" for kind in ("json", "md", "html"))
    # One inside the other: none gets its name before all are whole, so they always belong together
    with replace_when_whole(page) as page_part, replace_when_whole(text) as text_part:
        page_part.write_text(html, "utf-8")
        text_part.write_text(markdown, "utf-8")
        write_json(data, dict(comparison))
    return [data, text, page]


def read_comparison(run: Run) -> dict[str, Any]:
    """Read comparison.json; its ``headline`` says in one sentence which map is best."""
    path = run.path / "comparison.json"
    command = f"landcover compare {run.path}"
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; make it with: {command}")
    comparison = read_json(path)
    if "headline" not in comparison:
        raise LandcoverError(f"{path} is not a comparison; make it again with: {command}")
    return comparison


def write_products(folder: Path, content: Mapping[str, Any]) -> list[Path]:
    """Write report.md, .html and .json of a list of mapped products; returns their paths."""
    data, text, page = (folder / f"report.{kind}" for kind in ("json", "md", "html"))
    for path in (text, page):
        with replace_when_whole(path) as part:
            part.write_text(render(f"products{path.suffix}", c=content), "utf-8")
    write_json(data, dict(content))
    return [text, page, data]


#: Rasters beside a map that are not maps themselves.
_NOT_CLASSES = ("_confidence", "_probabilities", "_entropy")


def _problem(report: dict[str, Any], name: str) -> str | None:
    """What keeps JSON fields from being the report of a model; None when it is one."""
    missing = [field for field in FIELDS if field not in report]
    if missing:
        return f"it lacks {', '.join(missing)}"
    wrong = [field for field, kind in FIELDS.items() if not isinstance(report[field], kind)]
    if wrong:
        return f"{wrong[0]} is {report[wrong[0]]!r}"
    if report["model"] != name:
        return f"it is of model {report['model']}"
    if report["against"] not in report["scores"]:
        return f"its scores lack {report['against']}"
    return None


def _make_again(run: Run, name: str) -> str:
    return f"make it with: landcover map {run.path} --model {name}"
