"""Segments, samples and doubts of a scene: what the commands take and do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import (
    COUNT_OR_NONE,
    Arguments,
    Command,
    add_features,
    add_run,
    add_sampling,
    add_seed,
    add_segmentation,
)

if TYPE_CHECKING:
    from landcover.labels.schemes import LabelScheme
    from landcover.run import Run


def add_scheme(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that says what class values mean."""
    parser.add_argument(
        "--scheme",
        metavar="NAME|TABLE.csv",
        help=f"what the values of {what} mean: corine-grid, corine, worldcover, ... "
        "or a table of your own classes (code,name,colour); by default the values tell",
    )


def scheme_of(a: Arguments, option: str = "scheme") -> LabelScheme | None:
    """The scheme that an option names; None where the values are to tell."""
    from landcover.labels.schemes import find_scheme

    name = getattr(a, option)
    return find_scheme(name) if name else None


def recoded(run: Run, stage: str) -> Iterator[str]:
    """What each value of labels or polygons became, for somebody to see that it is right."""
    from landcover.labels.on_grid import NO_LABEL

    for name, recoded in run.read_manifest()["stages"][stage].get("classes", {}).items():
        to = f", brought to {recoded['to']}" if "to" in recoded else ""
        yield f"{name}: scheme {recoded['scheme']}{to}"
        for entry in recoded["values"]:
            if entry["name"] == NO_LABEL:
                yield f"  {NO_LABEL}, {100 * entry['share']:.1f} %"
                continue
            value = "other" if entry["value"] is None else entry["value"]
            code = f"{entry['code']} " if entry["code"] else ""
            yield f"  {value} -> {code}{entry['name']}, {100 * entry['share']:.1f} %"


def draw_samples(
    run: Run,
    a: Arguments,
    buffer: int | None = None,
    features: Sequence[str] | None = None,
    labels_of_polygons: bool = False,
) -> list[Path]:
    """Draw samples by the options that preparing and sampling share, and say what was drawn.

    With `labels_of_polygons` the labels of the run hold the classes of its polygons already.
    """
    from landcover.files.vectors import with_layer
    from landcover.samples.table import Draw
    from landcover.stages.sample import sample

    if labels_of_polygons or not a.polygons:
        field = None if labels_of_polygons else a.class_field
        wanted = Draw(a.samples, a.method, None, field, a.min_count, features)
    else:
        polygons = with_layer(a.polygons, a.layer)
        wanted = Draw(
            a.samples, "polygons", polygons, a.class_field, a.min_count, features, scheme_of(a)
        )
    paths = sample(
        run, wanted, max_patch=a.max_patch, seed=a.seed, buffer=buffer, block_px=a.block_px
    )
    for line in [*recoded(run, "sample"), _drawn(run)]:
        print(line)
    return paths


def _define_segment(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_segmentation(parser)


def _segment(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.segment import segment

    run = Run(a.run)
    paths = segment(run, a.scale, a.sigma, a.min_size)
    print(segmented(run))
    return paths


def segmented(run: Run) -> str:
    """How many segments there are, how small they may be, and what lies in none."""
    from landcover.files import rasters

    stage, grid = run.read_manifest()["stages"]["segment"], rasters.grid_of(run.segments)
    settings, outside = stage["settings"], stage["without_data"]
    ha = settings["min_size"] * grid.pixel_areas_ha((grid.rows - 1) / 2, (grid.cols - 1) / 2)
    text = f"segments: {settings['segments']:,} of {settings['min_size']} px ({ha:.3g} ha) or more"
    if not outside:
        return text
    return f"{text}; {outside:,} of {grid.rows * grid.cols:,} pixels without data are in none"


def _define_sample(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_sampling(parser)
    add_features(
        parser, "columns of features in samples.parquet, beside the bands (default ndvi ndwi bi2)"
    )
    add_scheme(parser, "--class-field")
    parser.add_argument(
        "--buffer",
        type=COUNT_OR_NONE,
        metavar="R",
        help="also write chips of (2R + 1) x (2R + 1) pixels as one array",
    )
    add_seed(parser)


def _sample(a: Arguments) -> list[Path]:
    from landcover.run import Run

    return draw_samples(Run(a.run), a, a.buffer, features=a.features)


def _drawn(run: Run) -> str:
    """The blocks, how many samples there are of each split, and which classes were too rare."""
    from landcover.files.atomic import read_json
    from landcover.files.rasters import grid_of
    from landcover.grid import in_metres

    side_m = grid_of(run.scene).pixel_m
    sampled = read_json(run.manifest)["stages"]["sample"]
    settings = sampled["settings"]
    text = f"blocks: {settings['blocks']} of {in_metres(settings['block_px'], side_m)}"
    found = settings["label_correlation"]
    if found:
        least = "at least " if found["range_px"] >= found["longest_lag_px"] else ""
        text += f"; labels are alike up to {least}{in_metres(found['range_px'], side_m)}"
    text += f"; guard {in_metres(settings['guard_px'], side_m)}\nsamples: "
    text += ", ".join(f"{n} {split}" for split, n in settings["drawn"].items())
    if settings["dropped_classes"]:
        rare = ", ".join(f"{code} ({n} px)" for code, n in settings["dropped_classes"].items())
        text += f"; left out as too rare (--min-count): {rare}"
    lines = [text, *(f"note: {note}" for note in sampled["notes"])]
    if any("none was drawn" in note for note in sampled["notes"]):
        equally = settings["method"] == "uniform"
        other = ", or draw equally of every class to train: --method stratified" if equally else ""
        lines.append(f"note: raise --samples{other}")
    return "\n".join(lines)


def _define_denoise(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add_seed(parser)


def _denoise(a: Arguments) -> list[Path]:
    from landcover.run import Run
    from landcover.stages.denoise import denoise

    run = Run(a.run)
    paths = denoise(run, a.seed)
    for note in run.read_manifest()["stages"]["denoise"]["notes"]:
        print(f"note: {note}")
    return paths


COMMANDS: dict[str, Command] = {
    "segment": ("Segment a scene and type its segments.", _define_segment, _segment),
    "sample": ("Draw samples and deal blocks to splits.", _define_sample, _sample),
    "denoise": ("Estimate where the labels are wrong.", _define_denoise, _denoise),
}
