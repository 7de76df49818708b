"""Logs of training for TensorBoard: what they hold, where they lie, and when they are refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from landcover import cli
from landcover.classifiers import networks
from landcover.classifiers.networks.training_logs import callbacks_of_logs
from landcover.errors import InputError, MissingDependency

EPOCHS = 3


def trained(name: str) -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    values, targets = rng.random((60, 4), np.float32), rng.integers(0, 2, 60)
    networks.seed_everything(0)
    model = networks.build_mlp(4, 2, [0.0] * 4, [1.0] * 4, {})
    examples = networks.Examples(networks.row_inputs(model, values, None), targets, np.ones(60))
    return networks.fit(model, examples, examples, networks.Schedule(EPOCHS), seed=0, name=name)


def logged(folder: Path) -> dict[str, list[float]]:
    """The values of every scalar, read by TensorBoard itself."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [float(tensor_util.make_ndarray(one.tensor_proto)) for one in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def test_logs_hold_the_curves_of_every_network(tmp_path):
    (tmp_path / "logs" / "mlp-on-a-random-split-1").mkdir(parents=True)  # of an earlier training
    with networks.logged_in(tmp_path / "logs"):
        curves = trained("mlp on a random split")
    assert callbacks_of_logs("mlp") == []
    found = logged(tmp_path / "logs" / "mlp-on-a-random-split-2" / "validation")
    assert found["epoch_cross_entropy"] == pytest.approx(curves["val_loss"], abs=1e-5)
    assert found["epoch_accuracy"] == pytest.approx(curves["val_accuracy"], abs=1e-5)
    assert len(found["epoch_accuracy"]) == EPOCHS


def test_a_model_without_epochs_has_no_logs(tmp_path, capsys):
    logs = tmp_path / "logs"
    code = cli.main(["train", "knn", str(tmp_path / "run"), "--tensorboard", str(logs)])
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2 and not logs.exists()
    assert f"--tensorboard {logs} logs the epochs of networks, and knn is trained without" in line


def test_logs_without_tensorboard_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with (
        pytest.raises(MissingDependency, match=r"tensorboard; install it with: pip install 'landc"),
        networks.logged_in(tmp_path / "logs"),
    ):
        raise AssertionError("nothing is trained")
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"file/logs cannot hold logs of training"),
        networks.logged_in(tmp_path / "file" / "logs"),
    ):
        raise AssertionError("nothing is trained")
