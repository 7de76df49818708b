"""What changed, summed by patches and over the scene, with what the sums are worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from landcover.grid import Grid, Window
from landcover.legend import UNLABELLED, Legend
from landcover.maps import change
from landcover.reports.area_estimation import Z95

if TYPE_CHECKING:
    import geopandas


#: Why pixels are not compared: which date has no data there.
_REASONS = ("at the earlier date", "at the later date", "at both dates")


class Area(TypedDict):
    """An expected area with its 95 % interval."""

    area: float
    area_ci95: list[float]


class MappedArea(Area):
    """The same, and the area of the map."""

    mapped: float


_FromTo = TypedDict("_FromTo", {"from": int, "to": int})


class Transition(_FromTo, MappedArea):
    """What went from one class to another, and the share that the transition has of all."""

    share: float


class ChangedClass(TypedDict):
    """Areas of one class."""

    name: str
    before: float
    after: float
    lost: Area
    gained: Area


class Matrix(TypedDict):
    """Areas by class before (rows) and after (columns), expected and of the map."""

    codes: list[int]
    area: list[list[float]]
    mapped: list[list[float]]


class Change(TypedDict):
    """What change.json holds of areas, in `unit`."""

    unit: str
    pixels: int
    without_data: dict[str, int]
    total: float
    classes: list[dict[str, int | str]]
    changed: MappedArea
    maps_differ: float
    matrix: Matrix
    transitions: list[Transition]
    stayed: list[Transition]
    per_class: dict[str, ChangedClass]


class _Sums:
    """Expected hectares of all transitions, and variances: of each, of losses, gains, all change.

    Parameters
    ----------
    classes : int
        Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.expected, self.variance = np.zeros((2, classes, classes))
        self.lost, self.gained = np.zeros((2, classes))
        self.changed = 0.0

    def add(self, joint: Iterable[np.ndarray], ha: float) -> np.ndarray:
        """Add the pixels of a patch, each so large; the pixels expected of every transition."""
        expected = np.zeros_like(self.expected)
        gain: np.ndarray | float = 0.0
        lost: np.ndarray | float = 0.0
        for i, of_class in enumerate(joint):
            expected[i] = of_class.sum(axis=1, dtype=np.float64)
            self.variance[i] += change.variance_together(of_class) * ha**2
            of_class[i] = 0
            loss = of_class.sum(axis=0)
            self.lost[i] += change.variance_together(loss) * ha**2
            gain = gain + of_class
            lost = lost + loss
        self.expected += expected * ha
        self.gained += change.variance_together(np.asarray(gain)) * ha**2
        self.changed += float(change.variance_together(np.asarray(lost))) * ha**2
        return expected


