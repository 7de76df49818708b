"""What files hold, before a long job: what the command takes and prints."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.commands.options import FINITE, RASTER, Arguments, Command, in_options
from landcover.commands.prep import prep_parser
from landcover.errors import LandcoverError

if TYPE_CHECKING:
    from landcover.files.raster_names import RasterName
    from landcover.scene.sequence_facts import SequenceFacts
    from landcover.sources.inspection import BandFacts, RasterFacts

_COLUMNS = (
    "band", "is", "by", "pixel", "type", "reflectance", "nodata", "valid", "least", "median",
    "most",
)  # fmt: skip

#: Values of a raster that a page lists; --json lists all.
_MOST_VALUES = 50


def _define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=RASTER, metavar="FILE",
        help="bands, stacks, products (X.SAFE, X.zip), STAC items (.json), class rasters, or runs "
        "of several dates",
    )  # fmt: skip
    parser.add_argument("--band-names", nargs="+", metavar="NAME", help="as prep takes them")
    parser.add_argument("--nodata", nargs="+", type=FINITE, metavar="DN", help="as prep takes them")
    parser.add_argument("--scheme", metavar="NAME|TABLE.csv", help="of class rasters")
    parser.add_argument("--json", action="store_true", help="a JSON object a file, in lines")
    parser.set_defaults(asks=True)


def _inspect(a: Arguments) -> list[Path]:
    from landcover.labels.schemes import find_scheme
    from landcover.sources.inspection import inspect_source

    scheme = find_scheme(a.scheme) if a.scheme else None
    prep = prep_parser()  # what is remarked here is for its options
    failed = []
    for path in a.files:
        try:
            if _print_sequence(path, a.json):
                continue
            found = inspect_source(path, a.band_names or (), a.nodata or (), scheme)
        except LandcoverError as error:
            failed.append(in_options(str(error), prep))
            continue
        for facts in found:
            _print(facts, a.json, prep)
    if failed:
        raise LandcoverError("; ".join(failed))
    return []


def _print_sequence(path: RasterName, as_json: bool) -> bool:
    """The days of a raster of several dates, or of a run that keeps some; False for another."""
    from landcover.run import Run
    from landcover.scene.sequence_facts import dates_of, inspect_sequence
    from landcover.stages.dates import dates_of as dates_of_run

    run = Run(path) if isinstance(path, Path) and path.is_dir() else None
    path = path if run is None else run.sequence
    if not isinstance(path, Path) or not path.is_file():
        return False
    dates = dates_of(path) if run is None else dates_of_run(run)
    if dates is None:
        return False
    facts = inspect_sequence(path, dates)
    print(
        json.dumps(_plain(dataclasses.asdict(facts)), ensure_ascii=False)
        if as_json
        else "\n".join(_sequence_page(facts)),
        flush=True,
    )
    return True


def _sequence_page(facts: SequenceFacts) -> Iterator[str]:
    """A raster of several dates in lines."""
    from landcover.reports.left_out import valid_date_line

    yield facts.path
    yield (
        f"  {facts.rows:,} rows x {facts.cols:,} columns in {facts.crs} "
        f"({facts.pixel_m[0]:.4g} x {facts.pixel_m[1]:.4g} m on the ground)"
    )
    yield f"  {len(facts.days)} dates of {' '.join(facts.bands)}"
    rows: list[tuple[str, ...]] = [("date", "day of the year", "valid")]
    rows += [
        (day, f"{held['day_of_year']:.0f}", f"{100 * held['valid']:.1f} %")
        for day, held in facts.days.items()
    ]
    yield from _table(rows)
    yield f"  {valid_date_line(facts.valid_dates)}"


def _print(facts: RasterFacts, as_json: bool, prep: argparse.ArgumentParser) -> None:
    """A file as a page, or as a line of JSON; its remarks in options of prep."""
    remarks = [in_options(remark, prep) for remark in facts.remarks]
    facts = dataclasses.replace(facts, remarks=remarks)
    if as_json:
        print(json.dumps(_plain(dataclasses.asdict(facts)), ensure_ascii=False), flush=True)
    else:
        print("\n".join(_page(facts)), flush=True)


def _plain(content: object) -> object:
    """What JSON can hold: numbers that are none, such as nodata of NaN, as text."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return str(content) if isinstance(content, float) and not math.isfinite(content) else content


def _page(facts: RasterFacts) -> Iterator[str]:
    """A file in lines that fit a terminal."""
    yield facts.path
    text = f"  {facts.rows:,} rows x {facts.cols:,} columns"
    if facts.resolution and facts.pixel_m:
        width, height = facts.resolution
        text += f" of {width:.6g} x {height:.6g} in {facts.crs}"
        text += f" ({facts.pixel_m[0]:.4g} x {facts.pixel_m[1]:.4g} m on the ground)"
    else:
        text += f", {facts.crs or 'no reference system'}"
    yield text + (f"; {facts.day}" if facts.day else "")
    if facts.bands:
        yield from _table([_COLUMNS, *(_row(band) for band in facts.bands)])
    if facts.classes:
        yield f"  classes of {facts.scheme}" if facts.scheme else "  values"
        for entry in facts.classes[:_MOST_VALUES]:
            value = "other" if entry["value"] is None else f"{entry['value']:g}"
            name = f" -> {entry['code']} {entry['name']}" if entry["name"] else ""
            yield f"    {value}{name}, {100 * float(str(entry['share'])):.1f} %"
        rest = facts.classes[_MOST_VALUES:]
        if rest:
            share = sum(float(str(entry["share"])) for entry in rest)
            yield f"    {len(rest)} further values, {100 * share:.1f} %"
    yield from (f"  remark: {remark}" for remark in facts.remarks)


def _row(band: BandFacts) -> tuple[str, ...]:
    """A band in words, in the order of `_COLUMNS`."""
    pixel = "-" if band.pixel_m is None else f"{band.pixel_m:.3g} m"
    called = f"{band.number} {band.text}".strip()
    first = (called, band.name or "-", band.named_by or "-", pixel)
    if band.quantification is None or band.offset is None:
        return (*first, band.dtype, *["-"] * 6)
    formula = "dn" if band.quantification == 1 else f"dn / {band.quantification:g}"
    if band.offset:
        formula = f"(dn {band.offset:+g}) / {band.quantification:g}"
    nodata = " ".join(f"{value:.9g}" for value in band.nodata)
    nodata += " mask" if band.masked else ""
    valid = band.pixels["data"] / sum(band.pixels.values())
    numbers = (f"{v:.4f}" if v is not None else "-" for v in (band.least, band.median, band.most))
    return (
        *first, band.dtype, f"{formula}, {band.scaled_by}", nodata.strip() or "-",
        f"{100 * valid:.1f} %", *numbers,
    )  # fmt: skip


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns as wide as their longest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


COMMANDS: dict[str, Command] = {
    "inspect": ("Print what would be read of files.", _define, _inspect),
}
