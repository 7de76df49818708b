"""A project of a run in QGIS: it opens without a message, wherever its folder lies."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from landcover.files import rasters
from landcover.run import Run
from landcover.stages.qgis import qgis
from landcover.stages.sample_points import sample_points

MODEL = "nearest-centroid-plain"


@pytest.fixture(scope="module")
def project(qgis_run, tmp_path_factory):
    """A copy of the run with points to fill in and its project, moved after it was written."""
    made = tmp_path_factory.mktemp("made") / "Jena süd 1"
    run = Run(shutil.copytree(qgis_run, made))
    sample_points(run, MODEL, 120)
    (path, *_) = qgis(run)
    elsewhere = tmp_path_factory.mktemp("an other place") / "with süd"
    shutil.move(made, elsewhere)
    return elsewhere / path.name


@pytest.fixture(scope="module")
def found(in_qgis, project, tmp_path_factory):
    png = tmp_path_factory.mktemp("drawn") / "project.png"
    return in_qgis("project.py", project, png) | {"png": png}


def test_it_opens_without_a_message(found):
    assert found["read"] and not found["error"]
    assert found["messages"] == [] and found["errors"] == []
    assert not found["dirty"]
    bad = [layer["title"] for layer in found["layers"] if not layer["valid"]]
    assert bad == []


def test_everything_of_the_run_is_there_once(found, project):
    sources = [layer["source"] for layer in found["layers"]]
    groups = {layer["group"] for layer in found["layers"]}
    assert groups == {"samples", "maps", "confidence", "labels", "segments", "inputs", "dates"}
    shown = {path for path in sources if path.endswith(".tif")}
    made = {str(path.relative_to(project.parent)) for path in project.parent.rglob("*.tif")}
    assert shown <= made
    assert {path for path in made - shown if not path.startswith("dates/")} == set()
    assert sources.count("vectors.gpkg") == 3 and f"{MODEL}_points.gpkg" in sources
    assert len({layer["id"] for layer in found["layers"]}) == len(sources)


def test_the_best_map_is_seen_first_with_the_only_legend(found):
    drawn = [layer for layer in found["layers"] if layer["checked"]]
    assert [layer["group"] for layer in drawn] == ["maps", "inputs"]
    assert [layer["title"] for layer in found["layers"] if layer["expanded"]] == [drawn[0]["title"]]
    assert drawn[0]["renderer"] == "paletted" and drawn[1]["renderer"] == "multibandcolor"


def test_crs_and_extent_are_those_of_the_scene(found, project):
    grid = rasters.grid_of(project.parent / "scene.tif")
    assert found["crs"][:2] == [f"EPSG:{grid.crs.to_epsg()}", True]
    assert {layer["crs"] for layer in found["layers"]} == {found["crs"][0]}
    west, south, east, north = found["canvas"]
    assert west <= grid.bounds[0] and south <= grid.bounds[1]
    assert east >= grid.bounds[2] and north >= grid.bounds[3]
    assert (east - west) * (north - south) < 2 * np.prod(grid.shape) * 100


def test_the_picture_has_the_colours_of_classes(found):
    image = np.asarray(Image.open(found["png"]).convert("RGB")).reshape(-1, 3)
    colours = {tuple(colour) for colour in np.unique(image, axis=0).tolist()}
    assert {(255, 255, 168), (0, 166, 0)} & colours  # arable land, coniferous forest
    assert (image == 255).all(axis=1).mean() < 0.2  # about the scene alone
