"""The engine of a map: kept with the model, the same labels as Keras, and verified as it was."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from landcover import cli, maps
from landcover.classifiers import cards, models, networks
from landcover.classifiers.networks import Choice, Engine
from landcover.classifiers.networks.engines import available_precisions
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.run import Run
from landcover.stages import map as map_stage
from tests.fixtures.map_models import random_cnn
from tests.fixtures.map_runs import interrupted, make_run, maps_of

NAME = "cnn-7x7"
MEASURED = {"for": "the test"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run whose network can hardly tell two of its classes apart."""
    run = make_run(tmp_path_factory.mktemp("runs") / "made", 90, 110, cnn=True)
    model, rng = random_cnn(7), np.random.default_rng(0)
    *others, kernel, bias = model.get_weights()
    kernel[..., 1] = kernel[..., 0] + rng.normal(0, 1e-3, kernel[..., 0].shape)
    bias[:] = [0, 0, -9, -9]
    model.set_weights([*others, kernel, bias])
    networks.save(model, cards.file_of(run.model(NAME), "cnn"))
    return run


@pytest.fixture
def run(made, tmp_path):
    return Run(shutil.copytree(made.path, tmp_path / "run"))


@pytest.fixture
def choose(monkeypatch):
    """Let measurements end as a test wants; how often they were made."""

    def set_to(*engines, measured=MEASURED):
        left, calls = list(engines), []

        def measure(*_, **__):
            calls.append(left[0])
            return Choice(left.pop(0), "for the test", measured)

        monkeypatch.setattr(networks, "choose_engine", measure)
        return calls

    return set_to


def map_it(run, *arguments):
    assert cli.main(["map", str(run.path), "--model", NAME, *arguments]) == 0
    return maps_of(run)


def kept(run):
    return sorted(run.model(NAME).glob("engines/*.json"))


def keras_labels(run, pixels):
    """Codes of pixels by Keras on chips that are cut here."""
    classifier = models.load_model(run.model(NAME)).classifier()
    image = np.pad(rasters.read(run.scene), ((0, 0), (3, 3), (3, 3)), constant_values=np.nan)
    chips = np.stack([image[:, row : row + 7, col : col + 7] for row, col in pixels])
    probabilities = np.concatenate([
        classifier.model.predict_on_batch(np.moveaxis(chip, 0, -1)[np.newaxis]) for chip in chips
    ])  # fmt: skip
    return classifier.legend.code(probabilities.reshape(len(pixels), -1).argmax(axis=1))


def openvino(bound):
    """The least precise engine there is."""
    pytest.importorskip("openvino")
    return Engine("openvino", available_precisions()[-1], bound)


def test_a_map_by_openvino_has_the_labels_of_keras_chips(run, choose):
    choose(openvino(0.3))
    map_it(run)
    labels = rasters.read_classes(run.map(NAME))
    pixels = np.random.default_rng(1).permutation(np.argwhere(labels))[:400]
    assert len(set(labels[tuple(pixels.T)].tolist())) > 1
    np.testing.assert_array_equal(labels[tuple(pixels.T)], keras_labels(run, pixels))


@pytest.mark.skipif("bfloat16" not in available_precisions(), reason="no bfloat16 here")
@pytest.mark.parametrize(("bound", "right"), [(0.0, False), (0.3, True)])
def test_verify_checks_the_engine_that_made_the_map(run, choose, capsys, bound, right):
    choose(openvino(bound))
    capsys.readouterr()
    map_it(run, "--verify", "150")
    found = map_stage.verify(run, NAME, 150)
    assert f"against patch by patch on {found}" in capsys.readouterr().out
    assert found.pixels == 150
    assert (found.mismatches == 0) == right
    assert (found.written_mismatches == 0) == right
    assert found.largest_difference > 1e-5  # bfloat16 shows


def test_verify_reads_the_map_as_written(run):
    map_it(run)
    assert map_stage.verify(run, NAME, 40).written_mismatches == 0
    labels = rasters.read_classes(run.map(NAME))
    other = np.where(labels > 0, 512, 0).astype(np.uint16)
    raster_writer.write(run.map(NAME), other, rasters.grid_of(run.scene), ["class"], nodata=0)
    found = map_stage.verify(run, NAME, 40)
    assert found.mismatches == 0 and found.written_mismatches > 20
    assert str(found).endswith(f", {found.written_mismatches} as written in the map")


