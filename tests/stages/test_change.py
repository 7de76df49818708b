"""Change between two dates: known answers, no change where there is none, and what was built."""

from __future__ import annotations

import argparse
import json
import shutil
import tracemalloc

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.crs import CRS
from rio_cogeo import cog_validate
from sklearn.cluster import KMeans

from landcover import cli
from landcover.classifiers import cards, estimators, forests
from landcover.classifiers.models import load_model
from landcover.commands.change import _define_change
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.files.legends import legend_of
from landcover.grid import Grid, Window
from landcover.legend import LandClass, Legend, corine
from landcover.maps import change, change_rasters
from landcover.maps.change import (
    Transitions,
    change_legend,
    classes_that_stay,
    coarser,
    decide,
    estimate_transitions,
    from_to,
    variance_together,
)
from landcover.reports import change as change_report
from landcover.reports.change_tally import Tally
from landcover.run import Run
from landcover.scene import features
from landcover.sources.synthetic import Later, make_dates
from landcover.stages.change import find_change, maker_of
from landcover.stages.change_inputs import MOST_PATCH_PX
from landcover.stages.map import map_scene
from tests.conftest import error_lines, utm_grid

CLASSES = [121, 211, 311]
LEGEND = Legend.corine().subset(CLASSES)
MODEL = "random-forest"


draw_picture = change_report._picture


