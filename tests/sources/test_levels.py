"""Bands and tiles of several statistics, levels or sensors, by their names."""

from __future__ import annotations

import numpy as np
import pytest

import landcover as lc
from landcover.errors import LandcoverError
from landcover.sources.image import read_image
from landcover.sources.levels import level_in, statistic_in
from tests.conftest import utm_grid
from tests.fixtures.band_files import CORE, DN, GRID, loose, tif

STATISTICS = ("B02_min", "B03_max", "B04_min", "B08_min")
MAJA = tuple(f"X_L2A_{band}" for band in ("SRE_B2", "FRE_B3", "FRE_B4", "FRE_B8"))
LEVELS = ("B02_toa", "B03_toa", "B04_sr", "B08_toa")


@pytest.mark.parametrize(("names", "message"), [
    (STATISTICS, r"\(minimum, maximum\); give those of one statistic"),
    (("B02_p10", "B03_p90", "B04_p10", "B08_p10"), "percentile p10, percentile p90"),
    (MAJA, r"\(surface, surface with slopes evened out\); give those of one level"),
    (LEVELS, r"\(top of the atmosphere, surface\); give those of one level of processing"),
])  # fmt: skip
def test_kinds_that_differ_are_refused_in_stacks_files_and_images(tmp_path, names, message):
    stack = tif(tmp_path / "stack.tif", descriptions=names)
    for given in (stack, loose(tmp_path, names)):
        with pytest.raises(LandcoverError, match=message):
            lc.open_bands(given)
    with pytest.raises(LandcoverError, match=message):
        read_image(stack)
    (tile,) = lc.open_bands(stack, band_names=CORE)  # somebody says what they are
    assert list(tile.bands) == list(CORE)


@pytest.mark.parametrize("suffix", ["min", "p10", "toa", "sr", "L2A", "mean"])
def test_one_kind_is_read(tmp_path, suffix):
    (tile,) = lc.open_bands(loose(tmp_path, [f"{name}_{suffix}" for name in CORE]))
    assert list(tile.bands) == list(CORE)


def test_the_nearest_folder_says_the_level(tmp_path):
    """Another folder higher up, such as a project's, says nothing of the files of one level."""
    folder = tmp_path / "l1c_and_more" / "S2A_MSIL2A_20220601"
    assert level_in(str(folder / "B02.tif")) == "surface"
    assert statistic_in(str(tmp_path / "minimum.tif")) == "minimum"
    loose(tmp_path / "L1C", CORE[:2], DN[:2])
    loose(tmp_path / "L2A", CORE[2:], DN[2:])
    paths = [tmp_path / ("L1C" if n in CORE[:2] else "L2A") / f"{n}.tif" for n in CORE]
    with pytest.raises(LandcoverError, match="would be bands of one tile"):
        lc.open_bands(paths)


def test_tiles_of_two_levels_are_no_mosaic(tmp_path):
    beside = utm_grid(*GRID.shape, west=300_000 + 10 * GRID.cols)
    stacks = [
        tif(tmp_path / "west_L1C.tif", descriptions=CORE),
        tif(tmp_path / "east_L2A.tif", descriptions=CORE, grid=beside),
    ]
    with pytest.raises(LandcoverError, match="would be tiles of one scene"):
        lc.prepare(tmp_path / "run", bands=stacks)
    assert not (tmp_path / "run").exists()


def test_landsat_is_refused_and_read_as_the_message_says(tmp_path):
    names = ["SR_B2", "SR_B3", "SR_B4", "SR_B5"]
    dn = np.random.default_rng(0).integers(8000, 20_000, (4, *GRID.shape)).astype(np.uint16)
    paths = loose(tmp_path, names, dn)
    with pytest.raises(LandcoverError, match=r"SR_B2 is a name of Landsat.*'landsat-8-9'"):
        lc.open_bands(paths)
    scene = lc.read(lc.prepare(tmp_path / "run", lc.open_bands(paths, sensor="landsat-8-9")).scene)
    np.testing.assert_allclose(scene, dn * 0.0000275 - 0.2, atol=1e-6)
    level_1 = [f"LC08_L1TP_193024_20220601_02_T1_B{n}" for n in (2, 3, 4, 8)]
    with pytest.raises(LandcoverError, match="LC08_L1TP_193024_20220601_02_T1_B2 is a name of"):
        lc.open_bands(loose(tmp_path, level_1))
