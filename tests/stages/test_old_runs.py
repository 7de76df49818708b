"""A run folder that an earlier version wrote is still mapped, compared, exported and served."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from landcover import cli
from landcover.files import rasters
from landcover.files.atomic import read_json
from landcover.files.legends import legend_of
from landcover.legend import Legend
from landcover.run import Run
from landcover.service.state import load
from tests.conftest import ROOT, error_lines
from tests.fixtures.serving import LIMITS, client_of, serving

#: Made by commit 146d765; README.txt beside it says how.
ARCHIVE = ROOT / "tests" / "data" / "run-before-13.zip"
MODELS = ("cnn-3x3", "mlp-segments", "random-forest")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The run as it was, which no test changes."""
    folder = tmp_path_factory.mktemp("old") / "run"
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return Run(folder)


@pytest.fixture
def run(old, tmp_path):
    """A copy of it."""
    return Run(shutil.copytree(old.path, tmp_path / "run"))


def command(capsys, *arguments):
    """Run `landcover`; its output."""
    code = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert code == 0, error_lines(said.err)
    return said.out


def test_it_is_older_than_the_legend_of_a_run(old):
    assert not (old.path / "legend.json").exists()
    assert read_json(old.model("cnn-3x3") / "card.json")["commit"].startswith("146d765")


@pytest.mark.parametrize("name", MODELS)
def test_it_is_mapped_as_before(run, old, name, capsys):
    for path in run.path.glob("maps/*"):
        path.unlink()
    command(capsys, "map", run.path, "--model", name, "--precision", "float32")
    before, after = (rasters.read_classes(each.map(name)) for each in (old, run))
    if name == "random-forest":
        np.testing.assert_array_equal(before, after)
        assert run.confidence(name).read_bytes() == old.confidence(name).read_bytes()
    # another processor may round a network's sums differently, where two classes tie
    assert np.mean(before == after) > 0.999
    with rasterio.open(run.map(name)) as new, rasterio.open(old.map(name)) as earlier:
        assert {**new.profile, "photometric": None} == {**earlier.profile, "photometric": None}
        assert len(earlier.colormap(1)) == 65_536
    assert legend_of(run.map(name)) == legend_of(old.map(name))
    report, earlier = (read_json(each.report(name)) for each in (run, old))
    for score in ("overall_accuracy", "balanced_accuracy", "macro_f1", "kappa"):
        assert report[score] == pytest.approx(earlier[score], abs=0.002)
    assert report["scored_on"] == earlier["scored_on"] == "test blocks, wall to wall"


def without_zero_width(scores):
    """Scores with None for intervals of no width, which newer versions widen or leave out."""
    if isinstance(scores, dict):
        return {key: without_zero_width(part) for key, part in scores.items()}
    if isinstance(scores, list) and len(scores) == 2 and scores[0] == scores[1]:
        return None
    return scores


def where_both_have_width(new, earlier):
    """The newer scores, with None where the earlier ones have it."""
    if isinstance(earlier, dict):
        return {key: where_both_have_width(new[key], part) for key, part in earlier.items()}
    return None if earlier is None else new


def test_it_is_compared_as_before(run, old, capsys):
    command(capsys, "compare", run.path)
    before, after = (read_json(each.path / "comparison.json") for each in (old, run))
    assert after["headline"] == before["headline"]
    assert [model["name"] for model in after["models"]] == [m["name"] for m in before["models"]]
    for new, earlier in zip(after["models"], before["models"], strict=True):
        for part in ("title", "scores", "levels", "zones", "calibration"):
            expected = without_zero_width(earlier[part])
            assert where_both_have_width(new[part], expected) == expected, part
    for new, earlier in zip(after["pairs"], before["pairs"], strict=True):
        assert new.items() >= earlier.items()  # newer ones say in words what the numbers mean, too
    page = (run.path / "comparison.html").read_text("utf-8")
    corine = Legend.corine(3)
    for code in np.unique(rasters.read_classes(run.labels)):
        assert corine[int(code)].name in page


def test_it_is_compared_with_a_new_map(run, capsys, hasty_teacher):
    command(capsys, "train", "knn", run.path, "--no-random-split")
    command(capsys, "compare", run.path)
    models = read_json(run.path / "comparison.json")["models"]
    assert {model["name"] for model in models} >= {*MODELS, "knn"}


def test_its_maps_are_postprocessed_as_before(run, old, capsys):
    name = "cnn-3x3+mmu95px"
    run.map(name).unlink()
    command(capsys, "postprocess", run.path, "--model", "cnn-3x3", "--mmu-ha", "0.95")
    before, after = (rasters.read_classes(each.map(name)) for each in (old, run))
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", MODELS)
def test_its_models_are_exported(run, name, tmp_path, capsys):
    said = command(capsys, "export", run.path, "--model", name, "--out", tmp_path / "out")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert any(file.endswith(".onnx") for file in written)
    assert all(file in said for file in written)


def test_it_is_served(run, page_of_what_is_there):
    codes = rasters.read_classes(run.map("random-forest"))
    row, col = 40, 50
    with serving(load(run, None, LIMITS)) as url, client_of(url) as client:
        layers = {layer["name"] for layer in client.get("/layers").json()["layers"]}
        assert {"scene", "labels", "reference", *(f"map-{name}" for name in MODELS)} <= layers
        grid = rasters.grid_of(run.scene)
        x, y = grid.xy(np.array([row]), np.array([col]))
        lon, lat = Transformer.from_crs(grid.crs, 4326, always_xy=True).transform(x[0], y[0])
        found = client.get("/point", params={"lon": lon, "lat": lat}).json()["classes"]
    assert found["map-random-forest"]["code"] == codes[row, col]
    assert found["map-random-forest"]["name"] == Legend.corine(3)[int(codes[row, col])].name
