"""QGIS styles: what QGIS's reader looks for, read back with an XML parser.

What QGIS draws by them is asked of QGIS itself, in tests/qgis.
"""

from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from landcover.errors import InputError, LandcoverError
from landcover.files import raster_writer, styles
from landcover.files.styles import Classes, Numbers, qml, write_qml
from landcover.legend import LandClass, Legend


def renderer(text):
    return Xml.fromstring(text).find("pipe/rasterrenderer")


def entries(text):
    found = renderer(text)
    assert found.get("type") == "paletted"
    assert found.get("band") == "1"
    return found.findall("colorPalette/paletteEntry")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_class_has_its_code_colour_and_name(level):
    legend = Legend.corine(level)
    found = entries(qml(Classes(legend)))
    assert [int(entry.get("value")) for entry in found] == list(legend.codes)
    assert [entry.get("color") for entry in found] == [c.hex_colour for c in legend.classes]
    assert all(
        entry.get("label") == f"{c.code} {c.name}"
        for entry, c in zip(found, legend.classes, strict=True)
    )


def test_the_official_colour_of_arable_land():
    # EEA legend: 211 non-irrigated arable land is 255-255-168
    (entry,) = entries(qml(Classes(Legend.corine(3).subset([211]))))
    assert entry.get("color") == "#ffffa8"
    assert entry.get("alpha") == "255"


def test_names_that_xml_reserves_survive():
    legend = Legend((LandClass(7, 'Sand & "rock" <1 %', (1, 2, 3)),))
    (entry,) = entries(qml(Classes(legend)))
    assert entry.get("label") == '7 Sand & "rock" <1 %'
    (entry,) = entries(qml(Classes(legend, with_codes=False)))
    assert entry.get("label") == 'Sand & "rock" <1 %'


def test_the_style_lies_beside_the_raster_under_its_name(tmp_path):
    path = write_qml(tmp_path / "maps" / "cnn-7x7.tif", Classes(Legend.corine(1)))
    assert path == tmp_path / "maps" / "cnn-7x7.qml"
    assert len(entries(path.read_text("utf-8"))) == 5
    assert [p.name for p in path.parent.iterdir()] == ["cnn-7x7.qml"]


def test_a_style_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "cnn.qml").mkdir()
    with pytest.raises(LandcoverError, match=r"cannot write .*cnn\.qml.*permissions"):
        write_qml(tmp_path / "cnn.tif", Classes(Legend.corine(1)))
    assert [p.name for p in tmp_path.iterdir()] == ["cnn.qml"]


def test_a_style_reads_back_as_a_table(tmp_path):
    legend = Legend.corine(3)
    path = write_qml(tmp_path / "map.tif", Classes(legend))
    assert Legend.from_dicts(styles.palette(path)) == legend


def test_a_scene_is_red_green_and_blue_with_one_stretch(tmp_path, grid, rng):
    names = ["B02", "B03", "B04", "B08"]
    pixels = rng.uniform(0, 0.3, (4, *grid.shape)).astype(np.float32)
    pixels[:, :9] = np.nan
    style = styles.scene_style(names)
    with pytest.raises(InputError, match="no stretch yet"):
        qml(style)
    path = raster_writer.write(tmp_path / "s.tif", pixels, grid, names, np.nan, style=style)
    found = renderer(path.with_suffix(".qml").read_text("utf-8"))
    assert found.get("type") == "multibandcolor"
    assert [found.get(f"{name}Band") for name in ("red", "green", "blue")] == ["3", "2", "1"]
    limits = [
        [float(found.find(f"{name}ContrastEnhancement/{end}").text) for end in ENDS]
        for name in ("red", "green", "blue")
    ]
    expected = np.nanpercentile(pixels[:3], (1, 99))
    assert limits == [pytest.approx(expected, rel=1e-4)] * 3


ENDS = ("minValue", "maxValue")


def test_a_scene_without_data_has_a_style_too(tmp_path, grid):
    names, pixels = ["VV", "VH"], np.full((2, *grid.shape), np.nan, np.float32)
    style = styles.scene_style(names)
    path = raster_writer.write(tmp_path / "s.tif", pixels, grid, names, np.nan, style=style)
    found = renderer(path.with_suffix(".qml").read_text("utf-8"))
    assert found.get("type") == "singlebandgray"
    assert [found.find(f"contrastEnhancement/{end}").text for end in ENDS] == ["0", "1"]


@pytest.mark.parametrize("style", [styles.CONFIDENCE, styles.ENTROPY, styles.CHANGE])
def test_percent_has_one_scale_whatever_the_pixels(style):
    found = renderer(qml(style))
    ends = [float(found.get(f"classification{end}")) for end in ("Min", "Max")]
    values = [float(item.get("value")) for item in found.iter("item")]
    assert ends == [0, 100] and values == [0, 25, 50, 75, 100]


def test_numbers_that_follow_each_other_have_colours_of_their_own():
    found = [item.attrib for item in renderer(qml(Numbers(300))).iter("item")]
    assert [int(item["value"]) for item in found] == list(range(1, 301))
    rgb = np.array([list(bytes.fromhex(item["color"][1:])) for item in found], int)
    for step in (1, 2, 3):
        assert np.abs(rgb[step:] - rgb[:-step]).sum(axis=1).min() > 60
    # and the style of very many stays small
    assert len(qml(Numbers(3_000_000))) < 600_000


@pytest.mark.parametrize("highest", [0, 1])
def test_one_area_or_none_has_a_style(highest):
    values = [float(item.get("value")) for item in renderer(qml(Numbers(highest))).iter("item")]
    assert values == [1, 2]
