"""What scripts share that run inside QGIS's own Python: start QGIS, draw, answer.

Such a script is run by `in_qgis` of conftest.py, in a process of its own, and imports this file by
its name alone: nothing of landcover is there.
"""

import json
import os
import sys

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def start():
    """QGIS without a window; keep what comes back."""
    app = QgsApplication([], True)
    app.initQgis()
    return app


def draw(layers, png, width_px=600, background="#ffffff", extent=None, size_px=None):
    """Draw map layers, the first on top, as the canvas would, into a PNG."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setBackgroundColor(QColor(background))
    settings.setDestinationCrs(layers[0].crs())
    extent = extent or layers[0].extent()
    settings.setExtent(extent)
    height = max(1, round(width_px * extent.height() / max(extent.width(), 1e-9)))
    settings.setOutputSize(QSize(*(size_px or (width_px, height))))
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(png))
    return [f"{error.layerID}: {error.message}" for error in job.errors()]


def answer(result):
    """Give the test its result and end: QGIS's own end may crash without a window."""
    with open(os.environ["LANDCOVER_QGIS_ANSWER"], "w", encoding="utf-8") as file:
        json.dump(result, file)
    sys.stdout.flush()
    os._exit(0)
