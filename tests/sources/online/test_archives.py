"""EuroSAT and BigEarthNet from a copy of Zenodo's record on loopback."""

from __future__ import annotations

import hashlib
from collections import namedtuple

import numpy as np
import pytest

from landcover import cli
from landcover.files import http
from landcover.sources.online import archives
from tests.conftest import error_lines
from tests.fixtures.web_server import serving_files

pytest.importorskip("requests", reason="requests is not installed; pip install 'landcover[fetch]'")
RGB, MS = (np.random.default_rng(seed).bytes(400_000 + seed) for seed in (0, 1))


def md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


@pytest.fixture
def zenodo(monkeypatch):
    """A server with EuroSAT's record, in the form of Zenodo's API."""
    monkeypatch.setattr(http, "WAIT_S", 0.01)
    with serving_files() as web:
        files = {"EuroSAT_RGB.zip": RGB, "EuroSAT_MS.zip": MS, "README.md": b"read me"}
        web.record = {"id": 7711810, "files": []}
        for name, content in files.items():
            path = f"/api/records/7711810/files/{name}/content"
            web.files[path] = content
            web.record["files"].append(
                {"key": name, "size": len(content), "checksum": md5(content),
                 "links": {"self": web.url + path}}
            )  # fmt: skip
        web.routes["/api/records/7711810"] = lambda _path, _body: web.record
        yield web


@pytest.fixture
def fetch(zenodo, tmp_path, capsys):
    def run(*more, what="eurosat"):
        code = cli.main(
            ["fetch", what, "--out", str(tmp_path / "out"), "--base-url",
             f"{zenodo.url}/api/records", *more]
        )  # fmt: skip
        said = capsys.readouterr()
        return code, said.out.splitlines(), error_lines(said.err)

    return run


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "out").iterdir())


def test_archives_come_whole_and_are_checked(zenodo, fetch, tmp_path):
    code, lines, _ = fetch()
    assert code == 0
    assert (tmp_path / "out" / "EuroSAT_RGB.zip").read_bytes() == RGB
    assert (tmp_path / "out" / "EuroSAT_MS.zip").read_bytes() == MS
    assert "EuroSAT_RGB.zip: 0.000 GB, md5" in lines
    assert "left out: README.md; name them with --files" in lines
    assert lines[-2:] == [str(tmp_path / "out" / name) for name in (
        "EuroSAT_RGB.zip", "EuroSAT_MS.zip")]  # fmt: skip
    asked = len(zenodo.asked("content"))
    assert fetch()[0] == 0 and len(zenodo.asked("content")) == asked


def test_files_are_chosen_by_name(fetch, tmp_path):
    assert fetch("--files", "EuroSAT_RGB.zip")[0] == 0
    assert names(tmp_path) == ["EuroSAT_RGB.zip"]
    code, _, errors = fetch("--files", "EuroSAT.zip")
    assert code == 2 and "has no file EuroSAT.zip; it has EuroSAT_RGB.zip" in errors[-1]


def test_a_wrong_checksum_is_refused_and_removed(zenodo, fetch, tmp_path):
    zenodo.fail("other", "MS.zip")
    code, _, errors = fetch()
    assert code == 2 and len(errors) == 1
    assert "the md5 of what came is" in errors[-1]
    assert names(tmp_path) == ["EuroSAT_RGB.zip"]


def test_an_interrupted_download_goes_on(zenodo, fetch, tmp_path):
    zenodo.fail("cut", "RGB.zip", times=1)
    zenodo.fail("status", "RGB.zip", value=503, after=1)
    code, _, errors = fetch()
    assert code == 2 and "HTTP status 503" in errors[-1]
    assert names(tmp_path) == [".EuroSAT_RGB.zip.part", ".EuroSAT_RGB.zip.part.json"]
    zenodo.faults.clear()
    assert fetch()[0] == 0
    first = next(r for _, path, r in reversed(zenodo.requests) if "RGB" in path)
    assert int(first.removeprefix("bytes=").rstrip("-")) > 100_000
    assert (tmp_path / "out" / "EuroSAT_RGB.zip").read_bytes() == RGB


@pytest.mark.parametrize("record", [[], {"files": []}, {"files": [{"key": "a"}]}, {"message": "x"}])
def test_what_is_no_record(zenodo, fetch, record):
    zenodo.record = record
    code, _, errors = fetch()
    assert code == 2 and "is no record of Zenodo with files" in errors[-1]


def test_names_of_a_record_stay_in_the_folder(zenodo, fetch, tmp_path):
    for entry in zenodo.record["files"]:
        entry["key"] = f"../../{entry['key']}"
    assert fetch()[0] == 0
    assert names(tmp_path) == ["EuroSAT_MS.zip", "EuroSAT_RGB.zip"]
    zenodo.record["files"][0]["links"]["self"] = "file:///etc/passwd"
    code, _, errors = fetch()
    assert code == 2 and "is no record of Zenodo" in errors[-1]


def test_room_is_asked_for_all_files_at_once(zenodo, fetch, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _path: usage(0, 0, len(RGB) + 10))
    code, _, errors = fetch()
    assert code == 2 and "2 files need 0.00 GB" in errors[-1] and "--files" in errors[-1]
    assert not zenodo.asked("content")


def test_bigearthnet_leaves_out_radar(zenodo, fetch, tmp_path):
    held = {"BigEarthNet-S1.tar.zst": b"radar", "BigEarthNet-S2.tar.zst": b"images",
            "Reference_Maps.tar.zst": b"maps", "metadata.parquet": b"table"}  # fmt: skip
    entries = []
    for name, content in held.items():
        zenodo.files[f"/{name}"] = content
        entries.append({"key": name, "size": len(content), "checksum": md5(content),
                        "links": {"content": f"{zenodo.url}/{name}"}})  # fmt: skip
    zenodo.routes["/api/records/10891137"] = lambda _path, _body: {"files": entries}
    code, lines, _ = fetch(what="bigearthnet")
    assert code == 0
    assert names(tmp_path) == sorted(set(held) - {"BigEarthNet-S1.tar.zst"})
    assert "left out: BigEarthNet-S1.tar.zst; name them with --files" in lines


def test_options_of_other_data_are_refused(fetch, tmp_path):
    code, _, errors = fetch("--dates", "2022-06-01", "--cloud", "20")
    assert code == 2 and "--cloud, --dates: not for eurosat; leave it out" in errors[-1]
