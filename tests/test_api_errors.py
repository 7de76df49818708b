"""Which errors the public functions raise: of a bad value, and of a file that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import landcover as lc

#: What is tried on a run that has labels, samples, a model and its map.
Call = Callable[[lc.Run], object]


@pytest.fixture(scope="module")
def run(example_runs: Callable[[str], Path]) -> lc.Run:
    return lc.Run(example_runs("mapped"))


BAD_VALUES: dict[str, Call] = {
    "train kind": lambda run: lc.train(run, "perceptron"),
    "train choice": lambda run: lc.train(run, "random-forest", epochs=3),
    "train targets": lambda run: lc.train(run, targets="truth"),
    "train denoise": lambda run: lc.train(run, denoise="wash"),
    "train features": lambda run: lc.train(run, features=["nope"]),
    "sample method": lambda run: lc.sample(run, method="nope"),
    "segment levels": lambda run: lc.segment(run, levels=[8, 4]),
    "segment scale": lambda run: lc.segment(run, scale=-1),
    "map_scene precision": lambda run: lc.map_scene(run, "random-forest-plain", precision="half"),
    "map_scene tile_px": lambda run: lc.map_scene(run, "random-forest-plain", tile_px=0),
    "prepare scheme": lambda run: lc.prepare("new", bands=run.scene, scheme="nope"),
    "prepare labels alone": lambda run: lc.prepare("new", labels=run.labels),
    "compute_features": lambda _: lc.compute_features(np.ones((2, 3, 3)), ["B04", "B08"], ["nope"]),
    "Legend.corine": lambda _: lc.Legend.corine(4),
    "Legend.subset": lambda _: lc.Legend.corine(1).subset([9]),
    "make_scene": lambda _: lc.make_scene(0, 5),
    "make_sequence": lambda _: lc.make_sequence(dates=["nope"]),
    "spatial_blocks": lambda _: lc.spatial_blocks(np.ones((200, 200), int), 10, 9),
    "score": lambda _: lc.score(np.ones(4, int), np.ones(5, int)),
    "chips": lambda _: lc.chips(np.ones((2, 3, 3), np.float32), [0], [0], 4),
    "felzenszwalb": lambda _: lc.felzenszwalb(np.ones((3, 3), np.float32)),
    "open_bands sensor": lambda run: lc.open_bands([run.scene], sensor="nope"),
    "read band": lambda run: lc.read(run.scene, bands=["nope"]),
    "write shape": lambda run: lc.write("new.tif", np.ones(3), lc.make_scene(160, 160).grid, ["a"]),
    "predict_map bands": lambda run: lc.predict_map(
        lc.load_model(run.model("random-forest-plain")).classifier(), run.labels, "new.tif"
    ),
    "read_image": lambda _: lc.read_image(b"GIF89a"),
}
ABSENT_FILES: dict[str, Call] = {
    "open_sentinel2": lambda _: lc.open_sentinel2("nope.SAFE"),
    "open_bands": lambda _: lc.open_bands(["nope.tif"]),
    "open_stac": lambda _: lc.open_stac("nope.json"),
    "read_image": lambda _: lc.read_image("nope.jpg"),
    "read": lambda _: lc.read("nope.tif"),
    "load_model": lambda _: lc.load_model("nope"),
    "prepare bands": lambda _: lc.prepare("new", bands="nope.tif"),
    "prepare labels": lambda run: lc.prepare("new", bands=run.scene, labels="nope.tif"),
    "prepare aoi": lambda run: lc.prepare("new", bands=run.scene, aoi="nope.gpkg"),
    "prepare scheme": lambda run: lc.prepare("new", bands=run.scene, scheme="nope.csv"),
    "LabelScheme.from_table": lambda _: lc.LabelScheme.from_table("nope.qml"),
    "segment": lambda _: lc.segment("nope"),
    "sample": lambda _: lc.sample("nope"),
    "sample polygons": lambda run: lc.sample(run, polygons="nope.gpkg"),
    "denoise": lambda _: lc.denoise("nope"),
    "train": lambda _: lc.train("nope"),
    "train segments": lambda run: lc.train(run, "mlp"),
    "map_scene": lambda run: lc.map_scene(run, "nope"),
    "compare": lambda _: lc.compare("nope"),
    "assess": lambda run: lc.assess(run, "nope.gpkg"),
    "find_change": lambda _: lc.find_change("nope", "nope", model="nope"),
    "predict_map": lambda run: lc.predict_map(
        lc.load_model(run.model("random-forest-plain")).classifier(), "nope.tif", "new.tif"
    ),
}


@pytest.mark.parametrize("call", BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_bad_value_is_a_value_error_of_one_line(call, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as error:
        call(run)
    assert type(error.value) is lc.InputError and "\n" not in str(error.value)


@pytest.mark.parametrize("call", ABSENT_FILES.values(), ids=ABSENT_FILES)
def test_a_file_that_is_not_there_is_a_file_not_found_error(call, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        call(run)
    assert type(error.value) is lc.MissingProduct and "\n" not in str(error.value)
