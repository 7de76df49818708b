"""From files to maps: shapes of scenes, masks, rare classes, and two dates."""

from __future__ import annotations

import numpy as np
import pytest

import landcover as lc
from landcover.errors import InputError
from landcover.files import rasters
from landcover.maps import change_rasters
from landcover.reports import change as change_report
from tests.conftest import utm_grid
from tests.fixtures.drawn_land import band_and_label_files, forest_map, numbers, squares


def prepared(folder, truth: np.ndarray, dn: np.ndarray | None = None, grid=None) -> lc.Run:
    bands, labels = band_and_label_files(folder, truth, dn, grid)
    return lc.prepare(folder / "run", bands, labels, scheme="corine-grid")


# --- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 300), (400, 1)], ids=str)
def test_scenes_of_few_rows_or_columns_are_mapped(tmp_path, shape):
    truth = squares(*shape, cell=20)
    run = prepared(tmp_path, truth)
    lc.segment(run, min_size=20)
    segments = lc.read(run.segments)[0]
    assert segments.shape == shape and segments.min() >= 1
    np.testing.assert_array_equal(forest_map(run), truth)


@pytest.mark.filterwarnings("ignore:.*darkest digital numbers")
def test_scenes_that_are_too_small_for_samples_are_refused(tmp_path):
    run = prepared(tmp_path / "tiny", squares(12, 12, 4))
    with pytest.raises(InputError, match=r"left out below 50 pixels: 112, 211.*needs at least two"):
        lc.sample(run, 2000)
    with pytest.raises(InputError, match="has only class 112 within the scene; at least two"):
        prepared(tmp_path / "pixel", np.full((1, 1), 112))


# --- masks and classes --------------------------------------------------------------------------


def test_small_clear_spots_are_mapped_and_nothing_else(tmp_path):
    """19 pixels of 20 are under cloud."""
    truth = squares(200, 200, 20)
    dn = numbers(truth)
    spots = np.random.default_rng(7).random((40, 40)) < 0.05
    clear = np.kron(spots, np.ones((5, 5), bool))
    dn[:, ~clear] = 0
    run = prepared(tmp_path, truth, dn)
    np.testing.assert_array_equal(np.isnan(lc.read(run.scene)), np.broadcast_to(~clear, dn.shape))
    np.testing.assert_array_equal(forest_map(run), np.where(clear, truth, 0))


def test_two_halves_are_mapped(tmp_path):
    truth = np.repeat([[211, 311]], 60, axis=1).repeat(120, axis=0)
    np.testing.assert_array_equal(forest_map(prepared(tmp_path, truth)), truth)


def test_a_lake_of_one_block_is_mapped_and_said_not_to_be_tested(tmp_path):
    """Beside labels of which every seventh is wrong, for which leaves are chosen larger."""
    truth = squares(160, 160, 20)
    truth[truth == 512] = 311
    lake = np.zeros(truth.shape, bool)
    lake[84:104, 124:144] = True
    truth[lake] = 512
    rng = np.random.default_rng(4)
    other = np.kron(rng.choice([112, 211, 231, 311], (16, 16)), np.ones((10, 10), int))
    wrong = np.kron(rng.random((16, 16)) < 0.15, np.ones((10, 10), bool)) & ~lake
    run = prepared(tmp_path, np.where(wrong, other, truth).astype(np.uint16), numbers(truth))
    drawn = lc.sample(run, 8_000, block_px=40)
    assert set(drawn["split"][drawn["label"] == 512]) == {"train"}
    model = lc.train(run, "random-forest", denoise="none", random_split=False)
    found = rasters.read_classes(lc.map_scene(run, model))
    assert (found[lake] == 512).mean() > 0.7 and not (found[~lake] == 512).any()
    notes = run.read_manifest()["stages"]["sample"]["notes"]
    assert any("512 Water bodies" in note and "not tested" in note for note in notes), notes


# --- two dates ----------------------------------------------------------------------------------

BEFORE = squares(130, 130, 13)
AFTER = BEFORE.copy()
AFTER[13:39, 13:39] = 112
CHANGED = BEFORE != AFTER


@pytest.fixture(autouse=True, scope="module")
def no_picture_of_change():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(change_report, "_picture", lambda *drawn: b"")
        patch.setattr(change_rasters, "SAMPLE", 8_000)
        yield


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The first date, mapped by a forest."""
    run = prepared(tmp_path_factory.mktemp("before"), BEFORE)
    forest_map(run)
    return run


def later(folder, dn: np.ndarray, grid=None) -> lc.Run:
    """The second date, without labels."""
    bands, _ = band_and_label_files(folder, AFTER[: dn.shape[1], : dn.shape[2]], dn, grid)
    return lc.prepare(folder / "run", bands)


def changed(before: lc.Run, after: lc.Run, out) -> np.ndarray:
    """Where a class is another."""
    lc.find_change(before, after, out=out, model="random-forest-plain")
    codes = rasters.read_classes(out / "change.tif")
    return codes // 100 != codes % 100


DN_AFTER = numbers(AFTER, seed=9)
HOLED = DN_AFTER.copy()
HOLED[:, 30:60, 30:60] = 0


@pytest.mark.parametrize(
    ("dn", "seen"),
    [
        (DN_AFTER, CHANGED),
        (HOLED, CHANGED & (HOLED[0] > 0)),
        (DN_AFTER + 1000, CHANGED),
    ],
    ids=["as it is", "a cloud", "1000 left in"],
)
@pytest.mark.filterwarnings("ignore:.*darkest digital numbers")
def test_what_changed_is_found_and_nothing_else(tmp_path, before, dn, seen):
    np.testing.assert_array_equal(changed(before, later(tmp_path, dn), tmp_path / "out"), seen)


@pytest.mark.parametrize(
    ("dn", "grid", "message"),
    [
        (DN_AFTER[:, 5:, 5:], utm_grid(125, 125, 300_050, 5_799_950), "130 x 130 pixels against"),
        (DN_AFTER, utm_grid(130, 130, 300_005, 5_799_995), "corner differs by 5 east and -5 north"),
        (DN_AFTER[[0, 1, 3, 2]], None, "band B04 of the two dates hardly goes together"),
    ],
    ids=["another extent", "half a pixel", "red and NIR swapped"],
)
def test_dates_that_do_not_fit_are_refused(tmp_path, before, dn, grid, message):
    with pytest.raises(InputError, match=message):
        changed(before, later(tmp_path, dn, grid), tmp_path / "out")
    assert not (tmp_path / "out").exists()
