"""A drawn reference sample in QGIS: the form that a person fills in, and what is read back."""

from __future__ import annotations

import numpy as np
from PIL import Image

from landcover.legend import corine
from landcover.reports.reference_sample import read_sample, write_sample
from landcover.reports.sample_design import Design
from tests.conftest import utm_grid

GRID = utm_grid(50, 60)


def test_points_are_a_form_with_classes_by_name(in_qgis, tmp_path):
    rows, cols = np.arange(10, 50, 10), np.arange(10, 50, 10)
    design = Design.of(GRID, rows, cols, np.array([2, 1, 1, 2]), {1: 1000, 2: 2000})
    path, beside = write_sample(tmp_path / "Jena süd_points.gpkg", GRID, design, corine().legend)
    found = in_qgis("form.py", path, path.stem, tmp_path / "points.png", 211)
    assert found["valid"] and not found["errors"]
    assert found["labels"] == ["class seen"]
    names = ["cannot tell", *(f"{c.code} {c.name}" for c in corine().legend.classes)]
    # QGIS says "Please select" in its own words where there is no value yet
    assert found["drop_downs"] and all(held[1:] == names for held in found["drop_downs"])
    assert found["title"] == "'point ' || \"id\""
    fields = found["fields"]
    assert fields["reference"]["widget"] == "ValueMap" and not fields["reference"]["read_only"]
    for name in ("fid", "id", "design_key"):
        assert fields[name] == {
            "widget": "Hidden", "choices": [], "read_only": True, "in_table": False
        }  # fmt: skip
    assert found["legend"] == ["to do", "cannot tell", "done"]
    # what was filled in there is read here
    assert found["done"] == [1]
    sample = read_sample(path, GRID, corine(), designs=[beside])
    assert sample.classes.tolist() == [211, 0, 0, 0]


def test_symbols_are_hollow_squares_of_a_pixel(in_qgis, tmp_path):
    design = Design.of(GRID, np.array([20]), np.array([20]), np.array([1]), {1: 1000})
    path, _ = write_sample(tmp_path / "points.gpkg", GRID, design, corine().legend)
    in_qgis("form.py", path, "points", tmp_path / "points.png", 211)
    image = np.asarray(Image.open(tmp_path / "points.png").convert("RGB")).astype(int)
    # 60 m are 600 px, so the pixel of 10 m is the square of 100 px in the middle
    line = (np.abs(image - [255, 212, 0]).sum(axis=2) < 30).nonzero()
    for places in line:
        low, high = places.min(), places.max() + 1
        assert abs((low + high) / 2 - 300) <= 1
        assert 100 <= high - low <= 106
    assert (image[255:345, 255:345] == 255).all()
