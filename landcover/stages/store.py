"""Reports and comparisons in and out: reports/NAME.json and comparison.json, .md, .html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from landcover.classifiers.names import parse
from landcover.errors import LandcoverError, MissingProduct, typed
from landcover.files.atomic import Fields, read_json, write_together
from landcover.reports.records import Comparison
from landcover.reports.words import render
from landcover.run import BESIDE_MAPS

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


def read_report(path: Path, again: str | None = None) -> Fields:
    """Read reports/NAME.json.

    Parameters
    ----------
    path : path
        Of the report.
    again : str, optional
        How to make it, for messages; by mapping with the run's model of that name by default.

    Raises
    ------
    LandcoverError
        If it is missing, broken off or no report; the message names the file
        and the command that makes it.
    """
    again = again or _make_again(path)
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; {again}")
    try:
        report = read_json(path)
    except LandcoverError:
        raise LandcoverError(f"{path} is not whole JSON; {again}") from None
    problem = _problem(report, path.stem)
    if problem:
        raise LandcoverError(f"{path} is not a report: {problem}; {again}")
    return report


def map_names(folder: Path) -> list[str]:
    """Names of the class maps in a folder, in alphabetical order, those of patches last."""
    names = [
        path.stem
        for path in folder.glob("*.tif")
        if not path.name.startswith(".") and not path.stem.endswith(BESIDE_MAPS)
    ]
    return sorted(names, key=lambda name: (parse(name).patches, name))


def mapped_models(folder: Path) -> list[str]:
    """Names of the models that have a map of the scene's pixels in a folder, alphabetically.

    Raises
    ------
    MissingProduct
        If there is none; the message names the command that makes one.
    """
    names = [name for name in map_names(folder) if not parse(name).patches]
    if not names:
        run = folder.parent
        raise MissingProduct(
            f"{run} has no map in {folder.name}/; make one with: landcover map {typed(run)}"
        )
    return names


def write_comparison(folder: Path, comparison: Comparison, markdown: str, html: str) -> list[Path]:
    """Write comparison.json, .md and .html; returns their paths."""
    data, text, page = (folder / f"comparison.{kind}" for kind in ("json", "md", "html"))
    write_together({page: html, text: markdown}, data, comparison)
    return [data, text, page]


def read_comparison(folder: Path) -> Fields:
    """Read comparison.json; its ``headline`` says in one sentence which map is best."""
    path = folder / "comparison.json"
    command = f"landcover compare {typed(folder)}"
    if not path.exists():
        raise MissingProduct(f"{path} does not exist; make it with: {command}")
    comparison = read_json(path)
    if "headline" not in comparison:
        raise LandcoverError(f"{path} is not a comparison; make it again with: {command}")
    return comparison


def write_products(folder: Path, content: Mapping[str, object]) -> list[Path]:
    """Write report.md, .html and .json of a list of mapped products; returns their paths."""
    data, text, page = (folder / f"report.{kind}" for kind in ("json", "md", "html"))
    pages = {path: render(f"products{path.suffix}", c=content) for path in (text, page)}
    write_together(pages, data, dict(content))
    return [text, page, data]


def _problem(report: Fields, name: str) -> str | None:
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


def _make_again(path: Path) -> str:
    """The command that makes RUN/reports/NAME.json."""
    return f"make it with: landcover map {typed(path.parent.parent)} --model {path.stem}"