class Tally:
    """Sums of a scene's transitions, patch by patch, in hectares.

    All pixels of a patch are taken to be as large on the ground as the one in its middle.

    Parameters
    ----------
    legend : Legend
        Classes.
    official : Legend
        All classes of their scheme and level: a code of the change raster counts their places.
    grid : Grid
        Of the scene.
    patch_px : int
        Side of a patch; those at the lower and right edge may be smaller.

    Attributes
    ----------
    codes : set of int
        Codes that the change raster holds.
    """

    def __init__(self, legend: Legend, official: Legend, grid: Grid, patch_px: int) -> None:
        self.legend, self.official = legend, official
        self.grid, self.patch_px = grid, patch_px
        self.codes: set[int] = set()
        classes = len(legend)
        self._rows: list[dict[str, int | float]] = []
        self._sums, self._whole = _Sums(classes), _Sums(classes)
        self._mapped = np.zeros((classes, classes))
        self._pixels, self._differ = 0, 0.0
        self._without = dict.fromkeys(_REASONS, 0)
        middles = (
            (first + np.minimum(first + patch_px, size) - 1) / 2
            for size in grid.shape
            for first in [np.arange(0, size, patch_px)]
        )
        self._pixel_ha = grid.pixel_areas_ha(*np.meshgrid(*middles, indexing="ij"))

    def add(
        self,
        window: Window,
        transitions: change.Transitions,
        probabilities: list[np.ndarray],
        likeness: np.ndarray,
        changed: np.ndarray,
        halves: change.Halves | None = None,
    ) -> np.ndarray:
        """Add a window of whole patches.

        Parameters
        ----------
        window : Window
            Where it is.
        transitions : Transitions
            Of the scene.
        probabilities : two arrays of float32, (classes, rows, cols)
            Probabilities of both dates; NaN where there are none.
        likeness : array of uint8, (rows, cols)
            How much alike the dates look.
        changed : array of float32, (rows, cols)
            Probability of change as the map takes it; NaN where there is none.
        halves : Halves, optional
            Of years, in which change has to hold.

        Returns
        -------
        array of uint16, (rows, cols)
            Codes of the change raster.
        """
        codes = np.full(changed.shape, UNLABELLED, np.uint16)
        self._count_without(probabilities, changed)
        for row in range(0, window.rows, self.patch_px):
            for col in range(0, window.cols, self.patch_px):
                part = np.s_[row : row + self.patch_px, col : col + self.patch_px]
                known = np.isfinite(changed[part])
                if known.any():
                    before, after = (s[:, *part][:, known] for s in probabilities)
                    parts = None if halves is None else halves.at(part, known)
                    of_patch = before, after, likeness[part][known], parts
                    stays = change.classes_that_stay(before, after)
                    differs = changed[part][known] > 0.5
                    places = change.decide(transitions.rows(*of_patch), differs, stays)
                    codes[part][known] = change.from_to(*places, self.legend, self.official)
                    differ = int((before.argmax(axis=0) != after.argmax(axis=0)).sum())
                    at = window.row + row, window.col + col
                    expected = self._sums.add(transitions.rows(*of_patch), self._ha(*at))
                    if parts is not None:  # what the halves deny counts in the bounds alone
                        whole = transitions.rows(before, after, likeness[part][known])
                        self._whole.add(whole, self._ha(*at))
                    self._add_patch(*at, expected, places, differ)
        self.codes |= set(np.unique(codes).tolist()) - {UNLABELLED}
        return codes

    def _count_without(self, probabilities: list[np.ndarray], changed: np.ndarray) -> None:
        """Count the pixels that are not compared, by reason."""
        before, after = (np.isfinite(of_date[0]) for of_date in probabilities)
        known = np.isfinite(changed)
        for reason, pixels in zip(
            _REASONS, (~before & after, before & ~after, ~before & ~after), strict=True
        ):
            self._without[reason] += int(np.count_nonzero(pixels & ~known))

    def _ha(self, row: int, col: int) -> float:
        """Hectares of a pixel of the patch that begins there."""
        return float(self._pixel_ha[row // self.patch_px, col // self.patch_px])

    def _add_patch(
        self,
        row: int,
        col: int,
        expected: np.ndarray,
        places: tuple[np.ndarray, np.ndarray],
        differ: int,
    ) -> None:
        """Add a patch's pixels to what is mapped, and its line to the table."""
        pixels, ha = places[0].size, self._ha(row, col)
        np.add.at(self._mapped, places, ha)
        self._pixels += pixels
        self._differ += differ * ha
        of_change = expected * ~np.eye(len(self.legend), dtype=bool)
        before, after = np.unravel_index(of_change.argmax(), of_change.shape)
        total = of_change.sum()
        self._rows.append(
            {
                "row": row,
                "col": col,
                "pixels": pixels,
                "class_before": self.legend.codes[int(expected.sum(axis=1).argmax())],
                "class_after": self.legend.codes[int(expected.sum(axis=0).argmax())],
                "change_probability": total / pixels,
                "mapped_change": float((places[0] != places[1]).mean()),
                "from": self.legend.codes[int(before)],
                "to": self.legend.codes[int(after)],
                "from_to_probability": of_change[before, after] / total,
            }
        )

    def patches(self) -> geopandas.GeoDataFrame:
        """A row and a square for each patch that has data."""
        import geopandas
        import shapely

        frame = geopandas.pd.DataFrame(self._rows)
        corners = frame[["row", "col"]].to_numpy()
        far = np.minimum(corners + self.patch_px, self.grid.shape)
        (west, north), (east, south) = (self.grid.xy(*(at - 0.5).T) for at in (corners, far))
        squares = shapely.box(west, south, east, north)
        return geopandas.GeoDataFrame(frame, geometry=squares, crs=self.grid.crs)

    def result(self) -> Change:
        """The sums as JSON takes them."""
        apart = ~np.eye(len(self.legend), dtype=bool)
        found = self._sums
        whole = self._whole if self._whole.expected.any() else found
        total = float(found.expected.sum())
        of_change, of_whole = found.expected * apart, whole.expected * apart

        def area(value: float, variance: float, other: float, of_other: float) -> Area:
            half, further = Z95 * variance**0.5, Z95 * of_other**0.5
            low, high = min(value - half, other - further), max(value + half, other + further)
            return {"area": value, "area_ci95": [max(0.0, low), min(total, high)]}

        cells: list[Transition] = [
            {
                "from": self.legend.codes[i],
                "to": self.legend.codes[j],
                **area(
                    float(found.expected[i, j]),
                    float(found.variance[i, j]),
                    float(whole.expected[i, j]),
                    float(whole.variance[i, j]),
                ),
                "mapped": float(self._mapped[i, j]),
                "share": float(found.expected[i, j] / total),
            }
            for i, j in np.ndindex(apart.shape)
        ]
        return {
            "unit": "ha",
            "pixels": self._pixels,
            "without_data": {reason: n for reason, n in self._without.items() if n},
            "total": total,
            "classes": [c.as_dict() for c in self.legend.classes],
            "changed": {
                **area(
                    float(of_change.sum()),
                    found.changed,
                    float(of_whole.sum()),
                    whole.changed,
                ),
                "mapped": float((self._mapped * apart).sum()),
            },
            "maps_differ": self._differ,
            "matrix": {
                "codes": list(self.legend.codes),
                "area": found.expected.tolist(),
                "mapped": self._mapped.tolist(),
            },
            "transitions": sorted(
                (c for c in cells if c["from"] != c["to"]), key=lambda c: -c["area"]
            ),
            "stayed": [c for c in cells if c["from"] == c["to"]],
            "per_class": {
                str(c.code): {
                    "name": c.name,
                    "before": float(found.expected[k].sum()),
                    "after": float(found.expected[:, k].sum()),
                    "lost": area(
                        of_change[k].sum(), found.lost[k], of_whole[k].sum(), whole.lost[k]
                    ),
                    "gained": area(
                        of_change[:, k].sum(),
                        found.gained[k],
                        of_whole[:, k].sum(),
                        whole.gained[k],
                    ),
                }
                for k, c in enumerate(self.legend.classes)
            },
        }
