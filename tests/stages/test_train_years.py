"""Labels of one year each: learnt with the dates of their year, and what its maps are scored by."""

from __future__ import annotations

import numpy as np
import pytest

from landcover import cli
from landcover.errors import InputError
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.files.class_rasters import write_classes
from landcover.samples.blocks import TEST
from landcover.samples.dated_rows import YEAR
from landcover.samples.table import Draw
from landcover.stages.compare import compare
from landcover.stages.dates import dated_rows, dates_of
from landcover.stages.inputs import read_blocks, read_rows
from landcover.stages.map import map_scene
from landcover.stages.sample import sample
from landcover.stages.store import read_comparison
from landcover.stages.train import train
from landcover.stages.train_tiles import tile_ground
from landcover.stages.train_years import rows_of_years, run_of_year, years_to_learn
from tests.fixtures.sequence_runs import DAYS, LEGEND, TWO_YEARS, write_sequence_run

PLAIN = {"denoise": "none", "random_split": False}
#: The lower half of the land becomes conifers.
LATER = [(np.s_[64:, :], 312)]


def with_labels_of_years(folder, max_patch=7, **options):
    """A run of two years whose land differs, with exact labels of each; its own are of 2023."""
    run = write_sequence_run(
        folder, rows=128, cols=160, days=TWO_YEARS, later=LATER, samples=2500, **options
    )
    grid, first = rasters.grid_of(run.scene), rasters.read_classes(run.reference)
    second = first.copy()
    for part, code in LATER:
        second[part] = code
    run.reference.unlink()
    for path, codes in (
        (run.labels_of_year(2022), first), (run.labels_of_year(2023), second), (run.labels, second)
    ):  # fmt: skip
        write_classes(path, codes, grid, LEGEND)
    sample(run, Draw(2500), max_patch=max_patch)
    seen = {"dates": {day: {"data": 1} for day in TWO_YEARS}}
    run.record("prep", {"composite": {"method": "median"}}, found=seen)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return with_labels_of_years(tmp_path_factory.mktemp("years") / "run")


def labels_at(run, year, samples):
    return rasters.read_classes(run.labels_of_year(year))[samples["row"], samples["col"]]


def test_each_year_makes_samples_with_its_own_labels_and_dates(run):
    assert years_to_learn(run, TWO_YEARS, "labels") == (2022, 2023)
    assert years_to_learn(run, DAYS, "labels") == (2022,)
    assert years_to_learn(run, TWO_YEARS, "reference") == ()
    rows = rows_of_years(run, (2022, 2023), "none")
    once = read_rows(run, "labels")
    assert len(rows.samples) == 2 * len(once.samples)
    assert len(rows.scored) == 2 * len(once.scored)
    for year in (2022, 2023):
        own = rows.samples[rows.samples[YEAR] == year]
        np.testing.assert_array_equal(own["label"], labels_at(run, year, own))
    assert (labels_at(run, 2022, own) != labels_at(run, 2023, own)).mean() > 0.2


def test_a_sample_shows_the_dates_of_its_year_alone(run):
    model = train(run, "sequence-forest", leaf_sizes=(5,), **PLAIN)
    assert model.inputs.dates.by_year
    rows = rows_of_years(run, (2022, 2023), "none")
    dated = dated_rows(run, rows, model.kind, model.inputs)
    held = dates_of(run)
    values = dated.samples[list(held.names)].to_numpy().reshape(len(dated.samples), 12, -1)
    seen = np.isfinite(values).all(axis=2)
    of_year = np.array([int(day[:4]) for day in held.days])
    other = dated.samples[YEAR].to_numpy()[:, None] != of_year
    assert not (seen & other).any() and seen.any(axis=1).all()
    # the model is told which year it maps
    with pytest.raises(InputError, match=r"learnt each year by its own labels.*dates=YEAR"):
        map_scene(run, model)
    assert train(run, "sequence-forest", leaf_sizes=(5,), dates=list(DAYS), variant="one",
                 **PLAIN).inputs.dates.by_year is False  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options", "least"),
    [
        ("sequence-forest", {"leaf_sizes": (5,)}, 0.9),
        pytest.param("ltae", {"epochs": 12}, 0.85, marks=pytest.mark.slow),
        pytest.param("tempcnn", {"epochs": 8}, 0.85, marks=pytest.mark.slow),
    ],
)
def test_a_class_that_differs_between_years_is_learnt_and_scored_by_year(run, kind, options, least):
    model = train(run, kind, variant="v", **PLAIN, **options)
    report = read_json(run.report(model.name))
    assert report["labels_of_years"] == [2022, 2023] and report["overall_accuracy"] > least
    assert set(model.card["labels_of_years"]) == {"2022", "2023"}
    test = np.zeros(rasters.grid_of(run.scene).shape, bool)
    test[:] = read_blocks(run).holds(whole(run), TEST)
    for year in (2022, 2023):
        path = map_scene(run, model, dates=[str(year)])[0]
        mapped, truth = (rasters.read_classes(of) for of in (path, run.labels_of_year(year)))
        scored = test & (truth > 0) & np.isfinite(rasters.read(run.scene)).all(axis=0)
        right = (mapped == truth)[scored].mean()
        report = read_json(run.report(path.stem))
        assert report["labels_of_years"] == [year]
        assert report["overall_accuracy"] == pytest.approx(right) and right > least - 0.05


