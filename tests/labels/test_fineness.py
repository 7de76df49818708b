"""How fine labels are: known areas, and labels drawn finely and coarsely of one land."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from landcover.files import rasters
from landcover.grid import Window
from landcover.labels.fineness import SMALL_HA, Fineness, fineness
from tests.fixtures.land import LAND_PX, majority, patchy_land

PIXEL_HA = 0.01


def measured(image, labels):
    return fineness([(image, labels)], PIXEL_HA, 10)


@pytest.fixture(scope="module")
def land():
    truth = patchy_land(np.random.default_rng(3))
    rng = np.random.default_rng(4)
    image = np.stack([gaussian_filter(truth * f, 0.7) for f in (0.05, 0.1, 0.2)])
    return truth, image + rng.normal(0, 0.01, image.shape)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_labels_as_fine_as_the_image_are_fine(land, side):
    truth, image = land
    assert measured(image, majority(truth, side)).fine


def test_areas_drawn_by_hand_are_not_fine(land):
    truth, image = land
    drawn = majority(truth, 60)
    assert not measured(image, drawn).fine
    moved = np.roll(truth, (7, 5), (0, 1))  # borders beside those of the image
    assert measured(image, moved).contrast < measured(image, truth).contrast


def test_small_regions_are_counted_by_hand():
    labels = np.ones((100, 100), int)
    labels[10:20, 10:20] = 2  # 1 ha
    labels[40:90, 40:90] = 3  # 25 ha
    labels[0:5, 50:55] = 2  # cut by the edge: its size is not known
    found = measured(np.zeros((1, 100, 100)), labels)
    assert found.small == pytest.approx(100 / 10_000)
    assert found.contrast == pytest.approx(0.0)


def test_the_limit_is_an_area_on_the_ground():
    labels = np.ones((60, 60), int)
    labels[10:20, 10:20] = 2
    image = np.zeros((1, 60, 60))
    below = fineness([(image, labels)], 0.99 * SMALL_HA / 100, 10)
    above = fineness([(image, labels)], 1.01 * SMALL_HA / 100, 10)
    assert below.small > 0 and above.small == 0


def test_unlabelled_pixels_and_pixels_without_data_count_for_nothing(land):
    truth, image = land
    image, labels = image.copy(), truth.copy()
    image[:, :40] = np.nan
    labels[:, LAND_PX - 40 :] = 0
    found = measured(image, labels)
    assert np.isfinite(found.contrast) and found.fine


@pytest.mark.parametrize("windows", [[], [(np.zeros((1, 5, 5)), np.zeros((5, 5), int))]])
def test_nothing_to_measure_is_not_fine(windows):
    assert fineness(windows, PIXEL_HA, 10) == Fineness(0.0, 0.0)


def test_windows_are_joined(land):
    truth, image = land
    halves = [(image[:, :, :128], truth[:, :128]), (image[:, :, 128:], truth[:, 128:])]
    joined, alone = fineness(halves, PIXEL_HA, 10), measured(image, truth)
    assert joined.contrast == pytest.approx(alone.contrast, abs=0.1)


def in_cells(labels, side):
    """The commonest class of every cell."""
    found = labels.copy()
    for row in range(0, len(labels), side):
        for col in range(0, labels.shape[1], side):
            cell = labels[row : row + side, col : col + side]
            classes, counts = np.unique(cell, return_counts=True)
            found[row : row + side, col : col + side] = classes[counts.argmax()]
    return found


@pytest.mark.parametrize("quilt", [0, 1])
def test_real_labels_of_known_fineness(shared_data, quilt):
    """Maps of 10 m and their cells of 100 m are fine; labels as CORINE is, and noise, are not."""
    folder, rng = shared_data / "s2glc-quilts" / str(quilt), np.random.default_rng(quilt)
    found: dict[str, list[bool]] = {}
    for row, col in ((0, 0), (2, 5), (4, 1), (6, 6)):
        chip = Window(256 * row, 256 * col, 256, 256)
        image = rasters.read(folder / "bands.tif", chip).astype(np.float32)
        truth, coarse = (
            rasters.read_classes(folder / name, chip) for name in ("s2glc.tif", "coarse.tif")
        )
        drawn = rng.choice(np.unique(truth), truth.shape)
        kinds = {
            "10 m": truth,
            "100 m": majority(truth, 10),
            "coarse": coarse,
            "noise": np.where(rng.random(truth.shape) < 0.2, drawn, coarse),
        }
        for kind, labels in kinds.items():
            found.setdefault(kind, []).append(measured(image, labels).fine)
    assert all(found["10 m"]) and all(found["100 m"])
    assert not any(found["coarse"]) and not any(found["noise"])
