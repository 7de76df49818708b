"""What QGIS shows of every raster of a run that is opened there by its name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
import rasterio
from PIL import Image

from landcover.files import rasters
from landcover.files.legends import legend_of
from landcover.files.styles import GAMMA
from tests.fixtures.qgis_runs import AFTER, DAYS, MODELS, RUN
from tests.qgis.conftest import InQgis

#: What QGIS takes for a raster by itself: a fact of the products below that it must not be.
_CLASSES, _IMAGE, _SCALE = "paletted", "multibandcolor", "singlebandpseudocolor"
_FIRST = f"{RUN}/maps/{MODELS[0]}"
_CHANGE = f"{AFTER}/change"
#: Renderer and bands of every kind of product.
PRODUCTS = {
    f"{RUN}/scene.tif": (_IMAGE, [3, 2, 1]),
    f"{RUN}/dates.vrt": (_IMAGE, [3, 2, 1]),
    f"{RUN}/dates/{DAYS[1]}.tif": (_IMAGE, [3, 2, 1]),
    f"{RUN}/observations.tif": (_SCALE, [1]),
    f"{RUN}/labels.tif": (_CLASSES, [1]),
    f"{RUN}/reference.tif": (_CLASSES, [1]),
    f"{RUN}/refined_labels.tif": (_CLASSES, [1]),
    f"{RUN}/label_confidence.tif": (_SCALE, [1]),
    f"{RUN}/segments.tif": (_SCALE, [1]),
    f"{RUN}/segment_types.tif": (_CLASSES, [1]),
    f"{_FIRST}.tif": (_CLASSES, [1]),
    f"{_FIRST}+mmu50px.tif": (_CLASSES, [1]),
    f"{RUN}/maps/ensemble.tif": (_CLASSES, [1]),
    f"{_FIRST}_confidence.tif": (_SCALE, [1]),
    f"{_FIRST}_entropy.tif": (_SCALE, [1]),
    f"{_FIRST}_probabilities.tif": (_SCALE, [1]),
    f"{_FIRST}_applicability.tif": (_SCALE, [1]),
    f"{_CHANGE}/change.tif": (_CLASSES, [1]),
    f"{_CHANGE}/change_probability.tif": (_SCALE, [1]),
}
_ENDS = ("minValue", "maxValue")
CLASS_RASTERS = [name for name, (kind, _) in PRODUCTS.items() if kind == _CLASSES]
IMAGES = [name for name, (kind, _) in PRODUCTS.items() if kind == _IMAGE]


@pytest.fixture(scope="module")
def shown(
    in_qgis: InQgis, qgis_runs: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What QGIS says of every raster of the runs, by its path in their folder."""
    paths = [
        path
        for end in ("tif", "vrt")
        for run in (RUN, AFTER)
        for path in sorted((qgis_runs / run).rglob(f"*.{end}"))
    ]
    found = in_qgis("look.py", tmp_path_factory.mktemp("drawn"), *paths)
    return {Path(path).relative_to(qgis_runs).as_posix(): held for path, held in found.items()}


def drawn(held: dict[str, Any]) -> np.ndarray:
    """The picture that QGIS drew, a pixel a pixel of the raster (rows, cols, 3)."""
    return np.asarray(Image.open(held["png"]).convert("RGB")).astype(int)


def test_every_raster_of_a_run_has_its_style(shown, qgis_runs):
    assert set(PRODUCTS) <= set(shown)
    for name, held in shown.items():
        assert held["valid"] and not held["errors"], name
        assert (qgis_runs / name).with_suffix(".qml").exists(), name


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_shown_by_what_it_means(shown, name):
    renderer, bands = PRODUCTS[name]
    assert (shown[name]["renderer"], shown[name]["bands"]) == (renderer, bands)
    # a palette of 65,536 colours would be as many entries
    assert len(shown[name]["legend"]) <= 70


@pytest.mark.parametrize("name", CLASS_RASTERS)
def test_classes_are_drawn_in_the_colours_of_the_legend(shown, qgis_runs, name):
    held, codes = shown[name], rasters.read(qgis_runs / name)[0]
    labels = dict(held["legend"])
    legend = legend_of(qgis_runs / name)
    if name == f"{RUN}/segment_types.tif":
        assert legend is None and next(iter(labels)) == "Type 1, the darkest"
        colours = dict(enumerate(labels.values(), start=1))
    else:
        code = "" if "change" in name else "{0.code} "
        expected = {f"{code}{{0.name}}".format(c): c.hex_colour for c in legend.classes}
        assert labels == expected
        colours = {c.code: c.hex_colour for c in legend.classes}
    assert set(np.unique(codes)) - {0} <= set(colours)
    picture = drawn(held)
    for value in np.unique(codes):
        colour = colours.get(int(value), "#ffffff")  # nodata is the white paper
        there = picture[codes == value]
        assert (there == list(bytes.fromhex(colour[1:]))).all(axis=1).mean() > 0.99, (name, value)


