"""Where a map leaves its model's area of applicability: the raster, the share, and what says it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from landcover import cli, maps
from landcover import read as read_raster
from landcover.classifiers.applicability import Space, fit_applicability
from landcover.classifiers.models import load_model
from landcover.errors import InputError, MissingProduct
from landcover.files import raster_writer, rasters
from landcover.run import Run
from landcover.service.layers import layers_of
from landcover.stages import map as map_stage
from landcover.stages.map_products import map_products
from tests.conftest import error_lines
from tests.fixtures.map_models import BANDS, write_scene
from tests.fixtures.map_runs import hidden, interrupted, make_run

MODELS = ("random-forest", "cnn-7x7")


def give_area(run: Run, name: str) -> None:
    """Give a model the area of applicability of the valid pixels of its run's scene."""
    model, scene = load_model(run.model(name)), rasters.read(run.scene)
    valid = rasters.valid_pixels(scene)
    blocks = (np.indices(valid.shape) // 16 * [[[1]], [[100]]]).sum(axis=0)[valid]
    classifier = model.classifier()
    if name == "random-forest":
        described = classifier._values(scene)[:, valid].T
    else:
        from landcover.classifiers import networks

        pad = classifier.radius
        padded = np.pad(scene, ((0, 0), (pad, pad), (pad, pad)), constant_values=np.nan)
        hidden_units = networks.hidden_network(classifier.model)
        units = hidden_units.predict_on_batch(np.moveaxis(padded, 0, -1)[np.newaxis])
        bands = scene - networks.means_of_bands(classifier.model)[:, np.newaxis, np.newaxis]
        described = np.hstack([np.asarray(units)[0][valid], bands[:, valid].T])
    space = Space(lambda part: described[part], lambda _: np.ones(described.shape[1]))
    area = fit_applicability(space, np.arange(len(described)), blocks, seed=0)
    area.store(model.applicability_file)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run whose models know their area, and another one with a brighter corner to map."""
    folder = tmp_path_factory.mktemp("applicability")
    home = make_run(folder / "home", 90, 110, cnn=True)
    for name in MODELS:
        give_area(home, name)
    away = Run(folder / "away")
    away.path.mkdir()
    image = write_scene(away.scene, 90, 110)
    image[:, 60:, 60:] += 0.5
    raster_writer.write(away.scene, image, rasters.grid_of(home.scene), BANDS, nodata=np.nan)
    return home, away


@pytest.mark.parametrize("name", MODELS)
def test_a_guest_says_where_it_lies_outside(runs, name, capsys):
    home, away = runs
    paths = map_stage.map_scene(away, home.model(name))
    path = away.applicability(name)
    assert path in paths and path.name == f"{name}_applicability.tif"
    assert rasters.band_names(path) == ("dissimilarity_percent", "inside")
    percent, inside = read_raster(path)
    valid = read_raster(away.map(name))[0] > 0
    assert ((percent > 0) == valid).all()
    assert (inside[valid] == (percent[valid] <= 100)).all()
    corner = np.zeros_like(valid)
    corner[66:, 66:] = True
    assert (percent > 100)[corner & valid].all()
    assert (percent > 100)[~corner & valid].mean() < 0.35
    share = (percent > 100)[valid].mean()
    assert maps.outside_share(path) == pytest.approx(share)
    said = capsys.readouterr().out.splitlines()
    assert any(f"{100 * share:.1f} % of the map lies outside" in line for line in said)
    item = json.loads(away.item(name).read_text())["assets"]["applicability"]
    assert item["landcover:outside_share"] == round(float(share), 4)
    assert item["href"] == f"../{path.name}"


@pytest.mark.parametrize("name", MODELS)
def test_the_raster_is_that_of_the_python_call(runs, name):
    home, away = runs
    map_stage.map_scene(away, home.model(name))
    model = load_model(home.model(name))
    found = model.dissimilarity(rasters.read(away.scene))
    percent = read_raster(away.applicability(name))[0]
    step = 3 if name == "cnn-7x7" else 1  # of a network one pixel in nine is looked at
    rows, cols = np.indices(found.shape) // step * step
    same = np.isfinite(found) & np.isfinite(found[rows, cols])
    expected = np.ceil(100 * found[rows, cols] / model.applicability.threshold)
    assert np.abs(percent - np.clip(expected, 1, 254))[same].max() <= 1
    assert (percent == np.clip(expected, 1, 254))[same].mean() > 0.99
    assert (percent[np.isnan(found)] == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_the_raster_does_not_depend_on_tile_size(runs, tmp_path, monkeypatch, name):
    monkeypatch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 40)
    home, away = runs
    model = load_model(home.model(name))
    written = []
    for tile_px in (1, 70, 1024):
        path = tmp_path / f"{tile_px}.tif"
        maps.predict_map(
            model, away.scene, tmp_path / "map.tif", tile_px=tile_px, applicability=path
        )
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


def test_an_interrupted_map_goes_on_to_the_same_bytes(runs, monkeypatch):
    home, away = runs
    monkeypatch.setattr("landcover.maps.scene_tiles.COMPUTE_PX", 40)
    arguments = ["--model", str(home.model("random-forest")), "--tile-px", "1"]
    assert cli.main(["map", str(away.path), *arguments]) == 0
    whole = away.applicability("random-forest").read_bytes()
    away.applicability("random-forest").unlink()
    interrupted(away, monkeypatch, 3, arguments)
    assert not away.applicability("random-forest").exists()
    assert cli.main(["map", str(away.path), *arguments]) == 0
    assert away.applicability("random-forest").read_bytes() == whole
    assert not [name for name in hidden(away) if name.endswith(".job")]


def test_it_is_off_at_home_and_can_be_switched_on_and_off(runs):
    home, away = runs
    assert cli.main(["map", str(home.path), "--model", "random-forest"]) == 0
    assert not home.applicability("random-forest").exists()
    assert map_stage.is_mapped(home, "random-forest")
    assert not map_stage.is_mapped(home, "random-forest", applicability=True)
    assert cli.main(["map", str(home.path), "--model", "random-forest", "--applicability"]) == 0
    assert maps.outside_share(home.applicability("random-forest")) < 0.1
    away.applicability("random-forest").unlink(missing_ok=True)
    guest = ["--model", str(home.model("random-forest")), "--no-applicability"]
    assert cli.main(["map", str(away.path), *guest]) == 0
    assert not away.applicability("random-forest").exists()


def test_much_outside_is_a_warning_and_little_is_not(runs, tmp_path, capsys):
    home, away = runs
    map_stage.map_scene(home, "random-forest", applicability=True)
    assert "warning" not in capsys.readouterr().out
    bright = Run(tmp_path / "bright")
    bright.path.mkdir()
    image = rasters.read(away.scene) + 0.5
    raster_writer.write(bright.scene, image, rasters.grid_of(away.scene), BANDS, nodata=np.nan)
    map_stage.map_scene(bright, home.model("random-forest"))
    said = capsys.readouterr().out.splitlines()
    assert any(re.match(r"warning: 100(\.0)? % of the map lies outside", line) for line in said)


def test_a_model_of_before_says_train_again(runs, tmp_path, capsys):
    _, away = runs
    old = make_run(tmp_path / "old", 40, 40)
    assert cli.main(["map", str(old.path), "--model", "random-forest", "--applicability"]) == 2
    line = error_lines(capsys.readouterr().err)[-1]
    assert "has no applicability.npz" in line and "train it again" in line
    assert not old.map("random-forest").exists()
    assert cli.main(["map", str(away.path), "--model", str(old.model("random-forest"))]) == 0
    assert "train it again to know" in capsys.readouterr().out
    with pytest.raises(MissingProduct, match="train it again"):
        load_model(old.model("random-forest")).dissimilarity(np.full((4, 2, 2), 0.1))


def test_the_engine_of_a_network_stays_the_same(runs):
    home, _ = runs
    map_stage.map_scene(home, "cnn-7x7")
    before = home.map("cnn-7x7").read_bytes(), home.confidence("cnn-7x7").read_bytes()
    kept = sorted(home.model("cnn-7x7").glob("engines/*"))
    map_stage.map_scene(home, "cnn-7x7", applicability=True)
    assert before == (home.map("cnn-7x7").read_bytes(), home.confidence("cnn-7x7").read_bytes())
    assert sorted(home.model("cnn-7x7").glob("engines/*")) == kept


def test_products_are_reported_with_their_share(runs, tmp_path):
    home, away = runs
    text, page, data, *_ = map_products(
        load_model(home.model("random-forest")), [away.path], tmp_path
    )
    row = json.loads(data.read_text())["products"][0]
    share = maps.outside_share(away.applicability("random-forest"))
    assert row["outside_share"] == pytest.approx(share)
    shown = f"{100 * share:.1f} %"
    assert f"| {shown} |" in text.read_text() and f"<td>{shown}</td>" in page.read_text()


def test_products_of_a_model_without_have_no_such_column(tmp_path):
    old = make_run(tmp_path / "old", 40, 40)
    text, _, data, *_ = map_products(load_model(old.model("random-forest")), [old.path], tmp_path)
    assert json.loads(data.read_text())["products"][0]["outside_share"] is None
    assert "utside" not in text.read_text()


def test_the_service_shows_the_share_and_places_outside(runs):
    home, away = runs
    map_stage.map_scene(away, home.model("random-forest"))
    layers = layers_of(away)
    layer = layers["map-random-forest"]
    share = maps.outside_share(away.applicability("random-forest"))
    assert layer.outside_share == pytest.approx(share) and layers["scene"].outside_share is None
    percent = read_raster(away.applicability("random-forest"))[0]
    grid = rasters.grid_of(away.map("random-forest"))
    from pyproj import Transformer

    to = Transformer.from_crs(grid.crs.to_wkt(), "EPSG:4326", always_xy=True)
    for row, col in ((80, 100), (10, 80)):
        found = layer.at(*to.transform(*grid.xy(row, col)))
        assert found["dissimilarity"] == percent[row, col]


def test_a_misspelt_layer_is_no_layer(runs, tmp_path):
    home, away = runs
    with pytest.raises(TypeError, match="aplicability"):
        maps.predict_map(
            load_model(home.model("random-forest")), away.scene, tmp_path / "a.tif",
            aplicability=tmp_path / "b.tif",
        )  # fmt: skip


def test_a_table_has_the_dissimilarity_of_its_pixels(runs):
    home, away = runs
    model, image = load_model(home.model("random-forest")), rasters.read(away.scene)[:, 60:64]
    expected = model.dissimilarity(image).ravel()
    table = image.reshape(4, -1).T
    found = model.dissimilarity(table)
    assert found == pytest.approx(expected, nan_ok=True)
    with pytest.raises(InputError, match="sees the pixels around a pixel"):
        load_model(home.model("cnn-7x7")).dissimilarity(table)
