"""The fields of reports, as JSON takes them.

Scores are shares from 0 to 1, kappa from -1 to 1; None where undefined. ``..._ci95`` are the lower
and upper end of a 95 % interval, None where the sample cannot tell one.
"""

from __future__ import annotations

from typing import NotRequired, TypeAlias, TypedDict

from landcover.files.atomic import Fields
from landcover.reports.refinement import Refinement

#: Both ends of an interval; None where there is none.
Interval: TypeAlias = list[float] | None


class Confusion(TypedDict):
    """Pixels by class: rows are the reference, columns the prediction, in the order of codes."""

    codes: list[int]
    matrix: list[list[int]]


class ClassName(TypedDict, total=False):
    """The name of a class, where a legend tells it."""

    name: str


class ClassShares(TypedDict):
    """Shares of one class, with their intervals."""

    precision: float | None
    precision_ci95: Interval
    recall: float | None
    recall_ci95: Interval
    f1: float | None
    f1_ci95: Interval
    jaccard: float | None
    jaccard_ci95: Interval


class ClassScores(ClassName, ClassShares):
    """Scores of one class."""

    support: int


class OverallScores(TypedDict):
    """Scores of all classes together."""

    overall_accuracy: float
    overall_accuracy_ci95: Interval
    balanced_accuracy: float
    balanced_accuracy_ci95: Interval
    macro_f1: float
    macro_f1_ci95: Interval
    macro_jaccard: float
    macro_jaccard_ci95: Interval
    kappa: float | None
    kappa_ci95: Interval


class Leak(TypedDict):
    """How much higher a split at random, or by polygons, scores than blocks on its pixels."""

    spatial_blocks: float
    difference: float | None
    ci95: Interval


class Scores(OverallScores):
    """Scores of a map or of a model's predictions; ``n_blocks`` is None for independent pixels."""

    n_test: int
    n_blocks: int | None
    per_class: dict[str, ClassScores]
    confusion: Confusion
    scored_on: NotRequired[str]
    leak: NotRequired[Leak]


class ZoneScores(TypedDict):
    """Overall accuracy of a part of the pixels."""

    n_test: int
    n_blocks: int | None
    overall_accuracy: float | None
    overall_accuracy_ci95: Interval


class Difference(TypedDict):
    """How much better one map is than another, and the share of resamples in which it is."""

    difference: float | None
    ci95: Interval
    share_a_better: float | None


class PixelTest(TypedDict):
    """McNemar's test on independent pixels."""

    statistic: float
    p_value: float
    exact: bool


class BlockTest(TypedDict):
    """McNemar's test on blocks of dependent pixels."""

    statistic: float
    p_value: float
    n_blocks: int


class PairedTests(TypedDict):
    """Pixels that one of two maps alone has right, and both tests of them."""

    first_only: int
    second_only: int
    pixels: PixelTest
    blocks: BlockTest | None


class Pair(TypedDict):
    """Differences of two models, a less b, by every score; `verdict` says it in words."""

    a: str
    b: str
    overall_accuracy: Difference
    balanced_accuracy: Difference
    macro_f1: Difference
    macro_jaccard: Difference
    kappa: Difference
    mcnemar: PairedTests
    verdict: str


class Overlap(TypedDict):
    """A scene that a model learnt from and that covers a share of the ground it maps."""

    run: str | None
    days: list[str]
    share: float


class Foreign(TypedDict):
    """Of a model that has not seen the scene: where it was trained, and on which scenes.

    ``scenes`` names those of a model of several runs. ``overlaps`` are scenes of other dates, or
    of other edges, that lie on the same ground in part.
    """

    home: str
    scenes: list[str]
    overlaps: list[Overlap]


class ForeignScore(Foreign):
    """The score on the whole scene of a model that has not seen it."""

    against: str
    n_test: int
    n_blocks: int | None
    overall_accuracy: float
    overall_accuracy_ci95: Interval


class Report(Scores):
    """reports/NAME.json of a model or a map; `scores` by what they are against.

    ``labels_of_years`` are the years whose own labels these are; without it, those of the run.
    """

    model: str
    against: str
    measure: str
    split: str
    scores: dict[str, Scores]
    seconds: dict[str, float]
    seed: int
    versions: dict[str, str]
    card: Fields
    calibration: NotRequired[Fields]
    foreign: NotRequired[Foreign]
    scenes: NotRequired[list[Fields]]
    labels_of_years: NotRequired[list[int]]


class BlockSizes(TypedDict):
    """Sizes of the blocks in pixels, and how far the labels that they were dealt by are alike."""

    block_px: int
    guard_px: int
    label_range_px: float | None


class MapDates(TypedDict):
    """The dates that a map shows, and how many of them are valid at a pixel on average.

    ``composite`` says how they became one scene, where the map is of that and not of each date.
    ``labels_of`` is the year whose own labels score the map; None of the labels of the run.
    """

    days: list[str]
    composite: str | None
    valid: float
    labels_of: int | None


class ComparedModel(TypedDict):
    """One model of a comparison: its scores, and how it came about.

    ``outside_share`` is that of its map outside its area of applicability, where that is known;
    ``foreign`` is of a model that has not seen the scene; ``dates`` is of maps of several dates.
    """

    name: str
    title: str
    scores: dict[str, Scores]
    levels: dict[str, OverallScores]
    zones: dict[str, ZoneScores]
    error_correlation: Fields | None
    calibration: Fields | None
    leaks: dict[str, Leak]
    polygon_leaks: dict[str, Leak]
    seconds: dict[str, float]
    seed: int
    versions: dict[str, str]
    card: Fields
    history: dict[str, list[float]]
    criterion: float | None
    criteria: tuple[float, float | None] | None
    outside_share: float | None
    foreign: ForeignScore | None
    dates: MapDates | None


class Lead(TypedDict):
    """How far the map of the highest criterion is ahead of the second."""

    second: str
    difference: float
    ci95: Interval


class LabelsAsMap(TypedDict):
    """How right the labels themselves are, and the best map beside them."""

    scores: Scores
    levels: dict[str, OverallScores]
    zones: dict[str, ZoneScores]
    best_map_beyond_labels: Difference


class Comparison(TypedDict):
    """comparison.json: the models, the best first, and every pair of them.

    ``pixel_m`` is the mean side of a pixel on the ground, where that is known. ``labels_from`` is
    what labels are drawn from, of `labels.origin`.
    """

    run: str
    against: str
    measure: str
    scored_on: str
    labels_from: str
    split: str
    blocks: BlockSizes
    pixel_m: float | None
    level: int
    n_test: int
    n_blocks: int | None
    seed: int
    best: str
    chosen_without_reference: str | None
    not_chosen_because: str
    lead: Lead | None
    models: list[ComparedModel]
    pairs: list[Pair]
    labels_against_reference: LabelsAsMap | None
    classes: list[dict[str, object]]
    made: dict[str, object]
    refinement: Refinement | None
    headline: NotRequired[str]
    left_out: NotRequired[list[str]]
    remarks: NotRequired[list[str]]