def whole(run):
    from landcover.grid import Window

    return Window(0, 0, *rasters.grid_of(run.scene).shape)


def test_the_comparison_says_which_labels_score_each_map(run):
    names = sorted(path.stem for path in run.path.glob("maps/*@*.tif"))
    if not names:  # this test alone
        model = train(run, "sequence-forest", leaf_sizes=(5,), variant="v", **PLAIN)
        for year in ("2022", "2023"):
            map_scene(run, model, dates=[year])
    compare(run)
    found = {row["name"]: row for row in read_comparison(run.path)["models"]}
    first = next(row for name, row in found.items() if name.endswith("2022"))
    second = next(row for name, row in found.items() if name.endswith("2023"))
    assert (first["dates"]["labels_of"], second["dates"]["labels_of"]) == (2022, 2023)
    text = (run.path / "comparison.md").read_text("utf-8")
    assert "| labels of 2022 |" in text and "| labels of 2023 |" in text
    assert "labels of 2022" in (run.path / "comparison.html").read_text("utf-8")
    for row in (first, second):  # as each was scored alone
        report = read_json(run.report(row["name"]))
        assert row["scores"]["labels"]["overall_accuracy"] == report["overall_accuracy"]


@pytest.mark.slow
def test_labels_of_a_year_are_refined_on_the_median_of_its_own_dates(run):
    samples = read_rows(run, "labels").samples
    of_year = run_of_year(run, 2022, samples)
    dates = np.stack([rasters.read(run.date(day)) for day in DAYS])
    seen = np.isfinite(dates).all(axis=1).any(axis=0)
    expected = np.nanmedian(dates[:, :, seen], axis=0)
    np.testing.assert_allclose(rasters.read(of_year.scene)[:, seen], expected, atol=1e-6)
    table = read_rows(of_year, "labels").samples
    assert not np.setdiff1d(table["row"], samples["row"]).size
    np.testing.assert_array_equal(table["label"], labels_at(run, 2022, table))
    kept = of_year.samples.stat().st_mtime_ns
    assert run_of_year(run, 2022, samples).samples.stat().st_mtime_ns == kept
    rows = rows_of_years(run, (2022, 2023), "refine")
    refined = {
        year: rasters.read_classes(run.path / "years" / str(year) / "refined_labels.tif")
        for year in (2022, 2023)
    }
    learnt = rows.samples.iloc[np.concatenate([rows.train, rows.validation])]
    for year, codes in refined.items():
        own = learnt[learnt[YEAR] == year]
        np.testing.assert_array_equal(own["target"], codes[own["row"], own["col"]])


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return with_labels_of_years(tmp_path_factory.mktemp("tiles") / "run", max_patch=47, cloud=0.1)


@pytest.mark.slow
def test_tiles_of_a_date_have_the_labels_of_its_year(wide):
    model = train(wide, "unet", dates=list(TWO_YEARS), epochs=1, **PLAIN)
    ground = tile_ground(wide, model.inputs, "labels", "none", (2022, 2023))
    of_day = np.array([int(day[:4]) for day in TWO_YEARS])
    for part, year in zip(ground.by_year(), (2022, 2023), strict=True):
        np.testing.assert_array_equal(
            part.labels(whole(wide)), rasters.read_classes(wide.labels_of_year(year))
        )
        image = part.read(whole(wide)).reshape(12, 4, 128, 160)
        assert np.isnan(image[of_day != year]).all() and np.isfinite(image[of_day == year]).any()
    assert read_json(wide.report(model.name))["labels_of_years"] == [2022, 2023]
    path = map_scene(wide, model, dates=[DAYS[0]])[0]
    assert read_json(wide.report(path.stem))["labels_of_years"] == [2022]


def test_dates_of_several_years_are_not_read_together(wide):
    with pytest.raises(InputError, match=r"have labels of their own year.*dates=2023"):
        train(wide, "unet-convlstm", epochs=1, **PLAIN)
    dates = ["train", "unet-convlstm", str(wide.path), "--dates", "2022", "2023"]
    assert cli.main([*dates, "--denoise", "none"]) == 2


@pytest.mark.parametrize("denoise", ["none", "refine"])
def test_test_blocks_hold_no_pixel_that_tiles_learn(wide, denoise):
    """Labels of test blocks, refined or not, may be anything: what tiles learn stays the same."""
    from landcover.classifiers.protocol import Inputs
    from landcover.samples.labelled_tiles import cut

    learnt = wide.labels if denoise == "none" else wide.refined_labels
    grid, codes = rasters.grid_of(wide.scene), rasters.read_classes(wide.labels)
    inputs = Inputs(tuple(rasters.band_names(wide.scene)))
    ground = tile_ground(wide, inputs, "labels", denoise)
    try:
        write_classes(learnt, codes, grid, LEGEND)
        before = cut(ground, 0, LEGEND.codes, 50, 0)
        spoilt = np.where(read_blocks(wide).holds(whole(wide), TEST), 211, codes)
        assert (spoilt != codes).any()
        write_classes(learnt, spoilt, grid, LEGEND)
        after = cut(ground, 0, LEGEND.codes, 50, 0)
    finally:
        write_classes(wide.labels, codes, grid, LEGEND)
        wide.refined_labels.unlink(missing_ok=True)
    np.testing.assert_array_equal(before.targets, after.targets)
    np.testing.assert_array_equal(before.learnt, after.learnt)
