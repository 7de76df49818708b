"""Postprocessing: arrays against independent implementations, then the workflow and its command."""

from __future__ import annotations

import shutil

import geopandas
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.crs import CRS
from scipy import ndimage
from shapely.geometry import box

from landcover.classifiers.models import load_model
from landcover.classifiers.names import title_of
from landcover.cli import main
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json, write_json
from landcover.grid import Grid, Window
from landcover.legend import Legend
from landcover.maps import postprocessing, smoothing
from landcover.maps.regions import Ballot, sieve, sieve_by_area
from landcover.run import Run
from landcover.samples.blocks import TEST
from landcover.stages import store
from landcover.stages.compare import compare
from landcover.stages.inputs import read_blocks
from landcover.stages.map import map_scene
from landcover.stages.postprocess import postprocess
from landcover.stages.train import train
from tests.conftest import error_lines
from tests.fixtures.ground import outline_ha
from tests.fixtures.training_runs import write_run

CODES = (211, 311, 512)
MAP = "random-forest-plain"


def class_maps(max_side=14, unlabelled=True):
    codes = st.sampled_from((0, *CODES) if unlabelled else CODES)
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=max_side)
    return hnp.arrays(np.uint16, shapes, elements=codes)


# ---------------------------------------------------------------- majority by region


def test_a_region_takes_its_commonest_class_as_pandas_finds_it(rng):
    regions, codes = rng.integers(0, 40, (60, 70)), rng.choice([0, *CODES], (60, 70))
    ballot = Ballot(CODES)
    ballot.add(regions, codes)
    settled = ballot.settle(regions, codes)
    table = pd.DataFrame({"region": regions.ravel(), "code": codes.ravel()})
    voting = table[(table["region"] > 0) & (table["code"] > 0)]
    # mode() lists equals in ascending order
    modes = voting.groupby("region")["code"].agg(lambda values: values.mode().iloc[0])
    expected = np.where(table["code"] > 0, table["region"].map(modes), 0)
    inside = regions > 0
    assert (settled[inside] == expected.reshape(60, 70)[inside]).all()
    assert (settled[~inside] == codes[~inside]).all()


@given(class_maps(), st.integers(0, 10), st.integers(0, 1000))
def test_votes_do_not_depend_on_windows(codes, cut, seed):
    rng = np.random.default_rng(seed)
    regions = rng.integers(0, 5, codes.shape)
    probabilities = rng.dirichlet([0.3] * 3, codes.shape).transpose(2, 0, 1).astype(np.float32)
    whole, parts = (Ballot(CODES), Ballot(CODES)), (Ballot(CODES), Ballot(CODES))
    whole[0].add(regions, codes)
    whole[1].add_probabilities(regions, probabilities)
    for rows in (slice(cut, None), slice(0, cut)):
        parts[0].add(regions[rows], codes[rows])
        parts[1].add_probabilities(regions[rows], probabilities[:, rows])
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.settle(regions, codes), other.settle(regions, codes))


def test_probabilities_can_outvote_the_commonest_class():
    probabilities = np.array([[[0.51, 0.51, 0.0]], [[0.49, 0.49, 1.0]], [[0, 0, 0]]], np.float32)
    regions = np.array([[1, 1, 1]])
    codes = np.array([[211, 211, 311]])
    by_class, by_probability = Ballot(CODES), Ballot(CODES)
    by_class.add(regions, codes)
    by_probability.add_probabilities(regions, probabilities)
    assert by_class.winners().tolist() == [0, 211]
    assert by_probability.winners().tolist() == [0, 311]
    probabilities[:, 0, 2] = np.nan  # has no vote
    by_probability = Ballot(CODES)
    by_probability.add_probabilities(regions, probabilities)
    assert by_probability.winners().tolist() == [0, 211]


def test_equal_votes_go_to_the_lowest_code():
    ballot = Ballot(CODES)
    ballot.add(np.array([1, 1, 2, 2, 3]), np.array([512, 311, 211, 512, 0]))
    assert ballot.winners().tolist() == [0, 311, 211]
    tied = Ballot(CODES)
    tied.add_probabilities(np.array([[1, 1]]), np.array([[[0.1, 0.3]], [[0.3, 0.1]], [[0, 0]]]))
    assert tied.winners().tolist() == [0, 211]


# ---------------------------------------------------------------- smallest region


