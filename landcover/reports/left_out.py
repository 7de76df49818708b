"""What of a scene and of its labels no map or score speaks of, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landcover.classifiers.names import parse
from landcover.files.atomic import Fields
from landcover.reports.records import ComparedModel, Comparison


def scene_pixels(pixels: Mapping[str, int]) -> str:
    """How many pixels of a scene have data, and why others have none.

    Parameters
    ----------
    pixels : mapping
        Number of pixels by reason, and of those with ``data``.

    Examples
    --------
    >>> scene_pixels({"data": 930, "nodata": 0, "masked": 70})
    '1,000 pixels, 93.0 % with data in all bands; without: 70 masked'
    """
    total = sum(pixels.values())
    text = f"{total:,} pixels, {100 * pixels['data'] / total:.1f} % with data in all bands"
    reasons = [f"{n:,} {reason}" for reason, n in pixels.items() if n and reason != "data"]
    return text + ("; without: " + ", ".join(reasons) if reasons else "")


def date_lines(dates: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A line a date of a composite: how much of the scene is valid, and why the rest is not.

    Parameters
    ----------
    dates : mapping
        Number of pixels by reason, by date.

    Examples
    --------
    >>> date_lines({"2022-06-01": {"data": 72, "cloud": 20, "nodata": 8, "masked": 0}})
    ['2022-06-01: 72.0 % valid, 20.0 % cloud, 8.0 % nodata']
    """
    lines = []
    for day, pixels in dates.items():
        total = sum(pixels.values())
        held = {"valid" if name == "data" else name: n for name, n in pixels.items()}
        parts = [f"{100 * n / total:.1f} % {name}" for name, n in held.items() if n]
        lines.append(f"{day}: {', '.join(parts)}")
    return lines


def valid_date_line(shares: Sequence[float]) -> str:
    """At how much of a scene 0, 1, 2, ... dates are valid.

    Parameters
    ----------
    shares : sequence of float
        Share of the pixels, by the number of valid dates from 0 on.

    Examples
    --------
    >>> valid_date_line([0.004, 0.096, 0.0, 0.9])
    'valid dates: 0 at 0.4 %, 1 at 9.6 %, 3 at 90.0 % of the pixels'
    """
    held = [f"{n} at {100 * share:.1f} %" for n, share in enumerate(shares) if share or not n]
    return f"valid dates: {', '.join(held)} of the pixels"


def map_pixels(mapped: int, total: int, bands: Sequence[str]) -> str:
    """How many pixels of a map have a class, and what the others lack.

    Examples
    --------
    >>> map_pixels(930, 1000, ["B02", "B08"])
    '930 of 1,000 pixels (93.0 %) have a class; 70 are without data in B02 B08'
    """
    text = f"{mapped:,} of {total:,} pixels ({100 * mapped / total:.1f} %) have a class"
    lacking = total - mapped
    return text + (f"; {lacking:,} are without data in {' '.join(bands)}" if lacking else "")


def never_mapped(card: Fields) -> list[str]:
    """What a model's card says of classes that its maps do not show, or hardly."""
    samples = card.get("class_samples", {})
    unlearnt = [
        note
        for note in card.get("notes", ())
        if any(
            note.startswith(f"class {code} ") and not found["train"]
            for code, found in samples.items()
        )
    ]
    return [*unlearnt, *card.get("lost_classes", ())]


def of_stages(stages: Mapping[str, Fields]) -> list[str]:
    """What was left out when a scene was prepared and samples were drawn.

    Parameters
    ----------
    stages : mapping
        Stages of a run's manifest; one of an older version may not say.
    """
    prep, sample = stages.get("prep", {}), stages.get("sample", {})
    pixels = prep.get("pixels", {})
    said = []
    if any(n for reason, n in pixels.items() if reason != "data"):
        said.append(f"Scene: {scene_pixels(pixels)}.")
    if prep.get("notes"):
        said.append(f"Files: {'; '.join(prep['notes'])}.")
    if sample.get("notes"):
        said.append(f"Samples: {'; '.join(sample['notes'])}.")
    return said


def of_cells(names: Sequence[str]) -> list[str]:
    """Maps of whole images, whose pixels are wide cells: they are not compared."""
    cells = [name for name in names if parse(name).patches]
    return [f"Not compared, because their pixels are cells: {', '.join(cells)}."] if cells else []


def of_models(models: Sequence[ComparedModel]) -> list[str]:
    """Classes that a model lost although there were samples of them, by model."""
    return [
        f"The {model['title']}: {'; '.join(lost)}."
        for model in models
        if (lost := model["card"].get("lost_classes"))
    ]


def untested(comparison: Comparison) -> list[str]:
    """A sentence on the classes that no test pixel is of."""
    against = comparison["against"]
    scores = comparison["models"][0]["scores"][against]["per_class"]
    tested = {code for code, found in scores.items() if found["support"]}
    missing = [
        f"{found['code']} {found['name']}"
        for found in comparison["classes"]
        if str(found["code"]) not in tested
    ]
    if not missing:
        return []
    return [
        f"Not tested, because the {against} in the test blocks "
        f"{'show' if against == 'labels' else 'shows'} none: {', '.join(missing)}."
    ]
