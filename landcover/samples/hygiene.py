"""Which training samples are left out before a model learns, by rules that a user chooses.

Validation and test samples stay as they are: leaving out what is hard there would only make the
scores look better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from landcover.errors import InputError
from landcover.samples.rows import Rows
from landcover.samples.stacked import SCENE

#: Fewer samples of a class say too little of what is usual in it.
LEAST_JUDGED = 20
#: Share of a class's variance that its principal components hold at least.
EXPLAINED = 0.95
#: A median absolute deviation times this is the standard deviation of normal values.
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Hygiene:
    """What is left out of the training samples; nothing by default.

    Attributes
    ----------
    outliers : float, optional
        Samples of which an input lies more than this many robust deviations from the median of
        its class: 1.4826 median absolute deviations each. Iglewicz and Hoaglin (1993), How to
        detect and handle outliers, take 3.5.
    pca_outliers : float, optional
        Samples that the principal components of their class give back badly. Of standardised
        inputs as many components are taken as hold 95 % of the variance, and not all; the length
        of what is left lies more than this many robust deviations above its median (after
        Jackson and Mudholkar 1979, doi:10.1080/00401706.1979.10489779).
    min_distance_m : float, optional
        Samples nearer to another one than this, metres on the ground. Those of rare classes are
        kept first.
    balance : bool
        Samples drawn at random of every class that has more than the median class.
    """

    outliers: float | None = None
    pca_outliers: float | None = None
    min_distance_m: float | None = None
    balance: bool = False

    def __post_init__(self) -> None:
        for name in ("outliers", "pca_outliers", "min_distance_m"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value < np.inf):
                raise InputError(f"{name}={value} is out of range; give a number above 0")

    @classmethod
    def take(cls, choices: Mapping[str, object]) -> tuple[Hygiene, dict[str, object]]:
        """What choices say of it, and the other choices.

        >>> Hygiene.take({"balance": True, "epochs": 3})[1]
        {'epochs': 3}
        """
        names = {field.name for field in fields(cls)}
        own = {name: value for name, value in choices.items() if name in names}
        return cls(**own), {k: v for k, v in choices.items() if k not in names}  # type: ignore[arg-type]

    def clean(
        self, rows: Rows, values: Callable[[np.ndarray], np.ndarray],
        pixel_m: Sequence[tuple[float, float]], seed: int,
    ) -> Rows:  # fmt: skip
        """Rows with fewer training rows.

        Parameters
        ----------
        rows : Rows
            Of the sample table.
        values : callable
            Positions of rows to their inputs (rows, inputs).
        pixel_m : sequence of (float, float)
            Width and height of a pixel on the ground, of each scene.
        seed : int
            Of what is drawn at random.

        Returns
        -------
        Rows
            Their `hygiene` says what was left out of each class. A random split of them is
            cleaned in the same way.

        Raises
        ------
        InputError
            If no sample of a class is left.
        """
        if self == Hygiene():
            return rows
        rng = np.random.default_rng([seed, 4])
        steps = {
            "outliers": lambda part: outliers(values(part), rows.targets(part), self.outliers),
            "pca_outliers": lambda part: badly_given_back(
                values(part), rows.targets(part), self.pca_outliers
            ),
            "min_distance_m": lambda part: too_near(
                places(rows, part, pixel_m), rows.targets(part), self.min_distance_m, rng
            ),
            "balance": lambda part: above_median(rows.targets(part), rng),
        }
        kept, counts = rows.train, {}
        for name, leaves_out in steps.items():
            if not getattr(self, name):
                continue
            left_out = leaves_out(kept)
            counts[name] = _by_class(rows, kept[left_out])
            _require_every_class(rows, kept, kept[~left_out], f"{name}={getattr(self, name)}")
            kept = kept[~left_out]
        return replace(
            rows,
            train=kept,
            left_out=np.setdiff1d(rows.train, kept),
            hygiene=asdict(self) | {"left_out": counts},
            clean=lambda split: self.clean(split, values, pixel_m, seed),
        )


def outliers(values: np.ndarray, targets: np.ndarray, limit: float | None) -> np.ndarray:
    """Whether an input of a row lies far from what is usual in its class; see `Hygiene`.

    Parameters
    ----------
    values : array of float, (rows, inputs)
        NaN counts as usual, and so does an input that half of the class has the same value of.
    targets : array of int, (rows,)
        Classes.
    limit : float
        Robust deviations from the median.

    Examples
    --------
    >>> values = np.append(np.arange(30.0), 90)[:, np.newaxis]
    >>> np.flatnonzero(outliers(values, np.zeros(31, int), 3.5))
    array([30])
    """
    return _per_class(values, targets, lambda own: (np.abs(robust_z(own)) > limit).any(axis=1))


def badly_given_back(values: np.ndarray, targets: np.ndarray, limit: float | None) -> np.ndarray:
    """Whether the principal components of its class give a row back badly; see `Hygiene`.

    Parameters are those of `outliers`; rows with NaN count as usual.
    """

    def judge(own: np.ndarray) -> np.ndarray:
        known = np.isfinite(own).all(axis=1)
        found = np.zeros(len(own), bool)
        if known.sum() >= LEAST_JUDGED:
            found[known] = robust_z(residuals(own[known])[:, np.newaxis])[:, 0] > limit
        return found

    return _per_class(values, targets, judge)


def residuals(values: np.ndarray) -> np.ndarray:
    """Length of what the principal components of rows (rows, inputs) leave of each."""
    spread = values.std(axis=0)
    at = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)
    variances, vectors = np.linalg.eigh(at.T @ at)
    share = np.cumsum(variances[::-1]) / max(variances.sum(), np.finfo(float).tiny)
    held = min(int(np.searchsorted(share, EXPLAINED)) + 1, len(share) - 1)
    return np.linalg.norm(at @ vectors[:, : len(share) - held], axis=1)


def robust_z(values: np.ndarray) -> np.ndarray:
    """Robust deviations of rows (rows, inputs) from the median of each input; 0 if it has none."""
    from_median = values - np.nanmedian(values, axis=0)
    mad = np.nanmedian(np.abs(from_median), axis=0) * _MAD_TO_DEVIATION
    found = np.divide(from_median, mad, out=np.zeros_like(from_median), where=mad > 0)
    return np.nan_to_num(found)


def too_near(
    at: np.ndarray, targets: np.ndarray, distance: float | None, rng: np.random.Generator
) -> np.ndarray:
    """Whether a row lies nearer than a distance to one that is kept.

    Rows are kept in a random order, those of the rarest class first.

    Parameters
    ----------
    at : array of float, (rows, dimensions)
        Where they lie.
    targets : array of int, (rows,)
        Classes.
    distance : float
        In the unit of `at`; rows just as far apart are both kept.
    rng : numpy Generator
        Of the order.

    >>> rng = np.random.default_rng(0)
    >>> too_near(np.array([[0.0], [9], [20]]), np.array([0, 1, 0]), 10, rng)
    array([ True, False, False])
    """
    from scipy.spatial import cKDTree

    _, index, counts = np.unique(targets, return_inverse=True, return_counts=True)
    order = np.lexsort([rng.permutation(len(at)), index, counts[index]])
    tree, left_out = cKDTree(at), np.zeros(len(at), bool)
    reach = np.nextafter(float(distance or 0), 0)
    for row in order:
        if not left_out[row]:
            left_out[tree.query_ball_point(at[row], reach)] = True
            left_out[row] = False
    return left_out


def above_median(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether a row is above the number of the median class, drawn at random.

    >>> found = above_median(np.repeat([0, 1, 2], [50, 10, 4]), np.random.default_rng(0))
    >>> np.bincount(np.repeat([0, 1, 2], [50, 10, 4])[~found])
    array([10, 10,  4])
    """
    _, counts = np.unique(targets, return_counts=True)
    most = int(np.ceil(np.median(counts)))
    left_out = np.zeros(len(targets), bool)
    for code in np.unique(targets):
        left_out[rng.permutation(np.flatnonzero(targets == code))[most:]] = True
    return left_out


