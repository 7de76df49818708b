"""Runs that keep several dates, from files to rasters."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.files import open_rasters, raster_writer, rasters
from landcover.scene import dates as scene_dates
from landcover.scene.sequence import Dates, as_sequence, valid_dates
from landcover.sensors import SENTINEL2
from landcover.stages.dates import dates_of
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose, tif

DAYS = ("2021-04-15", "2021-07-14", "2022-07-09")
SHAPE = (40, 52)
GRID = utm_grid(*SHAPE)


def written(folder, days=DAYS, names=CORE, grid=GRID):
    """A folder a day with a file a band: their paths by day, and reflectance by date."""
    dn = np.stack([digital_numbers(number, len(names)) for number in range(len(days))])
    files = {
        day: loose(folder / day, names, pixels, grid=grid)
        for day, pixels in zip(days, dn, strict=True)
    }
    return files, np.where(dn == 0, np.nan, dn.astype(np.float32) / np.float32(10_000))


def digital_numbers(number: int, bands: int = 4) -> np.ndarray:
    """Those of a date: clouds (0) here and there, the first pixel at no date, a corner at one."""
    rng = np.random.default_rng(number)
    dn = rng.integers(200, 4000, (bands, *SHAPE)).astype(np.uint16)
    hidden = rng.random(SHAPE) < 0.3
    hidden[0, 0] = True
    hidden[-8:, -8:] = number > 0
    return np.where(hidden, 0, dn).astype(np.uint16)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return written(tmp_path_factory.mktemp("dates"))


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    return lc.prepare(tmp_path_factory.mktemp("run") / "run", dates=source[0].values())


def test_each_date_is_a_raster_and_all_are_one(run, source):
    _, expected = source
    names = rasters.band_names(run.sequence)
    dates = Dates.of_names(names)
    assert dates == Dates(DAYS, CORE)
    for day, image in zip(DAYS, expected, strict=True):
        np.testing.assert_array_equal(lc.read(run.date(day)), image)
        assert rasters.grid_of(run.date(day)) == rasters.grid_of(run.scene)
    sequence = as_sequence(lc.read(run.sequence), dates)
    np.testing.assert_array_equal(sequence, expected)
    counts = lc.read(run.observations, bands="valid_dates")[0]
    np.testing.assert_array_equal(valid_dates(sequence).sum(axis=0), counts)


def test_the_scene_is_the_median_by_default_and_any_other_composite(run, source, tmp_path):
    files, expected = source
    with np.errstate(all="ignore"):
        held = np.isfinite(expected[:, 0]).any(axis=0)
        np.testing.assert_array_equal(
            lc.read(run.scene)[:, held], np.nanmedian(expected[:, :, held], axis=0)
        )
    other = lc.prepare(tmp_path / "run", dates=files.values(), composite="best", best_date=DAYS[0])
    first = np.isfinite(expected[0])
    np.testing.assert_array_equal(lc.read(other.scene)[first], expected[0][first])


def test_the_share_of_pixels_by_valid_dates_is_kept_and_said(run, source, tmp_path, capsys):
    files, expected = source
    counts = np.isfinite(expected[:, 0]).sum(axis=0)
    shares = np.bincount(counts.ravel(), minlength=4) / counts.size
    assert run.read_manifest()["stages"]["prep"]["valid_dates"] == shares.tolist()
    given = [text for day in DAYS for text in ("--date", *map(str, files[day]))]
    assert main(["prep", *given, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert f"valid dates: 0 at {100 * shares[0]:.1f} %, 1 at {100 * shares[1]:.1f} %" in said
    np.testing.assert_array_equal(lc.read(tmp_path / "run" / "dates.vrt"), lc.read(run.sequence))


def test_what_no_date_sees_has_no_data(run, source):
    assert np.isnan(lc.read(run.scene)[:, 0, 0]).all()
    assert np.isnan(lc.read(run.sequence)[:, 0, 0]).all()
    assert np.isfinite(lc.read(run.scene)[:, -8:, -8:]).any()


def test_bands_of_several_dates_are_kept_when_asked_for(run, source, tmp_path):
    files = [path for paths in source[0].values() for path in paths]
    other = lc.prepare(tmp_path / "run", bands=files, sequence=True)
    np.testing.assert_array_equal(lc.read(other.sequence), lc.read(run.sequence))
    plain = lc.prepare(tmp_path / "plain", bands=files, composite="median")
    assert not plain.sequence.exists() and not plain.dates.exists()


def test_windows_and_open_files_change_no_byte(run, source, tmp_path, monkeypatch):
    monkeypatch.setattr(scene_dates, "_MOST_BYTES", 4 * 3 * 4 * 32**2)
    monkeypatch.setattr(scene_dates, "most_open", lambda: 8)
    monkeypatch.setattr(open_rasters, "most_open", lambda: 8)
    other = lc.prepare(tmp_path / "run", dates=list(source[0].values())[::-1])
    for name in ("scene.tif", "observations.tif", "dates.vrt", *(f"dates/{d}.tif" for d in DAYS)):
        assert (other.path / name).read_bytes() == (run.path / name).read_bytes(), name


def test_an_area_of_interest_cuts_all_dates_and_their_count(source, tmp_path):
    files, expected = source
    west, _, _, north = GRID.bounds
    box = (west + 100, north - 300, west + 400, north - 50)
    run = lc.prepare(tmp_path / "run", dates=files.values(), aoi=box)
    np.testing.assert_array_equal(
        lc.read(run.sequence), expected[:, :, 5:30, 10:40].reshape(12, 25, 30)
    )
    assert sum(run.read_manifest()["stages"]["prep"]["valid_dates"]) == pytest.approx(1)


def test_dates_go_when_a_scene_is_made_without_them(source, tmp_path):
    files, _ = source
    run = lc.prepare(tmp_path / "run", dates=files.values())
    (run.dates / "notes.txt").write_text("mine", "utf-8")
    lc.prepare(run, bands=files[DAYS[0]])
    assert not run.sequence.exists()
    assert [path.name for path in run.dates.iterdir()] == ["notes.txt"]
    (run.dates / "notes.txt").unlink()
    lc.prepare(run, dates=list(files.values())[:2])
    held = sorted(path.name for path in run.dates.iterdir())
    assert held == [f"{day}.{kind}" for day in DAYS[:2] for kind in ("qml", "tif")]
    lc.prepare(run, bands=files[DAYS[0]])
    assert not run.dates.exists()


def test_models_stay_only_where_all_dates_stay(source, tmp_path):
    files, _ = source
    run = lc.prepare(tmp_path / "run", dates=files.values(), composite="best", best_date=DAYS[0])
    model = run.model("ltae") / "card.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}", "utf-8")
    lc.prepare(run, dates=files.values(), composite="best", best_date=DAYS[0])
    assert model.exists()
    held = run.date(DAYS[1]).read_bytes()
    with pytest.raises(lc.LandcoverError, match="holds models of another scene"):
        lc.prepare(run, dates=list(files.values())[:2], composite="best", best_date=DAYS[0])
    assert run.date(DAYS[1]).read_bytes() == held and run.date(DAYS[2]).exists()


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """A function that writes labels of arable land, pasture and a lake, moved by some columns."""
    folder = tmp_path_factory.mktemp("labels")

    def write(name: str, shift: int = 0):
        codes = np.full(SHAPE, 211, np.uint16)
        codes[:, 20 + shift :] = 231
        codes[:, 40 + shift :] = 512
        return lc.write(folder / name, codes, GRID, ["class"], nodata=0)

    return write


class TestLabels:
    def test_maps_of_one_year_lie_beside_those_of_all_dates(self, source, labels, tmp_path):
        run = lc.prepare(
            tmp_path / "run", dates=source[0].values(), labels=labels("all.tif"),
            labels_of_year={2021: labels("one.tif", 3), 2022: labels("two.tif", 6)},
        )  # fmt: skip
        for path, shift in (
            (run.labels, 0), (run.labels_of_year(2021), 3), (run.labels_of_year(2022), 6)
        ):  # fmt: skip
            held = lc.read(path)[0]
            assert (held[:, 19 + shift] == 211).all() and (held[:, 20 + shift] == 231).all()

    def test_without_a_map_of_all_dates_the_latest_of_a_date_leads(self, source, labels, tmp_path):
        of_year = {2021: labels("a.tif", 3), 2022: labels("b.tif", 6), 2024: labels("c.tif", 9)}
        given = [text for day in DAYS for text in ("--date", *map(str, source[0][day]))]
        given += ["--labels-of-year", *(f"{year}={path}" for year, path in of_year.items())]
        assert main(["prep", *given, "--out", str(tmp_path / "run"), "--samples", "200"]) == 0
        run = lc.Run(tmp_path / "run")
        assert (lc.read(run.labels)[0, :, 25] == 211).all()
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert f"the labels of the run are {of_year[2022]}, the latest of a date's year" in notes
        assert any(
            note.endswith(
                "c.tif is of 2024, and the dates are of 2021 2022: it serves none of them"
            )
            for note in notes
        )

    def test_without_a_map_of_a_date_the_latest_leads_all_the_same(self, source, labels, tmp_path):
        path = labels("labels_2019.tif")
        run = lc.prepare(tmp_path / "run", dates=source[0].values(), labels_of_year={2019: path})
        notes = [n for n in run.read_manifest()["stages"]["prep"]["notes"] if str(path) in n]
        assert notes == [
            f"the labels of the run are {path}, the latest that were given",
            f"{path} is of 2019, and the dates are of 2021 2022: what has changed in between is "
            "labelled wrong",
        ]

    def test_a_map_of_another_year_by_its_name_is_said(self, source, labels, tmp_path):
        path = labels("U2018_CLC2018_V2020_20u1.tif")
        run = lc.prepare(tmp_path / "run", dates=source[0].values(), labels=path)
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert any("is of 2018 by its name, and the dates are of 2021 2022" in n for n in notes)

    def test_yearly_maps_need_dates(self, source, labels, tmp_path):
        with pytest.raises(InputError, match=r"labels of the year 2021 .* sequence=True"):
            lc.prepare(
                tmp_path / "run", bands=source[0][DAYS[0]], labels_of_year={2021: labels("d.tif")}
            )

    def test_water_stays_where_every_valid_date_shows_it(self, labels, tmp_path):
        dn = np.full((3, 4, *SHAPE), 1000, np.uint16)
        dn[:, 3] = 3000  # near infrared
        dn[:, 3, :, 42:] = 500
        dn[1, 3, 10, 45] = 3000  # dry at one date
        dn[0, :, 11, 45] = 0  # not seen at one date
        dn[:, :, 12, 45] = 0  # never seen
        files = [loose(tmp_path / day, CORE, pixels, grid=GRID)
                 for day, pixels in zip(DAYS, dn, strict=True)]  # fmt: skip
        path = labels("water.tif")
        run = lc.prepare(tmp_path / "run", dates=files, labels=path, confirm_water=True)
        held, before = lc.read(run.labels)[0], lc.read(path)[0]
        expected = np.where((before == 512) & (np.arange(SHAPE[1]) < 42), 0, before)
        expected[[10, 12], 45] = 0
        np.testing.assert_array_equal(held, expected)
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert (
            "labels.tif: 82 of 480 pixels of water (17.1 %) are unlabelled, because their NDWI is "
            "not above 0 at every valid date" in notes
        )
        one = lc.prepare(tmp_path / "one", bands=files[1], labels=path, confirm_water=True)
        assert (lc.read(one.labels)[0] == 0).sum() == 82

    def test_water_needs_its_bands_before_anything_is_written(self, labels, tmp_path):
        files = [
            loose(tmp_path / day, ("B02", "B04", "B08"), digital_numbers(0, 3), grid=GRID)
            for day in DAYS
        ]
        with pytest.raises(InputError, match="band B03 is missing"):
            lc.prepare(tmp_path / "run", dates=files, labels=labels("w.tif"), confirm_water=True)
        assert not (tmp_path / "run").exists()

    def test_polygons_are_of_no_year(self, source, labels, tmp_path):
        from landcover.stages.prepare_dates import require_years

        with pytest.raises(InputError, match=r"of the year 2021 .* polygons are of no year"):
            require_years({2021: labels("p.tif")}, sequence=True, polygons=True)

    def test_water_is_confirmed_where_there_is_some(self, source, tmp_path):
        codes = np.where(np.arange(SHAPE[1]) < 20, 211, 231) * np.ones(SHAPE, int)
        dry = lc.write(tmp_path / "dry.tif", codes.astype(np.uint16), GRID, ["class"], nodata=0)
        with pytest.raises(InputError, match="confirm_water=True is of labels on images"):
            lc.prepare(tmp_path / "run", dates=source[0].values(), confirm_water=True)
        kept = lc.prepare(
            tmp_path / "run", dates=source[0].values(), labels=dry, confirm_water=True
        )
        assert "0 of 0 pixels of water" in kept.read_manifest()["stages"]["prep"]["notes"][-1]


@pytest.mark.parametrize("name", ["dates.vrt", ""])
def test_inspect_says_which_days_there_are(run, source, capsys, name):
    counts = np.isfinite(source[1][:, 0]).sum(axis=0)
    assert main(["inspect", str(run.path / name)]) == 0
    page = capsys.readouterr().out
    assert "3 dates of B02 B03 B04 B08" in page
    valid = 100 * np.isfinite(source[1][1, 0]).mean()
    assert f"  2021-07-14  195              {valid:.1f} %" in page.splitlines()
    assert f"valid dates: 0 at {100 * (counts == 0).mean():.1f} %" in page
    assert main(["inspect", "--json", str(run.path / name)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts["days"]) == list(DAYS) and facts["bands"] == list(CORE)
    assert facts["days"]["2022-07-09"]["day_of_year"] == 190


class TestRefused:
    def refused(self, tmp_path, capsys, *options):
        code = main(["prep", *map(str, options), "--out", str(tmp_path / "run")])
        text = capsys.readouterr().err
        assert code == 2 and not (tmp_path / "run").exists()
        assert len(text.strip().splitlines()) == 1
        return text

    def test_one_date(self, source, tmp_path, capsys):
        text = self.refused(tmp_path, capsys, "--date", *source[0][DAYS[0]])
        assert "all files are of 2021-04-15, and a sequence has two dates or more" in text
        text = self.refused(tmp_path, capsys, "--bands", *source[0][DAYS[0]], "--sequence")
        assert "a sequence has two dates or more" in text

    def test_a_date_twice(self, source, tmp_path, capsys):
        files = source[0]
        text = self.refused(
            tmp_path, capsys, "--date", *files[DAYS[0]], "--date", *files[DAYS[1]],
            "--date", *files[DAYS[0]],
        )  # fmt: skip
        assert "are both of 2021-04-15, which is one date given twice" in text

    def test_two_days_as_one_date(self, source, tmp_path, capsys):
        one, two = (tif(tmp_path / f"{day}.tif", digital_numbers(0), CORE, grid=GRID)
                    for day in DAYS[:2])  # fmt: skip
        text = self.refused(tmp_path, capsys, "--date", one, two, "--date", *source[0][DAYS[2]])
        assert f"{one} is of 2021-04-15 and {two} of 2021-07-14, and they were given as one" in text

    def test_a_date_without_a_day(self, source, tmp_path, capsys):
        path = tif(tmp_path / "spring.tif", digital_numbers(0), CORE, grid=GRID)
        text = self.refused(tmp_path, capsys, "--date", *source[0][DAYS[0]], "--date", path)
        assert f"{path} does not say of which day it is" in text

    @pytest.mark.parametrize(
        ("east", "north", "rows", "said"),
        [
            (10, 0, 40, "north-west corner differs by 10 east and 0 north"),
            (3, -2, 40, "north-west corner differs by 3 east and -2 north"),
            (
                0,
                0,
                39,
                "40 x 52 pixels against 39 x 52, south-east corner differs by 0 east and 10",
            ),
        ],
    )
    def test_dates_on_two_grids(self, source, tmp_path, capsys, east, north, rows, said):
        grid = utm_grid(rows, 52, west=GRID.bounds[0] + east, north=GRID.bounds[3] + north)
        other = tif(tmp_path / "2021-07-14.tif", digital_numbers(1)[:, :rows], CORE, grid=grid)
        first = source[0][DAYS[0]]
        text = self.refused(tmp_path, capsys, "--date", *first, "--date", other)
        assert f"{other} (2021-07-14) is not on the grid of {first[0]} (2021-04-15): {said}" in text
        assert f"rio warp {other} NEW.tif --like {first[0]}" in text

    def test_an_area_that_all_dates_hold_makes_one_grid(self, source, tmp_path):
        files, expected = source
        grid = utm_grid(40, 52, west=GRID.bounds[0] + 50, north=GRID.bounds[3])
        other = tif(tmp_path / "2021-07-14.tif", digital_numbers(1), CORE, grid=grid)
        west, south, east, north = GRID.bounds
        run = lc.prepare(tmp_path / "run", dates=[files[DAYS[0]], other],
                         aoi=(west + 50, south, east, north))  # fmt: skip
        np.testing.assert_array_equal(lc.read(run.date(DAYS[0])), expected[0][:, :, 5:])
        np.testing.assert_array_equal(lc.read(run.date(DAYS[1])), expected[1][:, :, :47])

    def test_bands_that_a_date_lacks_are_left_out_and_said(self, source, tmp_path):
        rich = tif(tmp_path / "2021-07-14.tif", digital_numbers(1, 5), (*CORE, "B11"), grid=GRID)
        run = lc.prepare(tmp_path / "run", dates=[source[0][DAYS[0]], rich])
        assert Dates.of_names(rasters.band_names(run.sequence)).bands == CORE
        notes = run.read_manifest()["stages"]["prep"]["notes"]
        assert f"left out, because {source[0][DAYS[0]][0]} lacks it: B11" in notes

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--bands", "B02.tif", "--date", "B02.tif"), "--bands and --date were both given"),
            (("--labels-of-year", "corine.tif"), "--labels-of-year corine.tif names no year"),
            (("--labels-of-year", "2021=a.tif", "2021=b.tif"), "--labels-of-year 2021= was given"),
            (("--sequence",), "were given without a scene"),
            (("--date", "B02.tif", "--labels-of-year", "21=a.tif"), "does not exist"),
        ],
    )
    def test_options_that_do_not_fit(self, tmp_path, capsys, options, said):
        assert said in self.refused(tmp_path, capsys, *options)

    def test_more_dates_than_files_may_be_open(self, source, tmp_path, monkeypatch):
        monkeypatch.setattr(scene_dates, "most_open", lambda: 2)
        with pytest.raises(InputError, match=r"3 dates are more than may be written at once here"):
            lc.prepare(tmp_path / "run", dates=source[0].values())


def test_settings_name_the_files_of_every_date(source, tmp_path, capsys):
    given = [text for day in DAYS[:2] for text in ("--date", *map(str, source[0][day]))]
    assert main(["prep", *given, "--out", str(tmp_path / "run")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    shown = [f"{source[0][d][0]} ... {source[0][d][-1]} (4 files)" for d in DAYS[:2]]
    assert f"date {shown[0]}; {shown[1]}" in first


def test_real_dates_and_clouds_over_slovenia(shared_data, tmp_path):
    """Five dates of 13 bands, of which two are all cloud."""
    folder = shared_data / "eolearn-slovenia"
    scenes, clouds = np.load(folder / "REFERENCE_SCENES.npy"), np.load(folder / "CLM.npy")
    taken = json.loads((folder / "timestamps.json").read_text())
    grid, names = utm_grid(*scenes.shape[1:3]), SENTINEL2.names
    dates, masks = [], []
    for image, when in zip(scenes, (2, 1, 4, 3, 0), strict=True):
        day = taken[when][:10]
        dates.append(tif(tmp_path / f"{day}.tif", image.transpose(2, 0, 1), names, grid=grid))
        mask = clouds[when, ..., 0][np.newaxis]
        masks.append(tif(tmp_path / f"{day}_clouds.tif", mask, grid=grid))
    run = lc.prepare(tmp_path / "run", dates=dates, mask=masks, mask_classes=[1], keep="all")
    assert run.read_manifest()["stages"]["prep"]["valid_dates"] == [0, 0, 0, 1, 0, 0]
    held = as_sequence(lc.read(run.sequence), Dates.of_names(rasters.band_names(run.sequence)))
    assert np.isnan(held[[1, 2]]).all()
    np.testing.assert_array_equal(held[[0, 3, 4]], scenes[[4, 3, 2]].transpose(0, 3, 1, 2))


class TestDatesThatWereTouched:
    """A run whose dates are no longer as prep made them is refused before anything is written."""

    @pytest.fixture
    def touched(self, run, tmp_path):
        return lc.Run(shutil.copytree(run.path, tmp_path / "touched"))

    def refused(self, run, capsys):
        with pytest.raises(InputError) as error:
            dates_of(run)
        assert main(["inspect", str(run.path)]) == 2
        assert str(error.value) in capsys.readouterr().err
        return str(error.value)

    def test_a_date_of_another_grid(self, touched, capsys):
        date = touched.date(DAYS[1])
        grid = utm_grid(*SHAPE, west=300_000 + 5)
        raster_writer.write(date, lc.read(date), grid, CORE, nodata=np.nan)
        text = self.refused(touched, capsys)
        assert f"{date} is not on the grid of" in text and "corner differs by 5 east" in text

    def test_a_date_of_other_bands(self, touched, capsys):
        date = touched.date(DAYS[1])
        raster_writer.write(date, lc.read(date)[::-1], GRID, CORE[::-1], nodata=np.nan)
        text = self.refused(touched, capsys)
        assert f"{date} has the bands {' '.join(CORE[::-1])}" in text

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            (f"{DAYS[1]}:B04", f"{DAYS[1]}:B4", "a sequence has the same bands at every date"),
            (f"{DAYS[1]}:", "", "does not tell its date"),
            (f'rasterXSize="{SHAPE[1]}"', 'rasterXSize="20"', "is not on the grid of"),
        ],
    )
    def test_dates_vrt_edited(self, touched, capsys, before, after, said):
        text = touched.sequence.read_text("utf-8")
        touched.sequence.write_text(text.replace(before, after), "utf-8")
        text = self.refused(touched, capsys)
        assert str(touched.sequence) in text and said in text

    def test_a_date_cut_short(self, touched, capsys):
        date = touched.date(DAYS[1])
        date.write_bytes(date.read_bytes()[:300])
        assert f"{date}, which it is made of, is damaged" in self.refused(touched, capsys)


def test_a_mask_without_a_day_hides_no_other_day(source, tmp_path):
    mask = tif(tmp_path / "clouds.tif", np.full((1, *SHAPE), 4, np.uint8), ["SCL"], grid=GRID)
    with pytest.raises(
        InputError, match=r"clouds.tif does not say of which day .* 2021-04-15 2021"
    ):
        lc.prepare(tmp_path / "run", dates=source[0].values(), mask=mask)
    assert not (tmp_path / "run").exists()


def test_a_mask_of_one_of_several_days_hides_that_day_alone(source, tmp_path):
    files, expected = source
    values = np.full((1, *SHAPE), 4, np.uint8)
    values[0, :, :10] = 9
    mask = tif(tmp_path / f"{DAYS[1]}_SCL.tif", values, ["SCL"], grid=GRID)
    run = lc.prepare(tmp_path / "run", dates=files.values(), mask=mask)
    expected = expected.copy()
    expected[1, :, :, :10] = np.nan
    for day, image in zip(DAYS, expected, strict=True):
        np.testing.assert_array_equal(lc.read(run.date(day)), image)
    notes = run.read_manifest()["stages"]["prep"]["notes"]
    for day in (DAYS[0], DAYS[2]):
        assert any(f"no mask is of {day}, and others are given" in note for note in notes)
    other = tif(tmp_path / "2020-01-01_SCL.tif", values, ["SCL"], grid=GRID)
    with pytest.raises(InputError, match="is the mask of no tile that was given"):
        lc.prepare(tmp_path / "other", dates=files.values(), mask=other)
