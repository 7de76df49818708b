"""Run in QGIS: open rasters as a person would, and say and draw what is shown.

Arguments: folder for pictures, then rasters.
"""

import sys
import time
from pathlib import Path

from inside import answer, draw, start
from qgis.core import QgsRasterLayer


def legend_of(layer):
    """Label and colour of each entry of the legend, as the layer tree shows them."""
    return [[label, colour.name()] for label, colour in layer.legendSymbologyItems()]


def look(path, folder):
    """What QGIS makes of one raster."""
    began = time.perf_counter()
    layer = QgsRasterLayer(path, Path(path).stem)
    opened = time.perf_counter() - began
    if not layer.isValid():
        return {"valid": False, "error": layer.error().summary()}
    renderer = layer.renderer()
    png = str(Path(folder) / f"{Path(path).parent.name}-{Path(path).stem}.png")
    began = time.perf_counter()
    extent, size = layer.extent(), (layer.width(), layer.height())
    errors = draw([layer], png, extent=extent, size_px=size)
    found = {
        "valid": True,
        "renderer": renderer.type(),
        "bands": list(renderer.usesBands()),
        "of_bands": layer.bandCount(),
        "legend": legend_of(layer),
        "nodes": nodes_of(layer),
        "open_s": round(opened, 3),
        "draw_s": round(time.perf_counter() - began, 3),
        "png": png,
        "errors": errors,
    }
    for name in ("classificationMin", "classificationMax"):
        if hasattr(renderer, name):
            found[name] = getattr(renderer, name)()
    return found


def nodes_of(layer):
    """Texts of the rows under the layer in the layer tree."""
    from qgis.core import QgsLayerTreeLayer, QgsMapLayerLegend

    tree = QgsLayerTreeLayer(layer)
    nodes = QgsMapLayerLegend.defaultRasterLegend(layer).createLayerTreeModelLegendNodes(tree)
    return [str(node.data(0)) for node in nodes]


if __name__ == "__main__":
    app = start()
    folder, *paths = sys.argv[1:]
    answer({path: look(path, folder) for path in paths})
