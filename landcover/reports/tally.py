"""What maps hold, counted in one pass over the scene: all that reports and comparisons rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.class_rasters import class_areas_ha
from landcover.files.legends import legend_of
from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend, Nomenclature
from landcover.progress import track
from landcover.reports import accuracy
from landcover.reports import zones as breakdown
from landcover.samples.blocks import TEST
from landcover.samples.correlation import Thinned

if TYPE_CHECKING:
    from landcover.samples.blocks import Blocks

#: Layers that judge maps, the leading one first.
TRUTHS = ("reference", "labels")
#: Values of the rasters of errors; 0 where nothing is scored.
WRONG, RIGHT = 1, 2


@dataclass(frozen=True)
class Tally:
    """What several maps hold, counted in one pass over the scene.

    Attributes
    ----------
    codes : tuple of int
        Classes in the order of the confusion matrices; 0 first if a pixel was not predicted.
    nomenclature : Nomenclature
        The run's classes, at the level of these.
    legend : Legend
        The classes that occur anywhere.
    confusions : dict
        Against ("reference", "labels") -> model -> (test blocks, classes, classes).
        Against the reference the labels themselves are scored too, as model "labels"; they
        are wrong where they have a gap, as a map would be.
    areas : dict
        Layer ("reference", "labels" or model) -> class code -> hectares on the ground,
        in the whole scene.
    zones : dict
        Against -> model -> zone of `zones.ZONES` -> (test blocks, 2): scored pixels, right
        ones. Without labels there are no zones, and without a reference no mixed cells.
    reach_px : dict
        Reach of the borders, of the layer "labels", and sides of the cells, of "reference", in
        pixels down and across.
    right_together : array of int64, (test blocks, models, models)
        Pixels that two models both have right against the leading comparison, the reference
        where there is one; on the diagonal, those that one has right.
    errors : dict
        Model -> thinned raster of the test blocks, `WRONG` and `RIGHT` against the same.
    """

    codes: tuple[int, ...]
    nomenclature: Nomenclature
    legend: Legend
    confusions: dict[str, dict[str, np.ndarray]]
    areas: dict[str, dict[int, float]]
    zones: dict[str, dict[str, dict[str, np.ndarray]]]
    reach_px: dict[str, tuple[float, float]]
    right_together: np.ndarray
    errors: dict[str, Thinned]

    def only(self, first: str, second: str) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of each scored block that only the first, and that only the second has right."""
        names = list(self.errors)
        i, j = names.index(first), names.index(second)
        leading = next(iter(self.confusions.values()))
        scored = leading[first].any(axis=(1, 2))
        both, right = self.right_together[scored], self.right_together[scored].diagonal(0, 1, 2)
        return right[:, i] - both[:, i, j], right[:, j] - both[:, i, j]


def tally_maps(
    layers: Mapping[str, Path],
    scene: Path,
    blocks: Blocks,
    nomenclature: Nomenclature,
    zoned: bool = True,
    labels_of: Mapping[str, Path] | None = None,
) -> Tally:
    """Count classes of the scene, and all that is scored in its test blocks, by windows.

    A labelled pixel that a map leaves empty is an error, unless the scene itself
    has no data there: then it is not scored.

    Parameters
    ----------
    layers : mapping
        Class rasters by name: "reference" and "labels", as far as there are any, then the maps.
    scene : path
        The scene, whose grid every layer must have.
    blocks : Blocks
        Its blocks.
    nomenclature : Nomenclature
        What the classes of all layers are of.
    zoned : bool
        Whether labels are a map, whose borders and cells say something.
    labels_of : mapping, optional
        Labels that stand for "labels" where some maps are scored: those of their own year.

    Raises
    ------
    InputError
        If a layer lies on another grid or has classes of another scheme or level.
    """
    own = {name: str(path) for name, path in (labels_of or {}).items()}
    judges = {key: Path(key) for key in own.values()}
    grid = require_same_grid({**layers, **judges}, scene)
    areas = {layer: class_areas_ha(path) for layer, path in {**layers, **judges}.items()}
    _require_known(nomenclature, {**layers, **judges}, areas)
    held = {code for area in areas.values() for code in area}
    areas = {layer: areas[layer] for layer in layers}
    nomenclature = nomenclature.holding(held)
    require_same_classes(nomenclature, layers)
    legend = nomenclature.legend.subset(held)
    ids, position = _test_blocks(blocks)
    names = [layer for layer in layers if layer not in TRUTHS]
    counts = _Counts(list(layers), names, (UNLABELLED, *legend.codes), len(ids), grid, own)
    down, across = grid.spans_px(nomenclature.border_m)
    reach_px: dict[str, tuple[float, float]] = {
        "labels": (round(down), round(across)),
        "reference": grid.spans_px(nomenclature.cell_m),
    }
    windows = list(grid.windows(rasters.WINDOW_PX))
    for window in track(windows, "scoring test blocks"):
        pixels = _test_pixels(scene, blocks, position, window, layers, judges, reach_px)
        if pixels is not None:
            counts.add(pixels if zoned else replace(pixels, zones={}, own_zones={}))
    codes, confusions = _without_empty_zero(counts.codes, counts.confusions)
    return Tally(
        codes,
        nomenclature,
        legend,
        confusions,
        areas,
        counts.zones,
        reach_px,
        counts.right_together,
        counts.errors,
    )