def regions_of(codes, connectivity):
    """Label and size of every region, by scipy; 0 is nodata."""
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    labels = np.zeros(codes.shape, int)
    for code in np.unique(codes[codes > 0]):
        found, _ = ndimage.label(codes == code, structure)
        labels[found > 0] = found[found > 0] + labels.max()
    return labels, np.bincount(labels.ravel())


@given(class_maps(), st.integers(2, 8), st.sampled_from([4, 8]))
def test_what_is_too_small_is_gone_unless_nothing_on_its_island_is_large_enough(
    codes, smallest, connectivity
):
    sieved = sieve(codes, smallest, connectivity)
    assert np.array_equal(sieved == 0, codes == 0)
    labels, sizes = regions_of(sieved, connectivity)
    structure = ndimage.generate_binary_structure(2, 1 if connectivity == 4 else 2)
    islands, n = ndimage.label(sieved > 0, structure)
    for island in range(1, n + 1):
        held = np.unique(labels[islands == island])
        assert (sizes[held] >= smallest).all() or (sizes[held] < smallest).all()
    assert np.array_equal(sieve(sieved, smallest, connectivity), sieved)


@given(class_maps(), st.integers(2, 8))
def test_regions_only_grow(codes, smallest):
    """No region that was large enough loses a pixel."""
    sieved = sieve(codes, smallest)
    labels, sizes = regions_of(codes, 4)
    large = (sizes >= smallest)[labels] & (codes > 0)
    assert np.array_equal(sieved[large], codes[large])


def test_a_small_region_goes_to_the_largest_neighbour():
    codes = np.full((9, 9), 211, np.uint16)
    codes[:, 6:] = 311
    codes[3:5, 5:7] = 512  # touches both, 311 on its longer side
    sieved = sieve(codes, 5)
    assert (sieved[3:5, 5:7] == 211).all()
    assert (np.delete(sieved, [3, 4], axis=0) == np.delete(codes, [3, 4], axis=0)).all()
    assert np.array_equal(sieve(codes, 4), codes)


@pytest.mark.parametrize("smallest", [8, 50])
def test_a_noisy_map_leaves_nothing_behind(rng, smallest):
    """GDAL's filter called once leaves small regions among small neighbours alone."""
    from rasterio.features import sieve as gdal_sieve

    codes = rng.choice([*CODES, 523], (300, 360)).astype(np.uint16)
    once = gdal_sieve(codes, smallest, mask=np.ones(codes.shape, np.uint8))
    assert regions_of(once, 4)[1][1:].min() < smallest
    assert regions_of(sieve(codes, smallest), 4)[1][1:].min() >= smallest


def test_what_is_left_of_a_merger_is_merged_too():
    codes = np.array([[3, 4, 1], [1, 3, 2], [4, 4, 2]], np.uint16)
    # After one pass the 3 in the corner is alone; only then does it touch a region of two
    assert sieve(codes, 2).tolist() == [[4, 2, 2], [4, 2, 2], [4, 4, 2]]


def test_a_diagonal_brook_stays_whole_by_its_corners():
    codes = np.full((12, 12), 211, np.uint16)
    np.fill_diagonal(codes, 512)
    assert np.array_equal(sieve(codes, 5, connectivity=8), codes)
    assert (sieve(codes, 5, connectivity=4) == 211).all()


def of_rows(heights):
    """Areas of pixels that depend on their row alone."""
    return lambda window: np.repeat(heights[window.slices[0], None], window.cols, axis=1)


@st.composite
def unequal_rows(draw):
    codes = draw(class_maps())
    heights = draw(st.lists(st.floats(1, 4), min_size=len(codes), max_size=len(codes)))
    return codes, np.array(heights)


@given(unequal_rows(), st.floats(2, 12))
def test_regions_of_unequal_pixels_have_the_sum_of_their_areas(drawn, smallest):
    codes, heights = drawn
    areas = of_rows(heights)(Window(0, 0, *codes.shape))
    sieved = sieve_by_area(codes, of_rows(heights), smallest, heights.min())
    enough = smallest - 0.1 * heights.min()
    assert sieved.dtype == codes.dtype
    assert np.array_equal(sieved == 0, codes == 0)
    labels, _ = regions_of(sieved, 4)
    sizes = np.bincount(labels.ravel(), areas.ravel())
    islands, n = ndimage.label(sieved > 0)
    for island in range(1, n + 1):
        held = np.unique(labels[islands == island])
        assert (sizes[held] >= enough - 1e-9).all() or (sizes[held] < enough + 1e-9).all()
    before, _ = regions_of(codes, 4)
    large = (np.bincount(before.ravel(), areas.ravel()) >= smallest)[before] & (codes > 0)
    assert np.array_equal(sieved[large], codes[large])