def test_verify_needs_a_map(run):
    with pytest.raises(LandcoverError, match=rf"has no map of {NAME} to verify; make it with"):
        map_stage.verify(run, NAME, 10)


def test_the_choice_is_kept_so_that_maps_repeat(run, choose, capsys):
    first = Engine(bound=1e-3)
    calls = choose(first, Engine())
    before = map_it(run)
    shutil.rmtree(run.path / "maps")
    assert map_it(run) == before
    assert calls == [first] and "(as measured before)" in capsys.readouterr().out
    settings = run.read_manifest()["stages"][f"map {NAME}"]["settings"]
    assert settings["engine"] == first.as_dict() and settings["measured"] == MEASURED
    assert [read_json(path)["engine"] for path in kept(run)] == [first.as_dict()]


@pytest.mark.parametrize("change", ["precision", "scene", "model", "versions", "processor"])
def test_the_choice_is_of_what_it_was_measured_on(change, run, choose, monkeypatch):
    calls, arguments = choose(Engine(bound=1e-3), Engine()), []
    map_it(run)
    if change == "precision":
        arguments = ["--precision", "float32"]
    elif change == "scene":
        image = rasters.read(run.scene) + np.float32(0.01)
        grid, names = rasters.grid_of(run.scene), rasters.band_names(run.scene)
        raster_writer.write(run.scene, image, grid, names, nodata=np.nan)
    elif change == "model":
        networks.save(random_cnn(7, seed=3), cards.file_of(run.model(NAME), "cnn"))
    elif change == "versions":
        monkeypatch.setattr(map_stage, "versions", lambda: {"numpy": "0"})
    else:
        monkeypatch.setattr("landcover.maps.engine_cache._processor", lambda: "another")
    map_it(run, *arguments)
    assert len(calls) == 2 and len(kept(run)) == 2


def test_a_damaged_choice_is_measured_again(run, choose):
    calls = choose(Engine(bound=1e-3), Engine(bound=2e-3), Engine())
    map_it(run)
    for content in ("{", '{"engine": {"runtime": "abacus"}, "measured": {}}'):
        kept(run)[0].write_text(content)
        map_it(run)
    assert len(calls) == 3 and len(kept(run)) == 1


def test_what_was_not_measured_is_not_kept(run, choose):
    calls = choose(Engine(), Engine(), measured={})
    map_it(run)
    map_it(run)
    assert len(calls) == 2 and kept(run) == []


def test_a_folder_that_keeps_nothing_costs_no_map(run, choose, tmp_path, capsys):
    """A model of a run on a disk that cannot be written; here a file is in the way."""
    choose(Engine(bound=1e-3))
    (run.model(NAME) / "engines").write_text("")
    guest = Run(tmp_path / "guest")
    guest.path.mkdir()
    shutil.copy(run.scene, guest.scene)
    map_stage.map_scene(guest, run.model(NAME))
    assert guest.map(NAME).exists()
    assert "the choice is not kept" in capsys.readouterr().out


def test_a_map_begun_on_another_backend_is_thrown_away(run, monkeypatch, capsys):
    monkeypatch.setattr(maps.scene_tiles, "COMPUTE_PX", 50)
    interrupted(run, monkeypatch, after=1, arguments=["--model", NAME, "--tile-px", "1"])
    monkeypatch.setattr(networks, "backend_name", lambda: "jax on gpu")
    map_it(run, "--tile-px", "1")
    assert "is of other backend; it is thrown away" in capsys.readouterr().out


def test_a_forest_depends_on_no_precision_and_no_backend(run, monkeypatch):
    monkeypatch.setattr(networks, "backend_name", None)
    model = "random-forest"
    map_stage.map_scene(run, model)
    assert map_stage.is_mapped(run, model, precision="float32")
    assert not map_stage.is_mapped(run, model, probabilities=True)


def test_the_backend_has_a_name_and_gpus_keep_float32():
    """In a process of its own, which has not loaded Keras."""
    code = (
        "import os; from landcover.classifiers import networks; print(networks.backend_name());"
        "print(os.environ['NVIDIA_TF32_OVERRIDE'], os.environ['JAX_DEFAULT_MATMUL_PRECISION'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    name, settings = done.stdout.strip().splitlines()
    assert name.split(" on ")[1] in ("cpu", "gpu") and settings == "0 highest"