@pytest.fixture(autouse=True, scope="module")
def small_sample_and_no_picture():
    """Fewer pixels to estimate transitions from, and one test that draws, for quick tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change_rasters, "SAMPLE", 8_000)
        patch.setattr(change_report, "_picture", lambda *drawn: b"")
        yield


def observed(rng, truth, shares):
    """What one model says of unsure signs, for which the classes have such shares: calibrated."""
    signs = rng.dirichlet(np.full(len(shares), 0.4), 2000)
    signs /= signs.sum(axis=0)  # how often each is met, by class
    drawn = np.empty((truth.size, len(shares)))
    for k in np.unique(truth):
        here = truth.ravel() == k
        drawn[here] = signs[rng.choice(len(signs), here.sum(), p=signs[:, k])]
    drawn *= shares
    return (drawn / drawn.sum(axis=1, keepdims=True)).T.reshape(-1, *truth.shape)


def two_dates(rng, truths, classes):
    """Probabilities of both dates by one model."""
    shares = np.bincount(np.ravel(truths), minlength=classes) / np.size(truths)
    return [observed(rng, np.asarray(truth), shares) for truth in truths]


def dates(rng, matrix, pixels=40_000):
    """Truth and probabilities of two dates with known transitions."""
    classes = len(matrix)
    truths = np.divmod(rng.choice(classes**2, pixels, p=np.ravel(matrix)), classes)
    return truths, two_dates(rng, truths, classes)


MATRIX = np.array([[0.28, 0.02, 0.0], [0.0, 0.4, 0.0], [0.01, 0.0, 0.29]])


def test_transitions_of_unsure_maps_are_found(rng):
    truth, probabilities = dates(rng, MATRIX)
    found = estimate_transitions(*probabilities)
    np.testing.assert_allclose(found.shares, MATRIX, atol=0.01)
    naive = (probabilities[0].argmax(axis=0) != probabilities[1].argmax(axis=0)).mean()
    assert naive > 0.2, "the maps are so unsure that comparing them says nothing"
    changed = found.changed(*probabilities, np.zeros(probabilities[0].shape[1], int))
    really = truth[0] != truth[1]
    assert changed.mean() == pytest.approx(really.mean(), abs=0.01)
    # a probability is what it says
    likely = changed > 0.5
    assert really[likely].mean() == pytest.approx(changed[likely].mean(), abs=0.06)


def test_sure_maps_are_counted(rng):
    truth = rng.integers(0, 3, (2, 5000))
    probabilities = [np.eye(3)[:, t] for t in truth]
    counted = np.zeros((3, 3))
    np.add.at(counted, tuple(truth), 1 / 5000)
    np.testing.assert_allclose(estimate_transitions(*probabilities).shares, counted, atol=0.004)


def test_the_shares_are_the_most_likely_ones(rng):
    _, (before, after) = dates(rng, [[0.5, 0.08], [0.02, 0.4]], 3000)
    before, after = (np.maximum(p, change.LEAST_PROBABILITY) for p in (before, after))
    means = (before + after).mean(axis=1, keepdims=True) / 2
    a, b = before / means, after / means

    def likelihood(shares):
        return np.log(np.einsum("in,ij,jn->n", a, shares, b)).sum()

    found = estimate_transitions(before, after).shares
    best = likelihood(found)
    for _ in range(200):
        moved = np.clip(found + rng.normal(0, 0.01, (2, 2)), 1e-9, None)
        assert likelihood(moved / moved.sum()) <= best + 1e-2


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.05, 5))
def test_equal_dates_never_change(seed, classes, concentration):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, concentration), 200).T
    likeness = rng.integers(0, 3, 200)
    for alike in (None, likeness):
        found = estimate_transitions(probabilities, probabilities, alike)
        place = np.zeros(200, int) if alike is None else alike
        assert (found.changed(probabilities, probabilities, place) <= 0.5).all()


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_the_order_of_dates_turns_the_matrix(seed, classes):
    rng = np.random.default_rng(seed)
    before, after = rng.dirichlet(np.full(classes, 0.5), (2, 300)).transpose(0, 2, 1)
    likeness = rng.integers(0, 3, 300)
    there = estimate_transitions(before, after, likeness)
    back = estimate_transitions(after, before, likeness)
    np.testing.assert_allclose(back.shares, there.shares.T, atol=1e-9)
    joint = np.stack(list(there.rows(before, after, likeness)))
    turned = np.stack(list(back.rows(after, before, likeness)))
    np.testing.assert_allclose(turned.swapaxes(0, 1), joint, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(joint.sum(axis=(0, 1)), 1, rtol=1e-5)
    stays = np.einsum("kkn->n", joint)
    np.testing.assert_allclose(there.changed(before, after, likeness), 1 - stays, atol=1e-5)


def test_pixels_that_do_not_look_alike_have_odds_of_their_own(rng):
    unlike = rng.random(20_000) < 0.05
    truth = np.zeros((2, 20_000), int)
    truth[1, unlike] = 1
    truth[:, -4000:] = 1
    probabilities = two_dates(rng, truth, 2)
    found = estimate_transitions(*probabilities, 2 * unlike)
    assert found.odds[0, 0, 1] < 0.05 * found.odds[2, 0, 1]
    really = truth[0] != truth[1]
    apart = found.changed(*probabilities, 2 * unlike) > 0.5
    together = estimate_transitions(*probabilities).changed(*probabilities, 0 * unlike) > 0.5
    assert (apart != really).mean() < (together != really).mean() / 2


def test_missing_probabilities_stay_missing():
    probabilities = np.array([[0.9, np.nan, 0.2], [0.1, np.nan, 0.8]])
    found = estimate_transitions(probabilities, probabilities)
    assert np.isnan(found.changed(probabilities, probabilities, np.zeros(3, int))).tolist() == [
        0,
        1,
        0,
    ]
    with pytest.raises(LandcoverError, match="no pixel in common"):
        estimate_transitions(probabilities[:, 1:2], probabilities[:, 1:2])


def test_a_likeness_that_was_not_met_goes_by_all_pixels(rng):
    _, probabilities = dates(rng, MATRIX, 2000)
    found = estimate_transitions(*probabilities, np.zeros(2000, int))
    np.testing.assert_allclose(
        found.odds[2], estimate_transitions(*probabilities).odds[0], rtol=1e-3
    )


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30))
def test_variance_is_that_of_one_common_draw(probabilities):
    p = np.array(probabilities)
    expected = (np.minimum(p[:, np.newaxis], p) - np.outer(p, p)).sum()
    assert variance_together(p) == pytest.approx(expected, abs=1e-3)


def test_decisions_keep_to_whether_a_pixel_changed():
    joint = np.array([[0.1, 0.5], [0.15, 0.25]])[..., np.newaxis].repeat(2, axis=2)
    before, after = decide(joint, np.array([True, False]), np.array([0, 1]))
    assert before.tolist() == [0, 1] and after.tolist() == [1, 1]


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_what_stays_has_the_class_of_a_map(seed, classes):
    rng = np.random.default_rng(seed)
    before, after = rng.dirichlet(np.full(classes, 0.7), (2, 60)).transpose(0, 2, 1)
    found = classes_that_stay(before, after)
    of_maps = before.argmax(axis=0), after.argmax(axis=0)
    other = np.where(found == of_maps[0], of_maps[1], of_maps[0])
    assert ((found == of_maps[0]) | (found == of_maps[1])).all()
    both = before + after
    assert (both[found, range(60)] >= both[other, range(60)]).all()
    np.testing.assert_array_equal(classes_that_stay(after, before), found)


def test_equal_doubts_at_both_dates_make_no_rare_class_frequent():
    """Dry hills that the model takes for water with 0.1 at both dates; water itself is rare."""
    hills = np.array([[0.55, 0.35, 0.10]] * 40 + [[0.35, 0.55, 0.10]] * 40).T
    others = np.array([[0.988, 0.01, 0.002]] * 460 + [[0.01, 0.988, 0.002]] * 460).T
    date = np.concatenate([hills, others], axis=1)
    alike = np.zeros(date.shape[1], int)
    found = estimate_transitions(date, date)
    assert found.shares[2, 2] > 5 * date[2].mean(), "the odds take the hills for a class of theirs"
    joint = np.stack(list(found.rows(date, date, alike)))
    areas = joint.sum(axis=(1, 2))
    np.testing.assert_allclose(areas, date.sum(axis=1), rtol=1e-3)
    stays = decide(joint, alike > 0, classes_that_stay(date, date))
    np.testing.assert_array_equal(stays[0], date.argmax(axis=0))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_codes_of_change_name_both_classes(level):
    legend = Legend.corine(level)
    places = np.arange(len(legend))
    pairs = np.meshgrid(places, places, indexing="ij")
    codes = from_to(*pairs, legend, Legend.corine(level))
    assert np.unique(codes).size == len(legend) ** 2 and codes.min() == 101
    named = change_legend(codes.ravel().tolist(), Legend.corine(level))
    for i, j in ((0, 1), (1, 0), (len(legend) - 1, 0)):
        entry = named[int(codes[i, j])]
        assert entry.name.startswith(f"{legend.codes[i]} → {legend.codes[j]} ")
        assert entry.colour == legend.classes[j].colour
    stayed = named[int(codes[1, 1])]
    assert stayed.name == f"{legend.codes[1]} {legend.names[1]}, unchanged"
    assert min(stayed.colour) > 190


@pytest.mark.parametrize("classes", [99, 100])
def test_codes_of_change_hold_99_classes_and_no_more(classes):
    legend = Legend(tuple(LandClass(n, f"class {n}", (n, 0, 0)) for n in range(1, classes + 1)))
    last = np.array([classes - 1])
    if classes > change.MOST_CLASSES:
        with pytest.raises(LandcoverError, match="at most 99 classes and the legend has 100"):
            from_to(last, last, legend, legend)
    else:
        assert from_to(last, last - 1, legend, legend).tolist() == [9998]
        places = np.meshgrid(np.arange(99), np.arange(99), indexing="ij")
        assert np.unique(from_to(*places, legend, legend)).size == 99**2


def test_coarser_probabilities_add_up(rng):
    probabilities = rng.dirichlet(np.ones(3), 5).T
    sums, legend = coarser(probabilities, Legend.corine().subset([112, 121, 311]), corine(), 1)
    assert legend.codes == (1, 3)
    np.testing.assert_allclose(sums, [probabilities[0] + probabilities[1], probabilities[2]])


def plane_grid(rows, cols):
    """A grid of pixels of exactly a hundredth of a hectare."""
    plane = CRS.from_wkt('LOCAL_CS["plane",UNIT["metre",1]]')
    return Grid(plane, Affine(10, 0, 0, 0, -10, 0), rows, cols)


@pytest.mark.parametrize("epsg", [3857, 32633])
def test_sums_are_areas_on_the_ground(rng, epsg):
    grid = Grid(CRS.from_epsg(epsg), Affine(10, 0, 500000, 0, -10, 6800000), 40, 56)
    truth = rng.integers(0, 3, (2, *grid.shape))
    probabilities = [np.eye(3, dtype=np.float32)[codes].transpose(2, 0, 1) for codes in truth]
    transitions = Transitions(np.full((3, 3), 1 / 9), np.ones((3, 3, 3), np.float32))
    alike = np.zeros(grid.shape, np.uint8)
    tally = Tally(LEGEND, Legend.corine(), grid, 16)
    changed = transitions.changed(*probabilities, alike)
    tally.add(Window(0, 0, *grid.shape), transitions, probabilities, alike, changed)
    found = tally.result()
    ha = grid.areas_ha(Window(0, 0, *grid.shape))
    assert found["pixels"] == ha.size
    assert found["total"] == pytest.approx(ha.sum(), rel=1e-6)
    apart = ha[truth[0] != truth[1]].sum()
    assert found["maps_differ"] == pytest.approx(apart, rel=1e-5)
    assert found["changed"]["area"] == pytest.approx(apart, rel=1e-2)


def put_into_a_tally(rng, legend, shape, patch_px):
    """A tally of unsure probabilities; the probabilities, transitions and likeness."""
    classes = len(legend)
    probabilities = rng.dirichlet(np.full(classes, 0.3), (2, *shape)).transpose(0, 3, 1, 2)
    probabilities = [part.astype(np.float32) for part in probabilities]
    odds = (rng.random((3, classes, classes)) + 9 * np.eye(classes)).astype(np.float32)
    transitions = Transitions(np.full((classes, classes), classes**-2.0), odds)
    alike = rng.integers(0, 3, shape).astype(np.uint8)
    changed = transitions.changed(*probabilities, alike)
    tally = Tally(legend, legend, plane_grid(*shape), patch_px)
    tracemalloc.start()
    tally.add(Window(0, 0, *shape), transitions, probabilities, alike, changed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return tally.result(), probabilities, odds[alike], peak


def test_sums_of_patches_are_those_of_the_joint_probabilities(rng):
    found, (before, after), odds, _ = put_into_a_tally(rng, LEGEND, (8, 64), 8)
    before, after = (np.maximum(p, change.LEAST_PROBABILITY) for p in (before, after))
    joint = np.einsum("rcij,irc,jrc->ijrc", odds, before, after)
    joint /= joint.sum(axis=(0, 1))
    same = np.einsum("iirc->rc", joint)
    for k, mean in enumerate((before + after) / (before + after).sum(axis=0)):
        joint[k, k] = same * mean
    np.testing.assert_allclose(found["matrix"]["area"], joint.sum(axis=(2, 3)) / 100, rtol=1e-5)
    stays = np.einsum("iirc->irc", joint)
    lost, gained = joint.sum(axis=1) - stays, joint.sum(axis=0) - stays
    summed = [(found["changed"], 1 - stays.sum(axis=0)), (found["stayed"][1], stays[1])]
    summed += [(found["per_class"]["211"]["lost"], lost[1])]
    summed += [(found["per_class"]["311"]["gained"], gained[2])]
    for said, p in summed:
        # Two pixels of one draw are both of it as often as the less likely one is
        parts = [p[:, col : col + 8].ravel() for col in range(0, 64, 8)]
        variance = sum((np.minimum.outer(q, q) - np.outer(q, q)).sum() for q in parts)
        upper = (p.sum() + 1.959964 * variance**0.5) / 100
        assert said["area_ci95"][1] == pytest.approx(upper, rel=1e-4)
        assert upper < 5.12, "so high that the bound is all pixels says nothing"


def test_the_widest_patch_of_all_classes_fits_in_memory(rng):
    side = 96
    *_, peak = put_into_a_tally(rng, Legend.corine(), (side, side), side)
    assert peak < 500e6 * (side / MOST_PATCH_PX) ** 2


# --- the command --------------------------------------------------------------------------------


def write_mapped(
    path, probabilities, image, grid, legend=LEGEND, bands=("B02", "B03", "B04", "B08")
):
    """A run folder with a scene and probabilities, as mapping leaves them."""
    run = Run(path)
    raster_writer.write(run.scene, image, grid, bands, np.nan)
    names = [f"{c.code} {c.name}" for c in legend.classes]
    raster_writer.write(
        run.probabilities(MODEL), probabilities.astype(np.float32), grid, names, np.nan
    )
    return run


@pytest.fixture
def pair(tmp_path):
    """Two mapped runs of 150 x 200 px, of which a square became industry; a corner is empty."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, (15, 20)).repeat(10, axis=0).repeat(10, axis=1) + 1
    later = truth.copy()
    later[40:80, 50:100] = 0
    colours = np.array([[0.3, 0.3, 0.32, 0.33], [0.1, 0.12, 0.15, 0.3], [0.02, 0.04, 0.02, 0.4]])
    runs = []
    probabilities = two_dates(rng, (truth, later), 3)
    for name, held, of_date in zip(("before", "after"), (truth, later), probabilities, strict=True):
        image = colours[held].transpose(2, 0, 1) + rng.normal(0, 0.004, (4, *held.shape))
        image[:, :20, :30] = of_date[:, :20, :30] = np.nan
        grid = utm_grid(*held.shape)
        runs.append(write_mapped(tmp_path / name, of_date, image.astype(np.float32), grid))
    return (*runs, truth, later)


