"""How fine labels are drawn, by known answers and real forms of label rasters."""

from __future__ import annotations

import numpy as np
import pytest

from landcover.files import raster_writer, rasters
from landcover.labels.detail import as_drawn, least_region_ha
from landcover.legend import corine
from tests.conftest import utm_grid

SIDE = 200
#: Pixels of 10 m.
PX_HA = 0.01


def written(path, codes):
    grid = utm_grid(*codes.shape)
    raster_writer.write(path, codes.astype(np.uint16), grid, ["class"], nodata=0)
    return path


def squares(side_px, size=SIDE):
    """Squares of two classes that touch at corners of their own kind only by sides of the other."""
    rows, cols = np.indices((size, size)) // side_px
    codes = np.array([[211, 311], [312, 512]])
    return codes[rows % 2, cols % 2]


@pytest.mark.parametrize("side_px", [1, 3, 10, 25])
def test_squares_have_their_area(tmp_path, side_px):
    found = least_region_ha(written(tmp_path / "labels.tif", squares(side_px)))
    assert found == pytest.approx(side_px**2 * PX_HA, rel=0.01)


def test_a_sliver_does_not_make_labels_fine(tmp_path):
    codes = squares(50)
    codes[75, 75] = 523
    found = least_region_ha(written(tmp_path / "labels.tif", codes))
    assert found == pytest.approx(2500 * PX_HA, rel=0.01)  # a square less its sliver is 24.99


def test_regions_that_are_cut_say_nothing(tmp_path):
    codes = squares(100)
    assert least_region_ha(written(tmp_path / "labels.tif", codes)) is None
    codes = squares(10)
    codes[:, ::5] = 0  # every piece lies beside pixels without a label
    assert least_region_ha(written(tmp_path / "gaps.tif", codes)) is None


def test_windows_change_nothing_where_regions_lie_within(tmp_path, monkeypatch):
    path = written(tmp_path / "labels.tif", squares(10))
    whole = least_region_ha(path)
    monkeypatch.setattr(rasters, "WINDOW_PX", 64)
    assert least_region_ha(path) == pytest.approx(whole, rel=1e-3)


@pytest.mark.parametrize(
    ("cell_m", "least_ha", "side_m"),
    [
        (100.0, 26.0, 100.0),  # CORINE
        (100.9, 26.0, 100.0),  # in another projection
        (10.0, 25.6, 100.0),  # CORINE in narrower cells
        (10.0, 22.0, 100.0),  # the same on another grid
        (10.0, 0.9, 10.0),  # fields of a finer map in the codes of CORINE
        (10.0, None, 100.0),  # nothing was seen whole
        (115.0, 1.3, 100.0),  # slivers, in cells that are no narrower
        (250.0, 300.0, 250.0),  # its coarser edition
    ],
)
def test_cells_are_the_schemes_unless_labels_are_drawn_otherwise(cell_m, least_ha, side_m):
    found = as_drawn(corine(), cell_m, least_ha)
    assert (found.cell_m, found.border_m) == (side_m, side_m)
    assert found.levels == corine().levels