@pytest.mark.parametrize("smallest", [3, 8, 50])
def test_pixels_of_one_area_are_sieved_as_gdal_sieves_them(rng, smallest):
    """Patches of so many sizes that hardly two neighbours of one are equal."""
    values = ndimage.gaussian_filter(rng.normal(size=(160, 200)), 2.5)
    codes = np.array(CODES, np.uint16)[np.digitize(values, np.quantile(values, [0.4, 0.7]))]
    codes[:9, :30] = 0
    found = sieve_by_area(codes, of_rows(np.full(160, 0.01)), 0.01 * smallest, 0.01)
    assert np.mean(found != sieve(codes, smallest)) < 0.002
    assert (codes != found).any()


@pytest.mark.parametrize(("epsg", "pixel", "north"), [(4326, 0.01, 62), (3857, 1000, 8.8e6)])
def test_the_smallest_region_is_its_own_area_at_every_latitude(epsg, pixel, north):
    """The same squares: large enough in the south, too small in the north, by the ellipsoid."""
    grid = Grid(CRS.from_epsg(epsg), Affine(pixel, 0, pixel, 0, -pixel, north), 900, 40)
    codes = np.full(grid.shape, 211, np.uint16)
    squares = [Window(row, 10, 8, 8) for row in range(10, 890, 20)]
    for square in squares:
        codes[square.slices] = 512
    areas = np.array([outline_ha(grid.crop(square)) for square in squares])
    smallest = float(np.median(areas))
    step = postprocessing._sieve(grid, smallest)
    sieved = step.apply(codes)
    assert step.suffix == f"mmu{smallest * 1e4:.0f}m2"
    kept = np.array([(sieved[square.slices] == 512).all() for square in squares])
    gone = np.array([(sieved[square.slices] == 211).all() for square in squares])
    assert np.array_equal(kept, areas >= smallest)
    assert np.array_equal(gone, ~kept)
    assert 0.3 < kept.mean() < 0.7


@pytest.mark.parametrize(("size", "connectivity", "text"), [
    (1, 4, "a smallest region of 1 pixels does not sieve a map of 20; choose at least 2"),
    (20, 4, "a smallest region of 20 pixels"),
    (3, 6, "connectivity 6 does not exist; choose 4 or 8"),
])  # fmt: skip
def test_sizes_out_of_range_are_refused(size, connectivity, text):
    with pytest.raises(LandcoverError, match=text):
        sieve(np.full((4, 5), 211, np.uint16), size, connectivity)


# ---------------------------------------------------------------- smoothing


def slow_smooth(probabilities, image, scale, beta, iterations):
    """The formula of `smooth`, pixel by pixel in float64."""
    classes, rows, cols = probabilities.shape
    q = np.maximum(probabilities.astype(float), smoothing.LEAST_PROBABILITY)
    q /= q.sum(axis=0)
    p = q.copy()
    steps = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    for _ in range(iterations):
        new = q.copy()
        for r, c in np.ndindex(rows, cols):
            agreement, total = np.zeros(classes), 0.0
            for a, b in steps:
                distance = np.hypot(a, b)
                total += 1 / distance
                if not (0 <= r + a < rows and 0 <= c + b < cols):
                    continue
                difference = (image[:, r, c] - image[:, r + a, c + b]) ** 2
                weight = np.exp(-np.mean(difference / (2 * scale))) / distance
                if np.isfinite(weight) and np.isfinite(q[:, r + a, c + b]).all():
                    agreement += weight * q[:, r + a, c + b]
            value = p[:, r, c] * np.exp(beta * agreement / total)
            new[:, r, c] = value / value.sum()
        q = new
    return q


def random_scene(rng, rows=30, cols=34):
    probabilities = rng.dirichlet([0.4] * 3, (rows, cols)).transpose(2, 0, 1).astype(np.float32)
    image = rng.uniform(0, 0.3, (4, rows, cols)).astype(np.float32)
    probabilities[:, 3:6, 5:9] = np.nan
    image[:, 3:6, 5:9] = np.nan
    image[1, 10, 10] = np.nan  # a band that the model does not read
    return probabilities, image


