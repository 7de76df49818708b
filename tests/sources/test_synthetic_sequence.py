"""Synthetic sequences: the year of plants, clouds and their masks, changes between years."""

from __future__ import annotations

import numpy as np
import pytest

import landcover as lc
from landcover.errors import InputError
from landcover.sources.synthetic.files import write_sequence

DAYS = ("2022-01-15", "2022-04-15", "2022-05-05", "2022-07-29", "2022-08-18", "2022-10-20")
SMALL = (160, 180)
WHEAT, RAPE, MAIZE = 1, 3, 4


@pytest.fixture(scope="module")
def year():
    return lc.make_sequence(3, SMALL, DAYS, cloud=0)


@pytest.fixture(scope="module")
def cloudy():
    return lc.make_sequence(4, SMALL, 6, years=(2021, 2022), cloud=0.4, changes=0.2)


def ndvi(image):
    return (image[3] - image[2]) / (image[3] + image[2])


def mean_ndvi(sequence, where):
    """By date, of the pixels in `where` (dates, rows, cols)."""
    return [float(ndvi(i)[own].mean()) for i, own in zip(sequence.images, where, strict=True)]


def test_one_seed_gives_the_same_bytes_and_another_gives_others(cloudy):
    again = lc.make_sequence(4, SMALL, 6, years=(2021, 2022), cloud=0.4, changes=0.2)
    for name in ("images", "reference", "cloud", "crops", "labels"):
        np.testing.assert_array_equal(getattr(cloudy, name), getattr(again, name))
    other = lc.make_sequence(5, SMALL, 2)
    assert (other.reference[0] != cloudy.reference[0]).mean() > 0.3


def test_a_date_is_the_same_whichever_others_there_are(year):
    alone = lc.make_sequence(3, SMALL, DAYS[3:4], cloud=0)
    np.testing.assert_array_equal(alone.images[0], year.images[3])
    np.testing.assert_array_equal(alone.crops[0], year.crops[3])


def test_days_are_spread_over_each_year_in_steps_of_the_orbit(cloudy):
    assert len(cloudy.days) == 12 and cloudy.days == tuple(sorted(cloudy.days))
    of_year = [day[5:] for day in cloudy.days]
    assert of_year[:6] == of_year[6:] and (of_year[0], of_year[5]) == ("03-16", "11-01")


def test_without_clouds_nothing_is_hidden(year):
    assert np.isfinite(year.images).all() and not year.cloud.any()
    assert year.images.dtype == np.float32
    assert year.images.min() >= 0 and year.images.max() <= 1


class TestPlants:
    def test_cereals_are_green_in_may_and_gone_in_august(self, year):
        winter, april, may, _, august, _ = mean_ndvi(year, year.crops == WHEAT)
        assert winter < april < may and may > 0.75 and august < 0.5

    def test_maize_is_bare_in_may_and_green_in_august(self, year):
        _, _, may, july, august, _ = mean_ndvi(year, year.crops == MAIZE)
        assert may < 0.3 and july > 0.7 and august > 0.7

    def test_rape_is_yellow_in_may_alone(self, year):
        yellow = [
            float(((i[1] - i[0]) / (i[1] + i[0]))[own == RAPE].mean())
            for i, own in zip(year.images, year.crops, strict=True)
        ]
        assert yellow[2] > max(yellow[:2] + yellow[3:]) + 0.05

    def test_broad_leaved_woods_lose_their_leaves_and_conifers_do_not(self, year):
        winter, _, _, july, _, _ = mean_ndvi(year, year.reference == 311)
        assert july > 0.8 and winter < 0.55
        winter, _, _, july, _, _ = mean_ndvi(year, year.reference == 312)
        assert abs(july - winter) < 0.12

    def test_orchards_are_grass_in_winter_and_trees_in_summer(self, year):
        nir = [float(image[3][year.reference[0] == 222].mean()) for image in year.images]
        assert nir[3] > nir[0] + 0.1

    def test_grass_is_green_all_year_and_looks_like_winter_crops_in_april(self, year):
        grass, wheat = (
            mean_ndvi(year, own) for own in (year.reference == 231, year.crops == WHEAT)
        )
        assert min(grass) > 0.3
        assert abs(grass[1] - wheat[1]) < 0.1 and grass[4] - wheat[4] > 0.15

    def test_crops_follow_one_another_and_only_on_arable_land(self, cloudy):
        assert ((cloudy.crops > 0) == (cloudy.reference == 211)).all()
        first, second = cloudy.crops[3], cloudy.crops[9]  # summers of two years
        both = (first > 0) & (second > 0)
        assert (first[both] != second[both]).mean() > 0.4
        assert not ((first == RAPE) & (second == RAPE)).any()
        assert set(np.unique(first)) <= set(range(len(cloudy.crop_names) + 1))

    def test_snow_lies_on_some_winter_days(self):
        bright = []
        for seed in range(4):
            days = ["2022-01-05", "2022-01-20", "2022-02-09"]
            winter = lc.make_sequence(seed, (160, 160), days, cloud=0)
            bright += [float(np.median(i[1][winter.reference[0] == 211])) for i in winter.images]
        assert min(bright) < 0.15 and max(bright) > 0.5


