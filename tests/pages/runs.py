"""Runs that pages take for granted, each made once, with the models and maps that pages name."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np

import landcover as lc
from experiments import bigearth_synthetic, bigearth_train, eurosat_finetune
from landcover.files import rasters
from landcover.run import Run
from landcover.sources import bigearthnet
from tests.fixtures.eurosat_sets import write_set
from tests.fixtures.several_runs import apart
from tests.pages.land import BANDS, DAYS, SEQUENCE_DAYS

SAMPLES, EPOCHS = 1500, 1


class Ready:
    """Runs by what they are, made when they are first asked for.

    Parameters
    ----------
    world : path
        Files of tests/pages/land.py.
    folder : path
        Where runs are made.
    """

    def __init__(self, world: Path, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.data: Path | None = None  # of real land, where there is some

    def put(self, kind: str, to: Path) -> None:
        """A copy of a run, of one of the kinds that this class has a method for."""
        made = self.folder / kind
        if not made.exists():
            getattr(self, f"_{kind}")(made)
        shutil.copytree(made, to)

    def _scene(self, path: Path) -> None:
        """A scene with labels and segments, three models, and their maps."""
        bands = [self.world / f"{name}.tif" for name in BANDS]
        run = lc.prepare(path, bands=bands, labels=self.world / "CLC.tif")
        lc.segment(run)
        lc.sample(run, samples=SAMPLES)
        for model in (
            lc.train(run, "random-forest"),
            lc.train(run, "mlp", epochs=EPOCHS),
            lc.train(run, "cnn", epochs=EPOCHS),
        ):
            lc.map_scene(run, model, probabilities=True)
        lc.compare(run)

    def _one_map(self, path: Path) -> None:
        """The same with the map of one model alone."""
        self.put("scene", path)
        for file in (path / "maps").rglob("*"):
            if file.is_file() and not file.name.startswith("random-forest"):
                file.unlink()

    def _bare(self, path: Path) -> None:
        """A scene alone."""
        lc.prepare(path, bands=[self.world / f"{name}.tif" for name in BANDS])

    def _ten_bands(self, path: Path) -> None:
        """A scene of the bands of 10 and 20 m, with labels and samples."""
        tiles = lc.open_bands([self.world / "ten_bands.tif"], quantification=1, keep="all")
        run = lc.prepare(path, tiles, self.world / "CLC.tif", keep="all")
        lc.sample(run, samples=SAMPLES)

    def _year(self, path: Path) -> None:
        """Dates of two years, with models of sequences and their maps."""
        run = self._sequence(path, SEQUENCE_DAYS)
        for kind in ("ltae", "tempcnn"):
            lc.map_scene(run, lc.train(run, kind, epochs=EPOCHS, random_split=False))

    def _earlier(self, path: Path) -> None:
        """Dates of the first of two years, with a model of sequences."""
        run = self._sequence(path, [day for day in SEQUENCE_DAYS if day < "2023"])
        lc.train(run, "ltae", epochs=EPOCHS, random_split=False)

    def _later(self, path: Path) -> None:
        """Dates of the second of two years."""
        self._sequence(path, [day for day in SEQUENCE_DAYS if day > "2023"])

    def _sequence(self, path: Path, days: Sequence[str]) -> lc.Run:
        folder = self.world / "sequence"
        dates = [lc.open_bands([folder / f"{day}.tif"], quantification=1) for day in days]
        run = lc.prepare(path, dates=dates, labels=folder / "corine.tif")
        lc.sample(run, samples=SAMPLES)
        return run

    def _dates(self, path: Path) -> None:
        """Dates of one year, of the days that pages name."""
        dates = [[self.world / day / f"{name}.tif" for name in BANDS] for day in DAYS]
        run = lc.prepare(path, dates=dates, labels=self.world / "CLC.tif")
        lc.sample(run, samples=SAMPLES, max_patch=47)
        for kind in ("ltae", "tempcnn"):
            model = lc.train(run, kind, epochs=EPOCHS, random_split=False)
            lc.map_scene(run, model, probabilities=True)

    def _apart(self, path: Path) -> None:
        """Three scenes that lie apart, and a forest of them."""
        runs = apart(path)
        lc.train(runs, "random-forest", out=path / "joint", random_split=False)

    def _quilt(self, path: Path) -> None:
        """A part of a quilt of real chips, with a forest that has learnt its 10 m map."""
        held = self.data / "s2glc-quilts" / "0"
        box = (400_000, 5_194_880, 405_120, 5_200_000)
        run = lc.prepare(path, held / "bands.tif", held / "coarse.tif", held / "s2glc.tif", aoi=box)
        lc.sample(run, samples=SAMPLES, block_px=128)
        lc.train(run, "random-forest", targets="reference", random_split=False)

    def _california(self, path: Path) -> None:
        """A date of California, with a forest of its polygons; cal.csv names their classes."""
        land = self.data / "california-igisci"
        run = lc.prepare(
            path,
            bands=sorted((land / "20200802").glob("*.tif")),
            keep="all",
            polygons=land / "labels" / "train_polys7.shp",
            class_field="class",
            scheme="cal.csv",
        )
        lc.sample(run, samples=SAMPLES)
        lc.train(run, "random-forest", random_split=False)

    def _eurosat(self, path: Path) -> None:
        archive = write_set(self.folder / "EuroSAT.zip", each=10)
        arguments = ["--out", str(path), "--epochs", "1", "--precision", "float32"]
        assert eurosat_finetune.main([str(archive), *arguments]) == 0

    def _bigearth(self, path: Path) -> None:
        chips = self.folder / "bigearth-set"
        bigearth_synthetic.DOWN = bigearth_synthetic.ACROSS = 2
        assert bigearth_synthetic.main([str(chips), "--scenes", "10"]) == 0
        store = bigearthnet.store(
            bigearthnet.open_patches(chips), self.folder / "bigearth-store", BANDS
        )
        arguments = ["--patch-size", "7", "--epochs", "1", "--out", str(path)]
        assert bigearth_train.main([str(store), *arguments]) == 0


def fill_points(points: Path, run: Run, mapped: str, out: Path) -> None:
    """Name the classes of a reference sample, as a person would in QGIS: here as mapped."""
    table = geopandas.read_file(points, layer=points.stem)
    codes = lc.read(run.map(mapped))[0]
    grid = rasters.grid_of(run.scene)
    rows, cols = grid.rowcol(table.geometry.x, table.geometry.y)
    table["reference"] = codes[np.asarray(rows), np.asarray(cols)]
    table.to_file(out)
