"""Estimators against both papers' examples, every possible sample, jackknife and coverage."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import LandcoverError
from landcover.legend import Legend
from landcover.reports.area_estimation import Design, allocate, estimate, join_rare, ratio

# Olofsson et al. (2014), section 5 and Tables 8 and 9: deforestation, forest gain, stable forest,
# stable non-forest; rows are the map.
COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED_PX = {1: 200_000, 2: 150_000, 3: 3_200_000, 4: 6_450_000}
HA_PER_PX = 0.09

# Stehman (2014), Table 2: ten units of each of four strata. The table was taken from two public
# implementations that reproduce the paper; they agree with each other.
STRATA = np.repeat([1, 2, 3, 4], 10)
SIZES = {1: 40_000, 2: 30_000, 3: 20_000, 4: 10_000}
MAP = np.array(["ABCD".index(c) + 1 for c in "AAAAAAABBBABBBBBBBBBBBCCCCCCBBDDDDDDDDDD"])
TRUE = np.array(["ABCD".index(c) + 1 for c in "AAAAACBABCABBBBBAABBCCCCCDDBBADDDDDDDCCB"])
A, B, C, D = "1234"


def units_of(counts):
    """Mapped and reference class of each unit of an error matrix with rows = map."""
    mapped, reference = (
        np.repeat(side.ravel() + 1, counts.ravel()) for side in np.indices(counts.shape)
    )
    return mapped, reference


@pytest.fixture(scope="module")
def olofsson():
    mapped, reference = units_of(COUNTS)
    return estimate(reference, mapped, mapped, MAPPED_PX)


@pytest.fixture(scope="module")
def stehman():
    return estimate(TRUE, MAP, STRATA, SIZES)


def column(found, name):
    return [scores[name] for scores in found["per_class"].values()]


def test_olofsson_accuracies(olofsson):
    assert olofsson["overall_accuracy"] == pytest.approx(0.95, abs=0.005)
    assert 1.96 * olofsson["overall_accuracy_se"] == pytest.approx(0.02, abs=0.005)
    assert column(olofsson, "users_accuracy") == pytest.approx([0.88, 0.73, 0.93, 0.96], abs=0.005)
    assert 1.96 * np.array(column(olofsson, "users_accuracy_se")) == pytest.approx(
        [0.07, 0.10, 0.04, 0.02], abs=0.005
    )
    assert column(olofsson, "producers_accuracy") == pytest.approx(
        [0.75, 0.85, 0.93, 0.96], abs=0.005
    )
    # The paper prints 0.23 and 0.01 for the second and fourth: its equation 7 gives 0.25 and 0.02
    assert 1.96 * np.array(column(olofsson, "producers_accuracy_se")) == pytest.approx(
        [0.21, 0.25, 0.03, 0.02], abs=0.005
    )


def test_olofsson_areas(olofsson):
    total_ha = olofsson["population_px"] * HA_PER_PX
    areas = np.array(column(olofsson, "area_share")) * total_ha
    halves = 1.96 * np.array(column(olofsson, "area_share_se")) * total_ha
    assert np.rint(areas).tolist() == [21_158, 11_686, 285_770, 581_386]
    # The paper leaves out the finite population correction, which makes up to 0.6 ha
    assert halves == pytest.approx([6_158, 3_756, 15_510, 16_282], abs=1)
    low, high = olofsson["per_class"]["1"]["area_share_ci95"]
    assert (low * total_ha, high * total_ha) == pytest.approx((15_000, 27_315), abs=1)


def test_olofsson_matrix_of_proportions(olofsson):
    proportions = np.array(olofsson["confusion"]["proportions"])
    weights = np.array(list(MAPPED_PX.values())) / sum(MAPPED_PX.values())
    expected = weights[:, None] * COUNTS / COUNTS.sum(axis=1, keepdims=True)
    assert pytest.approx(expected) == proportions.T
    assert proportions.T[0].round(4).tolist() == [0.0176, 0, 0.0013, 0.0011]
    assert olofsson["confusion"]["counts"] == COUNTS.T.tolist()


def test_stehman_worked_example(stehman):
    classes = stehman["per_class"]
    assert stehman["overall_accuracy"] == pytest.approx(0.63)
    assert stehman["overall_accuracy_se"] == pytest.approx(0.085, abs=5e-4)
    assert classes[A]["area_share"] == pytest.approx(0.35)
    assert classes[A]["area_share_se"] == pytest.approx(0.082, abs=5e-4)
    assert classes[C]["area_share"] == pytest.approx(0.20)
    assert classes[C]["area_share_se"] == pytest.approx(0.064, abs=5e-4)
    assert classes[B]["users_accuracy"] == pytest.approx(0.574, abs=5e-4)
    assert classes[B]["users_accuracy_se"] == pytest.approx(0.125, abs=5e-4)
    assert classes[B]["producers_accuracy"] == pytest.approx(0.794, abs=5e-4)
    assert stehman["confusion"]["proportions"][2][1] == pytest.approx(0.08)  # mapped B, truly C


def test_stehman_producers_error_is_misprinted(stehman):
    """The paper prints 0.114, by taking the variance of x in the fourth stratum as 0.

    Its own Table 3 has 0.1 there, and with it equation 28 gives 0.117.
    """
    assert stehman["per_class"][B]["producers_accuracy_se"] == pytest.approx(0.1165, abs=5e-5)
    share = stehman["per_class"][B]["producers_accuracy"]
    is_b = TRUE == 2
    residual = (is_b & (MAP == 2)) - share * is_b
    assert is_b[STRATA == 4].var(ddof=1) == pytest.approx(0.1)

    def error(strata):
        terms = [
            SIZES[h] ** 2 * (1 - 10 / SIZES[h]) * residual[h == STRATA].var(ddof=1) / 10
            for h in strata
        ]
        return np.sqrt(sum(terms)) / sum(SIZES[h] * is_b[h == STRATA].mean() for h in SIZES)

    assert error((1, 2, 3)) == pytest.approx(0.114, abs=5e-4)
    assert error((1, 2, 3, 4)) == pytest.approx(stehman["per_class"][B]["producers_accuracy_se"])


def olofsson_by_formula(counts, sizes):
    """Equations 1-7, 9 and 10 of Olofsson et al. (2014) as they are printed, with loops."""
    n, large = counts.sum(1), np.asarray(sizes, float)
    weight, q = large / large.sum(), len(n)
    p = weight[:, None] * counts / n[:, None]
    users = np.diag(counts) / n
    v_overall = sum(weight[i] ** 2 * users[i] * (1 - users[i]) / (n[i] - 1) for i in range(q))
    v_users = users * (1 - users) / (n - 1)
    v_producers, v_area = np.zeros(q), np.zeros(q)
    producers = np.diag(p) / p.sum(0)
    for j in range(q):
        total = sum(large[i] * counts[i, j] / n[i] for i in range(q))
        own = large[j] ** 2 * (1 - producers[j]) ** 2 * users[j] * (1 - users[j]) / (n[j] - 1)
        others = sum(
            large[i] ** 2 * counts[i, j] / n[i] * (1 - counts[i, j] / n[i]) / (n[i] - 1)
            for i in range(q)
            if i != j
        )
        v_producers[j] = (own + producers[j] ** 2 * others) / total**2
        v_area[j] = sum((weight[i] * p[i, j] - p[i, j] ** 2) / (n[i] - 1) for i in range(q))
    return {
        "overall_accuracy": ([np.diag(p).sum()], [v_overall]),
        "users_accuracy": (users, v_users),
        "producers_accuracy": (producers, v_producers),
        "area_share": (p.sum(0), v_area),
    }


@given(
    st.lists(st.integers(0, 20), min_size=9, max_size=9),
    st.lists(st.integers(1, 10**6), min_size=3, max_size=3),
)
def test_strata_that_are_the_classes_give_olofsson(cells, sizes):
    counts = np.array(cells).reshape(3, 3) + 1
    large = 10**6 * np.array(sizes)  # so large that no correction for a finite population is left
    mapped, reference = units_of(counts)
    found = estimate(reference, mapped, mapped, dict(zip((1, 2, 3), large.tolist(), strict=True)))
    for name, (shares, variances) in olofsson_by_formula(counts, large).items():
        overall = name == "overall_accuracy"
        values = [found[name]] if overall else column(found, name)
        errors = [found[f"{name}_se"]] if overall else column(found, f"{name}_se")
        assert values == pytest.approx(np.asarray(shares), rel=1e-9)
        assert errors == pytest.approx(np.sqrt(variances), rel=1e-3, abs=1e-9)


def test_one_stratum_is_simple_random_sampling():
    rng = np.random.default_rng(0)
    reference, mapped = rng.integers(1, 4, (2, 300))
    found = estimate(reference, mapped, np.zeros(300, int), {0: 9_000})
    right = reference == mapped
    p = right.mean()
    assert found["overall_accuracy"] == pytest.approx(p)
    assert found["overall_accuracy_se"] == pytest.approx(
        np.sqrt((1 - 300 / 9_000) * p * (1 - p) / 299)
    )
    assert column(found, "users_accuracy") == pytest.approx(
        [right[mapped == code].mean() for code in (1, 2, 3)]
    )
    assert column(found, "area_share") == pytest.approx(np.bincount(reference)[1:] / 300)


def test_estimates_are_exactly_unbiased_over_every_possible_sample():
    """All samples of a small population: means, and variances with the finite correction."""
    truth = [np.array([1, 1, 2, 1, 3]), np.array([2, 2, 1, 3])]
    maps = [np.array([1, 1, 1, 2, 1]), np.array([2, 3, 2, 2])]
    strata = np.repeat([1, 2], [3, 2])
    found = []
    for first, second in product(combinations(range(5), 3), combinations(range(4), 2)):
        picks = list(first), list(second)
        reference = np.concatenate([values[p] for values, p in zip(truth, picks, strict=True)])
        mapped = np.concatenate([values[p] for values, p in zip(maps, picks, strict=True)])
        one = estimate(reference, mapped, strata, {1: 5, 2: 4})
        area = one["per_class"].get("2", {"area_share": 0, "area_share_se": 0})
        found.append(
            (one["overall_accuracy"], one["overall_accuracy_se"] ** 2,
             area["area_share"], area["area_share_se"] ** 2)
        )  # fmt: skip
    overall, v_overall, area, v_area = np.array(found).T
    true_classes, mapped = np.concatenate(truth), np.concatenate(maps)
    assert overall.mean() == pytest.approx((true_classes == mapped).mean())
    assert area.mean() == pytest.approx((true_classes == 2).mean())
    assert v_overall.mean() == pytest.approx(overall.var())
    assert v_area.mean() == pytest.approx(area.var())


def test_standard_errors_are_those_of_the_jackknife(stehman):
    """Leaving out one unit of a stratum at a time: exact for means, close for ratios."""
    huge = {h: size * 10**6 for h, size in SIZES.items()}
    whole = estimate(TRUE, MAP, STRATA, huge)
    without = [
        estimate(*(np.delete(values, unit) for values in (TRUE, MAP, STRATA)), huge)
        for unit in range(40)
    ]

    def jackknife(value):
        left = np.array([value(found) for found in without]).reshape(4, 10)
        spread = (left - left.mean(axis=1, keepdims=True)) ** 2
        return np.sqrt(0.9 * spread.sum())

    assert whole["overall_accuracy_se"] == pytest.approx(
        jackknife(lambda found: found["overall_accuracy"]), rel=1e-6
    )
    for code in (A, B, C, D):
        for name, close in (
            ("area_share", 1e-6), ("users_accuracy", 0.15), ("producers_accuracy", 0.15)
        ):  # fmt: skip
            assert whole["per_class"][code][f"{name}_se"] == pytest.approx(
                jackknife(lambda found, c=code, n=name: found["per_class"][c][n]), rel=close
            ), (code, name)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """600 stratified samples of a simulated map whose strata are another, older map."""
    rng = np.random.default_rng(1)
    population = 200_000
    truth = rng.choice([1, 2, 3], population, p=[0.6, 0.3, 0.1])
    mapped, older = (
        np.where(rng.random(population) < wrong, rng.choice([1, 2, 3], population), truth)
        for wrong in (0.25, 0.4)
    )
    members = {h: np.flatnonzero(older == h) for h in (1, 2, 3)}
    sizes = {h: len(units) for h, units in members.items()}
    target = {
        "users_accuracy": (truth == mapped)[mapped == 3].mean(),
        "producers_accuracy": (truth == mapped)[truth == 3].mean(),
        "area_share": (truth == 3).mean(),
    }
    held = dict.fromkeys([*target, "overall_accuracy"], 0)
    naive = 0
    trials = 600
    for _ in range(trials):
        drawn = np.concatenate(
            [rng.choice(units, 120, replace=False) for units in members.values()]
        )
        found = estimate(truth[drawn], mapped[drawn], older[drawn], sizes)
        low, high = found["overall_accuracy_ci95"]
        held["overall_accuracy"] += low <= (truth == mapped).mean() <= high
        for name, value in target.items():
            low, high = found["per_class"]["3"][f"{name}_ci95"]
            held[name] += low <= value <= high
        share = (truth[drawn] == 3).mean()  # as if the sample were the scene in small
        half = 1.96 * np.sqrt(share * (1 - share) / drawn.size)
        naive += abs(share - target["area_share"]) <= half
    for name, times in held.items():
        assert 0.92 <= times / trials <= 0.98, (name, times / trials)
    assert naive / trials < 0.5


@given(st.integers(0, 10**6))
def test_proportions_and_areas_add_up_in_any_order(seed):
    rng = np.random.default_rng(seed)
    strata = np.concatenate([np.repeat([5, 7, 9], 2), rng.choice([5, 7, 9], 40)])
    reference, mapped = rng.choice([211, 311, 512], (2, 46))
    sizes = {5: 900, 7: 5_000, 9: 100}
    found = estimate(reference, mapped, strata, sizes)
    proportions = np.array(found["confusion"]["proportions"])
    assert proportions.sum() == pytest.approx(1)
    assert np.trace(proportions) == pytest.approx(found["overall_accuracy"])
    assert proportions.sum(axis=1) == pytest.approx(column(found, "area_share"))
    order = rng.permutation(46)
    again = estimate(reference[order], mapped[order], strata[order], sizes)
    assert again["overall_accuracy_se"] == pytest.approx(found["overall_accuracy_se"])
    for scores in found["per_class"].values():
        for name in ("users_accuracy", "producers_accuracy", "area_share"):
            if scores[f"{name}_ci95"]:
                low, high = scores[f"{name}_ci95"]
                assert 0 <= low <= scores[name] <= high <= 1


def test_a_class_without_variation_has_no_interval():
    mapped = np.repeat([211, 512], 5)
    reference = np.array([211, 211, 211, 211, 311, 512, 512, 512, 512, 512])
    classes = estimate(reference, mapped, mapped, {211: 50, 512: 50}, Legend.corine())["per_class"]
    assert classes["512"]["users_accuracy"] == 1
    assert classes["512"]["users_accuracy_se"] == 0
    assert classes["512"]["users_accuracy_ci95"] is None
    assert classes["512"]["area_share_ci95"] is None
    assert classes["311"]["users_accuracy"] is None  # never mapped
    assert classes["311"]["producers_accuracy"] == 0
    assert classes["311"]["name"] == "Broad-leaved forest"
    assert classes["211"]["users_accuracy_ci95"][0] < 0.8


def test_an_empty_map_is_an_error_of_the_map():
    reference = np.array([211, 211, 512, 512])
    found = estimate(reference, np.array([211, 0, 512, 512]), np.ones(4), {1: 100}, Legend.corine())
    assert found["overall_accuracy"] == 0.75
    assert found["per_class"]["0"]["name"] == "No prediction"
    assert found["per_class"]["0"]["area_share"] == 0
    assert found["per_class"]["211"]["producers_accuracy"] == 0.5


@given(
    st.dictionaries(st.integers(1, 99), st.integers(1, 10**8), min_size=1, max_size=15),
    st.integers(0, 100),
    st.integers(0, 3_000),
)
def test_allocation_keeps_its_limits(sizes, least, more):
    lowest = {h: min(least, size) for h, size in sizes.items()}
    units = sum(lowest.values()) + more
    dealt = allocate(sizes, units, least)
    assert sum(dealt.values()) == min(units, sum(sizes.values()))
    assert all(lowest[h] <= n <= sizes[h] for h, n in dealt.items())
    common = [h for h, n in dealt.items() if lowest[h] < n < sizes[h]]
    if len(common) > 1:  # these are dealt in proportion, to the unit
        rates = [dealt[h] / sizes[h] for h in common]
        assert max(rates) - min(rates) <= 2 / min(sizes[h] for h in common)


def test_allocation_of_the_paper_in_proportion():
    assert list(allocate(MAPPED_PX, 641, 0).values()) == [13, 10, 205, 413]  # Table 5, "Prop"
    assert list(allocate(MAPPED_PX, 641, 75).values()) == [75, 75, 163, 328]


def test_rare_strata_are_joined_with_the_largest():
    strata = np.array([1, 1, 2, 2, 3])
    joined, sizes, gone = join_rare(strata, {1: 5, 2: 70, 3: 6, 4: 4})
    assert joined.tolist() == [1, 1, 2, 2, 2]
    assert sizes == {1: 5, 2: 80} and gone == [3, 4]
    same, sizes, gone = join_rare(strata[:4], {1: 5, 2: 70})
    assert same.tolist() == [1, 1, 2, 2] and sizes == {1: 5, 2: 70} and gone == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [1], [1, 1], {1: 9}), r"shapes \(2,\), \(1,\) and \(2,\); each takes one value"),
        (([], [], [], {1: 9}), "the sample holds no unit; draw some with: landcover sample-points"),
        (([1, 0], [1, 1], [1, 1], {1: 9}), "the reference holds class 0, which is unlabelled"),
        (([1, 1], [1, 1], [1, 2], {1: 9}), "units of stratum 2, which has no size; give the size"),
        (([1, 1], [1, 1], [1, 1], {1: 9, 2: 9}), "stratum 2 has 0 units in the sample; .* least 2"),
        (([1, 1, 1], [1] * 3, [1, 1, 2], {1: 9, 2: 9}), "stratum 2 has 1 units"),
        (([1] * 3, [1] * 3, [1] * 3, {1: 2}), "stratum 1 has 3 units in the sample and 2 in all"),
    ],
)
def test_bad_samples(arguments, message):
    *arrays, sizes = arguments
    with pytest.raises(LandcoverError, match=message):
        estimate(*(np.array(values, int) for values in arrays), sizes)


def test_too_few_samples_for_the_classes():
    with pytest.raises(LandcoverError, match="100 samples are too few for 4 classes with 50 each"):
        allocate(MAPPED_PX, 100, 50)


def test_a_ratio_of_nothing_is_undefined():
    design = Design.of(np.array([1, 1, 2, 2]), {1: 10, 2: 20})
    share, error = ratio(design, np.zeros((4, 2)), np.array([[0, 1]] * 4))
    assert np.isnan(share[0]) and np.isnan(error[0])
    assert share[1] == 0 and error[1] == 0
