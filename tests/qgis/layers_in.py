"""Run in QGIS: which files of a folder open as a layer of outlines or of pixels.

Arguments: folders.
"""

import sys
from pathlib import Path

from inside import answer, start
from qgis.core import QgsRasterLayer, QgsVectorLayer


def kind_of(path):
    """What QGIS takes a file for; None where it is no layer."""
    for kind, layer in (
        ("vector", QgsVectorLayer(str(path), path.stem, "ogr")),
        ("raster", QgsRasterLayer(str(path), path.stem)),
    ):
        if layer.isValid():
            return kind
    return None


if __name__ == "__main__":
    app = start()
    answer(
        {
            folder: {path.name: kind_of(path) for path in Path(folder).iterdir() if path.is_file()}
            for folder in sys.argv[1:]
        }
    )
