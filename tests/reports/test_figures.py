"""Pictures say what the arrays say."""

import base64
import io
import warnings
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from rasterio.crs import CRS

from landcover.files import pictures, rasters
from landcover.files.raster_writer import RasterWriter
from landcover.grid import Grid, Window
from landcover.legend import Legend
from landcover.reports import figures, segment_figures

BANDS = ("B02", "B03", "B04", "B08")


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_true_colour_shows_red_green_blue_whatever_the_band_order():
    image = np.random.default_rng(0).uniform(0.02, 0.3, (4, 20, 30)).astype(np.float32)
    image[2, 5, 5] = 0.9  # bright in red alone
    picture = figures.true_colour(image, BANDS)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    assert picture[5, 5, 0] == 255
    turned = figures.true_colour(image[::-1], BANDS[::-1])
    assert np.array_equal(picture, turned)


def test_true_colour_shows_nodata_grey_and_does_not_let_it_set_the_stretch():
    image = np.random.default_rng(0).uniform(0.02, 0.3, (4, 20, 30)).astype(np.float32)
    whole = figures.true_colour(image, BANDS)
    wide = np.concatenate([image, np.full((4, 20, 10), np.nan, np.float32)], axis=2)
    picture = figures.true_colour(wide, BANDS)
    assert np.array_equal(picture[:, :30], whole)
    assert (picture[:, 30:] == pictures.NODATA_GREY).all()
    assert (figures.true_colour(np.full((4, 3, 3), np.nan), BANDS) == pictures.NODATA_GREY).all()


def test_class_pictures_wear_the_official_colours():
    legend = Legend.corine().subset([111, 211, 512])
    codes = np.array([[111, 211, 512, 0]], np.uint16)
    # EEA legend: continuous urban fabric, non-irrigated arable land, water bodies
    expected = [[[230, 0, 77], [255, 255, 168], [128, 242, 230], [pictures.NODATA_GREY] * 3]]
    assert figures.class_picture(codes, legend).tolist() == expected
    assert opened(pictures.class_png(codes, legend)).tolist() == expected


@given(st.sampled_from([1, 2, 3]), st.integers(0, 2**32 - 1))
def test_the_small_png_shows_the_class_picture(level, seed):
    legend = Legend.corine(level)
    codes = np.random.default_rng(seed).choice([0, *legend.codes], (9, 13)).astype(np.uint16)
    assert np.array_equal(
        opened(pictures.class_png(codes, legend)), figures.class_picture(codes, legend)
    )


