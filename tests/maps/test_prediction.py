"""Wall-to-wall prediction: tiles, nodata, confidence, dense against patches, bad input."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
import rasterio

import landcover as lc
from landcover import maps as mapping
from landcover.classifiers import networks
from landcover.classifiers.calibration import UNTEMPERED, Temperature
from landcover.classifiers.one_image import OfOneImage
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.legends import legend_of
from landcover.legend import Legend
from tests.conftest import utm_grid
from tests.fixtures.map_models import (
    BANDS,
    LEGEND,
    cnn_classifier,
    forest_classifier,
    mlp_classifier,
    random_cnn,
    write_scene,
)
from tests.fixtures.map_runs import make_run

TILE_SIZES = (64, 100, 256, 10_000)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    return path, write_scene(path, 131, 174)


@pytest.fixture(scope="module")
def types(scene):
    path = scene[0].with_name("segment_types.tif")
    layers = np.random.default_rng(1).integers(1, 4, (2, 131, 174)).astype(np.uint8)
    raster_writer.write(path, layers, utm_grid(131, 174), ("hierarchy-4", "percentile"), nodata=0)
    return path


CLASSIFIERS = {
    "cnn-3x3": lambda: cnn_classifier(3),
    "cnn-7x7": lambda: cnn_classifier(7),
    "cnn-21x21": lambda: cnn_classifier(21),
    "forest": forest_classifier,
    "mlp-segments": mlp_classifier,
}


@pytest.fixture(scope="module", params=CLASSIFIERS)
def classifier(request):
    return CLASSIFIERS[request.param]()


@pytest.mark.parametrize("compute_px", [40, 256])
def test_a_map_does_not_depend_on_tile_size(
    classifier, scene, types, tmp_path, monkeypatch, compute_px
):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", compute_px)
    found = []
    for tile_px in TILE_SIZES:
        paths = mapping.predict_map(
            classifier,
            scene[0],
            tmp_path / f"{tile_px}.tif",
            tile_px=tile_px,
            confidence=tmp_path / f"{tile_px}_confidence.tif",
            probabilities=tmp_path / f"{tile_px}_probabilities.tif",
            segment_types=types,
        )
        found.append([rasters.read(path).tobytes() for path in paths])
    assert all(products == found[0] for products in found[1:])
    assert len(np.unique(rasters.read_classes(tmp_path / "64.tif"))) > 2, "a map of one class"


def test_ties_fall_the_same_way_whatever_the_tile_size(scene, tmp_path, monkeypatch):
    """Classes whose probabilities differ by rounding alone: the hardest case there is."""
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 40)
    model = random_cnn(7)
    weights = model.get_weights()
    weights[-2][:] = weights[-2][..., :1] * (1 + 1e-7 * np.arange(4))
    weights[-1][:] = weights[-1][0]
    model.set_weights(weights)
    classifier = cnn_classifier(7, model=model)
    maps = []
    for tile_px in TILE_SIZES:
        out = mapping.predict_map(classifier, scene[0], tmp_path / "m.tif", tile_px=tile_px)[0]
        maps.append(rasters.read_classes(out).tobytes())
    assert len(set(maps)) == 1
    assert len(np.unique(np.frombuffer(maps[0], np.uint16))) > 2


def test_a_model_maps_as_its_classifier_does(tmp_path):
    run = make_run(tmp_path / "run", 40, 50)
    model = lc.load_model(run.model("random-forest"))
    by_model = lc.predict_map(model, run.scene, tmp_path / "a.tif")[0]
    by_classifier = lc.predict_map(model.classifier(), run.scene, tmp_path / "b.tif")[0]
    assert by_model.read_bytes() == by_classifier.read_bytes()
    np.testing.assert_array_equal(
        lc.read(by_model)[0], model.predict(rasters.read(run.scene)), strict=True
    )


def test_a_map_is_the_whole_scene_predicted_at_once(classifier, scene, types, tmp_path):
    path, image = scene
    radius = classifier.radius
    padded = np.full((4, 131 + 2 * radius, 174 + 2 * radius), np.nan, np.float32)
    padded[:, radius : radius + 131, radius : radius + 174] = image
    layers = rasters.read(types, bands=["percentile"]) if classifier.segment_layers else None
    whole = classifier.predict_window(padded, layers)
    out = mapping.predict_map(
        classifier,
        path,
        tmp_path / "m.tif",
        confidence=tmp_path / "c.tif",
        probabilities=tmp_path / "p.tif",
        segment_types=types,
    )
    codes, percent, probabilities = (
        rasters.read_classes(out[0]),
        rasters.read(out[1])[0],
        rasters.read(out[2]),
    )
    valid = ~np.isnan(image).any(axis=0)
    np.testing.assert_allclose(probabilities[:, valid], whole[:, valid], atol=1e-5)
    ranked = np.sort(whole, axis=0)
    clear = valid & (ranked[-1] - ranked[-2] > 1e-4)
    assert clear.mean() > 0.3
    assert (codes == LEGEND.code(whole.argmax(axis=0)))[clear].all()
    assert np.abs(percent[valid] - 100 * whole.max(axis=0)[valid]).max() <= 0.51


def test_nodata_stays_nodata_and_nothing_else_does(classifier, scene, types, tmp_path):
    path, image = scene
    out = mapping.predict_map(
        classifier,
        path,
        tmp_path / "m.tif",
        confidence=tmp_path / "c.tif",
        probabilities=tmp_path / "p.tif",
        segment_types=types,
    )
    valid = ~np.isnan(image).any(axis=0)
    with rasterio.open(out[0]) as labels, rasterio.open(out[1]) as confidence:
        assert labels.dtypes == ("uint16",) and labels.nodata == 0
        assert ((labels.read(1) != 0) == valid).all()
        assert confidence.dtypes == ("uint8",) and confidence.nodata == 255
        percent = confidence.read(1)
        assert ((percent != 255) == valid).all()
        assert percent[valid].min() >= 25 and percent[valid].max() <= 100
        assert legend_of(out[0]) == LEGEND
        assert set(np.unique(labels.read(1))) <= {0, *LEGEND.codes}
    with rasterio.open(out[2]) as probabilities:
        assert probabilities.descriptions[0] == "112 Discontinuous urban fabric"
        assert (np.isfinite(probabilities.read()).all(axis=0) == valid).all()


@dataclass(frozen=True)
class Recorder(OfOneImage):
    """A classifier that says what it was shown: the class is told by the centre pixel alone."""

    shapes: list
    name: str = "recorder"
    legend: Legend = LEGEND
    bands: tuple = ("B08", "B02")
    radius: int = 2
    segment_layers: tuple = ()
    temperature: Temperature = UNTEMPERED

    def predict_window(self, image, segment_types=None):
        self.shapes.append(image.shape)
        inner = np.nan_to_num(image[:, 2:-2, 2:-2])
        first = inner[0] > inner[1]
        return np.stack([first, ~first, 0 * first, 0 * first]).astype(np.float32)


class ShapeSensitive(Recorder):
    """What rounding does to ties, in the extreme: labels follow a tile's shape and place."""

    def predict_window(self, image, segment_types=None):
        rows, cols = np.indices((image.shape[1] - 4, image.shape[2] - 4))
        label = (rows // 3 + cols // 5 + rows.size) % 4
        return (label == np.arange(4)[:, np.newaxis, np.newaxis]).astype(np.float32)


def test_even_a_classifier_that_sees_shapes_maps_alike(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 40)
    maps = []
    for tile_px in TILE_SIZES:
        out = mapping.predict_map(
            ShapeSensitive([]), scene[0], tmp_path / "m.tif", tile_px=tile_px
        )[0]
        maps.append(rasters.read_classes(out).tobytes())
    assert len(set(maps)) == 1


def test_bands_come_by_name_and_every_tile_has_one_shape(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 50)
    path, image = scene
    recorder = Recorder([])
    out = mapping.predict_map(recorder, path, tmp_path / "m.tif", tile_px=90)
    expected = np.where(image[3] > image[0], 112, 211)
    expected[np.isnan(image).any(axis=0)] = 0
    # B03, missing at one pixel, is not among the recorder's bands
    expected[126, 169] = 112 if image[3, 126, 169] > image[0, 126, 169] else 211
    np.testing.assert_array_equal(rasters.read_classes(out[0]), expected)
    assert set(recorder.shapes) == {(2, 44 + 4, 44 + 4)}
    assert len(recorder.shapes) == 3 * 4


@pytest.mark.parametrize(("room", "at_once", "patience_s"), [(2**30, 2, 30), (1, 1, 0.3)])
def test_images_of_windows_at_work_fit_into_memory(
    scene, tmp_path, monkeypatch, room, at_once, patience_s
):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 40)
    monkeypatch.setattr("landcover.files.ahead._TOGETHER_BYTES", room)
    monkeypatch.setattr("landcover.files.ahead._cores", lambda: 2)
    meeting, lock, inside, most = threading.Barrier(2), threading.Lock(), [], []

    class Counting(Recorder):
        def predict_window(self, image, segment_types=None):
            with lock:
                inside.append(image)
                most.append(len(inside))
            with suppress(threading.BrokenBarrierError):  # two meet here once, if there are two
                meeting.wait(patience_s)
            meeting.abort()
            with lock:
                inside.pop()
            return super().predict_window(image, segment_types)

    mapping.predict_map(Counting([]), scene[0], tmp_path / "map.tif", tile_px=40)
    assert max(most) == at_once and len(most) > 2


