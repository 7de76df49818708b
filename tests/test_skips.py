"""A run of CI fails when it skips a test that it could have run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.fixtures import skips


def outcome(tmp_path, text, **environment):
    """Exit code and output of pytest on one file with the hooks."""
    (tmp_path / "test_it.py").write_text(f"import pytest\n\n{text}")
    usual = {k: v for k, v in os.environ.items() if not k.startswith(("CI", "LANDCOVER_"))}
    own = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.fixtures.skips",
         "-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT, env=usual | own | environment,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


FUNCTION = "def test_a():\n    pass\ndef test_b():\n    pytest.skip('{}')\n"
MODULE = "pytest.skip('{}', allow_module_level=True)\n"
IMPORT = "def test_a():\n    pass\ndef test_b():\n    pytest.importorskip('no_such_module')\n"


@pytest.mark.parametrize("name", ["CI", "LANDCOVER_NO_SKIPS"])
def test_a_skipped_test_fails_the_run(tmp_path, name):
    code, said = outcome(tmp_path, FUNCTION.format("not today"), **{name: "true"})
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "tests that should have run" in said
    assert "not today" in said.split("tests that should have run")[1]


def test_a_missing_library_fails_the_run(tmp_path):
    code, said = outcome(tmp_path, IMPORT, CI="true")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "no_such_module" in said.split("tests that should have run")[1]


def test_a_skipped_file_fails_the_run(tmp_path):
    (tmp_path / "test_other.py").write_text("def test_a():\n    pass\n")
    code, said = outcome(tmp_path, MODULE.format("no Chromium on this machine"), CI="true")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "no Chromium" in said.split("tests that should have run")[1]


@pytest.mark.parametrize(
    "environment",
    [{}, {"CI": "true", "LANDCOVER_MAY_SKIP": "the moon is new|no Chromium on this machine"}],
    ids=["elsewhere", "what the machine cannot have"],
)
def test_a_skipped_test_is_fine(tmp_path, environment):
    code, said = outcome(tmp_path, FUNCTION.format("no Chromium on this machine"), **environment)
    assert code == pytest.ExitCode.OK
    assert "1 passed, 1 skipped" in said


def test_only_named_reasons_are_allowed(monkeypatch):
    monkeypatch.delenv("LANDCOVER_MAY_SKIP", raising=False)
    fine = ["Skipped: real data not found in /data; set LANDCOVER_TEST_DATA"]
    assert skips.forbidden([*fine, "Skipped: JAX is not installed"]) == []
    wrong = ["Skipped: could not import 'openvino'", "Skipped: "]
    assert skips.forbidden([*fine, *wrong, *wrong]) == sorted(wrong)