def test_a_change_is_not_read_as_a_class(shown):
    labels = [label for label, _ in shown[f"{_CHANGE}/change.tif"]["legend"]]
    assert "211 → 112 Discontinuous urban fabric" in labels
    assert "211 Non-irrigated arable land, unchanged" in labels


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_in_true_colour(shown, qgis_runs, name):
    path = qgis_runs / name
    with rasterio.open(path) as dataset:
        names = [text.rpartition(":")[2] for text in dataset.descriptions]
        values = dataset.read([names.index(band) + 1 for band in ("B04", "B03", "B02")])
    valid = np.isfinite(values).all(axis=0)
    style = Xml.parse(path.with_suffix(".qml")).getroot()
    low, high = (
        float(style.findtext(f".//redContrastEnhancement/{end}"))
        for end in ("minValue", "maxValue")
    )
    share = np.clip((np.moveaxis(values, 0, -1) - low) / (high - low), 0, 1) ** (1 / GAMMA)
    picture = drawn(shown[name])
    # QGIS rounds to whole levels before and after it brightens, which shows most where it is dark
    off = np.abs(picture[valid] - 255 * share[valid])
    assert off.mean() < 3 and np.percentile(off, 99) < 12
    assert (picture[~valid] == 255).all()


def test_what_says_how_sure_a_map_is_has_one_scale_for_all_models(shown):
    for layer in ("confidence", "entropy"):
        legends = [held["legend"] for name, held in shown.items() if name.endswith(f"_{layer}.tif")]
        assert len(legends) > 1 and all(legend == legends[0] for legend in legends)
        assert [legends[0][n][0] for n in (0, -1)] == ["0 %", "100 %"]
    ends = {
        name: [shown[name]["classificationMin"], shown[name]["classificationMax"]]
        for name in (f"{RUN}/label_confidence.tif", f"{_FIRST}_probabilities.tif")
    }
    assert list(ends.values()) == [[0, 100], [0, 1]]


@pytest.mark.parametrize(
    ("name", "certain"),
    [(f"{_FIRST}_confidence.tif", 100), (f"{_FIRST}_entropy.tif", 0),
     (f"{RUN}/label_confidence.tif", 100)],
)  # fmt: skip
def test_dark_is_undecided_in_all_of_these(shown, qgis_runs, name, certain):
    with rasterio.open(qgis_runs / name) as dataset:
        values = dataset.read(1).astype(int)
    picture, valid = drawn(shown[name]), values != 255
    light = picture[valid] @ [0.299, 0.587, 0.114]
    assert np.corrcoef(light, -np.abs(certain - values[valid]))[0, 1] > 0.9
    assert (picture[~valid] == 255).all()


def test_segments_are_told_apart_by_their_colours(shown, qgis_runs):
    segments = rasters.read(qgis_runs / RUN / "segments.tif")[0]
    picture = drawn(shown[f"{RUN}/segments.tif"])
    colour = {int(n): np.median(picture[segments == n], axis=0) for n in np.unique(segments)}
    pairs = {
        tuple(sorted(pair))
        for one, other in ((segments[1:], segments[:-1]), (segments[:, 1:], segments[:, :-1]))
        for pair in zip(one[one != other].tolist(), other[one != other].tolist(), strict=True)
    }
    apart = [np.abs(colour[a] - colour[b]).sum() for a, b in pairs]
    assert len(pairs) > 50 and np.mean(np.array(apart) > 40) > 0.95


def test_nothing_beside_maps_opens_as_an_outline_over_them(in_qgis, qgis_run):
    maps = qgis_run / "maps"
    assert (maps / "stac" / f"{MODELS[0]}.json").exists()
    found = in_qgis("layers_in.py", maps, maps / "stac")
    beside = found[str(maps)]
    assert beside[f"{MODELS[0]}.tif"] == "raster" and "vector" not in beside.values()
    # so it would be, had the items stayed there
    assert set(found[str(maps / "stac")].values()) == {"vector"}
