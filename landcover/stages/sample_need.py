"""What of a run hints at errors of a map: its confidence, other maps, its applicability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landcover.classifiers.names import model_of
from landcover.errors import MissingProduct, typed
from landcover.files import rasters
from landcover.grid import Window
from landcover.legend import Nomenclature
from landcover.reports.need import need
from landcover.run import Run
from landcover.stages import store
from landcover.stages.run_legend import nomenclature_of_map

#: Band of NAME_applicability.tif that is 1 where the training data reach.
_INSIDE = "inside"


@dataclass(frozen=True)
class Hints:
    """The rasters of a run that hint at errors of one of its maps.

    Attributes
    ----------
    path : Path
        The map.
    nomenclature : Nomenclature
        Its classes.
    others : dict of Path to Nomenclature
        Maps of other models with the same label scheme, and their classes.
    confidence, applicability : Path or None
        Of the map.
    """

    path: Path
    nomenclature: Nomenclature
    others: dict[Path, Nomenclature]
    confidence: Path | None
    applicability: Path | None

    @classmethod
    def of(cls, run: Run, name: str) -> Hints:
        """The hints of a run on the map of a model.

        Raises
        ------
        LandcoverError
            If there is none, or a raster is on another grid than the map.
        """
        path = run.map(name)
        nomenclature = nomenclature_of_map(run, path)
        others = {
            run.map(other): nomenclature_of_map(run, run.map(other))
            for other in store.mapped_models(path.parent)
            if model_of(other) != model_of(name)
        }
        alike = {p: held for p, held in others.items() if held.levels == nomenclature.levels}
        applicability = path.with_name(f"{name}_applicability.tif")
        beside = (run.confidence(name), applicability)
        hints = cls(path, nomenclature, alike, *(p if p.exists() else None for p in beside))
        if not hints.paths:
            raise MissingProduct(
                f"{run.path} has neither {beside[0].name} nor the map of another model, so "
                f"nothing tells where points help; map the scene again with: "
                f"landcover map {typed(run.path)} --model {name}; or draw without where_it_helps="
            )
        grid = rasters.grid_of(path)
        for found in hints.paths:
            grid.require_equal(rasters.grid_of(found), str(path), str(found))
        return hints

    @property
    def paths(self) -> list[Path]:
        """The rasters that hint."""
        return [*filter(None, (self.confidence, self.applicability)), *self.others]

    def need(self, codes: np.ndarray, window: Window) -> np.ndarray:
        """Percent of need of a window, from the map's own codes there."""
        guesses = []
        if self.confidence is not None:
            guesses.append(1 - rasters.read(self.confidence, window, 1)[0] / 100)
        if self.others:
            guesses.append(np.mean([self._differ(codes, p, window) for p in self.others], axis=0))
        if self.applicability is None:
            return need(guesses)
        return need(guesses, ~(rasters.read(self.applicability, window, _INSIDE)[0] > 0))

    def _differ(self, codes: np.ndarray, other: Path, window: Window) -> np.ndarray:
        """Where another map says another class, at the coarser level of both."""
        level = min(self.nomenclature.level, self.others[other].level)
        theirs = self.others[other].coarser(rasters.read_classes(other, window), level)
        return theirs != self.nomenclature.coarser(codes, level)
