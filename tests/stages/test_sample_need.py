"""Points where they help: drawn from a run, filled in, assessed."""

import geopandas
import numpy as np
import pandas
import pytest

from landcover import cli
from landcover.errors import LandcoverError
from landcover.files import raster_writer, rasters
from landcover.files.atomic import read_json
from landcover.grid import Window
from landcover.legend import Legend
from landcover.reports.area_estimation import estimate
from landcover.reports.sample_design import design_path
from landcover.run import Run
from landcover.stages.assess import assess
from landcover.stages.sample_need import Hints
from landcover.stages.sample_points import sample_points
from tests.conftest import utm_grid

ROWS, COLS = 560, 60  # more than a strip
CODES = np.array([211, 311, 512])
GRID = utm_grid(ROWS, COLS)
NAME = "random-forest"


class World:
    """A run with a map, its confidence, other maps and applicability, and the truth."""

    def __init__(self, path):
        rng = np.random.default_rng(7)
        self.run = Run(path)
        self.truth = rng.choice(CODES, (ROWS, COLS), p=[0.6, 0.3, 0.1])
        self.doubt = rng.beta(0.4, 2, (ROWS, COLS))
        self.mapped = self.add(NAME, self.doubt)
        self.other = self.add("cnn-7x7", np.full((ROWS, COLS), 0.1))
        self.add(f"{NAME}+smooth", np.full((ROWS, COLS), 0.5))  # of the same model: no hint
        self.percent = np.rint(100 * (1 - self.doubt)).astype(np.uint8)
        raster_writer.write(self.run.confidence(NAME), self.percent, GRID, ["confidence"], 255)

    def add(self, name, wrong):
        rng = np.random.default_rng(len(name))
        codes = np.where(rng.random((ROWS, COLS)) < wrong, rng.choice(CODES, (ROWS, COLS)), 0)
        codes = np.where(codes > 0, codes, self.truth).astype(np.uint16)
        codes[:5, :5] = 0
        legend = Legend.corine().subset(CODES)
        raster_writer.write(self.run.map(name), codes, GRID, ["class"], 0, legend)
        return codes

    def outside(self):
        """Applicability that ends at column 30."""
        inside = np.ones((2, ROWS, COLS), np.float32)
        inside[1, :, 30:] = 0
        path = self.run.map(f"{NAME}_applicability")
        raster_writer.write(path, inside, GRID, ["dissimilarity", "inside"], np.nan)
        return path

    def filled(self, path):
        frame = geopandas.read_file(path, layer=path.stem)
        rows, cols = GRID.rowcol(frame.geometry.x, frame.geometry.y)
        frame["reference"] = self.truth[rows, cols]
        return frame, pandas.read_csv(design_path(path)), rows, cols


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "run")


def test_need_of_a_run_is_doubt_and_disagreement(world):
    window = Window(100, 0, 300, COLS)
    codes = world.mapped[window.slices]
    hints = Hints.of(world.run, NAME)
    assert [p.name for p in hints.paths] == [f"{NAME}_confidence.tif", "cnn-7x7.tif"]
    expected = (1 - world.percent / 100 + (world.other != world.mapped)) / 2
    found = hints.need(codes, window)
    assert np.abs(found - 100 * expected[window.slices]).max() <= 0.51
    world.outside()
    outside = Hints.of(world.run, NAME).need(codes, window)
    assert np.array_equal(outside[:, :30], found[:, :30])
    assert np.abs(outside[:, 30:] - (50 + found[:, 30:] / 2)).max() <= 1