def scale_of(image):
    sums, pairs = smoothing.contrast(image)
    return sums / pairs


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_smoothing_is_its_formula(rng, iterations):
    probabilities, image = random_scene(rng, 12, 15)
    found = smoothing.smooth(probabilities, image, scale_of(image), 5.0, iterations)
    expected = slow_smooth(probabilities, image, scale_of(image), 5.0, iterations)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-6)


@given(st.integers(0, 29), st.integers(0, 33), st.integers(1, 30), st.integers(1, 30))
def test_windows_with_a_margin_give_the_same_bits(row, col, rows, cols):
    probabilities, image = random_scene(np.random.default_rng(3))
    scale, n = scale_of(image), 3
    whole = smoothing.smooth(probabilities, image, scale, iterations=n)
    pad = ((0, 0), (n, n), (n, n))
    around = (slice(None), slice(row, row + rows + 2 * n), slice(col, col + cols + 2 * n))
    parts = (np.pad(a, pad, constant_values=np.nan)[around] for a in (probabilities, image))
    part = smoothing.smooth(*parts, scale, iterations=n)[:, n:-n, n:-n]
    expected = whole[:, row : row + rows, col : col + cols]
    np.testing.assert_array_equal(part, expected)


def test_contrast_is_that_of_neighbours(rng):
    _, image = random_scene(rng)
    sums, pairs = smoothing.contrast(image)
    for band in range(4):
        down, right = np.diff(image[band], axis=0), np.diff(image[band], axis=1)
        both = np.concatenate([down.ravel(), right.ravel()]).astype(float)
        both = both[np.isfinite(both)]
        assert pairs[band] == both.size
        assert sums[band] == pytest.approx((both**2).sum())


def test_nothing_is_smoothed_without_weight(rng):
    probabilities, image = random_scene(rng)
    q = smoothing.smooth(probabilities, image, scale_of(image), beta=0)
    assert np.array_equal(np.isnan(q), np.isnan(probabilities))
    held = np.isfinite(probabilities[0])
    assert np.array_equal(q.argmax(axis=0)[held], probabilities.argmax(axis=0)[held])
    alone = image.copy()
    alone[0] = np.nan  # no pixel has all bands, so none has a neighbour
    np.testing.assert_array_equal(smoothing.smooth(probabilities, alone, scale_of(image)), q)


def test_an_edge_of_the_image_is_kept_and_a_speck_is_not(rng):
    truth = np.zeros((40, 40), int)
    truth[:, 20:] = 1
    image = np.where(truth, 0.3, 0.1)[np.newaxis] + rng.normal(0, 0.005, (1, 40, 40))
    right = rng.random((40, 40)) < 0.75
    first = np.where(right == (truth == 0), 0.7, 0.3)
    probabilities = np.stack([first, 1 - first]).astype(np.float32)
    scale = scale_of(image)
    found = smoothing.smooth(probabilities, image, scale).argmax(axis=0)
    assert (probabilities.argmax(axis=0) == truth).mean() < 0.8
    assert (found == truth).mean() > 0.985
    flat = smoothing.smooth(probabilities, np.zeros_like(image), scale).argmax(axis=0)
    border = np.s_[:, 18:22]
    assert (found == truth)[border].mean() > (flat == truth)[border].mean()


def test_images_and_probabilities_of_different_pixels_are_refused():
    with pytest.raises(LandcoverError, match=r"probabilities of \(3, 3\) pixels and an image of"):
        smoothing.smooth(np.ones((2, 3, 3)), np.ones((1, 3, 4)), np.ones(1))


# ---------------------------------------------------------------- the workflow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("post") / "run")
    train(run, leaf_sizes=(20,), random_split=True, denoise="none")
    map_scene(run, MAP, probabilities=True)
    return run


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made.path, tmp_path / "run")
    return Run(tmp_path / "run")


def classes(run, name):
    return rasters.read_classes(run.map(name))


