"""Scenes of several dates, from files to the run."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import landcover as lc
from landcover.cli import main
from landcover.errors import InputError
from landcover.files import open_rasters
from landcover.scene import dates as scene_dates
from landcover.stages.scenes import days_of
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, loose, tif
from tests.fixtures.sentinel2_files import write_safe

DAYS = ("2022-06-01", "2022-06-11", "2022-06-21", "2022-07-01", "2022-07-11")
SHAPE = (40, 52)


def digital_numbers(number: int, shape=SHAPE, bands=4) -> np.ndarray:
    """Those of a date, with holes (0) that are the same in all bands."""
    rng = np.random.default_rng(number)
    dn = rng.integers(200, 4000, (bands, *shape)).astype(np.uint16)
    dn[:, rng.random(shape) < 0.3] = 0
    dn[:, 0, 0] = 0
    return dn


def write_dates(folder, days=DAYS, shape=SHAPE):
    """A folder a day with a file a band; paths, and reflectance (dates, bands, rows, cols)."""
    dn = np.stack([digital_numbers(number, shape) for number in range(len(days))])
    paths = [
        path
        for day, pixels in zip(days, dn, strict=True)
        for path in loose(folder / day, CORE, pixels, grid=utm_grid(*shape))
    ]
    return paths, np.where(dn == 0, np.nan, dn.astype(np.float32) / np.float32(10_000))


def expected_median(stack):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        return np.nanmedian(stack, axis=0)


def test_a_run_has_the_median_and_how_many_dates_each_pixel_has(tmp_path):
    paths, stack = write_dates(tmp_path)
    run = lc.prepare(tmp_path / "run", bands=paths, composite="median")
    np.testing.assert_array_equal(lc.read(run.scene), expected_median(stack))
    counts = lc.read(run.observations, bands=["valid_dates"])[0]
    np.testing.assert_array_equal(counts, np.isfinite(stack[:, 0]).sum(axis=0))
    found = run.read_manifest()["stages"]["prep"]
    assert found["settings"]["composite"] == {"method": "median", "best_date": None}
    assert list(found["dates"]) == list(DAYS)
    assert found["dates"][DAYS[0]]["data"] == np.isfinite(stack[0, 0]).sum()
    assert found["dates"][DAYS[0]]["nodata"] == np.isnan(stack[0, 0]).sum()
    assert found["pixels"]["data"] == (counts > 0).sum()
    assert days_of(run) == found["settings"]["days"] == list(DAYS), "the names of files tell them"
    assert found["settings"]["acquired"] == [] and found["notes"] == [
        "tiles of 5 days: " + ", ".join(f"{day} (1)" for day in DAYS)
    ]


@pytest.mark.parametrize("method", ["medoid", "best"])
def test_a_pixel_of_one_date_says_which(tmp_path, method):
    paths, stack = write_dates(tmp_path)
    run = lc.prepare(tmp_path / "run", bands=paths, composite=method)
    scene, days = lc.read(run.scene), lc.read(run.observations, bands=["date"])[0]
    assert set(np.unique(days)) <= {0, *(int(day.replace("-", "")) for day in DAYS)}
    for number, day in enumerate(DAYS):
        of_day = days == int(day.replace("-", ""))
        np.testing.assert_array_equal(scene[:, of_day], stack[number][:, of_day])
    np.testing.assert_array_equal(days == 0, np.isnan(scene[0]))


@pytest.mark.parametrize("method", ["median", "medoid", "best", "percentiles"])
def test_neither_order_nor_windows_nor_open_files_change_a_byte(tmp_path, monkeypatch, method):
    paths, _ = write_dates(tmp_path)
    whole = lc.prepare(tmp_path / "whole", bands=paths, composite=method)
    monkeypatch.setattr(scene_dates, "_MOST_BYTES", 4 * 5 * 4 * 32**2)
    monkeypatch.setattr(open_rasters.OpenRasters.__init__, "__defaults__", (4,))
    parts = lc.prepare(tmp_path / "parts", bands=paths[::-1], composite=method)
    assert scene_dates.window_px(5, 4) == 32
    for product in ("scene", "observations"):
        one, other = getattr(whole, product), getattr(parts, product)
        assert one.read_bytes() == other.read_bytes()


def test_so_many_files_are_open_at_once(tmp_path):
    paths, _ = write_dates(tmp_path, DAYS[:2])
    with open_rasters.OpenRasters(3) as held:
        opened = [held[path] for path in paths]
        assert [dataset.closed for dataset in opened] == [True] * 5 + [False] * 3
        assert len(held) == 3 and held[paths[-1]] is opened[-1]
        assert held[paths[0]].read(1).shape == SHAPE
    assert all(dataset.closed for dataset in opened)


def test_a_day_may_be_a_mosaic_and_dates_may_share_part_of_their_ground(tmp_path):
    dn = digital_numbers(0)
    west, east = utm_grid(40, 52), utm_grid(40, 52, west=300_000 + 520)
    paths = loose(tmp_path / "2022-06-01" / "w", CORE, dn, grid=west)
    paths = [tif(tmp_path / f"2022-06-01_{side}.tif", dn, CORE, grid=grid)
             for side, grid in (("west", west), ("east", east))]  # fmt: skip
    later = digital_numbers(1)
    paths.append(tif(tmp_path / "2022-06-11.tif", later, CORE, grid=west))
    run = lc.prepare(tmp_path / "run", bands=paths, composite="best", best_date="2022-06-11")
    first, second = (np.where(d == 0, np.nan, d / np.float32(10_000)) for d in (dn, later))
    expected = np.concatenate([np.where(np.isnan(second), first, second), first], axis=2)
    np.testing.assert_allclose(lc.read(run.scene), expected, rtol=1e-6)
    notes = run.read_manifest()["stages"]["prep"]["notes"]
    assert "all 2 dates cover 50.0 % of the scene together" in notes
    both = (300_000, 5_800_000 - 200, 300_000 + 300, 5_800_000)
    part = lc.prepare(tmp_path / "part", bands=paths, composite="median", aoi=both)
    assert not any("together" in n for n in part.read_manifest()["stages"]["prep"]["notes"])


def test_one_date_is_said_to_be_one(tmp_path):
    paths, stack = write_dates(tmp_path, DAYS[:1])
    run = lc.prepare(tmp_path / "run", bands=paths, composite="median")
    np.testing.assert_array_equal(lc.read(run.scene), stack[0])
    notes = run.read_manifest()["stages"]["prep"]["notes"]
    assert notes == ["one date, 2022-06-01: the composite is that date"]


def test_bands_that_a_date_lacks_are_left_out_and_said(tmp_path):
    first = tif(tmp_path / "2022-06-01.tif", digital_numbers(0, bands=5), (*CORE, "B11"),
                grid=utm_grid(*SHAPE))  # fmt: skip
    second = tif(tmp_path / "2022-06-11.tif", digital_numbers(1), CORE, grid=utm_grid(*SHAPE))
    run = lc.prepare(tmp_path / "run", bands=[first, second], composite="median")
    assert lc.read(run.scene).shape[0] == 4
    notes = run.read_manifest()["stages"]["prep"]["notes"]
    assert f"left out, because {second} lacks it: B11" in notes


def test_products_bring_their_own_offsets(tmp_path):
    safe, dn = write_safe(tmp_path / "a", "L2A", -1000)
    other, _ = write_safe(tmp_path / "b", "L2A", None)
    later = other.parent / other.name.replace("20220601T100000_N0400", "20220611T100000_N0300")
    other.rename(later)
    for image in later.glob("GRANULE/*/IMG_DATA/R10m/*.jp2"):
        image.rename(image.with_name(image.name.replace("20220601", "20220611")))
    with pytest.warns(UserWarning, match="offset"):
        run = lc.prepare(tmp_path / "run", bands=[safe, later], composite="median")
    offsets = np.float32([-1001, -1002, -1003, -1007]).reshape(4, 1, 1)
    expected = (((dn + offsets) / 10_000) + dn / 10_000) / 2
    np.testing.assert_allclose(lc.read(run.scene), expected, atol=1e-6)
    assert list(run.read_manifest()["stages"]["prep"]["dates"]) == ["2022-06-01", "2022-06-11"]


def test_percentiles_are_bands_that_models_learn_from(tmp_path):
    rng = np.random.default_rng(5)
    shape = (240, 240)
    classes = np.kron(rng.integers(0, 2, (12, 12)), np.ones((20, 20), int))
    paths = []
    for day in DAYS:
        dn = rng.integers(500, 900, (4, *shape)) + 1500 * classes
        paths += loose(tmp_path / day, CORE, dn.astype(np.uint16), grid=utm_grid(*shape))
    labels = lc.write(tmp_path / "l.tif", np.where(classes, 211, 311).astype(np.uint16),
                      utm_grid(*shape), ["class"], nodata=0)  # fmt: skip
    run = lc.prepare(tmp_path / "run", bands=paths, labels=labels, composite="percentiles")
    samples = lc.sample(run, samples=600, block_px=40)
    assert {"B02_p10", "B08_p90", "ndvi"} <= set(samples.columns)
    lc.segment(run, min_size=50)
    model = lc.train(run, "random-forest", denoise="none")
    assert [band for band in model.card["bands"] if "_p" in band] == [
        f"{band}_p{part}" for part in (10, 90) for band in CORE
    ]
    mapped = lc.map_scene(run, model)
    assert (lc.read(run.map(model.name))[0] == np.where(classes, 211, 311)).mean() > 0.99
    assert mapped is not None


class TestRefused:
    def composed(self, tmp_path, bands):
        with pytest.raises(InputError) as caught:
            lc.prepare(tmp_path / "run", bands=bands, composite="median")
        assert not (tmp_path / "run").exists()
        return str(caught.value)

    def test_two_dates_without_a_composite(self, tmp_path, capsys):
        paths, _ = write_dates(tmp_path, DAYS[:2])
        assert main(["prep", "--bands", *map(str, paths), "--out", str(tmp_path / "run")]) == 2
        assert '--composite "median"' in capsys.readouterr().err

    def test_dates_that_do_not_overlap(self, tmp_path):
        far = utm_grid(*SHAPE, west=310_000)
        paths, _ = write_dates(tmp_path, DAYS[:2])
        paths += loose(tmp_path / DAYS[2], CORE, digital_numbers(2), grid=far)
        text = self.composed(tmp_path, paths)
        assert text.startswith(f"{paths[8]} (2022-06-21) shares no ground with {paths[0]} (2022-06")

    def test_a_tile_without_a_day(self, tmp_path):
        paths, _ = write_dates(tmp_path, DAYS[:1])
        paths += loose(tmp_path / "later", CORE, digital_numbers(2), grid=utm_grid(*SHAPE))
        text = self.composed(tmp_path, paths)
        assert text.startswith(f"{paths[4]} does not say of which day it is")

    def test_a_day_twice(self, tmp_path):
        paths = [
            tif(tmp_path / f"2022-06-01_{name}.tif", digital_numbers(0), CORE,
                grid=utm_grid(*SHAPE))
            for name in ("a", "b")
        ]  # fmt: skip
        assert "are both B02 B03 B04 B08 of the same ground" in self.composed(tmp_path, paths)
        tiles = [lc.open_bands(path)[0] for path in paths]
        assert "are both of 2022-06-01 and cover the same ground" in self.composed(tmp_path, tiles)

    def test_levels_that_differ(self, tmp_path):
        paths = [
            tif(tmp_path / f"MSI{level}_{day}.tif", digital_numbers(0), CORE,
                grid=utm_grid(*SHAPE))
            for level, day in (("L1C", DAYS[0]), ("L2A", DAYS[1]))
        ]  # fmt: skip
        assert "give those of one level of processing" in self.composed(tmp_path, paths)


def test_the_command_says_what_each_date_gave(tmp_path, capsys):
    paths, _ = write_dates(tmp_path, DAYS[:2])
    code = main(
        ["prep", "--bands", *map(str, paths), "--composite", "best", "--best-date", "2022-06-11",
         "--out", str(tmp_path / "run")]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert code == 0
    assert "2022-06-01: 6" in said and "% valid, " in said and "observations.tif" in said


def test_real_dates_in_two_zones(shared_data, tmp_path):
    """The same valley in zone 10 and zone 11, a year apart: its forests and rocks stay."""
    paths = sorted((shared_data / "california-igisci").glob("20*/B0[2348].tif"))
    with pytest.raises(InputError, match="bring them to one with to_crs=auto"):
        lc.prepare(tmp_path / "run", bands=paths, composite="median")
    days = {}
    for best in ("2020-08-02", "2021-07-08"):
        run = lc.prepare(
            tmp_path / best, bands=paths, composite="best", best_date=best, to_crs="auto"
        )
        both = lc.read(run.observations, bands=["valid_dates"])[0] == 2
        days[best] = lc.read(run.scene)[:, both]
    assert both.mean() > 0.8
    for one, other in zip(*days.values(), strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.8


def test_real_clouds_of_five_dates(shared_data, tmp_path):
    """Two of five dates over Slovenia are all cloud."""
    folder = shared_data / "eolearn-slovenia"
    scenes, clouds = np.load(folder / "REFERENCE_SCENES.npy"), np.load(folder / "CLM.npy")
    taken = json.loads((folder / "timestamps.json").read_text())
    grid = utm_grid(*scenes.shape[1:3])
    places = (1, 2, 3, 7)
    paths, masks = [], []
    for image, when in zip(scenes, (2, 1, 4, 3, 0), strict=True):
        pixels = image[..., places].transpose(2, 0, 1)
        paths.append(tif(tmp_path / f"{taken[when][:10]}.tif", pixels, CORE, grid=grid))
        mask = clouds[when, ..., 0][np.newaxis]
        masks.append(tif(tmp_path / f"{taken[when][:10]}_clouds.tif", mask, grid=grid))
    run = lc.prepare(
        tmp_path / "run", bands=paths, composite="median", mask=masks, mask_classes=[1]
    )
    assert (lc.read(run.observations)[0] == 3).all()
    clear = np.median(scenes[2:][..., places].transpose(0, 3, 1, 2), axis=0)
    np.testing.assert_array_equal(lc.read(run.scene), clear)
