"""Mapping on a Dask cluster: equal bytes, also with a worker killed; and what can go wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from landcover import cli
from landcover.classifiers import networks
from landcover.files import raster_writer, rasters
from landcover.maps import client_facts
from landcover.maps import cluster as cluster_room
from landcover.maps.client_facts import ClientFacts
from landcover.samples.table import Draw
from landcover.stages.sample import sample
from landcover.stages.train import train
from tests.conftest import error_lines
from tests.fixtures.clusters import two_workers
from tests.fixtures.map_runs import hidden, interrupted, make_run, maps_of
from tests.fixtures.training_runs import write_run

distributed = pytest.importorskip("distributed")

MAP = ["--tile-px", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("runs") / "run", 100, 5000, cnn=True)
    forest = ["--model", "random-forest", "--probabilities", "--entropy"]
    assert cli.main(["map", str(run.path), *forest, *MAP]) == 0
    return run


@pytest.fixture(scope="module")
def cluster():
    with two_workers() as cluster:
        yield cluster


def on(cluster, run, model, *arguments):
    address = ["--scheduler", cluster.scheduler_address]
    return cli.main(["map", str(run.path), "--model", model, *MAP, *address, *arguments])


def workers_pids(cluster):
    with distributed.Client(cluster.scheduler_address) as client:
        return list(client.run(os.getpid).values())


def test_two_workers_give_equal_bytes(run, cluster, capfd):
    before = maps_of(run)
    assert on(cluster, run, "random-forest", "--probabilities", "--entropy") == 0
    assert maps_of(run) == before and hidden(run) == []


def test_textures_and_statistics_of_segments_are_those_of_one_machine(cluster, tmp_path):
    run = write_run(tmp_path / "run")
    image, types = rasters.read(run.scene), rasters.read(run.segment_types)[:1]
    names = [*rasters.band_names(run.scene), "segment_type:percentile"]
    raster_writer.write(
        run.scene, np.concatenate([image, types.astype(np.float32)]), rasters.grid_of(run.scene),
        names, nodata=np.nan,
    )  # fmt: skip
    sample(run, Draw(800), max_patch=7)
    layers = ["B08", "segment_type:percentile", "glcm:B08:entropy:5", "pca:2"]
    how = {"denoise": "none", "random_split": False, "variant": "texture"}
    model = train(run, "knn", features=layers, **how)
    assert cli.main(["map", str(run.path), "--model", model.name, *MAP]) == 0
    before = maps_of(run)
    assert on(cluster, run, model.name) == 0
    assert maps_of(run) == before and f"{model.name}.tif" in before and "@" in model.name


def kill_a_worker_at(run, model, cluster, n_parts):
    """SIGKILL one worker, in the background, once so many parts are there."""
    victim = workers_pids(cluster)[0]
    killed = threading.Event()

    def watch():
        until_parts(run.map_job(model), n_parts)
        os.kill(victim, signal.SIGKILL)
        killed.set()

    threading.Thread(target=watch, daemon=True).start()
    return killed


@pytest.mark.parametrize(
    "model", ["random-forest", pytest.param("cnn-7x7", marks=pytest.mark.slow)]
)
def test_a_worker_killed_half_way_gives_equal_bytes(model, run, cluster):
    arguments = ["--probabilities", "--entropy"] if model == "random-forest" else []
    assert cli.main(["map", str(run.path), "--model", model, *MAP, *arguments]) == 0
    before = maps_of(run)
    killed = kill_a_worker_at(run, model, cluster, n_parts=6)
    assert on(cluster, run, model, *arguments) == 0
    assert killed.is_set()
    assert maps_of(run) == before and hidden(run) == []


def test_a_network_goes_on_with_the_engine_that_it_began_with(run, cluster, monkeypatch, capsys):
    precisions = networks.engines.available_precisions()
    engine = networks.Engine("openvino", precisions[-1], 0.5) if precisions else networks.Engine()
    chosen = networks.Choice(engine, "for the test", {"tried": [1, 2]})
    arguments = ["--model", "cnn-7x7", *MAP]
    with monkeypatch.context() as patch:
        patch.setattr(networks, "choose_engine", lambda *_, **__: chosen)
        assert cli.main(["map", str(run.path), *arguments]) == 0
        before = maps_of(run)
        interrupted(run, monkeypatch, after=4, arguments=arguments)
        assert str(chosen) in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(networks, "choose_engine", None)
        assert on(cluster, run, "cnn-7x7") == 0
    assert "going on: 4 of 20" in capsys.readouterr().out
    assert maps_of(run) == before
    settings = run.read_manifest()["stages"]["map cnn-7x7"]["settings"]
    assert settings["engine"] == engine.as_dict() and settings["measured"] == {"tried": [1, 2]}


def of_other_files(monkeypatch, digests):
    """Let the client tell its workers of other files."""
    of = ClientFacts.of
    monkeypatch.setattr(
        ClientFacts, "of", lambda *arguments: replace(of(*arguments), digests=digests)
    )


def test_files_that_workers_cannot_read_are_named(run, cluster, monkeypatch, capsys):
    of_other_files(monkeypatch, {"/nowhere/scene.tif": "0" * 64})
    assert refused(on(cluster, run, "random-forest"), capsys, r"cannot read /nowhere/scene\.tif")


def test_other_files_and_versions_on_workers_are_named(run, cluster, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        of_other_files(patch, {str(run.scene): "0" * 64})
        assert refused(on(cluster, run, "random-forest"), capsys, r"has another file .*scene\.tif")
    monkeypatch.setattr(client_facts, "versions", lambda: {"numpy": "0.1"})
    assert refused(on(cluster, run, "random-forest"), capsys, r"has numpy .* this machine 0\.1")


def test_another_backend_on_workers_is_named(run, cluster, monkeypatch, capsys):
    monkeypatch.setattr(networks, "backend_name", lambda: "abacus on cpu")
    message = r"has Keras on \w+ on \w+ and this machine on abacus on cpu; .* KERAS_BACKEND"
    assert refused(on(cluster, run, "cnn-7x7"), capsys, message)


def test_another_landcover_on_workers_is_named(run, cluster, monkeypatch, capsys):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda name: "0.0.1")
    assert refused(on(cluster, run, "random-forest"), capsys, r"landcover .* this machine 0\.0\.1")


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "nonsense", "", "tcp://nowhere.invalid:1"]
)
def test_a_scheduler_that_cannot_be_reached(address, run, monkeypatch, capsys):
    monkeypatch.setattr(cluster_room, "CONNECT_S", 1)
    code = cli.main(["map", str(run.path), "--model", "random-forest", "--scheduler", address])
    assert refused(code, capsys, rf"no Dask scheduler answers at {address}.*dask scheduler")


def test_without_distributed_the_extra_is_named(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code = cli.main(["map", str(run.path), "--model", "random-forest", "--scheduler", "tcp://a:1"])
    assert refused(code, capsys, r'pip install "landcover\[cluster\]"')


def test_without_workers_it_gives_up_and_keeps_what_is_done(run, monkeypatch, capsys):
    monkeypatch.setattr(cluster_room, "PATIENCE_S", 2)
    interrupted(run, monkeypatch, after=3)
    capsys.readouterr()
    with distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty:
        code = on(empty, run, "random-forest", "--probabilities", "--entropy")
    assert refused(code, capsys, r"no worker for 2 s")
    forest = ["--model", "random-forest", "--probabilities", "--entropy"]
    assert cli.main(["map", str(run.path), *forest, *MAP]) == 0
    assert "going on: 3 of 20" in capsys.readouterr().out


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_line(run, capsys):
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    job = run.map_job("random-forest")
    closing = threading.Thread(target=lambda: (until_parts(job, 3), cluster.close()))
    closing.start()
    code = on(cluster, run, "random-forest")
    closing.join()
    assert refused(code, capsys, r"the cluster failed .* run the same command again to go on")
    assert cli.main(["map", str(run.path), "--model", "random-forest", *MAP]) == 0
    assert "going on: " in capsys.readouterr().out


def until_parts(job, n):
    while len(list(job.glob("[0-9]*.part"))) < n:
        time.sleep(0.002)


def refused(code, capsys, message):
    """Exit code 2 and one line of that text."""
    import re

    errors = error_lines(capsys.readouterr().err)
    errors = [line for line in errors if not line.startswith("mapping with")]  # the bar
    assert code == 2
    assert len(errors) == 1, errors
    assert re.search(message, errors[0]), errors[0]
    return True