def test_a_smoothed_map_is_a_map_like_any_other(run):
    paths = postprocess(run, MAP, smooth=True)
    name = f"{MAP}+smooth"
    item, report = read_json(run.item(name)), store.read_report(run.report(name))
    assert paths == [
        run.map(name), run.map(name).with_suffix(".qml"), run.item(name), run.report(name)
    ]  # fmt: skip
    assert item["assets"]["map"]["href"] == f"../{name}.tif"
    assert item["assets"]["card"]["href"] == f"../../models/{MAP}/card.json"
    assert "confidence" not in item["assets"]
    before, after = classes(run, MAP), classes(run, name)
    assert np.array_equal(before == 0, after == 0)
    assert (before != after).any()
    blocks = read_blocks(run)
    test = blocks.split_of(*np.indices(before.shape)) == TEST
    for against, path in (("reference", run.reference), ("labels", run.labels)):
        truth = rasters.read_classes(path)
        scored = test & (truth > 0) & (before > 0)
        share = [(codes == truth)[scored].mean() for codes in (before, after)]
        change = report["change"][against]
        assert report["scores"][against]["overall_accuracy"] == pytest.approx(share[1])
        assert change["difference"] == pytest.approx(share[1] - share[0])
        assert change["ci95"][0] <= change["difference"] <= change["ci95"][1]
    assert not {score for score in report["scores"] if score.endswith("_random")}
    assert report["card"] == store.read_report(run.report(MAP))["card"]
    assert set(report["seconds"]) == {"train", "predict", "postprocess"}
    entry = run.read_manifest()["stages"][f"postprocess {name}"]
    assert {source["path"] for source in entry["inputs"]} == {
        f"maps/{MAP}.tif", f"maps/{MAP}_probabilities.tif", "scene.tif"
    }  # fmt: skip


def test_smoothing_by_windows_is_smoothing_the_whole(run, monkeypatch):
    probabilities, image = rasters.read(run.probabilities(MAP)), rasters.read(run.scene)
    scale = scale_of(image)
    legend = Legend.corine().subset(CODES)
    best = legend.code(smoothing.smooth(probabilities, image, scale).argmax(axis=0))
    expected = np.where(classes(run, MAP) > 0, best, 0)
    monkeypatch.setattr(postprocessing, "WINDOW_PX", 48)
    monkeypatch.setattr(postprocessing, "_contrast", lambda scene, windows: scale)
    postprocess(run, MAP, smooth=True)
    assert np.array_equal(classes(run, f"{MAP}+smooth"), expected)


@pytest.mark.parametrize("window_px", [512, 48])
@pytest.mark.parametrize("by_probability", [False, True])
def test_every_segment_has_one_class(run, monkeypatch, window_px, by_probability):
    monkeypatch.setattr(postprocessing, "WINDOW_PX", window_px)
    rng = np.random.default_rng(5)
    segments = rng.permutation(np.arange(1, 321)).reshape(16, 20).repeat(8, 0).repeat(8, 1)
    segments[:, :6] = 0
    grid = rasters.grid_of(run.scene)
    raster_writer.write(run.segments, segments.astype(np.uint32), grid, ["segment"], nodata=0)
    postprocess(run, MAP, segments=True, by_probability=by_probability)
    name = f"{MAP}+segments" + ("-by-probability" if by_probability else "")
    before, after = classes(run, MAP), classes(run, name)
    table = pd.DataFrame({"segment": segments.ravel(), "code": before.ravel()})
    if by_probability:
        probabilities = rasters.read(run.probabilities(MAP)).astype(float)
        sums = pd.DataFrame(probabilities.reshape(3, -1).T).groupby(table["segment"]).sum()
        winners = pd.Series(np.array(CODES)[sums.to_numpy().argmax(axis=1)], sums.index)
    else:
        voting = table[table["code"] > 0]
        winners = voting.groupby("segment")["code"].agg(lambda codes: codes.mode().iloc[0])
    expected = table["segment"].map(winners).to_numpy().reshape(segments.shape)
    expected = np.where(segments > 0, np.where(before > 0, expected, 0), before)
    assert np.array_equal(after, expected)
    assert (after != before).any()


def write_polygons(run, path, windows):
    grid = rasters.grid_of(run.scene)
    boxes = [box(*grid.crop(Window(*window)).bounds) for window in windows]
    geopandas.GeoDataFrame(geometry=boxes, crs=grid.crs).to_file(path)
    return path