@pytest.mark.parametrize(("pixel_m", "patch_px"), [(10, 64), (20, 32), (100, 8)])
def test_patches_are_640_m_wide_by_default(tmp_path, pixel_m, patch_px):
    rng = np.random.default_rng(0)
    grid = Grid(CRS.from_epsg(32633), Affine(pixel_m, 0, 3e5, 0, -pixel_m, 58e5), 70, 80)
    runs = []
    for name in ("before", "after"):
        probabilities = rng.dirichlet(np.full(3, 0.3), grid.shape).transpose(2, 0, 1)
        image = rng.uniform(0.02, 0.4, (4, *grid.shape)).astype(np.float32)
        runs.append(write_mapped(tmp_path / name, probabilities, image, grid))
    find_change(runs[0].path, runs[1].path, Run(tmp_path / "out"), normalise=False)
    assert read_json(tmp_path / "out" / "change.json")["patch_px"] == patch_px


def changed_in(folder):
    """Codes of the change raster, and where they say change."""
    codes = rasters.read_classes(folder / "change.tif")
    return codes, codes // 100 != codes % 100


def test_mapped_runs_are_compared(pair, capsys):
    before, after, truth, later = pair
    assert cli.main(["change", str(before.path), str(after.path), "--patch-px", "50"]) == 0
    out = after.path / "change"
    codes, changed = changed_in(out)
    empty = np.zeros(truth.shape, bool)
    empty[:20, :30] = True
    really = (truth != later) & ~empty
    assert changed[really].mean() > 0.97 and changed[~really].mean() < 0.005
    places = {121: 3, 211: 12, 311: 23}  # grid codes
    expected = [places[CLASSES[t]] * 100 + 3 for t in truth[really & changed]]
    assert (codes[really & changed] == expected).mean() > 0.8
    assert (codes[empty] == 0).all() and (codes[~empty] > 0).all()
    percent = rasters.read(out / "change_probability.tif")[0]
    with rasterio.open(out / "change_probability.tif") as dataset:
        assert dataset.nodata == 255
        assert (dataset.read(1)[empty] == 255).all()
    np.testing.assert_array_equal((percent > 50)[~empty], changed[~empty])
    report = read_json(out / "change.json")
    matrix = np.array(report["matrix"]["area"])
    grid = rasters.grid_of(out / "change.tif")
    ha = grid.areas_ha(Window(0, 0, *grid.shape))
    assert matrix.sum() == pytest.approx(ha[~empty].sum(), rel=1e-6)
    low, high = report["changed"]["area_ci95"]
    assert low <= really.sum() / 100 <= high
    mapped = np.array(report["matrix"]["mapped"])
    assert mapped.sum() == pytest.approx(report["total"])
    assert report["maps_differ"] > 5 * report["changed"]["mapped"] * 0.5
    patches = geopandas.read_parquet(out / "patches.parquet")
    assert len(patches) == 12 and patches.crs.to_epsg() == 32633
    of_pixel = grid.pixel_areas_ha(patches["row"] + 24.5, patches["col"] + 24.5)
    total = (patches["change_probability"] * patches["pixels"] * of_pixel).sum()
    assert total == pytest.approx(report["changed"]["area"], rel=1e-6)
    assert patches.area.max() == 500**2
    built = patches.loc[patches["change_probability"].idxmax()]
    assert built["to"] == 121 and (built["row"], built["col"]) == (50, 50)
    assert report["headline"] in capsys.readouterr().out


