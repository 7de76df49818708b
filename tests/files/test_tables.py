"""Tables, arrays, texts and archives: read as written, or refused in one line."""

import zipfile

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

from landcover.errors import LandcoverError
from landcover.files import archives, arrays, tables, texts
from landcover.files.atomic import folder_when_whole, staging_folder, write_together


def test_a_table_is_read_as_written_and_by_columns(tmp_path):
    path = tables.write(tmp_path / "a.parquet", {"b": np.arange(3), "a": np.ones(3, np.float32)})
    pd.testing.assert_frame_equal(
        tables.read(path, "make it again"),
        pd.DataFrame({"b": np.arange(3), "a": np.ones(3, np.float32)}),
    )
    assert list(tables.read(path, "make it again", ["a"]).columns) == ["a"]
    assert tables.read_columns(path, "make it again") == {"b": [0, 1, 2], "a": [1.0, 1.0, 1.0]}


def test_points_are_read_only_where_they_are_wanted(tmp_path):
    points = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.Point(3, 4)], crs="EPSG:32633")
    path = tables.write(tmp_path / "a.parquet", points)
    assert list(tables.read(path, "make it again").columns) == ["n"]
    found = tables.read(path, "make it again", geometry=True)
    assert found.crs == points.crs
    assert found.geometry.iloc[0] == shapely.Point(3, 4)


@pytest.mark.parametrize("geometry", [False, True])
def test_a_damaged_table_names_the_remedy(tmp_path, geometry):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(LandcoverError, match=r"a\.parquet is not readable .*; make it again$"):
        tables.read(path, "make it again", geometry=geometry)
    with pytest.raises(LandcoverError, match=r"a\.parquet is no readable table .*; make it again$"):
        tables.read_columns(path, "make it again")


def test_a_table_without_a_column_says_which(tmp_path):
    path = tables.write(tmp_path / "a.parquet", {"a": [1]})
    with pytest.raises(LandcoverError, match="it has no column b"):
        tables.read(path, "make it again", ["a", "b"])


def test_an_array_comes_in_parts(tmp_path):
    whole = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    arrays.write_parts(tmp_path / "a.npy", whole.shape, "<f4", [whole[:1], whole[1:]])
    assert np.array_equal(np.load(tmp_path / "a.npy"), whole)
    found = arrays.open_array(tmp_path / "a.npy")
    assert isinstance(found, np.memmap)
    assert np.array_equal(found, whole)


def test_a_table_of_text_skips_empty_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('a,"b, c"\r\n\r\nd\n', "utf-8")
    assert texts.read_csv(path, "list", "fetch it") == [["a", "b, c"], ["d"]]


@pytest.mark.parametrize("read", [texts.read_text, texts.read_csv])
def test_what_is_no_text_is_refused(tmp_path, read):
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00")
    for name in ("a", "missing"):
        with pytest.raises(LandcoverError, match=rf"{name} is no list \(.*\); fetch it$"):
            read(tmp_path / name, "list", "fetch it")


def test_what_is_no_xml_is_refused():
    with pytest.raises(LandcoverError, match=r"a is not readable XML \(.*\); fetch it$"):
        texts.parse_xml(b"<a>", "a", "fetch it")


def test_a_folder_and_its_archive_give_the_same(tmp_path):
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "in" / "b" / "c.txt").write_bytes(b"12345")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "in" / "b" / "c.txt", "b/c.txt")
    for source in ("in", "in.zip"):
        names, fetch = archives.open_members(tmp_path / source, 3, "fetch it")
        assert "b/c.txt" in names
        assert fetch("b/c.txt") == b"1234"  # one byte more than allowed shows that it is too large


def test_what_belongs_together_is_written_together(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(LandcoverError, match=r"cannot write .*a\.json"):
        write_together({tmp_path / "a.md": "text"}, tmp_path / "a.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with pytest.raises(KeyError), folder_when_whole(tmp_path / "a") as part:
        (part / "file").touch()
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with folder_when_whole(tmp_path / "a") as part:
        (part / "file").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_is_left_in_staging_goes(tmp_path):
    (tmp_path / ".staging").mkdir()
    with staging_folder(tmp_path) as stage:
        assert not stage.exists()
        stage.mkdir()
        (stage / "file").touch()
    assert list(tmp_path.iterdir()) == []
