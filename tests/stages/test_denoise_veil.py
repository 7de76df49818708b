"""What teachers see of a hazy scene, and of a clear one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from landcover.files import raster_writer, rasters
from landcover.files.atomic import digest
from landcover.run import Run
from landcover.samples.table import Draw
from landcover.sources import synthetic
from landcover.sources.synthetic.spectra import BANDS, Spectra
from landcover.stages.denoise_veil import view_of
from landcover.stages.inputs import read_rows
from landcover.stages.sample import sample

pytestmark = pytest.mark.usefixtures("hasty_teacher")


def write_run(folder, haze):
    """A synthetic scene with its labels, sampled."""
    scene = synthetic.make_scene(400, 480, 206, haze=haze)
    run = Run(folder)
    raster_writer.write(run.scene, scene.image, scene.grid, scene.bands, np.nan)
    raster_writer.write(run.labels, scene.labels(), scene.grid, ["class"], 0)
    sample(run, Draw(8000))
    return run


@pytest.fixture(scope="module")
def hazy(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("hazy"), 0.2)


def test_uneven_haze_is_taken_from_what_teachers_see(hazy, tmp_path):
    rows, grid = read_rows(hazy, "labels"), rasters.grid_of(hazy.scene)
    before = digest(hazy.scene)
    with view_of(hazy, rows, grid, tmp_path) as view:
        assert view.note.startswith("haze lies unevenly over the scene")
        assert view.run.scene != hazy.scene and view.run.labels == hazy.labels
        seen, scene = rasters.read(view.run.scene), rasters.read(hazy.scene)
        # samples have the bands that the scene has
        at = view.rows.samples["row"], view.rows.samples["col"]
        for position, band in enumerate(rasters.band_names(hazy.scene)):
            np.testing.assert_allclose(view.rows.samples[band], seen[position][at], atol=1e-6)
        clear = synthetic.make_scene(400, 480, 206, haze=0.0).image
        haze = Spectra.of(BANDS).haze[:, np.newaxis, np.newaxis]
        thickness = ndimage.median_filter(((scene - clear) / (haze - clear))[0], 9)
        for band in range(3):  # in near-infrared haze hardly shows
            with_haze, without = (
                np.corrcoef((image - clear)[band].ravel(), thickness.ravel())[0, 1]
                for image in (scene, seen)
            )
            assert abs(without) < 0.6 * with_haze
    assert not list(tmp_path.iterdir())  # what was written for the teachers is gone
    assert digest(hazy.scene) == before


def test_a_clear_scene_is_seen_as_it_is(tmp_path):
    run = write_run(tmp_path / "run", 0.02)
    rows = read_rows(run, "labels")
    with view_of(run, rows, rasters.grid_of(run.scene), tmp_path) as view:
        assert view.note is None and view.run is run and view.rows is rows


def test_haze_that_does_not_hide_labels_stays(hazy, tmp_path):
    """Labels that the image does not show are found no better without haze."""
    rows = read_rows(hazy, "labels")
    rng = np.random.default_rng(0)
    shuffled = rows.samples.assign(label=rng.permutation(rows.samples["label"].to_numpy()))
    blind = replace(rows, samples=shuffled)
    with view_of(hazy, blind, rasters.grid_of(hazy.scene), tmp_path) as view:
        assert view.note is None and view.rows is blind