def test_pixels_that_are_not_compared_are_said_with_the_reason(pair, tmp_path, capsys):
    runs = []
    for number, run in enumerate(pair[:2]):
        image = rasters.read(run.scene)
        known = np.nan_to_num(rasters.read(run.probabilities(MODEL)), nan=1 / 3)
        hole = np.s_[:, 100 : 110 + number, 30 : 40 + 10 * number]
        known[hole] = image[hole] = np.nan
        grid = rasters.grid_of(run.scene)
        runs.append(write_mapped(tmp_path / f"held{number}", known, image, grid))
    assert cli.main(["change", *(str(run.path) for run in runs), "--patch-px", "50"]) == 0
    note = "220 of 30,000 pixels are not compared: 120 without data at the later date, 100 without "
    note += "data at both dates"
    assert f"note: {note}" in capsys.readouterr().out.splitlines()
    found = read_json(runs[1].path / "change" / "change.json")
    assert found["without_data"] == {"at the later date": 120, "at both dates": 100}
    assert found["pixels"] == 30_000 - 220 and found["notes"] == [note]
    assert f"- {note}." in (runs[1].path / "change" / "change.md").read_text("utf-8")


def test_products_open_elsewhere(pair, monkeypatch):
    before, after, *_ = pair
    monkeypatch.setattr(change_report, "_picture", draw_picture)
    paths = find_change(before.path, after.path, Run(after.path / "out"))
    assert [path.name for path in paths] == [
        *("change.md", "change.json", "change.png"),
        *("change.tif", "change.qml", "change_probability.tif", "patches.parquet"),
    ]
    for name in ("change.tif", "change_probability.tif"):
        valid, errors, _ = cog_validate(str(after.path / "out" / name))
        assert valid, errors
    with rasterio.open(after.path / "out" / "change.tif") as dataset:
        assert dataset.nodata == 0 and dataset.dtypes == ("uint16",)
    built = legend_of(after.path / "out" / "change.tif")[1203]
    assert built.colour == LEGEND[121].colour
    assert built.name == "211 → 121 Industrial or commercial units"
    # a code of a pair before it would be read as that of a class
    assert f'label="{built.name}"' in (after.path / "out" / "change.qml").read_text("utf-8")
    page = (after.path / "out" / "change.md").read_text("utf-8")
    assert "| 211 Non-irrigated arable land | 121 Industrial or commercial units |" in page
    transitions = read_json(after.path / "out" / "change.json")["transitions"]
    most = max(transitions, key=lambda cell: cell["mapped"])
    first, second = (f"{most[key]} {LEGEND[most[key]].name}" for key in ("from", "to"))
    assert f"Most of what the map shows is {first} → {second}: " in page
    assert "landcover assess" in page and "{" not in page
    assert "those of the scenes as they were" in page
    with Image.open(after.path / "out" / "change.png") as picture:
        assert picture.width > 800
    stage = Run(after.path / "out").read_manifest()["stages"]["change"]
    assert len(stage["inputs"]) == 4 and all("sha256" in entry for entry in stage["inputs"])
    assert set(stage["products"]) == {path.name for path in paths}


