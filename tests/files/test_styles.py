"""QGIS styles: what QGIS's reader looks for, read back with an XML parser."""

from xml.etree import ElementTree as Xml

import pytest

from landcover.errors import LandcoverError
from landcover.files.styles import qml, read_qml, write_qml
from landcover.legend import LandClass, Legend


def entries(text):
    renderer = Xml.fromstring(text).find("pipe/rasterrenderer")
    assert renderer.get("type") == "paletted"
    assert renderer.get("band") == "1"
    return renderer.findall("colorPalette/paletteEntry")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_class_has_its_code_colour_and_name(level):
    legend = Legend.corine(level)
    found = entries(qml(legend))
    assert [int(entry.get("value")) for entry in found] == list(legend.codes)
    assert [entry.get("color") for entry in found] == [c.hex_colour for c in legend.classes]
    assert all(
        entry.get("label") == f"{c.code} {c.name}"
        for entry, c in zip(found, legend.classes, strict=True)
    )


def test_the_official_colour_of_arable_land():
    # EEA legend: 211 non-irrigated arable land is 255-255-168
    (entry,) = entries(qml(Legend.corine(3).subset([211])))
    assert entry.get("color") == "#ffffa8"
    assert entry.get("alpha") == "255"


def test_names_that_xml_reserves_survive():
    legend = Legend((LandClass(7, 'Sand & "rock" <1 %', (1, 2, 3)),))
    (entry,) = entries(qml(legend))
    assert entry.get("label") == '7 Sand & "rock" <1 %'


def test_the_style_lies_beside_the_raster_under_its_name(tmp_path):
    path = write_qml(tmp_path / "maps" / "cnn-7x7.tif", Legend.corine(1))
    assert path == tmp_path / "maps" / "cnn-7x7.qml"
    assert len(entries(path.read_text("utf-8"))) == 5
    assert [p.name for p in path.parent.iterdir()] == ["cnn-7x7.qml"]


def test_a_style_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "cnn.qml").mkdir()
    with pytest.raises(LandcoverError, match=r"cannot write .*cnn\.qml.*permissions"):
        write_qml(tmp_path / "cnn.tif", Legend.corine(1))
    assert [p.name for p in tmp_path.iterdir()] == ["cnn.qml"]


@pytest.mark.parametrize(
    "legend",
    [Legend.corine(3), Legend((LandClass(7, '7 & "rock" <1 %', (1, 2, 3)),))],
    ids=["corine", "reserved"],
)
def test_a_style_gives_back_its_legend(tmp_path, legend):
    write_qml(tmp_path / "map.tif", legend)
    assert read_qml(tmp_path / "map.tif") == legend


@pytest.mark.parametrize(
    "content",
    [None, "", "<qgis/>", '<qgis><paletteEntry value="x" label="x" color="#ffffff"/></qgis>'],
    ids=["missing", "empty", "no classes", "no code"],
)
def test_a_style_without_a_legend_is_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "map.qml").write_text(content)
    with pytest.raises(LandcoverError, match=r"map\.qml .*make the raster again"):
        read_qml(tmp_path / "map.tif")
