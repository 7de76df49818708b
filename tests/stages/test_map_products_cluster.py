"""Whole products on a cluster: equal bytes, workers lost, products damaged, one report."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from landcover import cli
from landcover.errors import LandcoverError
from landcover.maps.client_facts import ClientFacts
from landcover.run import Run
from landcover.stages import map_products as stage
from landcover.stages import map_products_cluster as on_cluster
from landcover.stages.map_list import Item, Listed
from tests.conftest import ROOT, error_lines
from tests.fixtures.clusters import Faults, cut, kill, two_workers
from tests.fixtures.hears_ctrl_c import COMMAND
from tests.fixtures.map_runs import hidden, make_run, maps_of
from tests.fixtures.sentinel2_files import write_safe

distributed = pytest.importorskip("distributed")

NAMES = ("east", "west", "north", "south")
LAYERS = ["--tile-px", "1", "--probabilities"]


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A cluster, and the faults of its workers."""
    faults = Faults(tmp_path_factory.mktemp("faults"))
    faults.give({})
    with two_workers() as cluster:
        with distributed.Client(cluster.scheduler_address) as client:
            client.register_plugin(faults)
        yield cluster, faults


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Products, a run folder of six windows, a run with a model, and their maps by one machine."""
    folder = tmp_path_factory.mktemp("originals")
    made, _ = write_safe(folder, "L2A", -1000)
    images = sorted(path.relative_to(made) for path in made.glob("GRANULE/*/IMG_DATA/R10m/*.jp2"))
    for number, name in enumerate(NAMES):
        product = shutil.copytree(made, folder / f"{name}.SAFE")
        shutil.copyfile(made / images[number], product / images[0])
    home = make_run(folder / "home", 40, 60)
    wide = make_run(folder / "wide", 100, 1500)
    shutil.rmtree(wide.path / "models")
    products = [*(folder / f"{name}.SAFE" for name in NAMES), wide.path]
    assert map_products(home, products, folder / "out") == 0
    return folder


@pytest.fixture
def land(originals, tmp_path):
    """The same, not mapped yet."""
    for path in originals.iterdir():
        if path.name not in ("out", "wide"):
            shutil.copytree(path, tmp_path / path.name)
    (tmp_path / "wide").mkdir()
    shutil.copyfile(originals / "wide" / "scene.tif", tmp_path / "wide" / "scene.tif")
    return tmp_path


def command(home, products, out, *arguments):
    argv = ["map", str(home.path), "--model", "random-forest", *LAYERS, "--out", str(out)]
    return [*argv, *arguments, "--products", *map(str, products)]


def map_products(*arguments):
    return cli.main(command(*arguments))


def command_on(workers, land, names):
    address = ["--scheduler", workers[0].scheduler_address]
    return command(Run(land / "home"), products(land, names), land / "out", *address)


def on(workers, land, names):
    return cli.main(command_on(workers, land, names))


def products(land, names):
    return [land / (name if name == "wide" else f"{name}.SAFE") for name in names]


def run_of(folder, name):
    return Run(folder / name if name == "wide" else folder / "out" / name)


def rows_of(land):
    return json.loads((land / "out" / "report.json").read_text())["products"]


def image_of(land, name, band):
    return next((land / f"{name}.SAFE").glob(f"GRANULE/*/IMG_DATA/R10m/*_{band}_10m.jp2"))


def are_those_of_one_machine(land, originals, names):
    """Scenes and maps have equal bytes, and nothing is left behind."""
    for name in names:
        run, expected = run_of(land, name), run_of(originals, name)
        assert maps_of(run) == maps_of(expected) != {}, name
        assert run.scene.read_bytes() == expected.scene.read_bytes(), name
        assert hidden(run) == list(run.path.glob(".*")) == []
        assert not run.path.with_name(f".{name}.lock").exists()
    return True


def test_maps_are_those_of_one_machine_in_the_order_of_the_list(workers, land, originals, capfd):
    first_report = str(land / "out" / "report.json")
    workers[1].give({"east": {"preparing": {"await": [first_report]}}})
    names = ["east", "west", "wide", "north"]
    assert on(workers, land, names) == 0
    assert are_those_of_one_machine(land, originals, names)
    rows = rows_of(land)
    assert [row["product"] for row in rows] == list(map(str, products(land, names)))
    for row, known in zip(rows, [run_of(land, name) for name in names], strict=True):
        assert (row["run"], row["map"]) == (str(known.path), str(known.map("random-forest")))
    told, errors = capfd.readouterr()
    ended = re.findall(r"^(\d) of 4 done: (\S+): ", told, re.M)
    assert [number for number, _ in ended] == list("1234")
    assert sorted(product for _, product in ended) == sorted(row["product"] for row in rows)
    assert ended[0][1] != rows[0]["product"]  # the first of the list did not end first
    assert f"warning: {land / 'east.SAFE'}" in errors

    # both a cluster and one machine find it done
    before = [run_of(land, name).map("random-forest").stat().st_mtime_ns for name in names]
    workers[1].give({})
    assert on(workers, land, names) == 0
    assert rows_of(land) == rows
    assert map_products(Run(land / "home"), products(land, names), land / "out") == 0
    assert rows_of(land) == rows
    assert workers[1].times("prepare") == workers[1].times("write") == 0
    after = [run_of(land, name).map("random-forest").stat().st_mtime_ns for name in names]
    assert after == before


def test_a_relative_list_is_reported_as_it_is_given(workers, land, originals, monkeypatch):
    workers[1].give({})
    monkeypatch.chdir(land)
    (land / "list.csv").write_text("product\neast.SAFE\n")
    address = ["--scheduler", workers[0].scheduler_address]
    home = Run(land / "home")
    assert map_products(home, ["list.csv"], "out", *address) == 0
    (row,) = rows_of(land)
    assert (row["product"], row["run"]) == ("east.SAFE", "out/east")
    assert row["map"] == "out/east/maps/random-forest.tif"
    assert are_those_of_one_machine(land, originals, ["east"])


@pytest.mark.parametrize("moment", ["preparing", "prepared", "mapping-1"])
def test_a_worker_killed_at_a_product_is_replaced(moment, workers, land, originals):
    workers[1].give({"west": {moment: kill()}})
    assert on(workers, land, NAMES[:3]) == 0
    assert workers[1].times("kill-west") == 1
    # a scene that was whole is not made again, nor is one half made taken for whole
    assert workers[1].times("prepare-west") == (1 if moment == "mapping-1" else 2)
    assert are_those_of_one_machine(land, originals, NAMES[:3])
    assert [row["product"] for row in rows_of(land)] == list(map(str, products(land, NAMES[:3])))


def test_another_worker_goes_on_with_the_windows_of_a_dead_one(workers, land, originals):
    workers[1].give({"wide": {"mapping-3": kill()}})
    assert on(workers, land, ["wide", "east"]) == 0
    assert workers[1].times("kill-wide") == 1 and workers[1].times("write-wide") == 6
    assert are_those_of_one_machine(land, originals, ["wide", "east"])


@pytest.mark.slow  # three workers start again
def test_a_product_that_kills_every_worker_fails_alone(workers, land, originals, capfd):
    workers[1].give({"west": {"prepared": kill(99)}})
    assert on(workers, land, NAMES[:3]) == 2
    assert workers[1].times("kill-west") == 3
    assert "workers died again and again at this product (tcp://" in last_error(capfd)
    rows = rows_of(land)
    assert ["error" in row for row in rows] == [False, True, False]
    assert are_those_of_one_machine(land, originals, ["east", "north"])
    workers[1].give({})
    assert on(workers, land, NAMES[:3]) == 0
    assert are_those_of_one_machine(land, originals, NAMES[:3])


def test_products_damaged_half_way_fail_alone(workers, land, originals, capfd):
    """While others are at work: one not begun, one being read, and the scene of a run folder."""
    image = image_of(land, "north", "B03")
    whole = image.read_bytes()
    damage = cut(image, land / "wide" / "scene.tif", image_of(land, "east", "B04"))
    workers[1].give({"east": {"preparing": damage}, "west": {"preparing": {"sleep_s": 0.5}}})
    names = ["east", "west", "north", "wide", "south"]
    assert on(workers, land, names) == 2
    assert "3 of 5 products failed, the first" in last_error(capfd)
    rows = rows_of(land)
    assert ["error" in row for row in rows] == [True, False, True, True, False]
    assert all("Traceback" not in row.get("error", "") for row in rows)
    assert not run_of(land, "east").scene.exists() and maps_of(run_of(land, "wide")) == {}
    assert are_those_of_one_machine(land, originals, ["west", "south"])
    image.write_bytes(whole)
    assert on(workers, land, names[1:3]) == 0
    assert are_those_of_one_machine(land, originals, names[1:3])


def test_a_product_that_is_gone_half_way_fails_alone(workers, land, originals):
    workers[1].give({"east": {"preparing": {"remove": [str(land / "north.SAFE")]}}})
    assert on(workers, land, NAMES[:3]) == 2
    assert "north.SAFE is not there any more; put it back" in rows_of(land)[2]["error"]
    assert are_those_of_one_machine(land, originals, NAMES[:2])


def test_ctrl_c_begins_nothing_more_and_the_same_command_goes_on(workers, land, originals):
    workers[1].give({name: {"preparing": {"sleep_s": 1}} for name in NAMES})
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *command_on(workers, land, NAMES)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while workers[1].times("prepare") < 2 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "products that workers have begun go on there" in said
    assert workers[1].times("prepare") == 2
    # at once: it waits for the two that are at work
    assert on(workers, land, NAMES) == 0
    assert workers[1].times("prepare") == 4
    assert are_those_of_one_machine(land, originals, NAMES)


def test_workers_with_other_model_files_end_the_command(workers, land, monkeypatch, capfd):
    workers[1].give({})
    of, card = ClientFacts.of, str(land / "home" / "models" / "random-forest" / "card.json")
    monkeypatch.setattr(ClientFacts, "of", lambda *a: replace(of(*a), digests={card: "0" * 64}))
    assert on(workers, land, NAMES[:2]) == 2
    assert re.search(r"worker tcp\S+ has another file \S+card\.json", last_error(capfd))
    assert not (land / "out" / "report.json").exists()


def test_a_worker_that_does_not_see_what_the_client_sees_ends_the_command(workers, land):
    item = Item(Listed(land / "east.SAFE"), Run(land / "out" / "east"))
    row = {"product": "", "run": "", "error": "worker tcp://a:1 cannot read it; share the folder"}
    outcome = on_cluster._Outcome(row, unseen=item.source)
    model = stage.Model(land / "home" / "models" / "random-forest", {})
    with pytest.raises(LandcoverError, match="share the folder"):
        on_cluster._row(item, model, outcome)
    elsewhere = on_cluster._Outcome({"product": "", "run": "", "map": "/x/maps/a.tif"})
    assert "is not there on this machine" in on_cluster._row(item, model, elsewhere)["error"]


def last_error(capture):
    return error_lines(capture.readouterr().err)[-1]
