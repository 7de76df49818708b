"""Size and time of a class map without a colour table, against the same with one.

A colour table of 16-bit codes has 65,536 entries, and every overview of the file repeats it. Run
from the root of a checkout: python -m benchmarks.class_rasters
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil

from benchmarks.records import Cell, Row
from benchmarks.report import options, report
from landcover.files.class_rasters import write_classes
from landcover.legend import Legend
from landcover.sources.synthetic import make_scene

#: Python with QGIS's modules, as Debian installs it.
_QGIS_PYTHON = "/usr/bin/python3"
_OPEN = """
import sys, time
from qgis.core import QgsApplication, QgsRasterLayer
app = QgsApplication([], False)
app.initQgis()
QgsRasterLayer(sys.argv[1], "warm")
for path in sys.argv[1:]:
    began = time.perf_counter()
    layer = QgsRasterLayer(path, "a")
    print(time.perf_counter() - began, len(layer.legendSymbologyItems()), flush=True)
"""


def with_colour_table(path: Path, legend: Legend) -> Path:
    """The same raster with a colour table, as landcover wrote it before."""
    part, out = path.with_name("part.tif"), path.with_name("with.tif")
    with rasterio.open(path) as source:
        profile = source.profile | {"driver": "GTiff", "compress": "zstd", "zstd_level": 1}
        with rasterio.open(part, "w", **profile) as copy:
            copy.write_colormap(1, {c.code: (*c.colour, 255) for c in legend.classes})
            copy.write(source.read())
    rasterio.shutil.copy(
        part, out, driver="COG", compress="deflate", blocksize=512, overview_resampling="nearest"
    )
    return out


def rows() -> Iterator[Row]:
    """The map of the demo's land written both ways, and opened in QGIS where there is one."""
    scene = make_scene()
    legend = Legend.corine(3).subset(np.unique(scene.truth).tolist())
    with tempfile.TemporaryDirectory() as folder:
        path, times = Path(folder) / "without.tif", []
        for _ in range(3):
            began = time.perf_counter()
            write_classes(path, scene.truth.astype(np.uint16), scene.grid, legend)
            times.append(time.perf_counter() - began)
        began = time.perf_counter()
        coloured = with_colour_table(path, legend)
        took = time.perf_counter() - began
        for file, seconds in ((path, min(times)), (coloured, took)):
            more: dict[str, Cell] = {"kB": file.stat().st_size / 1e3}
            yield Row(f"{file.stem} a colour table", seconds, "s", more=more | _opened(file))


def main() -> None:
    """Measure and print."""
    parser = options("class_rasters", __doc__)
    report(parser, parser.parse_args(), rows())


def _opened(path: Path) -> dict[str, Cell]:
    """What QGIS says of a file."""
    command = ["env", "-u", "PYTHONPATH", "QT_QPA_PLATFORM=offscreen", _QGIS_PYTHON, "-c", _OPEN]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    if done.returncode not in (0, -11) or not done.stdout:
        return {"opened by QGIS": "QGIS is not installed"}
    seconds, entries = done.stdout.split()
    return {"opened by QGIS, s": float(seconds), "entries in its legend": int(entries)}


if __name__ == "__main__":
    main()
