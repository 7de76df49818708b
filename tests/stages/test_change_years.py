"""Change between years of sequences: what changed is found, what was seen differently is not."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import landcover as lc
from landcover import cli
from landcover.classifiers.learnt_dates import LearntDates
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.maps import change_rasters
from landcover.maps.regions import large_regions
from landcover.reports import change as change_report
from landcover.run import Run
from landcover.stages import change_years
from landcover.stages.change_years import halves
from landcover.stages.train import train
from tests.conftest import error_lines
from tests.fixtures.sequence_runs import BANDS, DAYS, TWO_YEARS, write_sequence_run

MODEL = "sequence-forest-on-reference"
#: In the second year a square becomes forest.
SQUARE = (slice(16, 48), slice(40, 72))
#: Near infrared by class and date: every half of a year tells the classes apart.
NIR = {
    211: (0.40, 0.42, 0.25, 0.15, 0.15, 0.20),
    231: (0.28, 0.30, 0.34, 0.34, 0.32, 0.30),
    312: (0.15, 0.16, 0.17, 0.17, 0.16, 0.15),
}
#: Land that one date of the second year shows as another class: a flood, or haze that no mask saw.
ODD = (slice(48, 60), slice(4, 24))


@pytest.fixture(scope="module", autouse=True)
def small_sample_and_no_picture():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change_rasters, "SAMPLE", 4_000)
        patch.setattr(change_report, "_picture", lambda *drawn: b"")
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of two years, the forest of the first, and what changed between them."""
    folder = tmp_path_factory.mktemp("years") / "run"
    run = write_sequence_run(
        folder, 64, 96, TWO_YEARS, cloud=0.1, samples=1500, later=[(SQUARE, 312)], nir=NIR
    )
    chosen = {"leaf_sizes": (5,), "dates": list(DAYS)}
    train(run, "sequence-forest", targets="reference", random_split=False, **chosen)
    assert cli.main(["change", str(run.path), "--years", "2022", "2023", "--model", MODEL]) == 0
    return run


@pytest.fixture
def run(made, tmp_path):
    return Run(shutil.copytree(made.path, tmp_path / "run"))


def really(run):
    """Where the class changed, and where both years show the land."""
    truth = rasters.read_classes(run.reference)
    changed = np.zeros(truth.shape, bool)
    changed[SQUARE] = truth[SQUARE] != 312
    seen = np.ones(truth.shape, bool)
    seen[:5, :7] = False
    return changed, seen


