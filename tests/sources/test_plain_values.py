"""Rasters that name no band: classes, measurements in bytes, and classes that were interpolated."""

from __future__ import annotations

import numpy as np
import pytest

from landcover.sources.inspection import inspect_raster
from tests.conftest import utm_grid
from tests.fixtures.band_files import DN, GRID, tif

LAND = utm_grid(60, 80)


def elevations(divisor=1.0):
    rows, cols = np.mgrid[:60, :80]
    return (90 + 40 * np.sin(cols / 17) + 30 * np.cos(rows / 13)) / divisor


def corine(codes=(211, 231, 312, 112, 512)):
    cells = np.random.default_rng(0).choice(codes, (6, 8))
    return np.kron(cells, np.ones((10, 10))).astype(np.float32)


def blurred(values):
    """The mean of 3 x 3 pixels, as a warp that interpolates makes it."""
    padded = np.pad(values, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return windows.mean(axis=(2, 3)).astype(np.float32)


def facts_of(folder, values, dtype, **how):
    return inspect_raster(tif(folder / "a.tif", values.astype(dtype)[None], grid=LAND, **how))


@pytest.mark.parametrize("divisor", [1.0, 6.0])
def test_elevations_in_bytes_are_called_measurements(tmp_path, divisor):
    facts = facts_of(tmp_path, elevations(divisor), np.uint8)
    assert any("measurements, such as elevations" in remark for remark in facts.remarks)
    assert divisor != 1 or not facts.classes


def test_many_values_of_no_scheme_are_not_listed(tmp_path):
    noise = np.random.default_rng(1).integers(40, 240, LAND.shape)
    facts = facts_of(tmp_path, noise, np.uint8)
    assert not facts.classes
    assert facts.remarks[0].startswith("200 values from 40 to 239 are those of no scheme")


@pytest.mark.parametrize("codes", [(211, 231, 312, 112, 512), (2, 12, 18, 24, 41)])
def test_classes_that_were_interpolated(tmp_path, codes):
    fractions = facts_of(tmp_path, blurred(corine(codes)), np.float32)
    assert not fractions.classes
    assert "they were interpolated" in fractions.remarks[0] and f" {codes[0]} " in (
        fractions.remarks[0].replace(":", " ")
    )
    rounded = facts_of(tmp_path, np.rint(blurred(corine(codes))), np.uint16)
    assert any("or classes that were interpolated" in remark for remark in rounded.remarks)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_true_classes_have_no_remark(tmp_path, dtype):
    facts = facts_of(tmp_path, corine(), dtype)
    assert len(facts.classes) == 5 and not facts.remarks
    rows, cols = np.mgrid[:60, :80]
    zones = np.take([112, 211, 231, 311, 312, 512], (rows + cols) // 2 % 11 // 2)  # in order
    assert not facts_of(tmp_path, zones, dtype).remarks
    speckled = np.random.default_rng(2).choice([111, 112, 121, 211, 222, 312], LAND.shape)
    assert not facts_of(tmp_path, speckled, dtype).remarks


def test_floats_of_a_height_model_say_nothing_of_classes(tmp_path):
    facts = facts_of(tmp_path, elevations(), np.float32)
    assert facts.remarks == ["nothing says which band this is: 1 (unnamed)"]


@pytest.mark.parametrize("level", ["L1TP", "L2SP"])
def test_an_image_of_landsat_is_named_so(tmp_path, level):
    names = [f"{'SR_' if level == 'L2SP' else ''}B{number}" for number in (2, 3, 4, 5)]
    scene = f"LC08_{level}_193024_20220601_20220614_02_T1"
    stack = tif(tmp_path / (f"{scene}.tif" if level == "L1TP" else "stack.tif"), DN, names)
    alone = tif(tmp_path / f"{scene}_{names[0]}.TIF", DN[:1])
    for facts in (inspect_raster(stack), inspect_raster(alone)):
        assert "is a name of Landsat" in facts.remarks[-1] and not facts.classes
        of_landsat = level == "L2SP"
        assert all((band.name == band.text or band.name in names) == of_landsat
                   for band in facts.bands)  # fmt: skip
        assert all(band.name is None or band.name.startswith("SR_") for band in facts.bands)
    named = inspect_raster(tif(tmp_path / "a_landsat60m.tif", DN, ("B2", "B3", "B4", "B5")))
    assert "a_landsat60m is a name of Landsat" in named.remarks[-1]
    ours = inspect_raster(tif(tmp_path / "ours.tif", DN, ("B2", "B3", "B4", "B8"), grid=GRID))
    assert [band.name for band in ours.bands] == ["B02", "B03", "B04", "B08"]
