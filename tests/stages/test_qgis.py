"""A run as a project of QGIS: its XML, read as XML. tests/qgis asks QGIS itself."""

import os
import shutil
from xml.etree import ElementTree as Xml

import geopandas
import numpy as np
import pyproj
import pytest
import shapely

from landcover import cli
from landcover.files import raster_writer, styles
from landcover.files.atomic import write_json
from landcover.legend import Legend
from landcover.run import Run
from landcover.stages.qgis import qgis
from tests.conftest import error_lines, utm_grid

ROWS, COLS = 40, 50
GRID = utm_grid(ROWS, COLS)
BANDS = ["B02", "B03", "B04", "B08"]
LEGEND = Legend.corine().subset([112, 211, 311])


def add_classes(path, grid=GRID):
    codes = np.random.default_rng(2).choice(LEGEND.codes, grid.shape).astype(np.uint16)
    raster_writer.write(path, codes, grid, ["class"], 0, LEGEND)
    if not styles.qml_path(path).exists():
        styles.write_qml(path, styles.Classes(LEGEND))


def make_run(path, grid=GRID, accuracies=()):
    """A run with a scene, labels, and maps of known accuracy."""
    run = Run(path)
    image = np.random.default_rng(1).uniform(0, 0.4, (4, *grid.shape)).astype(np.float32)
    raster_writer.write(run.scene, image, grid, BANDS, np.nan)
    styles.write_qml(run.scene, styles.scene_style(BANDS))
    add_classes(run.labels, grid)
    for name, accuracy in accuracies:
        add_classes(run.map(name), grid)
        if accuracy:
            write_json(run.report(name), {"against": "labels", "overall_accuracy": accuracy})
    return run


def opened(run):
    (path, *_) = qgis(run)
    return Xml.parse(run.path / path.name).getroot()


def tree_of(root):
    """Titles of the layers of each group, with those that are drawn first and those expanded."""
    groups = {
        group.get("name"): [layer.get("name") for layer in group.iter("layer-tree-layer")]
        for group in root.find("layer-tree-group").findall("layer-tree-group")
    }
    layers = list(root.iter("layer-tree-layer"))
    drawn = [layer.get("name") for layer in layers if layer.get("checked") == "Qt::Checked"]
    expanded = [layer.get("name") for layer in layers if layer.get("expanded") == "1"]
    return groups, drawn, expanded


ACCURACIES = [("mlp", 0.7), ("cnn-7x7", 0.9), ("random-forest", None)]


def test_groups_hold_what_exists_with_the_best_map_on_top(tmp_path):
    run = make_run(tmp_path / "Jena süd 1", accuracies=ACCURACIES)
    root = opened(run)
    groups, drawn, expanded = tree_of(root)
    assert groups == {
        "maps": ["patch CNN 7×7 (cnn-7x7)", "MLP (mlp)", "random forest (random-forest)"],
        "labels": ["labels"],
        "inputs": ["scene, true colour"],
    }
    assert drawn == ["patch CNN 7×7 (cnn-7x7)", "scene, true colour"]
    assert expanded == ["patch CNN 7×7 (cnn-7x7)"]
    assert (run.path / "Jena süd 1.qgs").read_text("utf-8").startswith("<!DOCTYPE qgis")
    assert not [p for p in run.path.iterdir() if p.name.startswith(".")]


def test_every_layer_of_the_tree_is_a_layer_and_has_its_style(tmp_path):
    run = make_run(tmp_path / "run", accuracies=ACCURACIES)
    root = opened(run)
    tree = [layer.get("id") for layer in root.iter("layer-tree-layer")]
    held = {layer.findtext("id"): layer for layer in root.iter("maplayer")}
    assert len(set(tree)) == len(tree) == len(held) and set(tree) == set(held)
    assert [item.text for item in root.find("layer-tree-group/custom-order")] == tree
    for layer in held.values():
        source = layer.findtext("datasource")
        assert source.startswith("./") and (run.path / source).exists()
        beside = Xml.parse(styles.qml_path(run.path / source)).getroot()
        kind = beside.find("pipe/rasterrenderer").attrib
        assert layer.find("pipe/rasterrenderer").attrib == kind
    assert root.find("properties/Paths/Absolute").text == "false"


