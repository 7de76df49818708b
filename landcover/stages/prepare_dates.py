"""The dates of a run, each a raster of its own, and what labels have to do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.class_rasters import class_pixels, class_writer
from landcover.files.raster_names import RasterName
from landcover.files.raster_stacks import write_stack
from landcover.files.styles import scene_style, write_qml
from landcover.grid import Window
from landcover.legend import UNLABELLED, Nomenclature
from landcover.progress import track
from landcover.run import Run
from landcover.scene.sequence import Dates, valid_dates
from landcover.sensors import Sensor

#: Years that maps of land cover and images of Sentinel-2 and Landsat can be of.
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
#: Years in the names of files: of CORINE the one that the map shows, such as U2018_CLC2018_V2020.
_CLC_YEAR = re.compile(r"(?:clc|corine)[ _-]?(?:lc)?[ _-]?((?:19|20)\d\d)(?!\d)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
#: Roles of the bands of McFeeters' water index.
_WATER_PAIR = ("green", "nir")
#: Names of classes of water.
_WATER = re.compile(r"\bwaters?\b", re.IGNORECASE)


def write_sequence(run: Run, dates: Dates) -> Path:
    """Write the raster that holds all bands of the dates of a run.

    Parameters
    ----------
    run : Run
        With a raster a date.
    dates : Dates
        Its dates, and their bands.
    """
    names = {day: dates.select([day]).names for day in dates.days}
    path = write_stack(run.sequence, {run.date(day): own for day, own in names.items()})
    write_qml(path, scene_style(dates.bands))  # of the first date, whose bands come first
    return path


def require_years(labels: Mapping[int, RasterName], sequence: bool, polygons: bool = False) -> None:
    """Raise InputError unless yearly labels come with dates, without polygons, and years are some.

    Polygons lead over the labels of all dates.
    """
    for year, source in labels.items():
        if not _FIRST_YEAR <= year <= _LAST_YEAR:
            raise InputError(
                f"labels of the year {year} ({source}): give a year from {_FIRST_YEAR} to "
                f"{_LAST_YEAR}"
            )
        if not sequence:
            raise InputError(
                f"labels of the year {year} ({source}) are of dates, and the run keeps none; keep "
                "them with sequence=True, or give the labels with labels="
            )
        if polygons:
            raise InputError(
                f"labels of the year {year} ({source}) and polygons with classes were both given, "
                "and polygons are of no year; give labels= with polygons=, or labels of years alone"
            )


def leading_labels(labels: Mapping[int, RasterName], days: Sequence[str]) -> tuple[RasterName, str]:
    """Of yearly labels those that serve where one map is asked for, and a sentence on them.

    They are the latest of a date's year, or the latest of all where no date is of their years.
    """
    held = [year for year in labels if any(_year(day) == year for day in days)]
    led = labels[max(held or labels)]
    which = "the latest of a date's year" if held else "the latest that were given"
    return led, f"the labels of the run are {led}, {which}"


def notes_on_years(
    labels: RasterName | None, of_years: Mapping[int, RasterName], days: Sequence[str]
) -> list[str]:
    """Sentences on label maps of another year than any date.

    Parameters
    ----------
    labels : path, optional
        Of all dates; its name may say a year.
    of_years : mapping of int to path
        Of one year each.
    days : sequence of str
        The dates.
    """
    years = sorted({_year(day) for day in days})
    shown = " ".join(map(str, years))
    changed = "what has changed in between is labelled wrong"
    notes = [
        f"{source} is of {year}, and the dates are of {shown}: "
        + (changed if source == labels else "it serves none of them")
        for year, source in of_years.items()
        if year not in years
    ]
    year = None
    if labels is not None and labels not in of_years.values():
        year = year_in_name(labels)
    if year is not None and years and year not in years:
        notes.append(f"{labels} is of {year} by its name, and the dates are of {shown}: {changed}")
    return notes


def year_in_name(path: RasterName) -> int | None:
    """The year that the name of a label map says; None for none or several.

    >>> year_in_name("U2018_CLC2018_V2020_20u1.tif"), year_in_name("landcover-2021.tif")
    (2018, 2021)
    >>> year_in_name("from_2015_to_2020.tif"), year_in_name("corine.tif")
    (None, None)
    """
    name = Path(path).name
    for pattern in (_CLC_YEAR, _YEAR):
        found = set(pattern.findall(name))
        if found:
            return int(found.pop()) if len(found) == 1 else None
    return None


def water_of(nomenclature: Nomenclature) -> list[int]:
    """Codes of the classes of water, by their names or those of their classes of level 1.

    Raises
    ------
    InputError
        If there are none.
    """
    first = nomenclature.at(1).legend
    codes = [
        land_class.code
        for land_class in nomenclature.legend.classes
        if _WATER.search(land_class.name)
        or _WATER.search(first[nomenclature.ancestor(land_class.code, 1)].name)
    ]
    if not codes:
        raise InputError(
            f"no class of the labels is water by its name ({', '.join(nomenclature.legend.names)}"
            "); leave confirm_water=True out"
        )
    return codes


def require_water_bands(sensor: Sensor, bands: Sequence[str]) -> None:
    """Raise InputError unless images have the bands of the water index."""
    missing = [name for name in sensor.names_of(_WATER_PAIR) if name not in bands]
    if missing:
        raise InputError(
            f"confirm_water=True needs {' and '.join(sensor.names_of(_WATER_PAIR))}, and "
            f"{' '.join(missing)} is not among the bands {' '.join(bands)}; give it too, or leave "
            "confirm_water=True out"
        )


def keep_confirmed_water(
    labels: Path, nomenclature: Nomenclature, sensor: Sensor, source: Path, dates: Dates | None
) -> str:
    """Unlabel what labels call water and no date confirms; a sentence on how much that is.

    A pixel stays water where McFeeters' water index is above 0 at every date that is valid there,
    and one is: so a reservoir that is dry at one date, and the wide shores that coarse labels draw,
    are left out of what a model learns.

    Parameters
    ----------
    labels : path
        Class raster of the run, which is written again.
    nomenclature : Nomenclature
        Its classes: those of water are known by their names, or that of their class of level 1.
    sensor : Sensor
        Says which bands are green and near infrared.
    source : path
        Reflectance on the same grid.
    dates : Dates, optional
        The dates to ask, of a raster of several.
    """
    codes = water_of(nomenclature)
    pair = sensor.names_of(_WATER_PAIR)
    names = Dates(dates.days, pair).names if dates else pair
    grid = rasters.grid_of(labels)
    windows = list(grid.windows(rasters.window_px(len(names))))
    before = dropped = 0

    def confirmed(window: Window) -> np.ndarray:
        image = rasters.read(source, window, list(names))
        sequence = image.reshape(-1, 2, *image.shape[1:])
        valid = valid_dates(sequence)
        # the index is above 0 where green is brighter than near infrared
        return valid.any(axis=0) & ((sequence[:, 0] > sequence[:, 1]) | ~valid).all(axis=0)

    with class_writer(labels, grid, nomenclature.legend.subset(class_pixels(labels))) as out:
        for window in track(windows, "Confirming water"):
            own = rasters.read_classes(labels, window)
            water = np.isin(own, codes)
            wrong = water & ~confirmed(window) if water.any() else water
            before += int(water.sum())
            dropped += int(wrong.sum())
            out.write(np.where(wrong, UNLABELLED, own), window)
    share = f" ({100 * dropped / before:.1f} %)" if before else ""
    return (
        f"{labels.name}: {dropped:,} of {before:,} pixels of water{share} are unlabelled, because "
        "their NDWI is not above 0 at every valid date"
    )


def _year(day: str) -> int:
    return int(day[:4])
