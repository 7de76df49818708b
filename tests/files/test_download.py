"""Whole files from a server that fails: what arrives is what was there, or nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import InputError, LandcoverError, MissingDependency
from landcover.files import download as downloads
from landcover.files import http
from landcover.files.checksums import Checksum, sha256_multihash
from landcover.files.download import Wanted, download
from landcover.files.http import Web, WebError
from tests.conftest import ROOT
from tests.fixtures.web_server import serving_files, wait_for

pytest.importorskip("requests", reason="requests is not installed; pip install 'landcover[fetch]'")

CONTENT = np.random.default_rng(0).bytes(3_300_000)
MD5 = Checksum("md5", hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(http, "WAIT_S", 0.01)
    with serving_files() as held:
        held.files["/a.zip"] = CONTENT
        yield held


@pytest.fixture
def get(server, tmp_path):
    def fetched(path="/a.zip", name="a.zip", **wanted):
        with Web() as web:
            return download(web, Wanted(server.url + path, **wanted), tmp_path / name)

    return fetched


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole(get, server, tmp_path):
    assert get(size=len(CONTENT), checksum=MD5).read_bytes() == CONTENT
    assert left(tmp_path) == ["a.zip"]
    get(size=len(CONTENT), checksum=MD5)  # it is there
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_passing_errors_are_asked_again(get, server, status):
    server.fail("status", times=3, value=status)
    assert get().read_bytes() == CONTENT
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "said"), [(404, "not there"), (403, "signature"), (410, "any more")]
)
def test_a_refusal_is_one_line_at_once(get, server, tmp_path, status, said):
    server.fail("status", value=status)
    with pytest.raises(
        WebError, match=f"{server.url}/a.zip: HTTP status {status}.*{said}"
    ) as caught:
        get()
    assert caught.value.status == status
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1
    assert left(tmp_path) == []


def test_errors_that_stay_end_it(get, server):
    server.fail("status", value=500)
    with pytest.raises(WebError, match="HTTP status 500"):
        get()
    assert len(server.requests) == http.TRIES


def test_a_cut_answer_goes_on_where_it_ended(get, server, tmp_path):
    server.fail("cut", times=2)
    assert get(checksum=MD5).read_bytes() == CONTENT
    first, second, third = (asked for _, _, asked in server.requests)
    half = len(CONTENT) // 2
    assert first is None
    begun = [int(asked[6:-1]) for asked in (second, third)]
    assert half - downloads.CHUNK < begun[0] <= half
    rest = begun[0] + (len(CONTENT) - begun[0]) // 2
    assert rest - downloads.CHUNK < begun[1] <= rest
    assert left(tmp_path) == ["a.zip"]


def test_answers_cut_without_end_are_told_and_kept(get, server, tmp_path, monkeypatch):
    fault = server.fail("status", value=503, after=1)
    server.fail("cut", times=1)
    with pytest.raises(WebError):
        get()
    assert left(tmp_path) == [".a.zip.part", ".a.zip.part.json"]
    fault.times = 0
    assert get().read_bytes() == CONTENT
    assert server.requests[-1][2] is not None


def test_a_slow_answer_is_left_and_asked_again(get, server, monkeypatch):
    monkeypatch.setattr(http, "ANSWER_S", 0.3)
    server.fail("stall", times=1)
    assert get(checksum=MD5).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_begun_again(get, server):
    server.fail("status", value=503, after=1, times=http.TRIES)
    server.fail("cut", times=1)
    with pytest.raises(WebError):
        get()
    server.files["/a.zip"] = CONTENT[::-1]
    assert get().read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("fault", ["shifted", "no_versions"])
def test_a_part_that_was_not_asked_for_is_not_put_behind_the_rest(get, server, fault):
    server.fail("status", value=503, after=1, times=http.TRIES)
    server.fail("cut", times=1)
    with pytest.raises(WebError):
        get()
    server.files["/a.zip"] = CONTENT[::-1] if fault == "no_versions" else CONTENT
    server.fail(fault, times=1)
    assert get().read_bytes() == server.files["/a.zip"]


def test_without_versions_the_checksum_allows_to_go_on(get, server):
    server.etag = False
    server.fail("cut", times=1)
    assert get(checksum=MD5).read_bytes() == CONTENT
    assert server.requests[-1][2] is not None


def test_without_versions_and_checksum_it_is_begun_again(get, server):
    server.etag = False
    server.fail("cut", times=1)
    assert get().read_bytes() == CONTENT
    assert [asked for _, _, asked in server.requests] == [None, None]


def test_a_server_without_ranges_begins_again(get, server):
    server.fail("no_ranges")
    server.fail("cut", times=1)
    assert get(checksum=MD5).read_bytes() == CONTENT


def test_packed_answers_are_unpacked(get, server):
    server.fail("gzip")
    assert get(size=len(CONTENT), checksum=MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["longer", "other"])
def test_what_is_not_as_said_is_refused_and_removed(get, server, tmp_path, kind):
    server.fail(kind)
    with pytest.raises(InputError, match=r"bytes|md5 of what came is") as caught:
        get(size=len(CONTENT), checksum=MD5)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_another_size_is_refused_before_it_comes(get, server, tmp_path):
    with pytest.raises(InputError, match=r"of 3,300,000 bytes, and it should be of 7"):
        get(size=7)
    assert left(tmp_path) == []


def test_a_wrong_file_that_is_there_is_fetched_again(get, tmp_path):
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1])
    assert get(size=len(CONTENT)).read_bytes() == CONTENT


def test_a_redirect_is_followed_to_http_alone(get, server, tmp_path):
    server.files["/b.zip"] = CONTENT
    fault = server.fail("redirect", "/a.zip", value="/b.zip")
    assert get().read_bytes() == CONTENT
    (tmp_path / "secret").write_bytes(b"secret")
    fault.value = (tmp_path / "secret").as_uri()
    with pytest.raises(InputError, match="none of http and https"):
        get(name="other.zip")
    assert left(tmp_path) == ["a.zip", "secret"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "/etc/passwd", "ftp://a/b", "http://", "//a/b"]
)
def test_addresses_of_other_kinds_are_refused(tmp_path, url):
    with Web() as web, pytest.raises(InputError, match="only http and https are fetched"):
        download(web, Wanted(url), tmp_path / "a")
    assert left(tmp_path) == []


def test_a_signature_is_renewed_when_it_is_refused(server, tmp_path):
    server.files["/signed/a.zip"], server.tokens = CONTENT, {"new"}
    signed = []

    def sign(url, renew):
        signed.append(renew)
        return f"{url}?{'new' if True in signed else 'old'}"

    with Web() as web:
        wanted = Wanted(f"{server.url}/signed/a.zip", sign=sign)
        assert download(web, wanted, tmp_path / "a.zip").read_bytes() == CONTENT
        assert signed == [False, True]
        server.tokens = {"newest"}
        with pytest.raises(WebError, match="status 403") as caught:
            download(web, wanted, tmp_path / "b.zip")
    assert "?" not in str(caught.value)


def test_a_full_disk_is_told_before_it_is_full(get, server, tmp_path, monkeypatch):
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _path: usage(10, 9, 1000))
    with pytest.raises(LandcoverError, match=r"needs 0.00 GB more and .* free; make room"):
        get()
    monkeypatch.undo()


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(http, "WAIT_S", 0.01)
    with serving_files() as held:
        url = held.url
    with Web() as web, pytest.raises(WebError, match="no whole answer") as caught:
        download(web, Wanted(f"{url}/a?sig=secret"), tmp_path / "a")
    assert "secret" not in str(caught.value)


def test_a_killed_process_goes_on_with_the_same_bytes(server, tmp_path):
    server.fail("stall", times=1)
    code = (
        "import sys; from pathlib import Path; from landcover.files.http import Web;"
        "from landcover.files.download import Wanted, download;"
        "download(Web(), Wanted(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, f"{server.url}/a.zip", str(tmp_path / "a.zip")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment)
    part = tmp_path / ".a.zip.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 1_000_000)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert left(tmp_path) == [".a.zip.part", ".a.zip.part.json"]
    subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.requests[-1][2] is not None
    assert left(tmp_path) == ["a.zip"]


def test_without_requests_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(MissingDependency, match=r"pip install 'landcover\[fetch\]'"):
        Web()


def test_json_that_is_none_or_too_large(server):
    server.files["/x.json"] = b"<html>"
    server.routes["/y.json"] = lambda _path, _body: {"a": "x" * 1000}
    with Web() as web:
        with pytest.raises(WebError, match="no JSON"):
            web.json(f"{server.url}/x.json")
        with pytest.raises(WebError, match="larger than 100 bytes"):
            web.json(f"{server.url}/y.json", most_bytes=100)
        server.fail("cut", "/x.json", times=1)
        server.files["/x.json"] = b'{"a": 1}'
        assert web.json(f"{server.url}/x.json") == {"a": 1}


# Checksums


@pytest.mark.parametrize("function", ["md5", "sha1", "sha256", "sha512", "sha3_256", "sha3_512"])
@given(content=st.binary(max_size=40))
def test_multihashes_are_read(function, content):
    digest = hashlib.new(function, content)
    # the codes of the multicodec table; md5's is two bytes of 7 bits
    code = {"md5": "d501", "sha1": "11", "sha256": "12", "sha512": "13", "sha3_512": "14",
            "sha3_256": "16"}[function]  # fmt: skip
    text = f"{code}{digest.digest_size:02x}{digest.hexdigest()}"
    assert Checksum.of_multihash(text) == Checksum(function, digest.hexdigest())
    assert Checksum.of_text(f"{function}:{digest.hexdigest()}") is not None


@pytest.mark.parametrize(
    "text", ["", "zz", "12", "1220ab", "99200000", "ff" * 20, "1221" + "00" * 33]
)
def test_what_is_no_multihash_is_none(text):
    assert Checksum.of_multihash(text) is None


def test_a_files_own_multihash(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    found = Checksum.of_multihash(sha256_multihash(path))
    assert found == Checksum("sha256", hashlib.sha256(b"abc").hexdigest())