def test_maps_of_another_level_are_compared_at_the_coarser_one(world):
    coarse = (world.truth // 100).astype(np.uint16)
    coarse[:, 20:] = 5
    legend = Legend.corine(1).subset([2, 3, 5])
    raster_writer.write(world.run.map("mlp"), coarse, GRID, ["class"], 0, legend)
    world.run.confidence(NAME).unlink()
    world.run.map("cnn-7x7").unlink()
    hints = Hints.of(world.run, NAME)
    found = hints.need(world.mapped, Window(0, 0, ROWS, COLS))
    assert np.array_equal(found == 100, world.mapped // 100 != coarse)


def test_points_lie_denser_where_need_is_great(world):
    path, _ = sample_points(world.run, NAME, 600, seed=2, where_it_helps=True)
    frame, design, rows, cols = world.filled(path)
    assert len(frame) == len(set(zip(rows, cols, strict=True))) == 600
    assert (world.mapped[rows, cols] > 0).all()
    needed = Hints.of(world.run, NAME).need(world.mapped, Window(0, 0, ROWS, COLS))
    mapped = world.mapped > 0
    assert needed[rows, cols].mean() > 1.4 * needed[mapped].mean()
    assert design["weight"].sum() == pytest.approx(mapped.sum())
    for _, units in design.groupby("stratum"):
        at = rows[units.index], cols[units.index]
        assert len(set(world.mapped[at])) == 1
        assert (units["weight"] == units["stratum_px"].iloc[0] / len(units)).all()
        code, low, high = world.mapped[at][0], needed[at].min(), needed[at].max()
        there = (world.mapped == code) & (needed >= low) & (needed <= high)
        assert there.sum() <= units["stratum_px"].iloc[0]  # levels that no point met are beside
    stage = world.run.read_manifest()["stages"][f"sample-points {NAME}"]
    assert sum(h["points"] for h in stage["strata"]) == sum(stage["settings"]["drawn"].values())
    assert sum(h["pixels"] for h in stage["strata"]) == mapped.sum()
    again, _ = sample_points(
        world.run, NAME, 600, seed=2, out=path.with_name("again.gpkg"), where_it_helps=True
    )
    assert world.filled(again)[0].equals(frame)
    assert world.filled(again)[1].equals(design)


def test_every_pixel_is_drawn_as_often_as_its_weight_says(world, tmp_path):
    """Over 15 draws the first and the last strip are met in proportion to their pixels."""
    met = np.zeros(2)
    for seed in range(15):
        out = tmp_path / f"{seed}.gpkg"
        sample_points(world.run, NAME, 400, seed, out, where_it_helps=True)
        _, design, rows, _ = world.filled(out)
        met += np.bincount(rows >= 512, design["weight"], 2)
    share = (world.mapped[512:] > 0).sum() / (world.mapped > 0).sum()
    assert met[1] / met.sum() == pytest.approx(share, abs=0.0125)  # 3 standard errors


def test_the_assessment_takes_the_strata_of_the_points(world, tmp_path):
    world.outside()
    path, _ = sample_points(world.run, NAME, 500, where_it_helps=True)
    frame, design, rows, cols = world.filled(path)
    frame.to_file(tmp_path / "filled.gpkg")
    assess(world.run, tmp_path / "filled.gpkg")
    sizes = design.groupby("stratum")["stratum_px"].first().to_dict()
    for name, codes in ((NAME, world.mapped), ("cnn-7x7", world.other)):
        report = read_json(world.run.report(f"{name}_assessment"))
        expected = estimate(
            frame["reference"], codes[rows, cols], design["stratum"], sizes,
            areas=GRID.areas_ha(Window(0, 0, ROWS, COLS))[rows, cols],
        )  # fmt: skip
        assert report["overall_accuracy"] == pytest.approx(expected["overall_accuracy"])
        assert report["overall_accuracy_se"] == pytest.approx(expected["overall_accuracy_se"])
        # The weights alone give the same: Hajek's estimator
        right = codes[rows, cols] == frame["reference"]
        weighed = (right * design["weight"]).sum() / design["weight"].sum()
        assert report["overall_accuracy"] == pytest.approx(weighed, abs=1e-4)


def test_a_census_gives_the_truth_itself(world, tmp_path):
    path, _ = sample_points(world.run, NAME, 10**6, where_it_helps=True)
    frame, design, *_ = world.filled(path)
    assert (design["weight"] == 1).all()
    frame.to_parquet(tmp_path / "census.parquet")
    assess(world.run, tmp_path / "census.parquet", names=[NAME])
    report = read_json(world.run.report(f"{NAME}_assessment"))
    there = world.mapped > 0
    right = (world.mapped == world.truth)[there].mean()
    assert report["overall_accuracy"] == pytest.approx(right, abs=1e-4)
    assert report["overall_accuracy_se"] == 0


def test_what_hints_at_nothing_is_refused(world):
    with pytest.raises(LandcoverError, match=r"20 points .* 3 classes .* in 9 strata; .* least 36"):
        sample_points(world.run, NAME, 20, where_it_helps=True)
    world.run.confidence(NAME).unlink()
    world.run.map("cnn-7x7").unlink()
    with pytest.raises(LandcoverError, match=r"nothing tells where points help; map the scene"):
        sample_points(world.run, NAME, where_it_helps=True)
    path = world.outside()
    assert Hints.of(world.run, NAME).paths == [path]
    raster_writer.write(path, np.ones((9, 9), np.uint8), utm_grid(9, 9), ["inside"])
    with pytest.raises(LandcoverError, match=r"applicability.tif is not on the grid of"):
        sample_points(world.run, NAME, where_it_helps=True)
    raster_writer.write(path, np.ones((ROWS, COLS), np.uint8), GRID, ["far"])
    with pytest.raises(LandcoverError, match=r"applicability.tif .*inside"):
        sample_points(world.run, NAME, where_it_helps=True)
    assert not list(world.run.path.glob("*_points*"))


def test_the_command_says_by_what_points_are_drawn(world, capsys):
    call = ["sample-points", str(world.run.path), "--model", NAME, "--n", "100"]
    assert cli.main([*call, "--where-it-helps"]) == 0
    assert (
        f"note: points lie denser where errors are likely by {NAME}_confidence.tif, cnn-7x7.tif"
        in capsys.readouterr().out
    )
    assert "weight" in pandas.read_csv(world.run.path / f"{NAME}_points_design.csv")
    assert rasters.grid_of(world.run.map(NAME)) == GRID
