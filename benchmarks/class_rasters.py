"""Size and time of a class map without a colour table, against the same with one.

A colour table of 16-bit codes has 65,536 entries, and every overview of the file repeats it. Run
from the root of a checkout: python -m benchmarks.class_rasters
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil

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


def main() -> None:
    """Write the map of the demo's land both ways, and open both in QGIS where there is one."""
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
        print(f"without a colour table: {path.stat().st_size / 1e3:,.0f} kB, {min(times):.2f} s")
        took = time.perf_counter() - began
        print(f"with a colour table:    {coloured.stat().st_size / 1e3:,.0f} kB, {took:.2f} s")
        for file in (path, coloured):
            print(f"QGIS opens {file.name}: {_opened(file)}")


def _opened(path: Path) -> str:
    command = ["env", "-u", "PYTHONPATH", "QT_QPA_PLATFORM=offscreen", _QGIS_PYTHON, "-c", _OPEN]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True)
    if done.returncode not in (0, -11) or not done.stdout:
        return "QGIS is not installed"
    seconds, entries = done.stdout.split()
    return f"{float(seconds):.2f} s, {int(entries):,} entries in the legend"


if __name__ == "__main__":
    main()
