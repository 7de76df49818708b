"""Labels, reference and training polygons of a scene: what they mean, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files.raster_names import RasterName
from landcover.grid import Grid
from landcover.labels.crosswalks import Crosswalk, crosswalk
from landcover.labels.detail import as_drawn, least_region_ha
from landcover.labels.interpolated import require_drawn
from landcover.labels.on_grid import (
    became,
    cell_size_m,
    read_values,
    require_overlap,
    write_classes,
)
from landcover.labels.origin import POLYGONS, RASTER, RASTER_AND_POLYGONS
from landcover.labels.polygons import ClassPolygons
from landcover.labels.recognition import known_schemes, recognise_both, recognise_each
from landcover.labels.schemes import Coding, LabelScheme
from landcover.legend import Nomenclature, corine
from landcover.run import Run
from landcover.stages.prepare_polygons import TrainingPolygons, titled, write_labels

if TYPE_CHECKING:
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry


#: How labels of one year are called beside ``labels``.
_OF_YEAR = "labels_of_"


@dataclass(frozen=True)
class Asked:
    """What is asked for of classes; the attributes are arguments of `prepare`."""

    scheme: LabelScheme | None = None
    reference_scheme: LabelScheme | None = None
    to: LabelScheme | None = None
    level: int | None = None
    polygons: TrainingPolygons | None = None


@dataclass
class Written:
    """What was written of classes.

    Attributes
    ----------
    nomenclature : Nomenclature
        The classes of the run, with the sizes that the labels show.
    products : list of Path
        Rasters and styles.
    became : dict
        For the manifest: the scheme of each source, and what its values became.
    notes : list of str
        What is left out, and what scores are against.
    """

    nomenclature: Nomenclature
    products: list[Path] = field(default_factory=list)
    became: dict[str, dict[str, object]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Classes:
    """The classes that a scene gets, read and understood before anything is written.

    Attributes
    ----------
    grid : Grid
        Of the scene.
    sources : dict
        Class rasters by name, ``labels`` first.
    values : dict
        Distinct values of each.
    codings : dict
        What they mean.
    walks : dict
        How they come to another scheme, if they do.
    nomenclature : Nomenclature
        The classes of the run.
    led : ClassPolygons, optional
        Training polygons.
    """

    grid: Grid
    sources: Mapping[str, RasterName]
    values: Mapping[str, set[float]]
    codings: Mapping[str, Coding]
    walks: Mapping[str, Crosswalk]
    nomenclature: Nomenclature
    led: ClassPolygons | None

    @classmethod
    def read(
        cls,
        grid: Grid,
        labels: RasterName | None,
        reference: RasterName | None,
        asked: Asked,
        of_years: Mapping[int, RasterName] | None = None,
    ) -> Classes:
        """Read which values there are, and tell what they mean.

        Parameters
        ----------
        grid : Grid
            Of the scene.
        labels, reference : path, optional
            Class rasters.
        asked : Asked
            What the user says of them.
        of_years : mapping of int to path, optional
            Labels of one year each, beside `labels`.

        Raises
        ------
        LandcoverError
            If a raster lies elsewhere, fits no scheme or several, or has no crosswalk.
        """
        both = {"labels": labels, "reference": reference}
        sources = {name: source for name, source in both.items() if source is not None}
        sources |= {f"{_OF_YEAR}{year}": source for year, source in (of_years or {}).items()}
        if asked.to and not sources:
            raise InputError(
                f"to={asked.to.name} brings a label raster to another scheme; give labels="
            )
        for source in sources.values():
            require_overlap(source, grid)
            require_drawn(source, grid)
        values = {name: read_values(source, grid) for name, source in sources.items()}
        codings, walks = _understood(sources, values, asked)
        nomenclature = _nomenclature(codings, asked)
        led = None
        if asked.polygons:
            beside = nomenclature if sources else None
            led = asked.polygons.read(grid, beside, None if asked.to else asked.scheme, asked.level)
        if led and not sources:
            nomenclature = led.nomenclature
        elif not known_schemes(nomenclature):  # nobody but the raster says how large its cells are
            of_labels = next(iter(sources.values()), None)
            side_m = cell_size_m(of_labels, grid) if of_labels else np.mean(grid.pixel_size_m)
            nomenclature = nomenclature.in_cells_of(float(side_m))
        return cls(grid, sources, values, codings, walks, nomenclature, led)

    def write(self, run: Run, area: BaseGeometry | None) -> Written:
        """Write them on the scene's grid.

        Parameters
        ----------
        run : Run
            Run folder.
        area : shapely geometry, optional
            Outside it there are no classes.

        Raises
        ------
        LandcoverError
            If fewer than two classes lie within the scene, or a crosswalk loses most of them.
        """
        found = Written(self.nomenclature)
        for name, source in self.sources.items():
            products, pixels = write_classes(
                _path(run, name),
                source,
                self.grid,
                area,
                self.codings[name],
                self.nomenclature,
                self.values[name],
            )
            found.products += products
            found.became[name] = {
                "scheme": self.codings[name].scheme.name,
                "values": became(pixels, self.codings[name], self.nomenclature),
            }
            if name in self.walks:
                own = self.nomenclature
                level = f", level {own.level}" if len(own.levels) > 1 else ""
                found.became[name]["to"] = own.name + level
                found.notes += self.walks[name].notes(pixels, str(source))
        if self.sources:  # only now it shows how fine they are drawn
            name, source = next(iter(self.sources.items()))
            cell_m, least_ha = cell_size_m(source, self.grid), least_region_ha(_path(run, name))
            found.nomenclature = as_drawn(self.nomenclature, cell_m, least_ha)
        if self.led:
            products, said = write_labels(run, self.led, area)
            found.products = list(dict.fromkeys([*found.products, *products]))
            found.notes += said
            found.became["polygons"] = self.led.became
            found.nomenclature = titled(found.nomenclature, "labels" in self.sources)
        return found

    @property
    def labels_from(self) -> str | None:
        """What the labels are drawn from, for the manifest."""
        of_raster = "labels" in self.sources
        if self.led is None:
            return RASTER if of_raster else None
        return RASTER_AND_POLYGONS if of_raster else POLYGONS


def _path(run: Run, name: str) -> Path:
    """Where a class raster goes in a run."""
    if name.startswith(_OF_YEAR):
        return run.labels_of_year(int(name.removeprefix(_OF_YEAR)))
    return run.labels if name == "labels" else run.reference


def _understood(
    sources: Mapping[str, RasterName], values: Mapping[str, set[float]], asked: Asked
) -> tuple[dict[str, Coding], dict[str, Crosswalk]]:
    """What the values of rasters mean, and how they come to another scheme."""
    if not asked.to and not asked.reference_scheme:
        return recognise_both(sources, values, asked.scheme, asked.level), {}
    own: dict[str, LabelScheme | None] = dict.fromkeys(sources, asked.scheme)
    own["reference"] = asked.reference_scheme or asked.scheme
    codings = recognise_each(sources, values, own)
    if not asked.to:
        _require_same_classes(codings)
        return codings, {}
    walks = {name: crosswalk(coding, asked.to, asked.level) for name, coding in codings.items()}
    for name, walk in walks.items():
        walk.require_classes(values[name], str(sources[name]))
    return {name: walk.coding for name, walk in walks.items()}, walks


def _require_same_classes(codings: Mapping[str, Coding]) -> None:
    """Raise InputError if labels and reference are of other classes."""
    held = {name: coding.nomenclature for name, coding in codings.items()}
    if len({nomenclature.levels for nomenclature in held.values()}) > 1:
        titles = " and ".join(f"{name} of {one.title}" for name, one in held.items())
        raise InputError(
            f"{titles} have other classes; bring both to one scheme with to=NAME, such as "
            f"to={held['reference'].name}"
        )


def _nomenclature(codings: Mapping[str, Coding], asked: Asked) -> Nomenclature:
    """The classes of the run at the level asked for, or the finest that all rasters have."""
    held, level = [coding.nomenclature for coding in codings.values()], asked.level
    if not held:
        own = asked.scheme.nomenclature if asked.scheme else corine()
        return own if level is None else own.at(level)
    return held[0].at(min(one.level for one in held) if level is None else level)