def test_one_date_confuses_what_the_year_tells(year):
    """Arable land, pasture and orchards, by a forest with pixels of every second field."""
    from sklearn.ensemble import RandomForestClassifier

    truth = year.reference[0]
    held = np.isin(truth, (211, 222, 231))
    rows = np.arange(SMALL[0])[:, None] * np.ones(SMALL[1], int)
    train = (rows // 20 % 2 == 0)[held]

    def accuracy(bands):
        values, classes = bands.reshape(-1, *SMALL)[:, held].T, truth[held]
        forest = RandomForestClassifier(30, min_samples_leaf=3, random_state=0)
        forest.fit(values[train], classes[train])
        return forest.score(values[~train], classes[~train])

    single = [accuracy(image) for image in year.images[1:]]
    assert accuracy(year.images[1:]) > max(single) + 0.01


class TestClouds:
    def test_about_the_asked_share_is_hidden_and_dates_differ(self, cloudy):
        hidden = (cloudy.cloud > 0).mean(axis=(1, 2))
        assert hidden.mean() == pytest.approx(0.4, abs=0.03)
        assert hidden.min() < 0.15 and hidden.max() > 0.65
        assert set(np.unique(cloudy.cloud)) == {0, 1, 2}

    def test_masks_hide_all_bands_and_are_wrong_in_places(self, cloudy):
        masked = np.isnan(cloudy.images)
        assert (masked == masked[:, :1]).all()
        masked, hidden = masked[:, 0], cloudy.cloud > 0
        assert 0.84 < (masked == hidden).mean() < 0.97
        assert 0.01 < (hidden & ~masked).sum() / hidden.sum() < 0.2
        assert 0.01 < (masked & ~hidden).sum() / (~hidden).sum() < 0.2

    def test_clouds_are_bright_and_shadows_dark(self, cloudy):
        clear = lc.make_sequence(4, SMALL, 6, years=(2021, 2022), cloud=0, changes=0.2)
        seen = np.isfinite(cloudy.images[:, 0])
        for code, sign in ((1, 1), (2, -1)):
            where = seen & (cloudy.cloud == code)
            change = cloudy.images[:, 0][where] - clear.images[:, 0][where]
            assert sign * np.median(change) > 0.002

    @pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
    def test_any_share_is_met(self, share):
        sequence = lc.make_sequence(6, (160, 160), 8, cloud=share)
        assert (sequence.cloud > 0).mean() == pytest.approx(share, abs=0.03)


class TestYears:
    def test_land_changes_between_years_alone_and_about_as_much_as_asked_for(self, cloudy):
        first, second = cloudy.reference[:6], cloudy.reference[6:]
        assert (first == first[0]).all() and (second == second[0]).all()
        changing = np.isin(first[0], (211, 222, 231, 311, 312))
        share = (first[0] != second[0]).sum() / changing.sum()
        assert 0.1 < share <= 0.2
        moved = first[0] != second[0]
        pairs = set(zip(first[0][moved].tolist(), second[0][moved].tolist(), strict=True))
        allowed = {(211, 231), (211, 222), (231, 211), (231, 222), (222, 211), (222, 231),
                   (311, 231), (312, 231)}  # fmt: skip
        assert pairs <= allowed and (211, 231) in pairs

    def test_labels_are_coarse_and_of_each_year(self, cloudy):
        assert (cloudy.labels == cloudy.labels_of_year[2021]).all()
        for year, number in ((2021, 0), (2022, 6)):
            agreement = (cloudy.labels_of_year[year] == cloudy.reference[number]).mean()
            assert 0.5 < agreement < 0.9
        assert (cloudy.labels_of_year[2022] != cloudy.labels).any()

    def test_without_changes_years_have_the_same_classes(self):
        still = lc.make_sequence(4, (160, 160), 1, years=(2021, 2024), cloud=0, changes=0)
        assert (still.reference[0] == still.reference[1]).all()
        assert still.days == ("2021-07-09", "2024-07-08")


def test_a_sequence_becomes_a_run(tmp_path):
    cloudy = lc.make_sequence(7, (160, 160), 1, years=(2021, 2022), cloud=0.4, changes=0.3)
    files = write_sequence(tmp_path / "sources", cloudy)
    run = lc.prepare(
        tmp_path / "run", dates=files.dates.values(), labels=files.corine,
        reference=files.truth[2021], labels_of_year=files.labels,
    )  # fmt: skip
    held = lc.read(run.sequence).reshape(cloudy.images.shape)
    np.testing.assert_array_equal(np.isnan(held), np.isnan(cloudy.images))
    np.testing.assert_allclose(np.nan_to_num(held), np.nan_to_num(cloudy.images), atol=1e-6)
    np.testing.assert_array_equal(lc.read(run.labels)[0], cloudy.labels)
    np.testing.assert_array_equal(lc.read(run.labels_of_year(2022))[0], cloudy.labels_of_year[2022])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cloud": 1}, "cloud 1 is out of range; choose 0 to 0.95"),
        ({"changes": -1}, "changes -1 is out of range"),
        ({"orchards": 0.7}, "orchards 0.7 is out of range"),
        ({"haze": 0.4}, "haze 0.4 is out of range"),
        ({"dates": 0}, "dates 0 is out of range"),
        ({"dates": "2022-07-01"}, "dates '2022-07-01' is one day"),
        ({"dates": []}, "dates is empty"),
        ({"dates": ["2022-07-41"]}, "date '2022-07-41' is no day"),
        ({"dates": ["20220701"]}, "date '20220701' is no day"),
        ({"dates": ["2022-07-01", "2022-07-01"]}, "date 2022-07-01 was given twice"),
        ({"years": ()}, "years is empty"),
        ({"shape": (20, 200)}, "rows 20 is out of range"),
        ({"seed": -1}, "seed -1 is out of range"),
        ({"woods": 0.9}, "woods 0.9 is out of range"),
    ],
)
def test_settings_out_of_range_are_one_line(settings, said):
    with pytest.raises(InputError, match=said):
        lc.make_sequence(**settings)