def test_a_scene_made_before_styles_were_is_in_true_colour(tmp_path):
    run = make_run(tmp_path / "run")
    styles.qml_path(run.scene).unlink()
    (renderer,) = opened(run).findall("projectlayers//rasterrenderer[@type='multibandcolor']")
    assert [renderer.get(f"{name}Band") for name in ("red", "green", "blue")] == ["3", "2", "1"]


@pytest.mark.parametrize("epsg", [32633, 4326, 3035])
def test_the_crs_of_the_scene_is_that_of_project_and_layers(tmp_path, epsg):
    from rasterio.crs import CRS

    from landcover.grid import Grid

    side = 1e-4 if epsg == 4326 else 10
    place = (13, 52) if epsg == 4326 else (4_300_000, 3_200_000)
    transform = type(GRID.transform)(side, 0, place[0], 0, -side, place[1])
    grid = Grid(CRS.from_epsg(epsg), transform, ROWS, COLS)
    root = opened(make_run(tmp_path / "run", grid))
    systems = list(root.iter("spatialrefsys"))
    assert len(systems) == 1 + 2 + 2  # project, canvas and view, layers
    for system in systems:
        assert system.findtext("authid") == f"EPSG:{epsg}"
        assert pyproj.CRS.from_wkt(system.findtext("wkt")) == pyproj.CRS.from_epsg(epsg)
    west, south, east, north = (
        float(root.find("ProjectViewSettings/DefaultViewExtent").get(name))
        for name in ("xmin", "ymin", "xmax", "ymax")
    )
    bounds = grid.bounds
    assert west < bounds[0] and south < bounds[1] and east > bounds[2] and north > bounds[3]
    assert east - west < 1.1 * (bounds[2] - bounds[0])


def test_points_that_were_saved_in_another_crs_lie_where_they_are(tmp_path):
    """QGIS takes the CRS that a project gives to a layer, whatever the file says."""
    run = make_run(tmp_path / "run")
    points = geopandas.GeoDataFrame({"reference": [1]}, geometry=[shapely.Point(11, 51)], crs=4326)
    points.to_file(run.path / "own_points.gpkg")
    layers = {layer.findtext("layername"): layer for layer in opened(run).iter("maplayer")}
    assert layers["own_points"].findtext("srs/spatialrefsys/authid") == "EPSG:4326"


def test_the_same_run_elsewhere_gives_the_same_project(tmp_path):
    run = make_run(tmp_path / "run", accuracies=ACCURACIES)
    first = [layer.findtext("id") for layer in opened(run).iter("maplayer")]
    content = (run.path / "run.qgs").read_bytes()
    qgis(run)
    assert (run.path / "run.qgs").read_bytes() == content
    moved = Run(shutil.copytree(run.path, tmp_path / "else" / "run"))
    (path, *_) = qgis(moved)
    assert path.read_bytes() == content
    assert str(tmp_path) not in content.decode()
    assert len(first) == 5


def test_a_run_named_from_inside_is_found_by_its_folder(tmp_path, monkeypatch):
    run = make_run(tmp_path / "my run & more", accuracies=ACCURACIES[:1])
    monkeypatch.chdir(run.path)
    assert cli.main(["qgis", "."]) == 0
    assert Xml.parse("my run & more.qgs").getroot().findtext("title") == "my run & more"
    assert sorted(os.listdir()) == sorted({*os.listdir(), "my run & more.qgs"})


def test_a_project_that_was_saved_in_qgis_is_kept_beside(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    (path, *_) = qgis(run)
    written = path.read_text("utf-8")
    saved = written.replace(
        "<qgis version=", '<qgis saveUser="me" version="3.22.4-Białowieża" was=', 1
    )
    path.write_text(saved, "utf-8")
    for _ in range(2):  # what landcover wrote itself replaces nothing that somebody made
        qgis(run)
        assert path.read_text("utf-8") == written
        assert (run.path / "run.qgs~").read_text("utf-8") == saved
    assert capsys.readouterr().out.count("is kept as run.qgs~") == 1


def test_a_run_without_a_scene_is_one_line(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    assert cli.main(["qgis", str(tmp_path / "run")]) == 2
    (line,) = error_lines(capsys.readouterr().err)
    assert "scene.tif does not exist; make it with: landcover prep" in line
    assert list((tmp_path / "run").iterdir()) == []