def test_png_is_exact_and_jpeg_close():
    ramp = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    picture = np.stack([ramp, ramp // 2, 255 - ramp], axis=-1)
    assert np.array_equal(opened(figures.png(picture)), picture)
    assert np.abs(opened(figures.jpeg(picture)).astype(int) - picture).mean() < 3


@pytest.mark.parametrize(("encode", "kind"), [(figures.png, "png"), (figures.jpeg, "jpeg")])
def test_data_uri_holds_the_bytes(encode, kind):
    content = encode(np.zeros((4, 4, 3), np.uint8))
    head, body = pictures.data_uri(content).split(",")
    assert head == f"data:image/{kind};base64"
    assert base64.b64decode(body) == content


@given(hnp.arrays(bool, (7, 9)), st.integers(1, 7))
def test_busiest_square_has_as_many_marks_as_any(marked, size):
    row, col = figures.busiest_square(marked, size)
    counts = {
        (i, j): marked[i : i + size, j : j + size].sum()
        for i in range(8 - size)
        for j in range(10 - size)
    }
    assert counts[row, col] == max(counts.values())


HISTORY = {
    "loss": [1.2, 0.8, 0.5],
    "val_loss": [1.1, 0.7, 0.9],
    "accuracy": [0.5, 0.7, 0.8],
    "val_accuracy": [0.5, 0.72, 0.7],
}


def test_learning_curves_are_one_svg_element_with_text():
    svg = figures.learning_curves(HISTORY, "#0072b2")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = {"".join(e.itertext()).strip() for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"loss", "accuracy", "epoch", "training", "validation", "kept"} <= texts
    assert "#0072b2" in svg
    assert len(svg) < 60_000


def test_learning_curves_are_the_same_bytes_for_the_same_history():
    first, again = (figures.learning_curves(HISTORY, "#0072b2") for _ in range(2))
    assert first == again
    assert "dc:date" not in first
    worse = HISTORY | {"val_loss": [value + 1 for value in HISTORY["val_loss"]]}
    assert figures.learning_curves(worse, "#0072b2") != first


@pytest.mark.parametrize("history", [{"loss": [1.0]}, {k: v[:1] for k, v in HISTORY.items()}])
def test_learning_curves_of_one_epoch_or_without_validation(history):
    ElementTree.fromstring(figures.learning_curves(history, "#000000"))


BINS = [
    {"confidence": 0.3, "accuracy": 0.5, "n": 10},
    {"confidence": 0.6, "accuracy": 0.4, "n": 0},
    {"confidence": 0.9, "accuracy": 0.7, "n": 90},
]


def test_a_reliability_curve_shows_the_bins_that_hold_pixels():
    svg = figures.reliability_curve(BINS, "#0072b2", "share in agreement")
    assert svg == figures.reliability_curve(BINS, "#0072b2", "share in agreement")
    root = ElementTree.fromstring(svg)
    texts = {"".join(e.itertext()).strip() for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"confidence", "share in agreement", "0.0", "1.0"} <= texts
    whole = figures.reliability_curve([b for b in BINS if b["n"]], "#0072b2", "share in agreement")
    assert svg == whole
    assert len(svg) < 30_000


def test_learning_curves_are_called_what_they_measure():
    svg = figures.learning_curves(HISTORY, "#0072b2", "agreement")
    assert ">agreement<" in svg and ">accuracy<" not in svg


def test_chart_colours_differ_for_colour_blind_eyes():
    # Machado et al. 2009 (doi:10.1109/TVCG.2009.113), full deuteranopia and protanopia, linear RGB
    simulate = {
        "deuteranopia": [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        "protanopia": [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
    }
    from skimage.color import deltaE_ciede2000, rgb2lab

    rgb = np.array([list(bytes.fromhex(c[1:])) for c in figures.CHART_COLOURS[:5]]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for matrix in simulate.values():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1)
        seen = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
        lab = rgb2lab(seen)
        apart = deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(len(lab), 1)]
        assert apart.min() > 8


@given(st.integers(1, 40), st.integers(1, 3000), st.booleans(), st.sampled_from([np.int32, float]))
def test_a_folded_scene_holds_every_pixel_once_in_order(short, long, tall, dtype):
    short, long = sorted((short, long))
    scene = np.arange(1, short * long + 1).reshape(short, long).astype(dtype)
    pieces = figures.folds(short, long)
    assert pieces == figures.folds(long, short)
    folded = figures.fold(scene.T, pieces).T if tall else figures.fold(scene, pieces)
    empty = np.isnan(folded) if dtype is float else folded == 0
    assert np.array_equal(np.sort(folded[~empty]), np.sort(scene.ravel()))
    assert np.array_equal(folded[:short, : -(-long // pieces)], scene[:, : -(-long // pieces)])
    if max(short, long) <= figures.MOST_ELONGATED * min(short, long):
        assert pieces == 1
        assert figures.fold_note(short, long) is None
        assert folded.shape == scene.shape
    else:
        assert max(folded.shape) <= 4 * min(folded.shape)
        assert figures.fold_note(short, long).startswith(f"{short} x {long} px in {pieces} pieces")


def scene_file(folder, rows, cols):
    values = np.arange(rows * cols).reshape(rows, cols) % 7 + 1
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 3e5, 0, -10, 58e5), rows, cols)
    with RasterWriter(folder / "scene.tif", grid, np.uint16, ["class"], 0) as out:
        out.write(values.astype(np.uint16), Window(0, 0, rows, cols))
    return folder / "scene.tif", values


def test_a_long_scene_is_read_so_that_it_fills_a_picture(tmp_path):
    path, values = scene_file(tmp_path, 3, 9000)
    shown = figures.read_folded(path, 600)[0]
    length = -(-9000 // figures.folds(3, 9000))
    assert shown[:3].tolist() == values[:, :length].tolist()
    assert 100 < min(shown.shape) <= max(shown.shape) <= 600
    path, _ = scene_file(tmp_path, 2, 40_000)
    assert min(rasters.read_small(path, 100)[0].shape) == 1


@pytest.mark.parametrize("shape", [(600, 1), (1, 600), (5000, 8), (7, 7)])
def test_pictures_of_segments_are_bounded_whatever_the_shape(shape):
    rng = np.random.default_rng(0)
    image = rng.uniform(0.02, 0.3, (4, *shape)).astype(np.float32)
    segments = np.arange(shape[0] * shape[1]).reshape(shape) // 20 + 1
    types = {"percentile": rng.integers(1, 5, int(segments.max())).astype(np.uint8)}
    picture = segment_figures.borders_picture(image, BANDS, segments)
    assert max(picture.shape[:2]) <= 2000
    assert max(picture.shape[:2]) < 4 * min(picture.shape[:2])
    assert (picture == (255, 220, 0)).all(axis=-1).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = opened(segment_figures.types_figure(segments, types))
    assert max(figure.shape) < 3000