def places(rows: Rows, part: np.ndarray, pixel_m: Sequence[tuple[float, float]]) -> np.ndarray:
    """Where rows lie in metres, (rows, 3); those of different scenes lie far apart."""
    table = rows.samples.iloc[part]
    scene = table[SCENE].to_numpy() if SCENE in table else np.zeros(len(part), np.int64)
    width, height = np.asarray(pixel_m, float)[scene].T
    row, col = table["row"].to_numpy(), table["col"].to_numpy()
    return np.stack([row * height, col * width, scene * 1e9], axis=1)


def sentences(rows: Rows) -> list[str]:
    """What was left out of training rows, by rule and class."""
    counts = rows.hygiene["left_out"] if rows.hygiene else {}
    names = {str(c.code): c.name for c in rows.legend.classes}
    return [
        f"{name}={rows.hygiene[name]} leaves out {sum(found.values()):,} training samples: "
        + (", ".join(f"{n:,} of {code} {names[code]}" for code, n in found.items()) or "none")
        for name, found in counts.items()
    ]


def _per_class(
    values: np.ndarray, targets: np.ndarray, judge: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """What is said of rows by their class; nothing where it has few of them."""
    found = np.zeros(len(values), bool)
    for code in np.unique(targets):
        own = np.flatnonzero(targets == code)
        if len(own) >= LEAST_JUDGED:
            found[own] = judge(values[own].astype(np.float64))
    return found


def _by_class(rows: Rows, part: np.ndarray) -> dict[str, int]:
    codes, counts = np.unique(rows.legend.code(rows.targets(part)), return_counts=True)
    return {str(code): int(n) for code, n in zip(codes, counts, strict=True)}


def _require_every_class(rows: Rows, before: np.ndarray, after: np.ndarray, rule: str) -> None:
    lost = np.setdiff1d(rows.targets(before), rows.targets(after))
    if len(lost):
        codes = ", ".join(map(str, rows.legend.code(lost)))
        raise InputError(
            f"{rule} leaves no training sample of class {codes}; choose a milder rule, or draw "
            "more samples"
        )