def test_products_go_into_a_run_folder_with_a_dot_and_beside_a_raster(pair, tmp_path):
    before, after, *_ = pair
    parser = argparse.ArgumentParser()
    _define_change(parser)
    assert parser.parse_args(["a", str(after.scene)]).run == after.path / "change"
    bare = after.scene.rename(tmp_path / "raster")
    assert parser.parse_args(["a", str(bare)]).run == tmp_path / "change"
    bare.rename(after.scene)
    dotted = after.path.rename(tmp_path / "2021.07")
    assert cli.main(["change", str(before.path), str(dotted)]) == 0
    assert (dotted / "change" / "change.tif").exists()


def test_windows_and_patches_change_no_pixel(pair, monkeypatch):
    before, after, *_ = pair
    read = {}
    for name, window_px, patch_px in (("a", 512, 64), ("b", 64, 40)):
        monkeypatch.setattr(change_rasters, "WINDOW_PX", window_px)
        out = Run(after.path / name)
        find_change(before.path, after.path, out, patch_px=patch_px)
        read[name] = [rasters.read(out.path / product)[0] for product in change_rasters.RASTERS]
        matrix = np.array(read_json(out.path / "change.json")["matrix"]["area"])
        read[name].append(matrix)
    codes, percents, matrices = zip(*read.values(), strict=True)
    np.testing.assert_array_equal(*codes)
    # Sums over other windows differ in their last digits, and a percent can be rounded otherwise
    assert (percents[0] != percents[1]).mean() < 1e-3
    np.testing.assert_allclose(*percents, atol=1)
    np.testing.assert_allclose(*matrices, rtol=1e-6)


def test_the_same_run_twice_has_no_change(pair):
    before, *_ = pair
    find_change(before.path, before.path, Run(before.path / "none"))
    _, changed = changed_in(before.path / "none")
    assert not changed.any()
    report = read_json(before.path / "none" / "change.json")
    assert report["maps_differ"] == 0 and report["changed"]["area"] < 0.01


def test_a_run_with_a_scene_is_no_place_for_what_changed(pair, tmp_path):
    before, after, *_ = pair
    other = Run(tmp_path / "other")
    raster_writer.write(other.scene, np.ones((1, 4, 4), np.float32), utm_grid(4, 4), ["B02"])
    for out in (other, after, before):
        held = sorted(out.path.rglob("*"))
        with pytest.raises(LandcoverError, match=r"is a run folder with a scene of its own"):
            find_change(before.path, after.path, out)
        assert sorted(out.path.rglob("*")) == held


