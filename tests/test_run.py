from __future__ import annotations

import hashlib
import json

import pytest

from landcover.errors import LandcoverError
from landcover.files.atomic import read_json, replace_when_whole, write_json
from landcover.run import Run


def test_a_missing_product_names_the_command_that_makes_it(tmp_path):
    run = Run(tmp_path / "run")
    with pytest.raises(LandcoverError, match=r"run folder .*run does not exist; check the path"):
        run.require("scene")
    run.path.mkdir()
    with pytest.raises(
        LandcoverError, match=r"scene.tif does not exist; make it with: landcover prep --bands"
    ):
        run.require("scene")
    with pytest.raises(LandcoverError, match=r"landcover segment .*run"):
        run.require("segment_types")


def test_the_demos_run_is_made_without_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for product in ("scene", "labels"):
        with pytest.raises(LandcoverError, match=r"with: landcover prep --out runs/demo$"):
            Run("runs/demo").require(product)


def test_the_manifest_keeps_what_is_needed_to_repeat(tmp_path):
    source = tmp_path / "B02.tif"
    source.write_bytes(b"pixels")
    run = Run(tmp_path / "run")
    run.record("prep", {"level": 3}, [source], [run.scene])
    run.record("segment", {"scale": 1200.0})
    shares = {"reading": 0.25, "computing": 0.62501, "writing": 0.12499}
    run.log("prep", {"seed": "0"}, 99.0, shares, 999)
    run.log("prep", {"seed": "0"}, 12.34, shares, 800)
    commands = json.loads(run.manifest.read_text())["commands"]
    assert commands == [
        {
            "command": "prep",
            "settings": {"seed": "0"},
            "seconds": 12.3,
            "shares": {"reading": 0.25, "computing": 0.625, "writing": 0.125},
            "peak_memory_mib": 800,
        }
    ]
    stages = json.loads(run.manifest.read_text())["stages"]
    assert list(stages) == ["prep", "segment"]
    assert stages["prep"]["inputs"] == [
        {"path": str(source), "bytes": 6, "sha256": hashlib.sha256(b"pixels").hexdigest()}
    ]
    assert stages["prep"]["products"] == ["scene.tif"]
    assert "numpy" in stages["prep"]["versions"]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "report.json"
    with pytest.raises(RuntimeError), replace_when_whole(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert not list(path.parent.iterdir())
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]


def test_unreadable_json_is_one_line(tmp_path):
    with pytest.raises(LandcoverError, match="does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(LandcoverError, match=r"half.json is not readable JSON"):
        read_json(tmp_path / "half.json")


def test_json_that_is_no_object_is_not_ours(tmp_path):
    path = tmp_path / "card.json"
    path.write_text("[1, 2]")
    with pytest.raises(
        LandcoverError, match=r"card\.json is not readable JSON \(it holds no fields"
    ):
        read_json(path)


def test_a_manifest_without_fields_counts_as_empty(tmp_path):
    run = Run(tmp_path)
    write_json(run.manifest, {})
    run.record("prep", {"level": 3})
    assert list(run.read_manifest()["stages"]) == ["prep"]


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LandcoverError, match=r"cannot write .*check free disk space"):
        write_json(tmp_path / "file" / "a.json", {})