def test_empty_tiles_are_not_predicted(tmp_path, monkeypatch):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 32)
    image = np.full((4, 64, 96), np.nan, np.float32)
    image[:, 40:50, 70:80] = 0.1
    raster_writer.write(tmp_path / "s.tif", image, utm_grid(64, 96), BANDS, nodata=np.nan)
    recorder = Recorder([])
    mapping.predict_map(recorder, tmp_path / "s.tif", tmp_path / "m.tif")
    assert len(recorder.shapes) == 1


@pytest.mark.parametrize("size", [(800, 1600), (10_980, 10_980), (131, 174), (257, 255), (1, 1)])
def test_tiles_cover_the_grid_once_with_little_waste(size):
    grid = utm_grid(*size)
    rows, cols = mapping.scene_tiles.tile_shape(grid)
    assert max(rows, cols) <= mapping.COMPUTE_PX
    for tile_px in (1, 64, 1024, 20_000):
        windows = mapping.scene_tiles.reading_windows(grid, tile_px)
        assert sum(w.rows * w.cols for w in windows) == size[0] * size[1]
        assert all(w.row % rows == 0 and w.col % cols == 0 for w in windows)
        assert max(w.rows for w in windows) <= max(tile_px + rows, rows)
    computed = -(-size[0] // rows) * rows * (-(-size[1] // cols)) * cols
    assert computed <= 1.02 * size[0] * size[1]


@pytest.mark.parametrize("size", [3, 7, 21])
def test_verify_finds_dense_and_patches_equal(scene, size):
    classifier = cnn_classifier(size)
    agreement = mapping.verify(classifier, scene[0], 60, seed=0)
    assert agreement.pixels == 60
    assert 15 <= agreement.at_border <= 30
    assert agreement.largest_difference < 1e-5
    assert agreement.mismatches == 0
    assert "60 pixels" in str(agreement) and "0 labels differ" in str(agreement)
    assert mapping.verify(classifier, scene[0], 60, seed=0) == agreement


def test_verify_finds_a_network_that_differs_from_itself(scene):
    """Same padding inside a patch is the fault that verifying is for."""
    import keras

    inputs = keras.layers.Input((None, None, 4))
    x = keras.ops.where(keras.ops.isnan(inputs), 0.0, inputs)
    x = keras.layers.Conv2D(8, 5, padding="same")(x)
    x = keras.layers.Conv2D(8, 5, padding="same")(x)
    x = keras.layers.Cropping2D(3)(x)
    outputs = keras.layers.Conv2D(4, 1, activation="softmax")(x)
    networks.seed_everything(0)
    model = keras.Model(inputs, outputs)
    model.set_weights([5 * w for w in model.get_weights()])
    agreement = mapping.verify(cnn_classifier(7, model=model), scene[0], 100, seed=0)
    assert agreement.largest_difference > 1e-3


def test_verify_takes_pixel_classifiers_too(scene, types):
    agreement = mapping.verify(mlp_classifier(), scene[0], 50, 1, types)
    assert agreement.pixels == 50 and agreement.largest_difference < 1e-5


def test_verify_takes_every_valid_pixel_when_there_are_few(tmp_path):
    image = np.full((4, 30, 30), np.nan, np.float32)
    image[:, 10:14, 5:8] = 0.2
    raster_writer.write(tmp_path / "s.tif", image, utm_grid(30, 30), BANDS, nodata=np.nan)
    assert mapping.verify(cnn_classifier(3), tmp_path / "s.tif", 500, seed=0).pixels == 12


def test_a_model_of_other_bands_is_refused(tmp_path):
    write_scene(tmp_path / "scene.tif", 40, 40, bands=("B02", "B03"))
    with pytest.raises(
        LandcoverError,
        match=r"model cnn-7x7 was trained on bands B02 B03 B04 B08; scene\.tif has B02 B03: ",
    ):
        mapping.predict_map(cnn_classifier(7), tmp_path / "scene.tif", tmp_path / "m.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["scene.tif"]


def test_missing_segment_types_are_named(scene, tmp_path):
    with pytest.raises(LandcoverError, match=r"mlp-segments needs segment types.*landcover seg"):
        mapping.predict_map(mlp_classifier(), scene[0], tmp_path / "m.tif")


def test_segment_types_of_another_kind_or_grid_are_refused(scene, tmp_path):
    layers = np.ones((1, 131, 174), np.uint8)
    raster_writer.write(tmp_path / "a.tif", layers, utm_grid(131, 174), ["hierarchy-4"], nodata=0)
    with pytest.raises(LandcoverError, match=r"needs segment types percentile; .*has hierarchy-4"):
        mapping.predict_map(
            mlp_classifier(), scene[0], tmp_path / "m.tif", segment_types=tmp_path / "a.tif"
        )
    raster_writer.write(
        tmp_path / "b.tif", layers, utm_grid(131, 174, west=300_010), ["percentile"], nodata=0
    )
    with pytest.raises(LandcoverError, match="north-west corner differs by 10 east"):
        mapping.predict_map(
            mlp_classifier(), scene[0], tmp_path / "m.tif", segment_types=tmp_path / "b.tif"
        )


def test_a_failure_in_the_middle_leaves_no_map(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(mapping.scene_tiles, "COMPUTE_PX", 50)

    class Failing(Recorder):
        def predict_window(self, image, segment_types=None):
            if len(self.shapes) == 5:
                raise MemoryError
            return super().predict_window(image)

    with pytest.raises(MemoryError):
        mapping.predict_map(
            Failing([]), scene[0], tmp_path / "m.tif", confidence=tmp_path / "c.tif"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tile_px", [0, -5])
def test_tile_size_must_be_positive(scene, tmp_path, tile_px):
    with pytest.raises(LandcoverError, match=f"tile size {tile_px} is not positive"):
        mapping.predict_map(Recorder([]), scene[0], tmp_path / "m.tif", tile_px=tile_px)


def test_verify_needs_a_positive_number_and_a_valid_pixel(scene, tmp_path):
    with pytest.raises(LandcoverError, match="0 pixels to verify"):
        mapping.verify(Recorder([]), scene[0], 0, seed=0)
    image = np.full((4, 20, 20), np.nan, np.float32)
    raster_writer.write(tmp_path / "s.tif", image, utm_grid(20, 20), BANDS, nodata=np.nan)
    with pytest.raises(LandcoverError, match="no valid pixel"):
        mapping.verify(Recorder([]), tmp_path / "s.tif", 10, seed=0)