@pytest.mark.parametrize("window_px", [512, 48])
def test_every_polygon_has_one_class_and_the_last_one_counts(run, monkeypatch, window_px):
    monkeypatch.setattr(postprocessing, "WINDOW_PX", window_px)
    windows = [(10, 20, 60, 40), (30, 40, 60, 40), (100, 100, 9, 9), (120, 150, 40, 40)]
    path = write_polygons(run, run.path / "fields.gpkg", windows)
    postprocess(run, MAP, polygons=path)
    before, after = classes(run, MAP), classes(run, f"{MAP}+polygons")
    owner = np.full(before.shape, -1)
    for number, window in enumerate(windows):
        owner[Window(*window).slices] = number
    assert np.array_equal(after[owner < 0], before[owner < 0])
    for number in range(len(windows)):
        inside = (owner == number) & (before > 0)
        assert (after[inside] == np.bincount(before[inside]).argmax()).all()
    assert (after != before).any()


def test_the_smallest_region_is_given_in_hectares(run):
    postprocess(run, MAP, mmu_ha=0.102)
    name = f"{MAP}+mmu11px"  # a pixel has 0.01 ha, and eleven are the first to reach 0.102
    assert np.array_equal(classes(run, name), sieve(classes(run, MAP), 11))
    postprocess(run, MAP, mmu_ha=0.1)
    assert run.map(f"{MAP}+mmu10px").exists()


def test_steps_follow_each_other(run):
    postprocess(run, MAP, smooth=True, segments=True, mmu_ha=0.2)
    once = classes(run, f"{MAP}+smooth+segments+mmu20px")
    postprocess(run, MAP, smooth=True)
    postprocess(run, f"{MAP}+smooth", segments=True)
    postprocess(run, f"{MAP}+smooth+segments", mmu_ha=0.2)
    assert np.array_equal(classes(run, f"{MAP}+smooth+segments+mmu20px"), once)
    report = store.read_report(run.report(f"{MAP}+smooth+segments+mmu20px"))
    assert report["postprocessing"]["of"] == f"{MAP}+smooth+segments"
    with pytest.raises(LandcoverError, match=r"has no probabilities of its own; .*: model=rand"):
        postprocess(run, f"{MAP}+smooth+segments", smooth=True)


def test_the_comparison_takes_them_in(run):
    postprocess(run, MAP, smooth=True)
    postprocess(run, MAP, mmu_ha=0.1)
    compare(run)
    comparison = store.read_comparison(run.path)
    titles = {model["name"]: model["title"] for model in comparison["models"]}
    assert titles == {
        MAP: "random forest on labels as they are",
        f"{MAP}+smooth": "random forest on labels as they are after smoothing",
        f"{MAP}+mmu10px": "random forest on labels as they are after a sieve of 10 px",
    }
    leaks = {model["name"]: set(model["leaks"]) for model in comparison["models"]}
    assert leaks == {MAP: {"reference", "labels"}, f"{MAP}+smooth": set(), f"{MAP}+mmu10px": set()}
    assert comparison["best"] != MAP  # and the leak of the model is told all the same
    page = (run.path / "comparison.md").read_text("utf-8")
    told = page.split("Scores of a random split")[1].split("##")[0]
    assert "| random forest on labels as they are |" in told
    assert "after" not in told.split("|---")[1]


def test_titles_say_every_step():
    assert title_of("cnn-7x7+smooth+polygons+mmu50px") == (
        "patch CNN 7×7 after smoothing and majority by polygon and a sieve of 50 px"
    )


def test_a_map_of_a_map_that_is_no_more_is_not_compared(run):
    postprocess(run, MAP, mmu_ha=0.1)
    codes = classes(run, MAP)
    codes[50:60, 50:60] = 211
    raster_writer.write(run.map(MAP), codes, rasters.grid_of(run.scene), ["class"], 0)
    with pytest.raises(LandcoverError, match=r"mmu10px.tif was made of another map random-forest"):
        compare(run)
    postprocess(run, MAP, mmu_ha=0.1)
    compare(run)


def test_a_map_whose_model_had_another_split_is_not_scored(run):
    card = read_json(run.model(MAP) / "card.json")
    card["split"]["digest"] = "other"
    write_json(run.model(MAP) / "card.json", card)
    with pytest.raises(LandcoverError, match="was trained on another split"):
        postprocess(run, MAP, mmu_ha=0.1)
    assert not list(run.path.glob("maps/*+*"))