def test_a_coarser_level_merges_what_the_maps_do_not_share(pair, tmp_path):
    before, after, *_ = pair
    other = Legend.corine().subset([121, 211, 312])
    probabilities, image = rasters.read(after.probabilities(MODEL)), rasters.read(after.scene)
    run = write_mapped(tmp_path / "other", probabilities, image, utm_grid(150, 200), other)
    with pytest.raises(LandcoverError, match=r"only one knows 311, 312; .*coarser level="):
        find_change(before.path, run.path, Run(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    find_change(before.path, run.path, Run(tmp_path / "out"), level=2)
    report = read_json(tmp_path / "out" / "change.json")
    assert report["matrix"]["codes"] == [12, 21, 31] and report["level"] == 2


def refused(argv, text, capsys):
    """The command ends in one line and exit code 2, and writes no product."""
    assert cli.main([str(a) for a in argv]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert text in line


def test_bad_input_is_one_line(pair, tmp_path, capsys):
    before, after, *_ = pair
    image, probabilities = rasters.read(after.scene), rasters.read(after.probabilities(MODEL))
    moved = write_mapped(tmp_path / "moved", probabilities, image, utm_grid(150, 200, west=300_030))
    refused(["change", before.path, moved.path], "north-west corner differs by 30 east", capsys)
    bands = write_mapped(
        tmp_path / "bands",
        probabilities,
        image,
        utm_grid(150, 200),
        bands=("B05", "B06", "B07", "B8A"),
    )
    refused(["change", before.path, bands.path], "none in common", capsys)
    bare = Run(tmp_path / "bare")
    raster_writer.write(bare.scene, image, utm_grid(150, 200), ("B02", "B03", "B04", "B08"), np.nan)
    refused(["change", before.path, bare.path], "no model's are in both", capsys)
    again = "landcover map RUN --model NAME --probabilities, or map both here with --model NAME"
    refused(["change", bare.path, bare.path], again, capsys)
    named = ["change", before.path, bare.path, "--maps", MODEL]
    refused(named, "landcover map " + str(bare.path), capsys)
    refused(["change", before.path, bare.scene], "is no run folder with maps", capsys)
    for side in ("4", "513"):
        sized = ["change", before.path, after.path, "--patch-px", side]
        refused(sized, f"patches of {side} px are out of range; choose 8 to 512", capsys)
    refused(["change", before.path, after.path, "--model", "knn"], "has no model knn", capsys)
    raster_writer.write(
        bare.probabilities(MODEL), probabilities, utm_grid(150, 200), list("abc"), np.nan
    )
    refused(["change", before.path, bare.path], "holds no probabilities of classes", capsys)
    for run in (moved, bands, bare, after):
        assert not (run.path / "change" / "change.tif").exists()


# --- synthetic dates: a field becomes an industrial complex -----------------------------------


def inputs(image, bands):
    """Bands and NDVI of every pixel, (pixels, 5)."""
    return (
        np.concatenate([image, features.compute_features(image, bands, ("ndvi",))]).reshape(5, -1).T
    )


def teach(run, scene):
    """A small forest that learnt the truth of the run's scene."""
    legend = Legend.corine().subset(np.unique(scene.truth))
    X, y = inputs(scene.image, scene.bands), legend.index(scene.truth).ravel()
    drawn = np.random.default_rng(0).choice(len(X), 9000, replace=False)
    save_forest(run, X[drawn], y[drawn], legend, scene.bands)


def save_forest(run, X, y, legend, bands):
    rows = X, y
    forest, *_ = forests.fit_forest(*rows, *rows, forests.Growth(0, n_trees=12), (5,))
    run.model(MODEL).mkdir(parents=True)
    estimators.save(forest, cards.file_of(run.model(MODEL), "forest"))
    cards.write_card(
        run.model(MODEL), "forest", legend, bands=list(bands), features=["ndvi"],
        segment_layers=[], patch_size=1, temperature=1.0, probability_floor=0.01,
        trained_on="reference", split={}, seed=0,
    )  # fmt: skip


def put(run, scene):
    raster_writer.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)


@pytest.fixture(scope="module")
def country(tmp_path_factory):
    """A run whose model knows it, with a later date on which estates were built."""
    folder = tmp_path_factory.mktemp("country")
    first, second = make_dates(
        360, 380, 2, Later(8, estates=5, haze=0.05, sun=0.95, greenness=0.97)
    )
    before, after = Run(folder / "before"), Run(folder / "after")
    put(before, first)
    teach(before, first)
    put(after, second)
    find_change(
        before.path, after.path, Run(after.path / "change"), model=load_model(before.model(MODEL))
    )
    return before, after, first, second


def maps_differ(out):
    labels = [rasters.read_classes(out / date / "maps" / f"{MODEL}.tif")
              for date in ("before", "after")]  # fmt: skip
    return labels[0] != labels[1]


def test_fields_that_became_industry_are_found(country):
    _, after, first, second = country
    out = after.path / "change"
    codes, changed = changed_in(out)
    really = first.truth != second.truth
    assert (codes[really] == 1203).mean() >= 0.9
    assert really[changed].mean() >= 0.9
    assert changed[~really].mean() < 0.005 < maps_differ(out)[~really].mean() / 5
    report = read_json(out / "change.json")
    top = report["transitions"][0]
    assert (top["from"], top["to"]) == (211, 121)
    assert top["area"] == pytest.approx(really.sum() / 100, rel=0.1)
    assert report["radiometry"]["kept"] == "earlier"


def test_a_difference_of_light_and_haze_is_no_change(country, tmp_path, capsys):
    """Neither by a model that is named nor by the one that made the maps which the runs hold."""
    before, *_ = country
    dates = make_dates(360, 380, 2, Later(9, haze=0.1, sun=0.9, greenness=0.9))
    assert (dates[0].truth == dates[1].truth).all()
    home = Run(tmp_path / "home")
    shutil.copytree(before.model(MODEL), home.model(MODEL))
    runs = [Run(tmp_path / name) for name in ("before", "after")]
    part = Window(0, 0, 240, 240)
    for run, scene in zip(runs, dates, strict=True):
        image, grid = scene.image[:, : part.rows, : part.cols], scene.grid.crop(part)
        raster_writer.write(run.scene, image, grid, scene.bands, np.nan)
        map_scene(run, home.model(MODEL), probabilities=True)
    paths = [run.path for run in runs]
    named, held, plain, taken = (Run(tmp_path / name) for name in "abcd")
    model = load_model(home.model(MODEL))
    find_change(runs[0].scene, runs[1].scene, named, model=model)
    find_change(*paths, held)
    find_change(*paths, plain, model=model, normalise=False)
    assert "as they are" not in capsys.readouterr().out
    home.path.rename(tmp_path / "gone")
    find_change(*paths, taken)
    [line] = [line for line in capsys.readouterr().out.splitlines() if "as they are" in line]
    assert str(paths[0]) in line and "haze or light can show as change" in line
    assert maps_differ(tmp_path).mean() > 0.3, "as the runs hold them"
    assert maps_differ(named.path).mean() > 0.05
    shown = [changed_in(out.path)[1].mean() for out in (named, held, plain, taken)]
    assert max(shown[:2]) < 0.002 < 0.02 < min(shown[2:])
    for product in change_rasters.RASTERS:
        assert (held.path / product).read_bytes() == (named.path / product).read_bytes()
    assert read_json(held.path / "change.json")["radiometry"]["moved"] == "later"
    again = [(out.path / date).exists() for out in (held, plain) for date in ("before", "after")]
    assert again == [False, True, False, False], "a map that is there is not made again"
    pages = [(out.path / "change.md").read_text("utf-8") for out in (held, taken)]
    assert ["as they were" in page for page in pages] == [False, True]


def test_the_model_that_made_both_maps_is_found_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home, guest, third = (Run(tmp_path / "runs" / name) for name in ("home", "guest", "third"))
    folder = home.model(MODEL)

    def made(*runs, of=home, seed=0, segment_layers=()):
        """As mapping these runs with a model leaves them."""
        cards.write_card(
            home.model(MODEL), "forest", LEGEND, bands=["B02"], features=[], patch_size=1,
            seed=seed, segment_layers=list(segment_layers),
        )  # fmt: skip
        cards.file_of(home.model(MODEL), "forest").touch()
        for run in runs:
            run.record(f"map {MODEL}", {}, [run.scene, of.model(MODEL) / "card.json"])

    def found(*runs):
        maker = maker_of([run.path for run in runs], MODEL)
        return maker and maker.folder.resolve()

    made(home)
    assert found(home, home) == folder and found(home, guest) is None, "its manifest tells nothing"
    made(guest, third)
    assert found(home, guest) == found(guest, home) == found(guest, third) == folder
    made(guest, third, of=Run("runs/home"))
    assert found(guest, third) == folder, "named as seen from the working folder"
    (tmp_path / "runs").rename(tmp_path / "moved")
    away = [Run(tmp_path / "moved" / run.path.name) for run in (home, guest, third)]
    assert found(*away[:2]) == away[0].model(MODEL), "a run holds its own by its place in it"
    assert found(*away[1:]) is None
    (tmp_path / "moved").rename(tmp_path / "runs")
    made(guest, seed=1)
    assert found(guest, guest) == folder and found(home, guest) is None, "trained again in between"
    cards.file_of(home.model(MODEL), "forest").unlink()
    assert found(guest, guest) is None
    made(home, guest, segment_layers=["hierarchy-8"])
    assert found(home, guest) is None, "segment types belong to one scene"


def test_the_order_of_dates_turns_all_products(country, tmp_path):
    before, after, *_ = country
    there = after.path / "change"
    find_change(after.scene, before.path, Run(tmp_path), model=load_model(before.model(MODEL)))
    turned = rasters.read_classes(tmp_path / "change.tif")
    codes = rasters.read_classes(there / "change.tif")
    np.testing.assert_array_equal(turned % 100 * 100 + turned // 100, codes)
    ours, theirs = (json.loads((p / "change.json").read_text()) for p in (tmp_path, there))
    np.testing.assert_allclose(
        np.transpose(ours["matrix"]["area"]), theirs["matrix"]["area"], rtol=1e-4, atol=1e-3
    )
    assert ours["radiometry"]["kept"] == "later"


def test_no_product_replaces_an_input(country, tmp_path, capsys):
    home, _, first, second = country
    model, runs = str(home.model(MODEL)), tmp_path / "runs"
    dates = [Run(runs / name) for name in ("before", "after")]
    for run, scene in zip(dates, (first, second), strict=True):
        put(run, scene)
    away = [tmp_path / f"{name}.tif" for name in ("early", "late")]
    for run, path in zip(dates, away, strict=True):
        shutil.copy(run.scene, path)
    (tmp_path / "to-runs").symlink_to(runs)
    (tmp_path / "to-after").symlink_to(dates[1].path)
    (tmp_path / "linked.tif").symlink_to(dates[0].scene)
    guest = tmp_path / "guest" / "after"
    shutil.copytree(home.model(MODEL), Run(guest).model(MODEL))
    named = tmp_path / "named" / "change.tif"
    named.parent.mkdir()
    shutil.copy(away[1], named)
    everything = [*(run.scene for run in dates), *away, named]
    bytes_before = [path.read_bytes() for path in everything]
    files_before = set(tmp_path.rglob("*"))
    for early, late, out in (
        (dates[0].path, dates[1].path, runs),
        (dates[0].path, dates[1].path, tmp_path / "to-runs"),
        (away[0], tmp_path / "to-after", runs),
        (away[0], dates[1].scene, runs),
        (tmp_path / "linked.tif", away[1], runs),
        (away[0], named, named.parent),
    ):
        argv = ["change", early, late, "--model", model, "--out", out]
        refused(argv, "would write over the input", capsys)
    argv = ["change", *away, "--model", Run(guest).model(MODEL), "--out", guest.parent]
    refused(argv, "would write over the input", capsys)
    assert [path.read_bytes() for path in everything] == bytes_before
    assert set(tmp_path.rglob("*")) == files_before


def test_scenes_that_a_model_cannot_map_are_refused(country, tmp_path, capsys):
    before, after, first, _ = country
    poor, model = tmp_path / "poor.tif", str(before.model(MODEL))
    raster_writer.write(poor, first.image[:3], first.grid, first.bands[:3], np.nan)
    for pair in ((before.path, poor), (poor, before.path)):
        refused(["change", *pair, "--model", model], "was trained on bands B02 B03 B04 B08", capsys)
    refused(["change", before.path, after.path, "--model", model, "--maps", MODEL],
            "give it without --model", capsys)  # fmt: skip
    typed = Run(tmp_path / "typed")
    card = load_model(before.model(MODEL)).card | {"segment_layers": ["hierarchy-8"]}
    typed.model("mlp").mkdir(parents=True)
    (typed.model("mlp") / "card.json").write_text(json.dumps(card))
    refused(["change", before.path, after.path, "--model", str(typed.model("mlp"))],
            "needs segment types, which belong to one scene", capsys)  # fmt: skip
    assert not (tmp_path / "change").exists()


def test_digital_numbers_are_no_scene(country, tmp_path, capsys):
    before, _, first, _ = country
    dn, model = tmp_path / "dn.tif", str(before.model(MODEL))
    for dtype, said in ((np.uint16, "holds uint16"), (np.float32, "has a median of ")):
        pixels = (first.image * 10_000).astype(dtype)
        raster_writer.write(dn, pixels, first.grid, first.bands, 0)
        for pair in ((before.path, dn), (dn, before.path)):
            refused(["change", *pair, "--model", model, "--out", tmp_path / "out"], said, capsys)
    assert not (tmp_path / "out").exists()


def test_dates_in_two_zones_are_told_how_to_get_onto_one_grid(tmp_path, capsys):
    runs = []
    for name, epsg in (("before", 32610), ("after", 32611)):
        grid = Grid(CRS.from_epsg(epsg), Affine(10, 0, 3e5, 0, -10, 44e5), 20, 20)
        shares = np.full((3, 20, 20), 1 / 3)
        runs.append(write_mapped(tmp_path / name, shares, np.full((4, 20, 20), 0.1, "f4"), grid))
    assert cli.main(["change", *(str(run.path) for run in runs)]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert f"{runs[0].path} is in EPSG:32610 and {runs[1].path} in EPSG:32611" in line
    assert "cut to the same box" in line and "rio warp" not in line
    assert "--to-crs EPSG:32610 --out RUN" in line
    assert not (runs[1].path / "change").exists()


def test_transitions_can_be_built_by_hand():
    odds = np.array([[[1.0, 0.01], [0.01, 1.0]]], np.float32)
    sure = Transitions(np.eye(2) / 2, odds)
    before, after = np.array([[0.9], [0.1]]), np.array([[0.05], [0.95]])
    stays = 0.9 * 0.05 + 0.1 * 0.95
    becomes = 0.01 * (0.9 * 0.95 + 0.1 * 0.05)
    found = sure.changed(before, after, np.array([0]))
    assert found[0] == pytest.approx(becomes / (stays + becomes), rel=1e-5)


def test_one_image_before_and_after_atmospheric_correction(shared_data, tmp_path):
    """No label says what is there; a forest learns the clusters of the first image's spectra."""
    bands = ("B02", "B03", "B04", "B08")
    runs = {}
    for name, prefix in (("l1c", "ref_input_S2"), ("icor", "ref_check_icor_S2")):
        paths = [shared_data / "lommel-icor" / f"{prefix}_{band}.tif" for band in bands]
        if not all(path.exists() for path in paths):
            pytest.skip("the Lommel pair is not there")
        dn = np.stack([rasters.read(path)[0, :512].astype(np.float32) for path in paths])
        dn[(dn == 0) | (dn > 20_000)] = np.nan
        runs[name] = Run(tmp_path / name)
        grid = rasters.grid_of(paths[0]).crop(Window(0, 0, *dn.shape[1:]))
        raster_writer.write(runs[name].scene, dn / 10_000, grid, bands, np.nan)
    images = {name: rasters.read(run.scene) for name, run in runs.items()}
    X = inputs(images["l1c"], bands)
    known = np.flatnonzero(np.isfinite(X).all(axis=1))
    X = X[np.random.default_rng(0).choice(known, 10_000, replace=False)]
    clusters = KMeans(8, n_init=1, random_state=0).fit_predict((X - X.mean(axis=0)) / X.std(axis=0))
    legend = Legend.corine().subset([112, 121, 211, 231, 311, 312, 322, 512])
    save_forest(runs["l1c"], X, clusters, legend, bands)
    found = {}
    for normalise in (True, False):
        out = Run(tmp_path / f"{normalise}")
        find_change(runs["l1c"].path, runs["icor"].path, out,
                    model=load_model(runs["l1c"].model(MODEL)), normalise=normalise)  # fmt: skip
        found[normalise] = maps_differ(out.path).mean(), changed_in(out.path)[1].mean()
    assert found[False][0] > 0.1 and found[True][0] < 0.02
    assert found[True][1] < 0.001