def require_same_grid(layers: Mapping[str, Path], scene: Path) -> Grid:
    """The scene's grid, which every layer must have."""
    grid = rasters.grid_of(scene)
    for path in layers.values():
        grid.require_equal(rasters.grid_of(path), str(scene), str(path))
    return grid


@dataclass(frozen=True)
class _Pixels:
    """The test pixels of a window, in reading order.

    `test` marks them in the window; `block` is the position of each one's block among the test
    blocks; `codes` holds the classes by layer, `zones` which pixels lie in which zone, and
    `own_zones` the same by the labels of one year.
    """

    window: Window
    test: np.ndarray
    block: np.ndarray
    codes: dict[str, np.ndarray]
    zones: dict[str, np.ndarray]
    own_zones: dict[str, dict[str, np.ndarray]]


@dataclass
class _Counts:
    """What `Tally` holds, while it is counted."""

    layers: Sequence[str]
    names: Sequence[str]
    codes: tuple[int, ...]
    blocks: int
    grid: Grid
    own: Mapping[str, str]
    confusions: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    zones: dict[str, dict[str, dict[str, np.ndarray]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.truths = [layer for layer in TRUTHS if layer in self.layers]
        square = (self.blocks, len(self.codes), len(self.codes))
        for truth in self.truths:
            judged = [*self.names, "labels"] if truth != self.truths[-1] else self.names
            self.confusions[truth] = {layer: np.zeros(square, np.int64) for layer in judged}
            self.zones[truth] = {layer: {} for layer in judged}
        models = len(self.names)
        self.right_together = np.zeros((self.blocks, models, models), np.int64)
        self.errors = {name: Thinned(*self.grid.shape) for name in self.names}

    def add(self, pixels: _Pixels) -> None:
        """Count the pixels of a window."""
        for truth in self.truths:
            judges = {
                layer: self.own.get(layer, truth) if truth == "labels" else truth
                for layer in self.confusions[truth]
            }
            # all maps on the same pixels, whichever labels each one is scored by
            asked = set(judges.values()) or {truth}
            scored = np.logical_and.reduce([pixels.codes[of] != UNLABELLED for of in asked])
            block = pixels.block[scored]
            seen = np.flatnonzero(self._by_block(block))
            local = np.searchsorted(seen, np.arange(self.blocks))[block]
            right = {}
            for layer, judge in judges.items():
                reference, predicted = (pixels.codes[of][scored] for of in (judge, layer))
                right[layer] = predicted == reference
                self.confusions[truth][layer][seen] += accuracy.block_confusion(
                    reference, predicted, local, self.codes
                )
                zones = pixels.zones if judge == truth else pixels.own_zones.get(judge, {})
                for zone, inside in zones.items():
                    held = self.zones[truth][layer].setdefault(
                        zone, np.zeros((self.blocks, 2), np.int64)
                    )
                    held[:, 0] += self._by_block(block[inside[scored]])
                    held[:, 1] += self._by_block(block[inside[scored] & right[layer]])
            if truth == self.truths[0]:
                self._add_right(pixels, scored, block, [right[name] for name in self.names])

    def _add_right(
        self, pixels: _Pixels, scored: np.ndarray, block: np.ndarray, right: list[np.ndarray]
    ) -> None:
        """What every pair of models has right together, and where each one errs."""
        for i, (name, first) in enumerate(zip(self.names, right, strict=True)):
            for j, second in enumerate(right[: i + 1]):
                together = self._by_block(block[first & second])
                self.right_together[:, i, j] += together
                if i != j:
                    self.right_together[:, j, i] += together
            errors = np.zeros(pixels.test.shape, np.uint16)
            outcome = np.zeros(len(scored), np.uint16)
            outcome[scored] = np.where(first, RIGHT, WRONG)
            errors[pixels.test] = outcome
            self.errors[name].add(errors, pixels.window)

    def _by_block(self, block: np.ndarray) -> np.ndarray:
        return np.bincount(block, minlength=self.blocks)


def require_same_classes(nomenclature: Nomenclature, layers: Mapping[str, Path]) -> None:
    """Raise InputError if a map, by the legend that it holds, has other classes."""
    for name, path in layers.items():
        legend = legend_of(path) if name not in TRUTHS else None
        if legend is not None:
            nomenclature.require_like(legend, str(path), "the labels")


def _test_blocks(blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the test blocks, and the position of each id among them."""
    ids = blocks.test_blocks
    position = np.full(int(ids.max(initial=-1)) + 1, -1)
    position[ids] = np.arange(ids.size)
    return ids, position


def _test_pixels(
    scene: Path,
    blocks: Blocks,
    position: np.ndarray,
    window: Window,
    layers: Mapping[str, Path],
    judges: Mapping[str, Path],
    reach_px: Mapping[str, tuple[float, float]],
) -> _Pixels | None:
    """The test pixels of a window; None where there are none."""
    test = blocks.holds(window, TEST)
    if not test.any():
        return None
    classes: dict[str, np.ndarray] = {}
    zones: dict[str, dict[str, np.ndarray]] = {layer: {} for layer in (*TRUTHS, *judges)}
    for layer, path in {**layers, **judges}.items():
        if layer in zones:
            kind = "labels" if layer in judges else layer
            reach = reach_px[kind]
            margin = breakdown.whole_pixels(reach)
            wide = rasters.read_classes(path, window.padded(*margin))
            zones[layer] = _zones(kind, wide, window, test, reach)
            classes[layer] = wide[breakdown.without_margin(margin)][test]
        else:
            classes[layer] = rasters.read_classes(path, window)[test]
    mixed = zones["reference"] if "labels" in layers else {}
    return _Pixels(
        window,
        test,
        position[blocks.blocks_in(window)[test]],
        _where_scene_has_data(scene, window, test, classes, [*TRUTHS, *judges]),
        zones["labels"] | mixed,
        {judge: zones[judge] | mixed for judge in judges},
    )


def _zones(
    layer: str, wide: np.ndarray, window: Window, test: np.ndarray, reach: tuple[float, float]
) -> dict[str, np.ndarray]:
    """Which test pixels lie in the zones that a layer, read with a margin, decides."""
    if layer == "reference":
        return {"mixed": breakdown.mixed_cells(wide, window.row, window.col, reach)[test]}
    margin = breakdown.whole_pixels(reach)
    labelled = wide[breakdown.without_margin(margin)][test] != UNLABELLED
    border = breakdown.near_border(wide, margin)[test]
    return {"core": labelled & ~border, "border": labelled & border}


def _where_scene_has_data(
    scene: Path,
    window: Window,
    test: np.ndarray,
    pixels: dict[str, np.ndarray],
    judges: Sequence[str],
) -> dict[str, np.ndarray]:
    """Test pixels with labels taken away where the scene has none to predict from.

    The scene is read only where some layer is empty on a labelled pixel.
    """
    truths = [layer for layer in judges if layer in pixels]
    empty = np.any([values == UNLABELLED for values in pixels.values()], axis=0)
    labelled = np.any([pixels[layer] != UNLABELLED for layer in truths], axis=0)
    if not (empty & labelled).any():
        return pixels
    has_data = rasters.valid_pixels(rasters.read(scene, window))[test]
    return {layer: np.where(has_data, values, UNLABELLED) for layer, values in pixels.items()}


def _without_empty_zero(
    codes: tuple[int, ...], confusions: dict[str, dict[str, np.ndarray]]
) -> tuple[tuple[int, ...], dict[str, dict[str, np.ndarray]]]:
    """Drop class 0 from the matrices when every scored pixel was predicted by every layer."""
    every = [counts for by_model in confusions.values() for counts in by_model.values()]
    if any(counts[:, :, 0].any() for counts in every):
        return codes, confusions
    return codes[1:], {
        truth: {layer: counts[:, 1:, 1:] for layer, counts in by_model.items()}
        for truth, by_model in confusions.items()
    }


def _require_known(
    nomenclature: Nomenclature, layers: Mapping[str, Path], areas: Mapping[str, Mapping[int, float]]
) -> None:
    """Raise InputError for a class raster with codes that no level of some classes has."""
    known = {code for legend in nomenclature.levels for code in legend.codes}
    for layer, held in areas.items():
        unknown = sorted(held.keys() - known)
        if unknown:
            raise InputError(
                f"{layers[layer]} holds class codes {', '.join(map(str, unknown[:8]))}, which "
                f"{nomenclature.title} lacks; make it again, or remove it"
            )