def test_another_runs_model_and_no_labels(made, tmp_path):
    other = Run(tmp_path / "other")
    other.path.mkdir()
    shutil.copy(made.scene, other.scene)
    map_scene(other, made.model(MAP))
    paths = postprocess(other, MAP, mmu_ha=0.1, maker=load_model(made.model(MAP)))
    assert [path.name for path in paths] == [
        f"{MAP}+mmu10px.{end}" for end in ("tif", "qml", "json")
    ]
    with pytest.raises(LandcoverError, match="has no model random-forest"):
        postprocess(other, MAP, mmu_ha=0.1)


def test_probabilities_that_are_missing_or_of_an_earlier_map_name_the_command(run):
    command = rf"make it with: landcover map .*run --model {MAP} --probabilities$"
    map_scene(run, MAP)  # leaves the earlier probabilities, which are not this map's
    with pytest.raises(LandcoverError, match=command):
        postprocess(run, MAP, smooth=True)
    run.probabilities(MAP).unlink()
    with pytest.raises(LandcoverError, match=command):
        postprocess(run, MAP, segments=True, by_probability=True)
    assert not list(run.path.glob("maps/*+*"))


@pytest.mark.parametrize(("options", "text"), [
    ([], "no step was chosen; give at least one of --smooth, --segments, --polygons, --mmu-ha"),
    (["--by-probability", "--mmu-ha", "1"], "--by-probability says how regions choose; give it wi"),
    (["--mmu-ha", "0.01"], "--mmu-ha 0.01 is 1 of 20480 pixels; a pixel has 0.009998 ha: choose "),
    (["--mmu-ha", "900"], "--mmu-ha 900 is 90016 of 20480 pixels"),
    (["--polygons", "nowhere.gpkg"], "nowhere.gpkg does not exist"),
    (["--segments"], "segments.tif does not exist; make it with: landcover segment"),
    (["--model", "knn", "--mmu-ha", "1"], "has no model knn; its models are random-forest"),
])  # fmt: skip
def test_bad_requests_end_in_one_line(run, capsys, options, text):
    run.segments.unlink()
    given_model = [] if "--model" in options else ["--model", MAP]
    assert main(["postprocess", str(run.path), *given_model, *options]) == 2
    lines = error_lines(capsys.readouterr().err)
    assert len(lines) == 1 and lines[0].startswith("error: ") and text in lines[0]
    assert not list(run.path.glob("maps/*+*"))


def test_a_missing_map_and_one_of_other_classes_name_the_command(run):
    codes, grid = classes(run, MAP), rasters.grid_of(run.scene)
    codes[80, 80] = 523
    raster_writer.write(run.map(MAP), codes, grid, ["class"], 0)
    with pytest.raises(LandcoverError, match=r"tif holds class 523, which its model does not know"):
        postprocess(run, MAP, mmu_ha=0.1)
    run.map(MAP).unlink()
    with pytest.raises(LandcoverError, match=r"does not exist; make it with: landcover map .*run"):
        postprocess(run, MAP, mmu_ha=0.1)


def test_hectares_become_pixels_in_every_crs():
    degrees = Grid(CRS.from_epsg(4326), Affine(1e-4, 0, 13, 0, -1e-4, 52), 100, 100)
    # 6.87 m by 11.13 m: a hectare is 130.8 such pixels
    assert postprocessing._sieve(degrees, 1.0).suffix == "mmu131px"
    mercator = Grid(CRS.from_epsg(3857), Affine(10, 0, 1500000, 0, -10, 6800000), 100, 100)
    # 6.17 m by 6.15 m: 263.4
    assert postprocessing._sieve(mercator, 1.0).suffix == "mmu264px"
    feet = Grid(CRS.from_epsg(2263), Affine(100, 0, 9e5, 0, -100, 2e5), 100, 100)
    # 100 US survey feet are 30.48 m: a hectare is 10.76 such pixels
    assert postprocessing._sieve(feet, 1.0).suffix == "mmu11px"


def test_the_command_prints_the_change(run, capsys):
    assert main(["postprocess", str(run.path), "--model", MAP, "--mmu-ha", "0.1"]) == 0
    printed = capsys.readouterr().out.splitlines()
    told = [line for line in printed if f"points against {MAP} (95 % interval " in line]
    assert [line.split(":")[0].split()[0] for line in told] == ["accuracy", "agreement"]
    assert printed[-1] == str(run.report(f"{MAP}+mmu10px"))