def shown(folder):
    codes = rasters.read_classes(folder / "change.tif")
    return codes, (codes // 100 != codes % 100) & (codes > 0)


def test_what_changed_between_the_years_is_found(made):
    out = made.path / "change-2022-2023"
    codes, found = shown(out)
    changed, seen = really(made)
    assert found[changed].mean() > 0.9 and found[~changed & seen].mean() < 0.02
    assert (codes[~seen] == 0).all() and (codes[seen] > 0).mean() > 0.99
    truth = rasters.read_classes(made.reference)
    place = {211: 12, 231: 18, 312: 24}  # among the classes of CORINE's level 3
    expected = np.vectorize(place.get)(truth[changed & found]) * 100 + 24
    assert (codes[changed & found] == expected).mean() > 0.95
    report = read_json(out / "change.json")
    low, high = report["changed"]["area_ci95"]
    assert low < changed.sum() / 100 < high
    assert report["days"][0] == list(DAYS) and report["years"] == [2022, 2023]
    assert [step["step"] for step in report["told_apart"]] == [
        "probabilities of both", "consistency over the year", "smallest area",
    ]  # fmt: skip
    assert report["told_apart"][-1]["shown"] == pytest.approx(report["changed"]["mapped"], rel=1e-3)
    left_out = sum(step["left_out"] for step in report["told_apart"])
    assert left_out == pytest.approx(report["maps_differ"] - report["changed"]["mapped"], abs=0.01)
    assert set(halves_of(report)) == {3} and report["mmu_ha"] == change_years.LEAST_HA
    for name in ("2022", "2023"):
        assert made.map(f"{MODEL}@{name}").exists()
    page = (out / "change.md").read_text("utf-8")
    assert "# Change between two years" in page and "| consistency over the year |" in page


def halves_of(report):
    return [len(days) for of_year in report["halves"] for days in of_year]


def test_what_one_date_shows_differently_is_no_change(run):
    day = TWO_YEARS[8]
    pixels = rasters.read(run.date(day))
    pixels[-1][ODD] = 0.9
    raster_writer.write(run.date(day), pixels, rasters.grid_of(run.scene), BANDS, nodata=np.nan)
    found = lc.find_change(run, years=(2022, 2023), model=MODEL, out=run.path / "out")
    steps = {step["step"]: step for step in found["told_apart"]}
    _, changed = shown(run.path / "out")
    assert changed[ODD].mean() < 0.05
    assert all(step["shown"] >= found["changed"]["mapped"] - 0.01 for step in steps.values())
    really_changed, _ = really(run)
    assert changed[really_changed].mean() > 0.9


def test_the_same_command_again_maps_nothing_again(run, capsys):
    before = (run.path / "change-2022-2023" / "change.tif").read_bytes()
    command = ["change", str(run.path), "--years", "2022", "2023", "--model", MODEL]
    assert cli.main(command) == 0
    assert "mapping" not in "".join(capsys.readouterr())
    assert (run.path / "change-2022-2023" / "change.tif").read_bytes() == before


def test_two_runs_of_a_year_each_are_as_two_years_of_a_run(made, tmp_path):
    runs = []
    for name, days in (("a", DAYS), ("b", TWO_YEARS[6:])):
        run = Run(tmp_path / name)
        shutil.copytree(made.path, run.path, ignore=shutil.ignore_patterns("change*", "maps"))
        from landcover.files.raster_stacks import write_stack

        write_stack(run.sequence, {run.date(d): [f"{d}:{b}" for b in BANDS] for d in days})
        runs.append(run)
    shutil.rmtree(runs[1].path / "models")
    model = str(runs[0].model(MODEL))
    assert cli.main(["change", *(str(run.path) for run in runs), "--model", model]) == 0
    expected = rasters.read_classes(made.path / "change-2022-2023" / "change.tif")
    np.testing.assert_array_equal(
        rasters.read_classes(runs[1].path / "change" / "change.tif"), expected
    )


def test_years_the_other_way_round_are_the_matrix_turned(run):
    there = read_json(run.path / "change-2022-2023" / "change.json")
    back = lc.find_change(run, years=(2023, 2022), model=MODEL)
    assert (run.path / "change-2023-2022" / "change.tif").exists()
    np.testing.assert_allclose(
        np.array(back["matrix"]["area"]).T, there["matrix"]["area"], atol=0.02
    )


def test_small_changes_are_shown_where_that_is_asked_for(run):
    areas = []
    for mmu_ha in ("0", "5", "30"):
        command = ["change", str(run.path), "--years", "2022", "2023", "--model", MODEL]
        assert cli.main([*command, "--mmu-ha", mmu_ha]) == 0
        areas.append(shown(run.path / "change-2022-2023")[1].sum())
    assert areas[0] >= areas[1] > areas[2] == 0


def test_years_of_few_dates_are_compared_without_halves(run, capsys):
    from landcover.files.raster_stacks import write_stack

    days = (*TWO_YEARS[:3], *TWO_YEARS[6:])
    write_stack(run.sequence, {run.date(d): [f"{d}:{b}" for b in BANDS] for d in days})
    found = lc.find_change(run, years=(2022, 2023), model=MODEL, out=run.path / "out")
    assert found["halves"] is None
    assert "consistency over the year" not in [step["step"] for step in found["told_apart"]]
    said = "".join(capsys.readouterr())
    assert "is not tested" in said and "2022 (3 dates) has too few dates for two halves" in said


def test_halves_have_the_whole_year_and_no_date_in_common():
    days = [f"{n:02d}" for n in range(13)]
    for learnt in (LearntDates((), 2), LearntDates((), 6, together=6)):
        first, second = halves(days, learnt)
        assert not set(first) & set(second)
        assert first[0] == "00" and first[-1] == "12" and second[-1] == "11"
    assert (len(first), len(second)) == (6, 6)
    assert halves(days[:11], LearntDates((), 6, together=6)) == []


def test_a_model_of_few_dates_has_halves_of_all_dates_of_a_year(made, monkeypatch):
    learnt = LearntDates(DAYS[:3], 3, together=3)
    model = SimpleNamespace(inputs=SimpleNamespace(dates=learnt), legend=None, bands=BANDS)
    compared = [change_years.year_of(made.path, model, year) for year in (2022, 2023)]
    assert [len(year.days) for year in compared] == [3, 3]
    for name in ("nomenclature_of", "run_of", "is_mapped", "_map_of", "_half"):
        monkeypatch.setattr(change_years, name, lambda *_, **__: "made")
    pair, parts = change_years.pair_of_years(made, model, compared)
    assert parts[0] == [DAYS[::2], DAYS[1::2]] and len(pair.dates[1].halves) == 2


def test_large_regions_are_those_of_enough_area(rng):
    from skimage.measure import label, regionprops

    held = rng.random((40, 50)) < 0.55
    pixel = rng.uniform(0.5, 1.5, held.shape)
    kept = large_regions(held, lambda window: pixel[window.slices], 12.0, 0.0)
    expected = np.zeros_like(held)
    for region in regionprops(label(held, connectivity=1)):
        at = tuple(region.coords.T)
        expected[at] = pixel[at].sum() >= 12
    np.testing.assert_array_equal(kept, expected)


REFUSED = {
    "a year without a date": (
        ["--years", "2021", "2023"],
        "has no date of 2021; its dates are of 2022 (6), 2023 (6)",
    ),
    "one year twice": (["--years", "2022", "2022"], "are one year; give two different ones"),
    "a smallest change below a pixel": (
        ["--years", "2022", "2023", "--mmu-ha", "0.001"],
        "--mmu-ha 0.001: a pixel has 0.009998 ha",
    ),
    "patches out of range": (
        ["--years", "2022", "2023", "--patch-px", "2"],
        "patches of 2 px are out of range",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_years_that_cannot_be_compared(made, case, capsys):
    options, said = REFUSED[case]
    before = sorted(made.path.rglob("*"))
    assert cli.main(["change", str(made.path), *options, "--model", MODEL]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert said in line
    assert sorted(made.path.rglob("*")) == before


def test_a_model_is_asked_for_and_one_of_sequences(made, capsys):
    years = ["change", str(made.path), "--years", "2022", "2023"]
    assert cli.main(years) == 2
    assert "name it with --model" in error_lines(capsys.readouterr().err)[-1]
    with pytest.raises(SystemExit):
        cli.main(["change", str(made.path), "--model", MODEL])
    assert "AFTER" in capsys.readouterr().err
    with pytest.raises(lc.InputError, match="give a later run, or years= of one run"):
        lc.find_change(made, model=MODEL, out=made.path / "out")
    assert cli.main(["change", *([str(made.scene)] * 2), "--model", str(made.model(MODEL))]) == 2
    assert "is no run folder" in error_lines(capsys.readouterr().err)[-1]


def test_a_model_of_one_image_compares_no_years(run, capsys):
    model = train(run, "nearest-centroid", denoise="none", random_split=False)
    years = ["change", str(run.path), "--years", "2022", "2023", "--model", model.name]
    assert cli.main(years) == 2
    said = error_lines(capsys.readouterr().err)[-1]
    assert "sees one image, and --years are compared by a model of sequences" in said


def test_a_run_of_a_single_date_has_no_years(run, capsys):
    run.sequence.unlink()
    years = ["change", str(run.path), "--years", "2022", "2023", "--model", MODEL]
    assert cli.main(years) == 2
    said = error_lines(capsys.readouterr().err)[-1]
    assert "dates.vrt does not exist; make it with: landcover prep --date" in said


def test_a_year_of_too_few_dates_for_the_model(run, capsys):
    from landcover.files.raster_stacks import write_stack

    days = (*DAYS, TWO_YEARS[-1])
    write_stack(run.sequence, {run.date(d): [f"{d}:{b}" for b in BANDS] for d in days})
    years = ["change", str(run.path), "--years", "2022", "2023", "--model", MODEL]
    assert cli.main(years) == 2
    said = error_lines(capsys.readouterr().err)[-1]
    assert "needs 2 dates, and" in said and "has 1 of 2023" in said


def test_maps_of_a_year_are_not_taken_for_those_of_all_dates(run, capsys):
    command = ["change", str(run.path), str(run.path), "--maps", f"{MODEL}@2022"]
    assert cli.main([*command, "--out", str(run.path / "c")]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert f"--maps {MODEL}@2022 are of some dates" in line and f"--model {MODEL}" in line
    assert not (run.path / "c" / "change.tif").exists()
