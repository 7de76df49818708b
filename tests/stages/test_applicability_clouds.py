"""Clouds lie outside the area of applicability of models that have never seen one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from landcover.files import raster_writer, rasters
from landcover.grid import Window
from landcover.legend import Legend
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.sources import synthetic
from landcover.stages import train
from landcover.stages.sample import sample

BANDS = ("B02", "B03", "B04", "B08")
#: What is trained, by the kind of the model. The wide patch is that of a network whose hidden
#: layer, for itself, takes half of the clouds over Lommel for something known.
KINDS = {
    "random-forest": ("random-forest", {}),
    "mlp": ("mlp", {"segment_layers": (), "epochs": 4}),
    "cnn-7x7": ("cnn", {"epochs": 3}),
    "cnn-15x15": ("cnn", {"epochs": 3, "patch_size": 15}),
}


def sampled(folder, image, codes, grid, block_px) -> Run:
    run = Run(folder)
    run.path.mkdir()
    raster_writer.write(run.scene, image, grid, BANDS, np.nan)
    legend = Legend.corine().subset(np.unique(codes))
    raster_writer.write(
        run.labels, codes[np.newaxis].astype(np.uint16), grid, ["class"], 0, legend=legend
    )
    sample(run, Draw(4000), block_px=block_px)
    return run


def trained(run, name):
    kind, choices = KINDS[name]
    return train.train(run, kind, random_split=False, denoise="none", **choices)


def share_outside(model, image):
    found = model.dissimilarity(image)
    return (found > model.applicability.threshold)[np.isfinite(found)].mean()


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """A run of synthetic land without clouds, and its image."""
    scene = synthetic.make_scene(300, 400, seed=3)
    folder = tmp_path_factory.mktemp("clear") / "run"
    return sampled(folder, scene.image, scene.labels(), scene.grid, 50), scene.image


@pytest.mark.parametrize(
    "name", ["random-forest", *(pytest.param(n, marks=pytest.mark.slow) for n in list(KINDS)[1:])]
)
def test_bright_white_clouds(land, name):
    run, image = land
    model = trained(run, name)
    assert share_outside(model, image) < 0.1
    white = np.random.default_rng(0).normal(0.65, 0.05, (1, *image.shape[1:])).astype(np.float32)
    assert share_outside(model, np.repeat(white, 4, axis=0)) > 0.99
    assert share_outside(model, 0.5 * image + 0.5 * white) > 0.99


@pytest.fixture(scope="module")
def lommel(shared_data, tmp_path_factory):
    """A run of the clear north-east of a real scene, and a cloudy part of it.

    There are no labels; clusters of spectra stand for classes.
    """
    paths = [shared_data / "lommel-icor" / f"ref_input_S2_{band}.tif" for band in BANDS]
    if not all(path.exists() for path in paths):
        pytest.skip("the scene of Lommel is not there")
    image = np.concatenate([rasters.read(path) for path in paths]).astype(np.float32) / 10_000
    clear = Window(40, 265, 520, 247)
    seen = image[:, *clear.slices]
    clusters = KMeans(8, n_init=1, random_state=0).fit_predict(seen.reshape(4, -1).T)
    codes = np.array([112, 121, 211, 231, 311, 312, 322, 512])[clusters].reshape(seen.shape[1:])
    grid = rasters.grid_of(paths[0]).crop(clear)
    run = sampled(tmp_path_factory.mktemp("lommel") / "run", seen, codes, grid, 40)
    return run, image[:, 330:600, :260]


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_real_clouds(lommel, name):
    run, part = lommel
    model = trained(run, name)
    assert share_outside(model, rasters.read(run.scene)) < 0.1
    cloud = part[0] > 0.22  # brighter in blue than 99.9 % of the clear land
    assert cloud.mean() > 0.2
    found = model.dissimilarity(part)
    assert (found > model.applicability.threshold)[cloud].mean() > 0.98
